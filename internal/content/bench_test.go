package content

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// benchText returns a page of 6 KB, different for each n.
func benchText(n int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Page %d\n\n", n)
	for i := 0; b.Len() < 6<<10; i++ {
		fmt.Fprintf(&b, "Line %d of revision %d says that the mast is in [[Garden %d]] and measures wind, rain and frost.\n", i, n, i%7)
	}
	return []byte(b.String()[:6<<10-1] + "\n")
}

// benchLinks finds seven links in each text, as the extractor does.
func benchLinks(_ wiki.PageName, source []byte) []wiki.Link {
	var list []wiki.Link
	seen := map[string]bool{}
	for {
		_, rest, ok := bytes.Cut(source, []byte("[["))
		target, after, ok2 := bytes.Cut(rest, []byte("]]"))
		if !ok || !ok2 {
			return list
		}
		source = after
		if t := string(target); !seen[t] {
			seen[t] = true
			list = append(list, wiki.Link{Kind: wiki.LinkPage, Target: t, Text: t})
		}
	}
}

func benchWiki(b testing.TB) *Wiki {
	pool, err := NewPool(Options{Dir: b.TempDir(), Links: benchLinks, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	if err := pool.Create(context.Background(), "bench"); err != nil {
		b.Fatal(err)
	}
	w, release, err := pool.Open(context.Background(), "bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { release(); pool.Close() })
	return w
}

func benchPut(b testing.TB, w *Wiki, path, base string, data []byte) string {
	res, err := w.Commit(context.Background(), Request{
		Author:  wiki.Caller{User: wiki.User{DID: "did:plc:bench", Username: "bench"}},
		Message: "Measure", Limits: wiki.DefaultLimits,
		Edits: []Edit{{Op: Put, Path: path, Data: data, Base: base}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return res.Files[0].Blob
}

// Saves interleaved with a bare append and fsync of the same bytes.
func BenchmarkCommit(b *testing.B) {
	w := benchWiki(b)
	log, err := os.Create(filepath.Join(b.TempDir(), "append"))
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	blobs := make([]string, 20)
	var ours, bare []time.Duration
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		data := benchText(n)
		began := time.Now()
		log.Write(data)
		log.Sync()
		bare = append(bare, time.Since(began))
		began = time.Now()
		page := n % len(blobs)
		blobs[page] = benchPut(b, w, fmt.Sprintf("Page_%d.md", page), blobs[page], data)
		ours = append(ours, time.Since(began))
	}
	slices.Sort(ours)
	slices.Sort(bare)
	b.ReportMetric(float64(ours[len(ours)/2])/1e3, "p50-us")
	b.ReportMetric(float64(bare[len(bare)/2])/1e3, "append-us")
	b.ReportMetric(float64(ours[len(ours)/2])/float64(bare[len(bare)/2]), "times")
}

// Sixteen writers on one wiki against sixteen appenders under one mutex.
func BenchmarkCommit16(b *testing.B) {
	w := benchWiki(b)
	log, err := os.Create(filepath.Join(b.TempDir(), "append"))
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	blobs := make([]string, 16)
	var ours, bare []time.Duration
	together := func(f func(i, k int)) time.Duration {
		var wg sync.WaitGroup
		began := time.Now()
		for i := range 16 {
			wg.Go(func() {
				for k := range 10 {
					f(i, k)
				}
			})
		}
		wg.Wait()
		return time.Since(began)
	}
	var mu sync.Mutex
	n := 0
	for b.Loop() {
		n++
		bare = append(bare, together(func(i, k int) {
			data := benchText(n*1000 + i*10 + k)
			mu.Lock()
			defer mu.Unlock()
			log.Write(data)
			log.Sync()
		}))
		ours = append(ours, together(func(i, k int) {
			blobs[i] = benchPut(b, w, fmt.Sprintf("Page_%d.md", i), blobs[i], benchText(n*1000+i*10+k))
		}))
	}
	slices.Sort(ours)
	slices.Sort(bare)
	b.ReportMetric(160/ours[len(ours)/2].Seconds(), "commits/s")
	b.ReportMetric(160/bare[len(bare)/2].Seconds(), "appends/s")
	b.ReportMetric(float64(ours[len(ours)/2])/float64(bare[len(bare)/2]), "times")
}

// Opening wikis that are closed, one after another.
func BenchmarkOpen(b *testing.B) {
	p := openPool(b, b.TempDir(), time.Now)
	p.o.MaxOpen = 1
	for n := range 20 {
		create(b, p, fmt.Sprintf("wiki-%d", n))
		w, release, err := p.Open(b.Context(), fmt.Sprintf("wiki-%d", n))
		if err != nil {
			b.Fatal(err)
		}
		benchPut(b, w, "Home.md", "", benchText(n))
		release()
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		_, release, err := p.Open(b.Context(), fmt.Sprintf("wiki-%d", n%20))
		if err != nil {
			b.Fatal(err)
		}
		release()
	}
}

// A save to one of 500 pages in one folder, and one page's history, in a wiki of
// many commits (ROBOT_LONG: 50,000).
func BenchmarkLargeWiki(b *testing.B) {
	w := benchWiki(b)
	commits := 2_000
	if longTests() {
		commits = 50_000
	}
	blobs := make([]string, 500)
	n := 0
	save := func() {
		page := n % len(blobs)
		blobs[page] = benchPut(b, w, fmt.Sprintf("Page_%d.md", page), blobs[page], fmt.Appendf(nil, "# Page %d\n\n[[Garden]] %d\n", page, n))
		n++
	}
	for range commits {
		save()
	}
	b.Run("commit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			save()
		}
	})
	b.Run("history", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n++
			if list, err := w.History(b.Context(), fmt.Sprintf("Page_%d.md", n*37%500), 0, 50); err != nil || len(list) < 4 {
				b.Fatal(len(list), err)
			}
		}
	})
	b.Run("log", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if list, err := w.Log(b.Context(), LogFilter{}); err != nil || len(list) != 50 {
				b.Fatal(len(list), err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n++
			if _, _, err := w.Read(b.Context(), fmt.Sprintf("page %d.md", n%500)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
