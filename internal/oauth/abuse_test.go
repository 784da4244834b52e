package oauth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/oauth"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// An attack runs against the whole server and returns the outcome; want is
// the only acceptable one.
type attack struct {
	family, name, want string
	do                 func(k *kit) string
}

// TestAbuse runs every attack. Each family contains legitimate requests that
// differ from the attacks in one detail, which shows that the attacks fail
// for the stated reason.
func TestAbuse(t *testing.T) {
	t.Parallel()
	tryAbuse(t, newKit(t))
}

// TestAbuseOfDomains runs every attack on wikis with own domains, at these domains.
func TestAbuseOfDomains(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.Connect("ada", "ada.example.org")
	k.Connect("bob", "bob.example.org")
	k.domains = strings.NewReplacer("ada.robot.test", "ada.example.org", "bob.robot.test", "bob.example.org")
	tryAbuse(t, k)
}

func tryAbuse(t *testing.T, k *kit) {
	t.Helper()
	families := map[string]int{}
	seen := map[string]bool{}
	for _, a := range slices.Concat(redirectAttacks(), codeAttacks(), pkceAttacks(), resourceAttacks(), refreshAttacks(), consentAttacks(), documentAttacks(), registrationAttacks(), tokenAttacks(), clientAttacks()) {
		id := a.family + ": " + a.name
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
		families[a.family]++
		if got := a.do(k); got != a.want {
			t.Errorf("%s: %s, want %s", id, got, a.want)
		}
	}
	if len(seen) < 120 {
		t.Errorf("only %d attacks", len(seen))
	}
	t.Logf("measured: %d attacks: %v", len(seen), families)
}

// Redirect URIs that the kit's client registered.
var registered = []string{
	"https://app.example/cb", "https://app.example/cb?x=1", "http://127.0.0.1:33418/", "http://localhost/callback",
	"cursor://anysphere.cursor-mcp/oauth/callback",
}

type kit struct {
	*world
	client  string // public, with the redirect URIs above
	docs    *documentServer
	signing *rsa.PrivateKey
	kid     string
}

func newKit(t *testing.T) *kit {
	docs := newDocumentServer(t)
	k := &kit{world: newWorld(t, docs.client()), docs: docs}
	uris, _ := json.Marshal(registered)
	k.client = k.register(`{"client_name":"Honest","redirect_uris":` + string(uris) + `}`).str("client_id")
	text, err := os.ReadFile(filepath.Join(k.KeyDir(), "signing.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	k.signing = key.(*rsa.PrivateKey)
	_, header := k.claims(k.connected(k.client, "bob", "bob", true).str("access_token"))
	k.kid = header["kid"].(string)
	return k
}

// A visitor is a browser with cookies for the platform's host.
type visitor struct {
	k       *kit
	cookies map[string]string
	header  http.Header
}

func (k *kit) visitor(name string) *visitor {
	k.T.Helper()
	v := &visitor{k: k, cookies: map[string]string{}, header: http.Header{}}
	if name != "" {
		v.post("/auth/dev", url.Values{"username": {name}})
	}
	return v
}

func (v *visitor) do(r *http.Request) answer {
	v.k.T.Helper()
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for name, values := range v.header {
		r.Header[name] = values
	}
	a := v.k.world.do(r)
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		v.cookies[c.Name] = c.Value
	}
	return a
}

func (v *visitor) get(path string) answer {
	v.k.T.Helper()
	return v.do(request("GET", platform+path, "", ""))
}

func (v *visitor) post(path string, form url.Values) answer {
	v.k.T.Helper()
	r := request("POST", platform+path, formType, form.Encode())
	r.Header.Set("Origin", platform)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return v.do(r)
}

// withParams returns a copy of form with the pairs set; "" deletes a parameter.
func withParams(form url.Values, pairs ...string) url.Values {
	changed := maps.Clone(form)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			changed.Del(pairs[i])
		} else {
			changed.Set(pairs[i], pairs[i+1])
		}
	}
	return changed
}

// ask opens an authorization request. The outcome is "asked" if it leads to
// the consent page, "page" if only the person sees an error, and "told x" if
// the client gets error x.
func (v *visitor) ask(q url.Values) string {
	v.k.T.Helper()
	a := v.get(oauth.AuthorizePath + "?" + q.Encode())
	to := a.header.Get("Location")
	switch {
	case a.status >= 400 && to == "":
		return "page"
	case strings.HasPrefix(to, oauth.ConsentPath+"?"):
		return "asked"
	}
	for _, own := range registered {
		rest, ok := strings.CutPrefix(to, own)
		if !ok || !strings.HasPrefix(rest, "?") && !strings.HasPrefix(rest, "&") {
			continue
		}
		values, err := url.ParseQuery(rest[1:])
		if err != nil || values.Get("iss") != platform || values.Get("state") != q.Get("state") || values.Has("code") {
			return "LEAK " + to
		}
		return "told " + values.Get("error")
	}
	return "LEAK to " + to
}

func (k *kit) query() url.Values { return query(k.client, registered[0], "bob") }

// tokenOutcome is the token endpoint's answer: "tokens" or an error code.
func tokenOutcome(a answer) string {
	if a.status == http.StatusOK {
		return "tokens"
	}
	if a.str("access_token")+a.str("refresh_token") != "" {
		return "LEAK " + a.text
	}
	return a.str("error")
}

// apiStatus calls a wiki's API with a token.
func (k *kit) apiStatus(slug, token string) string {
	r := request("GET", origin(slug)+"/api/v1/pages", "", "")
	r.Header.Set("Authorization", "Bearer "+token)
	a := k.world.do(r)
	return http.StatusText(a.status)
}

