package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/config"
	"robot.wtf/internal/slow"
)

// goneWithin is the time until nothing shows a page any more that was deleted, renamed
// or rewritten, or a wiki that became private.
const goneWithin = 2 * time.Second

// A teller is a response that depends on embeddings or the index.
type teller struct {
	name string
	ask  func() (status int, body string)
}

// tellers lists these responses of ada's wiki on every front end, for a browser and a
// token; without a token, only those for a browser.
func (l *live) tellers(b *browser, token string) []teller {
	const words, about = "schooner+harbour", "A schooner under full sail crosses the bay to the harbour"
	var list []teller
	see := func(name string, ask func() *httptest.ResponseRecorder) {
		list = append(list, teller{name, func() (int, string) { w := ask(); return w.Code, w.Body.String() }})
	}
	page := func(path string) {
		see("GET "+path, func() *httptest.ResponseRecorder { return b.get("ada."+config.DevHost, path) })
	}
	tool := func(name string, arguments map[string]any) {
		see(fmt.Sprintf("tool %s %v", name, arguments), func() *httptest.ResponseRecorder {
			return l.mcp("ada", token, "tools/call", map[string]any{"name": name, "arguments": arguments})
		})
	}
	for _, mode := range []string{"hybrid", "keyword", "semantic"} {
		page("/-/search?mode=" + mode + "&q=" + words)
		path := "/api/v1/search?mode=" + mode + "&q=" + words
		see("GET "+path, func() *httptest.ResponseRecorder { return l.api("GET", "ada", path, token, "") })
		tool("search", map[string]any{"mode": mode, "query": strings.ReplaceAll(words, "+", " ")})
	}
	page("/Boats") // related pages
	see("near duplicates on /-/health", func() *httptest.ResponseRecorder {
		w := b.get("ada."+config.DevHost, "/-/health")
		_, rest, _ := strings.Cut(w.Body.String(), `id="twins"`)
		twins, _, _ := strings.Cut(rest, "</section>")
		w.Body = bytes.NewBufferString(twins)
		return w
	})
	page("/Schooner_in_harbour")      // suggestions of a missing page
	page("/-/suggest?q=boat")         // names while typing
	page("/Schooner_in_harbour/edit") // pages similar to a new one
	tool("links", map[string]any{"kind": "duplicates"})
	made := 0
	see("tool create_page", func() *httptest.ResponseRecorder {
		made++
		draft := fmt.Sprintf("Draft_%d", made)
		w := l.mcp("ada", token, "tools/call", map[string]any{"name": "create_page", "arguments": map[string]string{"path": draft, "content": about}})
		l.remove(draft, token)
		return w
	})
	return list
}

func (l *live) revision(page, token string) string {
	return strings.Trim(l.api("GET", "ada", "/api/v1/pages/"+page, token, "").Header().Get("Etag"), `"`)
}

func (l *live) remove(page, token string) *httptest.ResponseRecorder {
	return l.api("DELETE", "ada", "/api/v1/pages/"+page, token, fmt.Sprintf(`{"revision":%q}`, l.revision(page, token)))
}

// tell requests each teller and returns the names of those that contain a word, other
// than by echoing the request.
func tell(list []teller, word string) (names []string) {
	for _, t := range list {
		if _, body := t.ask(); strings.Contains(body, word) {
			names = append(names, t.name)
		}
	}
	return names
}

// crossing is text that two pages share except for one word.
func crossing(birds string) string {
	return "A schooner under full sail crossed the bay, her captain watching the waves and the lights of the harbour.\n\n" +
		"The crew hauled ropes on deck while " + birds + " followed the vessel out of port, and the wind freshened from the west until evening.\n\n" +
		"Nobody slept that night: the tide turned early, the anchor dragged, and the lighthouse keeper rang his bell in the fog until dawn.\n"
}

// Attack: derived data, such as an embedding, a list or a cached view, still shows a
// page that was deleted, renamed, rewritten or made private. Before that, every
// response shows the page, so that the test is meaningful.
func TestDeletedContentIsNeverReturned(t *testing.T) {
	t.Parallel()
	slow.Test(t)
	const page = "Boat_trip"
	l := startSemantic(t)
	token := l.token("ada", "owner")
	owner := l.signIn("ada", "ada")
	all := l.tellers(owner, token)
	save := func(path, text string) {
		t.Helper()
		body, err := json.Marshal(map[string]string{"content": text, "revision": l.revision(path, token)})
		l.must(err)
		if w := l.api("PUT", "ada", "/api/v1/pages/"+path, token, string(body)); w.Code/100 != 2 {
			t.Fatalf("save %s: %d %s", path, w.Code, w.Body)
		}
	}
	told := func(word string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; {
			names := tell(all, word)
			if len(names) == len(all) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("only these show %s, so the test is meaningless for the others: %v", word, names)
			}
			_, err := l.Search.EmbedAll(t.Context(), "ada", 1) // the service does it once the wiki is quiet
			l.must(err)
		}
	}
	gone := func(how, word string, list []teller, change func() *httptest.ResponseRecorder) {
		t.Helper()
		w := change()
		if w.Code/100 > 3 {
			t.Fatalf("%s: %d %s", how, w.Code, w.Body)
		}
		since := time.Now()
		names := tell(list, word)
		for len(names) > 0 && time.Since(since) < goneWithin {
			names = tell(list, word)
		}
		if len(names) > 0 {
			t.Errorf("%s: %v later, %s is still shown by\n\t%s", how, goneWithin, word, strings.Join(names, "\n\t"))
		}
	}
	save("Boats", crossing("gulls"))
	save(page, crossing("albatrosses"))
	told(page)

	gone("deleted", page, all, func() *httptest.ResponseRecorder { return l.remove(page, token) })

	save(page, crossing("albatrosses"))
	told(page)
	gone("renamed", page, all, func() *httptest.ResponseRecorder {
		return l.api("POST", "ada", "/api/v1/pages/"+page+"/rename", token, fmt.Sprintf(`{"new_path":"Boating","revision":%q}`, l.revision(page, token)))
	})
	told("Boating")

	// Rewritten: the page stays, its former text is shown nowhere.
	gone("rewritten", "albatross", all, func() *httptest.ResponseRecorder {
		save("Boating", "# Bread\n\nWarm rolls come out of the oven at five.\n")
		return httptest.NewRecorder()
	})

	// A wiki that was public: for a stranger and a member of another wiki.
	save(page, crossing("albatrosses"))
	told(page)
	outside := map[string]*browser{"a stranger": l.browser(), "somebody of another wiki": l.signIn("bob", "bob")}
	foreign := map[string]string{"a stranger": "", "somebody of another wiki": l.token("bob", "owner")}
	for who, b := range outside {
		if names := tell(l.tellers(b, foreign[who]), page); len(names) < 6 {
			t.Fatalf("%s only sees these while the wiki is public: %v", who, names)
		}
	}
	var theirs []teller
	for who, b := range outside {
		for _, one := range l.tellers(b, foreign[who]) {
			one.name = who + ": " + one.name
			theirs = append(theirs, one)
		}
	}
	gone("private", page, theirs, func() *httptest.ResponseRecorder {
		return owner.post("ada."+config.DevHost, "/-/settings", url.Values{"title": {"Ada"}, "description": {""}, "home": {"Home"}, "visibility": {"private"}})
	})
	for _, one := range theirs {
		if status, body := one.ask(); status/100 == 2 || strings.Contains(body, "schooner") && !strings.Contains(body, "login") {
			t.Errorf("%s: %d of a private wiki", one.name, status)
		}
	}
	told(page) // its owner still sees everything
}
