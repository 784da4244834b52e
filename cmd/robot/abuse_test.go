package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/config"
)

// Attack: content that was taken down is still available through some front end, in
// some version, or in data derived from it earlier.
func TestTakenDownPageIsHiddenEverywhere(t *testing.T) {
	t.Parallel()
	l := startSemantic(t)
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
	cw, release, err := l.Content.Open(t.Context(), "ada")
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
				if strings.Contains(path, secret) { // the query is echoed
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
		t.Fatalf("before: seen %d times, %d taken down", seen, legal)
	}
	l.do("takedown", "wiki", "ada", "page", "Bad", "reason", "A court said so.")
	seen, legal, failed := look()
	if seen > 0 || len(failed) > 0 || legal < 8 {
		t.Errorf("after: seen %d times, %d taken down, wrong: %q", seen, legal, failed)
	}
	if w := reader.get(host, "/Bad"); w.Code != http.StatusUnavailableForLegalReasons || !strings.Contains(w.Body.String(), "A court said so.") {
		t.Errorf("the page: %d", w.Code)
	}
	if w := owner.get(config.DevHost, "/app/"); !strings.Contains(w.Body.String(), "A court said so.") || !strings.Contains(w.Body.String(), "Bad.md") {
		t.Error("the owner isn't notified")
	}
	if w := l.gitRefs("ada", token); w.Code != http.StatusUnavailableForLegalReasons {
		t.Errorf("a clone: %d", w.Code)
	}
	// The takedown survives reopening the wiki, and ends with putback.
	l.must(l.Service.Content.Close())
	l.restart()
	if w := l.api("GET", "ada", "/api/v1/pages/Bad", token, ""); w.Code != http.StatusUnavailableForLegalReasons {
		t.Errorf("after a restart: %d", w.Code)
	}
	l.do("putback", "wiki", "ada", "page", "Bad")
	if w := l.api("GET", "ada", "/api/v1/pages/Bad", token, ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), secret) {
		t.Errorf("put back: %d", w.Code)
	}
}

// tool calls an MCP tool of a wiki and returns the whole response.
func (l *live) tool(slug, token, name, arguments string) string {
	l.t.Helper()
	return l.rpc(slug, token, "tools/call", `{"name":"`+name+`","arguments":`+arguments+`}`)
}

func (l *live) rpc(slug, token, method, params string) string {
	l.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://"+slug+"."+config.DevHost+"/mcp",
		strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`+params+`}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	l.front.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		l.t.Errorf("%s %s: %d %s", method, params, w.Code, w.Body)
	}
	return w.Body.String()
}

