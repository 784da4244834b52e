package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// An agent pasted a key into a page. Its owner erases it in the browser, and former
// addresses lead to the new ones.
func TestErase(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	const key = "sk-ant-0123456789abcdef"
	leaky := w.put("ada", "Setup", "The key is "+key+".\n")
	w.put("ada", "Setup", "The key is "+key+", still.\n")
	ada := w.as("ada")
	ada.get(on("ada", "/-/settings")).want(http.StatusOK).has(`href="/-/erase"`)
	ada.get(on("ada", "/-/erase")).want(http.StatusOK).has("Text to erase")
	form := func(action, text string) url.Values { return url.Values{"action": {action}, "text": {text}} }
	ada.post(on("ada", "/-/erase"), form("check", "short")).want(http.StatusUnprocessableEntity).has("too short", ">\nshort</textarea>")
	ada.post(on("ada", "/-/erase"), form("check", "not to be found")).want(http.StatusNotFound).has("isn&#39;t anywhere")
	plan := ada.post(on("ada", "/-/erase"), form("check", key)).want(http.StatusOK).has("2 versions of files, 1 of them current", "2 revisions get a new id", key)
	if location := plan.header.Get("Location"); location != "" || !strings.Contains(plan.header.Get("Cache-Control"), "no-store") {
		t.Errorf("the plan is %v", plan.header)
	}
	ada.get(on("ada", "/Setup")).want(http.StatusOK).has(key) // nothing has happened yet
	ada.follow(ada.post(on("ada", "/-/erase"), form("erase", key)).want(http.StatusSeeOther)).want(http.StatusOK).has("Erased from every page").lacks("Erased from the history")
	for _, path := range []string{"/Setup", "/Setup/history", "/-/changelog", "/-/search?q=" + key, "/Setup/source", "/-/changelog/feed.atom"} {
		if got := ada.get(on("ada", path)).want(http.StatusOK); strings.Contains(strings.ReplaceAll(got.body, "q="+key, ""), key+".") {
			t.Errorf("%s still has the key", path)
		}
	}
	for _, path := range []string{"/-/commit/" + leaky.Commit, "/Setup?revision=" + leaky.Commit, "/Setup/source/" + leaky.Commit} {
		gone := ada.get(on("ada", path)).want(http.StatusGone, http.StatusFound)
		if gone.status == http.StatusFound {
			gone = ada.follow(gone).want(http.StatusGone)
		}
		_, rest, found := strings.Cut(gone.body, `<a class="button main" href="`)
		to, _, _ := strings.Cut(rest, `"`)
		if !found {
			t.Errorf("%s doesn't lead on:\n%s", path, gone.body)
			continue
		}
		ada.get(on("ada", strings.ReplaceAll(to, "&amp;", "&"))).want(http.StatusOK, http.StatusFound)
	}
}

func TestEraseRevision(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	leaky := w.put("ada", "Setup", "Something private.\n")
	ada := w.as("ada")
	form := func(action string) url.Values { return url.Values{"action": {action}, "revision": {leaky.Commit}} }
	ada.get(on("ada", "/-/commit/"+leaky.Commit)).want(http.StatusOK).has(`href="/-/erase?revision=` + leaky.Commit)
	ada.post(on("ada", "/-/erase"), form("check")).want(http.StatusUnprocessableEntity).has("Edit the page first")
	w.put("ada", "Setup", "Something else.\n")
	ada.post(on("ada", "/-/erase"), form("check")).want(http.StatusOK).has("1 version of files", leaky.Commit)
	ada.follow(ada.post(on("ada", "/-/erase"), form("erase")).want(http.StatusSeeOther)).want(http.StatusOK)
	ada.get(on("ada", "/Setup")).want(http.StatusOK).has("Something else.")
	log := ada.get(on("ada", "/-/changelog")).want(http.StatusOK).has("Erase part of the history", "Erased")
	if strings.Contains(log.body, "Something private") {
		t.Error("the changelog still has the text")
	}
	_, rest, _ := strings.Cut(log.body, `href="/-/commit/`)
	id, _, _ := strings.Cut(rest, `"`)
	ada.get(on("ada", "/-/commit/"+id)).want(http.StatusOK).has("Erase part of the history")
	ada.get(on("ada", "/-/revert/"+id)).want(http.StatusOK, http.StatusUnprocessableEntity, http.StatusConflict)
	w.as("bob").get(on("ada", "/-/commit/"+id)).want(http.StatusOK)
}
