package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

func field(raw []byte, name string) string {
	var m map[string]any
	json.Unmarshal(raw, &m)
	s, _ := m[name].(string)
	return s
}

// history measures a page's history in a wiki with 50,000 commits.
func (b *bench) history() error {
	const commits, pages = 50_000, 500
	data := filepath.Join(b.dir, "history")
	s, err := b.startService(data) // seeds
	if err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(data, "wikis", "ada")); err != nil {
		return err
	}
	pool, w, release, err := openWiki(filepath.Join(data, "wikis"), "ada")
	if err != nil {
		return err
	}
	blobs := make([]string, pages)
	began := time.Now()
	for n := range commits {
		page := n % pages
		if blobs[page], err = put(w, fmt.Sprintf("Folder_%d/Page_%d.md", page%20, page), blobs[page], fmt.Appendf(nil, "# Page %d\n\nRevision %d.\n", page, n)); err != nil {
			return err
		}
	}
	took := time.Since(began)
	release()
	if err := pool.Close(); err != nil {
		return err
	}
	if s, err = b.startService(data); err != nil {
		return err
	}
	defer s.stop()
	over, err := b.overHealth(s, func(n int) string {
		return fmt.Sprintf("/api/v1/pages/Folder_%d/Page_%d/history", n%20, n%20+20*(n%25))
	})
	if err != nil {
		return err
	}
	b.add("page history (50 revisions, JSON) in a wiki with 50,000 commits", fmt.Sprintf("%s above an empty request, p50; making the commits took %.0f s", ms(over), took.Seconds()), float64(over)/1e6, 1, "ms")
	return nil
}

// search measures keyword queries on 500 pages of 5 KB.
func (b *bench) search() error {
	s, err := b.startService(filepath.Join(b.dir, "search"))
	if err != nil {
		return err
	}
	defer s.stop()
	before, err := s.pages()
	if err != nil {
		return err
	}
	for n := before; n < 500; n++ {
		page := append(text(n)[:5<<10], fmt.Sprintf("\nOnly here: zebra%d\n", n)...)
		if err := s.create("ada", fmt.Sprintf("Filler/Page_%d", n), page); err != nil {
			return err
		}
	}
	if err := s.settled(); err != nil { // otherwise indexing would disturb the figures
		return err
	}
	for _, q := range []struct{ kind, text string }{{"a rare word", "zebra321"}, {"a common word", "measures"}, {"three common words", "line mast wind"}, {"a phrase", `"measures wind, rain"`}} {
		over, err := b.overHealth(s, func(int) string { return "/api/v1/search?mode=keyword&q=" + url.QueryEscape(q.text) })
		if err != nil {
			return err
		}
		b.add("search at 500 pages, "+q.kind, ms(over)+" above an empty request, p50", float64(over)/1e6, 5, "ms")
	}
	return nil
}

// overHealth returns the median time of requests minus that of /health, measured
// alternately.
func (b *bench) overHealth(s *service, path func(n int) string) (time.Duration, error) {
	const each = 100
	wire, err := s.dial()
	if err != nil {
		return 0, err
	}
	defer wire.conn.Close()
	took := func(path string) (time.Duration, error) {
		request, err := s.written("GET", "ada", path, nil)
		if err != nil {
			return 0, err
		}
		began := time.Now()
		_, err = wire.ask(request)
		return time.Since(began), err
	}
	var over []time.Duration
	for round := range b.rounds + 1 {
		var full, empty []time.Duration
		for n := range each {
			f, err := took(path(n))
			if err != nil {
				return 0, err
			}
			e, err := took("/api/v1/health")
			if err != nil {
				return 0, err
			}
			full, empty = append(full, f), append(empty, e)
		}
		if round > 0 {
			over = append(over, percentile(full, 0.5)-percentile(empty, 0.5))
		}
	}
	return median(over), nil
}
