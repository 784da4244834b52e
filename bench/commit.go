package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

const pageBytes = 6 << 10

// text returns a page of 6 KB that differs for each n.
func text(n int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Page %d\n\n", n)
	for i := 0; b.Len() < pageBytes; i++ {
		fmt.Fprintf(&b, "Line %d of revision %d says that the mast stands in [[Garden %d]] and measures wind, rain and frost.\n", i, n, i%7)
	}
	return []byte(b.String()[:pageBytes-1] + "\n")
}

// openWiki creates an empty wiki as the service does.
func openWiki(dir, slug string) (*content.Pool, *content.Wiki, func(), error) {
	pool, err := content.NewPool(content.Options{Dir: dir, Links: func(p wiki.PageName, src []byte) []wiki.Link { return markdown.ExtractFacts(p, src).Links }, Now: time.Now})
	if err != nil {
		return nil, nil, nil, err
	}
	ctx := context.Background()
	if err := pool.Create(ctx, slug); err != nil {
		return nil, nil, nil, err
	}
	w, release, err := pool.Open(ctx, slug)
	return pool, w, release, err
}

var writer = wiki.Caller{User: wiki.User{DID: "did:plc:bench", Username: "bench"}}

func put(w *content.Wiki, path, base string, data []byte) (string, error) {
	r, err := w.Commit(context.Background(), content.Request{Author: writer, Message: "Measure", Limits: wiki.DefaultLimits,
		Edits: []content.Edit{{Op: content.Put, Path: path, Data: data, Base: base}}})
	if err != nil {
		return "", err
	}
	return r.Files[0].Blob, nil
}

// commit compares saves with a bare append and fsync of the same bytes: first in
// content alone, then through the API of a service that also indexes and exports.
func (b *bench) commit() error {
	dir := filepath.Join(b.dir, "commit")
	pool, w, release, err := openWiki(filepath.Join(dir, "wikis"), "bench")
	if err != nil {
		return err
	}
	defer pool.Close()
	defer release()
	log, err := os.Create(filepath.Join(dir, "append"))
	if err != nil {
		return err
	}
	defer log.Close()
	blobs := make([]string, savedPages)
	if err := b.saves("`content.Commit` of a 6 KB page, p50", 3, log, func(page int, data []byte) (func() error, error) {
		return func() (err error) {
			blobs[page], err = put(w, fmt.Sprintf("Page_%d.md", page), blobs[page], data)
			return err
		}, nil
	}); err != nil {
		return err
	}
	if err := b.savedPagesOfLog(filepath.Join(dir, "log")); err != nil {
		return err
	}
	s, err := b.startService(filepath.Join(b.dir, "api"))
	if err != nil {
		return err
	}
	if err := errors.Join(b.savesByAPI(s, log), s.stop()); err != nil {
		return err
	}
	return b.contend(w, log)
}

// savedPagesOfLog measures how much a save writes to the write-ahead log, in a wiki of
// its own: SQLite writes from its start again after 1,000 pages.
func (b *bench) savedPagesOfLog(dir string) error {
	pool, w, release, err := openWiki(dir, "bench")
	if err != nil {
		return err
	}
	defer pool.Close()
	defer release()
	const saves = 64
	var sizes [2]int64 // after the pages were created, and after they were saved again
	for round := range sizes {
		for i := range saves {
			if _, err := put(w, fmt.Sprintf("Page_%d.md", i%savedPages), content.BaseAny, words(round*saves+i)); err != nil {
				return err
			}
		}
		log, err := os.Stat(filepath.Join(dir, "bench", "wiki.db-wal"))
		if err != nil {
			return err
		}
		sizes[round] = log.Size()
	}
	const frame = 24 + 4096 // https://sqlite.org/fileformat2.html#walformat
	written := float64(sizes[1]-sizes[0]) / saves
	b.add("pages of the log that a save of 6 KB writes", fmt.Sprintf("%.1f pages, %.0f KB", written/frame, written/1024), written/frame, 7, "pages")
	return nil
}

