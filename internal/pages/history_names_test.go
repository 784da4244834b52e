package pages

import (
	"errors"
	"testing"

	"robot.wtf/internal/wiki"
)

// What can be no page's name has no history, and is refused in words.
func TestHistoryOfNoName(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"", "/", ".md", "/.md", "x/.md", "..", ".git", "a\x00b", "[x].md", "#"} {
		list, err := w.HistoryBy(w.ctx, w.owner, name, LogFilter{})
		if len(list) > 0 || !errors.Is(err, wiki.ErrNotFound) && !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("of %q: %d revisions, %v", name, len(list), err)
		}
	}
}