// picture returns a PNG that is recognizable by its bytes, before and after
// re-encoding.
func picture(t *testing.T) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for i := range m.Pix {
		m.Pix[i] = byte(i*i>>3) | 128
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Attack: a file of a page that was taken down, through agents' tools or a cached
// response.
func TestTakenDownEverywhereElse(t *testing.T) {
	t.Parallel()
	l := startSemantic(t)
	const secret = "quaggamire"
	host, token := "ada."+config.DevHost, l.token("ada", "owner")
	owner, reader := l.signIn("ada", "ada"), l.browser()
	etag := func(path string) string {
		return strings.Trim(l.api("GET", "ada", path, token, "").Header().Get("Etag"), `"`)
	}
	write := func(path, body string) {
		t.Helper()
		if w := l.api("PUT", "ada", "/api/v1/pages/"+path, token, body); w.Code/100 != 2 {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	write("Bad", `{"content":"# Start\n\nfirst `+secret+`\n\n# More\n\n[[Home]]\n"}`)
	first := etag("/api/v1/pages/Bad")
	write("Bad", `{"content":"# Start\n\nsecond `+secret+`\n\n# More\n\n[[Home]] [[Nowhere]]\n","revision":"`+first+`"}`)
	second := etag("/api/v1/pages/Bad")
	// The instructions for agents, and the initial pages of a wiki.
	write("AGENTS", `{"content":"agents `+secret+`","revision":"`+etag("/api/v1/pages/AGENTS")+`"}`)
	write("Home", `{"content":"# Home `+secret+`\n\n## Part `+secret+`\n\n[[Bad]]","revision":"`+etag("/api/v1/pages/Home")+`"}`)
	original := picture(t)
	upload := `{"filename":"bad.png","content":"` + base64.StdEncoding.EncodeToString(original) + `"}`
	if w := l.api("POST", "ada", "/api/v1/pages/Bad/attachments", token, upload); w.Code != http.StatusCreated {
		t.Fatalf("upload: %d %s", w.Code, w.Body)
	}
	copied := strings.Replace(upload, "bad.png", "again.png", 1) // the same bytes under another name
	if w := l.api("POST", "ada", "/api/v1/pages/Garden/attachments", token, copied); w.Code != http.StatusCreated {
		t.Fatalf("upload: %d %s", w.Code, w.Body)
	}

	files := []string{"/Bad/bad.png", "/Bad/a/bad.png", "/Bad/t/bad.png?size=32", "/Bad/bad.png?thumbnail=32", "/Garden/again.png"}
	if w := reader.get(host, "/Bad/bad.png"); !bytes.Equal(w.Body.Bytes(), original) {
		t.Fatalf("the picture: %d, %d bytes", w.Code, w.Body.Len())
	}
	kept := map[string]string{} // address -> ETag in browsers and caches
	thumbs := [][]byte{original}
	for _, path := range append([]string{"/Bad", "/Bad.md", "/Home", "/llms-full.txt"}, files...) {
		w := reader.get(host, path)
		for range 3 {
			if to := w.Header().Get("Location"); to != "" {
				path = strings.TrimPrefix(to, "http://"+host)
				w = reader.get(host, path)
			}
		}
		if w.Code != http.StatusOK {
			t.Errorf("%s before: %d", path, w.Code)
		}
		if tag := w.Header().Get("Etag"); tag != "" {
			kept[path] = tag
		}
		if strings.HasPrefix(w.Header().Get("Content-Type"), "image/") {
			thumbs = append(thumbs, bytes.Clone(w.Body.Bytes()))
		}
	}
	if len(kept) < 5 {
		t.Errorf("only %d responses can be cached", len(kept))
	}

	calls := []struct{ name, arguments string }{
		{"wiki_overview", `{}`}, {"search", `{"query":"` + secret + `"}`}, {"search", `{"query":"` + secret + `","mode":"semantic"}`}, {"grep", `{"pattern":"` + secret[:6] + `"}`},
		{"grep", `{"pattern":"` + secret[:6] + `.*","regex":true,"context":3}`},
		{"read_page", `{"path":"Bad"}`}, {"read_page", `{"path":"Bad","view":"full"}`}, {"read_page", `{"path":"Bad","view":"outline"}`}, {"read_page", `{"path":"Bad","section":"Start"}`},
		{"read_page", `{"path":"Bad","lines":"1-3"}`}, {"read_page", `{"path":"Bad","at":"` + first + `"}`}, {"read_page", `{"path":"Bad","at":"` + second + `"}`}, {"read_page", `{"path":"AGENTS"}`},
		{"read_pages", `{"items":["Bad","Bad#Start","Home","Garden"]}`}, {"list_pages", `{}`}, {"links", `{"path":"Bad"}`}, {"links", `{"path":"Home","kind":"in"}`}, {"links", `{"kind":"wanted"}`},
		{"links", `{"kind":"duplicates"}`}, {"changes", `{"path":"Bad"}`}, {"changes", `{}`}, {"changes", `{"path":"Bad","diff":"` + first + `..` + second + `"}`},
		{"read_attachment", `{"path":"Bad","name":"bad.png"}`}, {"read_attachment", `{"path":"Bad"}`},
		{"edit_page", `{"path":"Bad","revision":"` + first + `","edits":[{"op":"replace","old":"# Start","text":"# Begin"}],"dry_run":true}`},
		{"edit_page", `{"path":"Bad","revision":"` + first + `","edits":[{"op":"replace","old":"not there at all","text":"x"}],"dry_run":true}`},
		{"edit_page", `{"path":"Bad","edits":[{"op":"append","text":"x"}],"dry_run":true}`},
		{"replace_page", `{"path":"Bad","revision":"` + first + `","content":"something else altogether"}`},
		{"create_page", `{"path":"Bad","content":"x"}`}, {"create_page", `{"path":"Very_Bad","content":"# Start\n\nnearly the same"}`},
		{"revert", `{"path":"Bad","to":"` + first + `"}`},
	}
	image64 := base64.StdEncoding.EncodeToString(original)[40:90]
	shown := func() (where []string) {
		note := func(what, text string) {
			for _, bad := range []string{"first " + secret, "second " + secret, "agents " + secret, "Home " + secret, "Part " + secret, image64} {
				if strings.Contains(text, bad) {
					where = append(where, what)
					return
				}
			}
		}
		for _, c := range calls {
			text := l.tool("ada", token, c.name, c.arguments)
			if strings.Contains(text, "Something broke") {
				t.Errorf("%s %s: %s", c.name, c.arguments, text)
			}
			note(c.name+" "+c.arguments, text)
		}
		for method, params := range map[string]string{
			"initialize":     `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}`,
			"resources/read": `{"uri":"wiki://page/Garden"}`, "prompts/get": `{"name":"orient"}`,
		} {
			note(method, l.rpc("ada", token, method, params))
		}
		for _, b := range []*browser{owner, reader} {
			for _, path := range []string{"/", "/Bad/draft", "/Bad/preview", "/Bad/rename", "/Bad/delete", "/Bad/attachments", "/Bad/attachment/bad.png", "/-/attachments", "/-/new", "/-/log", "/-/health",
				"/-/housekeeping", "/Garden", "/-/report?page=/Bad", "/-/connect", "/-/settings"} {
				w := b.get(host, path)
				if w.Code >= 500 {
					t.Errorf("%s: %d", path, w.Code)
				}
				note(path, w.Body.String())
			}
			w := b.get(config.DevHost, "/app/export")
			note("/app/export", unpacked(t, w))
		}
		for _, body := range []string{ // a save based on the previous version reports the conflicting text
			`{"content":"third","revision":"` + first + `"}`, `{"content":"# Start\n\nthird\n\n# More\n\n[[Home]]\n","revision":"` + first + `"}`,
		} {
			w := l.api("PUT", "ada", "/api/v1/pages/Bad", token, body)
			note("PUT", w.Body.String())
		}
		w := l.api("PATCH", "ada", "/api/v1/pages/Bad", token, `{"old":"not there","new":"x","revision":"`+second+`"}`)
		note("PATCH", w.Body.String())
		return where
	}
	for _, page := range []string{"Bad", "AGENTS", "Home", "Bad/bad.png"} {
		l.do("takedown", "wiki", "ada", "page", page, "reason", "A court said so.")
	}
	if where := shown(); len(where) > 0 {
		t.Errorf("shown by %q", where)
	}
	for _, b := range []*browser{owner, reader} {
		for _, path := range append([]string{"/Bad", "/Bad.md", "/Bad/source", "/"}, files...) {
			w := b.get(host, path)
			for range 3 {
				if to := w.Header().Get("Location"); to != "" {
					w = b.get(host, strings.TrimPrefix(to, "http://"+host))
				}
			}
			if w.Code != http.StatusUnavailableForLegalReasons {
				t.Errorf("%s: %d", path, w.Code)
			}
			for _, thumb := range thumbs {
				if bytes.Contains(w.Body.Bytes(), thumb) {
					t.Errorf("%s: shows the picture", path)
				}
			}
			if !strings.Contains(w.Header().Get("Cache-Control"), "no-store") {
				t.Errorf("%s: cacheable: %q", path, w.Header().Get("Cache-Control"))
			}
		}
	}
	for path, tag := range kept { // "not modified" would confirm the cached copy
		r := httptest.NewRequest(http.MethodGet, "http://"+host+path, nil)
		r.Header.Set("If-None-Match", tag)
		if w := reader.do(r); w.Code == http.StatusNotModified {
			t.Errorf("%s: a cached copy is still valid", path)
		}
	}
	if w := l.api("GET", "ada", "/api/v1/pages/Bad/attachments/bad.png", token, ""); w.Code != http.StatusUnavailableForLegalReasons {
		t.Errorf("the picture through the API: %d", w.Code)
	}
	for _, auth := range []string{token, ""} {
		if w := l.gitRefs("ada", auth); w.Code != http.StatusUnavailableForLegalReasons {
			t.Errorf("a clone: %d", w.Code)
		}
	}
	if w := owner.get(config.DevHost, "/app/"); !strings.Contains(w.Body.String(), "Bad/bad.png") {
		t.Error("the owner isn't notified about the file")
	}
	for _, page := range []string{"Bad", "AGENTS", "Home", "Bad/bad.png"} {
		l.do("putback", "wiki", "ada", "page", page)
	}
	if where := shown(); len(where) < 15 { // each of these shows it otherwise
		t.Errorf("after putback, shown only by %q", where)
	}
}

// unpacked returns the text of all files in a zip.
func unpacked(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/zip" {
		return w.Body.String()
	}
	z, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&all, r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	return all.String()
}

// A reader without an account reports a page through the link on it, without
// JavaScript; the operator sees the report.
func TestReportsReachTheOperator(t *testing.T) {
	t.Parallel()
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
	if w := reader.post(host, "/-/report", form); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "watches") {
		t.Errorf("invalid reason: %d", w.Code)
	}
	if w := reader.post("bob."+config.DevHost, "/-/report", form); w.Code == http.StatusSeeOther && w.Header().Get("Location") == "/-/report?page=%2FHome&notice=sent" {
		t.Error("a stranger can report a page of a private wiki")
	}
	l.do("reports", "close", "1")
	if out := l.do("reports"); strings.Contains(out, "spam") {
		t.Errorf("after it was closed:\n%s", out)
	}
}

// A wiki that became public within the last 72 hours tells search engines not to
// index it.
func TestNewPublicWikisAreNotIndexed(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	for _, path := range []string{"/Home", "/Home", "/-/index", "/Home.md", "/Home/source"} {
		if w := l.browser().get("ada."+config.DevHost, path); w.Code == http.StatusOK && w.Header().Get("X-Robots-Tag") != "" {
			t.Errorf("%s of an old wiki: noindex", path)
		}
	}
	a := access(t, l.Service, "ada", people()[0])
	site := a.Site()
	if time.Since(site.Published) < 72*time.Hour {
		t.Skip("the seeds are new") // usually they are dated in the past
	}
	bob := access(t, l.Service, "bob", people()[1])
	set := bob.Site()
	set.Public = true
	l.must(l.Store.UpdateSite(t.Context(), bob.Caller().User.DID, set))
	for _, path := range []string{"/Home", "/Home", "/-/index", "/Home/source"} {
		w := l.browser().get("bob."+config.DevHost, path)
		if w.Code != http.StatusOK || w.Header().Get("X-Robots-Tag") != "noindex" {
			t.Errorf("%s of a newly public wiki: %d, %q", path, w.Code, w.Header().Get("X-Robots-Tag"))
		}
	}
}
