package web

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// upload stores a file as the wiki's owner.
func (w *testWiki) upload(slug, page, name, data string) {
	w.T.Helper()
	_, err := w.Pages.Upload(w.T.Context(), w.Access(slug, slug), pages.UploadRequest{Page: page, Name: name, Data: strings.NewReader(data)})
	if err != nil {
		w.T.Fatal(err)
	}
}

// TestOtterWikiRoutes tries the addresses of An Otter Wiki 2.23: each serves or
// redirects to the equivalent page.
func TestOtterWikiRoutes(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	first := w.put("ada", "Weather_Station/Log", "One.\n")
	second := w.put("ada", "Weather_Station/Log", "Two.\n")
	w.upload("ada", "Weather_Station/Log", "notes.txt", "some notes\n")
	w.upload("ada", "Weather_Station/Log", "dot.png", string(testPNG(t)))
	a, b := shortID(first.Commit), shortID(second.Commit)
	const page = "/Weather_Station/Log"
	ada := w.as("ada")
	for path, words := range map[string]string{
		"/":                                  "Home",
		page:                                 "Two.",
		page + "?revision=" + a:              "One.",
		page + ".md":                         "Two.",
		page + "/":                           "Two.",
		"/weather station/log":               "Two.",
		"/Garden":                            "Beds",
		page + "/notes.txt":                  "some notes",
		page + "/dot.png":                    "PNG",
		page + "/dot.png?thumbnail":          "PNG",
		page + "/dot.png?thumbnail=40":       "PNG",
		page + "/dot.png?size=40":            "PNG",
		page + "/dot.png?width=40&height=40": "PNG",
		page + "/view":                       "Two.",
		page + "/view/" + a:                  "One.",
		page + "/source":                     "Two.",
		page + "/source/" + a:                "One.",
		page + "/source?raw":                 "Two.",
		page + "/edit":                       "Two.",
		page + "/edit/" + a:                  "One.",
		page + "/save":                       "Two.",
		page + "/preview":                    "Two.",
		page + "/draft":                      "Two.",
		page + "/history":                    b,
		page + "/blame":                      "Two.",
		page + "/blame/" + a:                 "One.",
		page + "/diff/" + a + "/" + b:        "Two",
		page + "/diff?rev_a=" + a + "&rev_b=" + b: "Two",
		page + "/rename":               "Log",
		page + "/delete":               "Log",
		page + "/attachments":          "notes.txt",
		page + "/inline_attachment":    "notes.txt",
		page + "/attachment/notes.txt": "notes.txt",
		page + "/a/notes.txt":          "some notes",
		page + "/t/dot.png":            "PNG",
		page + "/t/dot.png/40":         "PNG",
		"/-/create":                    "form",
		"/-/index":                     "Calibration",
		"/-/changelog":                 b,
		"/-/changelog/" + a:            a,
		"/-/log":                       b,
		"/-/log/" + a:                  a,
		"/-/changelog/feed.rss":        "<rss",
		"/-/changelog/feed.atom":       "<feed",
		"/-/commit/" + b:               "Two",
		"/-/revert/" + b:               "form",
		"/-/search":                    "What can I type",
		"/-/search?query=offset":       "Calibration",
		"/-/search?q=offset":           "Calibration",
		"/-/search/offset":             "Calibration",
		"/-/housekeeping":              "Wanted",
		"/-/help":                      "[[Page]]",
		"/-/help/syntax":               "[[Page]]",
		"/-/syntax":                    "[[Page]]",
		"/-/about":                     "A wiki for you and your robots",
		"/-/healthz":                   "ok",
	} {
		t.Run(path, func(t *testing.T) {
			got := ada.follow(ada.get(on("ada", strings.ReplaceAll(path, " ", "%20"))))
			got.t = t
			got.want(http.StatusOK).has(words)
		})
	}
	ada.get(on("ada", "/Never_Written")).want(http.StatusNotFound).has("Write it")
	ada.get(on("ada", page+"/a/notes.txt/"+w.commit("ada"))).want(http.StatusOK).has("some notes")
	ada.follow(ada.post(on("ada", page+"/history"), url.Values{"rev_a": {a}, "rev_b": {b}})).want(http.StatusOK).has("<ins>", "<del>")
	ada.follow(ada.post(on("ada", "/-/search"), url.Values{"query": {"offset"}})).want(http.StatusOK).has("Calibration")
}

