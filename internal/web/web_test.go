package web

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/server"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/webhook"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

const (
	testPlatform = "http://robot.localhost:8080"
	canary       = testworld.Canary
)

func testOrigin(slug string) string { return "http://" + slug + ".robot.localhost:8080" }

// A testWiki is a testworld behind the real chain of handlers, with a few pages
// about a weather station in wiki "ada".
type testWiki struct {
	*testworld.World
	handler http.Handler // the outermost handler
	web     *Handler
	domains []string // slugs of wikis with own domains
}

func newTestWiki(t testing.TB) *testWiki { return newLimitedWiki(t, nil) }

// newLimitedWiki has rate limits.
func newLimitedWiki(t testing.TB, limits *limit.Limiter) *testWiki {
	t.Helper()
	return newSignupWiki(t, limits, tenant.Signup{})
}

// newSignupWiki has a policy for new wikis.
func newSignupWiki(t testing.TB, limits *limit.Limiter, signup tenant.Signup) *testWiki {
	t.Helper()
	return newWikiWith(t, limits, testworld.Options{Mirror: true, Signup: signup})
}

func newWikiWith(t testing.TB, limits *limit.Limiter, o testworld.Options) *testWiki {
	t.Helper()
	o.Platform = testPlatform
	w := &testWiki{World: testworld.New(t, o)}
	w.web, w.handler = w.newHandlers(limits)
	if err := w.Tenant.Configure(t.Context(), w.Access("ada", "ada"), tenant.Settings{Public: true, Description: "A weather station."}); err != nil {
		t.Fatal(err)
	}
	w.put("ada", "Weather_Station", "Wind and [[Rain Gauge]], see [[Weather Station/Calibration]] and [[Home]]. #hardware\n\n## Hardware\n\nA mast.\n\n## Siting\n\nOn the lawn.\n")
	w.put("ada", "Weather_Station/Calibration", "# Calibration\n\nThe offset is 0.4.\n")
	w.put("ada", "Garden/Beds", "Beans.\n")
	return w
}

// newWebhooks returns a service that delivers nothing by itself, and reaches no server.
func (w *testWiki) newWebhooks() *webhook.Service {
	return webhook.New(webhook.Options{Tenant: w.Tenant, Pages: w.Pages, Client: outbound.New(outbound.Options{DNS: "127.0.0.1:1"}), WikiOrigin: w.Origin, Name: "test", Now: w.Clock.Now, Log: slog.New(slog.DiscardHandler)})
}

// newHandlers makes a front end with empty caches, and the handlers around it.
func (w *testWiki) newHandlers(limits *limit.Limiter) (*Handler, http.Handler) {
	t := w.T
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	signIn, err := atproto.New(atproto.Options{
		Store: w.Store, KeyDir: w.KeyDir(), Platform: "https://robot.wtf.internal", Admit: func(wiki.User) bool { return true },
		Outbound: outbound.Options{DNS: "127.0.0.1:1"}, Now: w.Clock.Now, Log: log, // no server can be reached
	})
	if err != nil {
		t.Fatal(err)
	}
	front, err := New(Options{
		SignIn: signIn, Webhooks: w.newWebhooks(), Pages: w.Pages, Tenant: w.Tenant, Session: w.Session, OAuth: w.OAuth, Platform: testPlatform, WikiOrigin: testOrigin,
		People: testworld.People(), Showcase: []string{"ada", "bob", "nobody"}, Limits: limits, Now: w.Clock.Now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return front, server.New(server.Options{
		Host: "robot.localhost", Domain: w.DomainSlug, Platform: front.ServePlatform, Wiki: front.ServeWiki, OAuth: w.OAuth.ServeHTTP,
		Renew: w.Session.Renew, Check: func(context.Context) error { return nil }, Log: log,
	})
}

// put saves a page as the wiki's owner, a minute after the previous change.
func (w *testWiki) put(slug, name, text string) pages.Saved {
	w.T.Helper()
	w.Clock.Add(time.Minute)
	return w.Save(slug, slug, name, text)
}

// A browser keeps cookies by host and sends the headers of a page navigation.
type browser struct {
	w       *testWiki
	cookies map[string]map[string]string // by host; those of the domain under ""
	header  http.Header                  // additional headers of each request
}

// anonymous returns a browser without a session.
func (w *testWiki) anonymous() *browser {
	return &browser{w: w, cookies: map[string]map[string]string{}, header: http.Header{}}
}

// as returns a browser signed in as a person, on the platform and the hosts of both
// wikis and of a nonexistent one, through the real sign-in pages.
func (w *testWiki) as(name string) *browser {
	w.T.Helper()
	if name == "" {
		return w.anonymous()
	}
	b := w.anonymous()
	b.post(testPlatform+"/auth/dev", url.Values{"username": {name}}).want(http.StatusSeeOther)
	for _, slug := range []string{"ada", "bob", "zoe"} {
		b.follow(b.get(testOrigin(slug) + "/-/login?to=/robots.txt")).want(http.StatusOK)
	}
	for _, slug := range w.domains {
		b.continueTo(slug, "/robots.txt").want(http.StatusOK)
	}
	return b
}

// An answer is a response with its whole body.
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

// has fails the test unless the body contains all the words.
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

// lacks fails the test if the body contains any of the words.
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

// send sends one request without following redirects. form may be nil.
func (b *browser) send(method, address string, form url.Values) *answer {
	b.w.T.Helper()
	return b.do(b.request(method, address, form))
}

// request prepares a request without cookies; form is nil for none.
func (b *browser) request(method, address string, form url.Values) *http.Request {
	b.w.T.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(b.w.T.Context(), method, address, body)
	u, err := url.Parse(address)
	if err != nil {
		b.w.T.Fatal(err)
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
	return r
}

// do sends a request with the host's cookies.
func (b *browser) do(r *http.Request) *answer {
	b.w.T.Helper()
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
	return &answer{t: b.w.T, asked: r.Method + " " + r.URL.String(), status: rec.Code, header: rec.Result().Header, body: rec.Body.String()}
}

// follow follows at most ten redirects.
func (b *browser) follow(a *answer) *answer {
	b.w.T.Helper()
	_, at, _ := strings.Cut(a.asked, " ")
	for range 10 {
		if a.status < 300 || a.status > 399 || a.header.Get("Location") == "" {
			return a
		}
		base, err := url.Parse(at)
		if err != nil {
			b.w.T.Fatal(err)
		}
		next, err := base.Parse(a.header.Get("Location"))
		if err != nil {
			b.w.T.Fatal(err)
		}
		next.Fragment = ""
		at = next.String()
		a = b.get(at)
	}
	b.w.T.Fatalf("%s: redirected in circles", a.asked)
	return a
}

// on returns the address of a path on a wiki's host.
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
