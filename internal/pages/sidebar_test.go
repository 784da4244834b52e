package pages

import (
	"strings"
	"testing"
)

// sidebarNames lists the page tree beside pages, with folders before their pages.
func (w *world) sidebarNames() string {
	w.t.Helper()
	tree, err := w.Sidebar(w.t.Context(), w.reader)
	if err != nil {
		w.t.Fatal(err)
	}
	var list []string
	var add func(nodes []*Node)
	add = func(nodes []*Node) {
		for _, n := range nodes {
			list = append(list, n.Path)
			add(n.Children)
		}
	}
	add(tree)
	return strings.Join(list, " ")
}

func TestSidebarOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"Apple", "Garden/Beds", "Garden/Ash", "Garden/Zinnia", "Home", "Zoo"} {
		w.put(name, "Words.\n")
	}
	if got := w.sidebarNames(); got != "Home Apple Garden Garden/Ash Garden/Beds Garden/Zinnia Zoo" {
		t.Errorf("without a sidebar page: %s", got)
	}
	view, err := w.View(t.Context(), w.reader, "Apple", "")
	if err != nil {
		t.Fatal(err)
	}
	state, err := w.State(t.Context(), w.reader)
	if err != nil {
		t.Fatal(err)
	}
	w.put("_Sidebar", "## Start\n\n- [[Zoo]]\n- [the beds](Garden/Zinnia.md), [[Garden/Beds]]\n- [[Nothing]] [out](https://example.org)\n")
	if got := w.sidebarNames(); got != "Home Zoo Garden Garden/Zinnia Garden/Beds Garden/Ash Apple" {
		t.Errorf("by _Sidebar: %s", got)
	}
	if same, _, err := w.IsCurrent(t.Context(), w.reader, view.Basis, state); same || err != nil {
		t.Errorf("a view from before is current: %v, %v", same, err)
	}
	// The page itself changes, but no name.
	if view, err = w.View(t.Context(), w.reader, "Apple", ""); err != nil {
		t.Fatal(err)
	}
	if state, err = w.State(t.Context(), w.reader); err != nil {
		t.Fatal(err)
	}
	w.put("_Sidebar", "[[Apple]] [[Zoo]] [[Home]]\n")
	if got := w.sidebarNames(); got != "Apple Zoo Home Garden Garden/Ash Garden/Beds Garden/Zinnia" {
		t.Errorf("after a change: %s", got)
	}
	if same, _, err := w.IsCurrent(t.Context(), w.reader, view.Basis, state); same || err != nil {
		t.Errorf("a view in the old order is current: %v, %v", same, err)
	}
	w.put("sidebar", "[[Zoo]]\n")
	if got := w.sidebarNames(); got != "Home Zoo Apple Garden Garden/Ash Garden/Beds Garden/Zinnia sidebar" {
		t.Errorf("by sidebar: %s", got)
	}
}
