package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"robot.wtf/internal/oauth"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// TestEveryoneOnEveryEndpoint calls every endpoint for a public, a private
// and a missing wiki, as anonymous visitor, owner and stranger, with cookies
// and with tokens. All get the same answer: nobody's role matters.
func TestEveryoneOnEveryEndpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	cookies := func(name string) (header string) {
		rec := httptest.NewRecorder()
		if err := w.Session.SignIn(t.Context(), rec, httptest.NewRequest("POST", platform+"/auth/dev", nil), testworld.Person(name), false); err != nil {
			t.Fatal(err)
		}
		for _, c := range rec.Result().Cookies() {
			header += c.Name + "=" + c.Value + "; "
		}
		return header
	}
	wikiToken, _, err := w.Session.NewToken(t.Context(), w.access("bob", "bob"), "t", wiki.ModeEdit)
	if err != nil {
		t.Fatal(err)
	}
	callers := map[string]http.Header{
		"nobody":      {},
		"owner":       {"Cookie": {cookies("bob")}},
		"stranger":    {"Cookie": {cookies("dan")}},
		"owner's bot": {"Authorization": {"Bearer " + wikiToken}},
		"a page":      {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
	}
	want := map[string]int{
		"/auth/oauth/token": 400, "/auth/oauth/register": 400, "/auth/oauth/revoke": 400, "/auth/oauth/jwks": 200, "/.well-known/jwks.json": 200,
		"/authorize": 302, "/token": 400, "/register": 400, "/.well-known/oauth-authorization-server": 200, "/.well-known/openid-configuration": 200,
		"/.well-known/oauth-protected-resource": 200, "/.well-known/oauth-protected-resource/mcp": 200,
	}
	tried := 0
	for _, route := range oauth.Routes {
		hosts := map[string]bool{platform: route.Platform, origin("ada"): route.Wiki, origin("bob"): route.Wiki, origin("zoe"): route.Wiki}
		for host, there := range hosts {
			var first string
			for name, header := range callers {
				r := httptest.NewRequest(route.Method, host+route.Path, nil)
				for key, values := range header {
					r.Header[key] = values
				}
				got := w.do(r)
				tried++
				if !there {
					if got.header.Get("Access-Control-Allow-Origin") != "" || got.json != nil {
						t.Errorf("%s %s%s is answered: %d", route.Method, host, route.Path, got.status)
					}
					continue
				}
				if got.status != want[route.Path] {
					t.Errorf("%s as %s: %s%s: %d, want %d: %s", route.Method, name, host, route.Path, got.status, want[route.Path], got.text)
				}
				if got.header.Get("Access-Control-Allow-Origin") != "*" || got.header.Get("Access-Control-Allow-Credentials") != "" || len(got.header["Set-Cookie"]) > 0 {
					t.Errorf("%s%s: headers %v", host, route.Path, got.header)
				}
				if first == "" {
					first = got.text + got.header.Get("Location")
				}
				if got.text+got.header.Get("Location") != first {
					t.Errorf("%s gets another answer from %s%s: %s", name, host, route.Path, got.text)
				}
			}
			if !there {
				continue
			}
			// A browser sends a preflight request first.
			got := w.do(httptest.NewRequest("OPTIONS", host+route.Path, nil))
			if got.status != http.StatusNoContent || !strings.Contains(got.header.Get("Access-Control-Allow-Methods"), route.Method) ||
				!strings.Contains(got.header.Get("Access-Control-Allow-Headers"), "mcp-protocol-version") || got.header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("OPTIONS %s%s: %d %v", host, route.Path, got.status, got.header)
			}
			if got := w.do(httptest.NewRequest("DELETE", host+route.Path, nil)); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") == "" {
				t.Errorf("DELETE %s%s: %d", host, route.Path, got.status)
			}
		}
	}
	// An answer about a wiki depends only on its name.
	for _, path := range []string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server", "/authorize?client_id=x"} {
		texts := map[string]bool{}
		for _, slug := range []string{"ada", "bob", "zoe"} {
			got := w.get(origin(slug) + path)
			texts[strings.ReplaceAll(got.text+got.header.Get("Location"), slug+".robot", "x.robot")+got.header.Get("Cache-Control")] = true
			tried++
		}
		if len(texts) != 1 {
			t.Errorf("%s differs between wikis: %v", path, texts)
		}
	}
	t.Logf("measured: %d answers", tried)
}

