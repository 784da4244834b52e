package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// onDomain returns an address on the own domain of a wiki.
func onDomain(slug, path string) string {
	return "http://" + slug + ".example.org:8080" + path
}

// connectDomains gives ada's and bob's wikis own domains; as then signs in there, too.
func (w *testWiki) connectDomains() {
	w.T.Helper()
	w.Connect("ada", "ada.example.org")
	w.Connect("bob", "bob.example.org")
	w.domains = []string{"ada", "bob"}
}

// continueTo follows a person from a wiki's own domain through the page on the platform
// where they agree, back to the domain.
func (b *browser) continueTo(slug, path string) *answer {
	b.w.T.Helper()
	page := b.follow(b.get(onDomain(slug, "/-/login?to="+url.QueryEscape(path)))).want(http.StatusOK).has("Continue to " + slug + ".example.org?")
	_, address, _ := strings.Cut(page.asked, " ")
	return b.follow(b.post(address, url.Values{}).want(http.StatusSeeOther))
}

// A signed-in reader comes to an own domain by a click on the platform, never by
// redirects alone: the domain's owner could otherwise learn who visits them.
func TestContinueToDomain(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.as("cleo")
	w.connectDomains()
	b.get(onDomain("ada", "/Weather_Station")).want(http.StatusOK).has("Sign in").lacks("Cleo")
	private := b.follow(b.get(onDomain("bob", "/Home")))
	private.want(http.StatusOK).has("Continue to bob.example.org?", "Continue as @cleo.test").lacks(canary)
	if got := private.header.Get("Content-Security-Policy"); !strings.Contains(got, "form-action 'self' http://bob.example.org:8080;") || !strings.Contains(got, "frame-ancestors 'none'") {
		t.Errorf("policy %s", got)
	}
	// A page of the domain's owner can't send the form.
	_, address, _ := strings.Cut(private.asked, " ")
	forged := b.request(http.MethodPost, address, url.Values{})
	forged.Header.Set("Origin", "http://bob.example.org:8080")
	forged.Header.Set("Sec-Fetch-Site", "cross-site")
	b.do(forged).want(http.StatusForbidden)
	at := b.continueTo("bob", "/Home").want(http.StatusOK)
	if want := onDomain("bob", "/Home"); !strings.HasSuffix(at.asked, want) {
		t.Errorf("came to %s, want %s", at.asked, want)
	}
	at.has("Cleo")
	b.get(onDomain("ada", "/Weather_Station")).lacks("Cleo") // each domain for itself

	// Signing out there ends the session everywhere.
	b.post(onDomain("bob", "/-/logout"), url.Values{}).want(http.StatusSeeOther)
	b.get(testPlatform + "/app/").want(http.StatusFound)
}

// Somebody who isn't signed in does that first, and then agrees.
func TestSignInOnTheWayToDomain(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.connectDomains()
	b := w.anonymous()
	form := b.follow(b.get(onDomain("bob", "/Home"))).want(http.StatusOK).has("Sign in")
	_, address, _ := strings.Cut(form.asked, " ")
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.Add(10 * time.Minute) // they look for their password
	page := b.follow(b.post(testPlatform+"/auth/dev", url.Values{"username": {"cleo"}, "return_to": {u.Query().Get("return_to")}}))
	page.want(http.StatusOK).has("Continue to bob.example.org?")
	_, address, _ = strings.Cut(page.asked, " ")
	b.follow(b.post(address, url.Values{})).want(http.StatusOK).has("Cleo")
}

// The form after signing in doesn't redirect to hosts outside the service.
func TestReturnToDomain(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.connectDomains()
	for _, back := range []string{onDomain("ada", "/"), "//ada.example.org/", "/auth/sso?host=evil.example&nonce=" + strings.Repeat("0", 64)} {
		at := w.anonymous().post(testPlatform+"/auth/dev", url.Values{"username": {"dan"}, "return_to": {back}}).want(http.StatusSeeOther).header.Get("Location")
		if !strings.HasPrefix(at, "/") || strings.HasPrefix(at, "//") {
			t.Errorf("%s leads to %s", back, at)
		}
	}
	w.as("dan").get(testPlatform + "/auth/sso?host=evil.example&nonce=" + strings.Repeat("0", 64)).want(http.StatusUnprocessableEntity)
}

