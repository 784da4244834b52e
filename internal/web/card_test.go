package web

import (
	"bytes"
	"context"
	"image/png"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"robot.wtf/internal/card"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// cardOf returns the address of the card that a page names.
func (b *browser) cardOf(page string) string {
	b.w.T.Helper()
	m := regexp.MustCompile(`<meta property="og:image" content="([^"]+)">`).FindStringSubmatch(b.get(page).want(http.StatusOK).body)
	if m == nil {
		b.w.T.Fatalf("%s names no card", page)
	}
	return strings.ReplaceAll(m[1], "&amp;", "&")
}

// Pages of public wikis have a card with their title, also for pages without a paragraph.
func TestCards(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Garden/List", "---\ntitle: My garden\n---\n- one\n- two\n")
	reader := w.anonymous()
	reader.get(on("ada", "/Garden/List")).has(`<meta name="twitter:card" content="summary_large_image">`, `<meta property="og:image:alt" content="My garden, a page of`)
	address := reader.cardOf(on("ada", "/Garden/List"))
	if !strings.HasPrefix(address, testOrigin("ada")+"/-/card/Garden/List.png?v=") {
		t.Errorf("address %s", address)
	}
	got := reader.get(address).want(http.StatusOK)
	m, err := png.Decode(strings.NewReader(got.body))
	if err != nil || m.Bounds().Dx() != card.Width || got.header.Get("Content-Type") != "image/png" || got.header.Get("Cache-Control") != "no-cache" || !strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") {
		t.Fatalf("%v, %v", err, got.header)
	}
	other := w.anonymous()
	other.header = http.Header{"If-None-Match": {got.header.Get("Etag")}}
	other.get(address).want(http.StatusNotModified)
	// A new avatar changes the picture, a new name also its address.
	if err := w.Store.SetAvatar(t.Context(), "did:plc:ada", store.Avatar{Source: "cid", MIME: "image/png", Data: testPNG(t)}); err != nil {
		t.Fatal(err)
	}
	if reader.get(address).want(http.StatusOK).header.Get("Etag") == got.header.Get("Etag") {
		t.Error("the same card with an avatar")
	}
	w.as("ada").post(on("ada", "/-/settings"), settingsForm("title", "Another name")).want(http.StatusSeeOther)
	if reader.cardOf(on("ada", "/Garden/List")) == address {
		t.Error("the same address after the wiki's name changed")
	}
	for _, missing := range []string{"/-/card/Nothing.png", "/-/card/.png", "/-/card/Garden.png", "/-/card/a/../../b.png"} {
		if got := reader.get(on("ada", missing)); got.status == http.StatusOK {
			t.Errorf("%s: %d", missing, got.status)
		}
	}
}

// Attack: read the title of a page that can't be shown to strangers from its card, as it is
// now or as it was kept from before.
func TestCardsOnlyOfPagesThatStrangersSee(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Secret", "# canary\n")
	w.put("bob", "Secret", "# canary\n")
	reader, ada := w.anonymous(), w.as("ada")
	address := reader.cardOf(on("ada", "/Secret"))
	reader.get(address).want(http.StatusOK)
	// A private wiki has no cards, not even for its members.
	w.as("bob").get(on("bob", "/-/card/Secret.png")).want(http.StatusNotFound)
	if got := reader.get(on("bob", "/-/card/Secret.png")); got.status == http.StatusOK {
		t.Error("a stranger got the card of a private wiki")
	}
	w.as("bob").get(on("bob", "/Secret")).lacks("og:")
	form := settingsForm()
	form.Set("visibility", "private")
	ada.post(on("ada", "/-/settings"), form).want(http.StatusSeeOther)
	ada.get(address).want(http.StatusNotFound)
	ada.post(on("ada", "/-/settings"), settingsForm()).want(http.StatusSeeOther)
	reader.get(address).want(http.StatusOK)
	// A page under takedown has none.
	operator, err := w.Tenant.Resolve(t.Context(), "ada", wiki.Caller{Operator: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Pages.TakeDown(t.Context(), operator, "Secret", "the reason"); err != nil {
		t.Fatal(err)
	}
	reader.get(address).want(http.StatusUnavailableForLegalReasons).lacks("PNG")
	ada.get(address).want(http.StatusUnavailableForLegalReasons)
}

// A wiki draws one card at a time, and cards that are kept are bounded.
func TestCardsAreDrawnOneAtATime(t *testing.T) {
	t.Parallel()
	cards := newLinkCards()
	release, err := cards.slots.Acquire(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	c := card.Card{Title: "Title", Wiki: "Wiki", Slug: "ada", Accent: accentColor("")}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := cards.draw(gone, "ada", c); err == nil {
		t.Error("a second card of the wiki was drawn")
	}
	other, _, err := cards.draw(t.Context(), "bob", c)
	if err != nil {
		t.Errorf("another wiki's card: %v", err)
	}
	release()
	own, _, err := cards.draw(t.Context(), "ada", c)
	if err != nil || !bytes.Equal(own, other) {
		t.Errorf("afterwards: %v", err)
	}
}

// Robots that make cards of links obey robots.txt, which must let them have the picture.
func TestRobotsMayFetchCards(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.anonymous().get(on("ada", "/robots.txt")).has("Disallow: /-/\n", "Allow: /-/card/\n", "Allow: /-/icon/\n", "Allow: /-/accent/\n", "Allow: /-/static/\n")
	w.anonymous().get(on("bob", "/robots.txt")).lacks("Allow")
}