// TestMetadata checks what MCP clients read.
func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, path := range []string{"", "/mcp"} {
		got := w.get(origin("bob") + "/.well-known/oauth-protected-resource" + path)
		if got.str("resource") != "https://bob.robot.test/mcp" || !strings.Contains(got.text, `"authorization_servers":["https://robot.test"]`) ||
			!strings.Contains(got.text, `"scopes_supported":["wiki:read","wiki:write"]`) {
			t.Errorf("%s: %s", path, got.text)
		}
	}
	for _, path := range []string{"oauth-authorization-server", "openid-configuration"} {
		got := w.get(platform + "/.well-known/" + path)
		for key, value := range map[string]string{
			"issuer": platform, "authorization_endpoint": platform + "/auth/oauth/authorize", "token_endpoint": platform + "/auth/oauth/token",
			"registration_endpoint": platform + "/auth/oauth/register", "revocation_endpoint": platform + "/auth/oauth/revoke", "jwks_uri": platform + "/auth/oauth/jwks",
		} {
			if got.str(key) != value {
				t.Errorf("%s: %s is %q, want %q", path, key, got.str(key), value)
			}
		}
		for _, part := range []string{
			`"code_challenge_methods_supported":["S256"]`, `"token_endpoint_auth_methods_supported":["none","client_secret_post","client_secret_basic"]`,
			`"client_id_metadata_document_supported":true`, `"authorization_response_iss_parameter_supported":true`, `"response_types_supported":["code"]`,
			`"grant_types_supported":["authorization_code","refresh_token"]`,
		} {
			if !strings.Contains(got.text, part) {
				t.Errorf("%s: no %s in %s", path, part, got.text)
			}
		}
	}
	// Clients of MCP 2025-03-26 look only at the wiki's host and send no
	// resource.
	got := w.get(origin("bob") + "/.well-known/oauth-authorization-server")
	if got.str("issuer") != platform || got.str("authorization_endpoint") != origin("bob")+"/authorize" || got.str("token_endpoint") != origin("bob")+"/token" {
		t.Errorf("on a wiki's host: %s", got.text)
	}
	for asked, want := range map[string]string{
		origin("bob") + "/authorize?client_id=x":                                     platform + "/auth/oauth/authorize?client_id=x&resource=https%3A%2F%2Fbob.robot.test%2Fmcp",
		origin("bob") + "/authorize":                                                 platform + "/auth/oauth/authorize?resource=https%3A%2F%2Fbob.robot.test%2Fmcp",
		origin("bob") + "/authorize?resource=https%3A%2F%2Fada.robot.test&state=%26": platform + "/auth/oauth/authorize?resource=https%3A%2F%2Fada.robot.test&state=%26",
		platform + "/authorize?client_id=x":                                          platform + "/auth/oauth/authorize?client_id=x",
	} {
		if got := w.get(asked).header.Get("Location"); got != want {
			t.Errorf("%s leads to %s, want %s", asked, got, want)
		}
	}
	// The issuer doesn't depend on the request.
	r := httptest.NewRequest("GET", platform+"/.well-known/oauth-authorization-server", nil)
	r.Host = "ROBOT.test:443"
	r.Header.Set("X-Forwarded-Host", "evil.example")
	if got := w.do(r); got.str("issuer") != platform || strings.Contains(got.text, "evil") {
		t.Errorf("%s", got.text)
	}
	for _, slug := range []string{"api", "www", "a", "xn--abc"} { // no wiki can have these names
		if wiki.CheckHost(slug) == nil {
			continue
		}
		if got := w.get(origin(slug) + "/.well-known/oauth-protected-resource"); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", slug, got.status)
		}
	}
	if got := w.get(platform + "/auth/oauth/jwks"); !strings.Contains(got.text, `"kty":"RSA"`) || strings.Contains(got.text, `"d"`) || strings.Contains(got.text, `"p"`) {
		t.Errorf("keys %s", got.text)
	}
}
