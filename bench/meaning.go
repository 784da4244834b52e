package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
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
			_, err = s.save("ada", fmt.Sprintf("Notes/Page_%d", n), "", []byte(prose(n)))
		}
	}
	if err != nil {
		s.stop()
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}

	// One worker, and nothing else: the processor's time of the whole command.
	reindex := exec.Command(b.binary, "admin", "reindex", "ada", "--data", data, "--workers", "1")
	out, err := reindex.Output()
	if err != nil {
		return fmt.Errorf("reindex: %w", err)
	}
	took := reindex.ProcessState.UserTime() + reindex.ProcessState.SystemTime()
	sections := 0
	if m := regexp.MustCompile(`(\d+) sections`).FindSubmatch(out); m != nil {
		sections, _ = strconv.Atoi(string(m[1]))
	}
	b.add("index 500 pages of 4 KB for search, words and meaning", fmt.Sprintf("%.1f s CPU with one worker, %d chunks, %.0f KB of vectors", took.Seconds(), sections, float64(sections)*436/1024), took.Seconds(), 0, "s")
	b.add("the same for 1,000 wikis of 50 pages", fmt.Sprintf("%.0f minutes CPU, 100 times the line above", took.Minutes()*100), took.Minutes()*100, 0, "min")

	if s, err = b.startService(data); err != nil {
		return err
	}
	defer s.stop()
	if err := s.settled(); err != nil {
		return err
	}
	asked := resident(s.cmd.Process.Pid)
	questions := []string{"who repaired the instrument", "cold weather in the orchard", "money that is owed", "how often does the tide turn"}
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
	return nil
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
