package web

import (
	"net/http"
	"strings"
	"testing"

	"robot.wtf/internal/store"
)

// People's pictures replace their initials and are served by the page's own host.
func TestAvatars(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	if err := w.Store.SetAvatar(t.Context(), "did:plc:bob", store.Avatar{Source: "cid", MIME: "image/png", Data: testPNG(t)}); err != nil {
		t.Fatal(err)
	}
	bob, err := w.Store.User(t.Context(), "did:plc:bob")
	if err != nil {
		t.Fatal(err)
	}
	address := "/-/avatar/" + bob.Picture
	tag := `<img src="` + address + `" alt="" width="32" height="32">`
	w.as("bob").get(on("ada", "/Home")).has(tag) // his own menu
	ada := w.as("ada")
	for _, page := range []string{on("ada", "/-/settings"), testPlatform + "/app/"} {
		ada.get(page).want(http.StatusOK).has(tag, ">C</span>") // cleo has none
	}
	w.as("bob").get(on("bob", "/-/changelog")).has(tag)
	for _, host := range []string{testOrigin("ada"), testOrigin("bob"), testPlatform} {
		got := w.anonymous().get(host + address).want(http.StatusOK)
		if got.body != string(testPNG(t)) || got.header.Get("Content-Type") != "image/png" || !strings.Contains(got.header.Get("Cache-Control"), "immutable") ||
			!strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", got.asked, got.header)
		}
		w.anonymous().get(host + "/-/avatar/did:plc:bob").want(http.StatusNotFound)
	}
}
