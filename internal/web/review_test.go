package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A member keeps and undoes the changes of others, by page and by session, with forms
// alone. The bar and the dashboard count the rest.
func TestReviewOfSessions(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Own", "by Ada\n")
	first := w.write("ada", "ada", "Claude", "Stars", "One star.\n")
	w.write("ada", "ada", "Claude", "Moons", "One moon.\n")
	w.write("ada", "ada", "Claude", "Stars", "Two stars.\n")
	w.write("ada", "bob", "", "Suns", "One sun.\n")
	ada := w.as("ada")
	page := func() *answer { return ada.get(on("ada", "/-/new")).want(http.StatusOK) }
	got := page().has("Claude <span class=\"soft\">for ", "3 edits on 2 pages", "Stars", "Moons", "Suns", "Two stars.", `Review <span class="count">3<`).lacks("by Ada")
	if strings.Index(got.body, "Suns") < strings.Index(got.body, "Moons") {
		t.Error("a person comes before an agent")
	}
	ada.get(testPlatform + "/app/").has(`/-/new">Review <span class="count">3<`)
	page().has("Everything").lacks("Kept</span>")
	ada.get(on("ada", "/-/new?by=people")).want(http.StatusOK).has("Suns", "bob made 1 change.").lacks("Moons")
	do := func(b *browser, action, page string) *answer {
		return b.post(on("ada", "/-/new"), url.Values{"action": {action}, "session": {first.Commit}, "page": {page}, "upto": {"1000"}})
	}
	ada.follow(do(ada, "keep", "Stars.md").want(http.StatusSeeOther)).has("Kept.", "Show again", `Review <span class="count">2<`)
	ada.follow(do(ada, "again", "Stars.md").want(http.StatusSeeOther)).lacks("Show again")
	ada.follow(do(ada, "undo", "Moons.md").want(http.StatusSeeOther)).has("Undone, in a new revision.")
	ada.get(on("ada", "/Moons")).want(http.StatusNotFound)
	ada.follow(do(ada, "undo", "").want(http.StatusSeeOther)).has("Suns").lacks("Stars</a>")
	ada.get(on("ada", "/Stars")).want(http.StatusNotFound)
	ada.get(on("ada", "/Suns")).want(http.StatusOK)
	ada.follow(ada.post(on("ada", "/-/new"), url.Values{"action": {"all"}, "upto": {"1000"}}).want(http.StatusSeeOther)).
		has("nobody else changed anything").lacks(`class="count"`)

	// Viewers keep for themselves; they can't undo. Strangers see nothing of it.
	cleo := w.as("cleo")
	cleo.get(on("ada", "/-/new")).want(http.StatusOK).has("Suns").lacks("Undo session")
	do(cleo, "undo", "").want(http.StatusForbidden)
	do(cleo, "keep", "").want(http.StatusSeeOther)
	w.anonymous().get(on("ada", "/")).lacks("/-/new")
}

// Why a session can't be undone is shown page by page.
func TestUndoConflictsOfASession(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	first := w.write("ada", "ada", "Claude", "Stars", "One star.\n")
	w.write("ada", "ada", "Claude", "Moons", "One moon.\n")
	w.write("ada", "bob", "", "Stars", "One star, says Bob.\n")
	ada := w.as("ada")
	ada.post(on("ada", "/-/new"), url.Values{"action": {"undo"}, "session": {first.Commit}}).want(http.StatusConflict).
		has("undone on its own", "Stars", "Nothing was undone", "/-/session/"+first.Commit).lacks("Moons")
	ada.get(on("ada", "/Moons")).want(http.StatusOK)
}

// The changelog groups by session, each with its own page.
func TestChangelogBySession(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	first := w.write("ada", "ada", "Claude", "Stars", "One star.\n")
	w.write("ada", "ada", "Claude", "Moons", "One moon.\n")
	w.Clock.Add(time.Hour)
	later := w.write("ada", "ada", "Claude", "Stars", "Two stars.\n")
	b := w.anonymous()
	b.get(on("ada", "/-/changelog")).want(http.StatusOK).has("Group by session").lacks("/-/session/")
	b.get(on("ada", "/-/changelog?group=sessions&by=agents")).want(http.StatusOK).
		has("/-/session/"+first.Commit, "/-/session/"+later.Commit, "2 edits", "Moons")
	b.get(on("ada", "/-/session/"+first.Commit)).want(http.StatusOK).has("One star.", "One moon.").lacks("Two", `action="/-/new"`)
	b.get(on("ada", "/-/session/"+later.Commit)).has("<del>One star</del> <ins>Two stars</ins>")
	b.get(on("ada", "/-/session/0123456")).want(http.StatusNotFound)
	b.get(on("ada", "/-/session/nonsense")).want(http.StatusUnprocessableEntity)
}

// With 1,000 changes waiting, the first screen names the sessions and leaves their pages
// to be loaded.
func TestReviewOfManyChanges(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	for i := range 300 {
		if i%30 == 0 {
			w.Clock.Add(time.Hour)
		}
		w.write("ada", "ada", "Claude", fmt.Sprintf("Page_%d", i%100), fmt.Sprintf("Text %d.\n", i))
	}
	got := w.as("ada").get(on("ada", "/-/new")).want(http.StatusOK).has("99&#43;", "data-open-session", "and 24 more")
	if n := strings.Count(got.body, `class="session"`); n != 10 || strings.Count(got.body, `class="excerpt`) > 0 || len(got.body) > 60<<10 {
		t.Errorf("%d sessions, %d excerpts, %d bytes", n, strings.Count(got.body, `class="excerpt`), len(got.body))
	}
}
