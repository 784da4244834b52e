package session

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

const (
	adaDomain = "http://wiki.example.org:8080"
	bobDomain = "http://bob.example.net:8080"
)

// withDomains gives both wikis own domains.
func (f *fixture) withDomains() *fixture {
	f.t.Helper()
	for slug, host := range map[string]string{"ada": "wiki.example.org", "bob": "bob.example.net"} {
		if err := f.db.NameDomain(f.t.Context(), ada.DID, slug, host); err != nil {
			f.t.Fatal(err)
		}
		if err := f.db.ConnectDomain(f.t.Context(), ada.DID, slug, host, time.Time{}, 10); err != nil {
			f.t.Fatal(err)
		}
	}
	return f
}

// handOver asks at a domain to sign in and returns the platform's address.
func (b *browser) handOver(domain, slug string) (to string) {
	b.visit(domain+"/Page", func(w http.ResponseWriter, r *http.Request) {
		var err error
		if to, err = b.f.SSOStart(w, r, slug, "/Page?x=1"); err != nil {
			b.f.t.Fatal(err)
		}
	})
	return to
}

// agree sends the form by which the person agrees.
func (b *browser) agree(address string) (to string, err error) {
	b.visit(address, func(_ http.ResponseWriter, r *http.Request) {
		r.Method = http.MethodPost
		to, err = b.f.SSOGrant(r.Context(), b.f.Browser(r), r)
	})
	return to, err
}

// A person comes to an own domain only by agreeing, and the code works once, in the
// browser that asked, at that domain.
func TestHandover(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDomains()
	b := f.browser()
	b.signIn(ada)
	asked := b.handOver(adaDomain, "ada")
	if u, _ := url.Parse(asked); u.Query().Get("host") != "wiki.example.org" || strings.Contains(asked, "wiki=") || strings.Contains(asked, "ada") {
		t.Errorf("asked at %s, which tells a stranger the wiki's name", asked)
	}
	if to, err := b.grant(asked); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("without agreeing: %s, %v", to, err)
	}
	to, err := b.agree(asked)
	if err != nil || !strings.HasPrefix(to, adaDomain+"/-/sso?code=") {
		t.Fatalf("%s, %v", to, err)
	}
	back, err := b.finish(to, "ada")
	if err != nil || back != "/Page?x=1" {
		t.Fatalf("back to %q, %v", back, err)
	}
	for origin, want := range map[string]string{adaDomain: ada.DID, adaHost: "", bobDomain: "", bobHost: ""} {
		if got := b.signedInAs(origin); got != want {
			t.Errorf("at %s: %q, want %q", origin, got, want)
		}
	}
	if _, err := b.finish(to, "ada"); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("a code twice: %v", err)
	}
	// Signing out anywhere signs out there, too.
	if err := f.EndSession(t.Context(), wiki.Caller{User: ada}, ""); err != nil {
		t.Fatal(err)
	}
	if got := b.signedInAs(adaDomain); got != "" {
		t.Errorf("after signing out: %q", got)
	}
}

func TestStolenHandovers(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDomains()
	b, other := f.browser(), f.browser()
	b.signIn(ada)
	other.signIn(bob)
	code := func() string {
		to, err := b.agree(b.handOver(adaDomain, "ada"))
		if err != nil {
			t.Fatal(err)
		}
		_, code, _ := strings.Cut(to, "/-/sso")
		return code
	}
	other.handOver(adaDomain, "ada")
	if _, err := other.finish(adaDomain+"/-/sso"+code(), "ada"); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("in another browser: %v", err)
	}
	b.start("ada")
	if _, err := b.finish(adaHost+"/-/sso"+code(), "ada"); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("at the wiki's subdomain: %v", err)
	}
	b.handOver(bobDomain, "bob")
	if _, err := b.finish(bobDomain+"/-/sso"+code(), "bob"); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("at another domain: %v", err)
	}
	to, err := b.grant(b.start("ada"))
	if err != nil {
		t.Fatal(err)
	}
	_, subdomain, _ := strings.Cut(to, "/-/sso")
	b.handOver(adaDomain, "ada")
	if _, err := b.finish(adaDomain+"/-/sso"+subdomain, "ada"); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("the code of the subdomain at the domain: %v", err)
	}
	late := code()
	f.now = f.now.Add(codeLifetime)
	if _, err := b.finish(adaDomain+"/-/sso"+late, "ada"); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("too late: %v", err)
	}
	for _, host := range []string{"evil.example", "ada.robot.localhost", "", "WIKI.example.org."} {
		if to, err := b.agree(platform + "/auth/sso?" + url.Values{"host": {host}, "nonce": {strings.Repeat("0", 64)}}.Encode()); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("host %q: %s, %v", host, to, err)
		}
	}
}

