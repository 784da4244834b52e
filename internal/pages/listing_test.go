package pages

import (
	"strings"
	"testing"
)

// A cached page with a PageIndex changes when pages below it come and go.
func TestPageIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Notes", "All:\n\n{{PageIndex}}\n\nSome:\n\n{{PageIndex|src=b*|style=list}}\n")
	w.put("Notes/Apple_Pie", "a")
	w.put("Other/Beet", "outside")
	listed := func() string {
		t.Helper()
		v, err := w.View(w.ctx, w.reader, "Notes", "")
		if err != nil {
			t.Fatal(err)
		}
		return string(v.Body)
	}
	first := listed()
	if !strings.Contains(first, `<a href="/Notes/Apple_Pie">Apple Pie</a>`) || strings.Contains(first, "Beet") || !strings.Contains(first, "no pages here yet") {
		t.Errorf("one page below: %s", first)
	}
	w.put("Notes/deep/Bean_Soup", "b")
	w.upload("Notes", "b.png", "p")
	if second := listed(); strings.Count(second, `<a href="/Notes/deep/Bean_Soup">deep/Bean Soup</a>`) != 2 || strings.Contains(second, "b.png") {
		t.Errorf("two pages below: %s", second)
	}
	if _, err := w.Delete(w.ctx, w.editor, DeleteRequest{Precondition: w.base("Notes/deep/Bean_Soup"), Name: "Notes/deep/Bean_Soup"}); err != nil {
		t.Fatal(err)
	}
	if third := listed(); third != first {
		t.Errorf("after the deletion: %s", third)
	}
}