func redirectAttacks() []attack {
	ask := func(redirect string) func(k *kit) string {
		return func(k *kit) string { return k.visitor("bob").ask(withParams(k.query(), "redirect_uri", redirect)) }
	}
	list := []attack{
		{"redirect", "legitimate", "asked", ask("https://app.example/cb")},
		{"redirect", "another port on this computer", "asked", ask("http://127.0.0.1:50000/")},
		{"redirect", "a port, registered without one", "asked", ask("http://localhost:50000/callback")},
		{"redirect", "an app's scheme", "asked", ask("cursor://anysphere.cursor-mcp/oauth/callback")},
		{"redirect", "none of five", "page", ask("")},
		{"redirect", "twice", "page", func(k *kit) string {
			q := k.query()
			q.Add("redirect_uri", "https://evil.example/cb")
			return k.visitor("bob").ask(q)
		}},
	}
	for name, redirect := range map[string]string{
		"another host": "https://evil.example/cb", "a folder up": "https://app.example/cb/../evil", "a slash more": "https://app.example/cb/",
		"capitals in the path": "https://app.example/CB", "capitals in the host": "https://APP.example/cb", "plain http": "http://app.example/cb",
		"another port": "https://app.example:444/cb", "the usual port": "https://app.example:443/cb", "another query": "https://app.example/cb?x=2",
		"a longer query": "https://app.example/cb?x=1&y=2", "a fragment": "https://app.example/cb#x", "a username": "https://app.example@evil.example/cb",
		"a backslash": `https://evil.example\@app.example/cb`, "an escaped dot": "https://app.example%2eevil.example/cb", "no scheme": "//app.example/cb",
		"a path": "/cb", "line ends": "https://app.example/cb\r\nLocation: https://evil.example", "escaped line ends": "https://app.example/cb%0d%0aX:1",
		"a leading space": " https://app.example/cb", "a tab inside": "https://app.ex\tample/cb", "a longer host": "https://app.example.evil.example/cb",
		"the loopback address as a prefix": "http://127.0.0.1.evil.example:33418/", "this computer, elsewhere": "http://127.0.0.1:33418/other",
		"this computer with a query": "http://127.0.0.1:33418/?x=1", "localhost as a prefix": "http://localhost.evil.example/callback",
		"localhost by https": "https://localhost/callback", "localhost for its number": "http://localhost:33418/", "IPv6 unregistered": "http://[::1]:33418/",
		"all addresses": "http://0.0.0.0:33418/", "short address": "http://127.1:33418/", "address as a number": "http://2130706433:33418/",
		"address in octal": "http://0177.0.0.1:33418/", "a user on this computer": "http://evil@127.0.0.1:33418/", "another path of the app": "cursor://evil/oauth/callback",
		"script": "javascript:alert(1)", "data": "data:text/html,x", "the service itself": platform + "/auth/logout", "a wiki": origin("ada") + "/Home",
		"the single sign-on callback": origin("bob") + "/-/sso",
	} {
		list = append(list, attack{"redirect", name, "page", ask(redirect)})
	}
	return list
}

func codeAttacks() []attack {
	valid := func(k *kit) url.Values {
		return withParams(codeForm(k.client, k.code(k.client, "bob", "bob", true)), "redirect_uri", redirect)
	}
	try := func(pairs ...string) func(k *kit) string {
		return func(k *kit) string { return tokenOutcome(k.token(withParams(valid(k), pairs...))) }
	}
	return []attack{
		{"code", "legitimate", "tokens", try()},
		{"code", "without redirect_uri (OAuth 2.1)", "tokens", try("redirect_uri", "")},
		{"code", "unknown", "invalid_grant", try("code", strings.Repeat("A", 52))},
		{"code", "none", "invalid_grant", try("code", "")},
		{"code", "another redirect of the client", "invalid_grant", try("redirect_uri", "https://app.example/cb")},
		{"code", "another port", "invalid_grant", try("redirect_uri", "http://127.0.0.1:1/")},
		{"code", "a redirect to the attacker", "invalid_grant", try("redirect_uri", "https://evil.example/cb")},
		{"code", "another client", "invalid_grant", func(k *kit) string {
			return tokenOutcome(k.token(withParams(valid(k), "client_id", k.world.client())))
		}},
		{"code", "twice, which ends the grant", "invalid_grant, Unauthorized, invalid_grant", func(k *kit) string {
			form := valid(k)
			first := k.token(form)
			second := k.token(form)
			return tokenOutcome(second) + ", " + k.apiStatus("bob", first.str("access_token")) + ", " + tokenOutcome(k.token(refreshForm(k.client, first.str("refresh_token"))))
		}},
		{"code", "twice, by another client", "invalid_grant, Unauthorized", func(k *kit) string {
			form := valid(k)
			first := k.token(form)
			second := k.token(withParams(form, "client_id", k.world.client()))
			return tokenOutcome(second) + ", " + k.apiStatus("bob", first.str("access_token"))
		}},
		{"code", "with a wrong verifier, which uses it up", "invalid_grant, invalid_grant", func(k *kit) string {
			form := valid(k)
			return tokenOutcome(k.token(withParams(form, "code_verifier", strings.Repeat("x", 43)))) + ", " + tokenOutcome(k.token(form))
		}},
		{"code", "eight at once", "none good", func(k *kit) string {
			form := valid(k)
			var all sync.WaitGroup
			var mu sync.Mutex
			var access []string
			for range 8 {
				all.Go(func() {
					rec := httptest.NewRecorder()
					r := request("POST", platform+"/auth/oauth/token", formType, form.Encode())
					k.front.ServeHTTP(rec, r)
					var out struct{ Access_token string }
					_ = json.Unmarshal(rec.Body.Bytes(), &out)
					mu.Lock()
					defer mu.Unlock()
					if out.Access_token != "" {
						access = append(access, out.Access_token)
					}
				})
			}
			all.Wait()
			if len(access) > 1 {
				return "LEAK: bought twice"
			}
			for _, token := range access {
				if k.apiStatus("bob", token) == "OK" {
					return "LEAK: good"
				}
			}
			return "none good"
		}},
		{"code", "after five minutes", "invalid_grant", func(k *kit) string {
			form := valid(k)
			k.Clock.Add(5 * time.Minute)
			return tokenOutcome(k.token(form))
		}},
		{"code", "swapped for a victim's", "invalid_grant", func(k *kit) string { // the attacker's verifier doesn't match
			return tokenOutcome(k.token(withParams(valid(k), "code_verifier", "another-verifier-of-more-than-forty-three-letters")))
		}},
		{"code", "as a refresh token", "invalid_grant", func(k *kit) string {
			return tokenOutcome(k.token(refreshForm(k.client, k.code(k.client, "bob", "bob", true))))
		}},
		{"code", "replaced by a refresh token", "invalid_grant", func(k *kit) string {
			return tokenOutcome(k.token(codeForm(k.client, k.connected(k.client, "bob", "bob", true).str("refresh_token"))))
		}},
		{"code", "as access token", "Unauthorized", func(k *kit) string { return k.apiStatus("bob", k.code(k.client, "bob", "bob", true)) }},
		{"code", "at another wiki's host", "invalid_target", func(k *kit) string { return tokenOutcome(k.post(origin("ada")+"/token", valid(k))) }},
		{"code", "at its wiki's host", "tokens", func(k *kit) string { return tokenOutcome(k.post(origin("bob")+"/token", valid(k))) }},
		{"code", "sent twice in one form", "invalid_request", func(k *kit) string {
			form := valid(k)
			form.Add("code", "x")
			return tokenOutcome(k.token(form))
		}},
		{"code", "in the query", "invalid_client", func(k *kit) string { return tokenOutcome(k.post(platform+"/auth/oauth/token?"+valid(k).Encode(), nil)) }},
		{"code", "by GET", "invalid_request", func(k *kit) string { return tokenOutcome(k.get(platform + "/auth/oauth/token?" + valid(k).Encode())) }},
		{"code", "as JSON", "invalid_request", func(k *kit) string {
			return tokenOutcome(k.world.do(request("POST", platform+"/auth/oauth/token", "application/json", `{"grant_type":"authorization_code"}`)))
		}},
		{"code", "in a form of 20 KB", "invalid_request", try("x", strings.Repeat("x", 20<<10))},
		{"code", "by password", "unsupported_grant_type", try("grant_type", "password")},
		{"code", "by credentials alone", "unsupported_grant_type", try("grant_type", "client_credentials")},
		{"code", "by no grant type", "invalid_request", try("grant_type", "")},
	}
}

