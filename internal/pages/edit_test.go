package pages

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

func TestApplyEdits(t *testing.T) {
	for _, test := range []struct {
		name  string
		edits []TextEdit
		want  [2]string // what becomes what in the plan; "" for nothing changes
	}{
		{"append to the page", []TextEdit{{Op: Append, Text: "More."}}, [2]string{"A note.\n", "A note.\nMore.\n"}},
		{"append a paragraph", []TextEdit{{Op: Append, Text: "\nMore.\n\n"}}, [2]string{"A note.\n", "A note.\n\nMore.\n"}},
		{"append to a section, not its subsections", []TextEdit{{Op: Append, Section: "Tasks", Text: "- new"}}, [2]string{"- two\n", "- two\n- new\n"}},
		{"append by a path", []TextEdit{{Op: Append, Section: "tasks > later", Text: "- new"}}, [2]string{"- three\n", "- three\n- new\n"}},
		{"prepend to the page", []TextEdit{{Op: Prepend, Text: "Look:"}}, [2]string{"# Plan", "Look:\n\n# Plan"}},
		{"prepend to a section", []TextEdit{{Op: Prepend, Section: "Tasks", Text: "- zero"}}, [2]string{"- one\n", "- zero\n- one\n"}},
		{"insert after a line", []TextEdit{{Op: InsertAfter, Old: "- one", Text: "- one and a half"}}, [2]string{"- one\n", "- one\n- one and a half\n"}},
		{"insert after a section", []TextEdit{{Op: InsertAfter, Section: "Tasks", Text: "## Risks\n\nNone."}}, [2]string{"- three\n\n", "- three\n\n## Risks\n\nNone.\n\n"}},
		{"replace", []TextEdit{{Op: Replace, Old: "A note.", Text: "Two notes."}}, [2]string{"A note.", "Two notes."}},
		{"replace in a section", []TextEdit{{Op: Replace, Section: "Notes", Old: "note", Text: "remark"}}, [2]string{"A note.", "A remark."}},
		{"replace all", []TextEdit{{Op: Replace, Old: "- t", Text: "* t", All: true}}, [2]string{"- two\n\n### Later\n\n- three", "* two\n\n### Later\n\n* three"}},
		{"a section, its heading kept", []TextEdit{{Op: ReplaceSection, Section: "Notes", Text: "Nothing."}}, [2]string{"A note.\n", "Nothing.\n"}},
		{"a section with its heading", []TextEdit{{Op: ReplaceSection, Section: "Later", Text: "### Much later\n- x"}}, [2]string{"### Later\n\n- three\n", "### Much later\n- x\n"}},
		{"a section with its subsections", []TextEdit{{Op: ReplaceSection, Section: "Tasks", Text: "None.\n\n### Later\n"}}, [2]string{"- one\n- two\n\n### Later\n\n- three\n", "None.\n\n### Later\n"}},
		{"a section without its subsections", []TextEdit{{Op: ReplaceSection, Section: "Tasks", Text: "None.", All: true}}, [2]string{"- one\n- two\n\n### Later\n\n- three\n", "None.\n"}},
		{"a key", []TextEdit{{Op: SetMeta, Text: "status: done"}}, [2]string{"status: draft", "status: done"}},
		{"a new key", []TextEdit{{Op: SetMeta, Text: "owner: ada"}}, [2]string{"tags: [a, b]\n", "tags: [a, b]\nowner: ada\n"}},
		{"no key", []TextEdit{{Op: SetMeta, Text: "status:"}}, [2]string{"status: draft\n", ""}},
		{"several", []TextEdit{{Op: Replace, Old: "- one\n", Text: ""}, {Op: Append, Section: "Notes", Text: "- one"}}, [2]string{"", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.put("Plan", plan)
			base := w.page("Plan").File.Blob
			done, err := w.ApplyEdits(w.ctx, w.editor, EditRequest{Name: "plan", Base: base, Edits: test.edits})
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(plan, test.want[0], test.want[1], 1)
			if test.name == "several" {
				want = strings.Replace(plan, "- one\n", "", 1) + "- one\n"
			}
			if diff := cmp.Diff(want, w.text("Plan")); diff != "" {
				t.Fatal(diff)
			}
			if done.Unchanged || done.Revision == base || done.After.Text != want {
				t.Errorf("%+v", done.Saved)
			}
			// The same on its own result changes nothing, of either revision.
			for _, base := range []string{base, done.Revision} {
				again, err := w.ApplyEdits(w.ctx, w.editor, EditRequest{Name: "Plan", Base: base, Edits: test.edits})
				if test.name == "several" {
					continue // its first edit takes away what its second adds
				}
				if err != nil || !again.Unchanged || w.text("Plan") != want {
					t.Errorf("again from %.8s: %+v, %v\n%s", base, again.Saved, err, cmp.Diff(want, w.text("Plan")))
				}
			}
		})
	}
}

