package pages

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

func replaceStep(name, base, old, text string) Step {
	return Step{Kind: StepEdit, Name: name, Base: base, Edit: edit.Edit{Op: edit.Replace, Old: old, Text: text}}
}

// Steps of all kinds on several pages are one commit, and links follow.
func TestChangeSeveralPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Home", "See [[Old]] and [[Old/Child]].\n")
	w.put("Plan", "One.\n\nSee [[Old]].\n")
	old := w.put("Old", "# Old\n\nSee [me](Old).\n").Revision
	w.put("Old/Child", "Child.\n")
	gone := w.put("Gone", "Bye.\n").Revision
	w.upload("Gone", "a.txt", "file")
	head := w.head()
	set := ChangeSet{DryRun: true, Steps: []Step{
		replaceStep("Plan", "", "One.", "Two."),
		{Kind: StepCreate, Name: "Fresh", Text: []byte("New.")},
		{Kind: StepEdit, Name: "Fresh", Edit: edit.Edit{Op: edit.Append, Text: "And more."}},
		{Kind: StepMove, Name: "Old", Base: old, To: "Archive/New"},
		{Kind: StepEdit, Name: "Archive/New", Edit: edit.Edit{Op: edit.Append, Text: "Moved."}},
		{Kind: StepEdit, Name: "Archive/New/Child", Edit: edit.Edit{Op: edit.Append, Text: "Too."}},
		{Kind: StepDelete, Name: "Gone", Base: gone},
	}}
	done, err := w.Change(w.t.Context(), w.editor, set)
	if err != nil || w.head() != head || done.Commit != "" || len(done.Pages) != 5 {
		t.Fatalf("dry run: %+v, %v", done, err)
	}
	set.DryRun = false
	planned := done.Pages
	if done, err = w.Change(w.t.Context(), w.editor, set); err != nil || w.head() != head+1 {
		t.Fatalf("%+v, %v", done, err)
	}
	var got []string
	for i, p := range done.Pages {
		got = append(got, fmt.Sprintf("%s %s from %s", p.Kind, p.Name, p.From))
		if p.Revision != planned[i].Revision {
			t.Errorf("%s: revision %s, the dry run said %s", p.Name, p.Revision, planned[i].Revision)
		}
		if p.After != nil && (p.After.Text != w.text(string(p.Name)) || p.Revision != w.page(string(p.Name)).File.Blob) {
			t.Errorf("%s: %q @%s is reported; stored: %q", p.Name, p.After.Text, p.Revision, w.text(string(p.Name)))
		}
	}
	want := []string{
		"modified Plan from Plan", "added Fresh from ", "moved Archive/New from Old", "moved Archive/New/Child from Old/Child", "deleted Gone from Gone",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(done.Relinked, []wiki.PageName{"Home"}) {
		t.Errorf("relinked %v, want Home", done.Relinked)
	}
	texts := map[string]string{
		"Home": "See [[Archive/New]] and [[Archive/New/Child]].\n", "Plan": "Two.\n\nSee [[Archive/New]].\n", "Fresh": "New.\n\nAnd more.\n",
	}
	for name, text := range texts {
		if got := w.text(name); got != text {
			t.Errorf("%s: %q, want %q", name, got, text)
		}
	}
	if files, err := w.Attachments(w.t.Context(), w.owner, "Gone"); err == nil && len(files) > 0 {
		t.Error("the deleted page's file is still there")
	}
	undone, err := w.Revert(w.t.Context(), w.editor, done.Commit, Write{})
	if err != nil || w.text("Old") != "# Old\n\nSee [me](Old).\n" || w.text("Gone") != "Bye.\n" || w.text("Plan") != "One.\n\nSee [[Old]].\n" {
		t.Errorf("undoing the commit: %+v, %v", undone, err)
	}
}