func pkceAttacks() []attack {
	ask := func(pairs ...string) func(k *kit) string {
		return func(k *kit) string { return k.visitor("bob").ask(withParams(k.query(), pairs...)) }
	}
	prove := func(proof string) func(k *kit) string {
		return func(k *kit) string {
			return tokenOutcome(k.token(withParams(codeForm(k.client, k.code(k.client, "bob", "bob", true)), "code_verifier", proof)))
		}
	}
	return []attack{
		{"pkce", "missing", "told invalid_request", ask("code_challenge", "", "code_challenge_method", "")},
		{"pkce", "without a method, which means plain", "told invalid_request", ask("code_challenge_method", "")},
		{"pkce", "plain", "told invalid_request", ask("code_challenge_method", "plain", "code_challenge", verifier)},
		{"pkce", "in lowercase", "told invalid_request", ask("code_challenge_method", "s256")},
		{"pkce", "without a challenge", "told invalid_request", ask("code_challenge", "")},
		{"pkce", "a short challenge", "told invalid_request", ask("code_challenge", challengeOf(verifier)[:42])},
		{"pkce", "a long challenge", "told invalid_request", ask("code_challenge", challengeOf(verifier)+"A")},
		{"pkce", "a padded challenge", "told invalid_request", ask("code_challenge", challengeOf(verifier)+"=")},
		{"pkce", "a challenge that is no base64url", "told invalid_request", ask("code_challenge", strings.Repeat("+", 43))},
		{"pkce", "no proof", "invalid_grant", prove("")},
		{"pkce", "the challenge as proof", "invalid_grant", prove(challengeOf(verifier))},
		{"pkce", "another proof", "invalid_grant", prove(strings.Repeat("a", 64))},
		{"pkce", "a part of the proof", "invalid_grant", prove(verifier[:43])},
		{"pkce", "a proof that is too long", "invalid_grant", prove(verifier + strings.Repeat("a", 100))},
		{"pkce", "another response type", "told unsupported_response_type", ask("response_type", "token")},
		{"pkce", "a hybrid response type", "told unsupported_response_type", ask("response_type", "code id_token")},
		{"pkce", "no response type", "told unsupported_response_type", ask("response_type", "")},
		{"pkce", "an answer in the fragment", "told invalid_request", ask("response_mode", "fragment")},
		{"pkce", "an answer by form", "told invalid_request", ask("response_mode", "form_post")},
		{"pkce", "parameters by reference", "told request_not_supported", ask("request_uri", "https://evil.example/request")},
		{"pkce", "prompt=none", "told interaction_required", ask("prompt", "none")},
		{"pkce", "the state sent twice", "told invalid_request", func(k *kit) string {
			q := k.query()
			q.Add("state", "other")
			return k.visitor("bob").ask(q)
		}},
	}
}

func resourceAttacks() []attack {
	ask := func(resource string) func(k *kit) string {
		return func(k *kit) string { return k.visitor("bob").ask(withParams(k.query(), "resource", resource)) }
	}
	list := []attack{
		{"resource", "missing", "told invalid_target", ask("")},
		{"resource", "the wiki's host as well", "asked", ask(origin("bob"))},
		{"resource", "with a slash as well", "asked", ask(resource("bob") + "/")},
		{"resource", "in capitals as well", "asked", ask("HTTPS://BOB.robot.test/mcp")},
		{"resource", "the same twice", "asked", func(k *kit) string {
			q := k.query()
			q.Add("resource", origin("bob")+"/")
			return k.visitor("bob").ask(q)
		}},
		{"resource", "two wikis", "told invalid_target", func(k *kit) string {
			q := k.query()
			q.Add("resource", resource("ada"))
			return k.visitor("bob").ask(q)
		}},
		{"resource", "another at the exchange", "invalid_target", func(k *kit) string {
			return tokenOutcome(k.token(withParams(codeForm(k.client, k.code(k.client, "bob", "bob", true)), "resource", resource("ada"))))
		}},
		{"resource", "a foreign one at the exchange", "invalid_target", func(k *kit) string {
			return tokenOutcome(k.token(withParams(codeForm(k.client, k.code(k.client, "bob", "bob", true)), "resource", "https://evil.example/mcp")))
		}},
		{"resource", "another at the refresh, which doesn't use it up", "invalid_target, tokens", func(k *kit) string {
			form := refreshForm(k.client, k.connected(k.client, "bob", "bob", true).str("refresh_token"))
			return tokenOutcome(k.token(withParams(form, "resource", resource("ada")))) + ", " + tokenOutcome(k.token(form))
		}},
		{"resource", "a token at its own wiki", "OK", func(k *kit) string {
			return k.apiStatus("bob", k.connected(k.client, "bob", "bob", true).str("access_token"))
		}},
		{"resource", "a token at another wiki of the person", "Unauthorized", func(k *kit) string {
			return k.apiStatus("ada", k.connected(k.client, "bob", "bob", true).str("access_token"))
		}},
		{"resource", "a token at a missing wiki", "Unauthorized", func(k *kit) string {
			return k.apiStatus("zoe", k.connected(k.client, "bob", "bob", true).str("access_token"))
		}},
		{"resource", "a token at the management API", "Unauthorized", func(k *kit) string {
			r := request("GET", platform+"/api/me", "", "")
			r.Header.Set("Authorization", "Bearer "+k.connected(k.client, "bob", "bob", true).str("access_token"))
			return http.StatusText(k.world.do(r).status)
		}},
		{"resource", "a token for a browser page", "Found", func(k *kit) string { // sign in first
			r := request("GET", origin("bob")+"/Home", "", "")
			r.Header.Set("Authorization", "Bearer "+k.connected(k.client, "bob", "bob", true).str("access_token"))
			return http.StatusText(k.world.do(r).status)
		}},
	}
	for name, resource := range map[string]string{
		"the platform": platform, "the platform's MCP": platform + "/mcp", "a foreign host": "https://evil.example/mcp",
		"our host as a prefix": "https://bob.robot.test.evil.example/mcp", "our host as a suffix": "https://bob-robot.test/mcp", "plain http": "http://bob.robot.test/mcp",
		"another port": "https://bob.robot.test:8443/mcp", "a query": resource("bob") + "?x", "a fragment": resource("bob") + "#x", "a user": "https://x@bob.robot.test/mcp",
		"another path": origin("bob") + "/api/v1", "a deeper path": resource("bob") + "/x", "an escaped path": origin("bob") + "/%6dcp", "a reserved name": origin("api") + "/mcp",
		"a subdomain": "https://x.bob.robot.test/mcp", "all wikis": "https://*.robot.test/mcp", "no address": "bob", "no host": "https:///mcp",
	} {
		list = append(list, attack{"resource", name, "told invalid_target", ask(resource)})
	}
	return list
}

