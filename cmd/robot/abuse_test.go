package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/config"
)

// Attack: what was taken down is still to be had by some door, in some version,
// or in something that was made of it before.
func TestTakenDownPageIsNowhere(t *testing.T) {
	l := startLive(t)
	const secret = "quaggamire"
	host, token := "ada."+config.DevHost, l.token("ada", "owner")
	owner, reader := l.signIn("ada", "ada"), l.browser()
	page := func(path, body string) {
		t.Helper()
		if w := l.api("PUT", "ada", "/api/v1/pages/"+path, token, body); w.Code/100 != 2 {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	page("Bad", `{"content":"---\ntitle: `+secret+`\n---\nfirst `+secret+` and [[Home]]"}`)
	w := l.api("GET", "ada", "/api/v1/pages/Bad", token, "")
	first := strings.Trim(w.Header().Get("Etag"), `"`)
	page("Bad", `{"content":"second `+secret+` and [[Home]]","revision":"`+first+`"}`)
	second := strings.Trim(l.api("GET", "ada", "/api/v1/pages/Bad", token, "").Header().Get("Etag"), `"`)
	page("Good", `{"content":"before ![[Bad]] after"}`)
	cw, release, err := l.content.Open(t.Context(), "ada")
	l.must(err)
	revisions, err := cw.History(t.Context(), "Bad.md", 0, 10)
	l.must(err)
	release()
	last := revisions[0].Commit

	everywhere := []string{"/Bad", "/Bad.md", "/Bad/source", "/Bad/source/" + last, "/Bad/view/" + last, "/Bad/history", "/Bad/blame", "/Bad/diff/" + last, "/Bad/edit",
		"/Bad/diff/" + revisions[1].Commit + "/" + last, "/-/commit/" + last, "/-/search?q=" + secret, "/-/suggest?q=" + secret, "/-/index", "/-/changelog",
		"/-/changelog/feed.atom", "/-/changelog/feed.rss", "/llms.txt", "/llms-full.txt", "/Good", "/Good.md", "/Home", "/sitemap.xml"}
	apis := []string{"/api/v1/pages/Bad", "/api/v1/pages/Bad?revision=" + first, "/api/v1/pages/Bad/history", "/api/v1/pages/Bad/diff?from=" + first + "&to=" + second,
		"/api/v1/search?q=" + secret, "/api/v1/changelog", "/api/v1/links/Home", "/api/v1/links", "/api/v1/pages"}
	look := func() (seen, legal int, failed []string) {
		for _, b := range []*browser{owner, reader} {
			for _, path := range everywhere {
				w := b.get(host, path)
				body := strings.ReplaceAll(w.Body.String(), "q="+secret, "")
				if strings.Contains(path, secret) { // the query is said back
					body = strings.ReplaceAll(body, `value="`+secret, "")
				}
				if w.Code >= 500 {
					failed = append(failed, path)
				}
				if w.Code == http.StatusUnavailableForLegalReasons {
					legal++
				}
				if strings.Contains(body, "first "+secret) || strings.Contains(body, "second "+secret) || strings.Contains(body, "<mark>"+secret) {
					seen++
					failed = append(failed, path)
				}
			}
		}
		for _, path := range apis {
			w := l.api("GET", "ada", path, token, "")
			if w.Code >= 500 {
				failed = append(failed, path)
			}
			if w.Code == http.StatusUnavailableForLegalReasons {
				legal++
			}
			if body := w.Body.String(); strings.Contains(body, "first "+secret) || strings.Contains(body, "second "+secret) || strings.Contains(body, "title\":\""+secret) {
				seen++
				failed = append(failed, path)
			}
		}
		return seen, legal, failed
	}
	if seen, legal, _ := look(); seen < 10 || legal != 0 {
		t.Fatalf("before: seen %d times, %d withheld", seen, legal)
	}
	l.do("takedown", "wiki", "ada", "page", "Bad", "reason", "A court said so.")
	seen, legal, failed := look()
	if seen > 0 || len(failed) > 0 || legal < 8 {
		t.Errorf("after: seen %d times, %d withheld, wrong are %q", seen, legal, failed)
	}
	if w := reader.get(host, "/Bad"); w.Code != http.StatusUnavailableForLegalReasons || !strings.Contains(w.Body.String(), "A court said so.") {
		t.Errorf("the page: %d", w.Code)
	}
	if w := owner.get(config.DevHost, "/app/"); !strings.Contains(w.Body.String(), "A court said so.") || !strings.Contains(w.Body.String(), "Bad.md") {
		t.Error("the owner is not told")
	}
	if w := l.gitRefs("ada", token); w.Code == http.StatusOK {
		t.Errorf("a clone: %d", w.Code)
	}
	// It stays so when the wiki is closed and opened, and ends when it is put back.
	l.must(l.service.content.Close())
	l.restart()
	if w := l.api("GET", "ada", "/api/v1/pages/Bad", token, ""); w.Code != http.StatusUnavailableForLegalReasons {
		t.Errorf("after a restart: %d", w.Code)
	}
	l.do("putback", "wiki", "ada", "page", "Bad")
	if w := l.api("GET", "ada", "/api/v1/pages/Bad", token, ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), secret) {
		t.Errorf("put back: %d", w.Code)
	}
}

// A reader without an account reports a page, from the link on it, without
// script; the operator sees it.
func TestReportsReachTheOperator(t *testing.T) {
	l := startLive(t)
	reader, host := l.browser(), "ada."+config.DevHost
	if w := reader.get(host, "/Home"); !strings.Contains(w.Body.String(), `href="/-/report?page=%2fHome"`) {
		t.Error("the page has no link to report it")
	}
	if w := reader.get(host, "/-/report?page=/Home"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `value="/Home"`) {
		t.Errorf("the form: %d", w.Code)
	}
	form := url.Values{"page": {"/Home"}, "reason": {"spam"}, "words": {"sells \x1b[2Jwatches"}}
	for range 2 {
		if w := reader.post(host, "/-/report", form); w.Code != http.StatusSeeOther {
			t.Fatalf("send: %d %s", w.Code, w.Body)
		}
	}
	out := l.do("reports")
	if strings.Count(out, "spam") != 1 || strings.Contains(out, "\x1b") || !strings.Contains(out, "/Home") {
		t.Errorf("the queue:\n%q", out)
	}
	form.Set("reason", "dance")
	if w := reader.post(host, "/-/report", form); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "watches") {
		t.Errorf("a wrong reason: %d", w.Code)
	}
	if w := reader.post("bob."+config.DevHost, "/-/report", form); w.Code == http.StatusSeeOther && w.Header().Get("Location") == "/-/report?sent=1&page=%2FHome" {
		t.Error("a stranger reports a page of a private wiki")
	}
	l.do("reports", "close", "1")
	if out := l.do("reports"); strings.Contains(out, "spam") {
		t.Errorf("after it was closed:\n%s", out)
	}
}

