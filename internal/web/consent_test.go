package web

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	claudeCode = "https://claude.ai/oauth/claude-code-client-metadata"
	callback   = "http://localhost:49152/callback"
	verifier   = "a-verifier-that-has-the-forty-three-characters-it-needs"
)

func challengeOf(verifier string) string {
	hash := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// authorizeURL is the address that Claude Code opens for a wiki.
func authorizeURL(slug string) string {
	return testPlatform + "/auth/oauth/authorize?" + url.Values{
		"client_id": {claudeCode}, "redirect_uri": {callback}, "response_type": {"code"}, "state": {"s t&te"},
		"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"}, "resource": {testOrigin(slug) + "/mcp"},
		"scope": {"wiki:read wiki:write offline_access"}, "prompt": {"consent"},
	}.Encode()
}

// consent opens the consent page.
func (b *browser) consent(slug string) *answer {
	b.w.T.Helper()
	return b.follow(b.get(authorizeURL(slug)))
}

var hidden = regexp.MustCompile(`<input type="hidden" name="(request|person)" value="([^"]*)">`)

// formOf returns the consent page's form with a decision.
func formOf(page *answer, answer, scope string) url.Values {
	form := url.Values{"answer": {answer}}
	if scope != "" {
		form.Set("scope", scope)
	}
	for _, m := range hidden.FindAllStringSubmatch(page.body, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	return form
}

const consentAddress = testPlatform + "/auth/oauth/consent"

// back returns the parameters of the redirect to the client.
func back(t *testing.T, a *answer) url.Values {
	t.Helper()
	a.want(http.StatusSeeOther)
	to, ok := strings.CutPrefix(a.header.Get("Location"), callback+"?")
	if !ok {
		t.Fatalf("sent to %q", a.header.Get("Location"))
	}
	values, err := url.ParseQuery(to)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// exchange sends a request to the token endpoint.
func (w *testWiki) exchange(form url.Values) (int, map[string]any) {
	w.T.Helper()
	r := httptest.NewRequest(http.MethodPost, testPlatform+"/auth/oauth/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	var out map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		w.T.Fatalf("%s: %v", rec.Body, err)
	}
	return rec.Code, out
}

// TestConsent lets Claude Code into a wiki, from its address to a token.
func TestConsent(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.as("bob")
	page := b.consent("ada").want(http.StatusOK).
		has("Let <bdi>Claude Code</bdi> into ada?", "returns to <b class=\"mono\">localhost</b>", "ada.robot.localhost:8080", "@bob.test",
			"claude.ai/oauth/claude-code-client-metadata", "runs on your device", "Read and edit", "Read only")
	policy := page.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "form-action 'self' http://localhost:49152;") || !strings.Contains(policy, "frame-ancestors 'none'") || page.header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("policy %q, frame options %q", policy, page.header.Get("X-Frame-Options"))
	}
	got := back(t, b.post(consentAddress, formOf(page, "allow", "write")))
	if got.Get("state") != "s t&te" || got.Get("iss") != testPlatform || got.Get("code") == "" || got.Has("error") {
		t.Fatalf("answer %v", got)
	}
	status, out := w.exchange(url.Values{
		"grant_type": {"authorization_code"}, "code": {got.Get("code")}, "client_id": {claudeCode}, "redirect_uri": {callback},
		"code_verifier": {verifier}, "resource": {testOrigin("ada") + "/mcp"},
	})
	if status != http.StatusOK || out["token_type"] != "Bearer" || out["scope"] != "wiki:read wiki:write" || out["expires_in"] != (7*24*time.Hour).Seconds() {
		t.Fatalf("%d %v", status, out)
	}
	// The same client needs consent again.
	b.consent("ada").want(http.StatusOK).has("Let <bdi>Claude Code</bdi> into ada?")
	// This time the person declines.
	got = back(t, b.post(consentAddress, formOf(b.consent("ada"), "deny", "")))
	if got.Get("error") != "access_denied" || got.Get("state") != "s t&te" || got.Get("iss") != testPlatform || got.Has("code") {
		t.Errorf("response to declining: %v", got)
	}
}

