// Search measures search quality: one text about a thing has to find another text
// about the same thing, and neither names it.
//
//	apt-get install wordnet-base dict-gcide manpages manpages-dev
//	go run ./bench/search
//	go run ./bench/search -set godoc
//
// The texts become pages of a wiki, and the service's own indexer and queries do
// the rest. It prints nDCG@10 of each mode and fails if hybrid search isn't better
// than both other modes, on gloss2def by a margin. For gloss2def, drawn.txt lists
// the words drawn by -draw; the other sets are drawn with the same seed each time.
package main

import (
	"bufio"
	"cmp"
	"context"
	"flag"
	"fmt"
	"go/build"
	"hash/crc32"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
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
	queries   = 600 // number of documents used as queries
	drawn     = "bench/search/drawn.txt"
)

// A set is a data set of pairs of texts.
type set struct {
	root string // directory of its texts
	read func(root string) ([]pair, error)
	gain float64 // required lead of hybrid search over the other modes
	from string  // how to get the texts
}

var sets = map[string]set{
	"gloss2def": {"/usr/share", gloss2def, 0.04, "apt-get install wordnet-base dict-gcide"},
	"manpages":  {"/usr/share", manpages, 0, "apt-get install manpages manpages-dev"},
	"godoc":     {filepath.Join(build.Default.GOROOT, "src"), godoc, 0, "Go's sources"},
}

func main() {
	name := flag.String("set", "gloss2def", "gloss2def, manpages or godoc")
	root := flag.String("root", "", "directory of the set's texts (default /usr/share, or GOROOT/src)")
	draw := flag.Bool("draw", false, "draw words of gloss2def and write "+drawn)
	dir := flag.String("dir", "", "keep the wiki in this directory, and reuse it")
	flag.Parse()
	if err := run(*name, *root, *dir, *draw); err != nil {
		fmt.Fprintln(os.Stderr, "bench/search:", err)
		os.Exit(1)
	}
}

func run(name, root, dir string, draw bool) error {
	set, known := sets[name]
	if !known {
		return fmt.Errorf("unknown set %q", name)
	}
	pairs, err := set.read(cmp.Or(root, set.root))
	if err != nil {
		return fmt.Errorf("%w (%s)", err, set.from)
	}
	docs, asked := drawFrom(pairs)
	if name == "gloss2def" {
		if draw {
			if err := writeDrawn(docs); err != nil {
				return err
			}
		}
		if docs, asked, err = readDrawn(pairs); err != nil {
			return err
		}
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "robot-bench-search-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	c, err := newCollection(dir, docs)
	if err != nil {
		return err
	}
	defer c.close()
	plain, err := plainWords(docs, asked)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d texts of %d, %d others as queries.\n\n", name, len(docs), len(pairs), len(asked))
	return c.evaluate(asked, plain, set.gain)
}

// drawFrom draws documents, and queries from among them, with a fixed seed.
func drawFrom(pairs []pair) (docs, asked []pair) {
	for _, p := range rand.New(rand.NewPCG(1913, 3)).Perm(len(pairs))[:min(documents, len(pairs))] {
		docs = append(docs, pairs[p])
	}
	return docs, docs[:min(queries, len(docs))]
}

// writeDrawn writes the words of the documents and marks the queries.
func writeDrawn(docs []pair) error {
	var lines []string
	for i, p := range docs {
		line := p.word
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
		return nil, nil, fmt.Errorf("%w (run this in the root of the repository)", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		word, query := strings.CutSuffix(lines.Text(), " ?")
		p, ok := byWord[word]
		if !ok {
			return nil, nil, fmt.Errorf("%s: %q is missing from these dictionaries", drawn, word)
		}
		docs = append(docs, p)
		if query {
			asked = append(asked, p)
		}
	}
	return docs, asked, lines.Err()
}

// A collection is a wiki with one entry per page.
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
	kept := exists(filepath.Join(dir, "texts", "wiki.db"))
	if !kept {
		if err := c.pool.Create(ctx, "texts"); err != nil {
			return nil, err
		}
	}
	if c.wiki, c.release, err = c.pool.Open(ctx, "texts"); err != nil {
		return nil, err
	}
	began := time.Now()
	for part := range slices.Chunk(docs, 100) {
		edits := c.edits(part)
		if kept {
			continue
		}
		if err := c.save(ctx, edits); err != nil {
			return nil, err
		}
	}
	saved := time.Since(began)
	if err := c.search.CatchUp(ctx, c.wiki); err != nil {
		return nil, err
	}
	chunks, err := c.search.EmbedAll(ctx, "texts", runtime.NumCPU())
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "%d pages saved in %.0f s; indexed, with %d vectors, in %.0f s\n", len(docs), saved.Seconds(), chunks, (time.Since(began) - saved).Seconds())
	return c, nil
}

