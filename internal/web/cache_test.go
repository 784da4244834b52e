package web

import (
	"fmt"
	"testing"

	"robot.wtf/internal/pages"
)

// Attack: reading every page of one wiki, to push other wikis' pages out of the
// cache. A wiki has its share.
func TestFinishedPagesAreShared(t *testing.T) {
	t.Parallel()
	cache := newFinishedPages(100_000).cache
	page := &finishedPage{plain: make([]byte, 4000), basis: &pages.Basis{}}
	bobs := finishedKey{slug: "bob", path: "/Home"}
	cache.Set(bobs, page)
	for i := range 1000 {
		cache.Set(finishedKey{slug: "ada", path: fmt.Sprint("/", i)}, page)
	}
	if _, ok := cache.GetIfPresent(bobs); !ok {
		t.Error("another wiki's page is gone")
	}
	if n := cache.EstimatedSize(); n < 5 || n > 10 {
		t.Errorf("%d pages are cached, want half of the room for one wiki", n)
	}
}