// A viewer can only grant read access, whatever the form says.
func TestConsentOfViewer(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.as("cleo")
	page := b.consent("bob").want(http.StatusOK).has("Read only").lacks("Read and edit")
	b.post(consentAddress, formOf(page, "allow", "write")).want(http.StatusForbidden).has("give Claude Code more than read access")
	got := back(t, b.post(consentAddress, formOf(page, "allow", "read")))
	_, out := w.exchange(url.Values{"grant_type": {"authorization_code"}, "code": {got.Get("code")}, "client_id": {claudeCode}, "code_verifier": {verifier}})
	if out["scope"] != "wiki:read" {
		t.Errorf("%v", out)
	}
}

// A non-member sees the same page for a private, a public and a nonexistent wiki,
// and can't approve any of them.
func TestConsentOfNonMember(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.as("dan")
	pages := map[string]string{}
	for _, slug := range []string{"ada", "bob", "zoe"} {
		page := b.consent(slug).want(http.StatusOK).has("a member of it").lacks("Allow", canary)
		shown := page.body
		for _, m := range hidden.FindAllStringSubmatch(page.body, -1) {
			shown = strings.ReplaceAll(shown, m[2], "")
		}
		pages[slug] = strings.NewReplacer(slug+".robot", "x.robot", "slug="+slug+`"`, `slug=x"`).Replace(shown)
		for _, scope := range []string{"read", "write"} {
			b.post(consentAddress, formOf(page, "allow", scope)).want(http.StatusForbidden)
		}
		if got := back(t, b.post(consentAddress, formOf(page, "deny", ""))); got.Get("error") != "access_denied" {
			t.Errorf("%s: %v", slug, got)
		}
	}
	if pages["ada"] != pages["zoe"] || pages["bob"] != pages["zoe"] {
		t.Errorf("a stranger can tell wikis apart:\n%s\n%s\n%s", pages["ada"], pages["bob"], pages["zoe"])
	}
}

// The request survives signing in, and works in a second tab.
func TestConsentSurvivesSignIn(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.anonymous()
	first := b.follow(b.get(authorizeURL("ada"))).want(http.StatusOK).has("Sign in")
	second := b.follow(b.get(authorizeURL("bob"))).want(http.StatusOK).has("Sign in")
	returnTo := regexp.MustCompile(`name="return_to" value="([^"]*)"`)
	for _, page := range []*answer{first, second} {
		to := html.UnescapeString(returnTo.FindStringSubmatch(page.body)[1])
		page = b.follow(b.post(testPlatform+"/auth/dev", url.Values{"username": {"bob"}, "return_to": {to}})).want(http.StatusOK).has("Let <bdi>Claude Code</bdi> into")
		if got := back(t, b.post(consentAddress, formOf(page, "allow", "read"))); got.Get("code") == "" {
			t.Errorf("%v", got)
		}
	}
}

