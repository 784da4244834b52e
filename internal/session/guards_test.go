package session

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

// Attack: callers who aren't signed in, outsiders and read-only tokens call what only
// signed-in people may call.
func TestAccountNeedsSignIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	nobody := wiki.Caller{}
	outsider := member(bob, "ada", wiki.NoRole)
	readOnly := wiki.NewAccess(wiki.Site{Slug: "ada"}, wiki.Caller{User: ada, ReadOnly: true}, wiki.Owner)
	for name, call := range map[string]func() error{
		"sessions":                    func() error { _, err := f.Sessions(ctx, nobody); return err },
		"end sessions":                func() error { return f.EndSession(ctx, nobody, "") },
		"personal tokens":             func() error { _, err := f.PersonalTokens(ctx, nobody); return err },
		"new personal token":          func() error { _, _, err := f.NewPersonalToken(ctx, nobody, "x", false); return err },
		"revoke personal token":       func() error { return f.RevokePersonalToken(ctx, nobody, "x") },
		"an outsider's tokens":        func() error { _, err := f.Tokens(ctx, outsider); return err },
		"revoke nobody's token":       func() error { return f.RevokeToken(ctx, member(wiki.User{}, "ada", wiki.Viewer), "x") },
		"revoke by a read-only token": func() error { return f.RevokeToken(ctx, readOnly, "x") },
	} {
		var problem *wiki.Problem
		if err := call(); !errors.Is(err, wiki.ErrDenied) || !errors.As(err, &problem) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ending sessions that don't exist: all of none is fine, and a missing one is explained.
func TestEndSessionThatIsGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	adas := wiki.Caller{User: ada, Session: "s"}
	if err := f.EndSession(t.Context(), adas, ""); err != nil {
		t.Errorf("all of none: %v", err)
	}
	if err := f.EndSession(t.Context(), adas, "gone"); !errors.Is(err, wiki.ErrNotFound) || !strings.Contains(err.Error(), "may have ended already") {
		t.Errorf("a missing one: %v", err)
	}
	b := f.browser()
	b.visit(platform+"/", func(w http.ResponseWriter, r *http.Request) {
		if err := f.SignOut(r.Context(), w, r); err != nil {
			t.Errorf("sign out without a session: %v", err)
		}
	})
}

// Attack: two Authorization headers, so that a proxy checks one and this service the
// other.
func TestPersonalTokenInTwoHeaders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	secret, _, err := f.NewPersonalToken(t.Context(), wiki.Caller{User: ada, Session: "s"}, "laptop", false)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", platform+"/api/me", nil)
	r.Header["Authorization"] = []string{"Bearer " + secret, "Bearer other"}
	if c, err := f.Personal(r); !errors.Is(err, wiki.ErrDenied) || c.User.DID != "" {
		t.Errorf("%+v, %v", c, err)
	}
}

// Attack: a code of single sign-on whose session ended meanwhile, and a wiki's name that
// would make another host of the address to return to.
func TestSingleSignOnAfterSignOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	b.signIn(ada)
	to, err := b.grant(b.start("ada"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.EndSession(t.Context(), wiki.Caller{User: ada, Session: "s"}, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := b.finish(to, "ada"); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("the code of a session that ended: %v", err)
	}
	for _, slug := range []string{"", "evil.example#", "a/b"} {
		r := httptest.NewRequest("GET", platform+"/auth/sso", nil)
		r.URL.RawQuery = "wiki=" + strings.ReplaceAll(slug, "#", "%23")
		if to, err := f.SSOReturn(httptest.NewRecorder(), r); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("%q: sent to %q, %v", slug, to, err)
		}
	}
}

// Services that share a machine have cookies of their own, and a service with one host
// sets no cookie for a domain.
func TestCookieNames(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]*Service{
		"__Host-session":      {},
		"session":             {plainHTTP: true},
		"session-8080":        {plainHTTP: true, single: true, port: "8080"},
		"__Host-session-8443": {single: true, port: "8443"},
	} {
		if got := s.CookieName(sessionCookieName); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	w := httptest.NewRecorder()
	(&Service{single: true, host: "example.org"}).setHint(w, "example.org", "1", 60)
	if got := w.Header()["Set-Cookie"]; got != nil {
		t.Errorf("a single host set %q", got)
	}
}

// Tokens of other issuers and huge ones aren't looked at.
func TestForeignTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.signToken(f.grant(ada, "ada", "g1", false), "ada", f.now)
	f.platform = "https://elsewhere.example"
	if _, _, err := f.GrantOfAccess(token); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a token of another issuer: %v", err)
	}
	if _, err := f.keys().access.verify(strings.Repeat("a", 2049)); err != errInvalidToken {
		t.Errorf("a huge token: %v", err)
	}
}

// A damaged former key ends the sessions that it signed, and is logged; a missing one is
// normal.
func TestFormerKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	dir := filepath.Join(f.dir, "keys")
	if k, err := openKeys(dir); err != nil || k.skipped != nil {
		t.Errorf("without a former key: %v, skipped %v", err, k.skipped)
	}
	if err := os.WriteFile(filepath.Join(dir, formerFile), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	s, err := New(Options{Store: f.db, KeyDir: dir, Platform: platform, Now: f.Service.now, Log: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil || s.keys().skipped == nil || errors.Is(s.keys().skipped, fs.ErrNotExist) || !strings.Contains(logged.String(), "sessions that it signed end") {
		t.Errorf("%v, %s", err, &logged)
	}
	if _, err := New(Options{Store: f.db, KeyDir: dir, Platform: "/no/host", Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "not an origin") {
		t.Errorf("a platform without a host: %v", err)
	}
}

// Requests are noted with the status that net/http sends, and their causes are counted.
func TestNotedRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var causes []Cause
	f.refused = func(c Cause) { causes = append(causes, c) }
	f.Note(t.Context(), "ada", Request{Method: "GET", Path: "/mcp"})
	f.Note(t.Context(), "ada", Request{Method: "GET", Path: "/mcp", Status: 401, Cause: BadToken})
	if list := f.listRequests("ada"); len(list) != 2 || list[1].Status != http.StatusOK {
		t.Errorf("%+v", list)
	}
	if len(causes) != 1 || causes[0] != BadToken {
		t.Errorf("counted %v", causes)
	}
	f.Wake("nobody") // nobody watches it
}

// A person who watches nothing any more takes no memory.
func TestWatchersAreForgotten(t *testing.T) {
	t.Parallel()
	var logs requestLogs
	logs.mu.Lock()
	defer logs.mu.Unlock()
	w, err := logs.watch("ada", ada.DID)
	if err != nil {
		t.Fatal(err)
	}
	logs.drop(w)
	if len(logs.people) != 0 || logs.watchers != 0 {
		t.Errorf("%d people, %d watchers", len(logs.people), logs.watchers)
	}
	logs.drop(w)
	if logs.watchers != 0 {
		t.Errorf("dropped twice: %d watchers", logs.watchers)
	}
}
