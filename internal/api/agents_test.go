package api

import (
	"net/http"
	"testing"
	"time"

	"robot.wtf/internal/store"
)

// The person an agent acts for and the wiki's owner can see it and disconnect it.
func TestAgents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	for id, did := range map[string]string{"one": "did:plc:bob", "two": "did:plc:bob", "three": "did:plc:ada"} {
		if err := w.Store.AddConsent(t.Context(), id, store.Consent{Slug: "ada", DID: did}, now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		_, err := w.Store.SpendCode(t.Context(), id, 20, func(store.Consent) (*store.Grant, store.Refresh, error) {
			return &store.Grant{ID: id, Slug: "ada", DID: did, Client: "https://claude.test/c.json", Name: "Claude", Host: "claude.test", Created: now, Expires: now.Add(time.Hour)},
				store.Refresh{Secret: id, Expires: now.Add(time.Hour)}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	ada, bob, cleo := w.personal("ada", false), w.personal("bob", false), w.personal("cleo", false)
	count := func(secret, path string, want int) {
		t.Helper()
		got := w.want(http.StatusOK, w.manage(secret, "GET", path, nil))
		if list := got.json["agents"].([]any); len(list) != want {
			t.Errorf("%s: %d agents, want %d: %s", path, len(list), want, got.text)
		}
	}
	count(ada, "/wikis/ada/agents", 3)
	count(bob, "/wikis/ada/agents", 2)
	count(cleo, "/wikis/ada/agents", 0)
	count(ada, "/agents", 1)
	count(bob, "/agents", 2)
	w.want(http.StatusNotFound, w.manage(bob, "DELETE", "/wikis/ada/agents/three", nil))
	w.want(http.StatusNotFound, w.manage(ada, "DELETE", "/agents/one", nil))
	w.want(http.StatusForbidden, w.manage(w.personal("bob", true), "DELETE", "/agents/one", nil))
	w.want(http.StatusOK, w.manage(bob, "DELETE", "/agents/one", nil))
	w.want(http.StatusOK, w.manage(ada, "DELETE", "/wikis/ada/agents/two", nil))
	count(bob, "/agents", 0)
	count(ada, "/wikis/ada/agents", 1)
}
