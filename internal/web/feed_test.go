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
	if d := feed.Items[0].Description; strings.Contains(d, "<") || !strings.Contains(d, "&lt;img") {
		t.Errorf("description %q", d)
	}
}
