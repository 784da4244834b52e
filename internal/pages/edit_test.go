package pages

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

const plan = `---
status: draft
tags: [a, b]
---

# Plan

Lead of the plan.

## Tasks

- one
- two

### Later

- three

## Notes

A note.
`

// Several edits are one commit, or none if one of them fails.
func TestApplyEdits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Plan", plan)
	base, head := w.page("Plan").File.Blob, w.head()
	r := EditRequest{Name: "plan", Base: base, Edits: []edit.Edit{
		{Op: edit.Replace, Old: "A note.", Text: "Two notes."}, {Op: edit.Append, Section: "Notes", Text: "More."}, {Op: edit.SetMeta, Text: "status: draft"},
	}}
	r.DryRun = true
	want := strings.Replace(plan, "A note.\n", "Two notes.\n\nMore.\n", 1)
	if done, err := w.ApplyEdits(w.t.Context(), w.editor, r); err != nil || done.Unchanged || done.After.Text != want || w.head() != head {
		t.Errorf("dry run: %+v, %v", done.Saved, err)
	}
	r.DryRun = false
	done, err := w.ApplyEdits(w.t.Context(), w.editor, r)
	if err != nil || done.Unchanged || done.Revision == base || done.Edits[1].State != edit.Changed || done.Edits[2].State != edit.Present || w.head() != head+1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if diff := cmp.Diff(want, w.text("Plan")); diff != "" || done.After.Text != want {
		t.Error(diff)
	}
	again, err := w.ApplyEdits(w.t.Context(), w.editor, r)
	if err != nil || !again.Unchanged || again.Edits[0].State != edit.Applied || again.Edits[1].State != edit.Applied || w.text("Plan") != want {
		t.Errorf("again: %+v, %v", again, err)
	}
	r.Base = done.Revision
	if _, err := w.ApplyEdits(w.t.Context(), w.editor, r); !errors.Is(err, wiki.ErrInvalid) || w.text("Plan") != want {
		t.Errorf("again, of the new revision: %v", err)
	}
	r.Edits = []edit.Edit{{Op: edit.Append, Text: "first"}, {Op: edit.Append, Section: "Nowhere", Text: "x"}}
	if _, err := w.ApplyEdits(w.t.Context(), w.editor, r); !errors.Is(err, wiki.ErrNotFound) || !strings.Contains(err.Error(), "Edit 2 (append): ") || w.text("Plan") != want {
		t.Errorf("got %v", err)
	}
}

// Edits keep concurrent changes by others, and conflict on the same lines.
func TestStaleEdits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Plan", plan)
	base := w.page("Plan").File.Blob
	theirs := strings.Replace(strings.Replace(plan, "- two", "- 2", 1), "A note.", "A note.\nTheirs.", 1)
	w.put("Plan", theirs)
	apply := func(e edit.Edit) (EditResult, error) {
		return w.ApplyEdits(w.t.Context(), w.editor, EditRequest{Name: "Plan", Base: base, Edits: []edit.Edit{e}})
	}
	done, err := apply(edit.Edit{Op: edit.Append, Section: "Notes", Text: "Mine."})
	if want := strings.Replace(theirs, "Theirs.\n", "Theirs.\n\nMine.\n", 1); err != nil || !done.Merged || w.text("Plan") != want {
		t.Fatalf("%+v %v\n%s", done.Saved, err, cmp.Diff(want, w.text("Plan")))
	}
	if _, err = apply(edit.Edit{Op: edit.ReplaceSection, Section: "Tasks", Text: "- one\n- two\n\n### Later\n\n- 3"}); err != nil {
		t.Fatal(err)
	}
	if got := w.text("Plan"); !strings.Contains(got, "- 2\n\n### Later\n\n- 3\n") {
		t.Errorf("not merged:\n%s", got)
	}
	before := w.text("Plan")
	_, err = apply(edit.Edit{Op: edit.ReplaceSection, Section: "Tasks", Text: "- one\n- zwei\n\n### Later\n\n- three"})
	var c *wiki.ConflictError
	if !errors.As(err, &c) || len(c.Hunks) == 0 || c.Hunks[0].Theirs != "- 2\n" || c.Hunks[0].TheirLine != 13 || w.text("Plan") != before {
		t.Errorf("%v %+v", err, c)
	}
	if _, err := apply(edit.Edit{Op: edit.SetMeta, Text: "status: mine"}); err != nil {
		t.Error(err)
	}
	if _, err := apply(edit.Edit{Op: edit.SetMeta, Text: "status: other"}); !errors.Is(err, wiki.ErrConflict) {
		t.Errorf("the key was changed meanwhile: %v", err)
	}
}

