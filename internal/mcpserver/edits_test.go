package mcpserver

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

var aShownRevision = regexp.MustCompile(`@([0-9a-f]{8}(?:~\d+(?:-\d+)?)?)`)

// shownRevision returns the first revision of a reply.
func shownRevision(t *testing.T, text string) string {
	t.Helper()
	m := aShownRevision.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no revision in %s", text)
	}
	return m[1]
}

// An edit is only "already applied" if the old text was there and the new one is in
// its place.
func TestAlreadyAppliedIsTrue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Plan", "# Plan\n\nWhite wine.\n\nRed wine.\n")
	rev := shownRevision(t, w.ok("ada/editor", "read_page", "path", "Plan"))
	edit := func(revision, old, text string) []any {
		return []any{"path", "Plan", "revision", revision, "edits", []any{map[string]any{"op": "replace", "old": old, "text": text}}}
	}
	w.fails("The text isn't in the page", "ada/editor", "edit_page", edit(rev, "Green wine.", "Red wine.")...)
	w.ok("ada/editor", "edit_page", edit(rev, "White wine.", "Grey wine.")...)
	w.fails("The text isn't in the page", "ada/editor", "edit_page", edit(rev, "White wine.", "Red wine.")...)
	if text := w.ok("ada/editor", "edit_page", edit(rev, "White wine.", "Grey wine.")...); !strings.Contains(text, "already applied") {
		t.Error(text)
	}
	w.fails("The new text is already on line 3", "ada/editor", "edit_page", edit("", "White wine.", "Grey wine.")...)
	now := shownRevision(t, w.ok("ada/editor", "read_page", "path", "Plan"))
	w.ok("ada/editor", "edit_page", "path", "Plan", "revision", now, "edits", []any{map[string]any{"op": "append", "text": "Red wine."}})
	if got, want := w.source("ada", "Plan"), "# Plan\n\nGrey wine.\n\nRed wine.\n\nRed wine.\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// "Already applied" looks at the named revision and at the 50 since. An old
// text that came and went before that isn't recognized.
func TestAlreadyAppliedLooksBackAtMost50Revisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rev := w.save("ada", "ada", "Plan", "Begun.\n")[:8]
	w.save("ada", "ada", "Plan", "White wine.\n")
	replace := []any{"path", "Plan", "revision", rev, "edits", edits(map[string]any{"op": "replace", "old": "White wine.", "text": "Grey wine."})}
	for i := range 51 {
		w.save("ada", "ada", "Plan", fmt.Sprintf("Grey wine.\n\nNote %d.\n", i))
		if i == 49 {
			if text := w.ok("ada/editor", "edit_page", replace...); !strings.Contains(text, "already applied") {
				t.Errorf("50 revisions ago: %s", text)
			}
		}
	}
	w.fails("The text isn't in the page", "ada/editor", "edit_page", replace...)
	w.fails("The new text is already on line 1", "ada/editor", "edit_page", replace...)
}

// A text that differs from the page only in look-alike or invisible characters is found
// if it occurs once. "all" never matches that way.
func TestFoldedTextIsNeverFoundEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct{ line, old string }{
		{"Cafe\u0301 at ten", "Café at ten"}, {"from 9\u201310", "from 9-10"}, {"end of line  \nnext", "end of line\nnext"},
		{"thin\u2009space", "thin space"}, {"\u2018single\u2019", "'single'"}, {"zero\u200dwidth", "zerowidth"},
	} {
		for _, all := range []bool{true, false} {
			const page = "Folded"
			rev := w.save("ada", "ada", page, "Before.\n\n"+test.line+".\n")
			change := []any{"path", page, "revision", rev, "edits", edits(map[string]any{"op": "replace", "old": test.old, "text": "Found", "all": all})}
			if all {
				w.fails("The text isn't in the page", "ada/editor", "edit_page", change...)
			} else if w.ok("ada/editor", "edit_page", change...); w.source("ada", page) != "Before.\n\nFound.\n" {
				t.Errorf("%q became %q", test.line, w.source("ada", page))
			}
		}
	}
}

