package server

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Attack: a link to a wiki whose path starts with an encoded slash,
// "/%2fevil.example/". A front end that redirects to the decoded name without
// its final slash, or to its page, would send the reader to "//evil.example".
func TestEncodedSlashStaysOnHost(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	for _, path := range []string{
		"/%2fevil.example/", "/%2Fevil.example/view", "/%2f%2fevil.example", "/%2f/evil.example", "/%2f", "//%2fevil.example", "/./%2fevil.example",
	} {
		for _, host := range []string{"ada.robot.localhost", "robot.localhost"} {
			w := sendRequest(s, "GET", host, path)
			to := w.Header().Get("Location")
			if w.Code != http.StatusBadRequest && w.Code != http.StatusMovedPermanently || strings.HasPrefix(to, "//") {
				t.Errorf("%s%s: status %d, Location %q", host, path, w.Code, to)
			}
			if w.Code == http.StatusMovedPermanently {
				if w = sendRequest(s, "GET", host, to); w.Code != http.StatusBadRequest {
					t.Errorf("%s%s redirects to %q: status %d, want 400", host, path, to, w.Code)
				}
			}
		}
	}
}

// Attack: a signed-in user is led to open /-/static/app.css?mine. Shared caches
// can store the response. If it carried the renewed session cookie, the attacker
// could get the session from the cache.
func TestSharedResponsesCarryNoSession(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	for path, renewed := range map[string]bool{"/-/static/app.css?mine": false, "/favicon.ico": false, "/Home": true} {
		w := sendRequest(s, "GET", "ada.robot.localhost", path, "Cookie", "a=b", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site")
		if got := w.Header().Get("Set-Cookie") != ""; w.Code != http.StatusOK || got != renewed {
			t.Errorf("%s: status %d, session renewed: %v", path, w.Code, got)
		}
	}
}
