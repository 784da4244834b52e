package web

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/passkey"
	"robot.wtf/internal/server"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

const homeOrigin = "http://localhost:8080"

// newHomeWiki serves the wiki of a slug at the root of the only host.
func newHomeWiki(t testing.TB, slug string) *testWiki {
	t.Helper()
	w := &testWiki{World: testworld.New(t, testworld.Options{Platform: homeOrigin, Single: slug, Mirror: true})}
	passkeys, err := passkey.New(passkey.Options{Store: w.Store, Origin: homeOrigin, Name: "Test", Now: w.Clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	signIn, err := atproto.New(atproto.Options{
		Store: w.Store, KeyDir: w.KeyDir(), Platform: homeOrigin, Home: true, Outbound: outbound.Options{DNS: "127.0.0.1:1"}, Now: w.Clock.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.web, err = New(Options{
		SignIn: signIn, Passkeys: passkeys, Webhooks: w.newWebhooks(),
		Pages: w.Pages, Tenant: w.Tenant, Session: w.Session, OAuth: w.OAuth, Platform: homeOrigin, WikiOrigin: w.Origin, Single: true,
		Now: w.Clock.Now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = server.New(server.Options{
		Host: "localhost", Home: homeOrigin, Single: slug, Callback: atproto.HomeCallbackPath, Wiki: w.web.ServeWiki, OAuth: w.OAuth.ServeHTTP,
		Renew: w.Session.Renew, Check: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
	})
	return w
}

// homeAs returns a browser with a session of a person, "" for none.
func (w *testWiki) homeAs(name string) *browser {
	w.T.Helper()
	b := w.anonymous()
	if name == "" {
		return b
	}
	rec := httptest.NewRecorder()
	if err := w.Session.SignIn(w.T.Context(), rec, httptest.NewRequest(http.MethodGet, homeOrigin, nil), testworld.Person(name), false); err != nil {
		w.T.Fatal(err)
	}
	b.cookies["localhost:8080"] = map[string]string{}
	for _, c := range rec.Result().Cookies() {
		b.cookies["localhost:8080"][c.Name] = c.Value
	}
	return b
}

// homeMatrix has the cells of homeRoutes that routeMatrix doesn't have.
var homeMatrix = map[string]cell{
	"GET /-/login":            {path: "/-/login", ok: 200, open: true},
	"GET /-/login/{code}":     {path: "/-/login/AAAA", ok: 303, open: true},
	"POST /-/login":           {path: "/-/login", form: url.Values{}, ok: 410, open: true},
	"POST /-/login/challenge": {path: "/-/login/challenge", form: url.Values{}, ok: 200, open: true},
	"POST /-/login/passkey":   {path: "/-/login/passkey", form: url.Values{"response": {"{}"}}, ok: 403, open: true}, // with the cookie of the challenge before it
	"POST /-/login/account":   {path: "/-/login/account", form: url.Values{"handle": {""}}, ok: 422, open: true},
	"POST /-/accounts":        {path: "/-/accounts", form: url.Values{"action": {"dance"}}, ok: 422, open: true},
	"GET /-/atproto/callback": {path: "/-/atproto/callback", ok: 303, open: true},
	// A client at localhost has no metadata and no keys.
	"GET /-/atproto/client-metadata.json": {path: "/-/atproto/client-metadata.json", ok: 404, open: true},
	"GET /-/atproto/jwks.json":            {path: "/-/atproto/jwks.json", ok: 404, open: true},
	"POST /-/passkeys/challenge":          {path: "/-/passkeys/challenge", form: url.Values{}, ok: 200, open: true},
	"POST /-/passkeys":                    {path: "/-/passkeys", form: url.Values{"action": {"dance"}}, ok: 422, open: true},
	"GET /-/join/{code}":                  {path: "/-/join/AAAA", ok: 303, open: true},
	"GET /-/join":                         {path: "/-/join", ok: 410, open: true},
	"POST /-/join":                        {path: "/-/join", form: url.Values{"name": {"eve"}}, ok: 410, open: true},
	"POST /-/invitations":                 {path: "/-/invitations", form: url.Values{"action": {"dance"}}, ok: 422, need: wiki.Configure},
	"GET /-/account":                      {path: "/-/account", ok: 200, open: true},
	"POST /-/account":                     {path: "/-/account", form: url.Values{}, ok: 422, open: true},
	"GET /-/account/feed":                 {path: "/-/account/feed", ok: 200, open: true},
	"POST /-/account/feed":                {path: "/-/account/feed", form: url.Values{"action": {"dance"}}, ok: 422, open: true},
	"GET /-/account/feed/{secret}":        {path: "/-/account/feed/none", ok: 404, open: true},
	"GET /-/auth/oauth/authorize":         {path: "/-/auth/oauth/authorize", ok: 422, open: true},
	"GET /-/auth/oauth/consent":           {path: "/-/auth/oauth/consent?request=x", ok: 410, open: true},
	"POST /-/auth/oauth/consent":          {path: "/-/auth/oauth/consent", form: url.Values{"request": {"x"}, "person": {"x"}, "answer": {"deny"}}, ok: 410, open: true},
}

// homeStatus is the status for a caller, where it depends on being signed in.
var homeStatus = map[string]struct{ nobody, somebody int }{
	"GET /-/login":               {200, 303},
	"GET /-/account":             {302, 200},
	"POST /-/account":            {403, 422},
	"GET /-/account/feed":        {302, 200},
	"POST /-/account/feed":       {403, 422},
	"POST /-/passkeys/challenge": {403, 200},
	"POST /-/passkeys":           {403, 422},
	"POST /-/accounts":           {403, 422},
	"GET /-/auth/oauth/consent":  {302, 410},
	"POST /-/auth/oauth/consent": {303, 410},
}

// TestHomeRoutesAndRoles tries every person on every route of a public and of a
// private wiki that is at the root of the only host.
func TestHomeRoutesAndRoles(t *testing.T) {
	t.Parallel()
	for _, slug := range []string{"ada", "bob"} {
		t.Run(slug, func(t *testing.T) {
			t.Parallel()
			w := newHomeWiki(t, slug)
			w.upload(slug, "Home", "dot.png", string(testPNG(t)))
			w.Save(slug, slug, "Home", "Home, sweet "+slug+".\n")
			if slug == "ada" {
				if err := w.Tenant.Configure(t.Context(), w.Access("ada", "ada"), tenant.Settings{Public: true}); err != nil {
					t.Fatal(err)
				}
			}
			w.tryHomeRoutes(slug)
		})
	}
}

func (w *testWiki) tryHomeRoutes(slug string) {
	w.web.stream.life = time.Millisecond
	matrix := maps.Clone(homeMatrix)
	for key, c := range routeMatrix {
		if !slices.Contains(notAtHome, key) {
			matrix[key] = c
		}
	}
	keys := []string{}
	for _, rt := range homeRoutes() {
		keys = append(keys, rt.pattern)
	}
	for _, key := range wikiKeys() {
		if _, isAction := routeMatrix[key]; isAction && !strings.Contains(key, "/") {
			keys = append(keys, key)
		}
	}
	tried := 0
	for _, name := range matrixPeople {
		b := w.homeAs(name)
		for _, key := range keys {
			c, ok := matrix[key]
			if !ok {
				w.T.Fatalf("no cell for %q", key)
			}
			if key == "POST /-/logout" && name != "" {
				continue
			}
			path := strings.NewReplacer("{commit}", w.commit(slug), "{css}", w.web.assets.byName["app.css"]).Replace(c.path)
			method, form := methodOf(key), c.form
			if method == http.MethodPost && form == nil {
				form = url.Values{}
			}
			role := roleIn(slug, name)
			got := b.send(method, homeOrigin+path, form)
			tried++
			want := c.expected(method, role, name == "")
			if s, ok := homeStatus[key]; ok && name == "" {
				want = s.nobody
			} else if ok {
				want = s.somebody
			}
			if got.status != want {
				w.T.Errorf("%q (%s) %s: %d, want %d", name, role, got.asked, got.status, want)
			}
			if slug == "bob" && role == wiki.NoRole {
				got.lacks("sweet", canary)
			}
		}
	}
	checkMatrix(w.T.(*testing.T), matrix, keys, tried)
}

// No other wiki of the data directory, and no page of a platform, has an address on
// the only host; and no other host has any.
func TestHomeServesOneWikiOnOneHost(t *testing.T) {
	t.Parallel()
	w := newHomeWiki(t, "ada")
	ada := w.homeAs("ada")
	for _, path := range []string{"/app/", "/app/account", "/auth/login", "/limits", "/privacy", "/-/sso?code=x", "/-/app/account", "/.well-known/atproto-did"} {
		if got := ada.get(homeOrigin + path); got.status == http.StatusOK || got.header.Get("Location") != "" && got.header.Get("Location") != strings.TrimSuffix(path, "/") {
			t.Errorf("%s: %d, %q", path, got.status, got.header.Get("Location"))
		}
	}
	for _, host := range []string{"http://bob.localhost:8080", "http://ada.localhost:8080", "http://evil.example:8080", "http://127.0.0.1:8080"} {
		got := ada.get(host + "/").want(http.StatusMisdirectedRequest).has(homeOrigin + "/")
		got.lacks(canary)
	}
	ada.get(homeOrigin+"/Home").want(http.StatusOK).lacks("robot.wtf", "/app/", "Privacy")
	ada.get(homeOrigin+"/-/settings").want(http.StatusOK).lacks("Bluesky", "/-/delete", "handle")
	ada.get(homeOrigin + "/-/export").want(http.StatusOK).has("git clone " + homeOrigin + "/repo.git ada")
	ada.get(homeOrigin + "/-/connect").want(http.StatusOK).has(homeOrigin + "/mcp")
}

// An attacker who sees a sign-in link afterwards (in a log, a referrer or the history
// of a browser) can't use it, and can't guess another.
func TestSignInLink(t *testing.T) {
	t.Parallel()
	w := newHomeWiki(t, "ada")
	newLink := func(name string) string {
		code, err := w.Tenant.NewSignInLink(t.Context(), w.Access("ada", "ada"), testworld.Person(name).DID)
		if err != nil {
			t.Fatal(err)
		}
		return homeOrigin + SignInLinkPath + code
	}
	link := newLink("ada")
	for range 3 { // a program that previews links opens it, and uses nothing up
		preview := w.anonymous()
		opened := preview.get(link).want(http.StatusSeeOther)
		if opened.header.Get("Referrer-Policy") != "no-referrer" || opened.header.Get("Cache-Control") != "no-store" || opened.header.Get("Location") != "/-/login?opened=1" {
			t.Errorf("opening a link: %v", opened.header)
		}
		preview.get(homeOrigin+"/-/login").want(http.StatusOK).has("The button uses it up", "Sign in as <bdi>Ada</bdi>").lacks(strings.TrimPrefix(link, homeOrigin+SignInLinkPath))
	}
	w.anonymous().get(homeOrigin + "/-/login?opened=1").want(http.StatusUnprocessableEntity).has("didn&#39;t keep the cookie")
	w.anonymous().get(homeOrigin + "/-/join?opened=1").want(http.StatusUnprocessableEntity).has("didn&#39;t keep the cookie")
	ada := w.anonymous()
	ada.get(homeOrigin + "/-/login?to=" + url.QueryEscape("/-/search?q=a,é")).want(http.StatusOK).has("robot home login")
	ada.get(link).want(http.StatusSeeOther)
	if got := ada.post(homeOrigin+"/-/login", url.Values{}).want(http.StatusSeeOther); got.header.Get("Location") != "/-/search?q=a,é" {
		t.Errorf("signing in leads to %q", got.header.Get("Location"))
	}
	ada.get(homeOrigin + "/-/settings").want(http.StatusOK)

	again := w.anonymous()
	again.get(link).want(http.StatusSeeOther)
	again.get(homeOrigin+"/-/login").want(http.StatusGone).has("used before", "robot home login")
	again.get(link).want(http.StatusSeeOther)
	again.post(homeOrigin+"/-/login", url.Values{}).want(http.StatusGone).has("used before")
	again.get(homeOrigin + "/-/account").want(http.StatusFound)

	late := w.anonymous()
	late.get(newLink("bob")).want(http.StatusSeeOther)
	w.Clock.Add(tenant.SignInLinkLifetime)
	late.post(homeOrigin+"/-/login", url.Values{}).want(http.StatusGone)

	other := w.anonymous()
	link = newLink("bob")
	other.get(link).want(http.StatusSeeOther)
	other.header.Set("Origin", "http://evil.example")
	other.header.Set("Sec-Fetch-Site", "cross-site")
	other.post(homeOrigin+"/-/login", url.Values{}).want(http.StatusForbidden)
	if _, err := w.Tenant.NewSignInLink(t.Context(), w.Access("ada", "bob"), testworld.Person("ada").DID); err == nil {
		t.Error("an editor created a sign-in link of the owner")
	}
	if _, err := w.Tenant.NewSignInLink(t.Context(), w.Access("ada", "ada"), testworld.Person("dan").DID); err == nil {
		t.Error("a sign-in link for a person who isn't a member")
	}
}

// Of many browsers that send the same link at once, one is signed in.
func TestSignInLinkRace(t *testing.T) {
	t.Parallel()
	w := newHomeWiki(t, "ada")
	code, err := w.Tenant.NewSignInLink(t.Context(), w.Access("ada", "ada"), testworld.Person("ada").DID)
	if err != nil {
		t.Fatal(err)
	}
	var in atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := w.Tenant.UseSignInLink(t.Context(), code); err == nil {
				in.Add(1)
			}
		})
	}
	all.Wait()
	if in.Load() != 1 {
		t.Errorf("%d browsers were signed in", in.Load())
	}
}

// An invitation makes one person a member, under a name that nobody else has.
func TestJoin(t *testing.T) {
	t.Parallel()
	w := newHomeWiki(t, "ada")
	ada := w.homeAs("ada")
	invite := func(role string) string {
		body := ada.post(homeOrigin+"/-/invitations", url.Values{"action": {"invite"}, "role": {role}}).want(http.StatusOK).body
		_, link, _ := strings.Cut(body, `<code id="link">`)
		link, _, _ = strings.Cut(link, "<")
		return link
	}
	link := invite("editor")
	if !strings.HasPrefix(link, homeOrigin+"/-/join/") {
		t.Fatalf("link %q", link)
	}
	eve := w.anonymous()
	if got := eve.get(link).want(http.StatusSeeOther); got.header.Get("Referrer-Policy") != "no-referrer" {
		t.Error("the link can leak by a referrer")
	}
	eve.get(homeOrigin+"/-/join").want(http.StatusOK).has("to read and write", "Choose a name")
	eve.post(homeOrigin+"/-/join", url.Values{"name": {"bob"}}).want(http.StatusConflict).has("taken")
	eve.post(homeOrigin+"/-/join", url.Values{"name": {"x"}}).want(http.StatusUnprocessableEntity)
	eve.post(homeOrigin+"/-/join", url.Values{"name": {"Eve"}}).want(http.StatusSeeOther)
	eve.get(homeOrigin + "/Home/edit").want(http.StatusOK)
	eve.get(homeOrigin + "/-/settings").want(http.StatusForbidden)

	mallory := w.anonymous()
	mallory.get(link).want(http.StatusSeeOther)
	mallory.post(homeOrigin+"/-/join", url.Values{"name": {"mallory"}}).want(http.StatusGone)
	members, err := w.Tenant.Members(t.Context(), w.Access("ada", "ada"))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(members, func(m wiki.Member) bool { return m.User.Username == "eve" })
	if i < 0 || !wiki.IsLocalID(members[i].User.DID) || members[i].Role != wiki.Editor {
		t.Fatalf("members %v", members)
	}
	ada.post(homeOrigin+"/-/invitations", url.Values{"action": {"signin"}, "did": {members[i].User.DID}}).want(http.StatusOK).has(homeOrigin + SignInLinkPath)
	ada.get(invite("viewer")).want(http.StatusSeeOther) // their own: it stays unused
	ada.post(homeOrigin+"/-/join", url.Values{}).want(http.StatusConflict)

	if err := w.Tenant.RemoveMember(t.Context(), w.Access("ada", "ada"), testworld.Person("cleo").DID); err != nil { // the limit here is 3
		t.Fatal(err)
	}
	dan := w.homeAs("dan") // an identity that is known joins as itself
	dan.get(invite("viewer")).want(http.StatusSeeOther)
	dan.post(homeOrigin+"/-/join", url.Values{}).want(http.StatusSeeOther)
	dan.get(homeOrigin + "/Home").want(http.StatusOK)
	dan.get(homeOrigin + "/Home/edit").want(http.StatusForbidden)

	links, err := w.Tenant.JoinLinks(t.Context(), w.Access("ada", "ada"))
	if err != nil || len(links) != 1 {
		t.Fatalf("open invitations: %v, %v", links, err)
	}
	ada.get(homeOrigin + "/-/settings").want(http.StatusOK).has("Open, as viewer")
	ada.post(homeOrigin+"/-/invitations", url.Values{"action": {"revoke"}, "id": {links[0].ID}}).want(http.StatusSeeOther)
	ada.post(homeOrigin+"/-/invitations", url.Values{"action": {"revoke"}, "id": {links[0].ID}}).want(http.StatusNotFound)
}

// A service for others has no local accounts.
func TestNoLocalAccounts(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	a := w.Access("ada", "ada")
	if _, err := w.Tenant.NewSignInLink(t.Context(), a, testworld.Person("ada").DID); err == nil {
		t.Error("a sign-in link")
	}
	if _, err := w.Tenant.NewJoinLink(t.Context(), a, wiki.Viewer); err == nil {
		t.Error("an invitation to a wiki")
	}
	if _, err := w.Tenant.Join(t.Context(), wiki.Caller{}, "AAAA", "eve"); err == nil {
		t.Error("joined")
	}
	ada := w.as("ada")
	for _, path := range []string{"/-/login/AAAA", "/-/join", "/-/join/AAAA", "/-/account", "/-/atproto/callback"} {
		ada.get(on("ada", path)).want(http.StatusNotFound)
	}
}

// Where the address allows no passkeys, no page offers them.
func TestNoPasskeys(t *testing.T) {
	t.Parallel()
	w := newHomeWiki(t, "ada")
	ada := w.homeAs("ada")
	ada.get(homeOrigin+"/-/account").want(http.StatusOK).has("Passkeys", "passkey.")
	w.web.o.Passkeys = nil
	ada.get(homeOrigin+"/-/account").want(http.StatusOK).lacks("Passkeys", "passkey.")
	w.anonymous().get(homeOrigin + "/-/login").want(http.StatusOK).lacks("passkey")
	for _, path := range []string{"/-/passkeys", "/-/passkeys/challenge", "/-/login/challenge", "/-/login/passkey"} {
		ada.post(homeOrigin+path, url.Values{"action": {"add"}, "response": {"{}"}}).want(http.StatusNotFound).has("https")
	}
}

// renderHome renders the templates of robot home.
func renderHome(t *testing.T) map[string]bool {
	w := newHomeWiki(t, "ada")
	seen := w.noteTemplates()
	ada, eve := w.homeAs("ada"), w.anonymous()
	ada.get(homeOrigin + "/-/account").want(http.StatusOK)
	eve.get(homeOrigin + "/-/login").want(http.StatusOK)
	eve.get(homeOrigin + "/-/join").want(http.StatusGone)
	return seen
}

// The connect page offers hosted clients only where they can reach the wiki.
func TestConnectAtHome(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]struct{ local, network bool }{
		"http://localhost:8080": {local: true}, "http://127.0.0.1:8080": {local: true}, "http://wiki.localhost": {local: true},
		"http://nas.local:8080": {network: true}, "http://192.168.1.5": {network: true},
		"https://wiki.example.org": {}, "https://ada.robot.wtf": {},
	} {
		l := makeConnectLines("ada", origin)
		if l.Local != want.local || l.Network != want.network {
			t.Errorf("%s: local %t, network %t", origin, l.Local, l.Network)
		}
	}
	w := newHomeWiki(t, "ada")
	w.homeAs("ada").get(homeOrigin+"/-/connect").want(http.StatusOK).
		has("only this machine reaches it", "claude mcp add --transport http --scope user ada "+homeOrigin+"/mcp").lacks("claude.ai", "/etc/hosts")
}

// Signing in with a link leads to the wiki's pages, or the owner of a wiki that nobody has
// written in to its welcome page.
func TestHomeWelcomesOwner(t *testing.T) {
	t.Parallel()
	w := newHomeWiki(t, "ada")
	signIn := func(name string) string {
		b := w.anonymous()
		code, err := w.Tenant.NewSignInLink(t.Context(), w.Access("ada", "ada"), testworld.Person(name).DID)
		if err != nil {
			t.Fatal(err)
		}
		b.get(homeOrigin + SignInLinkPath + code).want(http.StatusSeeOther)
		return b.post(homeOrigin+"/-/login", url.Values{}).want(http.StatusSeeOther).header.Get("Location")
	}
	for name, want := range map[string]string{"ada": "/-/welcome", "bob": "/"} {
		if to := signIn(name); to != want {
			t.Errorf("%s goes to %s", name, to)
		}
	}
	w.put("ada", "Beans", "Words.\n")
	if to := signIn("ada"); to != "/" {
		t.Errorf("once there are pages, ada goes to %s", to)
	}
}
