package mcpserver

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/session"
)

// A caller without a token gets a challenge, even on a public wiki. A
// private wiki looks the same as a missing one.
func TestMissingTokenIsChallenged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	for _, test := range []struct {
		token, slug, failure string
	}{
		{"", "ada", ""}, {"", "bob", ""}, {"", "nobody", ""},
		{"wrong", "ada", "invalid_token"}, {"wrong", "nobody", "invalid_token"},
		{"bob/owner", "ada", "invalid_token"}, {"ada/owner", "bob", "invalid_token"},
	} {
		a := w.post(posted{token: test.token, slug: test.slug, body: list})
		challenge := a.Header.Get("WWW-Authenticate")
		if a.StatusCode != http.StatusUnauthorized ||
			!strings.HasPrefix(challenge, `Bearer resource_metadata="http://`+test.slug+`.robot.localhost/.well-known/oauth-protected-resource/mcp", scope="wiki:read wiki:write"`) ||
			strings.Contains(challenge, "error=") != (test.failure != "") || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%+v: %s %s\n%s", test, a.Status, challenge, a.text)
		}
	}
	private, missing := w.post(posted{slug: "bob", body: list}), w.post(posted{slug: "nobody", body: list})
	if private.text != missing.text || private.StatusCode != missing.StatusCode {
		t.Errorf("a private wiki shows:\n%s\n%s", private.text, missing.text)
	}
	if a := w.post(posted{token: "bob/owner", slug: "bob", body: list}); a.StatusCode != 200 {
		t.Errorf("its own: %s %s", a.Status, a.text)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for origin, status := range map[string]int{
		"": 204, "https://claude.ai": 204, "http://localhost:6274": 204, "http://127.0.0.1:6274": 204, "http://[::1]:1": 204,
		"http://ada.robot.localhost": 204, "http://evil.example": 403, "null": 403, "chrome-extension://abcdefgh": 204, "moz-extension://1f2e": 204, "vscode-webview://1a2b": 204, "app://obsidian.md": 204, "evil://host": 403, "https://a.example/path": 403, "file://": 403, "http://localhost.evil.example": 403,
	} {
		a := w.post(posted{method: "OPTIONS", slug: "ada", headers: []string{"Origin", origin, "Access-Control-Request-Method", "POST"}})
		if a.StatusCode != status || a.Header.Get("Access-Control-Allow-Origin") != "*" || status == 204 && !strings.Contains(a.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
			t.Errorf("%q: %s %v", origin, a.Status, a.Header)
		}
	}
	for _, method := range []string{"GET", "DELETE", "PUT"} {
		if a := w.post(posted{method: method, token: "ada/owner", slug: "ada"}); a.StatusCode != 405 || a.Header.Get("Allow") == "" {
			t.Errorf("%s: %s", method, a.Status)
		}
	}
	for _, p := range []posted{
		{path: "/mcp/", token: "ada/owner"}, {token: "ada/owner", headers: []string{"Origin", "null"}},
	} {
		p.slug, p.body = "ada", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
		if a := w.post(p); a.StatusCode != 200 {
			t.Errorf("%+v: %s", p, a.Status)
		}
	}
	if a := w.post(posted{method: "OPTIONS", slug: "ada", headers: []string{"Origin", "null", "Access-Control-Request-Headers", "authorization,content-type"}}); a.StatusCode != 204 {
		t.Errorf("a preflight for a token: %s", a.Status)
	}
	if a := w.post(posted{slug: "ada", headers: []string{"Origin", "null"}}); a.StatusCode != 403 {
		t.Errorf("null without a token: %s", a.Status)
	}
	for _, path := range []string{"/", "/sse", "/sse/", "/messages", "/mcp/sse"} {
		if a := w.post(posted{path: path, token: "ada/owner", slug: "ada", body: `{}`}); a.StatusCode != 404 || !strings.Contains(a.text, "http://ada.robot.localhost/mcp") {
			t.Errorf("%s: %s %s", path, a.Status, a.text)
		}
	}
	if a := w.post(posted{token: "ada/owner", slug: "ada", body: strings.Repeat(" ", maxBody+1)}); a.StatusCode != 413 {
		t.Errorf("too large: %s", a.Status)
	}
}

// A read-only token lists only the reading tools, and gets 403 for the
// others.
func TestReadOnlyTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for token, n := range map[string]int{"ada/owner": 16, "ada/editor": 16, "ada/owner-reads": readers(), "ada/viewer": readers()} {
		a := w.post(posted{token: token, slug: "ada", body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`})
		if len(a.result.Result.Tools) != n || !strings.Contains(a.text, `"cacheScope":"private"`) {
			t.Errorf("%s sees %d tools, want %d", token, len(a.result.Result.Tools), n)
		}
	}
	for i := range tools {
		if tools[i].action == 0 {
			continue
		}
		for _, body := range []string{callBody(7, tools[i].name, "path", "Home"), "[" + callBody(7, tools[i].name, "path", "Home") + "]"} {
			a := w.post(posted{token: "ada/owner-reads", slug: "ada", body: body, headers: []string{"MCP-Protocol-Version", "2025-03-26"}})
			if a.StatusCode != 403 || !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`) || !strings.Contains(a.text, `"id":7`) {
				t.Errorf("%s: %s %s", tools[i].name, a.Status, a.text)
			}
		}
	}
}

func readers() (n int) {
	for i := range tools {
		if tools[i].action == 0 && tools[i].client == "" {
			n++
		}
	}
	return n
}

// Every form of call counts against the rate limits, as in the API.
func TestRateLimits(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Options{Rates: limit.RatesFor(5, 2), Now: time.Now})
	w := newLimitedWorld(t, l)
	edit := func(i int64) answered {
		return w.post(posted{token: "ada/editor", slug: "ada", body: callBody(i, "create_page", "path", "P"+jsonOf(i), "content", "x")})
	}
	if a, b := edit(1), edit(2); a.StatusCode != 200 || b.StatusCode != 200 {
		t.Fatalf("%s %s", a.text, b.text)
	}
	if a := edit(3); a.StatusCode != 429 || a.Header.Get("Retry-After") == "" || a.result.Error == nil || !strings.Contains(a.result.Error.Message, "Too many requests") {
		t.Errorf("%s %s", a.Status, a.text)
	}
	var reads []string
	for i := range 6 {
		reads = append(reads, callBody(int64(4+i), "read_page", "path", "Home"))
	}
	if a := w.post(posted{token: "ada/editor", slug: "ada", headers: []string{"MCP-Protocol-Version", "2025-03-26"}, body: "[" + strings.Join(reads, ",") + "]"}); a.StatusCode != 429 {
		t.Errorf("a batch: %s", a.Status)
	}
	list, err := w.Session.Requests(w.Access("ada", "ada"))
	if err != nil || len(list) == 0 || list[0].Cause != session.TooFast || list[0].Agent != "Claude" || list[0].Status != 429 {
		t.Errorf("noted: %+v %v", list, err)
	}
}
