package service

import (
	"testing"

	"robot.wtf/internal/testworld"
)

// Sizes are recorded at the sweep after a change; a list counts only wikis that were
// changed since, or never counted.
func TestSizes(t *testing.T) {
	t.Parallel()
	w := testworld.New(t, testworld.Options{})
	s := &Service{Store: w.Store, Content: w.Content, sizes: newSizes(w.Content, w.Store)}
	pages := func() int {
		t.Helper()
		sizes, err := s.Sizes(t.Context(), []string{"ada", "bob"})
		if err != nil || len(sizes) != 2 {
			t.Fatalf("%v, %v", sizes, err)
		}
		return sizes["ada"].Pages
	}
	before := pages()
	w.Save("ada", "ada", "One", "text")
	if got := pages(); got != before {
		t.Errorf("%d pages, %d before: the wiki was counted without having been marked", got, before)
	}
	s.sizes.note("ada")
	s.sizes.note("nobody")
	if got := pages(); got != before+1 {
		t.Errorf("%d pages in the list, want %d", got, before+1)
	}
	w.Save("ada", "ada", "Three", "text")
	s.sizes.note("ada")
	if _, err := s.Sizes(t.Context(), []string{"bob"}); err != nil {
		t.Fatal(err)
	}
	if got := pages(); got != before+2 {
		t.Errorf("%d pages after a list without the wiki, want %d", got, before+2)
	}
	w.Save("ada", "ada", "Two", "text")
	s.sizes.note("ada")
	s.sizes.note("nobody") // was deleted in the meantime
	if err := s.sizes.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sizes, err := w.Store.Sizes(t.Context()); err != nil || sizes["ada"].Pages != before+3 || sizes["ada"].Current == 0 || sizes["ada"].Counted.IsZero() {
		t.Errorf("recorded %+v, %v", sizes["ada"], err)
	}
}
