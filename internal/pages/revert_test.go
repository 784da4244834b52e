package pages

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robot.wtf/internal/wiki"
)

func TestRevertMergesWithLaterChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Page", "one\n\ntwo\n\nthree\n\nfour\n")
	bad := w.put("Page", "one\n\nTWO\n\nthree\n\nfour\n")
	w.put("Page", "one\n\nTWO\n\nthree\n\nFOUR\n")
	if _, err := w.Revert(w.t.Context(), w.editor, bad.Commit, Write{}); err != nil {
		t.Fatal(err)
	}
	if got := w.text("Page"); got != "one\n\ntwo\n\nthree\n\nFOUR\n" {
		t.Errorf("got %q", got)
	}
	again, err := w.Revert(w.t.Context(), w.editor, bad.Commit[:7], Write{})
	if err != nil || !again.Unchanged {
		t.Errorf("reverted twice: %+v, %v", again, err)
	}
}

func TestRevertFollowsARename(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Page", "one\n")
	bad := w.put("Page", "two\n")
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("Page"), Name: "Page", NewName: "New"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Revert(w.t.Context(), w.editor, bad.Commit, Write{}); err != nil || w.text("New") != "one\n" {
		t.Errorf("%v, %q", err, w.text("New"))
	}
}

// If one file of a commit can't be reverted, none is.
func TestRevertConflictsChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("A", "a\n")
	w.put("Other", "[[A]]\n")
	w.put("More", "[[A]]\n")
	moved, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("A"), Name: "A", NewName: "B"})
	if err != nil {
		t.Fatal(err)
	}
	w.put("More", "something else: [[B]]!\n")
	before := w.tree()
	_, err = w.Revert(w.t.Context(), w.editor, moved.Commit, Write{})
	var c *wiki.ConflictError
	if !errors.As(err, &c) {
		t.Fatalf("got %v", err)
	}
	if c.Path != "More.md" || string(c.Theirs) != "something else: [[B]]!\n" || string(c.Yours) != "[[A]]\n" || len(c.Hunks) != 1 {
		t.Errorf("got conflict %+v", c)
	}
	if diff := cmp.Diff(before, w.tree()); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.put("Page", "one\r\n")
	w.put("Page", "two\n")
	if _, err := w.Restore(w.t.Context(), w.editor, "page", first.Revision[:8], Write{}); err != nil || w.text("Page") != "one\r\n" {
		t.Errorf("by blob: %v, %q", err, w.text("Page"))
	}
	w.put("Page", "three\n")
	if _, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: w.base("Page"), Name: "Page"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Restore(w.t.Context(), w.editor, "Page", first.Commit, Write{}); err != nil || w.text("Page") != "one\r\n" {
		t.Errorf("of a deleted page: %v", err)
	}
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("Page"), Name: "Page", NewName: "New"}); err != nil {
		t.Fatal(err)
	}
	w.put("New", "four\n")
	done, err := w.Restore(w.t.Context(), w.editor, "Page", first.Commit, Write{})
	if err != nil || done.Name != "New" || w.text("New") != "one\r\n" {
		t.Errorf("of a moved page: %+v, %v", done, err)
	}
	_, err = w.Restore(w.t.Context(), w.editor, "New", "0123456789", Write{})
	wantKind(t, err, wiki.ErrNotFound)
}

// In random histories, reverting the newest commit restores the tree before it.
// Reverting another one succeeds, or conflicts and changes nothing.
func TestRevertOfRandomHistories(t *testing.T) {
	t.Parallel()
	setRapidChecks(t, 12, 1000)
	first := newWorld(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		w := first.another(fmt.Sprint("wiki-", n), wiki.DefaultLimits)
		names := []string{"A", "B", "A/B", "A/B/C", "Deep/D"}
		texts := []string{"", "one\n", "one\ntwo\nthree\n", "one\n[[A]]\nthree\n", "zero\none\n[[A/B]]\nthree\n"}
		trees := []map[string]string{w.tree()}
		for range rapid.IntRange(2, 14).Draw(rt, "steps") {
			step(rt, w, names, texts)
			if int(w.head()) == len(trees) {
				trees = append(trees, w.tree())
			}
		}
		log, err := w.Changelog(w.t.Context(), w.owner, LogFilter{})
		if err != nil || len(log) == 0 {
			rt.Skip("nothing happened")
		}
		if rapid.Bool().Draw(rt, "newest") {
			if _, err := w.Revert(w.t.Context(), w.editor, log[0].ID, Write{}); err != nil {
				rt.Fatalf("undo %s: %v", log[0].Message, err)
			}
			if diff := cmp.Diff(trees[len(trees)-2], w.tree()); diff != "" {
				rt.Fatalf("reverting %q doesn't restore the tree before it:\n%s", log[0].Message, diff)
			}
			return
		}
		before, head := w.tree(), w.head()
		_, err = w.Revert(w.t.Context(), w.editor, log[rapid.IntRange(0, len(log)-1).Draw(rt, "which")].ID, Write{})
		switch {
		case err != nil && !errors.Is(err, wiki.ErrConflict):
			rt.Fatal(err)
		case err != nil && (cmp.Diff(before, w.tree()) != "" || w.head() != head):
			rt.Fatal("a conflict changed something")
		case w.head() > head+1:
			rt.Fatal("more than one commit")
		}
	})
}

