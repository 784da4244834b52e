package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// Attack: send another address in X-Forwarded-For, to use that client's rate
// limits instead of one's own.
func TestClientAddress(t *testing.T) {
	s := New(Options{
		Host:     "robot.localhost",
		Proxies:  []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.0.0.0/8")},
		Platform: func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) },
	})
	s.opts.Log = newTestServer(t.Output(), nil).opts.Log
	for _, tt := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1:5"},
		{"192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1:5"}, // not a trusted proxy
		{"127.0.0.1:5", nil, "127.0.0.1:5"},
		{"127.0.0.1:5", []string{"198.51.100.7"}, "198.51.100.7:0"},
		{"[::1]:5", []string{"2001:db8::1"}, "[2001:db8::1]:0"},
		{"[::ffff:127.0.0.1]:5", []string{"198.51.100.7:4711"}, "198.51.100.7:0"},
		{"127.0.0.1:5", []string{"1.2.3.4, 198.51.100.7"}, "198.51.100.7:0"}, // the client sent the first address
		{"127.0.0.1:5", []string{"1.2.3.4", "198.51.100.7, 10.1.1.1"}, "198.51.100.7:0"},
		{"127.0.0.1:5", []string{"10.2.2.2, 10.1.1.1"}, "10.2.2.2:0"},
		{"127.0.0.1:5", []string{"1.2.3.4, unknown"}, "127.0.0.1:5"},
		{"127.0.0.1:5", []string{"1.2.3.4, nonsense, 10.1.1.1"}, "10.1.1.1:0"},
		{"127.0.0.1:5", []string{""}, "127.0.0.1:5"},
	} {
		r := httptest.NewRequest("GET", "http://robot.localhost/", nil)
		r.RemoteAddr = tt.peer
		r.Header["X-Forwarded-For"] = tt.forwarded
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if got := w.Body.String(); got != tt.want {
			t.Errorf("%s, forwarded for %q: %s, want %s", tt.peer, tt.forwarded, got, tt.want)
		}
	}
}
