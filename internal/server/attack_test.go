package server

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Attack: a link to a wiki whose path begins with an encoded slash,
// "/%2fevil.example/". A door that redirects to the decoded name without its
// final slash, or to its page, would send the reader to "//evil.example".
func TestEncodedSlashLeadsToNoOtherHost(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	for _, path := range []string{
		"/%2fevil.example/", "/%2Fevil.example/view", "/%2f%2fevil.example", "/%2f/evil.example", "/%2f", "//%2fevil.example", "/./%2fevil.example",
	} {
		for _, host := range []string{"ada.robot.localhost", "robot.localhost"} {
			w := ask(s, "GET", host, path)
			to := w.Header().Get("Location")
			if w.Code != http.StatusBadRequest && w.Code != http.StatusMovedPermanently || strings.HasPrefix(to, "//") {
				t.Errorf("%s%s: %d, to %q", host, path, w.Code, to)
			}
			if w.Code == http.StatusMovedPermanently {
				if w = ask(s, "GET", host, to); w.Code != http.StatusBadRequest {
					t.Errorf("%s%s: %d after %q", host, path, w.Code, to)
				}
			}
		}
	}
}

// Attack: somebody signed in is led to open /-/static/app.css?mine. Its answer
// may be kept by shared caches; with the renewed session's cookie on it, the
// attacker asks the same cache for the same address and has the session.
func TestSharedAnswersCarryNoSession(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	for path, renewed := range map[string]bool{"/-/static/app.css?mine": false, "/favicon.ico": false, "/Home": true} {
		w := ask(s, "GET", "ada.robot.localhost", path, "Cookie", "a=b", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site")
		if got := w.Header().Get("Set-Cookie") != ""; w.Code != http.StatusOK || got != renewed {
			t.Errorf("%s: %d, renewed %v", path, w.Code, got)
		}
	}
}
