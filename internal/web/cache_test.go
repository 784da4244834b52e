package web

import (
	"fmt"
	"net/http"
	"strings"
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

// A finished page that shows a file as a table follows changes of the file.
func TestFinishedPageFollowsTable(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.upload("ada", "Garden/Beds", "beds.csv", "Bed;Leeks\nNorth;30\n")
	w.put("ada", "Harvest", "{{DataTable\n|src=/Garden/Beds/beds.csv\n}}\n")
	reader := w.anonymous()
	reader.get(on("ada", "/Harvest")).want(http.StatusOK).has("<td>30</td>")
	w.put("ada", "Other", "nothing to do with it")
	reader.get(on("ada", "/Harvest")).want(http.StatusOK).has("<td>30</td>")
	_, err := w.Pages.Upload(t.Context(), w.Access("ada", "ada"), pages.UploadRequest{Page: "Garden/Beds", Name: "beds.csv", Data: strings.NewReader("Bed;Leeks\nNorth;41\n"), Replace: true})
	if err != nil {
		t.Fatal(err)
	}
	reader.get(on("ada", "/Harvest")).want(http.StatusOK).has("<td>41</td>")
}
