package search

import (
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// Attack: a page is taken down while sections are being embedded, which holds the
// index open. Somebody searches in between; what they find then must not stay to
// be found afterwards.
func TestResetWhileInUse(t *testing.T) {
	u := newWorld(t)
	model := &fakeModel{started: make(chan string)}
	u.useModel(model)
	u.put("Bad", "quaggamire\n", "Good", "other\n")
	if err := u.s.CatchUp(t.Context(), u.w); err != nil {
		t.Fatal(err)
	}
	embedding := make(chan error, 1)
	go func() { _, err := u.s.EmbedAll(t.Context(), u.w.Slug(), 1); embedding <- err }()
	<-model.started // it is at the first of two
	if err := u.w.TakeDown(t.Context(), "Bad.md", "a court said so"); err != nil {
		t.Fatal(err)
	}
	reset := make(chan error, 1)
	go func() { reset <- u.s.Reset(u.w.Slug()) }()
	asked := make(chan Results, 1)
	go func() {
		r, _ := u.s.Search(t.Context(), u.w, Query{Text: "quaggamire", Mode: Keyword})
		asked <- r
	}()
	time.Sleep(50 * time.Millisecond) // both wait, or have had their turn
	go func() {
		for range model.started {
		}
	}()
	defer close(model.started)
	if err := <-reset; err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := <-embedding; err != nil {
		t.Fatal(err)
	}
	r, err := u.s.Search(t.Context(), u.w, Query{Text: "quaggamire", Mode: Keyword})
	if err != nil || r.Total != 0 {
		t.Errorf("after it was taken down: %d pages, %v", r.Total, err)
	}
	if r, err := u.s.Search(t.Context(), u.w, Query{Text: "other", Mode: Keyword}); err != nil || foundPages(r) != string(wiki.PageName("Good")) {
		t.Errorf("the other page: %s, %v", foundPages(r), err)
	}
}