// step makes one random change. Rejected changes change nothing.
func step(rt *rapid.T, w *world, names, texts []string) {
	name := rapid.SampledFrom(names).Draw(rt, "name")
	page, err := w.Page(w.t.Context(), w.owner, name, "")
	exists := err == nil
	switch kind := rapid.SampledFrom([]string{"save", "save", "rename", "delete", "upload"}).Draw(rt, "kind"); {
	case kind == "save":
		w.put(name, rapid.SampledFrom(texts).Draw(rt, "text"))
	case kind == "upload" && exists:
		w.upload(name, "x.png", rapid.SampledFrom(texts).Draw(rt, "data"))
	case kind == "rename" && exists:
		_, err := w.Rename(w.t.Context(), w.editor, RenameRequest{
			Precondition: Precondition{Base: page.File.Blob}, Name: name,
			NewName:  rapid.SampledFrom(append([]string{"b", "deep/d", "New/N", "A/New"}, names...)).Draw(rt, "to"),
			PageOnly: rapid.Bool().Draw(rt, "page only"),
		})
		if err != nil && !errors.Is(err, wiki.ErrExists) && !errors.Is(err, wiki.ErrInvalid) {
			rt.Fatalf("rename: %v", err)
		}
	case kind == "delete" && exists:
		_, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{
			Precondition: Precondition{Base: page.File.Blob}, Name: name, Recursive: rapid.Bool().Draw(rt, "recursive"),
		})
		if err != nil {
			rt.Fatalf("delete: %v", err)
		}
	}
}

func TestBlame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.put("Page", "one\ntwo\nthree\n")
	second := w.put("Page", "one\n2\nthree\nfour\n")
	third := w.put("Page", "zero\none\n2\nthree\nfour\n")
	lines, err := w.Blame(w.t.Context(), w.reader, "page", "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range lines {
		which := slices.Index([]string{first.Commit, second.Commit, third.Commit}, l.Revision.Commit)
		got = append(got, fmt.Sprintf("%d %s %d", l.Line, l.Text, which+1))
	}
	want := "1 zero 3, 2 one 1, 3 2 2, 4 three 1, 5 four 2"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	lines, err = w.Blame(w.t.Context(), w.reader, "Page", first.Commit)
	if err != nil || len(lines) != 3 || lines[0].Revision.Commit != first.Commit {
		t.Errorf("at the first revision: %+v, %v", lines, err)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.put("Page", "# Top\n\nlead\n\n## Part\n\nsome old words\n")
	w.put("Page", "# Top\n\nlead\n\n## Part\n\nsome new words\n")
	d, err := w.Diff(w.t.Context(), w.reader, "page", first.Revision, "")
	if err != nil {
		t.Fatal(err)
	}
	if d.Added != 1 || d.Removed != 1 || len(d.Hunks) != 1 || d.Kind != wiki.Modified || d.Page != "Page" {
		t.Fatalf("%+v", d)
	}
	row := d.Hunks[0].Rows[len(d.Hunks[0].Rows)-1]
	if row.Kind != "changed" || row.OldLine != 7 || row.NewLine != 7 {
		t.Errorf("row %+v", row)
	}
	var marked []string
	for _, s := range row.New {
		if s.Mark {
			marked = append(marked, s.Text)
		}
	}
	if strings.Join(marked, "|") != "new" {
		t.Errorf("marked %q", marked)
	}
	if !strings.Contains(d.Unified, "-some old words\n+some new words\n") {
		t.Errorf("unified:\n%s", d.Unified)
	}
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("Page"), Name: "Page", NewName: "New"}); err != nil {
		t.Fatal(err)
	}
	d, err = w.Diff(w.t.Context(), w.reader, "New", first.Commit, "")
	if err != nil || d.Kind != wiki.Moved || d.From != "Page.md" || d.Path != "New.md" {
		t.Errorf("%+v, %v", d, err)
	}
	d, err = w.Diff(w.t.Context(), w.reader, "Page", "", first.Commit)
	if err != nil || d.Kind != wiki.Added || d.Added != 7 {
		t.Errorf("%+v, %v", d, err)
	}
	gone, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: w.base("New"), Name: "New"})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{gone.Commit, ""} {
		d, err = w.Diff(w.t.Context(), w.reader, "New", first.Commit, to)
		if err != nil || d.Kind != wiki.Deleted || d.Removed != 7 || d.New.Path != "" {
			t.Errorf("to %q: %+v, %v", to, d, err)
		}
	}
	_, err = w.Diff(w.t.Context(), w.reader, "New", gone.Commit, gone.Commit)
	wantKind(t, err, wiki.ErrNotFound)
	_, err = w.Diff(w.t.Context(), w.reader, "New", "0123456789", "")
	wantKind(t, err, wiki.ErrNotFound)
	_, err = w.Diff(w.t.Context(), w.reader, "Page", "--upload-pack", "")
	wantKind(t, err, wiki.ErrInvalid)
}
