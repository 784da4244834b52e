package web

import (
	"net/http"
	"net/url"
	"testing"
)

// A draft is linked from its page and listed, for its writer alone.
func TestDraftsAreListed(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	bob.get(on("ada", "/Weather_Station")).lacks("Your draft</span>") // and now it is cached
	bob.get(on("ada", "/-/drafts")).want(http.StatusOK).has("No drafts.")
	for _, page := range []string{"Weather_Station", "Not_Yet"} {
		form := bob.get(on("ada", "/"+page+"/edit")).fields()
		form.Set("content", "half a thought")
		bob.post(on("ada", "/"+page+"/draft"), form).want(http.StatusSeeOther)
	}
	bob.get(on("ada", "/Weather_Station")).want(http.StatusOK).has(`href="/Weather_Station/edit">`, "Your draft</span>")
	bob.get(on("ada", "/Not_Yet")).want(http.StatusNotFound).has("Your draft</span>")
	bob.get(on("ada", "/-/drafts")).has(`href="/Weather_Station/edit"`, `href="/Not_Yet/edit"`, "exist yet").lacks("has changed since")
	for _, name := range []string{"ada", "cleo", "dan"} {
		w.as(name).get(on("ada", "/Weather_Station")).lacks("Your draft</span>")
	}
	w.as("ada").get(on("ada", "/-/drafts")).want(http.StatusOK).lacks("Not_Yet")
	w.put("ada", "Weather_Station", "Another text.\n")
	bob.get(on("ada", "/-/drafts")).has("has changed since")
	bob.post(on("ada", "/-/drafts"), url.Values{"page": {"Weather_Station"}}).want(http.StatusSeeOther)
	bob.get(on("ada", "/-/drafts")).has("Not_Yet").lacks("/Weather_Station/edit")
}