// words returns a page of 6 KB that compresses as prose does, different for each n.
func words(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	var b strings.Builder
	for b.Len() < pageBytes {
		fmt.Fprintf(&b, "%x ", r.IntN(1<<(4+r.IntN(8)))) // short words are common
		if r.IntN(12) == 0 {
			b.WriteString("\n")
		}
	}
	return []byte(b.String())
}

// savesByAPI measures from the first byte of a request to the last byte of its
// response.
func (b *bench) savesByAPI(s *service, log *os.File) error {
	if err := s.settled(); err != nil { // otherwise indexing the seeds would disturb the figures
		return err
	}
	wire, err := s.dial()
	if err != nil {
		return err
	}
	defer wire.conn.Close()
	revisions := make([]string, savedPages)
	return b.saves("saving the same page through the API, p50", 4, log, func(page int, data []byte) (func() error, error) {
		body := map[string]string{"content": string(data)}
		if revisions[page] != "" {
			body["revision"] = revisions[page]
		}
		request, err := s.written("PUT", "ada", fmt.Sprintf("/api/v1/pages/Bench_%d", page), body)
		return func() error {
			answer, err := wire.ask(request)
			revisions[page] = field(answer, "revision")
			return err
		}, err
	})
}

// savedPages is the number of pages that are saved in turn.
const savedPages = 20

// saves compares saves with appends, one append before each save. Preparing a
// save is not measured.
func (b *bench) saves(what string, bound float64, log *os.File, prepare func(page int, data []byte) (func() error, error)) error {
	const saves = 100 // per round
	var ours, bare []time.Duration
	var ratios []float64
	for round := range b.rounds {
		var o, a []time.Duration
		for i := range saves {
			n := round*saves + i
			data := text(n)
			save, err := prepare(n%savedPages, data)
			if err != nil {
				return err
			}
			began := time.Now()
			if err := appendSync(log, data); err != nil {
				return err
			}
			a = append(a, time.Since(began))
			began = time.Now()
			if err := save(); err != nil {
				return err
			}
			o = append(o, time.Since(began))
		}
		ratios = append(ratios, float64(percentile(o, 0.5))/float64(percentile(a, 0.5)))
		ours, bare = append(ours, o...), append(bare, a...)
	}
	b.add(what, fmt.Sprintf("%s (p99 %s); bare append and fsync %s", ms(percentile(ours, 0.5)), ms(percentile(ours, 0.99)), ms(percentile(bare, 0.5))), median(ratios), bound, "times the append")
	return nil
}

// contend compares 16 writers on one wiki with 16 appenders under one mutex.
func (b *bench) contend(w *content.Wiki, log *os.File) error {
	const writers, each = 16, 25
	blobs := make([]string, writers)
	var mu sync.Mutex
	var ratios []float64
	var ours, theirs []time.Duration
	for round := range b.rounds {
		mine, err := together(writers, func(i int) error {
			for k := range each {
				blob, err := put(w, fmt.Sprintf("Writer_%d.md", i), blobs[i], text(round*1000000+i*1000+k))
				if err != nil {
					return err
				}
				blobs[i] = blob
			}
			return nil
		})
		if err != nil {
			return err
		}
		bare, err := together(writers, func(i int) error {
			for k := range each {
				data := text(i*1000 + k)
				mu.Lock()
				err := appendSync(log, data)
				mu.Unlock()
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		ours, theirs = append(ours, mine), append(theirs, bare)
		ratios = append(ratios, float64(mine)/float64(bare))
	}
	rate := func(d time.Duration) string { return thousands(int(math.Round(writers * each / d.Seconds()))) }
	b.add("16 writers on one wiki", fmt.Sprintf("%s commits per second; 16 appenders under one mutex %s", rate(median(ours)), rate(median(theirs))), median(ratios), 3, "times the appenders' time")
	return nil
}

func together(n int, work func(i int) error) (time.Duration, error) {
	var wg sync.WaitGroup
	errs := make([]error, n)
	began := time.Now()
	for i := range n {
		wg.Go(func() { errs[i] = work(i) })
	}
	wg.Wait()
	took := time.Since(began)
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return took, nil
}

func appendSync(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}
