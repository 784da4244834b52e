package edit

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

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

func TestApply(t *testing.T) {
	for _, test := range []struct {
		name  string
		edits []Edit
		want  [2]string // replaced by what in the plan
	}{
		{"append to the page", []Edit{{Op: Append, Text: "More."}}, [2]string{"A note.\n", "A note.\n\nMore.\n"}},
		{"append a paragraph", []Edit{{Op: Append, Text: "\nMore.\n\n"}}, [2]string{"A note.\n", "A note.\n\nMore.\n"}},
		{"append to a section, not its subsections", []Edit{{Op: Append, Section: "Tasks", Text: "- new"}}, [2]string{"- two\n", "- two\n- new\n"}},
		{"append by a path", []Edit{{Op: Append, Section: "tasks > later", Text: "- new"}}, [2]string{"- three\n", "- three\n- new\n"}},
		{"prepend to the page", []Edit{{Op: Prepend, Text: "Look:"}}, [2]string{"# Plan", "Look:\n\n# Plan"}},
		{"prepend to a section", []Edit{{Op: Prepend, Section: "Tasks", Text: "- zero"}}, [2]string{"- one\n", "- zero\n- one\n"}},
		{"insert after a line", []Edit{{Op: InsertAfter, Old: "- one", Text: "- one and a half"}}, [2]string{"- one\n", "- one\n- one and a half\n"}},
		{"insert after a section", []Edit{{Op: InsertAfter, Section: "Tasks", Text: "## Risks\n\nNone."}}, [2]string{"- three\n\n", "- three\n\n## Risks\n\nNone.\n\n"}},
		{"replace", []Edit{{Op: Replace, Old: "A note.", Text: "Two notes."}}, [2]string{"A note.", "Two notes."}},
		{"replace in a section", []Edit{{Op: Replace, Section: "Notes", Old: "note", Text: "remark"}}, [2]string{"A note.", "A remark."}},
		{"replace all", []Edit{{Op: Replace, Old: "- t", Text: "* t", All: true}}, [2]string{"- two\n\n### Later\n\n- three", "* two\n\n### Later\n\n* three"}},
		{"a section, its heading kept", []Edit{{Op: ReplaceSection, Section: "Notes", Text: "Nothing."}}, [2]string{"A note.\n", "Nothing.\n"}},
		{"a section with its heading", []Edit{{Op: ReplaceSection, Section: "Later", Text: "### Much later\n- x"}}, [2]string{"### Later\n\n- three\n", "### Much later\n- x\n"}},
		{"a section with its subsections", []Edit{{Op: ReplaceSection, Section: "Tasks", Text: "None.\n\n### Later\n"}}, [2]string{"- one\n- two\n\n### Later\n\n- three\n", "None.\n\n### Later\n"}},
		{"a section without its subsections", []Edit{{Op: ReplaceSection, Section: "Tasks", Text: "None.", All: true}}, [2]string{"- one\n- two\n\n### Later\n\n- three\n", "None.\n"}},
		{"set a key", []Edit{{Op: SetMeta, Text: "status: done"}}, [2]string{"status: draft", "status: done"}},
		{"add a key", []Edit{{Op: SetMeta, Text: "owner: ada"}}, [2]string{"tags: [a, b]\n", "tags: [a, b]\nowner: ada\n"}},
		{"remove a key", []Edit{{Op: SetMeta, Text: "status:"}}, [2]string{"status: draft\n", ""}},
		{"several", []Edit{{Op: Replace, Old: "- one\n", Text: ""}, {Op: Append, Section: "Notes", Text: "- one"}}, [2]string{"", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := strings.Replace(plan, test.want[0], test.want[1], 1)
			if test.name == "several" {
				want = strings.Replace(plan, "- one\n", "", 1) + "\n- one\n"
			}
			doc := NewDocument(plan)
			got, err := applyAll(doc, doc, test.edits)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.Text); diff != "" {
				t.Fatal(diff)
			}
			if test.name == "several" {
				return // its first edit removes what its second adds
			}
			// The same edits of the same revision change nothing again.
			again, err := applyAll(got, doc, test.edits)
			if err != nil {
				t.Error(err)
			} else if again.Text != want {
				t.Error(cmp.Diff(want, again.Text))
			}
		})
	}
}

func applyAll(doc, base *Document, edits []Edit) (*Document, error) {
	for _, e := range edits {
		r, err := Apply(doc, Basis{Base: base}, e)
		if err != nil {
			return nil, err
		}
		doc = r.Document
	}
	return doc, nil
}

