package web

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/pages"
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

var pageAddress = regexp.MustCompile(`<code id="link-[a-z0-9]+">https?://[^/]+(/-/shared/[^<]+)</code>`)

// share creates a link to a page in a person's name and returns its path.
func (b *browser) share(slug, page string) string {
	b.w.T.Helper()
	made := b.post(on(slug, "/-/links"), url.Values{"action": {"share"}, "page": {page}}).want(http.StatusSeeOther)
	m := pageAddress.FindStringSubmatch(b.follow(made).want(http.StatusOK).body)
	if m == nil {
		b.w.T.Fatal("no link is shown")
	}
	return m[1]
}

// Attack: someone with a link to one page tries to learn about the rest of the wiki from
// the page, its pictures, and the addresses around them.
func TestSharedPage(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("bob", "Plan", "x")
	w.put("bob", "Other", "x")
	w.upload("bob", "Plan", "map.png", string(testPNG(t)))
	w.upload("bob", "Plan", "linked.png", string(testPNG(t)))
	w.upload("bob", "Plan", "notes.txt", "canary in a file")
	w.upload("bob", "Other", "other.png", string(testPNG(t)))
	w.put("bob", "Other", "---\nstatus: open\n---\ncanary on another page\n\n## Part\n\nx ^id\n")
	w.put("bob", "Plan/Sub", "canary below\n")
	w.put("bob", "Plan", strings.Join([]string{
		"---\nlead: \"[[Other]]\"\ntags: [garden]\n---\n# The plan", "![map](map.png) ![[map.png|300]] [big](linked.png) [notes](notes.txt) ![](notes.txt)",
		"[[Other]] [[Other#Part|that part]] [x](/Other) [y](/Nothing) [[Nothing]] ![[Other]] ![[Other#^id]] <a href=\"/Other\">raw</a> #garden",
		"[log](/-/changelog) [home](/) [history](/Plan/history)", "{{PageIndex}}", "{{AttachmentList}}", "::: pages where: status = open", "{{DataTable\n|src=notes.txt\n}}",
		"[out](https://example.org/) [here](#the-plan)", "- [ ] task", "```mermaid\nflowchart\n```", "![gone](/Other/other.png) [[_TOC_]]",
	}, "\n\n"))
	bob, stranger := w.as("bob"), w.anonymous()
	link := bob.share("bob", "Plan")
	page := stranger.get(on("bob", link)).want(http.StatusOK).
		has("<h1 id=\"user-content-the-plan\">", `<img src="`+link+`/Plan/map.png"`, "https://example.org/", `href="#user-content-the-plan"`, "by a link").
		lacks("canary", "Sub", `class="red"`, "/-/search", "/-/changelog", "Sign in", `action="`, "/-/diagram", ">bob<", "bob.test")
	if n := strings.Count(page.body, "Lists of pages and files are only shown in the wiki."); n != 1 {
		t.Errorf("says %d times that lists aren't shown", n)
	}
	for name, want := range map[string]string{"X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer", "Cache-Control": "private, no-store", "Set-Cookie": "", "Link": ""} {
		if got := page.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, m := range regexp.MustCompile(`(?:href|src|action)="(/[^"]*)"`).FindAllStringSubmatch(mainOf(page.body), -1) {
		if !strings.HasPrefix(m[1], link+"/Plan/map.png") && !strings.HasPrefix(m[1], link+"/Other/other.png") && !strings.HasPrefix(m[1], "/-/static/") {
			t.Errorf("the page leads to %s", m[1])
		}
	}
	// Pictures that the page shows, and no other file or revision.
	stranger.get(on("bob", link+"/Plan/map.png")).want(http.StatusOK)
	stranger.get(on("bob", link+"/Plan/map.png?size=80")).want(http.StatusOK)
	stranger.get(on("bob", link+"/Other/other.png")).want(http.StatusOK)
	for _, path := range []string{"/Plan/linked.png", "/Plan/notes.txt", "/Other", "/Other.md", "/Plan", "/Plan.md", "/Plan/history", "/", "/../Other", "/Plan/map.png/", "/-/index", "/%2e%2e/Other"} {
		if got := stranger.get(on("bob", link+path)); got.status < 300 || strings.Contains(got.body, "canary") {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	for _, path := range []string{"/Plan", "/Plan/map.png", "/-/index", "/-/links", "/-/feed/" + link[len("/-/shared/"):]} {
		if got := stranger.get(on("bob", path)); got.status == http.StatusOK || strings.Contains(got.body, "canary") {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	stranger.get(on("ada", link)).want(http.StatusNotFound)
	stranger.post(on("bob", link), url.Values{"content": {"x"}}).want(http.StatusForbidden, http.StatusMethodNotAllowed)
	stranger.get(on("bob", bob.newFeed("bob"))).want(http.StatusOK)

	// What the page stops showing is closed, too.
	w.put("bob", "Plan", "# The plan\n\nNo pictures, but `map.png`.\n")
	stranger.get(on("bob", link+"/Plan/map.png")).want(http.StatusNotFound)
}

// A link follows its page and no other page of that name.
func TestSharedPageMoves(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("bob", "Plan", "the shared plan\n")
	bob, stranger := w.as("bob"), w.anonymous()
	link := bob.share("bob", "Plan")
	rename := func(from, to string) {
		t.Helper()
		_, err := w.Pages.Rename(t.Context(), w.Access("bob", "bob"), pages.RenameRequest{Name: from, NewName: to, Precondition: pages.Precondition{Base: w.revision("bob", from)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	rename("Plan", "Archive/Plan_B")
	stranger.get(on("bob", link)).want(http.StatusOK).has("the shared plan")
	w.put("bob", "Plan", "canary\n")
	stranger.get(on("bob", link)).want(http.StatusOK).has("the shared plan").lacks("canary")
	bob.get(on("bob", "/-/links?page=Plan")).want(http.StatusOK).has("No links yet.")
	bob.get(on("bob", "/-/links?page=Archive/Plan_B")).want(http.StatusOK).has(link)
	bob.get(on("bob", "/-/links")).has("Archive/Plan B")
	bob.get(on("bob", "/-/settings")).has("1 link opens a single page")
	bob.get(on("bob", "/Archive/Plan_B")).has(`href="/-/links?page=Archive%2fPlan_B">Share by link`)
	_, err := w.Pages.Delete(t.Context(), w.Access("bob", "bob"), pages.DeleteRequest{Name: "Archive/Plan_B", Precondition: pages.Precondition{Base: w.revision("bob", "Archive/Plan_B")}})
	if err != nil {
		t.Fatal(err)
	}
	stranger.get(on("bob", link)).want(http.StatusNotFound).lacks("plan")
	bob.get(on("bob", "/-/links")).has("deleted")
	rename("Plan", "Archive/Plan_B") // another page takes the deleted one's name
	stranger.get(on("bob", link)).want(http.StatusNotFound).lacks("canary")
}

// Only editors share pages, and a link has no more rights than its maker has now.
func TestSharingNeedsAnEditor(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Plan", "the plan\n")
	share := url.Values{"action": {"share"}, "page": {"Plan"}}
	for name, want := range map[string]int{"": http.StatusForbidden, "dan": http.StatusForbidden, "cleo": http.StatusForbidden} {
		b := w.anonymous()
		if name != "" {
			b = w.as(name)
		}
		b.post(on("ada", "/-/links"), share).want(want)
	}
	ada, bob, stranger := w.as("ada"), w.as("bob"), w.anonymous()
	bob.post(on("ada", "/-/links"), url.Values{"action": {"share"}, "page": {"Nothing"}}).want(http.StatusNotFound)
	link := bob.share("ada", "Plan")
	ada.get(on("ada", "/-/links?page=Plan")).has("by Bob, never used").lacks(link)
	w.as("cleo").get(on("ada", "/-/links")).want(http.StatusOK).lacks("Plan")
	stranger.get(on("ada", link)).want(http.StatusOK)
	ada.post(on("ada", "/-/members"), url.Values{"action": {"role"}, "did": {"did:plc:bob"}, "role": {"viewer"}}).want(http.StatusSeeOther)
	stranger.get(on("ada", link)).want(http.StatusNotFound)
	ada.post(on("ada", "/-/members"), url.Values{"action": {"role"}, "did": {"did:plc:bob"}, "role": {"editor"}}).want(http.StatusSeeOther)
	stranger.get(on("ada", link)).want(http.StatusOK)
	ada.post(on("ada", "/-/links"), url.Values{"action": {"revoke"}, "id": {link[len("/-/shared/"):][:16]}}).want(http.StatusSeeOther)
	stranger.get(on("ada", link)).want(http.StatusNotFound)
	if events, err := w.Store.Audit(t.Context(), "ada", 1); err != nil || events[0].Action != "link.revoke" || events[0].Actor != "did:plc:ada" {
		t.Errorf("%+v, %v", events, err)
	}
}

// Links end with their makers' accounts and wikis, also while these are only suspended.
func TestSecretLinksEndWithAccess(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Plan", "the plan\n")
	bob, stranger := w.as("bob"), w.anonymous()
	links := []string{bob.share("ada", "Plan"), bob.newFeed("ada")}
	check := func(what string, status int) {
		t.Helper()
		for _, link := range links {
			if got := stranger.get(on("ada", link)); got.status != status {
				t.Errorf("%s: %s is %d, want %d", what, link[:8], got.status, status)
			}
		}
	}
	check("at first", http.StatusOK)
	ctx := t.Context()
	for _, step := range []struct {
		what   string
		do     func() error
		status int
	}{
		{"account suspended", func() error { return w.Store.SuspendUser(ctx, "did:plc:bob", "spam") }, http.StatusNotFound},
		{"account back", func() error { return w.Store.ResumeUser(ctx, "did:plc:bob") }, http.StatusOK},
		{"wiki suspended", func() error { return w.Store.SuspendSite(ctx, "ada", "spam") }, http.StatusNotFound},
		{"wiki back", func() error { return w.Store.ResumeSite(ctx, "ada") }, http.StatusOK},
		{"account ends", func() error { return w.Store.ScheduleUserDeletion(ctx, "did:plc:bob", w.Clock.Now().Add(time.Hour)) }, http.StatusNotFound},
		{"account kept", func() error { return w.Store.CancelUserDeletion(ctx, "did:plc:bob") }, http.StatusNotFound},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		check(step.what, step.status)
	}
}
