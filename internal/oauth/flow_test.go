package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/oauth"
	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

const verifier = "the-verifier-of-these-tests-has-more-than-43-characters"

func challengeOf(verifier string) string {
	hash := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// A browser belongs to a person and keeps the cookie that ties requests to
// it.
type browser struct {
	w      *world
	caller wiki.Caller
	cookie *http.Cookie
}

func (w *world) browser(name string) *browser { return &browser{w: w, caller: caller(name)} }

func (b *browser) request() *http.Request {
	r := httptest.NewRequest("GET", platform+"/auth/oauth/consent", nil)
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	return r
}

// authorize sends an authorization request and returns its redirect.
func (b *browser) authorize(query url.Values) (to string, err error) {
	r := b.request()
	r.URL.Path, r.URL.RawQuery = oauth.AuthorizePath, query.Encode()
	b.w.useDomains(r)
	rec := httptest.NewRecorder()
	to, err = b.w.OAuth.Authorize(rec, r)
	for _, c := range rec.Result().Cookies() {
		b.cookie = c
	}
	return to, err
}

// secretOf extracts the request's secret from the consent page's address.
func secretOf(to string) string {
	_, secret, _ := strings.Cut(to, oauth.ConsentPath+"?request=")
	return secret
}

func (b *browser) decide(secret string, write bool) (to string, err error) {
	return b.w.OAuth.Decide(b.request(), b.caller, oauth.Decision{Secret: secret, Person: b.caller.User.DID, Allow: true, Mode: wiki.ModeOf(!write, false)})
}

// query is a valid authorization request of a client for a wiki.
func query(client, redirect, slug string) url.Values {
	return url.Values{
		"client_id": {client}, "redirect_uri": {redirect}, "response_type": {"code"}, "state": {"xyz"},
		"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"}, "resource": {resource(slug)},
	}
}

const redirect = "http://127.0.0.1:33418/"

// client registers a public client.
func (w *world) client() string {
	w.T.Helper()
	got := w.register(`{"client_name":"Test Client","redirect_uris":["` + redirect + `"],"token_endpoint_auth_method":"none"}`)
	if got.status != http.StatusCreated {
		w.T.Fatalf("register: %d %s", got.status, got.text)
	}
	return got.str("client_id")
}

// code returns an authorization code for a client after the person's
// consent.
func (w *world) code(client, slug, name string, write bool) string {
	w.T.Helper()
	b := w.browser(name)
	to, err := b.authorize(query(client, redirect, slug))
	if err != nil {
		w.T.Fatal(err)
	}
	to, err = b.decide(secretOf(to), write)
	if err != nil {
		w.T.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil || u.Query().Get("code") == "" {
		w.T.Fatalf("no code in %s, %v", to, err)
	}
	return u.Query().Get("code")
}

func codeForm(client, code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "code": {code}, "code_verifier": {verifier}, "redirect_uri": {redirect}}
}

func refreshForm(client, refresh string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {refresh}}
}

// connected connects a client and returns its token response.
func (w *world) connected(client, slug, name string, write bool) answer {
	w.T.Helper()
	got := w.token(codeForm(client, w.code(client, slug, name, write)))
	if got.status != http.StatusOK {
		w.T.Fatalf("exchange: %d %s", got.status, got.text)
	}
	return got
}

// opens authenticates with an access token and returns the caller, or the
// cause of the refusal.
func (w *world) opens(access, slug string) (wiki.Caller, session.Cause) {
	w.T.Helper()
	r := httptest.NewRequest("POST", resource(slug), nil)
	r.Header.Set("Authorization", "Bearer "+access)
	c, err := w.Session.Bearer(r, slug)
	if err != nil && !errors.Is(err, wiki.ErrDenied) {
		w.T.Fatal(err)
	}
	return c, session.CauseOf(err)
}

func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	client := w.client()
	first := w.connected(client, "ada", "bob", true)
	if c, cause := w.opens(first.str("access_token"), "ada"); cause != "" || c.User.DID != "did:plc:bob" || c.Agent != "Test Client" || c.Client != client || c.ReadOnly {
		t.Fatalf("%+v, %s", c, cause)
	}
	form := refreshForm(client, first.str("refresh_token"))
	second := w.token(form)
	if second.status != http.StatusOK || second.str("refresh_token") == first.str("refresh_token") || second.json["expires_in"] != float64(7*24*3600) {
		t.Fatalf("%d %s", second.status, second.text)
	}
	w.Clock.Add(29 * time.Minute) // clients race, and answers get lost
	sibling := w.token(form)
	if sibling.status != http.StatusOK || sibling.str("refresh_token") == second.str("refresh_token") {
		t.Fatalf("within the grace: %d %s", sibling.status, sibling.text)
	}
	for _, a := range []answer{second, sibling} {
		if got := w.token(refreshForm(client, a.str("refresh_token"))); got.status != http.StatusOK {
			t.Errorf("successor: %d %s", got.status, got.text)
		}
	}
	w.Clock.Add(2 * time.Minute)
	if got := w.token(form); got.status != http.StatusBadRequest || got.str("error") != "invalid_grant" {
		t.Errorf("after the grace: %d %s", got.status, got.text)
	}
	if _, cause := w.opens(sibling.str("access_token"), "ada"); cause != session.Revoked {
		t.Errorf("the grant survived a replay: %s", cause)
	}
	if got := w.token(refreshForm(client, sibling.str("refresh_token"))); got.str("error") != "invalid_grant" {
		t.Errorf("the sibling token survived a replay: %s", got.text)
	}
}

// A grant lives as long as it is refreshed, but at most 180 days.
func TestGrantEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	client := w.client()
	used := w.connected(client, "bob", "bob", true)
	idle := w.connected(client, "bob", "bob", true)
	for day := 29; day < 180; day += 29 {
		w.Clock.Add(29 * 24 * time.Hour)
		used = w.token(refreshForm(client, used.str("refresh_token")))
		if used.status != http.StatusOK {
			t.Fatalf("day %d: %s", day, used.text)
		}
	}
	if got := w.token(refreshForm(client, idle.str("refresh_token"))); got.str("error") != "invalid_grant" {
		t.Errorf("idle: %s", got.text)
	}
	// Day 174: the token's seven days are cut to the remaining six.
	if got := used.json["expires_in"].(float64); got != 6*24*3600 {
		t.Errorf("expires in %v", got)
	}
	if err := w.OAuth.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, err := w.OAuth.Grants(t.Context(), w.access("bob", "bob")); err != nil || len(list) != 1 {
		t.Errorf("%d grants after the sweep, %v", len(list), err)
	}
	w.Clock.Add(6 * 24 * time.Hour)
	if _, cause := w.opens(used.str("access_token"), "bob"); cause != session.Expired {
		t.Errorf("after 180 days: %s", cause)
	}
	if got := w.token(refreshForm(client, used.str("refresh_token"))); got.str("error") != "invalid_grant" {
		t.Errorf("after 180 days: %s", got.text)
	}
	if err := w.OAuth.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, err := w.OAuth.Grants(t.Context(), w.access("bob", "bob")); err != nil || len(list) != 0 {
		t.Errorf("%d grants at the end, %v", len(list), err)
	}
	if got := w.post(platform+"/token", codeForm("nobody", "x")); got.status != http.StatusUnauthorized || got.str("error") != "invalid_client" {
		t.Errorf("an unknown client: %d %s", got.status, got.text)
	}
}