func TestApplyRejects(t *testing.T) {
	for _, test := range []struct {
		edit Edit
		base bool
		kind error
		says string
	}{
		{Edit{Op: Replace, Old: "- t", Text: "x"}, false, wiki.ErrInvalid, "on lines 13, 17"},
		{Edit{Op: Replace, Old: "Lead of this plan.", Text: "x"}, false, wiki.ErrInvalid, `The most similar text is on line 8, with "e" instead of "i" at column 11: Lead of the plan.`},
		{Edit{Op: Replace, Old: "Qqqqqqqq", Text: "x"}, false, wiki.ErrInvalid, "neither is anything similar"},
		{Edit{Op: Replace, Section: "Notes", Old: "- one", Text: "x"}, false, wiki.ErrInvalid, "but on line 12"},
		{Edit{Op: Replace, Old: "note", Text: "x", All: true}, false, wiki.ErrPreconditionRequired, "requires the revision"},
		{Edit{Op: Replace, Old: "x", Text: "x"}, false, wiki.ErrInvalid, "the same"},
		{Edit{Op: ReplaceSection, Section: "Notes", Text: "x"}, false, wiki.ErrPreconditionRequired, "requires the revision"},
		{Edit{Op: ReplaceSection, Section: "Tasks", Text: "x"}, true, wiki.ErrInvalid, `drop the subsections "Later"`},
		{Edit{Op: ReplaceSection, Text: "x"}, true, wiki.ErrInvalid, "Name the section"},
		{Edit{Op: Append, Section: "Nowhere", Text: "x"}, false, wiki.ErrNotFound, `The page has "Plan" (lines 6-21), "Plan > Tasks" (lines 10-18)`},
		{Edit{Op: Append, Text: " \n"}, false, wiki.ErrInvalid, "empty"},
		{Edit{Op: SetMeta, Text: "nonsense"}, true, wiki.ErrInvalid, "key: value"},
		{Edit{Op: SetMeta, Text: "a: [b"}, true, wiki.ErrInvalid, "quotes"},
		{Edit{Op: "erase"}, true, wiki.ErrInvalid, "Unknown operation"},
	} {
		doc := NewDocument(plan)
		var base *Document
		if test.base {
			base = doc
		}
		if _, err := Apply(doc, Basis{Base: base}, test.edit); !errors.Is(err, test.kind) || !strings.Contains(fmt.Sprint(err), test.says) {
			t.Errorf("%+v: got %v, want %v with %q", test.edit, err, test.kind, test.says)
		}
	}
}

// Setting a key leaves other keys, comments and blank lines alone.
func TestSetMetaKeepsOtherLines(t *testing.T) {
	const text = "---\nsubstatus: a\nstatus: a\n# a comment\n\ntags:\n- x\n\n- y\n# another\nlast: z\n---\nBody\n"
	for _, test := range []struct{ set, old, new string }{
		{"status: b", "\nstatus: a\n", "\nstatus: b\n"},
		{"status:", "\nstatus: a\n", "\n"},
		{"tags: [z]", "tags:\n- x\n\n- y\n", "tags: [z]\n"},
		{"more: c", "last: z\n", "last: z\nmore: c\n"},
	} {
		doc := NewDocument(text)
		got, err := Apply(doc, Basis{Base: doc}, Edit{Op: SetMeta, Text: test.set})
		if err != nil {
			t.Errorf("%s: %v", test.set, err)
		} else if diff := cmp.Diff(strings.Replace(text, test.old, test.new, 1), got.Text); diff != "" {
			t.Errorf("%s: %s", test.set, diff)
		}
	}
}

// A section's new text can't repeat a heading that the page has beside it.
func TestReplaceSectionRepeatsNoSibling(t *testing.T) {
	for _, test := range []struct{ section, text, says string }{
		{"Tasks", "- one\n\n### Later\n\n- three\n\n## Notes\n", `two sections "Notes", on lines `},
		{"Tasks", "## Notes\n\n- one\n\n### Later\n", `two sections "Notes"`},
		{"Notes", "## Tasks\n\nA note.", `two sections "Tasks"`},
		{"Tasks", "- one\n\n### Later\n\n### Notes\n", ""},
		{"Notes", "## Notes\n\n### Later\n\nA note.", ""},
		{"Tasks", "None.\n\n### Later\n\n## Risks\n\nNone.", ""},
	} {
		doc := NewDocument(plan)
		_, err := Apply(doc, Basis{Base: doc}, Edit{Op: ReplaceSection, Section: test.section, Text: test.text})
		if test.says == "" && err != nil || test.says != "" && !strings.Contains(fmt.Sprint(err), test.says) {
			t.Errorf("%s: %q: got %v, want %q", test.section, test.text, err, test.says)
		}
	}
	// Headings that occur twice already don't get in the way.
	doc := NewDocument("# A\n\n## X\n\none\n\n## X\n\ntwo\n\n## Y\n\nthree\n")
	if got, err := Apply(doc, Basis{Base: doc}, Edit{Op: ReplaceSection, Section: "Y", Text: "four"}); err != nil || !strings.HasSuffix(got.Text, "## Y\n\nfour\n") {
		t.Errorf("%v", err)
	}
}
