package pages

import (
	"fmt"
	"strings"
	"testing"
)

// _Sidebar and _Footer of other wikis aren't listed as pages, but can be read and
// edited.
func TestFramesAreNotListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Only", "[[_footer]] {{x}}\n")
	before, err := w.Index(w.t.Context(), w.reader)
	if err != nil {
		t.Fatal(err)
	}
	w.put("_Sidebar", "[[Only]]\n")
	w.put("Guide/_Sidebar", "[[Only]] [[Later]]\n")
	index, err := w.Index(w.t.Context(), w.reader)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := w.Tree(w.t.Context(), w.reader)
	if err != nil {
		t.Fatal(err)
	}
	list, err := w.List(w.t.Context(), w.reader, ListFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"tree": fmt.Sprintf("%+v", tree[0]), "list": fmt.Sprint(list), "letters": fmt.Sprint(index.Letters), "orphans": fmt.Sprint(index.Orphans), "wanted": fmt.Sprint(index.Wanted)} {
		for _, name := range []string{"Sidebar", "footer"} {
			if wanted := strings.ReplaceAll(text, "[Guide/_Sidebar]", ""); strings.Contains(wanted, name) {
				t.Errorf("%s: %s", what, text)
			}
		}
	}
	if len(tree) != 1 || index.Pages != before.Pages || len(index.Wanted) != 1 {
		t.Errorf("%d nodes, %d pages instead of %d, %d wanted", len(tree), index.Pages, before.Pages, len(index.Wanted))
	}
	if v, err := w.View(w.t.Context(), w.reader, "_sidebar", ""); err != nil || !strings.Contains(string(v.Body), "Only") {
		t.Errorf("read: %+v, %v", v, err)
	}
}
