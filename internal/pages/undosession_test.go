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

// undoSession undoes the session of a commit for the editor.
func (w *world) undoSession(commit, path string) (Undone, error) {
	w.t.Helper()
	return w.Undo(w.t.Context(), w.editor, UndoRequest{Session: commit, Path: path})
}

// One commit undoes an agent's changes to several pages, with moves, deletions and files,
// and keeps the text that others wrote in between. Undoing that commit restores everything.
func TestUndoSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claude := robot(w.owner, "Claude Code")
	w.put("Page", "one\n\ntwo\n\nthree\n")
	w.put("Old", "stays\n")
	w.put("Gone", "to be deleted\n")
	w.put("Links", "[[Old]]\n")
	w.upload("Page", "plan.png", "first")
	before := w.tree()
	first := w.writeAs(claude, "Page", "one\n\nTWO\n\nthree\n")
	w.writeAs(w.editor, "Page", "one\n\nTWO\n\nthree\n\nfour, by Bob\n")
	w.writeAs(claude, "Page", "ONE\n\nTWO\n\nthree\n\nfour, by Bob\n")
	w.writeAs(claude, "New", "a new page\n")
	if _, err := w.Rename(w.t.Context(), claude, RenameRequest{Precondition: w.base("Old"), Name: "Old", NewName: "Moved"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Delete(w.t.Context(), claude, DeleteRequest{Precondition: w.base("Gone"), Name: "Gone"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Upload(w.t.Context(), claude, UploadRequest{Page: "Page", Name: "new.txt", Data: strings.NewReader("new")}); err != nil {
		t.Fatal(err)
	}
	agents := w.tree()
	dry, err := w.Undo(w.t.Context(), w.editor, UndoRequest{Session: first.Commit, DryRun: true, Texts: true})
	if err != nil || len(dry.Files) != 6 || dry.Commit != "" {
		t.Fatalf("dry run: %d files, %v", len(dry.Files), err)
	}
	if diff := cmp.Diff(agents, w.tree()); diff != "" {
		t.Fatal(diff)
	}
	head := w.head()
	done, err := w.undoSession(first.Commit, "")
	if err != nil || w.head() != head+1 {
		t.Fatalf("%v, %d commits", err, w.head()-head)
	}
	want := before
	want["Page.md"] = "one\n\ntwo\n\nthree\n\nfour, by Bob\n"
	if diff := cmp.Diff(want, w.tree()); diff != "" {
		t.Error(diff)
	}
	if _, err := w.Page(w.t.Context(), w.reader, "Moved", ""); !errors.As(err, new(*wiki.Redirect)) && !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("the agent's name: %v", err)
	}
	again, err := w.undoSession(first.Commit, "")
	if err != nil || !again.Unchanged {
		t.Errorf("undone twice: %+v, %v", again, err)
	}
	if _, err := w.Revert(w.t.Context(), w.editor, done.Commit, Write{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(agents, w.tree()); diff != "" {
		t.Errorf("undone the undo: %s", diff)
	}
}

// Conflicts are reported for all pages at once, and nothing is changed.
func TestUndoSessionConflicts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claude := robot(w.owner, "Claude Code")
	w.put("A", "a\n")
	w.put("B", "b\n")
	first := w.writeAs(claude, "A", "a by agent\n")
	w.writeAs(claude, "B", "b by agent\n")
	w.writeAs(claude, "C", "c by agent\n")
	w.writeAs(claude, "Fine", "by agent\n")
	w.writeAs(w.editor, "A", "a by agent and Bob\n")
	w.writeAs(w.editor, "C", "c by agent and Bob\n")
	before := w.tree()
	_, err := w.undoSession(first.Commit, "")
	var conflict *UndoConflict
	if !errors.As(err, &conflict) || !errors.Is(err, wiki.ErrConflict) {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range conflict.Files {
		paths = append(paths, f.Path)
	}
	if slices.Sort(paths); !slices.Equal(paths, []string{"A.md", "C.md"}) {
		t.Errorf("conflicts in %v", paths)
	}
	if diff := cmp.Diff(before, w.tree()); diff != "" {
		t.Error(diff)
	}
	if _, err := w.undoSession(first.Commit, "B.md"); err != nil || w.text("B") != "b\n" || w.text("A") != "a by agent and Bob\n" {
		t.Errorf("one page: %v, %v", err, w.tree())
	}
}

// Pages that others deleted later stay deleted, and a page that the session created and
// deleted is no conflict.
func TestUndoSessionOfGonePages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claude := robot(w.owner, "Claude Code")
	w.put("A", "a\n")
	first := w.writeAs(claude, "A", "a by agent\n")
	w.writeAs(claude, "Draft", "one\n")
	w.writeAs(claude, "Draft", "two\n")
	for a, name := range map[*wiki.Access]string{&claude: "Draft", &w.editor: "A"} {
		if _, err := w.Delete(w.t.Context(), *a, DeleteRequest{Precondition: w.base(name), Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	w.writeAs(w.editor, "Draft", "by Bob\n")
	done, err := w.undoSession(first.Commit, "")
	if err != nil || !done.Unchanged {
		t.Errorf("%+v, %v, %v", done, err, w.tree())
	}
}

// A session that swapped two names is undone, and so is that.
func TestUndoSessionOfASwap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claude := robot(w.owner, "Claude Code")
	w.put("A", "a\n")
	w.put("B", "b\n")
	var first string
	for _, m := range [][2]string{{"A", "T"}, {"B", "A"}, {"T", "B"}} {
		done, err := w.Rename(w.t.Context(), claude, RenameRequest{Precondition: w.base(m[0]), Name: m[0], NewName: m[1]})
		if err != nil {
			t.Fatal(err)
		}
		first = done.Commit
	}
	swapped := w.tree()
	done, err := w.undoSession(first, "")
	if err != nil || w.text("A") != "a\n" || w.text("B") != "b\n" {
		t.Fatalf("%v, %v", err, w.tree())
	}
	if _, err := w.Revert(w.t.Context(), w.editor, done.Commit, Write{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(swapped, w.tree()); diff != "" {
		t.Error(diff)
	}
}

// A page that others moved, and the session moved again, gets back the name that others
// gave it, without the session's text.
func TestUndoSessionOfAPageThatMovedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claude := robot(w.owner, "Claude Code")
	w.put("A", "one\n\ntwo\n")
	first := w.writeAs(claude, "A", "ONE\n\ntwo\n")
	for _, m := range []struct {
		by       wiki.Access
		from, to string
	}{{w.editor, "A", "B"}, {claude, "B", "C"}} {
		if _, err := w.Rename(w.t.Context(), m.by, RenameRequest{Precondition: w.base(m.from), Name: m.from, NewName: m.to}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.undoSession(first.Commit, ""); err != nil || w.text("B") != "one\n\ntwo\n" {
		t.Errorf("%v, %v", err, w.tree())
	}
}

func TestUndoSessionRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.writeAs(robot(w.owner, "Claude Code"), "A", "a\n")
	for _, a := range []wiki.Access{w.viewer, w.reader} {
		_, err := w.Undo(w.t.Context(), a, UndoRequest{Session: first.Commit})
		wantKind(t, err, wiki.ErrDenied)
	}
	_, err := w.undoSession("0123456", "")
	wantKind(t, err, wiki.ErrNotFound)
	_, err = w.undoSession(first.Commit, "Else.md")
	wantKind(t, err, wiki.ErrNotFound)
}

// A twin is a page in the history as it happened, and in one without the session.
type twin struct{ real, without []string }

// edit makes one random change to both, with lines that occur once. mine is a change of
// the session, made to the real page alone. Others only touch lines that both have.
func (p *twin) edit(t *rapid.T, line string, mine bool) {
	var common []string
	for _, l := range p.real {
		if mine || slices.Contains(p.without, l) {
			common = append(common, l)
		}
	}
	at := rapid.SampledFrom(common).Draw(t, "at")
	kind := rapid.SampledFrom([]string{"insert", "insert", "replace", "delete"}).Draw(t, "kind")
	change := func(lines []string) []string {
		i := slices.Index(lines, at)
		switch {
		case kind == "insert":
			return slices.Insert(slices.Clone(lines), i+1, line)
		case kind == "replace" && i > 0:
			lines = slices.Clone(lines)
			lines[i] = line
			return lines
		case i > 0:
			return slices.Delete(slices.Clone(lines), i, i+1)
		}
		return lines
	}
	p.real = change(p.real)
	if !mine {
		p.without = change(p.without)
	}
}

func text(lines []string) string { return strings.Join(lines, "\n") + "\n" }

// Where lines are unique, undoing a session leaves the wiki as if it had never been made,
// unless a conflict is reported. Undoing the undo gives back the state before, byte for byte.
func TestUndoSessionProperty(t *testing.T) {
	t.Parallel()
	setRapidChecks(t, 40, 1000)
	w := newWorld(t)
	claude := robot(w.owner, "Claude Code")
	run, undone := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		w := w.another(fmt.Sprintf("run%d", run), wiki.DefaultLimits)
		claude := wiki.NewAccess(w.site, claude.Caller(), wiki.Owner)
		pages := map[string]*twin{}
		for _, name := range []string{"A", "B"} {
			p := &twin{real: []string{"# " + name}}
			for i := range 12 {
				p.real = append(p.real, fmt.Sprintf("%s, the line %d of the beginning", name, i))
			}
			p.without = slices.Clone(p.real)
			w.put(name, text(p.real))
			pages[name] = p
		}
		first := w.writeAs(claude, "Own", "of the session\n").Commit
		for i := range rapid.IntRange(1, 10).Draw(t, "steps") {
			name := rapid.SampledFrom([]string{"A", "B"}).Draw(t, "page")
			mine := rapid.Bool().Draw(t, "mine")
			by := w.editor
			if mine {
				by = claude
			}
			pages[name].edit(t, fmt.Sprintf("line %d, which occurs once", i), mine)
			w.writeAs(by, name, text(pages[name].real))
		}
		before := w.tree()
		done, err := w.undoSession(first, "")
		if errors.As(err, new(*UndoConflict)) {
			if diff := cmp.Diff(before, w.tree()); diff != "" {
				t.Fatalf("a conflict, and changes: %s", diff)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		undone++
		want := map[string]string{"A.md": text(pages["A"].without), "B.md": text(pages["B"].without)}
		if diff := cmp.Diff(want, w.tree()); diff != "" {
			t.Fatalf("undone: %s", diff)
		}
		if _, err := w.Revert(w.t.Context(), w.editor, done.Commit, Write{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, w.tree()); diff != "" {
			t.Fatalf("undone the undo: %s", diff)
		}
	})
	if undone < run/4 {
		t.Errorf("only %d of %d histories without conflicts", undone, run)
	}
}
