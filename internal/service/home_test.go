package service

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/config"
)

// Attack: a stranger makes somebody's own wiki, which limits no reads and writes, ask
// other hosts without end.
func TestHomeLimitsOutgoingRequests(t *testing.T) {
	cfg, err := config.Home(t.Context(), config.HomeFlags{Listen: "127.0.0.1:8080", URL: "https://wiki.test", Data: t.TempDir(), NoSemanticSearch: true, ATProto: true, Test: config.TestFlags{TestDNS: "127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Wiki, cfg.HandleResolver = "ada", ""
	origins, err := cfg.Origins(&net.TCPAddr{Port: 8080})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Options{Config: cfg, Origins: origins, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if _, _, err := s.HomeOwner(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	front, err := s.Handler(nil)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(path, contentType string, body func(i int) string) int {
		t.Helper()
		for i := range 1000 {
			r := httptest.NewRequest(http.MethodPost, origins.Platform()+path, strings.NewReader(body(i)))
			r.Header.Set("Content-Type", contentType)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			w := httptest.NewRecorder()
			front.ServeHTTP(w, r)
			if w.Code == http.StatusTooManyRequests {
				return i
			}
		}
		return 1000
	}
	if n := refused("/-/login/account", "application/x-www-form-urlencoded", func(i int) string { return url.Values{"handle": {fmt.Sprintf("a%d.example.org", i)}}.Encode() }); n > 240 {
		t.Errorf("%d accounts were looked up in a row", n)
	}
	if n := refused("/-/auth/oauth/register", "application/json", func(i int) string {
		return fmt.Sprintf(`{"client_name":"c%d","redirect_uris":["http://localhost/"]}`, i)
	}); n > 120 {
		t.Errorf("%d clients were registered in a row", n)
	}
}
