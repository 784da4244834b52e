package mcpserver

import (
	"strings"
	"testing"
)

// An answer to a write counts the lines that the call itself removed. Lines that
// others removed are shown, and so is everything in a dry run.
func TestWritesDoNotEchoRemovedLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const page = "# Plan\n\nFirst.\n\n## Drop\n\nSecret one.\nSecret two.\n\n## Keep\n\nTheirs.\n\nMiddle.\n\nMore.\n\nEnd.\n\nLast.\n"
	w.save("ada", "ada", "Plan", page)
	rev := shownRevision(t, w.ok("ada/editor", "read_page", "path", "Plan"))
	check := func(text string, with, without []string) {
		t.Helper()
		for _, s := range with {
			if !strings.Contains(text, s) {
				t.Errorf("no %q in:\n%s", s, text)
			}
		}
		for _, s := range without {
			if strings.Contains(text, s) {
				t.Errorf("%q in:\n%s", s, text)
			}
		}
	}
	drop := map[string]any{"op": "replace", "old": "Secret one.\nSecret two.\n\n", "text": ""}
	args := []any{"path", "Plan", "revision", rev, "edits", []any{drop}}
	check(w.ok("ada/editor", "edit_page", append(args, "dry_run", true)...), []string{"-Secret one."}, []string{"removed"})
	w.save("ada", "ada", "Plan", strings.Replace(page, "Theirs.\n\n", "", 1))
	merged := w.ok("ada/editor", "edit_page", args...)
	check(merged, []string{"merged with", "- 3 lines removed\n", "\n-Theirs."}, []string{"Secret"})

	rev = shownRevision(t, w.ok("ada/editor", "read_page", "path", "Plan"))
	several := []any{
		map[string]any{"op": "replace", "old": "Middle.", "text": "Center."},
		map[string]any{"op": "create", "path": "Other", "text": "# Other\n"},
	}
	w.save("ada", "ada", "Plan", strings.Replace(w.source("ada", "Plan"), "\nLast.\n", "", 1))
	check(w.ok("ada/editor", "edit_page", "path", "Plan", "revision", rev, "edits", several),
		[]string{"- 1 line removed\n+Center.\n", "\n-Last."}, []string{"Middle."})

	rev = shownRevision(t, w.ok("ada/editor", "read_page", "path", "Plan", "view", "full"))
	check(w.ok("ada/editor", "replace_page", "path", "Plan", "revision", rev, "content", "# Plan\n\nNew.\n"),
		[]string{"lines removed\n+New."}, []string{"First", "Center", "Keep"})
	rev = shownRevision(t, w.ok("ada/editor", "read_page", "path", "Plan", "view", "full"))
	w.save("ada", "ada", "Plan", "# Plan\n\nNew.\n\nAlso new.\n")
	check(w.ok("ada/editor", "replace_page", "path", "Plan", "revision", rev, "content", "# The plan\n\nNew.\n"), []string{"merged with", "+# The plan"}, nil)
}
