package atproto

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"testing"

	"robot.wtf/internal/wiki"
)

// atHome makes the service that of a wiki at the root of a host.
func (w *world) atHome(origin, id, back string) {
	w.t.Helper()
	w.options.Platform, w.options.Home = origin, true
	w.id, w.back = id, back
	w.open()
}

// prove proves an account, as the owner of a local identity does to link it.
func (b *browser) prove(start Start) (Proof, error) {
	b.w.t.Helper()
	rec := httptest.NewRecorder()
	to, err := b.w.service.Begin(b.w.t.Context(), rec, b.request(b.w.options.Platform+"/-/account"), start)
	b.keep(rec)
	if err != nil {
		return Proof{}, err
	}
	rec = httptest.NewRecorder()
	p, err := b.w.service.Prove(b.w.t.Context(), rec, b.request(b.w.back+"?"+b.w.approve(to).Encode()))
	b.keep(rec)
	return p, err
}

// At localhost, the client is the virtual one of the protocol, without keys. A proof
// creates no account.
func TestProveAtLocalhost(t *testing.T) {
	w := newWorld(t)
	w.atHome("http://localhost:8080",
		"http://localhost?redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2F-%2Fatproto%2Fcallback&scope=atproto",
		"http://127.0.0.1:8080/-/atproto/callback")
	if w.service.Metadata() != nil {
		t.Errorf("metadata: %s", w.service.Metadata())
	}
	p, err := w.browser().prove(Start{Typed: "ada.test", Back: "/-/account", For: "local:lia"})
	if err != nil || p.Account.DID != adaDID || p.Account.Handle != "ada.test" || p.Account.Name != "Ada" || p.For != "local:lia" || p.Back != "/-/account" {
		t.Errorf("%+v, %v", p, err)
	}
	w.service.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.revoked, "refresh-1") {
		t.Errorf("revoked %q", w.revoked)
	}
	if _, err := w.db.User(t.Context(), adaDID); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("an account was created: %v", err)
	}
}

// Behind https, the client has its documents on the wiki's host. Pages that only a
// platform has aren't named.
func TestProveBehindHTTPS(t *testing.T) {
	w := newWorld(t)
	const origin = "https://wiki.example.org"
	w.atHome(origin, origin+HomeMetadataPath, origin+HomeCallbackPath)
	var client map[string]any
	if err := json.Unmarshal(w.service.Metadata(), &client); err != nil {
		t.Fatal(err)
	}
	if client["jwks_uri"] != origin+HomeJWKSPath || client["client_id"] != w.id || client["tos_uri"] != nil || client["policy_uri"] != nil {
		t.Errorf("%v", client)
	}
	if p, err := w.browser().prove(Start{Typed: "ada.test"}); err != nil || p.Account.DID != adaDID || p.For != "" {
		t.Errorf("%+v, %v", p, err)
	}
	// Attack: the callback's address in another browser.
	rec := httptest.NewRecorder()
	ada := w.browser()
	to, err := w.service.Begin(t.Context(), rec, ada.request(origin+"/-/account"), Start{Typed: "ada.test", For: "local:ada"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.Prove(t.Context(), httptest.NewRecorder(), w.browser().request(w.back+"?"+w.approve(to).Encode())); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("in another browser: %v", err)
	}
}