// The pages of a public wiki are at its domain, and its subdomain redirects there, even
// if it has cached a page.
func TestPagesOfDomain(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.anonymous()
	for range 2 { // the second one from the cache
		b.get(on("ada", "/Weather_Station")).want(http.StatusOK).has(`href="` + testOrigin("ada") + `/Weather_Station"`)
	}
	w.Connect("ada", "ada.example.org")
	for _, path := range []string{"/", "/Weather_Station", "/Weather_Station?revision=", "/Garden/Beds.md", "/-/changelog/feed.atom", "/sitemap.xml", "/-/search?q=a%20b"} {
		got := b.get(on("ada", path)).want(http.StatusMovedPermanently)
		if to := got.header.Get("Location"); to != onDomain("ada", path) || got.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: to %s, %q", path, to, got.header.Get("Cache-Control"))
		}
	}
	page := b.get(onDomain("ada", "/Weather_Station")).want(http.StatusOK)
	page.has(`href="`+onDomain("ada", "/Weather_Station")+`"`, "ada.example.org").lacks(testOrigin("ada"))
	b.get(onDomain("ada", "/sitemap.xml")).want(http.StatusOK).has(onDomain("ada", "/Weather_Station")).lacks(testOrigin("ada"))
	b.get(onDomain("ada", "/-/changelog/feed.atom")).has(onDomain("ada", "/-/commit/")).lacks(testOrigin("ada"))
	b.get(onDomain("ada", "/robots.txt")).has("Sitemap: " + onDomain("ada", "/sitemap.xml"))
	// Programs are answered at both.
	for _, path := range []string{"/robots.txt", "/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server", w.web.assets.byName["app.css"]} {
		b.get(on("ada", path)).want(http.StatusOK)
		b.get(onDomain("ada", path)).want(http.StatusOK)
	}

	// Without the domain, the subdomain has the pages again.
	d, err := w.Store.DomainOf(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	d.Lost = w.Clock.Now()
	if err := w.Store.DomainChecked(t.Context(), d, "domain.lost", ""); err != nil {
		t.Fatal(err)
	}
	b.get(on("ada", "/Weather_Station")).want(http.StatusOK).has(`href="` + testOrigin("ada") + `/Weather_Station"`)
	if to := b.get(onDomain("ada", "/Garden/Beds")).want(http.StatusMovedPermanently).header.Get("Location"); to != on("ada", "/Garden/Beds") {
		t.Errorf("a lost domain leads to %s", to)
	}
	if err := w.Store.DropDomain(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	b.get(onDomain("ada", "/Weather_Station")).want(http.StatusMisdirectedRequest)
}

// Diagrams are drawn in a frame from the host that the page is read at.
func TestDiagramsOfDomain(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Plan", "```mermaid\ngraph TD\n```\n")
	w.Connect("ada", "ada.example.org")
	got := w.anonymous().get(onDomain("ada", "/Plan")).want(http.StatusOK).header.Get("Content-Security-Policy")
	if !strings.Contains(got, "frame-src "+onDomain("ada", diagramURL())) {
		t.Errorf("policy %s", got)
	}
}

// The owner names, checks and disconnects a domain in the settings, which stay at the
// subdomain in case that the domain doesn't work.
func TestDomainSettings(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.as("ada")
	b.get(on("ada", "/-/settings")).want(http.StatusOK).lacks(`id="domain"`) // not offered here
	w.Connect("ada", "ada.example.org")
	b.get(on("ada", "/-/settings")).want(http.StatusOK).has("People read this wiki at", "ada.example.org", "Disconnect")
	b.post(on("ada", "/-/domain"), url.Values{"action": {"disconnect"}}).want(http.StatusSeeOther)
	b.get(on("ada", "/-/settings")).has("ada.example.org was disconnected", "only you can connect it again")
	b.post(on("ada", "/-/domain"), url.Values{"action": {"name"}, "domain": {"x.example.org"}}).want(http.StatusUnprocessableEntity).has("offer own domains", `value="x.example.org"`)
}

// A consent page names the host that the agent will use. To people who aren't members,
// it doesn't tell which wiki that is.
func TestConsentForDomain(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.Connect("bob", "wiki.example.org")
	address := strings.Replace(authorizeURL("bob"), url.QueryEscape("bob.robot.localhost"), "wiki.example.org", 1)
	for _, name := range []string{"cleo", "dan"} {
		b := w.as(name)
		page := b.follow(b.get(address)).want(http.StatusOK).has(`<b class="mono">wiki.example.org`).lacks("bob.robot.localhost")
		if name == "dan" {
			page.has("can&rsquo;t connect this agent").lacks("slug=bob")
		}
	}
}