// A failed step changes nothing, and all pages' failures are reported together.
func TestChangeReportsFailuresTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.put("A", "one\n").Revision
	w.put("A", "two\n")
	w.put("B", "b\n")
	w.put("C", "c\n")
	head := w.head()
	_, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{
		replaceStep("C", "", "c", "d"),
		replaceStep("B", "", "missing", "x"),
		{Kind: StepEdit, Name: "A", Base: first, Edit: edit.Edit{Op: edit.ReplaceSection, Section: "None", Text: "x"}},
		{Kind: StepDelete, Name: "A", Base: first},
		{Kind: StepCreate, Name: "C", Text: []byte("again")},
		{Kind: StepMove, Name: "Nowhere", Base: first, To: "D"},
		{Kind: StepMove, Name: "C", Base: w.page("C").File.Blob, To: "B"},
	}})
	var failed *ChangeSetError
	if !errors.As(err, &failed) {
		t.Fatal(err)
	}
	var steps []int
	for _, f := range failed.Steps {
		steps = append(steps, f.Step)
	}
	if !slices.Equal(steps, []int{1, 2, 4, 5}) || w.head() != head || w.text("C") != "c\n" {
		t.Errorf("failed steps %v: %v", steps, err)
	}
	_, err = w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{{Kind: StepDelete, Name: "A", Base: first}}})
	if !errors.Is(err, wiki.ErrConflict) {
		t.Errorf("deleting a page that has changed: %v", err)
	}
	if _, err := w.Change(w.t.Context(), w.viewer, ChangeSet{Steps: []Step{replaceStep("C", "", "c", "d")}}); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("as viewer: %v", err)
	}
}

// Contradictions between steps are refused.
func TestChangeRefusesContradictions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.put("A", "a\n").Revision
	w.put("B", "b\n")
	for name, steps := range map[string][]Step{
		"edit after delete":  {{Kind: StepDelete, Name: "A", Base: a}, replaceStep("A", "", "a", "x")},
		"delete after move":  {{Kind: StepMove, Name: "A", Base: a, To: "C"}, {Kind: StepDelete, Name: "C", Base: a}},
		"create twice":       {{Kind: StepCreate, Name: "C"}, {Kind: StepCreate, Name: "c"}},
		"move onto a page":   {{Kind: StepMove, Name: "A", Base: a, To: "B"}},
		"move onto new page": {{Kind: StepCreate, Name: "C"}, {Kind: StepMove, Name: "A", Base: a, To: "C"}},
		"create where moved": {{Kind: StepMove, Name: "A", Base: a, To: "C"}, {Kind: StepCreate, Name: "C"}},
		"move twice":         {{Kind: StepMove, Name: "A", Base: a, To: "C"}, {Kind: StepMove, Name: "A", Base: a, To: "D"}},
		"move without base":  {{Kind: StepMove, Name: "A", To: "C"}},
		"no name":            {{Kind: StepCreate}},
		"unknown kind":       {{Kind: "explode", Name: "A"}},
		"none":               nil,
	} {
		head := w.head()
		if done, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: steps}); wiki.KindOf(err) == nil || w.head() != head {
			t.Errorf("%s: %+v, %v", name, done, err)
		}
	}
	many := make([]Step, maxChangedPages+1)
	for i := range many {
		many[i] = Step{Kind: StepCreate, Name: fmt.Sprint("P", i)}
	}
	if _, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: many}); !errors.Is(err, wiki.ErrTooLarge) {
		t.Errorf("%d pages: %v", len(many), err)
	}
	if done, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: many[1:]}); err != nil || len(done.Pages) != maxChangedPages {
		t.Errorf("%d pages: %v", maxChangedPages, err)
	}
}

