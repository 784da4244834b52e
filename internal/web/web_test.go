package web

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/content"
	"robot.wtf/internal/export"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/oauth"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/search"
	"robot.wtf/internal/server"
	"robot.wtf/internal/session"
	"robot.wtf/internal/store"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

const (
	testPlatform = "http://robot.localhost:8080"
	// canary stands in the private wiki of bob, and so must stand nowhere else.
	canary = "Xylothecanary"
)

// keyDir holds one signing key for all tests: making one takes as long as the
// rest of a test.
var keyDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "robot-web-keys-")
	if err != nil {
		panic(err)
	}
	keyDir = dir
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

func testOrigin(slug string) string { return "http://" + slug + ".robot.localhost:8080" }

// A testWiki is the real chain of handlers over real storage: wiki "ada" is
// public (ada owner, bob editor, cleo viewer, dan a stranger), wiki "bob" is
// private (bob owner, cleo viewer).
type testWiki struct {
	t       testing.TB
	handler http.Handler // as the network reaches it
	web     *Handler
	store   *store.DB
	pages   *pages.Service
	tenant  *tenant.Service
	oauth   *oauth.Service
	dir     string        // of its data
	now     *atomic.Int64 // unix seconds; each look at the clock takes one
}

func testPeople() []wiki.User {
	var people []wiki.User
	for _, name := range []string{"ada", "bob", "cleo", "dan"} {
		people = append(people, wiki.User{
			DID: "did:plc:" + name, Username: name, Handle: name + ".test", Name: strings.ToUpper(name[:1]) + name[1:],
		})
	}
	return people
}

func newTestWiki(t testing.TB) *testWiki { return newLimitedWiki(t, nil) }

