package pages

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// An import can contain files with a leading dot. They stay in the repository and
// are never served.
func TestHiddenFilesAreNeverServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, release, err := w.open(w.t.Context(), w.owner, wiki.Edit)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	const canary = "xyzzy-canary"
	res, err := c.Commit(w.t.Context(), content.Request{
		Author: w.owner.Caller(), Message: "Import", Limits: w.site.Limits,
		Edits: []content.Edit{
			{Path: ".secret.md", Data: []byte(canary)},
			{Path: "Page/.git-credentials", Data: []byte(canary)},
			{Path: ".github/Page.md", Data: []byte(canary)},
			{Path: "Page.md", Data: []byte("[[.secret]] ![[.secret]] ![[.github/Page]] ![](/Page/.git-credentials)\n")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var answers []string
	say := func(v any, err error) { answers = append(answers, fmt.Sprintf("%+v %v", v, err)) }
	for _, p := range []string{".secret", ".secret.md", ".github/Page", "Page/.git-credentials", ".github", "./.secret", "Page/../.secret"} {
		for _, revision := range []string{"", res.Commit.ID, res.Commit.ID[:7]} {
			page, err := w.Page(w.t.Context(), w.owner, p, revision)
			if say(page, err); err == nil {
				t.Errorf("page %q at %q", p, revision)
			}
			a, data, err := w.OpenAttachment(w.t.Context(), w.owner, p, revision)
			if say(a, err); err == nil || data != nil {
				t.Errorf("attachment %q at %q", p, revision)
			}
		}
		if f, err := w.Find(w.t.Context(), w.owner, p); err == nil {
			t.Errorf("found %q: %+v", p, f)
		}
		if h, err := w.History(w.t.Context(), w.owner, p, 0, 0); err == nil {
			t.Errorf("history of %q: %+v", p, h)
		}
		if d, err := w.Diff(w.t.Context(), w.owner, p, "", ""); err == nil {
			t.Errorf("diff of %q: %+v", p, d)
		}
	}
	view, err := w.View(w.t.Context(), w.owner, "Page", "")
	if err != nil {
		t.Fatal(err)
	}
	say(view.Body, nil)
	commit, diffs, err := w.Commit(w.t.Context(), w.owner, res.Commit.ID)
	if err != nil || len(commit.Changes) != 1 || len(diffs) != 1 {
		t.Errorf("the commit shows %+v, %v", commit.Changes, err)
	}
	say(diffs, nil)
	say(w.Index(w.t.Context(), w.owner))
	say(w.List(w.t.Context(), w.owner, ListFilter{}))
	say(w.AllAttachments(w.t.Context(), w.owner))
	say(w.Changelog(w.t.Context(), w.owner, LogFilter{}))
	say(w.HistoryBy(w.t.Context(), w.owner, "Home", LogFilter{Author: "ada"}))
	say(w.Graph(w.t.Context(), w.owner))
	for _, a := range answers {
		if strings.Contains(a, canary) {
			t.Errorf("leaked: %s", a)
		}
	}
	if _, err := w.Save(w.t.Context(), w.editor, SaveRequest{Name: ".secret", Text: []byte("x"), Precondition: Precondition{Base: res.Commit.ID}}); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("saved: %v", err)
	}
}

// A rename rewrites pages while others edit them, and nothing is lost.
func TestRenameWhileOthersWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Target", "x\n")
	const writers, edits = 3, 8
	for i := range writers {
		w.put(fmt.Sprint("P", i), "[[Target]]\n\nlines:\n")
	}
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			name := fmt.Sprint("P", i)
			for n := range edits {
				for {
					p, err := w.Page(w.t.Context(), w.editor, name, "")
					if err != nil {
						t.Error(err)
						return
					}
					_, err = w.Save(w.t.Context(), w.editor, SaveRequest{
						Precondition: Precondition{Base: p.File.Blob}, Name: name, Text: fmt.Appendf(p.Source, "- %d\n", n),
					})
					if err == nil {
						break
					}
					if !errors.Is(err, wiki.ErrConflict) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	name, renames := "Target", 0
	for i := range 6 {
		to := fmt.Sprint("Target", i)
		p, err := w.Page(w.t.Context(), w.owner, name, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = w.Rename(w.t.Context(), w.owner, RenameRequest{Precondition: Precondition{Base: p.File.Blob}, Name: name, NewName: to}); err != nil {
			t.Fatal(err)
		}
		name = to
		renames++
	}
	all.Wait()
	for i := range writers {
		want := "[[" + name + "]]\n\nlines:\n"
		for n := range edits {
			want += fmt.Sprintf("- %d\n", n)
		}
		if got := w.text(fmt.Sprint("P", i)); got != want {
			t.Errorf("P%d is %q", i, got)
		}
	}
}

// The cost of a read doesn't grow with the wiki. Each statement allocates about 50
// times, so a statement per page would show.
func TestReadCostIsIndependentOfWikiSize(t *testing.T) {
	w := newWorld(t)
	cost := map[string]float64{}
	reads := map[string]func() error{
		"View":    func() error { _, err := w.View(w.t.Context(), w.reader, "Home", ""); return err },
		"Page":    func() error { _, err := w.Page(w.t.Context(), w.reader, "Home", ""); return err },
		"Find":    func() error { _, err := w.Find(w.t.Context(), w.reader, "Home"); return err },
		"History": func() error { _, err := w.History(w.t.Context(), w.reader, "Home", 0, 20); return err },
		"Links":   func() error { _, err := w.Links(w.t.Context(), w.reader, "Home"); return err },
		"Tree":    func() error { _, err := w.Tree(w.t.Context(), w.reader); return err },
	}
	w.put("Home", "[[P1]] [[P2]] [[Nowhere]] ![[P3]]\n")
	for _, pages := range []int{5, 120} {
		fill(w, pages)
		for name, read := range reads {
			allocs := testing.AllocsPerRun(20, func() {
				if err := read(); err != nil {
					t.Fatal(err)
				}
			})
			if before := cost[name]; before > 0 && allocs > before*1.2+10 {
				t.Errorf("%s allocates %.0f times with 5 pages, %.0f with 120", name, before, allocs)
			}
			cost[name] = allocs
		}
	}
}

// fill creates pages P0 to P{n-1} in one commit.
func fill(w *world, n int) {
	w.t.Helper()
	c, release, err := w.open(w.t.Context(), w.owner, wiki.Edit)
	if err != nil {
		w.t.Fatal(err)
	}
	defer release()
	var edits []content.Edit
	for i := range n {
		edits = append(edits, content.Edit{Path: fmt.Sprintf("P%d.md", i), Data: fmt.Appendf(nil, "page %d of %d [[P%d]]\n", i, n, (i+1)%n), Base: content.BaseAny})
	}
	if _, err := c.Commit(w.t.Context(), content.Request{Author: w.owner.Caller(), Message: "fill", Edits: edits, Limits: w.site.Limits}); err != nil {
		w.t.Fatal(err)
	}
}