// A page can make room for another in the same commit.
func TestChangeFreesNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.put("A", "a\n").Revision, w.put("B", "b\n").Revision
	w.put("Home", "[[A]] and [[B]]\n")
	_, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{
		{Kind: StepDelete, Name: "B", Base: b}, {Kind: StepMove, Name: "A", Base: a, To: "B"}, {Kind: StepCreate, Name: "A", Text: []byte("new")},
	}})
	if err != nil || w.text("A") != "new\n" || w.text("B") != "a\n" || w.text("Home") != "[[B]] and [[B]]\n" {
		t.Fatalf("A %q, B %q, Home %q, %v", w.text("A"), w.text("B"), w.text("Home"), err)
	}
	if log, err := w.History(w.t.Context(), w.owner, "B", 0, 10); err != nil || len(log) != 2 {
		t.Errorf("the moved page's history: %+v, %v", log, err)
	}
	a = w.page("A").File.Blob
	done, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{{Kind: StepDelete, Name: "A", Base: a}, {Kind: StepCreate, Name: "A", Text: []byte("newer")}}})
	if err != nil || w.text("A") != "newer\n" || done.Pages[0].Kind != wiki.Modified {
		t.Errorf("%+v, %v", done, err)
	}
}

// A folder moves with all below it, alone or as one of several steps.
func TestMoveFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Home", "[[Old/A]] and [[old/sub/B|b]]\n")
	w.put("Old/A", "See [[Old/Sub/B]].\n")
	w.put("Old/Sub/B", "b\n")
	w.upload("Old/A", "x.txt", "x")
	done, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Name: "old/", NewName: "Archive/Old"})
	if err != nil || done.Moved != 2 || w.text("Home") != "[[Archive/Old/A]] and [[Archive/Old/Sub/B|b]]\n" || w.paths() != "Archive/Old/A.md Archive/Old/A/x.txt Archive/Old/Sub/B.md Home.md" {
		t.Fatalf("%+v, %v: %s, Home %q", done, err, w.paths(), w.text("Home"))
	}
	set, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{{Kind: StepMove, Name: "Archive/Old", To: "New"}, {Kind: StepEdit, Name: "New/A", Edit: edit.Edit{Op: edit.Append, Text: "More."}}}})
	if err != nil || set.Moved != 2 || w.text("New/A") != "See [[New/Sub/B]].\n\nMore.\n" || w.text("Home") != "[[New/A]] and [[New/Sub/B|b]]\n" {
		t.Fatalf("%+v, %v: A %q, Home %q", set, err, w.text("New/A"), w.text("Home"))
	}
	if _, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{{Kind: StepMove, Name: "New", To: "Newer"}}}); err != nil || w.text("Newer/A") == "" {
		t.Errorf("a folder alone: %v", err)
	}
	w.put("Taken/A", "a\n")
	for _, name := range []string{"Newer", "Nowhere"} {
		if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Name: name, NewName: "Taken"}); wiki.KindOf(err) == nil {
			t.Errorf("moving %s to Taken: %v", name, err)
		}
	}
}

// A merged page's text, files and front matter are on the other page, links and the
// former name lead there.
func TestMergePages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Team/Bob", "---\nphone: 1\nrole: cook\n---\n\n# Bob\n\nSee [x](Bob/x.txt) and [[Bobby]].\n")
	w.upload("Team/Bob", "x.txt", "x")
	w.put("Bobby", "---\nrole: baker\n---\n\n# Bobby\n\nText.\n")
	w.put("Home", "[[Team/Bob|Bob]], [file](Team/Bob/x.txt), [[Bobby]]\n")
	base := w.page("Team/Bob").File.Blob
	done, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{{Kind: StepMerge, Name: "team/bob", Base: base, To: "bobby"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := "---\nrole: baker\nphone: 1\n---\n\n# Bobby\n\nText.\n\n## Bob\n\nSee [x](Bobby/x.txt) and [[Bobby]].\n"
	if diff := cmp.Diff(want, w.text("Bobby")); diff != "" {
		t.Error(diff)
	}
	if got := w.text("Home"); got != "[[Bobby|Bob]], [file](Bobby/x.txt), [[Bobby]]\n" {
		t.Errorf("Home is %q", got)
	}
	var to *wiki.Redirect
	if _, err := w.Find(w.t.Context(), w.reader, "Team/Bob"); !errors.As(err, &to) || to.To != "/Bobby" {
		t.Errorf("the former name: %v", err)
	}
	if p := done.Pages[0]; p.Kind != wiki.Deleted || p.Into != "Bobby" || !slices.Equal(done.Pages[1].Lost, []string{"role"}) {
		t.Errorf("reported: %+v", done.Pages)
	}
	if log, err := w.History(w.t.Context(), w.owner, "Bobby", 0, 10); err != nil || len(log) != 2 {
		t.Errorf("the other page's history: %+v, %v", log, err)
	}
	if _, err := w.Revert(w.t.Context(), w.editor, done.Commit, Write{}); err != nil || w.page("Team/Bob").File.Blob != base || w.text("Home") != "[[Team/Bob|Bob]], [file](Team/Bob/x.txt), [[Bobby]]\n" {
		t.Errorf("undoing the merge: %v, Home %q", err, w.text("Home"))
	}
	a, b := w.put("A", "a\n").Revision, w.put("B", "b\n").Revision
	w.put("C", "c\n")
	_, err = w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{{Kind: StepMerge, Name: "A", Base: a, To: "B"}, {Kind: StepMerge, Name: "B", Base: b, To: "C"}}})
	if err != nil || w.text("C") != "c\n\n## B\n\nb\n\n### A\n\na\n" {
		t.Errorf("a chain: %v, %q", err, w.text("C"))
	}
	if _, err := w.Find(w.t.Context(), w.reader, "A"); !errors.As(err, &to) || to.To != "/C" {
		t.Errorf("the first name: %v", err)
	}
}

