package mcpserver

import (
	"strings"
	"testing"
)

// revert shows the lines it takes away, before and after it is done.
func TestRevertShowsWhatItTakesAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Plan", "# Plan\n\nOne.\n\nTwo.\n\nThree.\n")
	bad := w.Save("ada", "bob", "Plan", "# Plan\n\nOne.\n\nBad.\n\nThree.\n").Commit[:8]
	later := w.save("ada", "ada", "Plan", "# Plan\n\nOne.\n\nBad.\n\nThree.\n\nA later line.\n")
	text := w.ok("ada/editor", "revert", "undo", bad, "dry_run", true)
	for _, part := range []string{"This would be reverted; nothing was saved", "\n-Bad.\n+Two.\n"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in %s", part, text)
		}
	}
	if got := w.source("ada", "Plan"); !strings.Contains(got, "Bad.") {
		t.Errorf("the dry run changed %q", got)
	}
	text = w.ok("ada/editor", "revert", "undo", bad)
	if !strings.Contains(text, "\n-Bad.\n+Two.\n") || !strings.Contains(text, "~5-5") {
		t.Error(text)
	}
	if got := w.source("ada", "Plan"); got != "# Plan\n\nOne.\n\nTwo.\n\nThree.\n\nA later line.\n" {
		t.Errorf("got %q", got)
	}
	text = w.ok("ada/editor", "revert", "path", "Plan", "to", later, "dry_run", true)
	if !strings.Contains(text, "\n-Two.\n+Bad.\n") || strings.Contains(w.source("ada", "Plan"), "Bad") {
		t.Error(text)
	}
	w.save("ada", "ada", "Second", "Text.\n")
	gone := w.ok("ada/editor", "delete_page", "path", "Second", "revision", shownRevision(t, w.ok("ada/editor", "read_page", "path", "Second")))
	commit := aCommit.FindStringSubmatch(gone)[1]
	if text := w.ok("ada/editor", "revert", "undo", commit, "dry_run", true); !strings.Contains(text, "Restored: Second\n") || !strings.Contains(text, "+Text.") {
		t.Error(text)
	}
}

// A refused revert speaks of reverting. It hands out no revision that counts as read:
// with one, replace_page would drop unread lines.
func TestRefusedRevert(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Plan", "One.\n\nTwo.\n\nUnread.\n")
	changed := w.Save("ada", "bob", "Plan", "One.\n\nBad.\n\nUnread.\n").Commit[:8]
	w.save("ada", "ada", "Plan", "One.\n\nBad, but important.\n\nUnread.\n")
	made := w.Save("ada", "bob", "Made", "Text.\n").Commit[:8]
	w.save("ada", "ada", "Made", "Another text.\n\nUnread.\n")
	w.save("ada", "ada", "Old", "Text.\n")
	gone := aCommit.FindStringSubmatch(w.ok("ada/editor", "delete_page", "path", "Old", "revision", shownRevision(t, w.ok("ada/editor", "read_page", "path", "Old"))))[1]
	w.save("ada", "ada", "Old", "Again.\n\nUnread.\n")
	edited := w.Save("ada", "ada", "Old", "Again, once.\n\nUnread.\n").Commit[:8]
	for _, test := range []struct{ commit, page, says string }{
		{changed, "Plan", "later changes to Plan touch the same lines"},
		{made, "Made", "later changes to Made touch the same lines"},
		{gone, "Old", "there is a page Old"},
	} {
		text := w.fails("Nothing was reverted: "+test.says, "ada/editor", "revert", "undo", test.commit)
		if strings.Contains(text, "Send your text") || strings.Contains(text, "Nothing was saved") {
			t.Errorf("it isn't about reverting: %s", text)
		}
		w.fails("You haven't read", "ada/editor", "replace_page", "path", test.page, "revision", shownRevision(t, text), "content", "Mine.")
	}
	w.ok("ada/editor", "delete_page", "path", "Old", "revision", shownRevision(t, w.ok("ada/editor", "read_page", "path", "Old")))
	w.fails("Nothing was reverted: Old was deleted or moved since", "ada/editor", "revert", "undo", edited)
}
