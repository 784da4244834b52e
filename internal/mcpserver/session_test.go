package mcpserver

import (
	"strings"
	"testing"
)

// revert with a session undoes an agent's changes to several pages at once, and keeps
// later changes by others.
func TestRevertSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Plan", "# Plan\n\nOne.\n\nTwo.\n\nThree.\n")
	commit := aCommit.FindStringSubmatch(w.ok("ada/editor", "edit_page", "path", "Plan", "edits", []any{map[string]any{"op": "replace", "old": "Two.", "text": "Bad."}}))[1]
	w.ok("ada/editor", "create_page", "path", "Extra", "content", "By the agent.\n")
	w.save("ada", "ada", "Plan", "# Plan\n\nOne.\n\nBad.\n\nThree.\n\nA good line.\n")
	text := w.ok("ada/owner", "revert", "session", commit, "dry_run", true)
	if !strings.Contains(text, "This would be reverted; nothing was saved") || !strings.Contains(text, "Deleted: Extra") || !strings.Contains(text, "-Bad.\n+Two.") {
		t.Error(text)
	}
	w.ok("ada/owner", "revert", "session", commit)
	if got := w.source("ada", "Plan"); got != "# Plan\n\nOne.\n\nTwo.\n\nThree.\n\nA good line.\n" {
		t.Errorf("got %q", got)
	}
	w.fails("There's no page", "ada/editor", "read_page", "path", "Extra")
	if text := w.ok("ada/owner", "revert", "session", commit); !strings.Contains(text, "Nothing to revert") {
		t.Error(text)
	}
}

// A session that can't be undone as a whole names all pages that conflict.
func TestRevertSessionConflicts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := aCommit.FindStringSubmatch(w.ok("ada/editor", "create_page", "path", "First", "content", "One.\n"))[1]
	w.ok("ada/editor", "create_page", "path", "Second", "content", "Two.\n")
	w.ok("ada/editor", "create_page", "path", "Third", "content", "Three.\n")
	for _, page := range []string{"First", "Second"} {
		w.save("ada", "ada", page, "Otherwise.\n")
	}
	text := w.fails("Nothing was reverted", "ada/owner", "revert", "session", commit)
	if !strings.Contains(text, "Later changes also conflict on: First") || !strings.Contains(text, "Second") {
		t.Error(text)
	}
	w.ok("ada/owner", "revert", "session", commit, "path", "Third")
	w.fails("Give either", "ada/owner", "revert", "session", commit, "undo", commit)
}
