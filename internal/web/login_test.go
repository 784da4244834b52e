package web

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// newSignIn returns the platform of a real service, without test users. No other
// server can be reached.
func newSignIn(t *testing.T) http.HandlerFunc { return newSignInHandler(t).ServePlatform }

func newSignInHandler(t *testing.T) *Handler {
	t.Helper()
	const platform = "https://robot.wtf.internal"
	w, log := testworld.New(t, testworld.Options{Platform: platform}), slog.New(slog.DiscardHandler)
	signIn, err := atproto.New(atproto.Options{
		Store: w.Store, KeyDir: w.KeyDir(), Platform: platform, Admit: func(wiki.User) bool { return true },
		Outbound: outbound.Options{DNS: "127.0.0.1:1"}, Now: w.Clock.Now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Options{SignIn: signIn, Tenant: w.Tenant, Session: w.Session, Platform: platform, WikiOrigin: w.Origin, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A sign-in that can't be stored is 507 like any other write, not the person's
// mistake.
func TestSignInOnFullDisk(t *testing.T) {
	h := newSignInHandler(t)
	for _, test := range []struct {
		err  error
		want int
	}{
		{sqlite.StorageError(&os.PathError{Op: "write", Path: "robot.db-wal", Err: syscall.ENOSPC}), http.StatusInsufficientStorage},
		{wiki.Problemf(wiki.ErrInvalid, "", "Enter your handle."), http.StatusUnprocessableEntity},
	} {
		rec := httptest.NewRecorder()
		v := &visit{w: rec, r: httptest.NewRequest("GET", "https://robot.wtf.internal/auth/callback", nil)}
		if err := h.signInFailed(v, signInPage{}, fmt.Errorf("session: sign in: %w", test.err)); err != nil {
			t.Fatal(err)
		}
		var told *wiki.Problem
		if !errors.As(test.err, &told) || rec.Code != test.want || !strings.Contains(rec.Body.String(), html.EscapeString(told.Message)) {
			t.Errorf("%v: %d, want %d: %s", test.err, rec.Code, test.want, rec.Body)
		}
	}
}

func TestSignInForm(t *testing.T) {
	t.Parallel()
	h := newSignIn(t)
	ask := func(method, path string, form url.Values) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequest(method, "https://robot.wtf.internal"+path, strings.NewReader(form.Encode()))
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		rec := httptest.NewRecorder()
		h(rec, r)
		return rec
	}
	page := ask("GET", "/auth/login?return_to=/app/create", nil)
	for _, want := range []string{`name="handle"`, `action="/auth/login"`, `value="/app/create"`, `autocapitalize="none"`, "Continue with Bluesky", "Create an account"} {
		if !strings.Contains(page.Body.String(), want) {
			t.Errorf("the form lacks %s", want)
		}
	}
	if policy := page.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' https:") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %s", policy)
	}
	if policy := ask("GET", "/", nil).Header().Get("Content-Security-Policy"); strings.Contains(policy, " https: ") {
		t.Errorf("policy of other pages %s", policy)
	}
	for typed, want := range map[string]string{
		"a b":                     "is not a handle",
		"ada@example.org":         "email address",
		`"><script>alert(1)`:      "&lt;script&gt;alert(1)",
		"did:key:zzzz":            "not a DID",
		"":                        "Enter your handle",
		strings.Repeat("x.", 200): "is not a handle",
	} {
		got := ask("POST", "/auth/login", url.Values{"handle": {typed}, "return_to": {"//evil.test"}})
		if body := got.Body.String(); got.Code != http.StatusUnprocessableEntity || !strings.Contains(body, want) || strings.Contains(body, "evil.test") || strings.Contains(body, "<script>alert") {
			t.Errorf("%q: %d %s", typed, got.Code, body)
		}
	}
	for _, query := range []string{"", "?state=x&code=y&iss=https://as.test", "?state=x&error=access_denied&error_description=canary", "?state=a&state=b"} {
		got := ask("GET", "/auth/callback"+query, nil)
		form := got.Header().Get("Location")
		if got.Code != http.StatusSeeOther || !strings.HasPrefix(form, "/auth/login?refused=1&") && !strings.HasPrefix(form, "https://robot.wtf.internal/auth/login?refused=1&") {
			t.Errorf("callback %s: %d to %s", query, got.Code, form)
		}
		r := httptest.NewRequest("GET", "https://robot.wtf.internal/auth/login?refused=1", nil)
		for _, c := range got.Result().Cookies() {
			if c.Name == refusalCookie {
				r.AddCookie(c)
			}
		}
		for i, want := range []string{`role="alert"`, ""} { // shown once
			rec := httptest.NewRecorder()
			h(rec, r)
			body := rec.Body.String()
			if strings.Contains(body, `role="alert"`) != (want != "") || !strings.Contains(body, `name="handle"`) || strings.Contains(body, "canary") || (rec.Code == http.StatusOK) != (i == 1) {
				t.Errorf("callback %s, shown %d times: %d %s", query, i+1, rec.Code, body)
			}
			r = httptest.NewRequest("GET", r.URL.String(), nil)
			for _, c := range rec.Result().Cookies() {
				if c.MaxAge >= 0 {
					r.AddCookie(c)
				}
			}
		}
		for _, c := range got.Result().Cookies() {
			if strings.Contains(c.Name, "session") && c.MaxAge >= 0 {
				t.Errorf("callback %s: signed in", query)
			}
		}
	}
	// It is switched off in this service.
	if got := ask("GET", "/auth/handles?q=ada", nil); got.Code != http.StatusOK || strings.TrimSpace(got.Body.String()) != "[]" || strings.Contains(page.Body.String(), "data-complete") {
		t.Errorf("completion: %d %s", got.Code, got.Body)
	}
	for _, at := range []string{"server", "create"} { // nothing can be reached
		if got := ask("POST", "/auth/login", url.Values{"at": {at}}); got.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Body.String(), "bsky.social") {
			t.Errorf("at the %s: %d %s", at, got.Code, got.Body)
		}
	}
	for _, path := range []string{atproto.MetadataPath, atproto.JWKSPath} {
		got := ask("GET", path, nil)
		if got.Code != http.StatusOK || got.Header().Get("Content-Type") != "application/json" || !json.Valid(got.Body.Bytes()) {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
	if got := ask("POST", "/auth/dev", url.Values{"username": {"ada"}}); got.Code != http.StatusMethodNotAllowed && got.Code != http.StatusNotFound {
		t.Errorf("signing in without a password: %d", got.Code)
	}
}

// A cookie of another form shows nothing.
func TestForgedRefusal(t *testing.T) {
	t.Parallel()
	h := newSignIn(t)
	for _, value := range []string{"x", "e30", base64.RawURLEncoding.EncodeToString([]byte(`{"Wrong":"x","Status":200}`)), base64.RawURLEncoding.EncodeToString([]byte(`{"Wrong":"x","Status":1e9}`))} {
		r := httptest.NewRequest("GET", "https://robot.wtf.internal/auth/login?refused=1", nil)
		r.AddCookie(&http.Cookie{Name: refusalCookie, Value: value})
		rec := httptest.NewRecorder()
		h(rec, r)
		if rec.Code != http.StatusOK || strings.Contains(rec.Body.String(), `role="alert"`) {
			t.Errorf("%s: %d", value, rec.Code)
		}
	}
}

// A wiki whose creation failed halfway is completed once, when its owner next visits
// the dashboard or the wiki.
func TestUnfinishedWiki(t *testing.T) {
	t.Parallel()
	for _, first := range []string{testPlatform + "/app/", on("dan", "/")} {
		for _, files := range []bool{false, true} {
			w := newTestWiki(t)
			b := w.as("dan")
			if err := w.Store.CreateSite(t.Context(), testworld.Person("dan"), "dan", nil, 1); err != nil {
				t.Fatal(err)
			}
			if files {
				if _, err := w.Tenant.Create(t.Context(), testworld.Person("dan"), "dan"); err != nil {
					t.Fatal(err)
				}
			}
			b.follow(b.get(first)).want(http.StatusOK)
			b.follow(b.get(on("dan", "/"))).want(http.StatusOK).has("Getting Started")
			if seq, err := w.Pages.Head(t.Context(), w.Access("dan", "dan")); err != nil || seq != 1 {
				t.Errorf("%s: %d commits, %v", first, seq, err)
			}
		}
	}
}

// A first sign-in: choose a name, get the wiki and land on it.
func TestFirstWiki(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.as("dan") // has a username but no wiki
	b.get(testPlatform+"/app/create").want(http.StatusOK).has(`value="dan"`, "readonly")
	b.get(testPlatform + "/app/create/check?slug=dan").want(http.StatusOK).has(`"free":true`)
	b.get(testPlatform + "/app/create/check?slug=ada").want(http.StatusOK).has(`"free":false`)
	b.post(testPlatform+"/app/create", url.Values{"slug": {"ada"}}).want(http.StatusUnprocessableEntity).has("Your wiki has the same name as you: ")
	got := b.post(testPlatform+"/app/create", url.Values{"slug": {" Dan "}}).want(http.StatusSeeOther)
	if to := got.header.Get("Location"); to != testOrigin("dan")+"/-/welcome" {
		t.Errorf("landed on %s", to)
	}
	if p, err := w.Pages.Page(t.Context(), w.Access("dan", "dan"), "Home", ""); err != nil || len(p.Source) == 0 {
		t.Errorf("no initial pages: %v", err)
	}
	b.get(testPlatform + "/app/create").want(http.StatusSeeOther) // one each
	anonymous := w.anonymous()
	anonymous.get(testPlatform + "/app/create").want(http.StatusFound)
	anonymous.get(testPlatform + "/app/create/check?slug=dan").want(http.StatusForbidden)
	anonymous.post(testPlatform+"/app/create", url.Values{"slug": {"newone"}}).want(http.StatusFound)
}