// An import of a clone restores the redirect of a merged page.
func TestImportRestoresMerges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	a := w.put("A", "a\n").Revision
	w.put("B", "b\n")
	if _, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{{Kind: StepMerge, Name: "A", Base: a, To: "B"}}}); err != nil {
		t.Fatal(err)
	}
	c := w.put("C", "# C\n\n## S\n\ns\n").Revision
	if _, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{{Kind: StepMoveSection, Name: "C", Base: c, To: "D", Edit: edit.Edit{Section: "S"}}}}); err != nil {
		t.Fatal(err)
	}
	w.checkRepository()
	fresh := w.fresh("again")
	fresh.mustImport(bundleOf(t, w.repo()))
	var to *wiki.Redirect
	if _, err := fresh.Find(w.t.Context(), fresh.owner, "A"); !errors.As(err, &to) || to.To != "/B" {
		t.Errorf("the merged page's name: %v", err)
	}
	const taken = "SELECT from_path || ' ' || path FROM takings ORDER BY 1"
	if got, want := fresh.stored(taken), w.stored(taken); !slices.Equal(got, want) || !slices.Equal(got, []string{"A.md B.md", "C.md D.md"}) {
		t.Errorf("moved text: %q, want %q", got, want)
	}
	if log, err := fresh.Changelog(w.t.Context(), fresh.owner, LogFilter{Limit: 1}); err != nil || strings.Contains(log[0].Message, "Taken:") {
		t.Errorf("the message shows the trailer: %+v, %v", log, err)
	}
}

