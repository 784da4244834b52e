package pages

import (
	"errors"
	"testing"

	"robot.wtf/internal/wiki"
)

// History of an impossible page name fails with a message for people.
func TestHistoryOfInvalidName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"", "/", ".md", "/.md", "x/.md", "..", ".git", "a\x00b", "[x].md", "#"} {
		list, err := w.HistoryBy(w.t.Context(), w.owner, name, LogFilter{})
		if len(list) > 0 || !errors.Is(err, wiki.ErrNotFound) && !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("of %q: %d revisions, %v", name, len(list), err)
		}
	}
}