func refreshAttacks() []attack {
	refresh := func(k *kit, slug, name string, write bool) (url.Values, answer) {
		tokens := k.connected(k.client, slug, name, write)
		return refreshForm(k.client, tokens.str("refresh_token")), tokens
	}
	after := func(slug, name string, do func(k *kit) error, undo func(k *kit) error) func(k *kit) string {
		return func(k *kit) string {
			form, tokens := refresh(k, slug, name, false)
			for _, step := range []func(*kit) error{do, undo} {
				if step == nil {
					continue
				}
				if err := step(k); err != nil {
					k.T.Fatal(err)
				}
			}
			return tokenOutcome(k.token(form)) + ", " + k.apiStatus(slug, tokens.str("access_token"))
		}
	}
	remove := func(k *kit) error {
		return k.Tenant.RemoveMember(k.T.Context(), k.access("bob", "bob"), testworld.Person("cleo").DID)
	}
	restore := func(k *kit) error {
		return k.Tenant.SetMember(k.T.Context(), k.access("bob", "bob"), testworld.Person("cleo").DID, wiki.Viewer)
	}
	return []attack{
		{"refresh", "by another client, which doesn't use it up", "invalid_grant, tokens", func(k *kit) string {
			form, _ := refresh(k, "bob", "bob", true)
			return tokenOutcome(k.token(withParams(form, "client_id", k.world.client()))) + ", " + tokenOutcome(k.token(form))
		}},
		{"refresh", "unknown", "invalid_grant", func(k *kit) string {
			return tokenOutcome(k.token(refreshForm(k.client, "rwtr_"+strings.Repeat("A", 52))))
		}},
		{"refresh", "none", "invalid_grant", func(k *kit) string { return tokenOutcome(k.token(refreshForm(k.client, ""))) }},
		{"refresh", "replaced by the access token", "invalid_grant", func(k *kit) string {
			_, tokens := refresh(k, "bob", "bob", true)
			return tokenOutcome(k.token(refreshForm(k.client, tokens.str("access_token"))))
		}},
		{"refresh", "as access token", "Unauthorized", func(k *kit) string {
			_, tokens := refresh(k, "bob", "bob", true)
			return k.apiStatus("bob", tokens.str("refresh_token"))
		}},
		{"refresh", "replaced by a wiki token", "invalid_grant", func(k *kit) string {
			secret, _, err := k.Session.NewToken(k.T.Context(), k.access("bob", "bob"), "x", wiki.ModeEdit)
			if err != nil {
				k.T.Fatal(err)
			}
			return tokenOutcome(k.token(refreshForm(k.client, secret)))
		}},
		{"refresh", "never widens", "wiki:read wiki:read", func(k *kit) string {
			form, tokens := refresh(k, "bob", "bob", false)
			return tokens.str("scope") + " " + k.token(withParams(form, "scope", "wiki:read wiki:write admin")).str("scope")
		}},
		{"refresh", "narrows once, not for good", "wiki:read; wiki:read wiki:write", func(k *kit) string {
			form, _ := refresh(k, "bob", "bob", true)
			narrow := k.token(withParams(form, "scope", "wiki:read"))
			return narrow.str("scope") + "; " + k.token(refreshForm(k.client, narrow.str("refresh_token"))).str("scope")
		}},
		{"refresh", "eight at once, within the grace", "8 of 8", func(k *kit) string {
			form, _ := refresh(k, "bob", "bob", true)
			var all sync.WaitGroup
			good := make(chan bool, 8)
			for range 8 {
				all.Go(func() {
					rec := httptest.NewRecorder()
					k.front.ServeHTTP(rec, request("POST", platform+"/auth/oauth/token", formType, form.Encode()))
					if rec.Code == http.StatusOK {
						good <- true
					}
				})
			}
			all.Wait()
			if len(good) == 8 {
				return "8 of 8"
			}
			return "lost a race"
		}},
		{"refresh", "stolen and used after its owner's", "invalid_grant, Unauthorized, invalid_grant", func(k *kit) string {
			form, _ := refresh(k, "bob", "bob", true)
			next := k.token(form)
			k.Clock.Add(31 * time.Minute)
			return tokenOutcome(k.token(form)) + ", " + k.apiStatus("bob", next.str("access_token")) + ", " + tokenOutcome(k.token(refreshForm(k.client, next.str("refresh_token"))))
		}},
		{"refresh", "stolen and used before its owner's", "tokens, invalid_grant, Unauthorized", func(k *kit) string {
			form, _ := refresh(k, "bob", "bob", true)
			thief := k.token(form)
			k.Clock.Add(31 * time.Minute)
			return tokenOutcome(thief) + ", " + tokenOutcome(k.token(form)) + ", " + k.apiStatus("bob", thief.str("access_token"))
		}},
		{"refresh", "after thirty days", "invalid_grant", func(k *kit) string {
			form, _ := refresh(k, "bob", "bob", true)
			k.Clock.Add(30 * 24 * time.Hour)
			return tokenOutcome(k.token(form))
		}},
		{"refresh", "after the membership ended", "invalid_grant, Unauthorized", after("bob", "cleo", remove, restore)},
		{"refresh", "after it was disconnected", "invalid_grant, Unauthorized", after("bob", "bob", func(k *kit) error {
			list, err := k.OAuth.Grants(k.T.Context(), k.access("bob", "bob"))
			if err != nil {
				return err
			}
			return k.OAuth.Revoke(k.T.Context(), k.access("bob", "bob"), list[0].ID)
		}, nil)},
		{"refresh", "after the owner disconnected a member's", "invalid_grant, Unauthorized", after("bob", "cleo", func(k *kit) error {
			list, err := k.OAuth.GrantsOf(k.T.Context(), caller("cleo"))
			if err != nil {
				return err
			}
			return k.OAuth.Revoke(k.T.Context(), k.access("bob", "bob"), list[0].ID)
		}, nil)},
		{"refresh", "a member disconnecting another's", "tokens", func(k *kit) string {
			form, _ := refresh(k, "ada", "bob", true)
			list, err := k.OAuth.GrantsOf(k.T.Context(), caller("bob"))
			if err != nil {
				k.T.Fatal(err)
			}
			if err := k.OAuth.Revoke(k.T.Context(), k.access("ada", "cleo"), list[0].ID); err == nil {
				return "LEAK: revoked"
			}
			if err := k.OAuth.RevokeOwn(k.T.Context(), caller("cleo"), list[0].ID); err == nil {
				return "LEAK: revoked"
			}
			return tokenOutcome(k.token(form))
		}},
		{"refresh", "revoking ends all of it", "OK, Unauthorized, invalid_grant", func(k *kit) string {
			form, tokens := refresh(k, "bob", "bob", true)
			before := k.apiStatus("bob", tokens.str("access_token"))
			k.post(platform+"/auth/oauth/revoke", url.Values{"client_id": {k.client}, "token": {tokens.str("refresh_token")}})
			return before + ", " + k.apiStatus("bob", tokens.str("access_token")) + ", " + tokenOutcome(k.token(form))
		}},
		{"refresh", "revoking by the access token", "invalid_grant", func(k *kit) string {
			form, tokens := refresh(k, "bob", "bob", true)
			k.post(platform+"/auth/oauth/revoke", url.Values{"client_id": {k.client}, "token": {tokens.str("access_token")}, "token_type_hint": {"refresh_token"}})
			return tokenOutcome(k.token(form))
		}},
		{"refresh", "revoking another client's", "tokens", func(k *kit) string {
			form, tokens := refresh(k, "bob", "bob", true)
			k.post(platform+"/auth/oauth/revoke", url.Values{"client_id": {k.world.client()}, "token": {tokens.str("access_token")}})
			return tokenOutcome(k.token(form))
		}},
		{"refresh", "revoking an unknown token", "OK", func(k *kit) string {
			return http.StatusText(k.post(platform+"/auth/oauth/revoke", url.Values{"client_id": {k.client}, "token": {"x"}}).status)
		}},
	}
}

