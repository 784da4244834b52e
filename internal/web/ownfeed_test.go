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
	"robot.wtf/internal/wiki"
)

var ownFeedLine = regexp.MustCompile(`<code id="feed-address">https?://[^/]+(/[^<]+)</code>`)

// ownFeed saves a person's choices and returns the path of their feed.
func (b *browser) ownFeed(form url.Values) string {
	b.w.T.Helper()
	if form.Get("action") == "" {
		form.Set("action", "save")
	}
	b.post(testPlatform+"/app/feed", form).want(http.StatusSeeOther)
	m := ownFeedLine.FindStringSubmatch(b.get(testPlatform + "/app/feed").want(http.StatusOK).body)
	if m == nil {
		b.w.T.Fatal("no feed is shown")
	}
	return m[1]
}

func (b *browser) watch(slug, page string) {
	b.w.T.Helper()
	b.post(on(slug, "/-/watched"), url.Values{"action": {"watch"}, "page": {page}}).want(http.StatusSeeOther)
}

type ownEntry struct {
	ID      string `xml:"id"`
	Title   string `xml:"title"`
	Updated string `xml:"updated"`
	Link    struct {
		Href string `xml:"href,attr"`
	} `xml:"link"`
	Content string `xml:"content"`
}

// readOwn reads a feed as a reader without cookies.
func (w *testWiki) readOwn(path string) []ownEntry {
	w.T.Helper()
	var f struct {
		Entries []ownEntry `xml:"entry"`
	}
	got := w.anonymous().get(testPlatform + path).want(http.StatusOK)
	if err := xml.Unmarshal([]byte(got.body), &f); err != nil {
		w.T.Fatal(err)
	}
	for name, want := range map[string]string{"X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer", "Cache-Control": "private, no-store", "Set-Cookie": ""} {
		if got.header.Get(name) != want {
			w.T.Errorf("%s: %q", name, got.header.Get(name))
		}
	}
	return f.Entries
}

var everyKind = []string{"watched", "proposals", "limits", "service"}

// A person's feed has the changes of others and agents to watched pages of all their wikis,
// also after the pages moved, and nothing of other pages or from before.
func TestWatchedPagesInOwnFeed(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("bob", "Diary", "Before\n")
	bob := w.as("bob")
	bob.watch("ada", "Garden/Beds")
	bob.watch("bob", "Diary")
	feed := bob.ownFeed(url.Values{"kind": everyKind, "pace": {"once"}})
	if got := w.readOwn(feed); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	w.put("ada", "Garden/Beds", "Beans <b>and</b> peas.\n")
	w.put("ada", "Elsewhere", "Not watched.\n")
	w.write("bob", "bob", "", "Diary", "Written by himself.\n")
	w.write("bob", "bob", "Claude", "Diary", "Written by his agent.\n")
	w.as("ada").post(on("ada", "/Garden/Beds/rename"), url.Values{"new_pagename": {"Beds"}, "revision": {w.revision("ada", "Garden/Beds")}}).want(http.StatusSeeOther)
	got := w.readOwn(feed)
	titles := ""
	for _, e := range got {
		titles += e.Title + "\n"
	}
	if len(got) < 2 || !strings.Contains(got[len(got)-1].Content, "+ Beans &lt;b&gt;and&lt;/b&gt; peas.") || !strings.Contains(titles, "Change by Claude bob") || strings.Contains(titles, "Elsewhere") || strings.Contains(titles, "Change by  bob") {
		t.Errorf("%+v", got)
	}
	if page, err := w.Pages.Page(t.Context(), w.Access("ada", "ada"), "Beds", ""); err != nil || page.Name != "Beds" {
		t.Fatalf("the page wasn't moved: %v", err)
	}
	before := len(w.readOwn(feed))
	w.put("ada", "Garden/Beds", "A new page with the former name.\n")
	w.put("ada", "Beds", "Only leeks.\n")
	if got := w.readOwn(feed); len(got) != before+1 || !strings.Contains(got[0].Content, "Only leeks.") {
		t.Errorf("%d entries before, %+v", before, got)
	}
	bob.get(on("ada", "/-/watched?page=Beds")).has("You watch", "Stop watching")
	bob.post(on("ada", "/-/watched"), url.Values{"action": {"stop"}, "page": {"Beds"}}).want(http.StatusSeeOther)
	bob.get(on("ada", "/-/watched?page=Beds")).has("You don&rsquo;t watch", "No pages yet.")
	bob.ownFeed(url.Values{"kind": {"limits"}, "pace": {"once"}})
	if got := w.readOwn(feed); len(got) != 0 {
		t.Errorf("changes are in a feed without them: %+v", got)
	}
}

// By default a feed has one entry for each day, when it is over. It stays the same.
func TestOwnFeedIsADigest(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	cleo := w.as("cleo")
	cleo.watch("ada", "Home")
	feed := cleo.ownFeed(url.Values{"kind": everyKind})
	w.put("ada", "Home", "One\n")
	w.put("ada", "Home", "Two\n")
	if got := w.readOwn(feed); len(got) != 0 {
		t.Fatalf("today is in the digest: %+v", got)
	}
	w.Clock.Add(24 * time.Hour)
	w.put("ada", "Home", "Three\n")
	first := w.readOwn(feed)
	if len(first) != 1 || first[0].Title != "2 notifications on Tuesday, 24 November 2026" || !strings.Contains(first[0].Content, "+ Two") || strings.Contains(first[0].Content, "Three") {
		t.Fatalf("%+v", first)
	}
	w.Clock.Add(24 * time.Hour)
	if got := w.readOwn(feed); len(got) != 2 || got[1] != first[0] {
		t.Errorf("%+v", got)
	}
	w.Clock.Add(30 * 24 * time.Hour)
	if got := w.readOwn(feed); len(got) != 0 {
		t.Errorf("a month later: %+v", got)
	}
}

