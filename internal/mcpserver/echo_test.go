package mcpserver

import (
	"fmt"
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
	check(w.ok("ada/editor", "replace_page", "path", "Plan", "revision", rev, "content", "# The plan\n\nNew.\n"), []string{"merged with", "+# The plan"}, []string{"# Plan"})
}

// The answer shows the page that a moved section made, so that the agent can go on
// there without reading it. Of a long one it shows the first lines, and its revision
// vouches for no more.
func TestMovedSectionIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Plan", "# Plan\n\n## Later\n\n"+strings.Repeat("Much later. ", 30)+"\n\n## Now\n\n"+strings.Repeat("A line of now.\n", 2000))
	read := func() string {
		return shownRevision(t, w.ok("ada/editor", "read_page", "path", "Plan", "view", "full", "max_tokens", 20_000))
	}
	move := func(section, to string) string {
		return w.ok("ada/editor", "edit_page", "edits", edits(
			map[string]any{"op": "move_section", "path": "Plan", "revision": read(), "section": section, "to": to},
			map[string]any{"op": "create", "path": "Sent " + to, "text": "Mine."},
		))
	}
	revisions := func(answer, page string) string {
		for line := range strings.Lines(answer) {
			if rest, ok := strings.CutPrefix(line, page+" @"); ok {
				rev, _, _ := strings.Cut(rest, ":")
				return rev
			}
		}
		t.Fatalf("no revision of %s in:\n%s", page, answer)
		return ""
	}
	later := move("Later", "Later")
	if !strings.Contains(later, ": created\n# Later\n\nMuch later.") {
		t.Errorf("the new page isn't shown:\n%.600s", later)
	}
	w.ok("ada/editor", "replace_page", "path", "Later", "revision", revisions(later, "Later"), "content", "# Later\n\nNever.\n")
	w.ok("ada/editor", "replace_page", "path", "Sent Later", "revision", revisions(later, "Sent_Later"), "content", "Theirs.\n")
	now := move("Now", "Now")
	rev, seen, cut := strings.Cut(revisions(now, "Now"), "~1-")
	shown := strings.Count(now, "A line of now.\n")
	if !cut || seen != fmt.Sprint(shown+2) || shown > 1500 || !strings.Contains(now, "… Cut: read_page shows the rest.") {
		t.Errorf("%d lines are shown, the revision vouches for %q", shown, seen)
	}
	w.fails("haven't read", "ada/editor", "replace_page", "path", "Now", "revision", rev+"~1-"+seen, "content", "x")
}
