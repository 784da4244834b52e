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

	"robot.wtf/internal/gitrepo"
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
				for _, k := range l.Keys(name) {
					wanted[k] = append(wanted[k], l)
				}
			}
		}
		for _, to := range append(slices.Clone(paths), "x.png") {
			compareLinks(t, w, "to "+to, wanted[wiki.FoldName(wiki.LastSegment(to))], func() ([]wiki.Link, error) { return w.LinksByKey(t.Context(), wiki.PageKeys(to, nil)) })
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

// Commits have the service's name as their committer.
func TestCommitterName(t *testing.T) {
	w := newWiki(t, time.Now)
	for _, name := range []string{"", "Harbor Wikis"} {
		w.o.Name = name
		raw := gitrepo.Commit{Committer: w.committer(time.Unix(0, 0).UTC())}
		if want := cmp.Or(name, "robot.wtf"); raw.Committer.Name != want || !madeHere(raw) {
			t.Errorf("the committer is %+v, want %s", raw.Committer, want)
		}
	}
}

// Imports from before they were recorded are found by their commits.
func TestImportsMigrated(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	db := olderDatabase(t, p, "ada", 16)
	if _, err := db.Exec("INSERT INTO meta (wiki, seq, head, time, pages, files, current_bytes, history_bytes) VALUES ('ada', 6, 'c6', 0, 0, 0, 0, 0)"); err != nil {
		t.Fatal(err)
	}
	for seq := range 6 {
		client, imported := "", seq < 3
		if seq == 4 {
			client = wiki.ImportClient
		}
		if _, err := db.Exec("INSERT INTO commits VALUES ('ada', ?, 'c'||?, '', '', 'ada', 'did:plc:ada', '', ?, '', ?, 1000, '')", seq+1, seq+1, client, imported); err != nil {
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
	list, all, err := w.Imports(t.Context(), 10)
	if err != nil || all != 2 || list[0].Commit != "c5" || list[0].Commits != 1 || list[1].Commit != "c3" || list[1].Commits != 3 {
		t.Errorf("%+v, %d, %v", list, all, err)
	}
	if n, err := w.Vouch(t.Context(), Vouching{By: "did:plc:ada", Commit: "c3"}); n != 1 || err != nil {
		t.Error(n, err)
	}
	for seq, want := range map[int64]bool{3: true, 4: false, 5: false} {
		if c, err := commitBySeq(t.Context(), w, "ada", seq); err != nil || c.Author.Vouched != want {
			t.Errorf("commit %d: %+v, %v", seq, c.Author, err)
		}
	}
}

// Wikis of older programs get their links by opening them: from the pages' texts.
func TestLinksMigrated(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	db := olderDatabase(t, p, "ada", 9)
	text := []byte("---\naliases: [Other name]\n---\n[text](../B.md) ![[x y.png]] [[words|B]] #tag\n")
	for _, query := range []string{
		"INSERT INTO meta VALUES ('ada', 0, '', 0, 2, 2, 0, 0)",
		"INSERT INTO files VALUES ('ada', 'F/A b.md', 'F', 'f/a_b.md', 'one', 33188, 0, 0), ('ada', 'B.md', '', 'b.md', 'lost', 33188, 0, 0)",
		"INSERT INTO trees VALUES ('ada', '', '-', ''), ('ada', 'F', '', '')",
		"INSERT INTO links VALUES ('ada', 'F/A b.md', 0, 'page', 'B', 'b.md', 'text'), ('ada', 'B.md', 0, 'page', 'Gone', 'gone.md', 'text')",
	} {
		if _, err := db.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec("INSERT INTO blobs VALUES ('ada', 'one', ?, ?)", len(text), deflate(text)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	w, release, err := p.Open(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	want := markdown.ExtractFacts("F/A b", text).Links
	for i := range want {
		want[i].From = "F/A b"
	}
	if got, err := w.AllLinks(t.Context()); err != nil || !gocmp.Equal(got, want) || len(got) != 5 {
		t.Errorf("all: %v %s", err, gocmp.Diff(want, got))
	}
	if got, err := w.LinksByKey(t.Context(), wiki.PageKeys("B.md", nil)); err != nil || len(got) != 2 {
		t.Errorf("to the page: %v %+v", err, got)
	}
	if got, err := w.LinksByKey(t.Context(), wiki.PageKeys("F/x y.png", nil)); err != nil || len(got) != 1 {
		t.Errorf("to the file: %v %+v", err, got)
	}
	if got, err := w.Aliases(t.Context()); err != nil || len(got["F/A b.md"]) != 1 {
		t.Errorf("aliases: %v %v", err, got)
	}
}

// A page whose text makes the parser panic doesn't keep its wiki from being opened.
func TestLinksMigratedPastAPanic(t *testing.T) {
	dir := t.TempDir()
	w, release := createWiki(t, openPool(t, dir, time.Now))
	must(t, w, ada, Edit{Path: "A.md", Data: []byte("[[B]]\n")})
	must(t, w, ada, Edit{Path: "B.md", Data: []byte("[[A]]\n")})
	if err := w.inWriteTx(t.Context(), func(t *tx) error { return t.exec("UPDATE state SET links = 0") }, nil); err != nil {
		t.Fatal(err)
	}
	release()
	if err := w.pool.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := NewPool(Options{Dir: dir, Links: func(name wiki.PageName, src []byte) []wiki.Link {
		if name == "A" {
			panic("a fault of the parser")
		}
		return markdown.ExtractFacts(name, src).Links
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	w, release, err = p.Open(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if links, err := w.AllLinks(t.Context()); err != nil || len(links) != 1 || links[0].From != "B" {
		t.Errorf("links %+v, %v", links, err)
	}
}
