package web

import (
	"encoding/xml"
	"net/http"
	"strings"
	"testing"
)

// Attack: a page whose name is markup. Feed readers parse an RSS description as
// HTML and show it among the entries of other sites.
func TestFeedDescriptionsHoldNoMarkup(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "x<img src=x onerror=alert(1)>", "x\n")
	var feed struct {
		Items []struct {
			Description string `xml:"description"`
		} `xml:"channel>item"`
	}
	answer := w.anonymous().get(on("ada", "/-/changelog/feed.rss")).want(http.StatusOK)
	if err := xml.Unmarshal([]byte(answer.body), &feed); err != nil || len(feed.Items) == 0 {
		t.Fatalf("%d items, %v", len(feed.Items), err)
	}
	if d := feed.Items[0].Description; strings.Contains(d, "<img") || strings.Count(d, "&lt;img") != 2 {
		t.Errorf("description %q", d)
	}
}

func TestFeedOfAPageOrFolder(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Garden/Beds", "One.\n")
	w.put("ada", "Garden/Soil", "Two.\n")
	w.put("ada", "Gardening", "Three.\n")
	b := w.anonymous()
	for query, want := range map[string]struct{ has, lacks []string }{
		"?page=Garden/Beds": {[]string{"Changes to Beds", "feed.atom?page=Garden%2FBeds", ">Garden/Beds<"}, []string{"Soil", "Gardening"}},
		"?folder=Garden":    {[]string{"Changes in Garden", "Soil", ">Garden/Beds<"}, []string{"Gardening"}},
	} {
		for _, format := range []string{"atom", "rss"} {
			got := b.get(on("ada", "/-/changelog/feed."+format+query)).want(http.StatusOK)
			for _, words := range want.has {
				if format == "atom" || !strings.Contains(words, "feed.atom") && !strings.HasPrefix(words, ">") {
					got.has(words)
				}
			}
			got.lacks(want.lacks...)
		}
	}
	b.get(on("ada", "/-/changelog/feed.atom?page=%00")).want(http.StatusUnprocessableEntity, http.StatusBadRequest)
	b.get(on("ada", "/Garden/Beds")).has(`href="/-/changelog/feed.atom?page=Garden%2fBeds"`)
}

// TestLinkCards: only pages of public wikis describe themselves to other sites.
func TestLinkCards(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Card", "# Card\n\nShort.\n\nThe *first* paragraph with enough <text> & \"quotes\".\n")
	w.anonymous().get(on("ada", "/Card")).
		has(`<meta property="og:title" content="Card">`, `<meta name="description" content="The first paragraph with enough &lt;text&gt; &amp; &#34;quotes&#34;.">`, `<meta property="og:url" content="`)
	w.put("bob", "Card", "# Card\n\nThe *first* paragraph with enough text.\n")
	w.as("bob").get(on("bob", "/Card")).want(http.StatusOK).lacks("og:title", `name="description"`)
}