var hidden = regexp.MustCompile(`<input type="hidden" name="(request|person)" value="([^"]*)">`)

// page opens a valid request and returns the consent page and its form.
func (v *visitor) page(slug string, pairs ...string) (answer, url.Values) {
	v.k.T.Helper()
	a := v.get(oauth.AuthorizePath + "?" + withParams(query(v.k.client, registered[0], slug), pairs...).Encode())
	a = v.get(a.header.Get("Location"))
	form := url.Values{"answer": {"allow"}, "scope": {"write"}}
	for _, m := range hidden.FindAllStringSubmatch(a.text, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	return a, form
}

// consentOutcome is the result of answering the consent page.
func consentOutcome(a answer) string {
	to := a.header.Get("Location")
	switch {
	case strings.Contains(to, "code="):
		return "code"
	case strings.HasPrefix(to, registered[0]+"?"):
		u, _ := url.Parse(to)
		return u.Query().Get("error")
	case strings.HasPrefix(to, "/auth/login"):
		return "sign in"
	}
	return http.StatusText(a.status)
}

func consentAttacks() []attack {
	answer := func(who string, change func(v *visitor, form url.Values) url.Values) func(k *kit) string {
		return func(k *kit) string {
			v := k.visitor(who)
			_, form := v.page("bob")
			if change != nil {
				form = change(v, form)
			}
			return consentOutcome(v.post(oauth.ConsentPath, form))
		}
	}
	header := func(name, value string) func(v *visitor, form url.Values) url.Values {
		return func(v *visitor, form url.Values) url.Values {
			v.header.Set(name, value)
			if name == "Origin" {
				v.header.Set("Sec-Fetch-Site", "cross-site")
			}
			return form
		}
	}
	field := func(pairs ...string) func(v *visitor, form url.Values) url.Values {
		return func(_ *visitor, form url.Values) url.Values { return withParams(form, pairs...) }
	}
	elsewhere := func(who string) func(k *kit) string {
		return func(k *kit) string {
			_, form := k.visitor("bob").page("bob")
			return consentOutcome(k.visitor(who).post(oauth.ConsentPath, form))
		}
	}
	return []attack{
		{"consent", "legitimate", "code", answer("bob", nil)},
		{"consent", "denied", "access_denied", answer("bob", field("answer", "deny"))},
		{"consent", "from another site", "Forbidden", answer("bob", header("Origin", "https://evil.example"))},
		{"consent", "from a wiki's host", "Forbidden", answer("bob", header("Origin", origin("ada")))},
		{"consent", "from a sandbox", "Forbidden", answer("bob", header("Origin", "null"))},
		{"consent", "same-site by its headers", "Forbidden", answer("bob", header("Sec-Fetch-Site", "same-site"))},
		{"consent", "by a link", "OK", func(k *kit) string {
			v := k.visitor("bob")
			_, form := v.page("bob")
			return consentOutcome(v.get(oauth.ConsentPath + "?" + form.Encode()))
		}},
		{"consent", "in another browser of the person", "Gone", elsewhere("bob")},
		{"consent", "in the browser of another member", "Gone", elsewhere("cleo")},
		{"consent", "in a browser that nobody is signed in with", "sign in", elsewhere("")},
		{"consent", "shown to another person", "Forbidden", func(k *kit) string {
			v := k.visitor("bob")
			_, form := v.page("bob")
			v.post("/auth/dev", url.Values{"username": {"cleo"}})
			return consentOutcome(v.post(oauth.ConsentPath, withParams(form, "scope", "read")))
		}},
		{"consent", "with another person's DID", "Forbidden", answer("bob", field("person", "did:plc:ada"))},
		{"consent", "no request", "Unprocessable Entity", answer("bob", field("request", ""))},
		{"consent", "an invented request", "Gone", answer("bob", field("request", strings.Repeat("A", 26)))},
		{"consent", "no answer", "Unprocessable Entity", answer("bob", field("answer", ""))},
		{"consent", "another answer", "Unprocessable Entity", answer("bob", field("answer", "always"))},
		{"consent", "no scope", "Unprocessable Entity", answer("bob", field("scope", ""))},
		{"consent", "another scope", "Unprocessable Entity", answer("bob", field("scope", "owner"))},
		{"consent", "twice", "Gone", func(k *kit) string {
			v := k.visitor("bob")
			_, form := v.page("bob")
			v.post(oauth.ConsentPath, form)
			return consentOutcome(v.post(oauth.ConsentPath, form))
		}},
		{"consent", "an hour late", "Gone", func(k *kit) string {
			v := k.visitor("bob")
			_, form := v.page("bob")
			k.Clock.Add(time.Hour)
			return consentOutcome(v.post(oauth.ConsentPath, form))
		}},
		{"consent", "a viewer, write", "Forbidden", answer("cleo", nil)},
		{"consent", "a viewer, read", "code", answer("cleo", field("scope", "read"))},
		{"consent", "a stranger, private wiki", "Forbidden", answer("dan", nil)},
		{"consent", "a stranger, read a public wiki", "Forbidden", func(k *kit) string {
			v := k.visitor("dan")
			_, form := v.page("ada")
			return consentOutcome(v.post(oauth.ConsentPath, withParams(form, "scope", "read")))
		}},
		{"consent", "a missing wiki", "Forbidden", func(k *kit) string {
			v := k.visitor("bob")
			_, form := v.page("zoe")
			return consentOutcome(v.post(oauth.ConsentPath, form))
		}},
		{"consent", "write, for a client that asked for read", "Forbidden", func(k *kit) string {
			v := k.visitor("bob")
			_, form := v.page("bob", "scope", "wiki:read")
			return consentOutcome(v.post(oauth.ConsentPath, form))
		}},
		{"consent", "asked again despite an earlier consent", "OK", func(k *kit) string {
			v := k.visitor("bob")
			_, form := v.page("bob")
			v.post(oauth.ConsentPath, form)
			a, _ := v.page("bob")
			return consentOutcome(a)
		}},
		{"consent", "by an access token", "sign in", func(k *kit) string {
			v := k.visitor("bob")
			_, form := v.page("bob")
			delete(v.cookies, "__Host-session")
			v.header.Set("Authorization", "Bearer "+k.connected(k.client, "bob", "bob", true).str("access_token"))
			return consentOutcome(v.post(oauth.ConsentPath, form))
		}},
		{"consent", "a wiki deleted meanwhile", "Forbidden", func(k *kit) string {
			owner := k.visitor("ada")
			v := k.visitor("bob")
			_, form := v.page("ada")
			if err := k.Tenant.DeleteWiki(k.T.Context(), k.access("ada", "ada"), "ada"); err != nil {
				k.T.Fatal(err)
			}
			got := consentOutcome(v.post(oauth.ConsentPath, form))
			owner.post("/app/restore", url.Values{"slug": {"ada"}})
			return got
		}},
		{"framing", "the page", "'none' DENY", func(k *kit) string {
			a, _ := k.visitor("bob").page("bob")
			_, rest, _ := strings.Cut(a.header.Get("Content-Security-Policy"), "frame-ancestors ")
			return rest + " " + a.header.Get("X-Frame-Options")
		}},
		{"framing", "the sign-in page", "'none'", func(k *kit) string {
			a := k.visitor("").get("/auth/login")
			_, rest, _ := strings.Cut(a.header.Get("Content-Security-Policy"), "frame-ancestors ")
			return rest
		}},
		{"framing", "no inline script", "script-src 'self'", func(k *kit) string {
			a, _ := k.visitor("bob").page("bob")
			if strings.Contains(a.header.Get("Content-Security-Policy"), "unsafe") || regexp.MustCompile(`<script[^>]*>[^<]`).MatchString(a.text) {
				return "LEAK"
			}
			return "script-src 'self'"
		}},
		{"framing", "the form redirects only to the client", "form-action 'self' https://app.example", func(k *kit) string {
			a, _ := k.visitor("bob").page("bob")
			part := regexp.MustCompile(`form-action [^;]*`).FindString(a.header.Get("Content-Security-Policy"))
			return part
		}},
		{"framing", "a form to an app", "form-action 'self' cursor:", func(k *kit) string {
			a, _ := k.visitor("bob").page("bob", "redirect_uri", registered[4])
			return regexp.MustCompile(`form-action [^;]*`).FindString(a.header.Get("Content-Security-Policy"))
		}},
		{"framing", "a name that is markup", "escaped", func(k *kit) string {
			id := k.register(`{"client_name":"<img src=x onerror=alert(1)>\u202e\u0000 \"'","redirect_uris":["https://app.example/cb"]}`).str("client_id")
			a, _ := k.visitor("bob").page("bob", "client_id", id)
			if strings.Contains(a.text, "<img") || strings.Contains(a.text, "\u202e") || !strings.Contains(a.text, "&lt;img") {
				return "LEAK"
			}
			return "escaped"
		}},
		{"framing", "no secrets in the redirect", "nothing", func(k *kit) string {
			v := k.visitor("bob")
			_, form := v.page("bob")
			to := v.post(oauth.ConsentPath, form).header.Get("Location")
			for _, value := range v.cookies {
				if len(value) > 4 && strings.Contains(to, value) || strings.Contains(to, form.Get("request")) {
					return "LEAK " + to
				}
			}
			return "nothing"
		}},
	}
}

func clientAttacks() []attack {
	secret := func(k *kit, method string) (id, secret string) {
		a := k.register(`{"client_name":"Confidential","redirect_uris":["` + redirect + `"],"token_endpoint_auth_method":"` + method + `"}`)
		return a.str("client_id"), a.str("client_secret")
	}
	try := func(method string, change func(k *kit, form url.Values, header http.Header, id, secret string) url.Values) func(k *kit) string {
		return func(k *kit) string {
			id, secret := secret(k, method)
			form := codeForm(id, k.code(id, "bob", "bob", true))
			r := request("POST", platform+"/auth/oauth/token", formType, "")
			form = change(k, form, r.Header, id, secret)
			r2 := request("POST", platform+"/auth/oauth/token", formType, form.Encode())
			maps.Copy(r2.Header, r.Header)
			return tokenOutcome(k.world.do(r2))
		}
	}
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
	}
	return []attack{
		{"client", "with its secret", "tokens", try("client_secret_post", func(_ *kit, f url.Values, _ http.Header, _, s string) url.Values {
			return withParams(f, "client_secret", s)
		})},
		{"client", "with its secret by Basic", "tokens", try("client_secret_basic", func(_ *kit, f url.Values, h http.Header, id, s string) url.Values {
			h.Set("Authorization", basic(id, s))
			return withParams(f, "client_id", "")
		})},
		{"client", "without its secret", "invalid_client", try("client_secret_post", func(_ *kit, f url.Values, _ http.Header, _, _ string) url.Values { return f })},
		{"client", "with a wrong secret", "invalid_client", try("client_secret_post", func(_ *kit, f url.Values, _ http.Header, _, s string) url.Values {
			return withParams(f, "client_secret", s[1:]+"A")
		})},
		{"client", "with another's secret", "invalid_client", try("client_secret_post", func(k *kit, f url.Values, _ http.Header, _, _ string) url.Values {
			_, other := secret(k, "client_secret_post")
			return withParams(f, "client_secret", other)
		})},
		{"client", "with the hash of its secret", "invalid_client", try("client_secret_post", func(k *kit, f url.Values, _ http.Header, id, _ string) url.Values {
			c, err := k.Store.Client(k.T.Context(), id)
			if err != nil {
				k.T.Fatal(err)
			}
			return withParams(f, "client_secret", string(c.Secret))
		})},
		{"client", "twice, by form and Basic", "invalid_client", try("client_secret_post", func(_ *kit, f url.Values, h http.Header, id, s string) url.Values {
			h.Set("Authorization", basic(id, s))
			return withParams(f, "client_secret", s)
		})},
		{"client", "another by Basic than in the form", "invalid_client", try("client_secret_basic", func(k *kit, f url.Values, h http.Header, _, _ string) url.Values {
			id, s := secret(k, "client_secret_basic")
			h.Set("Authorization", basic(id, s))
			return f
		})},
		{"client", "by Bearer", "invalid_client", try("client_secret_basic", func(_ *kit, f url.Values, h http.Header, _, s string) url.Values {
			h.Set("Authorization", "Bearer "+s)
			return f
		})},
		{"client", "public, with a secret", "invalid_client", try("none", func(_ *kit, f url.Values, _ http.Header, _, _ string) url.Values {
			return withParams(f, "client_secret", "x")
		})},
		{"client", "unknown", "invalid_client", try("none", func(_ *kit, f url.Values, _ http.Header, _, _ string) url.Values {
			return withParams(f, "client_id", "nobody")
		})},
		{"client", "none", "invalid_client", try("none", func(_ *kit, f url.Values, _ http.Header, _, _ string) url.Values {
			return withParams(f, "client_id", "")
		})},
		{"client", "a document without consent", "invalid_client", try("none", func(_ *kit, f url.Values, _ http.Header, _, _ string) url.Values {
			return withParams(f, "client_id", "https://client.test/client.json")
		})},
		{"client", "unknown, asking for consent", "page", func(k *kit) string { return k.visitor("bob").ask(withParams(k.query(), "client_id", "nobody")) }},
		{"client", "none, asking for consent", "page", func(k *kit) string { return k.visitor("bob").ask(withParams(k.query(), "client_id", "")) }},
		{"client", "two, asking for consent", "page", func(k *kit) string {
			q := k.query()
			q.Add("client_id", "other")
			return k.visitor("bob").ask(q)
		}},
		{"client", "the secret, only in the first response", "nothing", func(k *kit) string {
			id, s := secret(k, "client_secret_post")
			a := k.token(withParams(codeForm(id, k.code(id, "bob", "bob", true)), "client_secret", s))
			if strings.Contains(a.text, s) {
				return "LEAK"
			}
			return "nothing"
		}},
	}
}

