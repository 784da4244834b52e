package pages

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Diffstats counts added and removed lines, with and without the cache, within its
// bounds on work.
func TestDiffstats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Log", "a\nb\nc\n")
	w.put("Log", "a\nB\nc\nd\n")
	w.put("Log", "")
	revisions, err := w.History(w.t.Context(), w.owner, "Log", 0, 50)
	if err != nil {
		t.Fatal(err)
	}
	want := []Diffstat{{0, 4, true}, {2, 1, true}, {3, 0, true}}
	for range 2 {
		got, err := w.Diffstats(w.t.Context(), w.owner, revisions)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(err, diff)
		}
	}
	w.put("Gone", "a\nb\nc\n")
	w.remove("Gone")
	w.put("Gone", "z\n")
	w.remove("Gone")
	w.put("Gone", "a\nb\nc\n")
	if revisions, err = w.History(w.t.Context(), w.owner, "Gone", 0, 50); err != nil {
		t.Fatal(err)
	}
	// A creation and a deletion of the same text are opposites.
	want = []Diffstat{{3, 0, true}, {0, 1, true}, {1, 0, true}, {0, 3, true}, {3, 0, true}}
	for range 2 {
		got, err := w.Diffstats(w.t.Context(), w.owner, revisions)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(err, diff)
		}
	}
	for i := range 30 {
		w.put("Large", strings.Repeat(strings.Repeat("x", 10*i)+"\n", 2000))
	}
	if revisions, err = w.History(w.t.Context(), w.owner, "Large", 0, 50); err != nil {
		t.Fatal(err)
	}
	got, err := w.Diffstats(w.t.Context(), w.owner, revisions)
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for _, c := range got {
		if c.Known {
			known++
		}
	}
	if known == 0 || known == len(got) {
		t.Errorf("%d of %d large revisions were compared", known, len(got))
	}
}
