package oauth_test

import (
	"net/http"
	"net/url"
	"testing"
)

// A wiki's two hosts are two resources with metadata of their own, and a grant for one
// stays valid there when the other comes or goes.
func TestGrantsOfBothHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	client := w.register(`{"redirect_uris":["` + redirect + `"]}`).str("client_id")
	connect := func(resource string) answer {
		q := query(client, redirect, "bob")
		q.Set("resource", resource)
		b := w.browser("bob")
		to, err := b.authorize(q)
		if err != nil {
			t.Fatal(err)
		}
		if to, err = b.decide(secretOf(to), true); err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		return w.token(codeForm(client, u.Query().Get("code")))
	}
	use := func(origin, token string) int {
		r := request("GET", origin+"/api/v1/pages", "", "")
		r.Header.Set("Authorization", "Bearer "+token)
		return w.do(r).status
	}
	const domain = "https://bob.example.org"
	before := connect(resource("bob"))
	w.Connect("bob", "bob.example.org")
	after := connect(domain + "/mcp")
	for _, tt := range []struct {
		name, origin string
		tokens       answer
		want         int
	}{
		{"the subdomain's at the subdomain", origin("bob"), before, http.StatusOK},
		{"the domain's at the domain", domain, after, http.StatusOK},
		{"the subdomain's at the domain", domain, before, http.StatusUnauthorized},
		{"the domain's at the subdomain", origin("bob"), after, http.StatusUnauthorized},
	} {
		if got := use(tt.origin, tt.tokens.str("access_token")); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	// Each is refreshed for its own host only, also at the platform's endpoint.
	crossed := refreshForm(client, before.str("refresh_token"))
	crossed.Set("resource", domain+"/mcp")
	for _, got := range []answer{w.token(crossed), w.post(domain+"/token", refreshForm(client, before.str("refresh_token"))), w.post(origin("bob")+"/token", refreshForm(client, after.str("refresh_token")))} {
		if got.str("error") != "invalid_target" {
			t.Errorf("refreshed for the other host: %s", got.text)
		}
	}
	fresh := w.post(domain+"/token", refreshForm(client, after.str("refresh_token")))
	if got := use(domain, fresh.str("access_token")); got != http.StatusOK {
		t.Errorf("refreshed for its host: %d", got)
	}
	// Without the domain, the subdomain's stay.
	if err := w.Store.ReleaseDomain(t.Context(), "did:plc:bob", "bob"); err != nil {
		t.Fatal(err)
	}
	old := w.token(refreshForm(client, before.str("refresh_token")))
	if got := use(origin("bob"), old.str("access_token")); got != http.StatusOK {
		t.Errorf("the subdomain's without the domain: %d", got)
	}
	if got := use(domain, fresh.str("access_token")); got != http.StatusMisdirectedRequest {
		t.Errorf("the domain that was disconnected: %d", got)
	}
}

// The metadata of a domain name the domain and nothing else, so that a stranger doesn't
// learn which private wiki it shows.
func TestMetadataOfDomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.Connect("bob", "wiki.example.org")
	const domain = "https://wiki.example.org"
	for _, path := range []string{"", "/mcp"} {
		got := w.get(domain + "/.well-known/oauth-protected-resource" + path)
		if got.str("resource") != domain+"/mcp" || got.str("resource_name") != "wiki.example.org" {
			t.Errorf("%s: %s", path, got.text)
		}
	}
	got := w.get(domain + "/.well-known/oauth-authorization-server")
	if got.str("issuer") != platform || got.str("authorization_endpoint") != domain+"/authorize" || got.str("token_endpoint") != domain+"/token" {
		t.Error(got.text)
	}
	if to := w.get(domain + "/authorize?client_id=x").header.Get("Location"); to != platform+"/auth/oauth/authorize?client_id=x&resource=https%3A%2F%2Fwiki.example.org%2Fmcp" {
		t.Error(to)
	}
	if got := w.get(origin("bob") + "/.well-known/oauth-protected-resource"); got.str("resource") != resource("bob") {
		t.Errorf("the subdomain's: %s", got.text)
	}
}