func registrationAttacks() []attack {
	list := []attack{
		{"registration", "legitimate, Cursor", "registered", func(k *kit) string {
			return registrationOutcome(k.register(`{"client_name":"Cursor","application_type":"web","redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback","https://www.cursor.com/agents/mcp/oauth/callback","http://localhost:8787/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none","scope":"openid admin"}`))
		}},
		{"registration", "10,000 from one address", "60 in", func(k *kit) string {
			limits := limit.New(limit.Options{Rates: limit.RatesFor(600, 60), Now: k.Clock.Now})
			k.take = limits.Client
			defer func() { k.take = nil }()
			in := 0
			for range 10_000 {
				a := k.register(`{"redirect_uris":["https://a.example/cb"]}`)
				switch {
				case a.status == http.StatusCreated:
					in++
				case a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "":
					return "LEAK " + a.text
				}
			}
			if in != 60 {
				return "LEAK"
			}
			return "60 in"
		}},
		{"registration", "unused, deleted by the sweep", "only the unused deleted", func(k *kit) string {
			idle := k.world.client()
			kept := k.world.client()
			k.connected(kept, "bob", "bob", true)
			k.Clock.Add(8 * 24 * time.Hour)
			if err := k.OAuth.Sweep(k.T.Context()); err != nil {
				k.T.Fatal(err)
			}
			uris, _ := json.Marshal(registered) // the kit's own may have gone as well
			k.client = k.register(`{"client_name":"Honest","redirect_uris":` + string(uris) + `}`).str("client_id")
			_, idleErr := k.Store.Client(k.T.Context(), idle)
			if _, err := k.Store.Client(k.T.Context(), kept); err != nil || idleErr == nil {
				return "LEAK"
			}
			return "only the unused deleted"
		}},
		{"registration", "a name of 10,000 letters", "60 letters", func(k *kit) string {
			if n := len([]rune(k.register(`{"client_name":"` + strings.Repeat("ü", 5000) + `","redirect_uris":["https://a.example/cb"]}`).str("client_name"))); n != 60 {
				return "LEAK"
			}
			return "60 letters"
		}},
		{"registration", "a trailer in the name", "one line", func(k *kit) string {
			if name := k.register(`{"client_name":"x\n\nGrant: y\r\nAuthor: ada","redirect_uris":["https://a.example/cb"]}`).str("client_name"); name != "x Grant: y Author: ada" {
				return "LEAK " + name
			}
			return "one line"
		}},
		{"registration", "a secret of its own choice", "ours", func(k *kit) string {
			a := k.register(`{"client_id":"ada","client_secret":"mine","redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"client_secret_post"}`)
			if a.str("client_id") == "ada" || a.str("client_secret") == "mine" || len(a.str("client_secret")) < 40 {
				return "LEAK"
			}
			return "ours"
		}},
	}
	for name, body := range map[string]string{
		"no JSON": "x", "a list": "[]", "20 KB": `{"client_name":"` + strings.Repeat("x", 20<<10) + `"}`, "names that are numbers": `{"redirect_uris":[1]}`,
		"the implicit flow": `{"redirect_uris":["https://a.example/"],"grant_types":["implicit"]}`, "tokens at once": `{"redirect_uris":["https://a.example/"],"response_types":["token"]}`,
		"its own keys": `{"redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"private_key_jwt"}`,
	} {
		list = append(list, attack{"registration", name, "invalid_client_metadata", func(k *kit) string { return registrationOutcome(k.register(body)) }})
	}
	for name, redirect := range map[string]string{
		"script": "javascript:alert(1)", "script in capitals": "JaVaScRiPt:alert(1)", "data": "data:text/html,x", "blob": "blob:https://a.example/x", "file": "file:///etc/passwd",
		"the source view": "view-source:https://a.example", "mail": "mailto:a@b.example", "web sockets": "wss://a.example/", "plain http elsewhere": "http://a.example/cb",
		"http to the network": "http://192.168.1.1/cb", "http to all addresses": "http://0.0.0.0/cb", "a fragment": "https://a.example/cb#x", "an empty fragment": "https://a.example/cb#",
		"a user": "https://u:p@a.example/cb", "no host": "https:///cb", "no scheme": "a.example/cb", "an opaque address": "https:a.example", "line ends": "https://a.example/\\r\\nX",
		"a backslash": `https://a.example\\@b.example`, "Cyrillic letters": "https://аpp.example/cb", "our own host": platform + "/x", "our own host, another port": "https://robot.test:444/x",
		"a wiki of ours": origin("ada") + "/Home", "a wiki of ours, in capitals": "https://ADA.ROBOT.TEST/", "a final dot": "https://a.example./cb", "2,000 letters": "https://a.example/" + strings.Repeat("a", 2000),
		"a policy in the host": "https://a;sandbox;b/cb", "two hosts": "https://a.example,b.example/cb", "any host": "https://*/cb", "any subdomain": "https://*.example/cb", "quotes in the host": "https://'unsafe-inline'/cb",
		"IPv6 elsewhere": "https://[2001:db8::1]/cb", "localhost with a user": "http://x@localhost/cb", "nothing": "",
	} {
		list = append(list, attack{"registration", name, "invalid_redirect_uri", func(k *kit) string {
			return registrationOutcome(k.register(`{"redirect_uris":["https://a.example/cb","` + redirect + `"]}`))
		}})
	}
	for name, uris := range map[string]string{"no address": `[]`, "null": `null`, "21 addresses": `["https://a.example/"` + strings.Repeat(`,"https://a.example/"`, 20) + `]`} {
		list = append(list, attack{"registration", name, "invalid_redirect_uri", func(k *kit) string { return registrationOutcome(k.register(`{"redirect_uris":` + uris + `}`)) }})
	}
	return list
}

