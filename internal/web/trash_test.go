package web

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"robot.wtf/internal/pages"
)

// remove deletes a page as bob.
func (w *testWiki) remove(name string) {
	w.T.Helper()
	_, err := w.Pages.Delete(w.T.Context(), w.Access("ada", "bob"), pages.DeleteRequest{
		Write: pages.Write{Message: "Not needed"}, Precondition: pages.Precondition{Base: w.revision("ada", name)}, Name: name,
	})
	if err != nil {
		w.T.Fatal(err)
	}
}

// match returns the first group of an expression in the body.
func (a *answer) match(expr string) string {
	a.t.Helper()
	m := regexp.MustCompile(expr).FindStringSubmatch(a.body)
	if m == nil {
		a.t.Fatalf("%s: no %s in\n%.1500s", a.asked, expr, a.body)
	}
	return html.UnescapeString(m[1])
}

// A deleted page says who deleted it and restores itself; so does the trash.
func TestDeletedPages(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Linker", "See [[Old Notes]].\n")
	for range 2 { // from the page, then from the trash
		w.put("ada", "Old_Notes", "Some notes.\n")
		w.remove("Old_Notes")
	}
	bob, dan := w.as("bob"), w.as("dan")
	for _, path := range []string{"/Old_Notes", "/-/trash"} {
		text := bob.get(on("ada", path)).has("bob", "Not needed", "/Old_Notes/history", "Restore")
		if path == "/Old_Notes" {
			text.want(http.StatusNotFound).has("was deleted", "links here", "/Linker")
		}
		dan.get(on("ada", path)).has("bob", "/Old_Notes/history").lacks(`name="restore"`)
		restored := bob.post(on("ada", "/Old_Notes/history"), url.Values{"restore": {text.match(`name="restore" value="(\w+)"`)}}).want(http.StatusSeeOther)
		bob.follow(restored).want(http.StatusOK).has("Some notes.", "Restored.")
		w.remove("Old_Notes")
	}
}

func TestTrashComesInParts(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	for i := range trashShown + 1 {
		name := fmt.Sprintf("Old_%d", i)
		w.put("ada", name, "text\n")
		w.remove(name)
	}
	first := w.as("bob").get(on("ada", "/-/trash")).want(http.StatusOK).has("Old 50", ">Older<").lacks(`href="/Old_0"`)
	w.as("bob").get(on("ada", first.match(`href="([^"]+)">Older<`))).want(http.StatusOK).has(`href="/Old_0"`).lacks("Old 50", ">Older<")
}
