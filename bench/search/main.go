// Search measures how well search finds what is meant, on a test that any
// Debian machine can build: a word's gloss in WordNet has to find its entry in
// Webster's dictionary of 1913, both without the word itself.
//
//	apt-get install wordnet-base dict-gcide
//	go run ./bench/search
//
// The entries become the pages of a wiki, and the service's own indexer and
// queries do the rest. It prints nDCG@10 of each mode, and fails where hybrid
// search is not clearly better than the better of its halves. drawn.txt has
// the words that were drawn, by -draw.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/minilm"
	"robot.wtf/internal/search"
	"robot.wtf/internal/wiki"
)

const (
	documents = 2500
	queries   = 600 // of the documents' words
	drawn     = "bench/search/drawn.txt"
	gain      = .04 // that hybrid search has to have
)

func main() {
	share := flag.String("share", "/usr/share", "where wordnet/ and dictd/ are")
	draw := flag.Bool("draw", false, "draw words and write "+drawn)
	flag.Parse()
	if err := run(*share, *draw); err != nil {
		fmt.Fprintln(os.Stderr, "bench/search:", err)
		os.Exit(1)
	}
}

func run(share string, draw bool) error {
	pairs, err := gloss2def(share)
	if err != nil {
		return fmt.Errorf("%w (apt-get install wordnet-base dict-gcide)", err)
	}
	if draw {
		if err := drawWords(pairs); err != nil {
			return err
		}
	}
	docs, asked, err := readDrawn(pairs)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "robot-bench-search-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := newCollection(dir, docs)
	if err != nil {
		return err
	}
	defer c.close()
	return c.evaluate(asked, len(pairs))
}

// drawWords writes the words of the documents, the queries' marked, with a
// fixed seed.
func drawWords(pairs []pair) error {
	r := rand.New(rand.NewPCG(1913, 3))
	order := r.Perm(len(pairs))[:documents]
	var lines []string
	for i, p := range order {
		line := pairs[p].word
		if i < queries {
			line += " ?"
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return os.WriteFile(drawn, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

func readDrawn(pairs []pair) (docs, asked []pair, err error) {
	byWord := map[string]pair{}
	for _, p := range pairs {
		byWord[p.word] = p
	}
	file, err := os.Open(drawn)
	if err != nil {
		return nil, nil, fmt.Errorf("%w (run this from the repository's root)", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		word, query := strings.CutSuffix(lines.Text(), " ?")
		p, ok := byWord[word]
		if !ok {
			return nil, nil, fmt.Errorf("%s: these dictionaries do not have %q", drawn, word)
		}
		docs = append(docs, p)
		if query {
			asked = append(asked, p)
		}
	}
	return docs, asked, lines.Err()
}

// A collection is a wiki with an entry a page.
type collection struct {
	pool    *content.Pool
	wiki    *content.Wiki
	release func()
	search  *search.Service
	page    map[string]wiki.PageName // by word
}

func newCollection(dir string, docs []pair) (*collection, error) {
	ctx := context.Background()
	model, err := minilm.New()
	if err != nil {
		return nil, err
	}
	c := &collection{page: map[string]wiki.PageName{}}
	c.search = search.New(search.Options{Dir: dir, Model: model, Log: slog.Default()})
	c.pool, err = content.NewPool(content.Options{Dir: dir, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Links: func(p wiki.PageName, source []byte) []wiki.Link { return markdown.ExtractFacts(p, source).Links }})
	if err != nil {
		return nil, err
	}
	if err := c.pool.Create(ctx, "webster"); err != nil {
		return nil, err
	}
	if c.wiki, c.release, err = c.pool.Open(ctx, "webster"); err != nil {
		return nil, err
	}
	began := time.Now()
	for part := range slices.Chunk(docs, 100) {
		if err := c.save(ctx, part); err != nil {
			return nil, err
		}
	}
	saved := time.Since(began)
	if err := c.search.CatchUp(ctx, c.wiki); err != nil {
		return nil, err
	}
	chunks, err := c.search.EmbedAll(ctx, "webster", runtime.NumCPU())
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "%d pages saved in %.0f s; indexed, with %d vectors, in %.0f s\n", len(docs), saved.Seconds(), chunks, (time.Since(began) - saved).Seconds())
	return c, nil
}

// save makes a page of each entry, with a number for a name and "It" for a
// title: in its text the word is replaced by that, too.
func (c *collection) save(ctx context.Context, docs []pair) error {
	const head = "---\ntitle: It\n---\n"
	limits := wiki.DefaultLimits
	limits.Pages = documents
	var edits []content.Edit
	for _, d := range docs {
		name := fmt.Sprint(len(c.page) + 1)
		c.page[d.word] = wiki.PageName(name)
		edits = append(edits, content.Edit{Op: content.Put, Path: name + ".md", Data: []byte(head + d.entry + "\n")})
	}
	_, err := c.wiki.Commit(ctx, content.Request{
		Author:  wiki.Caller{User: wiki.User{Username: "noah", DID: "did:plc:noah"}},
		Message: "Entries", Limits: limits, Edits: edits,
	})
	return err
}

func (c *collection) close() {
	c.search.Close()
	c.release()
	c.pool.Close()
}

// evaluate prints the figures.
func (c *collection) evaluate(asked []pair, pairs int) error {
	fmt.Printf("gloss2def: %d entries of %d, %d glosses as queries.\n\n| mode | nDCG@10 | found first | among 10 |\n|---|---|---|---|\n", len(c.page), pairs, len(asked))
	got := map[search.Mode]float64{}
	for _, mode := range []search.Mode{search.Keyword, search.Semantic, search.Hybrid} {
		var sum float64
		var first, ten int
		for _, q := range asked {
			rank, err := c.rank(q, mode)
			if err != nil {
				return err
			}
			if rank > 0 {
				sum += 1 / math.Log2(1+float64(rank))
				ten++
			}
			if rank == 1 {
				first++
			}
		}
		got[mode] = sum / float64(len(asked))
		fmt.Printf("| %s | %.3f | %d | %d |\n", mode, got[mode], first, ten)
	}
	if best := max(got[search.Keyword], got[search.Semantic]); got[search.Hybrid] < best+gain {
		return fmt.Errorf("hybrid search is better by %.3f, want at least %v", got[search.Hybrid]-best, gain)
	}
	return nil
}

// rank is the place of the right page in the answer, from 1; 0 when it is not
// among ten.
func (c *collection) rank(q pair, mode search.Mode) (int, error) {
	found, err := c.search.Search(context.Background(), c.wiki, search.Query{Text: q.gloss, Mode: mode, Limit: 10})
	if err != nil {
		return 0, err
	}
	return 1 + slices.IndexFunc(found.Hits, func(h search.Hit) bool { return h.Page == c.page[q.word] }), nil
}
