package edit

import (
	"iter"
	"strings"
	"testing"
)

// An edit only counts as already applied if the old text was there when the writer
// read the page or since, and the new one has replaced it.
func TestAlreadyApplied(t *testing.T) {
	const was = "# A\n\nWhite.\n\nMiddle.\n\nRed.\n"
	between := func(texts ...string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for _, text := range texts {
				if !yield(text, nil) {
					return
				}
			}
		}
	}
	for _, test := range []struct {
		name      string
		base, now string
		since     []string
		edit      Edit
		state     State
		fails     string
		want      string // "" for now
	}{
		{"made since", was, strings.Replace(was, "White", "Black", 1), nil, Edit{Op: Replace, Old: "White.", Text: "Black."}, Applied, "", ""},
		{"made of a later revision", was, strings.Replace(was, "White", "Green", 1), []string{strings.Replace(was, "White", "Blue", 1)}, Edit{Op: Replace, Old: "Blue.", Text: "Green."}, Applied, "", ""},
		{"the new text is elsewhere", was, strings.Replace(was, "White.", "Grey.", 1), nil, Edit{Op: Replace, Old: "White.", Text: "Red."}, 0, "isn't in the page", ""},
		{"the old text was never there", was, was, nil, Edit{Op: Replace, Old: "Purple.", Text: "Red."}, 0, "The new text is already on line 7", ""},
		{"the reader's revision has the new text", was, was, nil, Edit{Op: Replace, Old: "White", Text: "White"}, 0, "the same", ""},
		{"no revision", "", strings.Replace(was, "White", "Black", 1), nil, Edit{Op: Replace, Old: "White.", Text: "Black."}, 0, "The new text is already on line 3", ""},
		{"deleted since", was, strings.Replace(was, "Middle.\n\n", "", 1), nil, Edit{Op: Replace, Old: "Middle.\n\n", Text: ""}, Applied, "", ""},
		{"deleted, but never there", was, was, nil, Edit{Op: Replace, Old: "Purple.\n\n", Text: ""}, 0, "isn't in the page", ""},
		{"inserted since", was, strings.Replace(was, "White.\n", "White.\nNew.\n", 1), nil, Edit{Op: Replace, Old: "White.", Text: "White.\nNew."}, Applied, "", ""},
		{"read with the insertion", strings.Replace(was, "White.\n", "White.\nNew.\n", 1), strings.Replace(was, "White.\n", "White.\nNew.\n", 1), nil,
			Edit{Op: Replace, Old: "White.", Text: "White.\nNew."}, Changed, "", strings.Replace(was, "White.\n", "White.\nNew.\nNew.\n", 1)},
		{"inserted, no revision", "", strings.Replace(was, "White.\n", "White.\nNew.\n", 1), nil, Edit{Op: Replace, Old: "White.", Text: "White.\nNew."}, 0, "send the revision", ""},
		{"everywhere", was + "White.\n", strings.ReplaceAll(was+"White.\n", "White", "Black"), nil, Edit{Op: Replace, Old: "White", Text: "Black", All: true}, Applied, "", ""},
		{"not everywhere", was + "White.\n", strings.Replace(was+"Grey.\n", "White", "Black", 1), nil, Edit{Op: Replace, Old: "White", Text: "Black", All: true}, 0, "isn't in the page", ""},
		{"appended since", was, was + "\nEnd.\n", nil, Edit{Op: Append, Text: "End."}, Applied, "", ""},
		{"appended, no revision", "", was + "\nEnd.\n", nil, Edit{Op: Append, Text: "End."}, Present, "", ""},
		{"read with the end", was, was, nil, Edit{Op: Append, Text: "Red."}, Changed, "", was + "\nRed.\n"},
		{"inserted after since", was, strings.Replace(was, "White.\n", "White.\nNew.\n", 1), nil, Edit{Op: InsertAfter, Old: "White.", Text: "New."}, Applied, "", ""},
		{"the line to insert after was deleted", was, strings.Replace(was, "White.\n", "", 1), nil, Edit{Op: InsertAfter, Old: "White.", Text: "New."}, 0, "isn't in the page", ""},
		{"a section renamed since", was + "\n## B\n\nx\n", was + "\n## C\n\ny\n", nil, Edit{Op: ReplaceSection, Section: "B", Text: "## C\n\ny"}, Applied, "", ""},
		{"the renamed section is another", was + "\n## B\n\nx\n", "# X\n\n## C\n\ny\n\n" + was, nil, Edit{Op: ReplaceSection, Section: "B", Text: "## C\n\ny"}, 0, "was changed while", ""},
		{"a section that never was", was, was + "\n## C\n\ny\n", nil, Edit{Op: ReplaceSection, Section: "B", Text: "## C\n\ny"}, 0, "no section", ""},
		{"a section as it was read", was + "\n## B\n\nx\n", was + "\n## B\n\nz\n", nil, Edit{Op: ReplaceSection, Section: "B", Text: "x"}, 0, "others changed", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := Basis{Since: between(test.since...)}
			if test.base != "" {
				from.Base = NewDocument(test.base)
			}
			got, err := Apply(NewDocument(test.now), from, test.edit)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Fatalf("got %+v, %v, want %q", got, err, test.fails)
				}
				return
			}
			want := test.want
			if want == "" {
				want = test.now
			}
			if err != nil || got.State != test.state || got.Text != want {
				t.Errorf("got %+v, %v, want state %d and %q", got, err, test.state, want)
			}
		})
	}
}

// Two equal insertions of one request are both made.
func TestInsertTwice(t *testing.T) {
	doc := NewDocument("- a\n")
	first, err := Apply(doc, Basis{Page: doc}, Edit{Op: Append, Text: "- b"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := Apply(first.Document, Basis{Page: doc}, Edit{Op: Append, Text: "- b"})
	if err != nil || second.Text != "- a\n- b\n- b\n" {
		t.Errorf("%q, %v", second.Text, err)
	}
}