// newLimitedWiki has rate limits.
func newLimitedWiki(t testing.TB, limits *limit.Limiter) *testWiki {
	t.Helper()
	ctx, dir, log := t.Context(), t.TempDir(), slog.New(slog.DiscardHandler)
	w := &testWiki{t: t, dir: dir, now: new(atomic.Int64)}
	w.now.Store(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).Unix())
	now := func() time.Time { return time.Unix(w.now.Load(), 0).UTC() }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(ctx, filepath.Join(dir, "robot.db"), now)
	must(err)
	w.store = db
	pool, err := content.NewPool(content.Options{
		Dir: filepath.Join(dir, "wikis"), Now: now, Log: log,
		Links: func(p wiki.PageName, source []byte) []wiki.Link { return markdown.ExtractFacts(p, source).Links },
	})
	must(err)
	index := search.New(search.Options{Dir: filepath.Join(dir, "wikis")})
	git, err := gitrepo.Find()
	must(err)
	exports := export.New(export.Options{Content: pool, Git: git, Dir: filepath.Join(dir, "wikis"), Log: log})
	t.Cleanup(func() {
		exports.Close()
		if err := errors.Join(index.Close(), pool.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	w.pages = pages.New(pages.Options{Content: pool, Search: index, Mirror: exports, Markdown: markdown.New(markdown.Options{}), Now: now, Log: log})
	w.tenant = tenant.New(tenant.Options{Store: db, Content: pool, People: testDirectory{}, Forget: index.Remove, Now: now, Log: log})
	sessions, err := session.New(session.Options{
		Store: db, KeyDir: keyDir, Platform: testPlatform, WikiOrigin: testOrigin, Now: now, Log: log,
	})
	must(err)
	signIn, err := atproto.New(atproto.Options{
		Store: db, KeyDir: keyDir, Platform: "https://robot.wtf.internal", Admit: func(wiki.User) bool { return true },
		Outbound: outbound.Options{DNS: "127.0.0.1:1"}, Now: now, Log: log, // no server is in reach
	})
	must(err)
	w.oauth, err = oauth.New(oauth.Options{Store: db, Session: sessions, Tenant: w.tenant, WikiOrigin: testOrigin, Now: now, Log: log})
	must(err)
	w.web, err = New(Options{
		SignIn: signIn, Pages: w.pages, Tenant: w.tenant, Session: sessions, OAuth: w.oauth, Platform: testPlatform, WikiOrigin: testOrigin,
		People: testPeople(), Showcase: []string{"ada", "bob", "nobody"}, Limits: limits, Now: now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	must(err)
	w.handler = server.New(server.Options{
		Host: "robot.localhost", Platform: w.web.ServePlatform, Wiki: w.web.ServeWiki, OAuth: w.oauth.ServeHTTP,
		Renew: sessions.Renew, Check: func(context.Context) error { return nil }, Log: log,
	})
	for _, u := range testPeople() {
		must(db.SaveUser(ctx, u))
	}
	for slug, members := range map[string]map[string]wiki.Role{
		"ada": {"bob": wiki.Editor, "cleo": wiki.Viewer},
		"bob": {"cleo": wiki.Viewer},
	} {
		_, err := w.tenant.Create(ctx, w.person(slug), slug)
		must(err)
		a := w.access(slug, slug)
		must(w.pages.Seed(ctx, a))
		for name, role := range members {
			must(w.tenant.SetMember(ctx, a, "did:plc:"+name, role))
		}
	}
	must(w.tenant.Configure(ctx, w.access("ada", "ada"), tenant.Settings{Public: true, Description: "A weather station."}))
	w.put("ada", "Weather_Station", "Wind and [[Rain Gauge]], see [[Weather Station/Calibration]] and [[Home]]. #hardware\n\n## Hardware\n\nA mast.\n\n## Siting\n\nOn the lawn.\n")
	w.put("ada", "Weather_Station/Calibration", "# Calibration\n\nThe offset is 0.4.\n")
	w.put("ada", "Garden/Beds", "Beans.\n")
	w.put("bob", "Secret_"+canary, "The word is "+canary+".\n\n#"+strings.ToLower(canary)+"\n")
	return w
}

func (w *testWiki) person(name string) wiki.User {
	for _, u := range testPeople() {
		if u.Username == name {
			return u
		}
	}
	w.t.Fatalf("nobody is called %q", name)
	return wiki.User{}
}

// access is what a person ("" for nobody) may do in a wiki.
func (w *testWiki) access(slug, name string) wiki.Access {
	w.t.Helper()
	caller := wiki.Caller{}
	if name != "" {
		caller.User = w.person(name)
	}
	a, err := w.tenant.Resolve(w.t.Context(), slug, caller)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// put saves a page as the wiki's owner, whatever was there.
func (w *testWiki) put(slug, name, text string) pages.Saved {
	w.t.Helper()
	w.now.Add(60)
	a := w.access(slug, slug)
	r := pages.SaveRequest{Name: name, Text: []byte(text)}
	if p, err := w.pages.Page(w.t.Context(), a, name, ""); err == nil {
		r.Base = p.File.Blob
	}
	saved, err := w.pages.Save(w.t.Context(), a, r)
	if err != nil {
		w.t.Fatalf("put %s/%s: %v", slug, name, err)
	}
	return saved
}

// A browser keeps cookies by host, as browsers do, and sends what they send
// with a page navigation.
type browser struct {
	w       *testWiki
	cookies map[string]map[string]string // by host; those of the domain under ""
	header  http.Header                  // sent with each request besides
}

// anonymous is a browser that nobody is signed in with.
func (w *testWiki) anonymous() *browser {
	return &browser{w: w, cookies: map[string]map[string]string{}, header: http.Header{}}
}

// as is a browser that a person is signed in with, on the platform and on the
// hosts of both wikis and of one that does not exist, by the ways that people go.
func (w *testWiki) as(name string) *browser {
	w.t.Helper()
	if name == "" {
		return w.anonymous()
	}
	b := w.anonymous()
	b.post(testPlatform+"/auth/dev", url.Values{"username": {name}}).want(http.StatusSeeOther)
	for _, slug := range []string{"ada", "bob", "zoe"} {
		b.follow(b.get(testOrigin(slug) + "/-/login?to=/robots.txt")).want(http.StatusOK)
	}
	return b
}

// An answer is what a browser got, with its whole body.
type answer struct {
	t      testing.TB
	asked  string // method and address
	status int
	header http.Header
	body   string
}

// want fails the test unless the status is one of these.
func (a *answer) want(statuses ...int) *answer {
	a.t.Helper()
	for _, s := range statuses {
		if a.status == s {
			return a
		}
	}
	a.t.Fatalf("%s: status %d, want %v; location %q\n%.600s", a.asked, a.status, statuses, a.header.Get("Location"), a.body)
	return a
}

// has fails the test unless the body has the words.
func (a *answer) has(words ...string) *answer {
	a.t.Helper()
	for _, s := range words {
		if !strings.Contains(a.body, s) {
			_, body, found := strings.Cut(a.body, "<main")
			if !found {
				body = a.body
			}
			a.t.Errorf("%s: no %q in\n%.1500s", a.asked, s, body)
		}
	}
	return a
}

// lacks fails the test if the body has one of the words.
func (a *answer) lacks(words ...string) *answer {
	a.t.Helper()
	for _, s := range words {
		if strings.Contains(a.body, s) {
			a.t.Errorf("%s: has %q", a.asked, s)
		}
	}
	return a
}

func (b *browser) get(address string) *answer { return b.send(http.MethodGet, address, nil) }

func (b *browser) post(address string, form url.Values) *answer {
	return b.send(http.MethodPost, address, form)
}

// send asks once, following nothing. form may be nil.
func (b *browser) send(method, address string, form url.Values) *answer {
	b.w.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(b.w.t.Context(), method, address, body)
	u, err := url.Parse(address)
	if err != nil {
		b.w.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", u.Scheme+"://"+u.Host)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, values := range b.header {
		r.Header[name] = values
	}
	return b.do(r)
}

// do sends a request with the host's cookies.
func (b *browser) do(r *http.Request) *answer {
	b.w.t.Helper()
	for _, host := range []string{r.Host, ""} {
		for name, value := range b.cookies[host] {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	rec := httptest.NewRecorder()
	b.w.handler.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		host := r.Host
		if c.Domain != "" {
			host = ""
		}
		if b.cookies[host] == nil {
			b.cookies[host] = map[string]string{}
		}
		b.cookies[host][c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies[host], c.Name)
		}
	}
	return &answer{t: b.w.t, asked: r.Method + " " + r.URL.String(), status: rec.Code, header: rec.Result().Header, body: rec.Body.String()}
}

// follow goes where redirects lead, at most ten times.
func (b *browser) follow(a *answer) *answer {
	b.w.t.Helper()
	_, at, _ := strings.Cut(a.asked, " ")
	for range 10 {
		if a.status < 300 || a.status > 399 || a.header.Get("Location") == "" {
			return a
		}
		base, err := url.Parse(at)
		if err != nil {
			b.w.t.Fatal(err)
		}
		next, err := base.Parse(a.header.Get("Location"))
		if err != nil {
			b.w.t.Fatal(err)
		}
		next.Fragment = ""
		at = next.String()
		a = b.get(at)
	}
	b.w.t.Fatalf("%s: redirected in circles", a.asked)
	return a
}

// on is the address of a path on a wiki's host.
func on(slug, path string) string { return testOrigin(slug) + path }

// testPNG is an image of 80 by 60 pixels.
func testPNG(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 80, 60))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