// Search results and the next page are filtered by the form's options, also without
// a query.
func TestSearchForm(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	for n := range 25 {
		w.put("ada", fmt.Sprintf("Garden/Bed_%d", n), "---\ntags: [plants]\n---\nbeans grow here\n")
	}
	w.put("ada", "Kitchen", "beans are cooked here\n")
	reader := w.anonymous()
	page := reader.get(on("ada", "/-/search?q=beans&mode=keyword&path=Garden&tag=plants&author=ada")).want(http.StatusOK)
	page.has("25 pages found", `<option value="Garden" selected>Garden`, `<option selected>plants`, `<option selected>ada`, `value="keyword" checked`)
	if strings.Contains(page.body, `href="/Kitchen"`) {
		t.Error("a page outside the folder is found")
	}
	next := regexp.MustCompile(`href="(/-/search\?[^"]*offset=20[^"]*)"`).FindStringSubmatch(page.body)
	if next == nil {
		t.Fatal("there are no more results")
	}
	more := reader.get(on("ada", html.UnescapeString(next[1]))).want(http.StatusOK)
	more.has("25 pages found", `<option value="Garden" selected>`, `<option selected>plants`, `<option selected>ada`, `value="keyword" checked`)
	reader.get(on("ada", "/-/search?q=&path=&tag=plants&author=")).want(http.StatusOK).has("25 pages found", `href="/Garden/Bed_1"`)
	reader.get(on("ada", "/-/search?q=beans&author=Nobody%22%3E")).want(http.StatusOK).has("0 pages found", "<option selected>Nobody&#34;&gt;")
	reader.get(on("ada", "/-/search?q=&path=&tag=&author=")).want(http.StatusOK).has("<details class=\"after small\" open>")
}

// Each section of the health page lists its own pages and no others.
func TestHealthPage(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Home", "[[Linked]] [[Missing]] [[Missing]] [[Long]]\n")
	w.put("ada", "Linked", "[[Missing]] [[Home]]\n")
	w.put("ada", "Alone", "nobody leads here\n")
	w.Clock.Add(200 * 24 * time.Hour)
	w.put("ada", "Long", strings.Repeat("words and more words\n", 2000))
	page := w.as("ada").get(on("ada", "/-/health")).want(http.StatusOK)
	for part, want := range map[string][]string{
		"broken":  {"Home", "Missing", "Linked", "Missing", "Weather_Station", "Rain_Gauge"},
		"wanted":  {"Missing", "Rain_Gauge"},
		"orphans": {"AGENTS", "Alone", "Garden/Beds", "Getting_Started", "Weather_Station"},
		"stale":   {"AGENTS", "Alone", "Garden/Beds", "Getting_Started", "Home", "Linked", "Weather_Station", "Weather_Station/Calibration"},
		"long":    {"Long"},
	} {
		_, text, _ := strings.Cut(page.body, `<section id="`+part+`">`)
		text, _, _ = strings.Cut(text, "</section>")
		var got []string
		for _, m := range regexp.MustCompile(`href="/([^"]*)"`).FindAllStringSubmatch(text, -1) {
			got = append(got, m[1])
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", part, got, want)
		}
	}
}

// commit returns the short id of a wiki's newest commit.
func (w *testWiki) commit(slug string) string {
	w.T.Helper()
	commits, err := w.Pages.Changelog(w.T.Context(), w.Access(slug, slug), pages.LogFilter{Limit: 1})
	if err != nil || len(commits) == 0 {
		w.T.Fatal(err)
	}
	return shortID(commits[0].ID)
}

// readingPaths are the addresses that need only read access.
func readingPaths(page, commit string) []string {
	return []string{
		"/", "/" + page, "/" + page + ".md", "/" + page + "/source", "/" + page + "/history", "/" + page + "/blame",
		"/" + page + "/diff/" + commit, "/" + page + "/attachments", "/-/index", "/-/changelog", "/-/changelog/" + commit,
		"/-/changelog/feed.atom", "/-/changelog/feed.rss", "/-/commit/" + commit, "/-/search?q=" + page, "/-/suggest?q=" + page[:3],
		"/-/suggest/tags", "/-/suggest/keys", "/-/suggest/headings?page=" + page, "/-/suggest/files", "/-/suggest/templates",
		"/-/help", "/-/health", "/-/attachments", "/sitemap.xml", "/llms.txt", "/llms-full.txt",
	}
}