// A new user creates the wiki first, and then approves the agent.
func TestConsentOfNewUser(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.anonymous()
	page := b.follow(b.get(authorizeURL("dan"))).want(http.StatusOK).has("Sign in")
	to := html.UnescapeString(regexp.MustCompile(`name="return_to" value="([^"]*)"`).FindStringSubmatch(page.body)[1])
	page = b.follow(b.post(testPlatform+"/auth/dev", url.Values{"username": {"dan"}, "return_to": {to}})).want(http.StatusOK).has("Create your own wiki")
	link := regexp.MustCompile(`href="(/app/create[^"]*)"`).FindStringSubmatch(page.body)
	page = b.get(testPlatform + html.UnescapeString(link[1])).want(http.StatusOK).has(`value="dan"`)
	back0 := html.UnescapeString(regexp.MustCompile(`name="return_to" value="([^"]*)"`).FindStringSubmatch(page.body)[1])
	b.post(testPlatform+"/app/create", url.Values{"slug": {"no"}, "return_to": {back0}}).want(http.StatusUnprocessableEntity).has(html.EscapeString(back0))
	page = b.follow(b.post(testPlatform+"/app/create", url.Values{"slug": {"dan"}, "return_to": {back0}})).want(http.StatusOK).has("Let <bdi>Claude Code</bdi> into dan?")
	if got := back(t, b.post(consentAddress, formOf(page, "allow", "write"))); got.Get("code") == "" {
		t.Errorf("%v", got)
	}
	// Other return addresses are ignored.
	for _, other := range []string{"https://evil.example/", "//evil.example/auth/oauth/consent?", "/auth/oauth/consent", "/app/"} {
		page := w.as("cleo").get(testPlatform + "/app/create?return_to=" + url.QueryEscape(other)).want(http.StatusOK)
		page.lacks(`name="return_to"`)
	}
}

// Attack: forging, replaying or transplanting a decision must have no effect.
func TestForgedConsent(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	page := bob.consent("ada")
	form := formOf(page, "allow", "write")
	refused := func(name string, b *browser, form url.Values, origin string) {
		t.Helper()
		b.header = http.Header{}
		if origin != "" {
			b.header.Set("Origin", origin)
			b.header.Set("Sec-Fetch-Site", "cross-site")
			if strings.Contains(origin, "robot.localhost") {
				b.header.Set("Sec-Fetch-Site", "same-site")
			}
		}
		got := b.post(consentAddress, form)
		b.header = http.Header{}
		if got.status < 400 && !strings.Contains(got.header.Get("Location"), "/auth/login") || strings.Contains(got.header.Get("Location"), "code=") {
			t.Errorf("%s: %d, to %q", name, got.status, got.header.Get("Location"))
		}
	}
	with := func(key, value string) url.Values {
		changed := url.Values{}
		for k, v := range form {
			changed[k] = v
		}
		if value == "" {
			changed.Del(key)
		} else {
			changed.Set(key, value)
		}
		return changed
	}
	refused("from another site", bob, form, "https://evil.example")
	refused("from a wiki's host", bob, form, testOrigin("bob"))
	refused("from nowhere (null)", bob, form, "null")
	refused("no request", bob, with("request", ""), "")
	refused("another request", bob, with("request", strings.Repeat("A", 26)), "")
	refused("no answer", bob, with("answer", ""), "")
	refused("another answer", bob, with("answer", "maybe"), "")
	refused("no scope", bob, with("scope", ""), "")
	refused("a scope of its own", bob, with("scope", "admin"), "")
	refused("nobody's form", bob, with("person", ""), "")
	refused("somebody else's form", bob, with("person", "did:plc:ada"), "")
	refused("in another browser of the same person", w.as("bob"), form, "")
	refused("in the browser of somebody else", w.as("ada"), form, "")
	refused("in the browser of nobody", w.anonymous(), form, "")
	if got := bob.get(consentAddress + "?request=" + form.Get("request") + "&answer=allow&scope=write&person=did:plc:bob"); strings.Contains(got.header.Get("Location"), "code=") {
		t.Error("a link agreed")
	}
	// Another person signs in with this browser while the page is open.
	bob.post(testPlatform+"/auth/dev", url.Values{"username": {"ada"}})
	refused("shown to bob, sent by ada", bob, form, "")
	bob.post(testPlatform+"/auth/dev", url.Values{"username": {"bob"}})
	if got := back(t, bob.post(consentAddress, form)); got.Get("code") == "" {
		t.Fatalf("the honest answer: %v", got)
	}
	refused("a second time", bob, form, "")
	refused("a second time, with no", bob, with("answer", "deny"), "")
	// An hour later.
	page = bob.consent("ada")
	w.Clock.Add(time.Hour + time.Second)
	refused("late", bob, formOf(page, "allow", "write"), "")
}

