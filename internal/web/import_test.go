package web

import (
	"net/http"
	"os"
	"testing"
	"time"

	"robot.wtf/internal/testworld"
)

// Imports a repository into a new wiki in the browser: problems are listed, progress
// is shown, and imported authors aren't linked to accounts.
func TestImport(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	if _, err := w.Tenant.Create(t.Context(), testworld.Person("dan"), "dan"); err != nil {
		t.Fatal(err)
	}
	if err := w.Pages.Seed(t.Context(), w.Access("dan", "dan")); err != nil {
		t.Fatal(err)
	}
	dan := w.as("dan")
	for got := dan.get(on("dan", "/-/settings")); got.status == http.StatusFound; {
		got = dan.follow(got)
	}
	dan.get(on("dan", "/-/settings")).want(http.StatusOK).has("git clone http://dan.robot.localhost:8080/repo.git dan", `href="/-/import"`)
	form := dan.get(on("dan", "/-/import")).want(http.StatusOK)
	form.has(`enctype="multipart/form-data"`, "git bundle create")

	// No file chosen, and not a repository.
	dan.sendFiles(on("dan", "/-/import"), part{field: "other", data: "x"}).want(http.StatusUnprocessableEntity).has("Choose a file")
	send := func(data string) *answer {
		t.Helper()
		dan.sendFiles(on("dan", "/-/import"), part{field: "file", file: "wiki.bundle", data: data}).want(http.StatusSeeOther)
		for range 200 {
			got := dan.get(on("dan", "/-/import")).want(http.StatusOK)
			if got.header.Get("Refresh") == "" {
				return got
			}
			got.has("<progress", "The wiki stays as it is until the import ends")
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatal("the import doesn't end")
		return nil
	}
	send("# Home\n").has("Nothing was imported", "This is not a git bundle", `name="file"`)
	// Attack: a bundle without refs, 17 bytes, panicked outside the request and
	// ended the process.
	send("# v2 git bundle\n\n").has("Nothing was imported", "There is no branch to import", `name="file"`)
	bundle, err := os.ReadFile("../pages/testdata/odd.bundle")
	if err != nil {
		t.Fatal(err)
	}
	send(string(bundle)).has("commits imported", "Commit ids are unchanged", "unmerged")
	dan.get(on("dan", "/Home")).want(http.StatusOK).has("the end")
	dan.get(on("dan", "/-/changelog")).want(http.StatusOK).has("Grace Hopper", "imported")
	dan.get(on("dan", "/passwd.txt")).want(http.StatusNotFound)

	// Only a new wiki accepts an import.
	dan.sendFiles(on("dan", "/-/import"), part{field: "file", file: "wiki.bundle", data: string(bundle)}).want(http.StatusConflict)
	w.as("bob").get(on("ada", "/-/index")).has("git clone http://ada.robot.localhost:8080/repo.git ada")
}