// Invisible characters in a page don't keep grep from finding a line, or an edit from
// matching the text as a model writes it.
func TestInvisibleCharacters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const line = "It costs 5\u00a0€ “per\u200bday”\u202e."
	w.save("ada", "ada", "Prices", "# Prices\n\n"+line+"\n\nA bell\x07 and a\ttab.\n")
	if text := w.ok("ada/editor", "grep", "pattern", "costs"); !strings.Contains(text, line+"\n") && !strings.HasSuffix(text, line) {
		t.Errorf("%q", text)
	}
	if text := w.ok("ada/editor", "grep", "pattern", "bell"); !strings.Contains(text, "A bell\u2407 and a\ttab.") {
		t.Errorf("%q", text)
	}
	text := w.ok("ada/editor", "edit_page", "path", "Prices", "edits", []any{map[string]any{"op": "replace", "old": `costs 5 € "perday"`, "text": "is free"}})
	if !strings.Contains(text, "matched after ignoring differences in spaces, quotes, zero-width characters") {
		t.Error(text)
	}
	if got := w.source("ada", "Prices"); !strings.Contains(got, "\n\nIt is free\u202e.\n") {
		t.Errorf("%q", got)
	}
	w.save("ada", "ada", "Twice", "“a”\n\n«a»\n")
	w.fails("more than once with other quotes", "ada/editor", "edit_page", "path", "Twice", "edits", []any{map[string]any{"op": "replace", "old": `"a"`, "text": "b"}})
	w.save("ada", "ada", "Long", strings.Repeat("Other words. ", 200)+"The plan costs 5\u00a0€ a month."+strings.Repeat(" More words.", 200)+"\n")
	text = w.fails("with U+00A0 instead of U+0020 at column 2617", "ada/editor", "edit_page", "path", "Long", "edits", []any{map[string]any{"op": "replace", "old": `The plan costs 5 € a week.`, "text": "b"}})
	if runeCount(text) > 500 {
		t.Errorf("%d characters: %s", runeCount(text), text)
	}
}

func TestAppendKeepsBlocksApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Board", "# Board\n\n## Done\n\n- one\n\n## Open\n\n| a |\n|---|\n| 1 |\n")
	for _, e := range []map[string]any{
		{"op": "append", "section": "Done", "text": "- two"},
		{"op": "append", "section": "Done", "text": "A paragraph."},
		{"op": "append", "section": "Open", "text": "| 2 |"},
		{"op": "prepend", "section": "Open", "text": "A table:"},
		{"op": "append", "text": "The end."},
	} {
		w.ok("ada/editor", "edit_page", "path", "Board", "edits", []any{e})
	}
	const want = "# Board\n\n## Done\n\n- one\n- two\n\nA paragraph.\n\n## Open\n\nA table:\n\n| a |\n|---|\n| 1 |\n| 2 |\n\nThe end.\n"
	if got := w.source("ada", "Board"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// An appended or prepended paragraph is a block of its own, no matter what block is next
// to it. Items continue lists, and rows continue tables.
func TestAppendedBlocksOfEveryKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	blocks := map[string]string{
		"paragraph": "Some words\non two lines.", "list": "- one\n- two", "numbers": "1. one\n2. two", "nested list": "- one\n  - two",
		"table": "| a |\n|---|\n| 1 |", "quote": "> said", "alert": "> [!NOTE]\n> Mind it.", "code": "```\ncode\n```", "heading": "## Heading", "tasks": "- [ ] open\n- [x] done",
		"html": "<div>\ntext\n</div>", "rule": "Above\n\n---", "definition": "[x]: https://example.com", "callout": "> [!tip]- Folded\n> text",
	}
	for kind, block := range blocks {
		for op, want := range map[string]string{"append": block + "\n\nA paragraph.\n", "prepend": "A paragraph.\n\n" + block + "\n"} {
			name := kind + " " + op
			w.save("ada", "ada", name, block+"\n")
			w.ok("ada/editor", "edit_page", "path", name, "edits", []any{map[string]any{"op": op, "text": "A paragraph."}})
			if got := w.source("ada", name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	for kind, next := range map[string]string{"list": "- three", "numbers": "3. three", "table": "| 2 |", "tasks": "- [ ] more"} {
		name := kind + " continued"
		w.save("ada", "ada", name, blocks[kind]+"\n")
		w.ok("ada/editor", "edit_page", "path", name, "edits", []any{map[string]any{"op": "append", "text": next}})
		if got, want := w.source("ada", name), blocks[kind]+"\n"+next+"\n"; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Edits at both ends of a page give no credit for the lines between them.
func TestEditsGiveNoCreditForLinesBetween(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Plan", "First.\n"+strings.Repeat("\nUnread.\n", 20)+"\nLast.\n")
	edits := func(revision, first, last string) string {
		return shownRevision(t, w.ok("ada/editor", "edit_page", "path", "Plan", "revision", revision, "edits", []any{
			map[string]any{"op": "replace", "old": "First" + first, "text": "First" + first + "!"}, map[string]any{"op": "replace", "old": "Last" + last, "text": "Last" + last + "!"},
		}))
	}
	if rev := edits("", "", ""); !strings.HasSuffix(rev, "~1-1") {
		t.Errorf("without a revision: %s", rev)
	}
	part := shownRevision(t, w.ok("ada/editor", "read_page", "path", "Plan", "lines", "41-43"))
	if rev := edits(part, "!", "!"); !strings.HasSuffix(rev, "~41-43") {
		t.Errorf("after %s: %s", part, rev)
	}
}

// set_meta edits YAML as YAML, and needs a revision only for a key that is there.
func TestSetMetaThroughMCP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Plan", "---\n# state\nstatus: draft # for now\nowner:\n  name: Bob\ntags: [a]\n---\n\n# Plan\n\nText.\n")
	set := func(revision, text string) []any {
		return []any{"path", "Plan", "revision", revision, "edits", []any{map[string]any{"op": "set_meta", "text": text}}}
	}
	w.ok("ada/editor", "edit_page", set("", "due: 2026-12-05")...)
	w.fails(`"status" is set already, on line 3: status: draft`, "ada/editor", "edit_page", set("", "status: done")...)
	part := shownRevision(t, w.ok("ada/editor", "read_page", "path", "Plan", "lines", "10-11"))
	w.fails(`You haven't read "status"`, "ada/editor", "edit_page", set(part, "status: done")...)
	rev := shownRevision(t, w.ok("ada/editor", "read_page", "path", "Plan"))
	w.save("ada", "ada", "Plan", strings.Replace(w.source("ada", "Plan"), "Bob", "Eve", 1))
	w.ok("ada/editor", "edit_page", set(rev, "status: done\ntags:\n- a\n- b")...)
	w.fails("others changed the same lines", "ada/editor", "edit_page", set(rev, "owner.name: Ada")...)
	w.fails("not YAML", "ada/editor", "edit_page", set(rev, "status: [x")...)
	rev = shownRevision(t, w.ok("ada/editor", "read_page", "path", "Plan"))
	w.ok("ada/editor", "edit_page", set(rev, "owner.name: 'Ada'\nowner.since: 2026-01-05\ntags:")...)
	const want = "---\n# state\nstatus: done # for now\nowner:\n  name: 'Ada'\n  since: 2026-01-05\ndue: 2026-12-05\n---\n\n# Plan\n\nText.\n"
	if got := w.source("ada", "Plan"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReplaceSectionRepeatsNoHeading(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Plan", "# Plan\n\n## Now\n\nText.\n\n## Next\n\nMore.\n")
	rev := shownRevision(t, w.ok("ada/editor", "read_page", "path", "Plan"))
	w.fails(`two sections "Next", on lines`, "ada/editor", "edit_page", "path", "Plan", "revision", rev, "edits", []any{map[string]any{"op": "replace_section", "section": "Now", "text": "## Now\n\nOther.\n\n## Next\n"}})
}