func TestReadAccess(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	secret := "Secret_" + canary
	for _, c := range []struct {
		name          string
		public, other int // statuses in the public and the private wiki
	}{
		{"", http.StatusOK, http.StatusFound},
		{"dan", http.StatusOK, http.StatusNotFound},
		{"ada", http.StatusOK, http.StatusNotFound},
		{"cleo", http.StatusOK, http.StatusOK},
		{"bob", http.StatusOK, http.StatusOK},
	} {
		b := w.as(c.name)
		for _, path := range append(readingPaths("Weather_Station", w.commit("ada")), "/-/search?q=xylothe*", "/-/search?q=path:Secret", "/-/suggest?q=xylo") {
			b.get(on("ada", path)).want(c.public).lacks(canary, strings.ToLower(canary))
		}
		for _, path := range readingPaths(secret, w.commit("bob")) {
			got := b.get(on("bob", path)).want(c.other)
			if c.other != http.StatusOK {
				got.lacks("Getting Started", ">"+canary)
			}
		}
	}
}

// TestPrivateLooksMissing compares, byte for byte, responses from a private wiki with
// those from a nonexistent one.
func TestPrivateLooksMissing(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	nonce := regexp.MustCompile(`nonce=[0-9a-f]+|X-Request-Id: \S+|__Host-sso=[^;]+`)
	neutral := func(a *answer, slug string) string {
		var b bytes.Buffer
		b.WriteString(http.StatusText(a.status) + "\n")
		_ = a.header.Write(&b)
		b.WriteString(a.body)
		text := nonce.ReplaceAllString(b.String(), "")
		text = strings.ReplaceAll(strings.ReplaceAll(text, "wiki="+slug, ""), "//"+slug+".", "//")
		return regexp.MustCompile(`(?m)^(X-Request-Id|Date):.*$`).ReplaceAllString(text, "")
	}
	for _, name := range []string{"", "dan"} {
		b := w.as(name)
		for _, path := range append(readingPaths("Secret_"+canary, w.commit("bob")), "/robots.txt", "/-/healthz", "/Home/edit", "/-/settings", "/-/login?to=/Home") {
			private, missing := neutral(b.get(on("bob", path)), "bob"), neutral(b.get(on("zoe", path)), "zoe")
			if private != missing {
				t.Errorf("%q sees a difference at %s:\n%s\n----\n%s", name, path, private, missing)
			}
		}
		form := url.Values{"content": {"my words"}, "x": {"y"}}
		private, missing := b.post(on("bob", "/Home/save"), form), b.post(on("zoe", "/Home/save"), form)
		if neutral(private, "bob") != neutral(missing, "zoe") {
			t.Errorf("%q sees a difference in saving", name)
		}
	}
	w.anonymous().post(on("bob", "/Home/save"), url.Values{"content": {"my long words\nin two lines"}}).want(http.StatusForbidden).has("my long words\nin two lines")
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.anonymous()
	// A private wiki, signed out: redirects to signing in and back.
	page := b.follow(b.get(on("bob", "/Secret_"+canary))).want(http.StatusOK).has("Sign in as bob")
	back := regexp.MustCompile(`name="return_to" value="([^"]+)"`).FindStringSubmatch(page.body)
	if back == nil {
		t.Fatal("no return address")
	}
	got := b.follow(b.post(testPlatform+"/auth/dev", url.Values{"username": {"bob"}, "return_to": {strings.ReplaceAll(back[1], "&amp;", "&")}}))
	got.want(http.StatusOK).has("The word is " + canary)
	// On a public wiki, the hint signs bob in automatically, once.
	b.follow(b.get(on("ada", "/Weather_Station"))).want(http.StatusOK).has("Account of Bob")
	b.get(on("ada", "/Weather_Station")).want(http.StatusOK).has("Account of Bob")
	// Signing out on one host ends it on all.
	b.post(on("ada", "/-/logout"), url.Values{}).want(http.StatusSeeOther)
	b.get(on("bob", "/Secret_"+canary)).want(http.StatusFound).lacks(canary)
	b.get(on("ada", "/")).want(http.StatusOK).has("Sign in").lacks("Account of")
}

func TestSignInUnknown(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.anonymous().post(testPlatform+"/auth/dev", url.Values{"username": {"mallory"}}).want(http.StatusUnprocessableEntity).has("Nobody here has that name")
	w.anonymous().get(testPlatform + "/app/").want(http.StatusFound)
	w.as("cleo").get(testPlatform+"/app/").want(http.StatusOK).has("have a wiki yet", "Viewer")
	w.as("ada").get(testPlatform + "/app/").want(http.StatusOK).has("ada.robot.localhost").lacks(canary)
}

