package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// prose returns a page of 4 KB in five sections. Its words vary with n.
func prose(n int) string {
	things := strings.Fields("mast sensor garden frost battery kettle river tide ledger invoice contract museum violin orchard tractor glacier")
	deeds := strings.Fields("measures repairs paints counts warms follows replaces records forgets moves compares describes")
	var b strings.Builder
	fmt.Fprintf(&b, "# Notes on the %s, part %d\n", things[n%len(things)], n)
	for section := 0; b.Len() < 4<<10; section++ {
		fmt.Fprintf(&b, "\n## The %s and the %s\n\n", things[(n+section)%len(things)], things[(n*7+section*3)%len(things)])
		for i, end := 0, b.Len()+800; b.Len() < end; i++ {
			fmt.Fprintf(&b, "On day %d somebody %s the old %s near the %s, which nobody %s before the %s was there. ", i+n%30,
				deeds[(n+i*5)%len(deeds)], things[(n*3+i)%len(things)], things[(i*i+n)%len(things)], deeds[(n*5+i)%len(deeds)], things[(n+i*7)%len(things)])
		}
	}
	return b.String()[:4<<10] + "\n"
}

var questions = []string{"who repaired the instrument", "cold weather in the orchard", "money that is owed", "how often does the tide turn"}

// meaning measures indexing, semantic search and suggestions on 500 pages of 4 KB.
func (b *bench) meaning() error {
	data := filepath.Join(b.dir, "meaning")
	s, err := b.startService(data)
	if err != nil {
		return err
	}
	before, err := s.pages()
	if err == nil {
		for n := before; n < 500 && err == nil; n++ {
			err = s.create("ada", fmt.Sprintf("Notes/Page_%d", n), []byte(prose(n)))
		}
	}
	if err != nil {
		s.stop()
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}

	took, sections, err := b.reindex(data, "ada", 1)
	if err != nil {
		return err
	}
	b.add("indexing 500 pages of 4 KB, with embeddings", fmt.Sprintf("%.1f s CPU with one worker, %s chunks, %s KB of vectors", took.Seconds(), thousands(sections), thousands(int(math.Round(float64(sections)*436/1024)))), took.Seconds(), 0, "s")

	if s, err = b.startService(data); err != nil {
		return err
	}
	defer s.stop()
	if err := s.settled(); err != nil {
		return err
	}
	asked := resident(s.cmd.Process.Pid)
	over, err := b.overHealth(s, func(n int) string {
		return "/api/v1/search?q=" + url.QueryEscape(questions[n%len(questions)]+" "+strconv.Itoa(n))
	})
	if err != nil {
		return err
	}
	b.add("hybrid search at 500 pages", fmt.Sprintf("%s above an empty request, p50; %d MB resident before, %d MB after", ms(over), asked>>20, resident(s.cmd.Process.Pid)>>20), float64(over)/1e6, 10, "ms")
	over, err = b.overHealth(s, func(n int) string {
		return "/api/v1/search?mode=semantic&q=" + url.QueryEscape(questions[n%len(questions)])
	})
	if err != nil {
		return err
	}
	b.add("semantic search at 500 pages", ms(over)+" above an empty request, p50", float64(over)/1e6, 10, "ms")
	typed := strings.Fields("no not pa page_4 notes/p home age_12 x")
	over, err = b.overHealth(s, func(n int) string { return "/-/suggest?q=" + url.QueryEscape(typed[n%len(typed)]) })
	if err != nil {
		return err
	}
	b.add("page name suggestions at 500 pages", ms(over)+" above an empty request, p50", float64(over)/1e6, 50, "ms")
	if err := b.lists(s); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	if err := b.mixed(data); err != nil {
		return err
	}
	return b.memory(data)
}

