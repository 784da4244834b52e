package server

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// With a token, the metrics are only for requests that send exactly that token.
func TestMetricsToken(t *testing.T) {
	for sent, want := range map[string]int{"": 401, "Bearer ": 401, "Bearer secre": 401, "Bearer secrets": 401, "Bearer secret": 200} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("Authorization", sent)
		w := httptest.NewRecorder()
		NewMetrics().Handler("secret").ServeHTTP(w, r)
		if w.Code != want || (w.Body.Len() > 200) != (want == 200) {
			t.Errorf("%q: %d, want %d", sent, w.Code, want)
		}
	}
}

// Only uploads for an import, on a wiki's host, can be larger than other bodies.
func TestImportsHaveTheirOwnLimit(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	var read int64
	s.opts.Wiki = func(_ http.ResponseWriter, r *http.Request, _ string) { read, _ = io.Copy(io.Discard, r.Body) }
	s.opts.Platform = func(_ http.ResponseWriter, r *http.Request) { read, _ = io.Copy(io.Discard, r.Body) }
	const size = maxBodyBytes + 100
	for address, want := range map[string]int64{
		"http://ada.robot.localhost" + importPath:        size,
		"http://ada.robot.localhost" + importPath + "/x": maxBodyBytes,
		"http://robot.localhost" + importPath:            maxBodyBytes,
	} {
		read = 0
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, address, bytes.NewReader(make([]byte, size))))
		if read != want {
			t.Errorf("%s: read %d bytes, want %d", address, read, want)
		}
	}
}

// Only messages of MCP clients are taken for lost ones: not forms, nor pages that are
// called like an endpoint.
func TestLostMCPMessages(t *testing.T) {
	for _, c := range []struct {
		method, path, media string
		want                bool
	}{
		{"POST", "/", "application/json", true},
		{"POST", "/messages", "application/json; charset=utf-8", true},
		{"POST", "/", "application/x-www-form-urlencoded", false},
		{"GET", "/sse", "application/json", false},
		{"PUT", "/", "application/json", false},
		{"POST", "/Home", "application/json", false},
	} {
		r := httptest.NewRequest(c.method, "http://ada.robot.localhost"+c.path, nil)
		r.Header.Set("Content-Type", c.media)
		if got := isLostMCP(r); got != c.want {
			t.Errorf("%s %s, %s: %v, want %v", c.method, c.path, c.media, got, c.want)
		}
	}
}
