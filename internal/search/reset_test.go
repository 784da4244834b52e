package search

import (
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// Attack: a page is taken down while its sections are being embedded, which
// keeps the index open. A search in between must not keep the removed text
// findable.
func TestResetWhileInUse(t *testing.T) {
	u := newWorld(t)
	model := &fakeModel{started: make(chan string)}
	u.useModel(model)
	u.put("Bad", "quaggamire\n", "Good", "other\n")
	if err := u.s.CatchUp(t.Context(), u.w); err != nil {
		t.Fatal(err)
	}
	embedded := make(chan error, 1)
	go func() { _, err := u.s.EmbedAll(t.Context(), u.w.Slug(), 1); embedded <- err }()
	<-model.started // embedding the first of two chunks
	if err := u.w.TakeDown(t.Context(), "Bad.md", "court order"); err != nil {
		t.Fatal(err)
	}
	reset := make(chan error, 1)
	go func() { reset <- u.s.Reset(u.w.Slug()) }()
	searched := make(chan Results, 1)
	go func() {
		r, _ := u.s.Search(t.Context(), u.w, Query{Text: "quaggamire", Mode: Keyword})
		searched <- r
	}()
	time.Sleep(50 * time.Millisecond) // let both start: they are blocked or have finished
	go func() {
		for range model.started {
		}
	}()
	defer close(model.started)
	if err := <-reset; err != nil {
		t.Fatal(err)
	}
	<-searched
	if err := <-embedded; err != nil {
		t.Fatal(err)
	}
	r, err := u.s.Search(t.Context(), u.w, Query{Text: "quaggamire", Mode: Keyword})
	if err != nil || r.Total != 0 {
		t.Errorf("after the takedown: found %d pages, err %v", r.Total, err)
	}
	if r, err := u.s.Search(t.Context(), u.w, Query{Text: "other", Mode: Keyword}); err != nil || foundPages(r) != string(wiki.PageName("Good")) {
		t.Errorf("search for the other page found %q, err %v", foundPages(r), err)
	}
}