// The membership ends between the page and the decision, or between the decision and
// the token exchange.
func TestConsentOfFormerMember(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.as("cleo")
	page := b.consent("bob")
	got := back(t, b.post(consentAddress, formOf(b.consent("bob"), "allow", "read")))
	if err := w.Tenant.RemoveMember(t.Context(), w.Access("bob", "bob"), "did:plc:cleo"); err != nil {
		t.Fatal(err)
	}
	b.post(consentAddress, formOf(page, "allow", "read")).want(http.StatusForbidden).has("a member of it")
	status, out := w.exchange(url.Values{"grant_type": {"authorization_code"}, "code": {got.Get("code")}, "client_id": {claudeCode}, "code_verifier": {verifier}})
	if status != http.StatusBadRequest || out["error"] != "invalid_grant" {
		t.Errorf("%d %v", status, out)
	}
}

// connect approves Claude Code for a wiki as a person, and returns its token.
func (w *testWiki) connect(slug, name string) string {
	w.T.Helper()
	b := w.as(name)
	got := back(w.T.(*testing.T), b.post(consentAddress, formOf(b.consent(slug), "allow", "read")))
	status, out := w.exchange(url.Values{"grant_type": {"authorization_code"}, "code": {got.Get("code")}, "client_id": {claudeCode}, "code_verifier": {verifier}})
	if status != http.StatusOK {
		w.T.Fatalf("%d %v", status, out)
	}
	return out["access_token"].(string)
}

// The person an agent acts for and the wiki's owner both see it and can disconnect
// it.
func TestConnectedAgents(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	cleos, adas := w.connect("ada", "cleo"), w.connect("ada", "ada")
	works := func(token string) bool {
		r := httptest.NewRequest(http.MethodGet, on("ada", "/api/v1/pages"), nil)
		r.Header.Set("Authorization", "Bearer "+token)
		c, err := w.Session.Bearer(r, "ada")
		return err == nil && !c.Anonymous()
	}
	if !works(cleos) || !works(adas) {
		t.Fatal("the tokens don't work")
	}
	owner, cleo, bob := w.as("ada"), w.as("cleo"), w.as("bob")
	owner.get(on("ada", "/-/agents")).want(http.StatusOK).has("Claude Code</bdi></b> for Cleo", "Claude Code</bdi></b> for Ada", "Read only", "first used")
	cleo.get(on("ada", "/-/agents")).want(http.StatusOK).has("for Cleo").lacks("for Ada")
	bob.get(on("ada", "/-/agents")).want(http.StatusOK).has("No agents yet")
	cleo.get(testPlatform+"/app/account").want(http.StatusOK).has("Claude Code</bdi></b> in", "ada.robot.localhost")
	ids := regexp.MustCompile(`name="id" value="([^"]+)"`).FindAllStringSubmatch(owner.get(on("ada", "/-/agents")).body, -1)
	cleosID := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(cleo.get(on("ada", "/-/agents")).body)[1]
	if len(ids) != 2 {
		t.Fatalf("%d agents", len(ids))
	}
	for _, id := range ids {
		bob.post(on("ada", "/-/agents"), url.Values{"id": {id[1]}}).want(http.StatusNotFound)
		bob.post(testPlatform+"/app/agents", url.Values{"id": {id[1]}}).want(http.StatusNotFound)
	}
	owner.post(on("ada", "/-/agents"), url.Values{"id": {cleosID}}).want(http.StatusSeeOther)
	if works(cleos) || !works(adas) {
		t.Error("the wrong agent was disconnected")
	}
	for _, id := range ids {
		if id[1] != cleosID {
			owner.post(testPlatform+"/app/agents", url.Values{"id": {id[1]}}).want(http.StatusSeeOther)
		}
	}
	if works(adas) {
		t.Error("it still works")
	}
}
