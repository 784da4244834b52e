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

// A finished page that lists pages follows their front matter, for each reader.
func TestFinishedPageFollowsList(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Jobs", "::: pages where: status = open, show: due\n")
	w.put("ada", "Roof", "---\nstatus: open\ndue: 2026-12-09\n---\n")
	for _, b := range []*browser{w.anonymous(), w.as("ada")} {
		b.get(on("ada", "/Jobs")).want(http.StatusOK).has(`<a href="/Roof">Roof</a></td><td>2026-12-09</td>`)
	}
	w.put("ada", "Other", "nothing to do with it")
	w.anonymous().get(on("ada", "/Jobs")).want(http.StatusOK).has("2026-12-09")
	w.put("ada", "Roof", "---\nstatus: open\ndue: 2026-12-24\n---\n")
	for _, b := range []*browser{w.anonymous(), w.as("ada")} {
		b.get(on("ada", "/Jobs")).want(http.StatusOK).has("<td>2026-12-24</td>")
	}
	w.put("ada", "Roof", "---\nstatus: done\n---\n")
	for _, b := range []*browser{w.anonymous(), w.as("ada")} {
		b.get(on("ada", "/Jobs")).want(http.StatusOK).has("No pages match.")
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
