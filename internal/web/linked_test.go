package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/wiki"
)

// homeAsLocal returns a browser with the session of a new member, who has a local
// identity.
func (w *testWiki) homeAsLocal(name string) (*browser, wiki.User) {
	w.T.Helper()
	code, err := w.Tenant.NewJoinLink(w.T.Context(), w.Access("ada", "ada"), wiki.Editor)
	if err != nil {
		w.T.Fatal(err)
	}
	who, err := w.Tenant.Join(w.T.Context(), wiki.Caller{}, code, name)
	if err != nil {
		w.T.Fatal(err)
	}
	rec := httptest.NewRecorder()
	if err := w.Session.SignIn(w.T.Context(), rec, httptest.NewRequest(http.MethodGet, homeOrigin, nil), who, false); err != nil {
		w.T.Fatal(err)
	}
	b := w.anonymous()
	b.cookies["localhost:8080"] = map[string]string{}
	for _, c := range rec.Result().Cookies() {
		b.cookies["localhost:8080"][c.Name] = c.Value
	}
	return b, who
}

// prove ends a proof as if the account's server had sent the browser back.
func (w *testWiki) prove(b *browser, p atproto.Proof) error {
	v := &visit{w: httptest.NewRecorder(), r: httptest.NewRequest(http.MethodGet, homeOrigin+atproto.HomeCallbackPath, nil)}
	for n, value := range b.cookies["localhost:8080"] {
		v.r.AddCookie(&http.Cookie{Name: n, Value: value})
	}
	v.caller = w.Session.Browser(v.r)
	if p.For != "" {
		return w.web.linkAccount(v, p)
	}
	return w.web.signInWithAccount(v, p)
}

func TestLinkedAccountPages(t *testing.T) {
	t.Parallel()
	w := newHomeWiki(t, "ada")
	lia, person := w.homeAsLocal("lia")
	account := wiki.User{DID: "did:plc:lialialialialialialialia", Handle: "lia.test"}
	wantStatus := func(err error, want int) {
		t.Helper()
		if got := wiki.Status(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	lia.get(homeOrigin+"/-/account").want(http.StatusOK).has("Link the account", "your own server").lacks("Unlink")
	w.anonymous().get(homeOrigin+"/-/login").want(http.StatusOK).has("Bluesky or Atmosphere handle", "once you have linked your account")

	// Attack: someone else's browser, or none that is signed in, brings the proof.
	ada := w.homeAs("ada")
	for _, b := range []*browser{ada, w.anonymous()} {
		wantStatus(w.prove(b, atproto.Proof{Account: account, For: person.DID}), http.StatusForbidden)
	}
	wantStatus(w.prove(w.anonymous(), atproto.Proof{Account: account}), http.StatusForbidden) // isn't linked yet
	if err := w.prove(lia, atproto.Proof{Account: account, For: person.DID}); err != nil {
		t.Fatal(err)
	}
	lia.get(homeOrigin+"/-/account").want(http.StatusOK).has("lia.test", account.DID, "Unlink").lacks("Link the account")
	if err := w.prove(w.anonymous(), atproto.Proof{Account: account}); err != nil {
		t.Error(err)
	}
	ada.post(homeOrigin+"/-/accounts", url.Values{"action": {"unlink"}, "did": {account.DID}}).want(http.StatusNotFound).has("unlinked before")
	lia.post(homeOrigin+"/-/accounts", url.Values{"action": {"link"}, "handle": {"not a handle"}}).want(http.StatusUnprocessableEntity).has("not a handle")
	lia.post(homeOrigin+"/-/accounts", url.Values{"action": {"unlink"}, "did": {account.DID}}).want(http.StatusSeeOther)
	wantStatus(w.prove(w.anonymous(), atproto.Proof{Account: account}), http.StatusForbidden)
}

// A callback that is refused is shown once, on a page that can be reloaded.
func TestRefusedProof(t *testing.T) {
	t.Parallel()
	w := newHomeWiki(t, "ada")
	lia, _ := w.homeAsLocal("lia")
	for path, b := range map[string]*browser{"/-/login?refused=1": w.anonymous(), "/-/account?refused=1": lia} {
		got := b.get(homeOrigin + atproto.HomeCallbackPath).want(http.StatusSeeOther)
		if to := got.header.Get("Location"); to != path {
			t.Errorf("redirected to %q, want %q", to, path)
		}
		b.get(homeOrigin + path).want(http.StatusUnprocessableEntity).has("This sign-in link is incomplete.")
		b.get(homeOrigin + path).want(http.StatusOK).lacks("incomplete")
	}
}

// Without --atproto, no page offers accounts, and a linked one can still be unlinked.
func TestNoLinkedAccounts(t *testing.T) {
	t.Parallel()
	w := newHomeWiki(t, "ada")
	lia, person := w.homeAsLocal("lia")
	if err := w.Tenant.LinkAccount(t.Context(), wiki.Caller{User: person}, wiki.User{DID: "did:plc:lia", Handle: "lia.test"}); err != nil {
		t.Fatal(err)
	}
	w.web.o.SignIn = nil
	w.anonymous().get(homeOrigin+"/-/login").want(http.StatusOK).lacks("Bluesky", "handle")
	lia.get(homeOrigin+"/-/account").want(http.StatusOK).has("It signs nobody in at the moment", "Unlink").lacks("Link the account")
	w.homeAs("ada").get(homeOrigin + "/-/account").want(http.StatusOK).lacks("Bluesky")
	lia.post(homeOrigin+"/-/login/account", url.Values{"handle": {"lia.test"}}).want(http.StatusNotFound).has("--atproto")
	lia.post(homeOrigin+"/-/accounts", url.Values{"action": {"link"}, "handle": {"lia.test"}}).want(http.StatusNotFound).has("--atproto")
	lia.get(homeOrigin + atproto.HomeCallbackPath).want(http.StatusNotFound)
	lia.post(homeOrigin+"/-/accounts", url.Values{"action": {"unlink"}, "did": {"did:plc:lia"}}).want(http.StatusSeeOther)
	if _, err := w.Tenant.LinkedAccount(t.Context(), wiki.Caller{User: person}); err == nil {
		t.Error("still linked")
	}
}

// The browser follows the form to any server, and only from pages with that form.
func TestAccountFormPolicy(t *testing.T) {
	t.Parallel()
	w := newHomeWiki(t, "ada")
	lia, _ := w.homeAsLocal("lia")
	for path, forms := range map[string]string{"/-/account": "form-action 'self' https:", "/-/tokens": "form-action 'self' http://localhost:8080;"} {
		if policy := lia.get(homeOrigin + path).want(http.StatusOK).header.Get("Content-Security-Policy"); !strings.Contains(policy, forms) {
			t.Errorf("%s: %s", path, policy)
		}
	}
}