// edits creates a page for each text, named by a number and titled "It", because
// the word is replaced by "it" in the text, too.
func (c *collection) edits(docs []pair) (edits []content.Edit) {
	const head = "---\ntitle: It\n---\n"
	for _, d := range docs {
		name := fmt.Sprint("t", len(c.page)+1) // no number of a query
		c.page[d.word] = wiki.PageName(name)
		edits = append(edits, content.Edit{Op: content.Put, Path: name + ".md", Data: []byte(head + d.entry + "\n")})
	}
	return edits
}

func (c *collection) save(ctx context.Context, edits []content.Edit) error {
	limits := wiki.DefaultLimits
	limits.Pages = documents
	_, err := c.wiki.Commit(ctx, content.Request{
		Author:  wiki.Caller{User: wiki.User{Username: "noah", DID: "did:plc:noah"}},
		Message: "Texts", Limits: limits, Edits: edits,
	})
	return err
}

func (c *collection) close() {
	c.search.Close()
	c.release()
	c.pool.Close()
}

// A tally sums up the results of queries. Each query belongs to a half: those of the first
// one are for choosing between ways to rank, the others show what the choice is worth.
type tally struct {
	first, ten int
	halves     [2]struct {
		asked int
		sum   float64
	}
}

// add records the rank of the correct page of a query; see rank. With one correct page,
// nDCG@10 is 1/log2(1+rank).
func (t *tally) add(q pair, rank int) {
	half := &t.halves[halfOf(q)]
	half.asked++
	if rank > 0 {
		t.ten++
		half.sum += 1 / math.Log2(1+float64(rank))
	}
	if rank == 1 {
		t.first++
	}
}

// splitSeed divides the queries.
const splitSeed = "bench/search 1"

// halfOf returns the half of a query, 0 or 1.
func halfOf(q pair) int { return int(crc32.ChecksumIEEE([]byte(splitSeed+q.word)) % 2) }

func (t tally) ndcg() float64 {
	return (t.halves[0].sum + t.halves[1].sum) / float64(t.halves[0].asked+t.halves[1].asked)
}

func (t tally) String() string {
	return fmt.Sprintf("%.3f | %.3f | %.3f | %d | %d", t.ndcg(), t.halves[0].sum/float64(t.halves[0].asked), t.halves[1].sum/float64(t.halves[1].asked), t.first, t.ten)
}

// evaluate runs the queries and prints the figures.
func (c *collection) evaluate(asked []pair, plain tally, gain float64) error {
	fmt.Print("| mode | nDCG@10 | for choosing | held out | rank 1 | top 10 |\n|---|---|---|---|---|---|\n")
	fmt.Printf("| plain FTS5: porter, OR, bm25 | %s |\n", plain)
	got := map[search.Mode]float64{}
	for _, mode := range []search.Mode{search.Keyword, search.Semantic, search.Hybrid} {
		var t tally
		for _, q := range asked {
			rank, err := c.rank(q, mode)
			if err != nil {
				return err
			}
			t.add(q, rank)
		}
		got[mode] = t.ndcg()
		fmt.Printf("| %s | %s |\n", mode, t)
	}
	if best := max(got[search.Keyword], got[search.Semantic]); got[search.Hybrid] < best+gain {
		return fmt.Errorf("hybrid search is better by %.3f, want at least %v", got[search.Hybrid]-best, gain)
	}
	return nil
}

// rank returns the rank of the correct page, from 1, or 0 if it isn't among the
// first ten.
func (c *collection) rank(q pair, mode search.Mode) (int, error) {
	found, err := c.search.Search(context.Background(), c.wiki, search.Query{Text: q.query, Mode: mode, Limit: 10})
	if err != nil {
		return 0, err
	}
	return 1 + slices.IndexFunc(found.Hits, func(h search.Hit) bool { return h.Page == c.page[q.word] }), nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