func TestEditsAreRefused(t *testing.T) {
	for _, test := range []struct {
		edit TextEdit
		base bool
		kind error
		says string
	}{
		{TextEdit{Op: Replace, Old: "- t", Text: "x"}, false, wiki.ErrInvalid, "on lines 13, 17"},
		{TextEdit{Op: Replace, Old: "Lead of this plan.", Text: "x"}, false, wiki.ErrInvalid, "Nearest is line 8: Lead of the plan."},
		{TextEdit{Op: Replace, Old: "Qqqqqqqq", Text: "x"}, false, wiki.ErrInvalid, "nothing like it"},
		{TextEdit{Op: Replace, Section: "Notes", Old: "- one", Text: "x"}, false, wiki.ErrInvalid, "but on line 12"},
		{TextEdit{Op: Replace, Old: "note", Text: "x", All: true}, false, wiki.ErrPreconditionRequired, "needs the revision"},
		{TextEdit{Op: Replace, Old: "x", Text: "x"}, false, wiki.ErrInvalid, "the same"},
		{TextEdit{Op: ReplaceSection, Section: "Notes", Text: "x"}, false, wiki.ErrPreconditionRequired, "needs the revision"},
		{TextEdit{Op: ReplaceSection, Section: "Tasks", Text: "x"}, true, wiki.ErrInvalid, `drop the subsections "Later"`},
		{TextEdit{Op: ReplaceSection, Text: "x"}, true, wiki.ErrInvalid, "Name the section"},
		{TextEdit{Op: Append, Section: "Nowhere", Text: "x"}, false, wiki.ErrNotFound, `The page has "Plan" (lines 6-22), "Plan > Tasks" (lines 10-18)`},
		{TextEdit{Op: Append, Text: " \n"}, false, wiki.ErrInvalid, "empty"},
		{TextEdit{Op: SetMeta, Text: "nonsense"}, true, wiki.ErrInvalid, "key: value"},
		{TextEdit{Op: SetMeta, Text: "a: [b"}, true, wiki.ErrInvalid, "quotes"},
		{TextEdit{Op: "erase"}, true, wiki.ErrInvalid, "is no edit"},
	} {
		w := newWorld(t)
		w.put("Plan", plan)
		r := EditRequest{Name: "Plan", Edits: []TextEdit{{Op: Append, Text: "first"}, test.edit}}
		if test.base {
			r.Base = w.page("Plan").File.Blob
		}
		_, err := w.ApplyEdits(w.ctx, w.editor, r)
		if !errors.Is(err, test.kind) || !strings.Contains(fmt.Sprint(err), test.says) || !strings.Contains(fmt.Sprint(err), "Edit 2") {
			t.Errorf("%+v: %v, want %v with %q", test.edit, err, test.kind, test.says)
		}
		if w.text("Plan") != plan {
			t.Errorf("%+v: it was changed", test.edit)
		}
	}
}

