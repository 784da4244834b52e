package web

import (
	"net/http"
	"strings"
	"testing"

	"robot.wtf/internal/gitremote"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/testworld"
)

// serveGit lets the wiki's service import https://example.com/notes.git, the repository
// in a bundle.
func (w *testWiki) serveGit(t *testing.T, bundle string) {
	t.Helper()
	w.web.o.Pages = pages.New(pages.Options{
		Content: w.Content, Search: w.Search, Mirror: w.Mirror, Markdown: markdown.New(markdown.Options{}),
		Remotes: gitremote.New(testworld.ServeGit(t, bundle)), Now: w.Clock.Now,
	})
}

func (b *browser) importAddress(slug, address string, more ...part) *answer {
	return b.sendFiles(on(slug, "/-/import"), append([]part{{field: "source", data: "git"}, {field: "address", data: address}}, more...)...)
}

// Imports a repository from another server: its history into a new wiki, its files
// into one with pages.
func TestImportAddress(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.serveGit(t, "../pages/testdata/odd.bundle")
	if _, err := w.Tenant.Create(t.Context(), testworld.Person("dan"), "dan"); err != nil {
		t.Fatal(err)
	}
	if err := w.Pages.Seed(t.Context(), w.Access("dan", "dan")); err != nil {
		t.Fatal(err)
	}
	dan := w.as("dan")
	for got := dan.get(on("dan", "/-/import")); got.status == http.StatusFound; {
		got = dan.follow(got)
	}
	dan.get(on("dan", "/-/import")).want(http.StatusOK).has(`name="address"`)

	dan.importAddress("dan", "https://example.com/missing.git").want(http.StatusSeeOther)
	dan.settledImport("dan").has("example.com/missing doesn&#39;t exist or is private", `value="https://example.com/missing.git"`, `value="git" checked`, `aria-invalid="true"`)

	dan.importAddress("dan", "https://example.com/notes.git", part{field: "file", file: "wiki.zip", data: "chosen before"}).want(http.StatusSeeOther)
	preview := dan.settledImport("dan").has("Ready to import", "<bdi>example.com/notes</bdi>", "a git repository", "unmerged")
	dan.decideImport("dan", preview, "import").has("commits imported", "Commit ids are unchanged")
	dan.get(on("dan", "/Home")).want(http.StatusOK).has("the end")

	ada := w.as("ada")
	ada.importAddress("ada", "https://example.com/notes.git", part{field: "into", data: "Notes"}).want(http.StatusSeeOther)
	preview = ada.settledImport("ada").has("Ready to import", "one commit by you", "history is left out")
	ada.decideImport("ada", preview, "import").has("imported")
	ada.get(on("ada", "/Notes/Home")).want(http.StatusOK)
}

// Attack: an address that only this server can reach, or that runs a command. Nothing
// is requested, and the form says why.
func TestImportForbiddenAddress(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.serveGit(t, "../pages/testdata/odd.bundle")
	ada := w.as("ada")
	for address, want := range map[string]string{
		"https://127.0.0.1/a.git":        "on the public internet",
		"https://[::ffff:10.0.0.1]/a":    "on the public internet",
		"https://localhost/a.git":        "on the public internet",
		"https://me:secret@example.com/": "before the @",
		"ssh://git@example.com/a.git":    "Only https",
		"ext::sh -c id":                  "Only https",
		"file:///etc/passwd":             "Only https",
		"":                               "Enter the address",
	} {
		ada.importAddress("ada", address).want(http.StatusUnprocessableEntity).has(want, `name="address"`)
	}
	ada.importAddress("ada", "https://0x7f000001.example.org./a.git").want(http.StatusSeeOther)
	ada.settledImport("ada").has("be reached")
	if busy := strings.Contains(ada.get(on("ada", "/-/import?new=1")).body, "Importing"); busy {
		t.Error("an import is still running")
	}
}