// A wiki that was made public within the last 72 hours asks search engines to
// stay out.
func TestNewPublicWikisAreNotIndexed(t *testing.T) {
	l := startLive(t)
	for _, path := range []string{"/Home", "/Home", "/-/index", "/Home.md", "/Home/source"} {
		if w := l.browser().get("ada."+config.DevHost, path); w.Code == http.StatusOK && w.Header().Get("X-Robots-Tag") != "" {
			t.Errorf("%s of an old wiki: noindex", path)
		}
	}
	a := access(t, l.service, "ada", people()[0])
	site := a.Site()
	if time.Since(site.Published) < 72*time.Hour {
		t.Skip("the seeds are new") // they are written in the past
	}
	bob := access(t, l.service, "bob", people()[1])
	set := bob.Site()
	set.Public = true
	l.must(l.store.UpdateSite(t.Context(), bob.Caller().User.DID, set))
	for _, path := range []string{"/Home", "/Home", "/-/index", "/Home/source"} {
		w := l.browser().get("bob."+config.DevHost, path)
		if w.Code != http.StatusOK || w.Header().Get("X-Robots-Tag") != "noindex" {
			t.Errorf("%s of a wiki that is public since now: %d, %q", path, w.Code, w.Header().Get("X-Robots-Tag"))
		}
	}
}