// A hint without a session is tried once. Without a hint there is no redirect.
func TestNoRedirectLoops(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.anonymous()
	b.get(on("ada", "/")).want(http.StatusOK)
	b.cookies[""] = map[string]string{"signed_in": "1"}
	b.follow(b.get(on("ada", "/"))).want(http.StatusOK).has("Sign in")
	stuck := w.anonymous()
	stuck.header.Set("Cookie", "signed_in=1; sso_tried=1") // a browser that keeps neither
	stuck.get(on("ada", "/")).want(http.StatusOK)
	image := w.anonymous()
	image.cookies[""] = map[string]string{"signed_in": "1"}
	image.header.Set("Sec-Fetch-Mode", "no-cors")
	image.get(on("ada", "/")).want(http.StatusOK)
	image.get(on("bob", "/")).want(http.StatusNotFound)
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada := w.as("ada")
	for _, address := range []string{
		testPlatform + "/", testPlatform + "/auth/login", testPlatform + "/app/", testPlatform + "/nothing",
		on("ada", "/"), on("ada", "/Nothing"), on("ada", "/-/index"), on("ada", "/-/changelog/feed.atom"), on("ada", "/Weather_Station.md"),
		on("ada", "/-/nothing"), on("ada", "/-/suggest?q=w"), on("bob", "/Home"), on("ada", w.web.assets.byName["app.css"]),
	} {
		got := ada.get(address)
		policy := got.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self'; ") || strings.Contains(policy, "unsafe") ||
			!strings.Contains(policy, "base-uri 'none'; frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", address, policy)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got.header.Get(name) != want {
				t.Errorf("%s: %s %q", address, name, got.header.Get(name))
			}
		}
		if strings.Contains(got.body, "<script>") || strings.Contains(got.body, " style=") || strings.Contains(got.body, " onclick=") {
			t.Errorf("%s has inline script or style", address)
		}
		for _, source := range regexp.MustCompile(`(?:src|<link rel="(?:stylesheet|icon)" href)="([^"]+)"`).FindAllStringSubmatch(got.body, -1) {
			if !strings.HasPrefix(source[1], "/") || strings.HasPrefix(source[1], "//") {
				t.Errorf("%s asks %s", address, source[1])
			}
		}
	}
}

func TestFinishedPages(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	const path = "/Weather_Station"
	stranger, ada := w.anonymous(), w.as("ada")

	first := stranger.get(on("ada", path)).want(http.StatusOK).has("A mast.", "Sign in").lacks("/Weather_Station/edit")
	if got := w.web.finished.cache.EstimatedSize(); got == 0 {
		t.Error("nothing is kept")
	}
	again := stranger.get(on("ada", path)).want(http.StatusOK)
	if again.body != first.body || again.header.Get("Etag") != first.header.Get("Etag") || first.header.Get("Etag") == "" {
		t.Error("the kept page differs from the first")
	}
	if cc := again.header.Get("Cache-Control"); cc != "no-cache" {
		t.Errorf("Cache-Control %q", cc)
	}
	if vary := again.header.Get("Vary"); !strings.Contains(vary, "Cookie") || !strings.Contains(vary, "Accept-Encoding") {
		t.Errorf("Vary %q", vary)
	}

	// The same address for people with other roles and names.
	ada.get(on("ada", path)).want(http.StatusOK).has("Account of Ada", "/Weather_Station/edit").lacks("Sign in</a>")
	got := ada.get(on("ada", path)).want(http.StatusOK).has("Account of Ada", "/Weather_Station/edit")
	if !strings.Contains(got.header.Get("Cache-Control"), "private") {
		t.Error("shared caches may store a person's page")
	}
	w.as("cleo").get(on("ada", path)).want(http.StatusOK).has("Account of Cleo").lacks("Account of Ada", "/Weather_Station/edit")
	stranger.get(on("ada", path)).want(http.StatusOK).lacks("Account of", "/Weather_Station/edit")

	// Compressed, conditional and HEAD requests.
	packed := w.anonymous()
	packed.header.Set("Accept-Encoding", "gzip, br")
	zipped := packed.get(on("ada", path)).want(http.StatusOK)
	if zipped.header.Get("Content-Encoding") != "gzip" || unzip(t, zipped.body) != first.body {
		t.Error("the compressed page is different")
	}
	if cookies := zipped.header["Set-Cookie"]; cookies != nil {
		t.Errorf("a shareable page sets %q", cookies)
	}
	stranger.header.Set("If-None-Match", first.header.Get("Etag"))
	if same := stranger.get(on("ada", path)).want(http.StatusNotModified); same.body != "" {
		t.Error("304 with a body")
	}
	stranger.header.Del("If-None-Match")

	// Changes of the text, links to the page or settings change the response.
	w.put("ada", "Weather_Station", "Another text.\n")
	stranger.get(on("ada", path)).want(http.StatusOK).has("Another text.").lacks("A mast.")
	w.put("ada", "Garden/Beds", "See [[Weather Station]].\n")
	stranger.get(on("ada", path)).want(http.StatusOK).has("Garden/Beds")
	if err := w.Tenant.Configure(t.Context(), w.Access("ada", "ada"), tenant.Settings{Public: true, Title: "Windy"}); err != nil {
		t.Fatal(err)
	}
	stranger.get(on("ada", path)).want(http.StatusOK).has("Windy")
	if err := w.Tenant.Configure(t.Context(), w.Access("ada", "ada"), tenant.Settings{}); err != nil {
		t.Fatal(err)
	}
	stranger.get(on("ada", path)).want(http.StatusFound)
}

