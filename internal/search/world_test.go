package search

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

// A world is a wiki and a service that searches it.
type world struct {
	t    testing.TB
	dir  string
	pool *content.Pool
	s    *Service
	w    *content.Wiki
	log  *strings.Builder
}

func newWorld(t testing.TB) *world {
	t.Helper()
	u := &world{t: t, dir: t.TempDir(), log: &strings.Builder{}}
	var clock atomic.Int64
	var err error
	u.pool, err = content.NewPool(content.Options{
		Dir: u.dir, Log: slog.New(slog.DiscardHandler),
		Now:   func() time.Time { return time.Unix(1_790_000_000+clock.Add(1), 0) },
		Links: func(p wiki.PageName, source []byte) []wiki.Link { return markdown.ExtractFacts(p, source).Links },
	})
	if err != nil {
		t.Fatal(err)
	}
	u.s = u.newService()
	u.w = u.createWiki("ada")
	t.Cleanup(func() {
		if err := u.s.Close(); err != nil {
			t.Error(err)
		}
		if err := u.pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return u
}

func (u *world) newService() *Service {
	return New(Options{Dir: u.dir, Log: slog.New(slog.NewTextHandler(u.log, nil))})
}

// createWiki creates a wiki, which stays open until the test ends.
func (u *world) createWiki(slug string) *content.Wiki {
	u.t.Helper()
	if err := u.pool.Create(u.t.Context(), slug); err != nil {
		u.t.Fatal(err)
	}
	w, release, err := u.pool.Open(u.t.Context(), slug)
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(release)
	return w
}

func callerNamed(name string) wiki.Caller {
	return wiki.Caller{User: wiki.User{Username: name, DID: "did:plc:" + name}}
}

func (u *world) commit(who string, edits ...content.Edit) {
	u.t.Helper()
	if err := commit(u.t.Context(), u.w, who, edits...); err != nil {
		u.t.Fatal(err)
	}
}

func commit(ctx context.Context, w *content.Wiki, who string, edits ...content.Edit) error {
	for i, e := range edits {
		if f, err := w.Lookup(ctx, e.Path); err == nil {
			edits[i].Base = f.Blob
		} else if !errors.Is(err, wiki.ErrNotFound) {
			return err
		} else if e.Op != content.Put {
			edits[i].Base = content.BaseAny
		}
	}
	_, err := w.Commit(ctx, content.Request{Author: callerNamed(who), Message: "Test", Limits: wiki.DefaultLimits, Edits: edits})
	return err
}

// put saves pages as ada, given as alternating names and texts.
func (u *world) put(nameAndText ...string) {
	u.t.Helper()
	var edits []content.Edit
	for i := 0; i < len(nameAndText); i += 2 {
		edits = append(edits, content.Edit{Path: nameAndText[i] + ".md", Data: []byte(nameAndText[i+1])})
	}
	u.commit("ada", edits...)
}

func (u *world) move(from, to string) {
	u.t.Helper()
	u.commit("ada", content.Edit{Op: content.Move, Path: from, To: to})
}

func (u *world) remove(path string) {
	u.t.Helper()
	u.commit("ada", content.Edit{Op: content.Delete, Path: path})
}

func (u *world) search(text string) Results {
	u.t.Helper()
	r, err := u.s.Search(u.t.Context(), u.w, Query{Text: text, Limit: 100})
	if err != nil {
		u.t.Fatalf("search %q: %v", text, err)
	}
	if min(r.Total, 100) != len(r.Hits) {
		u.t.Errorf("search %q: total is %d, got %d hits", text, r.Total, len(r.Hits))
	}
	return r
}

// foundPages returns the result's pages in order, preceded by how it was
// loosened.
func foundPages(r Results) string {
	var list []string
	if r.Loosened != AsAsked {
		list = append(list, string(r.Loosened)+":")
	}
	for _, h := range r.Hits {
		list = append(list, string(h.Page))
	}
	return strings.Join(list, " ")
}

// wantPages checks the pages that a query finds, in order.
func (u *world) wantPages(text, pages string) {
	u.t.Helper()
	if got := foundPages(u.search(text)); got != pages {
		u.t.Errorf("search %q\n got %q\nwant %q", text, got, pages)
	}
}

// snippetText returns a hit's snippet with the matches in brackets.
func snippetText(h Hit) string {
	var b strings.Builder
	for _, s := range h.Snippet {
		if s.Hit {
			fmt.Fprintf(&b, "[%s]", s.Text)
		} else {
			b.WriteString(s.Text)
		}
	}
	return b.String()
}

// setRapidChecks sets how many cases rapid tries: long if ROBOT_LONG is set,
// otherwise short.
func setRapidChecks(t *testing.T, short, long int) {
	n := short
	if os.Getenv("ROBOT_LONG") != "" {
		n = long
	}
	before := flag.Lookup("rapid.checks").Value.String()
	flag.Set("rapid.checks", strconv.Itoa(n))
	t.Cleanup(func() { flag.Set("rapid.checks", before) })
}

// related returns the related pages, compared with all.
func (u *world) related(page wiki.PageName, limit int) ([]SimilarPage, error) {
	u.t.Helper()
	n, err := u.s.Related(u.t.Context(), u.w, page, limit, nil)
	if err != nil {
		return nil, err
	}
	return n.Pages, nil
}
