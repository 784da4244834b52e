package pages

import (
	"errors"
	"strings"
	"testing"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// Undoing merges no texts of different encodings, whose result would be readable in
// neither. Exact revisions are restored byte for byte.
func TestUndoOfOtherEncodings(t *testing.T) {
	t.Parallel()
	const latin, utf16 = "Gr\xfc\xdfe\n\none\n\ntwo\n", "\xff\xfeG\x00r\x00\n\x00"
	for name, c := range map[string]struct{ first, second, third, encoding string }{
		"first in Windows-1252":  {latin, "Grüße\n\none!\n\ntwo\n", "Grüße\n\none!\n\ntwo?\n", "Windows-1252"},
		"second in Windows-1252": {"a\n\none\n\ntwo\n", latin, "a\n\none\n\ntwo\n\nthree\n", "Windows-1252"},
		"third in Windows-1252":  {"Gr\n\none!\n\ntwo\n", "Gr\n\none\n\ntwo\n", latin, "Windows-1252"},
		"first in UTF-16":        {utf16, "Gr\n\none\n", "Gr\n\none\n\ntwo\n", "UTF-16 LE"},
	} {
		w := newWorld(t)
		w.putRaw("Old_page.md", c.first)
		change := w.putRaw("Old_page.md", c.second)
		w.putRaw("Old_page.md", c.third)
		head := w.head()
		_, err := w.Undo(w.t.Context(), w.owner, UndoRequest{Commit: change})
		var problem *wiki.Problem
		if !errors.As(err, &problem) || !errors.Is(err, wiki.ErrConflict) || !strings.Contains(problem.Message, "Old page changed later") || !strings.Contains(problem.Message, c.encoding) {
			t.Errorf("%s: %v", name, err)
		}
		if w.head() != head {
			t.Errorf("%s: something was saved", name)
		}
	}

	w := newWorld(t)
	w.putRaw("Old_page.md", latin)
	change := w.putRaw("Old_page.md", "Grüße\n")
	_, err := w.Undo(w.t.Context(), w.owner, UndoRequest{Commit: change})
	w.must(err)
	if got := w.tree()["Old_page.md"]; got != latin {
		t.Errorf("%q", got)
	}
}

// putRaw writes a file byte for byte, and returns the commit.
func (w *world) putRaw(path, data string) string {
	w.t.Helper()
	c, release, err := w.content.Open(w.t.Context(), w.site.Slug)
	w.must(err)
	defer release()
	base := content.BaseNone
	if f, err := c.Lookup(w.t.Context(), path); err == nil {
		base = f.Blob
	}
	saved, err := c.Commit(w.t.Context(), content.Request{
		Author: w.owner.Caller(), Message: "raw", Limits: wiki.DefaultLimits,
		Edits: []content.Edit{{Op: content.Put, Path: path, Data: []byte(data), Base: base}},
	})
	w.must(err)
	return saved.Commit.ID
}