// A person's page is the anonymous one with their account in it, in every encoding, and
// has a tag of its own.
func TestFinishedPagesOfPeople(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	const path = "/Weather_Station"
	plain := w.as("ada").get(on("ada", path)).want(http.StatusOK).has("Account of Ada")
	ada := w.as("ada")
	ada.header.Set("Accept-Encoding", "gzip")
	for _, level := range []string{"fast", "well", "cached"} {
		if got := ada.get(on("ada", path)).want(http.StatusOK); unzip(t, got.body) != plain.body || got.header.Get("Etag") != plain.header.Get("Etag") {
			t.Errorf("%s: the compressed page is different", level)
		}
	}
	tag := plain.header.Get("Etag")
	if anonymous := w.anonymous().get(on("ada", path)).header.Get("Etag"); tag == "" || tag == anonymous {
		t.Errorf("tag %q, for anonymous readers %q", tag, anonymous)
	}
	ada.header.Set("If-None-Match", tag)
	same := ada.get(on("ada", path)).want(http.StatusNotModified)
	if same.body != "" || same.header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("304 with %q and %d bytes", same.header.Get("Cache-Control"), len(same.body))
	}
	for _, other := range []*browser{w.as("cleo"), w.anonymous()} {
		other.header.Set("If-None-Match", tag)
		other.get(on("ada", path)).want(http.StatusOK).lacks("Account of Ada")
	}
}

