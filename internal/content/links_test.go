package content

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// Stored links and backlinks match the pages' text after any edits.
func TestStoredLinksMatchPages(t *testing.T) {
	w := newWiki(t, time.Now)
	r := rand.New(rand.NewPCG(1, 2))
	paths := []string{"A.md", "B.md", "Folder/C.md", "Folder/D.md", "E.md"}
	randomPage := func() []byte {
		var b strings.Builder
		for range r.IntN(6) {
			fmt.Fprintf(&b, "%d says “%s” of [[%s]], ![[x.png]] and #tag%d.\n\n", r.IntN(100), strings.Repeat("é<\x01\"", r.IntN(3)), strings.TrimSuffix(paths[r.IntN(len(paths))], ".md"), r.IntN(3))
		}
		return []byte(b.String())
	}
	edits := 150
	if longTests() {
		edits = 1000
	}
	for i := range edits {
		path := paths[r.IntN(len(paths))]
		e := Edit{Op: Put, Path: path, Data: randomPage(), Base: BaseAny}
		if there, _ := w.Find(t.Context(), path); there.Path != "" {
			switch r.IntN(6) {
			case 0:
				e = Edit{Op: Delete, Path: path, Base: BaseAny}
			case 1:
				e = Edit{Op: Move, Path: path, To: paths[r.IntN(len(paths))], Base: BaseAny}
			}
		}
		do(w, ada, e) // some moves fail because the target exists
		wanted := map[string][]wiki.Link{}
		var all []wiki.Link
		list, err := w.List(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			_, data, err := w.Read(t.Context(), f.Path)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := wiki.PageOf(f.Path)
			from := markdown.ExtractFacts(name, data).Links
			for i := range from {
				from[i].From = string(name)
			}
			compareLinks(t, w, "from "+f.Path, from, func() ([]wiki.Link, error) { return w.LinksFrom(t.Context(), name) })
			all = append(all, from...)
			for _, l := range from {
				if l.Kind != wiki.LinkTag {
					wanted[targetKey(l)] = append(wanted[targetKey(l)], l)
				}
			}
		}
		for _, to := range append(slices.Clone(paths), "x.png") {
			compareLinks(t, w, "to "+to, wanted[wiki.Key(to)], func() ([]wiki.Link, error) { return w.LinksTo(t.Context(), to) })
		}
		compareLinks(t, w, "all", all, func() ([]wiki.Link, error) { return w.AllLinks(t.Context()) })
		if t.Failed() {
			t.Fatalf("after edit %d: %+v", i, e)
		}
	}
}

func compareLinks(t *testing.T, w *Wiki, what string, want []wiki.Link, read func() ([]wiki.Link, error)) {
	t.Helper()
	got, err := read()
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(want, func(a, b wiki.Link) int { return cmp.Compare(a.From, b.From) })
	slices.SortStableFunc(got, func(a, b wiki.Link) int { return cmp.Compare(a.From, b.From) })
	if len(got)+len(want) > 0 && !gocmp.Equal(got, want) {
		t.Errorf("links %s: %s", what, gocmp.Diff(want, got))
	}
}

// A database from before migration 10, which packed links, keeps its links.
func TestLinksMigrated(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	db := olderDatabase(t, p, "ada", 9)
	words := "He said: “[[B]]” \\ \"\n<b>\x01é"
	for _, query := range []string{
		"INSERT INTO meta VALUES ('ada', 0, '', 0, 2, 2, 0, 0)",
		"INSERT INTO files VALUES ('ada', 'A b.md', '', 'a_b.md', '', 33188, 0, 0), ('ada', 'B.md', '', 'b.md', '', 33188, 0, 0)",
		"INSERT INTO trees VALUES ('ada', '', '-', ''), ('ada', 'Folder', '', '')",
	} {
		if _, err := db.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	want := []wiki.Link{
		{From: "A b", Kind: wiki.LinkPage, Target: "B", Text: words}, {From: "A b", Kind: wiki.LinkTag, Target: "b.md", Text: ""},
		{From: "A b", Kind: wiki.LinkEmbed, Target: "Folder/x y.png", Text: "x"}, {From: "A b", Kind: wiki.LinkPage, Target: "B", Text: "again"},
	}
	for n := len(want) - 1; n >= 0; n-- {
		l := want[n]
		key := targetKey(l)
		if l.Kind == wiki.LinkTag {
			key = l.Target
		}
		if _, err := db.Exec("INSERT INTO links VALUES ('ada', 'A b.md', ?, ?, ?, ?, ?)", n, string(l.Kind), l.Target, key, l.Text); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	w, release, err := p.Open(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if got, err := w.LinksFrom(t.Context(), "A b"); err != nil || !gocmp.Equal(got, want) {
		t.Errorf("from the page: %v %s", err, gocmp.Diff(want, got))
	}
	if got, err := w.LinksTo(t.Context(), "B.md"); err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[3] {
		t.Errorf("to the page: %v %+v", err, got)
	}
	if got, err := w.LinksTo(t.Context(), "Folder/x y.png"); err != nil || len(got) != 1 {
		t.Errorf("to the file: %v %+v", err, got)
	}
}