// memory measures the memory that the model adds to a service. Two services on the
// same 500 pages, one with --no-semantic-search, alternately answer the same 200
// queries and show the same pages.
func (b *bench) memory(data string) error {
	words := data + "-words"
	if err := os.CopyFS(words, os.DirFS(data)); err != nil {
		return err
	}
	measure := func(data string, flags ...string) (float64, error) {
		s, err := b.startService(data, flags...)
		if err != nil {
			return 0, err
		}
		defer s.stop()
		if err := s.settled(); err != nil {
			return 0, err
		}
		for n := range 200 {
			if _, err := s.do("GET", "ada", "/api/v1/search?q="+url.QueryEscape(questions[n%len(questions)]+" "+strconv.Itoa(n)), nil); err != nil {
				return 0, err
			}
			if _, err := s.do("GET", "ada", fmt.Sprintf("/Notes/Page_%d", 100+n), nil); err != nil {
				return 0, err
			}
		}
		time.Sleep(time.Second)
		return float64(resident(s.cmd.Process.Pid)) / (1 << 20), nil
	}
	var with, without []float64
	for round := range 4 {
		one, err := measure(data)
		if err != nil {
			return err
		}
		other, err := measure(words, "--no-semantic-search")
		if err != nil {
			return err
		}
		if round > 0 { // the first round builds the index without vectors
			with, without = append(with, one), append(without, other)
		}
	}
	m, w := median(with), median(without)
	b.add("extra memory of a service compared with --no-semantic-search", fmt.Sprintf("%.0f MB and %.0f MB resident after the same 200 queries and views at 500 pages", m, w), m-w, 60, "MB")
	return nil
}

// manyWikis measures rebuilding all indexes of wikis with 50 pages, as a new model
// or new chunking requires, with the default number of workers.
func (b *bench) manyWikis() error {
	const sample, all, pages = 20, 1000, 50
	data := filepath.Join(b.dir, "many")
	s, err := b.startService(data)
	if err != nil {
		return err
	}
	for n := 0; n < pages && err == nil; n++ {
		err = s.create("bob", fmt.Sprintf("Notes/Page_%d", n), []byte(prose(n)))
	}
	if stopped := s.stop(); err == nil {
		err = stopped
	}
	if err != nil {
		return err
	}
	seeds, few, err := b.reindex(data, "", 0)
	if err != nil {
		return err
	}
	if err := multiply(data, sample); err != nil {
		return err
	}
	began := time.Now()
	took, sections, err := b.reindex(data, "", 0)
	if err != nil {
		return err
	}
	clock := time.Since(began)
	took, sections = took-seeds, sections-few
	b.add("rebuilding the indexes of 1,000 wikis of 50 pages", fmt.Sprintf("%.0f minutes CPU: %d times that of %d wikis, which took %.0f s CPU with %s chunks (%.0f s elapsed)",
		took.Minutes()*all/sample, all/sample, sample, took.Seconds(), thousands(sections), clock.Seconds()), took.Minutes()*all/sample, 0, "min")
	return nil
}

// reindex rebuilds the index of a wiki, or of all wikis if slug is "", in a separate
// process. 0 workers means the default number.
func (b *bench) reindex(data, slug string, workers int) (took time.Duration, sections int, err error) {
	args := []string{"admin", "reindex", "--data", data, "--workers", strconv.Itoa(workers)}
	if slug != "" {
		args = append(args, slug)
	}
	command := exec.Command(b.binary, args...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return 0, 0, fmt.Errorf("reindex: %w", err)
	}
	for _, m := range regexp.MustCompile(`(\d+) sections`).FindAllSubmatch(out, -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			return 0, 0, err
		}
		sections += n
	}
	return command.ProcessState.UserTime() + command.ProcessState.SystemTime(), sections, nil
}

// pages returns the number of pages of the wiki.
func (s *service) pages() (int, error) {
	var stats struct{ Total int }
	raw, err := s.do("GET", "ada", "/api/v1/pages", nil)
	if err != nil {
		return 0, err
	}
	return stats.Total, json.Unmarshal(raw, &stats)
}

// settled waits until all pages are embedded.
func (s *service) settled() error {
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		raw, err := s.do("GET", "ada", "/api/v1/search?q=mast", nil)
		if err != nil || bytes.Contains(raw, []byte(`"waiting":0`)) {
			return err
		}
	}
	return fmt.Errorf("search didn't catch up")
}