func unzip(t interface {
	Helper()
	Fatal(args ...any)
}, data string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestWeight keeps a page and its stylesheet under 30 KB compressed.
func TestWeight(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.anonymous()
	b.header.Set("Accept-Encoding", "gzip")
	page := w.anonymous().get(on("ada", "/Weather_Station")).want(http.StatusOK)
	total := 0
	paths := []string{"/Weather_Station", w.web.assets.byName["icons.svg"]}
	for _, m := range regexp.MustCompile(`(?:<script[^>]* src|<link rel="stylesheet" href)="([^"]+)"`).FindAllStringSubmatch(page.body, -1) {
		paths = append(paths, m[1])
	}
	for _, path := range paths {
		got := b.get(on("ada", path)).want(http.StatusOK)
		t.Logf("%s: %d bytes compressed", path, len(got.body))
		total += len(got.body)
	}
	if total > 30_000 {
		t.Errorf("a read page weighs %d bytes, over 30,000", total)
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.anonymous()
	want := "# Calibration\n\nThe offset is 0.4.\n"
	got := b.get(on("ada", "/Weather_Station/Calibration.md")).want(http.StatusOK)
	if got.body != want || !strings.HasPrefix(got.header.Get("Content-Type"), "text/markdown") {
		t.Errorf("%q as %q", got.body, got.header.Get("Content-Type"))
	}
	for accept, markdown := range map[string]bool{
		"text/markdown": true,
		"text/markdown, text/html;q=0.9, */*;q=0.1": true,
		"text/html, text/markdown;q=0.5":            false,
		"text/html,application/xhtml+xml,*/*;q=0.8": false,
		"*/*":               false,
		"text/markdown;q=0": false,
	} {
		b.header.Set("Accept", accept)
		for range 2 { // the second time from the cache
			got := b.get(on("ada", "/Weather_Station/Calibration")).want(http.StatusOK)
			if (got.body == want) != markdown {
				t.Errorf("Accept: %s answers %s", accept, got.header.Get("Content-Type"))
			}
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada := w.as("ada")
	for _, c := range []struct{ method, path, allow string }{
		{"POST", "/Weather_Station", "GET, HEAD"},
		{"DELETE", "/Weather_Station", "GET, HEAD"},
		{"PUT", "/Weather_Station/history", "GET, HEAD, POST"},
		{"POST", "/Weather_Station/blame", "GET, HEAD"},
		{"POST", "/-/index", "GET, HEAD"},
		{"GET", "/-/logout", "POST"},
		{"PATCH", "/-/create", "GET, HEAD, POST"},
		{"POST", "/robots.txt", "GET, HEAD"},
	} {
		got := ada.send(c.method, on("ada", c.path), url.Values{}).want(http.StatusMethodNotAllowed)
		if allow := got.header.Get("Allow"); allow != c.allow {
			t.Errorf("%s %s: Allow %q, want %q", c.method, c.path, allow, c.allow)
		}
	}
	for _, path := range []string{"/", "/Weather_Station", "/-/index", "/Weather_Station/history", "/Weather_Station.md"} {
		whole := ada.get(on("ada", path)).want(http.StatusOK)
		head := ada.send("HEAD", on("ada", path), nil).want(http.StatusOK)
		if head.header.Get("Content-Length") != whole.header.Get("Content-Length") {
			t.Errorf("HEAD %s: length %q, want %q", path, head.header.Get("Content-Length"), whole.header.Get("Content-Length"))
		}
	}
}

func TestBadAddresses(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.anonymous()
	for path, status := range map[string]int{
		"/%ff":                                 http.StatusBadRequest,
		"/a%00b":                               http.StatusBadRequest,
		"/..%2fbob":                            http.StatusBadRequest,
		"/a%5cb":                               http.StatusBadRequest,
		"/.hidden":                             http.StatusUnprocessableEntity,
		"/history":                             http.StatusUnprocessableEntity,
		"/" + strings.Repeat("x", 300):         http.StatusUnprocessableEntity,
		"/-/nothing":                           http.StatusNotFound,
		"/-/commit/zzz":                        http.StatusUnprocessableEntity,
		"/-/commit/abcdef12345":                http.StatusNotFound,
		"/Weather_Station?revision=zzz":        http.StatusUnprocessableEntity,
		"/Weather_Station?revision=abcdef1234": http.StatusNotFound,
		"/Weather_Station/diff/1/2":            http.StatusUnprocessableEntity,
		"/Weather_Station/diff/1/2/3":          http.StatusNotFound,
		"/Nothing/history":                     http.StatusNotFound,
		"/-/search?q=%22%22%22(((":             http.StatusOK,
		"/-/changelog?before=x&by=nobody":      http.StatusOK,
	} {
		b.get(on("ada", path)).want(status).has("<h1")
	}
}

func TestActionNameAsPage(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Project/History", "Long ago.\n")
	w.anonymous().get(on("ada", "/Project/History")).want(http.StatusOK).has("Long ago.")
	w.anonymous().get(on("ada", "/Project/History/history")).want(http.StatusOK).has("Pick two versions")
}

func TestMovedAndDeleted(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	a := w.Access("ada", "ada")
	p, err := w.Pages.Page(t.Context(), a, "Garden/Beds", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.Pages.Rename(t.Context(), a, pages.RenameRequest{Name: "Garden/Beds", NewName: "Garden/Rows", Precondition: pages.Precondition{Base: p.File.Blob}}); err != nil {
		t.Fatal(err)
	}
	b := w.anonymous()
	for from, to := range map[string]string{
		"/Garden/Beds": "/Garden/Rows", "/Garden/Beds.md": "/Garden/Rows.md", "/Garden/Beds?x=1": "/Garden/Rows?x=1",
	} {
		if got := b.get(on("ada", from)).want(http.StatusFound); got.header.Get("Location") != to {
			t.Errorf("%s leads to %s", from, got.header.Get("Location"))
		}
	}
	if got := b.get(on("ada", "/weather%20station")).want(http.StatusMovedPermanently); got.header.Get("Location") != "/Weather_Station" {
		t.Errorf("another spelling leads to %s", got.header.Get("Location"))
	}
	if _, err = w.Pages.Delete(t.Context(), a, pages.DeleteRequest{Name: "Garden/Rows", Precondition: pages.Precondition{Base: p.File.Blob}}); err != nil {
		t.Fatal(err)
	}
	b.get(on("ada", "/Garden/Rows")).want(http.StatusNotFound).has("history").lacks("Write it")
	b.get(on("ada", "/Garden/Rows/history")).want(http.StatusOK).has("was deleted")
	old := b.get(on("ada", "/Garden/Rows?revision="+shortID(p.File.Commit)))
	b.follow(old).want(http.StatusOK).has("Beans.", "The page was deleted later")
}

func TestRestore(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	old := w.put("ada", "Log", "One.\n")
	w.put("ada", "Log", "Two.\n")
	form := url.Values{"restore": {old.Commit}}
	w.as("cleo").post(on("ada", "/Log/history"), form).want(http.StatusForbidden)
	bob := w.as("bob")
	bob.follow(bob.post(on("ada", "/Log/history"), form).want(http.StatusSeeOther)).want(http.StatusOK).has("One.")
}

func TestFeedsAreXML(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Odd", "a")
	b := w.anonymous()
	for _, path := range []string{"/-/changelog/feed.atom", "/-/changelog/feed.rss", "/sitemap.xml"} {
		got := b.get(on("ada", path)).want(http.StatusOK)
		var doc struct{ XMLName xml.Name }
		if err := xml.Unmarshal([]byte(got.body), &doc); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	b.get(on("ada", "/robots.txt")).want(http.StatusOK).has("Sitemap: " + on("ada", "/sitemap.xml"))
	b.get(on("ada", "/llms.txt")).want(http.StatusOK).has("[Weather Station/Calibration](" + on("ada", "/Weather_Station/Calibration.md"))
	b.get(on("ada", "/llms-full.txt")).want(http.StatusOK).has("The offset is 0.4.")
}

func TestTreeItems(t *testing.T) {
	leaf := &pages.Node{Name: "C", Path: "A/B/C", Page: "A/B/C"}
	tree := []*pages.Node{
		{Name: "A", Path: "A", Page: "A", Count: 2, Children: []*pages.Node{{Name: "B", Path: "A/B", Page: "A/B", Count: 1, Children: []*pages.Node{leaf}}}},
		{Name: "Ab", Path: "Ab", Count: 1, Children: []*pages.Node{{Name: "X", Path: "Ab/X", Page: "Ab/X"}}},
	}
	got := treeItems(tree, "", "A/B")
	if len(got) != 2 || len(got[0].Children) != 1 || !got[0].Children[0].Current || len(got[0].Children[0].Children) != 1 || got[1].Children != nil || got[1].Count != 1 {
		t.Errorf("%+v", got)
	}
}

func BenchmarkFinishedPage(b *testing.B) {
	w := newTestWiki(b)
	body := []byte(w.anonymous().get(on("ada", "/Weather_Station")).want(http.StatusOK).body)
	r := httptest.NewRequest(http.MethodGet, on("ada", "/Weather_Station"), nil)
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			rec := discard{http.Header{}}
			rec.header.Set("Content-Type", "text/html; charset=utf-8")
			_, _ = rec.Write(body)
		}
	})
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w.web.ServeWiki(discard{http.Header{}}, r, "ada")
		}
	})
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// Names used by the site map can't be pages, because those would be unreachable.
func TestReservedNames(t *testing.T) {
	for _, rt := range wikiRoutes() {
		_, path, ok := strings.Cut(rt.pattern, " ")
		if !ok {
			continue
		}
		first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		if _, err := wiki.ParsePageName(first); err == nil {
			t.Errorf("%s: %q is not reserved", rt.pattern, first)
		}
	}
	var suffixes []string
	for _, a := range pageActions() {
		suffixes = append(suffixes, a.suffix)
	}
	for _, name := range wiki.Actions {
		if !slices.Contains(suffixes, name) {
			t.Errorf("the reserved suffix %q does nothing", name)
		}
	}
	if len(suffixes) != len(wiki.Actions) {
		t.Errorf("%d actions, %d reserved", len(suffixes), len(wiki.Actions))
	}
}
