package web

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var feedAddress = regexp.MustCompile(`<code id="link-[a-z0-9]+">https?://[^/]+(/-/feed/[^<]+)</code>`)

// newFeed creates a feed address in a person's name and returns its path.
func (b *browser) newFeed(slug string) string {
	b.w.T.Helper()
	b.post(on(slug, "/-/links"), url.Values{"action": {"feed"}}).want(http.StatusSeeOther)
	m := feedAddress.FindStringSubmatch(b.get(on(slug, "/-/links")).want(http.StatusOK).body)
	if m == nil {
		b.w.T.Fatal("no feed address is shown")
	}
	return m[1]
}

func TestFeedHasTheChange(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Garden/Peas", "Leeks\nBeans\n")
	w.put("ada", "Garden/Peas", "Leeks\n<script>alert(1)</script> ]]> & \"peas\"\n")
	var feed struct {
		Entries []struct {
			Content struct {
				Type string `xml:"type,attr"`
				HTML string `xml:",chardata"`
			} `xml:"content"`
		} `xml:"entry"`
		Items []struct {
			Description string `xml:"description"`
		} `xml:"channel>item"`
	}
	for _, format := range []string{"atom", "rss"} {
		got := w.anonymous().get(on("ada", "/-/changelog/feed."+format+"?page=Garden/Peas")).want(http.StatusOK)
		if err := xml.Unmarshal([]byte(got.body), &feed); err != nil {
			t.Fatal(err)
		}
	}
	const change = "<pre>- Beans\n+ &lt;script&gt;alert(1)&lt;/script&gt; ]]&gt; &amp; &#34;peas&#34;\n</pre>"
	if len(feed.Entries) != 2 || feed.Entries[0].Content.Type != "html" || !strings.Contains(feed.Entries[0].Content.HTML, change) ||
		!strings.Contains(feed.Entries[1].Content.HTML, "<pre>+ Leeks\n+ Beans\n</pre>") {
		t.Errorf("%+v", feed.Entries)
	}
	if len(feed.Items) != 2 || !strings.Contains(feed.Items[0].Description, change) {
		t.Errorf("%+v", feed.Items)
	}
	long := strings.Repeat(strings.Repeat("x", 1000)+"\n", 100)
	w.put("ada", "Long", long)
	got := w.anonymous().get(on("ada", "/-/changelog/feed.atom?page=Long")).has("More lines were changed.")
	if n := strings.Count(got.body, "x"); n > 6000 {
		t.Errorf("%d bytes of the text", n)
	}
}

// Attack: a stranger guesses a feed's address, tries one for another wiki, or keeps one
// after its maker left or revoked it.
func TestSecretFeeds(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("bob", "Diary", "Dear diary\n")
	bob, cleo, stranger := w.as("bob"), w.as("cleo"), w.anonymous()
	own, viewers := bob.newFeed("bob"), cleo.newFeed("bob")
	for _, path := range []string{own, viewers} {
		got := stranger.get(on("bob", path)).want(http.StatusOK).has("<feed", "+ Dear diary")
		for name, want := range map[string]string{"X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer", "Cache-Control": "private, no-store", "Set-Cookie": ""} {
			if got.header.Get(name) != want {
				t.Errorf("%s: %q", name, got.header.Get(name))
			}
		}
		stranger.get(on("bob", path+"?page=Nothing")).want(http.StatusOK).lacks("Dear diary")
	}
	stranger.get(on("nobody", own)).want(http.StatusNotFound)
	for _, path := range []string{own[:len(own)-1], own + "x", own[:len(own)-1] + "_", "/-/feed/x", "/-/feed/" + strings.Repeat("a", 38)} {
		stranger.get(on("bob", path)).want(http.StatusNotFound)
	}
	stranger.get(on("ada", own)).want(http.StatusNotFound)
	stranger.get(on("bob", "/-/index")).lacks("Diary")

	id := own[len("/-/feed/"):][:16]
	cleo.post(on("bob", "/-/links"), url.Values{"action": {"revoke"}, "id": {id}}).want(http.StatusNotFound)
	stranger.get(on("bob", own)).want(http.StatusOK)
	bob.post(on("bob", "/-/links"), url.Values{"action": {"revoke"}, "id": {id}}).want(http.StatusSeeOther)
	stranger.get(on("bob", own)).want(http.StatusNotFound).lacks("Diary")
	bob.post(on("bob", "/-/members"), url.Values{"action": {"remove"}, "did": {"did:plc:cleo"}}).want(http.StatusSeeOther)
	stranger.get(on("bob", viewers)).want(http.StatusNotFound).lacks("Diary")

	for range 10 {
		bob.post(on("bob", "/-/links"), url.Values{"action": {"feed"}}).want(http.StatusSeeOther)
	}
	bob.post(on("bob", "/-/links"), url.Values{"action": {"feed"}}).has("You have 10 of these links in this wiki. Revoke one to create another.")
}
