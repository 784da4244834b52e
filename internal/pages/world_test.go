package pages

import (
	"database/sql"
	"errors"
	"flag"
	"html/template"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/search"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

// A world is a service with one wiki and a person of each role.
type world struct {
	*Service
	dir                           string // of the wikis
	t                             testing.TB
	site                          wiki.Site
	room                          *atomic.Int64 // bytes left on the disk
	clock                         *atomic.Int64 // in seconds; a commit sets it forward
	owner, editor, viewer, reader wiki.Access
}

func newWorld(t testing.TB) *world { return worldWith(t, wiki.DefaultLimits) }

func worldWith(t testing.TB, limits wiki.Limits) *world {
	t.Helper()
	dir := t.TempDir()
	clock := new(atomic.Int64)
	clock.Store(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC).Unix())
	next := func() time.Time { return time.Unix(clock.Add(1), 0).UTC() }
	now := func() time.Time { return time.Unix(clock.Load(), 0).UTC() }
	room := new(atomic.Int64)
	room.Store(1 << 40)
	pool, err := content.NewPool(content.Options{
		Room: func(string) (int64, error) { return room.Load(), nil },
		Dir:  dir, Now: next, Log: slog.New(slog.DiscardHandler),
		Links: func(p wiki.PageName, source []byte) []wiki.Link { return markdown.ExtractFacts(p, source).Links },
	})
	if err != nil {
		t.Fatal(err)
	}
	index := search.New(search.Options{Dir: dir})
	t.Cleanup(func() {
		if err := index.Close(); err != nil {
			t.Error(err)
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{
		Service: New(Options{Content: pool, Search: index, Markdown: markdown.New(markdown.Options{}), Now: now, Timer: now}),
		dir:     dir, t: t, room: room, clock: clock,
	}
	return w.another("ada", limits)
}

// another returns a world with another, new wiki of the same service.
func (w *world) another(slug string, limits wiki.Limits) *world {
	w.t.Helper()
	if err := w.content.Create(w.t.Context(), slug); err != nil {
		w.t.Fatal(err)
	}
	other := *w
	other.configure(wiki.Site{Slug: slug, OwnerDID: "did:plc:ada", OwnerName: "ada", Limits: limits})
	return &other
}

// configure gives the wiki's people access with new settings.
func (w *world) configure(site wiki.Site) {
	w.site = site
	as := func(name string, role wiki.Role) wiki.Access {
		return wiki.NewAccess(site, wiki.Caller{User: wiki.User{DID: "did:plc:" + name, Username: name}}, role)
	}
	w.owner, w.editor, w.viewer = as("ada", wiki.Owner), as("bob", wiki.Editor), as("cleo", wiki.Viewer)
	w.reader = wiki.NewAccess(site, wiki.Caller{}, wiki.Reader)
}

// orderWikilinks changes the setting of the wiki.
func (w *world) orderWikilinks(order wiki.LinkOrder) {
	site := w.site
	site.Wikilinks = order
	w.configure(site)
}

// put saves exact bytes, whatever the page was before.
func (w *world) put(name, text string) Saved {
	w.t.Helper()
	r := SaveRequest{Name: name, Text: []byte(text), Exact: true}
	if p, err := w.Page(w.t.Context(), w.owner, name, ""); err == nil {
		r.Base = p.File.Blob
	}
	done, err := w.Save(w.t.Context(), w.owner, r)
	if err != nil {
		w.t.Fatalf("put %s: %v", name, err)
	}
	return done
}

func (w *world) upload(page, name, data string) Saved {
	w.t.Helper()
	done, err := w.Upload(w.t.Context(), w.owner, UploadRequest{Page: page, Name: name, Data: strings.NewReader(data), Replace: true})
	if err != nil {
		w.t.Fatalf("upload %s to %s: %v", name, page, err)
	}
	return done
}

func (w *world) page(name string) *Page {
	w.t.Helper()
	p, err := w.Page(w.t.Context(), w.owner, name, "")
	if err != nil {
		w.t.Fatalf("page %s: %v", name, err)
	}
	return p
}

func (w *world) text(name string) string {
	w.t.Helper()
	return string(w.page(name).Source)
}

func (w *world) base(name string) Precondition {
	w.t.Helper()
	return Precondition{Base: w.page(name).File.Blob}
}

// tree returns every file with its content.
func (w *world) tree() map[string]string {
	w.t.Helper()
	files := map[string]string{}
	c, release, err := w.open(w.t.Context(), w.owner, wiki.Read)
	if err != nil {
		w.t.Fatal(err)
	}
	defer release()
	names, err := c.Names(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range names {
		_, data, err := c.Read(w.t.Context(), p)
		if err != nil {
			w.t.Fatalf("read %s: %v", p, err)
		}
		files[p] = string(data)
	}
	return files
}

func (w *world) paths() string { return strings.Join(slices.Sorted(maps.Keys(w.tree())), " ") }

func (w *world) head() int64 {
	w.t.Helper()
	seq, err := w.Head(w.t.Context(), w.owner)
	if err != nil {
		w.t.Fatal(err)
	}
	return seq
}

// wantKind checks an error's kind, and that it has a message for people.
func wantKind(t testing.TB, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want an error of kind %v", err, kind)
	}
	var p *wiki.Problem
	var c *wiki.ConflictError
	if !errors.As(err, &p) && !errors.As(err, &c) {
		t.Fatalf("%v has no message for people", err)
	}
}

// setRapidChecks sets the number of rapid's checks: long if ROBOT_LONG is set.
func setRapidChecks(t *testing.T, short, long int) {
	n := short
	if os.Getenv("ROBOT_LONG") != "" {
		n = long
	}
	before := flag.Lookup("rapid.checks").Value.String()
	flag.Set("rapid.checks", strconv.Itoa(n))
	t.Cleanup(func() { flag.Set("rapid.checks", before) })
}

func contains(body template.HTML, part string) bool { return strings.Contains(string(body), part) }

// stored returns the values of a query of one column of the wiki's database.
func (w *world) stored(query string) (values []string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.dir, w.site.Slug, "wiki.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			w.t.Fatal(err)
		}
		values = append(values, value)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return values
}

// dropCaches makes the service read and render everything again.
func (w *world) dropCaches() {
	w.cache.InvalidateAll()
	w.views.InvalidateAll()
}