func registrationOutcome(a answer) string {
	if a.status == http.StatusCreated {
		return "registered"
	}
	if a.str("client_id") != "" {
		return "LEAK " + a.text
	}
	return a.str("error")
}

// claims decodes a token without verifying it.
func (k *kit) claims(token string) (claims, header map[string]any) {
	parts := strings.Split(token, ".")
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			k.T.Fatal(err)
		}
	}
	return claims, header
}

func tokenAttacks() []attack {
	forge := func(alg jose.SignatureAlgorithm, key func(k *kit) any, typ string, edit func(k *kit, c map[string]any)) func(k *kit) string {
		return func(k *kit) string {
			c, _ := k.claims(k.connected(k.client, "bob", "bob", true).str("access_token"))
			if edit != nil {
				edit(k, c)
			}
			options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", k.kid)
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key(k)}, options)
			if err != nil {
				k.T.Fatal(err)
			}
			text, _ := json.Marshal(c)
			signed, err := signer.Sign(text)
			if err != nil {
				k.T.Fatal(err)
			}
			token, _ := signed.CompactSerialize()
			return k.apiStatus("bob", token)
		}
	}
	ours := func(k *kit) any { return k.signing }
	public := func(k *kit) any { return []byte(k.get(platform + "/auth/oauth/jwks").text) }
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	set := func(key string, value any) func(*kit, map[string]any) {
		return func(_ *kit, c map[string]any) { c[key] = value }
	}
	raw := func(change func(parts []string) string) func(k *kit) string {
		return func(k *kit) string {
			return k.apiStatus("bob", change(strings.Split(k.connected(k.client, "bob", "bob", true).str("access_token"), ".")))
		}
	}
	none := func(alg string) func(k *kit) string {
		return raw(func(p []string) string {
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`","typ":"at+jwt"}`)) + "." + p[1] + "."
		})
	}
	return []attack{
		{"token", "like ours", "OK", forge(jose.RS256, ours, "at+jwt", nil)},
		{"token", "without a signature", "Unauthorized", none("none")},
		{"token", "without a signature, in odd case", "Unauthorized", none("nOnE")},
		{"token", "signed with the public keys (HS256)", "Unauthorized", forge(jose.HS256, public, "at+jwt", nil)},
		{"token", "signed with the modulus (HS256)", "Unauthorized", forge(jose.HS256, func(k *kit) any { return k.signing.N.Bytes() }, "at+jwt", nil)},
		{"token", "signed with the public key as PEM (HS256)", "Unauthorized", forge(jose.HS256, func(k *kit) any {
			der, _ := x509.MarshalPKIXPublicKey(&k.signing.PublicKey)
			return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		}, "at+jwt", nil)},
		{"token", "signed by a stranger, with our key's id", "Unauthorized", forge(jose.RS256, func(*kit) any { return stranger }, "at+jwt", nil)},
		{"token", "signed by a stranger, with the key in it", "Unauthorized", func(k *kit) string {
			c, _ := k.claims(k.connected(k.client, "bob", "bob", true).str("access_token"))
			signer, _ := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: stranger}, &jose.SignerOptions{EmbedJWK: true, ExtraHeaders: map[jose.HeaderKey]any{"typ": "at+jwt", "jku": "https://evil.example/jwks"}})
			text, _ := json.Marshal(c)
			signed, _ := signer.Sign(text)
			token, _ := signed.CompactSerialize()
			return k.apiStatus("bob", token)
		}},
		{"token", "another algorithm with our key (PS256)", "Unauthorized", forge(jose.PS256, ours, "at+jwt", nil)},
		{"token", "another hash with our key (RS512)", "Unauthorized", forge(jose.RS512, ours, "at+jwt", nil)},
		{"token", "of type session", "Unauthorized", forge(jose.RS256, ours, "robot-session+jwt", nil)},
		{"token", "of type JWT", "Unauthorized", forge(jose.RS256, ours, "JWT", nil)},
		{"token", "another issuer", "Unauthorized", forge(jose.RS256, ours, "at+jwt", set("iss", "https://evil.example"))},
		{"token", "another audience", "Unauthorized", forge(jose.RS256, ours, "at+jwt", set("aud", resource("ada")))},
		{"token", "several audiences", "Unauthorized", forge(jose.RS256, ours, "at+jwt", set("aud", []string{resource("ada"), resource("bob")}))},
		{"token", "another person", "Unauthorized", forge(jose.RS256, ours, "at+jwt", set("sub", "did:plc:ada"))},
		{"token", "another client", "Unauthorized", forge(jose.RS256, ours, "at+jwt", set("client_id", "other"))},
		{"token", "another grant", "Unauthorized", forge(jose.RS256, ours, "at+jwt", set("sid", "other"))},
		{"token", "another person's grant", "Unauthorized", forge(jose.RS256, ours, "at+jwt", func(k *kit, c map[string]any) {
			other, _ := k.claims(k.connected(k.client, "bob", "cleo", false).str("access_token"))
			c["sid"] = other["sid"]
		})},
		{"token", "expired", "Unauthorized", forge(jose.RS256, ours, "at+jwt", set("exp", 1))},
		{"token", "without an expiry", "Unauthorized", forge(jose.RS256, ours, "at+jwt", func(_ *kit, c map[string]any) { delete(c, "exp") })},
		{"token", "from tomorrow", "Unauthorized", forge(jose.RS256, ours, "at+jwt", func(_ *kit, c map[string]any) { c["iat"] = c["iat"].(float64) + 86400 })},
		{"token", "with a changed payload", "Unauthorized", raw(func(p []string) string {
			return p[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"did:plc:ada"}`)) + "." + p[2]
		})},
		{"token", "with half a signature", "Unauthorized", raw(func(p []string) string { return p[0] + "." + p[1] + "." + p[2][:100] })},
		{"token", "a session's cookie", "Unauthorized", func(k *kit) string { return k.apiStatus("bob", k.visitor("bob").cookies["__Host-session"]) }},
		{"token", "as a session's cookie", "Found", func(k *kit) string { // sign in first
			v := k.visitor("")
			v.cookies["__Host-session"] = k.connected(k.client, "bob", "bob", true).str("access_token")
			return http.StatusText(v.get("/app/").status)
		}},
		{"token", "in the query", "Unauthorized", func(k *kit) string {
			return http.StatusText(k.get(origin("bob") + "/api/v1/pages?access_token=" + k.connected(k.client, "bob", "bob", true).str("access_token")).status)
		}},
		{"token", "read-only, writing", "Forbidden", func(k *kit) string {
			r := request("PUT", origin("bob")+"/api/v1/pages/Home", "application/json", `{"content":"x","message":"x"}`)
			r.Header.Set("Authorization", "Bearer "+k.connected(k.client, "bob", "bob", false).str("access_token"))
			return http.StatusText(k.world.do(r).status)
		}},
		{"token", "of a demoted editor, writing", "Forbidden", func(k *kit) string {
			token := k.connected(k.client, "ada", "bob", true).str("access_token")
			change := func(role wiki.Role) {
				if err := k.Tenant.SetMember(k.T.Context(), k.access("ada", "ada"), testworld.Person("bob").DID, role); err != nil {
					k.T.Fatal(err)
				}
			}
			change(wiki.Viewer)
			defer change(wiki.Editor)
			r := request("PUT", origin("ada")+"/api/v1/pages/Home", "application/json", `{"content":"x","message":"x"}`)
			r.Header.Set("Authorization", "Bearer "+token)
			return http.StatusText(k.world.do(r).status)
		}},
	}
}