// What others did meanwhile stays, and what they did to the same lines is shown.
func TestStaleEdits(t *testing.T) {
	w := newWorld(t)
	w.put("Plan", plan)
	base := w.page("Plan").File.Blob
	theirs := strings.Replace(strings.Replace(plan, "- two", "- 2", 1), "A note.", "A note.\nTheirs.", 1)
	w.put("Plan", theirs)
	edit := func(e TextEdit) (Edited, error) {
		return w.ApplyEdits(w.ctx, w.editor, EditRequest{Name: "Plan", Base: base, Edits: []TextEdit{e}})
	}
	done, err := edit(TextEdit{Op: Append, Section: "Notes", Text: "Mine."})
	if want := strings.Replace(theirs, "Theirs.\n", "Theirs.\nMine.\n", 1); err != nil || !done.Merged || w.text("Plan") != want {
		t.Fatalf("%+v %v\n%s", done.Saved, err, cmp.Diff(want, w.text("Plan")))
	}
	if _, err = edit(TextEdit{Op: ReplaceSection, Section: "Tasks", Text: "- one\n- two\n\n### Later\n\n- 3"}); err != nil {
		t.Fatal(err)
	}
	if got := w.text("Plan"); !strings.Contains(got, "- 2\n\n### Later\n\n- 3\n") {
		t.Errorf("not merged:\n%s", got)
	}
	before := w.text("Plan")
	_, err = edit(TextEdit{Op: ReplaceSection, Section: "Tasks", Text: "- one\n- zwei\n\n### Later\n\n- three"})
	var c *wiki.ConflictError
	if !errors.As(err, &c) || len(c.Hunks) == 0 || c.Hunks[0].Theirs != "- 2\n" || c.Hunks[0].TheirLine != 13 || w.text("Plan") != before {
		t.Errorf("%v %+v", err, c)
	}
	if _, err := edit(TextEdit{Op: SetMeta, Text: "status: mine"}); err != nil {
		t.Error(err)
	}
	if _, err := edit(TextEdit{Op: SetMeta, Text: "status: other"}); !errors.Is(err, wiki.ErrConflict) {
		t.Errorf("the key was changed since: %v", err)
	}
}

// Who read a part of a page can overwrite no more than that.
func TestEditsOfCutReads(t *testing.T) {
	w := newWorld(t)
	w.put("Plan", plan)
	r := EditRequest{Name: "Plan", Base: w.page("Plan").File.Blob, Seen: &Lines{10, 14}, Edits: []TextEdit{{Op: ReplaceSection, Section: "Tasks", Text: "x", All: true}}}
	if _, err := w.ApplyEdits(w.ctx, w.editor, r); !errors.Is(err, wiki.ErrPreconditionRequired) || !strings.Contains(err.Error(), "lines 10-18") {
		t.Errorf("%v", err)
	}
	r.Seen.To = 17 // the blank line after it has not been shown
	if _, err := w.ApplyEdits(w.ctx, w.editor, r); err != nil {
		t.Error(err)
	}
}

// A retry does once what it was sent to do; the same edit after a revert, or
// after its window, is a new one.
func TestRetriedEdits(t *testing.T) {
	w := newWorld(t)
	w.put("Log", "# Log\n")
	base := w.page("Log").File.Blob
	send := func(base, key, text string) Edited {
		t.Helper()
		done, err := w.ApplyEdits(w.ctx, w.editor, EditRequest{Name: "Log", Base: base, Edits: []TextEdit{{Op: Append, Text: text}},
			Write: Write{IdempotencyKey: key, IdempotencyHash: key, IdempotencyWindow: 60e9}})
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	send(base, "k", "- a")
	first := w.page("Log").File.Blob
	send("", "l", "- b")
	if done := send(base, "k", "- a"); !done.Replayed || done.Revision != first || w.text("Log") != "# Log\n- a\n- b\n" {
		t.Errorf("%+v %q", done.Saved, w.text("Log"))
	}
	w.put("Log", "# Log\n")
	if done := send(base, "k", "- a"); done.Replayed || w.text("Log") != "# Log\n- a\n" {
		t.Errorf("after a revert: %+v %q", done.Saved, w.text("Log"))
	}
	send("", "o", "- c")
	if done := send("", "m", "- a"); done.Replayed || w.text("Log") != "# Log\n- a\n- c\n- a\n" {
		t.Errorf("%+v %q", done.Saved, w.text("Log"))
	}
	if done := send("", "m", "- a"); !done.Unchanged {
		t.Errorf("twice: %+v", done.Saved)
	}
	for range 61 { // the clock goes on by a second at each look
		w.now()
	}
	send("", "n", "- d")
	if done := send("", "m", "- a"); done.Replayed || !strings.HasSuffix(w.text("Log"), "- d\n- a\n") {
		t.Errorf("after the window: %+v %q", done.Saved, w.text("Log"))
	}
}
