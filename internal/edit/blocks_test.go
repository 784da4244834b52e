package edit

import (
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/markdown"
)

func TestInsertionsKeepBlocksApart(t *testing.T) {
	for _, test := range []struct{ name, page, text, appended, prepended string }{
		{"a paragraph and a paragraph", "One.\n", "Two.", "One.\n\nTwo.\n", "Two.\n\nOne.\n"},
		{"a paragraph and a list", "- a\n", "Two.", "- a\n\nTwo.\n", "Two.\n\n- a\n"},
		{"a list and a paragraph", "One.\n", "- b", "One.\n\n- b\n", "- b\n\nOne.\n"},
		{"an item of the list", "- a\n", "- b", "- a\n- b\n", "- b\n- a\n"},
		{"a task of the list", "- [ ] a\n", "- [x] b\n- [ ] c\n", "- [ ] a\n- [x] b\n- [ ] c\n", "- [x] b\n- [ ] c\n- [ ] a\n"},
		{"an item of a spaced list", "- a\n\n- b\n", "- c", "- a\n\n- b\n\n- c\n", "- c\n- a\n\n- b\n"},
		{"a number of the list", "1. a\n2. b\n", "3. c", "1. a\n2. b\n3. c\n", "3. c\n1. a\n2. b\n"},
		{"a list with another marker", "- a\n", "* b", "- a\n\n* b\n", "* b\n\n- a\n"},
		{"a numbered list", "- a\n", "1. b", "- a\n\n1. b\n", "1. b\n\n- a\n"},
		{"an item of the last item", "- a\n", "  - b", "- a\n  - b\n", ""},
		{"text of the last item", "- a\n", "  More.", "- a\n  More.\n", ""},
		{"an item after nested ones", "- a\n  - b\n", "- c", "- a\n  - b\n- c\n", "- c\n- a\n  - b\n"},
		{"a row of the table", "| a | b |\n|---|---|\n| 1 | 2 |\n", "| 3 | 4 |", "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n", "| 3 | 4 |\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"},
		{"a row of an empty table", "| a | b |\n|---|---|\n", "| 3 | 4 |", "| a | b |\n|---|---|\n| 3 | 4 |\n", ""},
		{"a row without outer pipes", "a | b\n--|--\n1 | 2\n", "3 | 4", "a | b\n--|--\n1 | 2\n3 | 4\n", ""},
		{"a table after a table", "| a |\n|---|\n| 1 |\n", "| b |\n|---|", "| a |\n|---|\n| 1 |\n\n| b |\n|---|\n", "| b |\n|---|\n\n| a |\n|---|\n| 1 |\n"},
		{"a paragraph and a table", "| a |\n|---|\n| 1 |\n", "Two.", "| a |\n|---|\n| 1 |\n\nTwo.\n", "Two.\n\n| a |\n|---|\n| 1 |\n"},
		{"a line of the quote", "> a\n", "> b", "> a\n> b\n", "> b\n> a\n"},
		{"a paragraph and a quote", "> a\n", "Two.", "> a\n\nTwo.\n", "Two.\n\n> a\n"},
		{"a notice and a quote", "> a\n", "> [!NOTE]\n> b", "> a\n\n> [!NOTE]\n> b\n", "> [!NOTE]\n> b\n\n> a\n"},
		{"a line of the notice", "> [!NOTE]\n> a\n", "> b", "> [!NOTE]\n> a\n> b\n", "> b\n\n> [!NOTE]\n> a\n"},
		{"code", "```\na\n```\n", "Two.", "```\na\n```\n\nTwo.\n", "Two.\n\n```\na\n```\n"},
		{"open code", "```go\na\n", "Two.", "```go\na\n```\n\nTwo.\n", "Two.\n\n```go\na\n"},
		{"indented code", "    a\n", "Two.", "    a\n\nTwo.\n", "Two.\n\n    a\n"},
		{"HTML", "<div>\nx\n</div>\n", "Two.", "<div>\nx\n</div>\n\nTwo.\n", "Two.\n\n<div>\nx\n</div>\n"},
		{"a heading", "# One\n", "Two.", "# One\n\nTwo.\n", "Two.\n\n# One\n"},
		{"an underlined heading", "One\n===\n", "Two.", "One\n===\n\nTwo.\n", "Two.\n\nOne\n===\n"},
		{"an underline", "One\n", "---", "One\n\n---\n", "---\n\nOne\n"},
		{"a page without a final newline", "One.", "Two.", "One.\n\nTwo.", "Two.\n\nOne."},
		{"an empty page", "", "Two.", "Two.\n", "Two.\n"},
		{"front matter", "---\na: 1\n---\n", "Two.", "---\na: 1\n---\n\nTwo.\n", "---\na: 1\n---\n\nTwo.\n"},
		{"a definition", "Term\n", ": meaning", "Term\n: meaning\n", ""},
		{"a definition of a note", "One[^1].\n", "[^1]: Note.", "One[^1].\n\n[^1]: Note.\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for op, want := range map[Op]string{Append: test.appended, Prepend: test.prepended} {
				if want == "" {
					continue
				}
				got, err := Apply(NewDocument(test.page), Basis{}, Edit{Op: op, Text: test.text})
				if err != nil {
					t.Errorf("%s: %v", op, err)
				} else if got.Text != want {
					t.Errorf("%s: got %q, want %q", op, got.Text, want)
				}
			}
		})
	}
}