// The cookies of an own domain belong to it alone.
func TestDomainCookies(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDomains()
	b := f.browser()
	b.signIn(ada)
	to, err := b.agree(b.handOver(adaDomain, "ada"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, cookies []*http.Cookie) {
		t.Helper()
		for _, c := range cookies {
			if c.Domain != "" || c.Name == hintCookieName || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || !strings.HasPrefix(c.Name, hostPrefix) {
				t.Errorf("%s: %s", what, c)
			}
		}
	}
	set := b.visit(to, func(w http.ResponseWriter, r *http.Request) {
		if _, err := f.SSOFinish(r.Context(), w, r, "ada"); err != nil {
			t.Fatal(err)
		}
	})
	if len(set) != 2 {
		t.Errorf("%d cookies: %v", len(set), set)
	}
	check("signing in", set)
	f.now = f.now.Add(2 * renewAfter)
	check("renewing", b.visit(adaDomain+"/", func(w http.ResponseWriter, r *http.Request) { f.Renew(w, r) }))
	// The cookie of one host means nothing at another.
	b.cookies["bob.example.net"], b.cookies["ada.robot.localhost"] = b.cookies["wiki.example.org"], b.cookies["wiki.example.org"]
	for origin, want := range map[string]string{adaDomain: ada.DID, bobDomain: "", adaHost: ""} {
		if got := b.signedInAs(origin); got != want {
			t.Errorf("the domain's cookie at %s: %q, want %q", origin, got, want)
		}
	}
	check("signing out", b.visit(adaDomain+"/", func(w http.ResponseWriter, r *http.Request) { _ = f.SignOut(r.Context(), w, r) }))
}

// Whoever gets a domain that no longer points here also gets its cookies, so they open
// nothing, and nobody is signed in there.
func TestLostDomain(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDomains()
	b := f.browser()
	b.signIn(ada)
	asked := b.handOver(adaDomain, "ada")
	to, err := b.agree(asked)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.finish(to, "ada"); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", adaDomain+"/", nil)
	if home := f.Home(t.Context(), "ada"); home != adaDomain || f.Origin(r, "ada") != adaDomain {
		t.Errorf("read at %s, origin %s", home, f.Origin(r, "ada"))
	}
	d, err := f.db.DomainOf(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	d.Lost = f.now
	if err := f.db.DomainChecked(t.Context(), d, "domain.lost", ""); err != nil {
		t.Fatal(err)
	}
	if got := b.signedInAs(adaDomain); got != "" {
		t.Errorf("signed in as %q", got)
	}
	if to, err := b.agree(asked); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("%s, %v", to, err)
	}
	if home := f.Home(t.Context(), "ada"); home != adaHost {
		t.Errorf("read at %s", home)
	}
	d.Lost = time.Time{}
	if err := f.db.DomainChecked(t.Context(), d, "domain.found", ""); err != nil {
		t.Fatal(err)
	}
	if got := b.signedInAs(adaDomain); got != ada.DID {
		t.Errorf("found again: signed in as %q", got)
	}
}

// A wiki's two hosts are two resources: a token is for the one it was granted for, and
// stays valid there.
func TestAccessTokenOfDomain(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDomains()
	try := func(token, origin string) error {
		r := httptest.NewRequest("GET", origin+"/api/v1/pages", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		_, err := f.Bearer(r, "ada")
		return err
	}
	here, there := f.grantFor(t, "here", ""), f.grantFor(t, "there", "wiki.example.org")
	for _, tt := range []struct {
		token, origin string
		cause         Cause
	}{
		{here, adaHost, ""}, {there, adaDomain, ""},
		{here, adaDomain, OtherWiki}, {there, adaHost, OtherWiki},
	} {
		if got := CauseOf(try(tt.token, tt.origin)); got != tt.cause {
			t.Errorf("at %s: %q, want %q", tt.origin, got, tt.cause)
		}
	}
	// A token that names the other host than its grant.
	crossed, err := f.SignAccess(AccessToken{DID: ada.DID, Client: "c", Grant: "here", Resource: Resource{"ada", "wiki.example.org"}, Expires: f.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if got := CauseOf(try(crossed, adaDomain)); got != Revoked {
		t.Errorf("another host than its grant: %q", got)
	}
}

// grantFor stores a grant of ada for her wiki and returns an access token.
func (f *fixture) grantFor(t *testing.T, id, domain string) string {
	t.Helper()
	code := id + " code"
	if err := f.db.AddConsent(t.Context(), code, store.Consent{Slug: "ada", DID: ada.DID, Client: "c"}, f.now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	g, err := f.db.SpendCode(t.Context(), code, 10, func(store.Consent) (*store.Grant, store.Refresh, error) {
		return &store.Grant{ID: id, Slug: "ada", DID: ada.DID, Client: "c", Domain: domain, Created: f.now, Expires: f.now.Add(time.Hour)},
			store.Refresh{Secret: id, Expires: f.now.Add(time.Hour)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	token, err := f.SignAccess(AccessToken{DID: ada.DID, Client: "c", Grant: g.ID, Resource: Resource{"ada", domain}, Expires: g.Expires})
	if err != nil {
		t.Fatal(err)
	}
	return token
}
