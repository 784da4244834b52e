package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

func newDomainServer(t *testing.T) *Server {
	t.Helper()
	s := newTestServer(t.Output(), nil)
	s.opts.Secure, s.opts.Proxies = true, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	s.headers["Strict-Transport-Security"] = []string{"max-age=31536000; includeSubDomains"}
	s.opts.Domain = func(_ context.Context, host string) string {
		return map[string]string{"wiki.example.org": "ada", "lost.example.org": "bob"}[host]
	}
	s.opts.Certify = func(_ context.Context, host string) bool { return host == "wiki.example.org" }
	return s
}

func TestOwnDomains(t *testing.T) {
	s := newDomainServer(t)
	for _, tt := range []struct {
		host, path string
		status     int
		body       string
	}{
		{"wiki.example.org", "/Home", 200, "wiki ada /Home"},
		{"WIKI.example.org:443", "/api/v1/pages", 200, "api ada /api/v1/pages"},
		{"lost.example.org", "/", 200, "wiki bob /"},
		{"www.wiki.example.org", "/", 421, ""},
		{"example.org", "/", 421, ""},
	} {
		w := sendRequest(s, "GET", tt.host, tt.path)
		if w.Code != tt.status || tt.body != "" && w.Body.String() != tt.body {
			t.Errorf("%s%s: %d %q", tt.host, tt.path, w.Code, w.Body)
		}
	}
	// The domain's other hosts aren't ours, so nothing is said about them.
	if got := sendRequest(s, "GET", "wiki.example.org", "/").Header().Get("Strict-Transport-Security"); got != "max-age=604800" {
		t.Errorf("at a domain: %q", got)
	}
	if got := sendRequest(s, "GET", "ada.robot.localhost", "/").Header().Get("Strict-Transport-Security"); got != "max-age=31536000; includeSubDomains" {
		t.Errorf("at a subdomain: %q", got)
	}
}

// Only the proxy can ask which hosts get a certificate.
func TestAsk(t *testing.T) {
	s := newDomainServer(t)
	ask := func(peer, host, domain string, forwarded ...string) int {
		r := httptest.NewRequest(http.MethodGet, "/domains/ask?domain="+domain, nil)
		r.Host, r.RemoteAddr = host, peer
		if forwarded != nil {
			r.Header["X-Forwarded-For"] = forwarded
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	for _, tt := range []struct {
		name, peer, host, domain string
		forwarded                []string
		want                     int
	}{
		{"a connected domain", "127.0.0.1:5", "127.0.0.1:8080", "wiki.example.org", nil, 200},
		{"from a trusted proxy", "10.1.2.3:5", "robot:8080", "wiki.example.org", nil, 200},
		{"over IPv6", "[::1]:5", "[::1]:8080", "wiki.example.org", nil, 200},
		{"another host", "127.0.0.1:5", "127.0.0.1:8080", "evil.example.org", nil, 403},
		{"a lost domain", "127.0.0.1:5", "127.0.0.1:8080", "lost.example.org", nil, 403},
		{"no host", "127.0.0.1:5", "127.0.0.1:8080", "", nil, 403},
		{"a stranger", "203.0.113.9:5", "127.0.0.1:8080", "wiki.example.org", nil, 421},
		{"a stranger through the proxy", "127.0.0.1:5", "127.0.0.1:8080", "wiki.example.org", []string{"203.0.113.9"}, 421},
		{"a stranger who claims to be the proxy", "127.0.0.1:5", "127.0.0.1:8080", "wiki.example.org", []string{"127.0.0.1"}, 421},
		{"at a domain", "127.0.0.1:5", "wiki.example.org", "wiki.example.org", nil, 0},
		{"at the platform", "127.0.0.1:5", "robot.localhost", "wiki.example.org", nil, 0},
	} {
		got := ask(tt.peer, tt.host, tt.domain, tt.forwarded...)
		if tt.want == 0 { // left to the front ends
			if r := sendRequest(s, "GET", tt.host, "/domains/ask?domain=wiki.example.org"); r.Body.String() == "yes\n" {
				t.Errorf("%s: answered", tt.name)
			}
			continue
		}
		if got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// A flood of names in handshakes isn't passed on, and ends with its second.
func TestAskIsLimited(t *testing.T) {
	var l askLimit
	now := time.Unix(1e9, 0)
	for i := range asksPerSecond {
		if !l.take(now) {
			t.Fatalf("question %d is refused", i)
		}
	}
	if l.take(now) {
		t.Error("one too many is answered")
	}
	if !l.take(now.Add(time.Second)) {
		t.Error("the next second is refused")
	}
}
