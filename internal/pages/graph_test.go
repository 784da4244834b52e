package pages

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"robot.wtf/internal/wiki"
)

// After any changes, the graph that follows them is the one of all links.
func TestGraphFollowsChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := rand.New(rand.NewPCG(8, 1))
	pages := []string{"A", "B", "Folder/A", "Folder/C", "Other/C", "Home"}
	text := func() string {
		var s string
		for range r.IntN(6) {
			s += fmt.Sprintf("[[%s]] [x](../%s.md) [[Gone %d]] #tag\n", pages[r.IntN(len(pages))], pages[r.IntN(len(pages))], r.IntN(3))
		}
		if r.IntN(8) == 0 {
			s = fmt.Sprintf("---\naliases: [Gone %d]\n---\n", r.IntN(3)) + s
		}
		return s
	}
	followed, followedNames := 0, 0
	for step := range 150 {
		name := pages[r.IntN(len(pages))]
		p, err := w.Page(w.t.Context(), w.owner, name, "")
		switch what := r.IntN(16); {
		case err == nil && what < 2:
			_, err := w.Delete(w.t.Context(), w.owner, DeleteRequest{Name: name, Precondition: Precondition{Base: p.File.Blob}})
			w.must(err)
		case err == nil && what == 2: // the new name can be taken
			_, _ = w.Rename(w.t.Context(), w.owner, RenameRequest{Name: name, NewName: pages[r.IntN(len(pages))], Precondition: Precondition{Base: p.File.Blob}})
		default:
			w.put(name, text())
		}
		if r.IntN(3) == 0 {
			continue // the graph follows several commits
		}
		c, d, release, err := w.openDirectory(w.t.Context(), w.owner, wiki.Read)
		w.must(err)
		before, _ := w.cache.GetIfPresent(cacheKey{"graph", "ada", ""})
		got, err := w.graph(w.t.Context(), c, d)
		w.must(err)
		if last, ok := before.(*linkGraph); ok && last.head != d.head {
			next := &linkGraph{names: d.names}
			w.must(next.follow(w.t.Context(), c, last))
			followed += boolToInt(next.edges != nil)
			followedNames += boolToInt(next.edges != nil && last.names != d.names)
		}
		links, err := c.AllLinks(w.t.Context())
		w.must(err)
		if want := d.graph(links); !reflect.DeepEqual(got, want) {
			t.Fatalf("step %d: %+v, want %+v", step, got, want)
		}
		release()
	}
	if followed < 60 || followedNames < 20 {
		t.Errorf("the graph followed only %d changes, %d of them of names", followed, followedNames)
	}
}
