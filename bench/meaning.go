package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// prose is a page of 4 KB in five sections, whose words differ with its number.
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

// meaning measures search by meaning on 500 pages of 4 KB.
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
	b.add("index 500 pages of 4 KB for search, words and meaning", fmt.Sprintf("%.1f s CPU with one worker, %d chunks, %.0f KB of vectors", took.Seconds(), sections, float64(sections)*436/1024), took.Seconds(), 0, "s")

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
	b.add("search at 500 pages, words and meaning", fmt.Sprintf("%s above an empty request, p50; resident %d MB, then %d MB", ms(over), asked>>20, resident(s.cmd.Process.Pid)>>20), float64(over)/1e6, 10, "ms")
	over, err = b.overHealth(s, func(n int) string {
		return "/api/v1/search?mode=semantic&q=" + url.QueryEscape(questions[n%len(questions)])
	})
	if err != nil {
		return err
	}
	b.add("search at 500 pages, meaning alone", ms(over)+" above an empty request, p50", float64(over)/1e6, 10, "ms")
	typed := strings.Fields("no not pa page_4 notes/p home age_12 x")
	over, err = b.overHealth(s, func(n int) string { return "/-/suggest?q=" + url.QueryEscape(typed[n%len(typed)]) })
	if err != nil {
		return err
	}
	b.add("names of 500 pages as they are typed", ms(over)+" above an empty request, p50", float64(over)/1e6, 50, "ms")
	if err := s.stop(); err != nil {
		return err
	}
	return b.memory(data)
}

// memory measures what the model adds to a service: two of them on the same 500
// pages, one with --no-semantic-search, have answered the same 200 queries and shown the
// same pages, in turns.
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
		if round > 0 { // the first builds the index without vectors
			with, without = append(with, one), append(without, other)
		}
	}
	m, w := median(with), median(without)
	b.add("memory of a service with the model, above one with --no-semantic-search", fmt.Sprintf("%.0f MB and %.0f MB resident after the same 200 queries and views at 500 pages", m, w), m-w, 60, "MB")
	return nil
}

// manyWikis measures how long a new model or a new way of cutting would take: all
// indexes anew, of wikis of 50 pages, by as many workers as robot takes of itself.
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
	b.add("indexes of 1,000 wikis of 50 pages anew", fmt.Sprintf("%.0f minutes CPU: %d times that of %d wikis, which took %.0f s CPU with %d chunks (%.0f s on the clock)",
		took.Minutes()*all/sample, all/sample, sample, took.Seconds(), sections, clock.Seconds()), took.Minutes()*all/sample, 0, "min")
	return nil
}

// reindex makes the index of a wiki anew, or of all when slug is "", by a process
// that does nothing else; with 0 workers by as many as it takes of itself.
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

// pages is how many the wiki has.
func (s *service) pages() (int, error) {
	var stats struct{ Total int }
	raw, err := s.do("GET", "ada", "/api/v1/pages", nil)
	if err != nil {
		return 0, err
	}
	return stats.Total, json.Unmarshal(raw, &stats)
}

// settled waits until nothing is left to be embedded.
func (s *service) settled() error {
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		raw, err := s.do("GET", "ada", "/api/v1/search?q=mast", nil)
		if err != nil || bytes.Contains(raw, []byte(`"waiting":0`)) {
			return err
		}
	}
	return fmt.Errorf("search is never up to date")
}