func TestMoveSections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.put("Long", "# Long\n\n## One\n\nSee [x](x.txt).\n\n### Sub\n\n1\n\n## Two\n\n2\n").Revision
	w.upload("Long", "x.txt", "x")
	w.put("Other", "# Other\n\n## Here\n\nText.\n\n## End\n")
	step := func(section, to, left string) Step {
		return Step{Kind: StepMoveSection, Name: "Long", Base: base, To: to, Edit: edit.Edit{Section: section, Text: left}}
	}
	done, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{step("One", "Parts/One", "See [[Parts/One]]."), step("Two", "Other#Here", "")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Long": "# Long\n\nSee [[Parts/One]].\n", "Parts/One": "# One\n\nSee [x](../Long/x.txt).\n\n## Sub\n\n1\n",
		"Other": "# Other\n\n## Here\n\nText.\n\n### Two\n\n2\n\n## End\n",
	} {
		if got := w.text(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if len(done.Pages) != 3 || w.page("Parts/One").File.Commit != w.page("Long").File.Commit {
		t.Errorf("%+v", done.Pages)
	}
	for name, s := range map[string]Step{"to itself": step("One", "Long", ""), "no section there": step("One", "Nowhere#x", ""), "gone": step("One", "Other", "")} {
		if _, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{s}}); wiki.KindOf(err) == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A retry of a request returns its result, and steps that the pages already
// contain make no commit.
func TestChangeReplays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("A", "one\n")
	w.put("B", "one\n")
	set := ChangeSet{Write: Write{IdempotencyKey: "k", IdempotencyHash: "h"}, Steps: []Step{
		{Kind: StepCreate, Name: "C", Text: []byte("c")}, {Kind: StepEdit, Name: "A", Edit: edit.Edit{Op: edit.Append, Text: "two"}},
	}}
	first, err := w.Change(w.t.Context(), w.editor, set)
	if err != nil {
		t.Fatal(err)
	}
	head := w.head()
	again, err := w.Change(w.t.Context(), w.editor, set)
	if err != nil || !again.Replayed || again.Commit != first.Commit || w.head() != head || len(again.Pages) != 2 {
		t.Errorf("%+v, %v", again, err)
	}
	base := w.page("B").File.Blob
	once, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{replaceStep("B", base, "one", "two")}})
	if err != nil {
		t.Fatal(err)
	}
	head = w.head()
	same, err := w.Change(w.t.Context(), w.editor, ChangeSet{Steps: []Step{replaceStep("B", base, "one", "two")}})
	if err != nil || !same.Unchanged || w.head() != head || same.Revision != once.Revision || same.Pages[0].Edits[0].Result.State == edit.Changed {
		t.Errorf("%+v, %v", same, err)
	}
}

// Whatever the steps are, either all pages are as reported, or nothing changed.
func TestChangeIsAllOrNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	random := rand.New(rand.NewPCG(1, 2))
	names := []string{"A", "B", "C", "A/D", "E"}
	done := 0
	for range 400 {
		set := ChangeSet{}
		for range 1 + random.IntN(4) {
			step := Step{Name: names[random.IntN(len(names))], To: names[random.IntN(len(names))], Text: []byte(fmt.Sprint("text ", random.IntN(9), " [[", names[random.IntN(len(names))], "]]"))}
			step.Kind = []StepKind{StepCreate, StepEdit, StepMove, StepDelete, StepMerge}[random.IntN(5)]
			step.Edit = edit.Edit{Op: edit.Append, Text: fmt.Sprint("- ", random.IntN(1000))}
			if p, err := w.Page(w.t.Context(), w.owner, step.Name, ""); err == nil {
				step.Base = p.File.Blob
			}
			set.Steps = append(set.Steps, step)
		}
		head, before := w.head(), w.all()
		result, err := w.Change(w.t.Context(), w.editor, set)
		if err != nil {
			if w.head() != head || !cmp.Equal(before, w.all()) || wiki.KindOf(err) == nil {
				t.Fatalf("%+v changed something, or failed for no reason: %v", set.Steps, err)
			}
			continue
		}
		done++
		after := w.all()
		for _, p := range result.Pages {
			text, exists := after[string(p.Name)]
			taken := slices.ContainsFunc(result.Pages, func(o ChangedPage) bool { return o.Name == p.Name && o.After != nil })
			if p.Kind == wiki.Deleted && exists && !taken || p.After != nil && text != p.After.Text {
				t.Fatalf("%+v: %s is %q, reported as %+v", set.Steps, p.Name, text, p)
			}
		}
		for _, text := range after {
			if strings.TrimSpace(text) == "" {
				t.Fatalf("%+v emptied a page", set.Steps)
			}
		}
	}
	if done < 30 {
		t.Errorf("only %d requests succeeded", done)
	}
}

// all returns the text of all pages.
func (w *world) all() map[string]string {
	w.t.Helper()
	list, err := w.List(w.t.Context(), w.owner, ListFilter{})
	if err != nil {
		w.t.Fatal(err)
	}
	texts := map[string]string{}
	for _, e := range list {
		texts[string(e.Name)] = w.text(string(e.Name))
	}
	return texts
}