// A section is like a page, and the heading after it is kept apart too.
func TestInsertionsIntoSections(t *testing.T) {
	const page = "# Page\n## A\n- a\n## B\n### C\n- c\n## D\nEnd.\n"
	for _, test := range []struct {
		edit     Edit
		old, new string
	}{
		{Edit{Op: Append, Section: "A", Text: "- b"}, "- a\n", "- a\n- b\n\n"},
		{Edit{Op: Append, Section: "A", Text: "Two."}, "- a\n", "- a\n\nTwo.\n\n"},
		{Edit{Op: Append, Section: "B", Text: "Two."}, "## B\n", "## B\n\nTwo.\n\n"},
		{Edit{Op: Prepend, Section: "D", Text: "Two."}, "End.\n", "Two.\n\nEnd.\n"},
		{Edit{Op: InsertAfter, Section: "B", Text: "- d"}, "- c\n", "- c\n- d\n\n"},
		{Edit{Op: InsertAfter, Section: "B", Text: "## New"}, "- c\n", "- c\n\n## New\n\n"},
		{Edit{Op: InsertAfter, Section: "D", Text: "\n- d"}, "End.\n", "End.\n\n- d\n"},
	} {
		got, err := Apply(NewDocument(page), Basis{}, test.edit)
		if err != nil {
			t.Errorf("%+v: %v", test.edit, err)
		} else if want := strings.Replace(page, test.old, test.new, 1); got.Text != want {
			t.Errorf("%+v: got %q, want %q", test.edit, got.Text, want)
		}
	}
}

func TestInsertionsThatCantBeKeptApart(t *testing.T) {
	for _, test := range []struct {
		page string
		edit Edit
		says string
	}{
		{"One.\n\n<!-- open\n", Edit{Op: Append, Text: "Two."}, "part of what begins on line 3"},
		{"::: info\nx\n", Edit{Op: Append, Text: "Two."}, "part of what begins on line 1"},
		{"One.\n", Edit{Op: Prepend, Text: "```\ncode"}, "take in what follows on line 1"},
		{"# A\n\nx\n\n# B\n", Edit{Op: Append, Section: "A", Text: "<!-- open"}, "take in what follows on line 4"},
		{"One.\n\n---\n", Edit{Op: Prepend, Text: "---\n- a"}, "begin with front matter"},
		{"    code\n", Edit{Op: Prepend, Text: "- a"}, "take in what follows on line 1"},
	} {
		if got, err := Apply(NewDocument(test.page), Basis{}, test.edit); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q, %+v: got %+v, %v", test.page, test.edit, got, err)
		}
	}
}

// FuzzInsertions: the page's blocks are read as before, and the text as it is alone,
// unless one continues the other.
func FuzzInsertions(f *testing.F) {
	texts := []string{"One.\n", "- a\n- b\n", "  - x", "* a", "1. a\n", "| a | b |\n|---|---|\n| 1 | 2 |\n", "| 3 | 4 |", "> a\n> b\n", "> [!NOTE]\n> a",
		"```\na\n```\n", "~~~\na", "    code\n", "<div>\nx\n</div>\n", "<!-- a", "# H\n", "H\n===\n", "---\n", ": b", "::: info\nx\n:::\n", "$$\nx\n$$", ">! a", "[a]: /x", "[^1]: x", "- [ ] a\n\n  b\n"}
	for _, a := range texts {
		for _, b := range texts {
			f.Add(a, b, false)
			f.Add(a, b, true)
		}
	}
	f.Fuzz(func(t *testing.T, page, text string, prepend bool) {
		page, text = Normalize([]byte(page)), Normalize([]byte(text))
		if len(page)+len(text) > 2000 || frontMatterEnd(page) > 0 || strings.TrimSpace(page) == "" || strings.ContainsAny(page+text, "\x00") {
			return
		}
		op := Append
		if prepend {
			op = Prepend
		}
		got, err := Apply(NewDocument(page), Basis{}, Edit{Op: op, Text: text})
		if err != nil || got.State != Changed || got.Text == page {
			return
		}
		shapes := func(text string) []string {
			parts := markdown.Parts([]byte("\n" + text))
			var list []string
			for _, p := range parts {
				list = append(list, p.Shape)
			}
			return list
		}
		first, second := shapes(page), shapes(text)
		if prepend {
			first, second = second, first
		}
		both := shapes(got.Text)
		if len(first) == 0 || len(second) == 0 || slices.Equal(both, slices.Concat(first, second)) {
			return
		}
		n := len(first)
		if len(both) != n+len(second)-1 || !slices.Equal(both[:n-1], first[:n-1]) || !slices.Equal(both[n:], second[1:]) {
			t.Errorf("%s of %q to %q gives %q:\n%q and\n%q give\n%q", op, text, page, got.Text, first, second, both)
		}
	})
}

// A blank line at the start of a text doesn't take a row out of its table, nor an item
// out of its list.
func TestInsertAfterContinuesTablesAndLists(t *testing.T) {
	for _, test := range []struct{ page, old, text, want string }{
		{"| A |\n|---|\n| 1 |\n\nEnd.\n", "| 1 |", "\n| 2 |", "| A |\n|---|\n| 1 |\n| 2 |\n\nEnd.\n"},
		{"- [ ] a\n- [ ] b\n\nEnd.\n", "- [ ] b", "\n- [ ] c\n", "- [ ] a\n- [ ] b\n- [ ] c\n\nEnd.\n"},
		{"1. a\n2. b", "2. b", "\n\n3. c", "1. a\n2. b\n3. c"},
		{"- a\n\nEnd.\n", "- a", "\n* b", "- a\n\n* b\n\nEnd.\n"},
		{"Text.\n", "Text.", "\nMore.", "Text.\n\nMore.\n"},
	} {
		got, err := Apply(NewDocument(test.page), Basis{}, Edit{Op: InsertAfter, Old: test.old, Text: test.text})
		if err != nil || got.Text != test.want {
			t.Errorf("%q after %q: %v, %q", test.text, test.old, err, got.Text)
		}
	}
}