// Attack: somebody guesses a feed's address, keeps one after it was changed, or reads on
// after they were removed from a wiki.
func TestOwnFeedsAreSecret(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("bob", "Diary", "Dear diary\n")
	cleo, ada := w.as("cleo"), w.as("ada")
	cleo.watch("bob", "Diary")
	feed := cleo.ownFeed(url.Values{"kind": everyKind, "pace": {"once"}})
	w.put("bob", "Diary", "A secret\n")
	if got := w.readOwn(feed); len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	stranger := w.anonymous()
	for _, path := range []string{"/app/feed/none", feed[:len(feed)-1] + "x", feed + "x", "/app/feed/" + strings.Repeat("a", 38)} {
		stranger.get(testPlatform + path).want(http.StatusNotFound).lacks("secret")
	}
	stranger.get(on("bob", strings.Replace(feed, "/app/feed", "/-/feed", 1))).want(http.StatusNotFound)
	ada.get(testPlatform+"/app/feed").lacks(feed, "Remove the feed")
	if err := w.Tenant.RemoveMember(t.Context(), w.Access("bob", "bob"), "did:plc:cleo"); err != nil {
		t.Fatal(err)
	}
	if got := w.readOwn(feed); len(got) != 0 {
		t.Errorf("a former member still reads %+v", got)
	}
	renewed := cleo.ownFeed(url.Values{"action": {"renew"}, "kind": everyKind})
	if renewed == feed {
		t.Error("the address is the same")
	}
	stranger.get(testPlatform + feed).want(http.StatusNotFound)
	cleo.post(testPlatform+"/app/feed", url.Values{"action": {"remove"}}).want(http.StatusSeeOther)
	stranger.get(testPlatform + renewed).want(http.StatusNotFound)
}

// Readers of a public wiki who aren't members can't watch its pages, and nobody watches
// without bound.
func TestWatchingIsForMembers(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	for _, b := range []*browser{w.as("dan"), w.anonymous()} {
		b.post(on("ada", "/-/watched"), url.Values{"action": {"watch"}, "page": {"Home"}}).want(http.StatusForbidden)
	}
	a := w.Access("ada", "cleo")
	for n := range 101 {
		err := w.Tenant.AddWatch(t.Context(), a, wiki.PageName("P"+strings.Repeat("x", n)), 1)
		if (err != nil) != (n >= 100) {
			t.Fatalf("watch %d: %v", n, err)
		}
	}
	w.as("cleo").post(on("ada", "/-/watched"), url.Values{"action": {"watch"}, "page": {"Nothing"}}).want(http.StatusNotFound)
}

// Owners learn once that a wiki is close to a limit, and again if it happens again.
func TestLimitsInOwnFeed(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	feed := w.as("bob").ownFeed(url.Values{"kind": everyKind, "pace": {"once"}})
	viewers := w.as("cleo").ownFeed(url.Values{"kind": everyKind, "pace": {"once"}})
	limit := func(pages int) {
		t.Helper()
		a, err := w.Tenant.Resolve(t.Context(), "bob", wiki.Caller{Operator: true})
		if err == nil {
			err = w.Tenant.SetLimits(t.Context(), a, wiki.Limits{Pages: pages})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	near := func(path string) (list []ownEntry) {
		for _, e := range w.readOwn(path) {
			if strings.Contains(e.Title, "more than 90%") {
				list = append(list, e)
			}
		}
		return list
	}
	if got := near(feed); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	limit(1)
	first := near(feed)
	w.Clock.Add(time.Hour)
	if again := near(feed); len(first) != 1 || len(again) != 1 || first[0] != again[0] {
		t.Errorf("%+v, then %+v", first, again)
	}
	if got := near(viewers); len(got) != 0 {
		t.Errorf("a viewer learns of limits: %+v", got)
	}
	limit(500)
	if got := near(feed); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	limit(1)
	if got := near(feed); len(got) != 1 || got[0].ID == first[0].ID {
		t.Errorf("%+v", got)
	}
}

// Editors learn that an agent proposes changes, without their text. Nobody else does.
func TestProposalsInOwnFeed(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada := w.as("ada").ownFeed(url.Values{"kind": everyKind, "pace": {"once"}})
	viewers := w.as("cleo").ownFeed(url.Values{"kind": everyKind, "pace": {"once"}})
	w.as("cleo").watch("ada", "Home")
	w.propose("ada", "bob", "Quinces", appended("Home", "Plant quinces."), newProposal("Quinces", "They are sour."))
	got := w.readOwn(ada)
	if len(got) != 1 || !strings.HasSuffix(got[0].Title, "Claude for bob proposes changes to 2 pages") || !strings.HasSuffix(got[0].Link.Href, "/-/proposals/grant-of-bob") {
		t.Fatalf("%+v", got)
	}
	if body := w.anonymous().get(testPlatform + ada).body; strings.Contains(body, "quinces") || strings.Contains(body, "sour") {
		t.Error(body)
	}
	if got := w.readOwn(viewers); len(got) != 0 {
		t.Errorf("a viewer learns of proposals: %+v", got)
	}
	set, err := w.Pages.Proposal(t.Context(), w.Access("ada", "ada"), "grant-of-bob")
	if err == nil {
		err = w.Pages.DeclineProposals(t.Context(), w.Access("ada", "ada"), pages.ProposalChoice{Grant: "grant-of-bob", Version: set.Version()}, "no")
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := w.readOwn(ada); len(got) != 0 {
		t.Errorf("a proposal that was declined: %+v", got)
	}
}
