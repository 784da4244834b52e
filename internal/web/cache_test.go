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
	page := &finishedPage{basis: &pages.Basis{}}
	page.packed.Store(&splicedGzip{member: make([]byte, 4000)})
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

// Attack: the members of one wiki fill the cache of accounts. They get a share of it.
func TestCachedAccountsAreShared(t *testing.T) {
	t.Parallel()
	cache := newAccounts()
	part := &accountPart{html: make([]byte, 100_000)}
	bobs := accountData{Slug: "bob"}
	cache.Set(bobs, part)
	for i := range 100 {
		cache.Set(accountData{Slug: "ada", Draft: fmt.Sprint("/", i)}, part)
	}
	if _, ok := cache.GetIfPresent(bobs); !ok {
		t.Error("another wiki's account is gone")
	}
	if n := cache.EstimatedSize(); n < 5 || n > 12 {
		t.Errorf("%d accounts are cached, want a quarter of the room for one wiki", n)
	}
}