// A writer who has read part of a page can only overwrite that part.
func TestEditsOfPartialReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Plan", plan)
	r := EditRequest{Name: "Plan", Base: w.page("Plan").File.Blob, Seen: &edit.Lines{From: 10, To: 14}, Edits: []edit.Edit{{Op: edit.ReplaceSection, Section: "Tasks", Text: "x", All: true}}}
	if _, err := w.ApplyEdits(w.t.Context(), w.editor, r); !errors.Is(err, wiki.ErrPreconditionRequired) || !strings.Contains(err.Error(), "lines 10-18") {
		t.Errorf("%v", err)
	}
	r.Seen.To = 17 // without the blank line after it
	if _, err := w.ApplyEdits(w.t.Context(), w.editor, r); err != nil {
		t.Error(err)
	}
}

// A retry is applied once. The same edit after a revert, or after its window, is a
// new request.
func TestRetriedEdits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Log", "# Log\n")
	base := w.page("Log").File.Blob
	send := func(base, key, text string) EditResult {
		t.Helper()
		done, err := w.ApplyEdits(w.t.Context(), w.editor, EditRequest{Name: "Log", Base: base, Edits: []edit.Edit{{Op: edit.Append, Text: text}},
			Write: Write{IdempotencyKey: key, IdempotencyHash: key, IdempotencyWindow: 60e9}})
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	send(base, "k", "- a")
	first := w.page("Log").File.Blob
	send("", "l", "- b")
	if done := send(base, "k", "- a"); !done.Replayed || done.Revision != first || w.text("Log") != "# Log\n\n- a\n- b\n" {
		t.Errorf("%+v %q", done.Saved, w.text("Log"))
	}
	w.put("Log", "# Log\n")
	if done := send(base, "k", "- a"); done.Replayed || w.text("Log") != "# Log\n\n- a\n" {
		t.Errorf("after a revert: %+v %q", done.Saved, w.text("Log"))
	}
	send("", "o", "- c")
	if done := send("", "m", "- a"); done.Replayed || w.text("Log") != "# Log\n\n- a\n- c\n- a\n" {
		t.Errorf("%+v %q", done.Saved, w.text("Log"))
	}
	if done := send("", "m", "- a"); !done.Unchanged {
		t.Errorf("twice: %+v", done.Saved)
	}
	w.clock.Add(61)
	send("", "n", "- d")
	if done := send("", "m", "- a"); done.Replayed || !strings.HasSuffix(w.text("Log"), "- d\n- a\n") {
		t.Errorf("after the window: %+v %q", done.Saved, w.text("Log"))
	}
}

// The text to replace was in a revision after the one that the writer read.
func TestAppliedToARevisionSince(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Plan", "one\n\nx\n")
	base := w.page("Plan").File.Blob
	w.put("Plan", "two\n\nx\n")
	w.put("Plan", "three\n\nx\n")
	apply := func(old, text string) (EditResult, error) {
		return w.ApplyEdits(w.t.Context(), w.editor, EditRequest{Name: "Plan", Base: base, Edits: []edit.Edit{{Op: edit.Replace, Old: old, Text: text}}})
	}
	for _, old := range []string{"one", "two"} {
		if done, err := apply(old, "three"); err != nil || !done.Unchanged || done.Edits[0].State != edit.Applied {
			t.Errorf("%s: %+v, %v", old, done, err)
		}
	}
	if _, err := apply("two", "x"); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	for i := range maxTextsBetween + 1 {
		w.put("Plan", fmt.Sprintf("three\n\nx%d\n", i))
	}
	if _, err := apply("two", "three"); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("too long ago: %v", err)
	}
}
