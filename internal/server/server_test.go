package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/background"
)

// newTestServer returns a server whose front ends report which one was reached
// and with which arguments.
func newTestServer(log io.Writer, check func() error) *Server {
	frontEnd := func(name string) func(http.ResponseWriter, *http.Request, string) {
		return func(w http.ResponseWriter, r *http.Request, slug string) {
			switch r.URL.Path {
			case "/panic":
				panic("a secret")
			case "/waiting-panic":
				background.Start(func() error { return panicking() }).Wait()
			case "/late-panic":
				fmt.Fprint(w, "half")
				panic("late")
			case "/refused":
				http.Error(w, "no", http.StatusForbidden)
				return
			case "/body":
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
					return
				}
			}
			fmt.Fprintf(w, "%s %s %s", name, slug, r.URL.Path)
		}
	}
	if check == nil {
		check = func() error { return nil }
	}
	return New(Options{
		Host:     "robot.localhost",
		Home:     "http://robot.localhost:8080",
		Platform: func(w http.ResponseWriter, r *http.Request) { frontEnd("platform")(w, r, "-") },
		Wiki:     frontEnd("wiki"),
		API:      frontEnd("api"),
		Renew: func(w http.ResponseWriter, _ *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "renewed", Value: "1"})
		},
		Check: func(context.Context) error { return check() },
		Log:   slog.New(slog.NewTextHandler(log, nil)),
	})
}

// sendRequest sends a request without cleaning its path.
func sendRequest(s *Server, method, host, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = host
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestHostRouting(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	tests := []struct {
		host, path string
		status     int
		body       string // exact if a front end answers, otherwise a substring
	}{
		{"robot.localhost", "/", 200, "platform - /"},
		{"robot.localhost:8080", "/app/", 200, "platform - /app/"},
		{"Robot.LOCALHOST:1", "/", 200, "platform - /"},
		{"robot.localhost", "/api/x", 200, "platform - /api/x"},
		{"ada.robot.localhost:8080", "/", 200, "wiki ada /"},
		{"ADA.robot.localhost", "/Home", 200, "wiki ada /Home"},
		{"no-such-wiki.robot.localhost", "/", 200, "wiki no-such-wiki /"},
		{"ada.robot.localhost", "/api", 200, "api ada /api"},
		{"ada.robot.localhost", "/api/v1/pages/A/B", 200, "api ada /api/v1/pages/A/B"},
		{"ada.robot.localhost", "/API/v1", 200, "wiki ada /API/v1"},
		{"ada.robot.localhost", "/apiary", 200, "wiki ada /apiary"},
		{"ada.robot.localhost", "/health", 200, "wiki ada /health"},
		{"help.robot.localhost", "/", 200, "wiki help /"},

		{"admin.robot.localhost", "/", 404, "be one with that name"},
		{"www.robot.localhost", "/", 404, "be one with that name"},
		{"x.robot.localhost", "/", 404, "be one with that name"},
		{"xn--80ak6aa92e.robot.localhost", "/", 404, "be one with that name"},
		{"a.b.robot.localhost", "/", 404, "be one with that name"},
		{".robot.localhost", "/", 404, "be one with that name"},
		{"-a-.robot.localhost", "/", 404, "be one with that name"},
		{"adarobot.localhost", "/", 421, "end in .robot.localhost"},
		{"evil.com", "/", 421, "end in .robot.localhost"},
		{"robot.localhost.evil.com", "/", 421, "end in .robot.localhost"},
		{"127.0.0.1:8080", "/", 421, "end in .robot.localhost"},
		{"[::1]:8080", "/", 421, "end in .robot.localhost"},
		{"", "/", 421, "end in .robot.localhost"},
		{"<script>alert(1)</script>", "/", 421, "&lt;script&gt;"},
		{strings.Repeat("a", 5000), "/", 421, "…"},
	}
	for _, tt := range tests {
		w := sendRequest(s, "GET", tt.host, tt.path)
		got := w.Body.String()
		if w.Code != tt.status || tt.status == 200 && got != tt.body || !strings.Contains(got, tt.body) || len(got) > 2000 {
			t.Errorf("%.60s %s: %d %.200q, want %d %q", tt.host, tt.path, w.Code, got, tt.status, tt.body)
		}
	}
}

func TestRefusalLinksHome(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	for host, want := range map[string]string{
		"evil.com": `href="http://robot.localhost:8080/"`, "admin.robot.localhost": `href="http://robot.localhost:8080/"`,
		"ada.robot.localhost": `href="/"`,
	} {
		if got := sendRequest(s, "GET", host, "/..").Body.String(); !strings.Contains(got, want) {
			t.Errorf("%s: %s", host, got)
		}
	}
}

func TestForwardedHostIsIgnored(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	w := sendRequest(s, "GET", "ada.robot.localhost", "/", "X-Forwarded-Host", "bob.robot.localhost", "Forwarded", "host=bob.robot.localhost")
	if got := w.Body.String(); got != "wiki ada /" {
		t.Errorf("reached %q", got)
	}
}

// Attack: leave a wiki, or bypass a mux, with a path that changes its meaning
// when it is decoded once more.
func TestPathTraversal(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	for _, path := range []string{
		"/..", "/../x", "/a/../b", "/a/..", "/%2e%2e/x", "/%2E%2e", "/.%2e/x", "/%2e./x",
		"/a%2f..%2fb", "/..%2f", "/%2e%2e%2f", "/%252e%252e/x", "/%252e./x", "/..%252f", "/%25252e%25252e/",
		"/a%5cb", `/a%5C..`, "/%255c", "/a%00", "/%00", "/%2500", "/a%0ab", "/a%0d%0aSet-Cookie:x", "/%1f", "/%7f", "/%2507",
		"/%ff", "/%c0%ae%c0%ae/", "/a%ed%a0%80",
	} {
		for _, prefix := range []string{"", "/api/v1/pages"} {
			w := sendRequest(s, "GET", "ada.robot.localhost", prefix+path)
			if w.Code != 400 {
				t.Errorf("%s: %d %q", prefix+path, w.Code, w.Body)
			}
			if prefix != "" {
				var p struct {
					Status       int
					Detail, Type string
				}
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != 400 || p.Detail == "" || w.Header().Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s: problem %q, %v", prefix+path, w.Body, err)
				}
			} else if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
				t.Errorf("%s: the response isn't a page", path)
			}
		}
	}
	for path, want := range map[string]string{
		"/a%2fb":               "wiki ada /a/b",
		"/.well-known/x":       "wiki ada /.well-known/x",
		"/a./b..c/...":         "wiki ada /a./b..c/...",
		"/50%25":               "wiki ada /50%",
		"/50%25%20off":         "wiki ada /50% off",
		"/%C3%BCber":           "wiki ada /über",
		"/a%3Fb":               "wiki ada /a?b",
		"/Design/":             "wiki ada /Design/",
		"/Design?x=../..":      "wiki ada /Design",
		"/%E2%80%A6":           "wiki ada /…",
		"/what%27s..%20next..": "wiki ada /what's.. next..",
	} {
		if w := sendRequest(s, "GET", "ada.robot.localhost", path); w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d %q, want %q", path, w.Code, w.Body, want)
		}
	}
}

func TestEmptySegmentsAreRemoved(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	for path, want := range map[string]string{
		"//":               "/",
		"//evil.com":       "/evil.com",
		"//evil.com//":     "/evil.com/",
		"///evil.com/%2e":  "/evil.com/%2e",
		"/a//b":            "/a/b",
		"/a//b?x=1&y=//":   "/a/b?x=1&y=//",
		"/a/./b":           "/a/b",
		"/a%3Fb//c%20d/":   "/a%3Fb/c%20d/",
		"/./":              "/",
		"/./.well-known/x": "/.well-known/x",
	} {
		w := sendRequest(s, "GET", "ada.robot.localhost", path)
		if got := w.Header().Get("Location"); w.Code != 301 || got != want {
			t.Errorf("%s: %d to %q, want %q", path, w.Code, got, want)
		}
		for _, c := range []struct{ method, path string }{{"POST", path}, {"GET", "/api/v1/pages" + path}} {
			if strings.Contains(c.path, "?") {
				continue
			}
			if w := sendRequest(s, c.method, "ada.robot.localhost", c.path); w.Code != 400 {
				t.Errorf("%s %s: %d", c.method, c.path, w.Code)
			}
		}
	}
}

// Attack: a page of another site or another tenant submits a form here with the
// user's cookies.
func TestCrossOriginForms(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	for _, tt := range []struct {
		method, host, path string
		header             []string
		status             int
	}{
		{"POST", "ada.robot.localhost", "/Home/save", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"POST", "ada.robot.localhost", "/Home/save", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"POST", "ada.robot.localhost", "/Home/save", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"POST", "ada.robot.localhost", "/Home/save", []string{"Origin", "http://bob.robot.localhost"}, 403},
		{"POST", "ada.robot.localhost", "/Home/save", []string{"Origin", "null"}, 403},
		{"POST", "ada.robot.localhost", "/Home/save", []string{"Origin", "http://ada.robot.localhost"}, 200},
		{"POST", "ada.robot.localhost", "/Home/save", nil, 200}, // not a browser
		{"DELETE", "ada.robot.localhost", "/Home", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"POST", "robot.localhost", "/auth/logout", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"GET", "ada.robot.localhost", "/Home", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{"PUT", "ada.robot.localhost", "/api/v1/pages/Home", []string{"Sec-Fetch-Site", "cross-site"}, 200}, // reads no cookies
	} {
		if w := sendRequest(s, tt.method, tt.host, tt.path, tt.header...); w.Code != tt.status {
			t.Errorf("%s %s%s %v: %d, want %d", tt.method, tt.host, tt.path, tt.header, w.Code, tt.status)
		}
	}
}

func panicking() error { panic("elsewhere") }

// A panic in a goroutine that a request waits for is that request's error, logged
// with the stack of that goroutine.
func TestPanicInGoroutineBecomes500(t *testing.T) {
	var log bytes.Buffer
	s := newTestServer(&log, nil)
	s.opts.Metrics = NewMetrics()
	if w := sendRequest(s, "GET", "ada.robot.localhost", "/waiting-panic"); w.Code != 500 || strings.Contains(w.Body.String(), "elsewhere") {
		t.Errorf("status %d, body %q", w.Code, w.Body)
	}
	for _, want := range []string{"cause=elsewhere", "server.panicking"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, &log)
		}
	}
	scraped := httptest.NewRecorder()
	s.opts.Metrics.Gauge("robot_test_broken", "Panics.", func() (float64, bool) { panic("gauge") })
	s.opts.Metrics.Gauge("robot_test_whole", "Doesn't.", func() (float64, bool) { return 7, true })
	s.opts.Metrics.Handler("").ServeHTTP(scraped, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`robot_panics_total{work="request"} 1`, "robot_test_whole 7"} {
		if !strings.Contains(scraped.Body.String(), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

func TestPanicBecomes500(t *testing.T) {
	var log bytes.Buffer
	s := newTestServer(&log, nil)
	w := sendRequest(s, "GET", "ada.robot.localhost", "/panic", "Sec-Fetch-Mode", "navigate", "Cookie", "a=b")
	id := w.Header().Get("X-Request-Id")
	if w.Code != 500 || !strings.Contains(w.Body.String(), id) || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("status %d, body %q", w.Code, w.Body)
	}
	if w.Header().Get("Set-Cookie") != "" {
		t.Error("the error response sets a cookie")
	}
	for _, word := range []string{"a secret", "id=" + id, "server_test.go"} {
		if !strings.Contains(log.String(), word) {
			t.Errorf("the log doesn't contain %q: %s", word, log.String())
		}
	}
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("a panic after the response started: recovered %v, want http.ErrAbortHandler", cause)
		}
	}()
	sendRequest(s, "GET", "ada.robot.localhost", "/late-panic")
}

func TestHeaders(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	ids := map[string]bool{}
	for _, target := range []string{"/", "/panic", "/..", "//", "/api/v1", "/health"} {
		w := sendRequest(s, "GET", "robot.localhost", target)
		ids[w.Header().Get("X-Request-Id")] = true
		for name, want := range s.headers {
			if got := w.Header().Get(name); got != want[0] {
				t.Errorf("%s: %s is %q", target, name, got)
			}
		}
	}
	if len(ids) != 6 || ids[""] {
		t.Errorf("request ids: %v", ids)
	}
	if sendRequest(s, "GET", "robot.localhost", "/").Header().Get("Strict-Transport-Security") != "" {
		t.Error("HSTS over plain http")
	}
	if New(Options{Secure: true}).headers.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS over https")
	}
}

func TestSessionRenewal(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	for _, tt := range []struct {
		name, method, path string
		header             []string
		want               bool
	}{
		{"a page", "GET", "/Home", []string{"Cookie", "a=b", "Sec-Fetch-Mode", "navigate"}, true},
		{"a part of a page", "GET", "/-/static/app.css", []string{"Cookie", "a=b", "Sec-Fetch-Mode", "no-cors"}, false},
		{"a page without cookies", "GET", "/Home", []string{"Sec-Fetch-Mode", "navigate"}, false},
		{"the API", "GET", "/api/v1/pages", []string{"Cookie", "a=b", "Sec-Fetch-Mode", "navigate"}, false},
	} {
		w := sendRequest(s, tt.method, "ada.robot.localhost", tt.path, tt.header...)
		if got := w.Header().Get("Set-Cookie") != ""; got != tt.want {
			t.Errorf("%s: cookie set: %v", tt.name, got)
		}
	}
}

func TestHealth(t *testing.T) {
	var broken error
	s := newTestServer(io.Discard, func() error { return broken })
	codes := func() (codes []int) {
		for _, host := range []string{"robot.localhost", "127.0.0.1:80"} {
			for _, path := range []string{"/health", "/ready"} {
				codes = append(codes, sendRequest(s, "GET", host, path).Code)
			}
		}
		return codes
	}
	expect := func(when string, want ...int) {
		t.Helper()
		if got := codes(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	expect("working", 200, 200, 200, 200)
	broken = errors.New("no database")
	expect("failing", 503, 503, 503, 503)
	broken = nil
	s.draining.Store(true)
	expect("stopping", 200, 503, 200, 503)
}

func TestBodyLimit(t *testing.T) {
	s := newTestServer(io.Discard, nil)
	for size, want := range map[int]int{maxBodyBytes: 200, maxBodyBytes + 1: 413} {
		r := httptest.NewRequest("POST", "http://ada.robot.localhost/body", bytes.NewReader(make([]byte, size)))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%d bytes: %d, want %d", size, w.Code, want)
		}
	}
}

// Headers of more than 32 KB are refused before anything else reads them. Go's server
// adds 4 KB to the limit.
func TestHeaderLimit(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- newTestServer(io.Discard, nil).Serve(ctx, listener) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for size, want := range map[int]int{30 << 10: http.StatusOK, 40 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+listener.Addr().String()+"/body", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "ada.robot.localhost"
		r.Header.Set("X-Long", strings.Repeat("x", size))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%d bytes of headers: %s, want %d", size, answer.Status, want)
		}
	}
}

// A client that is refused while it is still sending can read the refusal, even
// if the connection closes after the response, as it does behind a proxy.
func TestClientReadsRefusalOfLongBody(t *testing.T) {
	web := httptest.NewServer(newTestServer(io.Discard, nil))
	defer web.Close()
	for path, want := range map[string]int{"/body": http.StatusRequestEntityTooLarge, "/refused": http.StatusForbidden} {
		conn, err := net.Dial("tcp", web.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		const size = maxBodyBytes + 64<<20 // more than the buffers of a connection hold
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: ada.robot.localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", path, size)
		sent := make(chan error, 1)
		go func() {
			_, err := conn.Write(make([]byte, size))
			sent <- err
		}()
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if answer.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, answer.Status, want)
		}
		select {
		case err := <-sent:
			t.Errorf("%s: the connection was closed with the response: %v", path, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Shutdown waits for a running request.
func TestDrain(t *testing.T) {
	entered, finish := make(chan bool), make(chan bool)
	s := newTestServer(io.Discard, nil)
	s.opts.Wiki = func(w http.ResponseWriter, _ *http.Request, _ string) {
		entered <- true
		<-finish
		fmt.Fprint(w, "done")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /Slow HTTP/1.1\r\nHost: ada.robot.localhost\r\n\r\n")
	<-entered
	stop()
	select {
	case err := <-ended:
		t.Fatalf("stopped during a request: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("response %v, err %v", answer, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// The overhead per request, without a front end.
func BenchmarkServer(b *testing.B) {
	s := newTestServer(io.Discard, nil)
	s.opts.Wiki = func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusOK) }
	r := httptest.NewRequest("GET", "http://ada.robot.localhost/Design/VPS_Architecture", nil)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(w, r)
	}
}

// With a single wiki, its host has no platform, and other hosts have nothing.
func TestSingleWiki(t *testing.T) {
	o := newTestServer(io.Discard, nil).opts
	o.Host, o.Home, o.Single, o.PlainHTTP = "nas.local", "http://nas.local:8080", "ada", true
	o.Manage = func(http.ResponseWriter, *http.Request) { t.Error("the management API was called") }
	s := New(o)
	for _, tt := range []struct {
		host, path string
		status     int
		body       string
	}{
		{"nas.local:8080", "/", 200, "wiki ada /"},
		{"NAS.local", "/app/account", 200, "wiki ada /app/account"},
		{"nas.local", "/api/v1/pages", 200, "api ada /api/v1/pages"},
		{"nas.local", "/api/v1/account", 200, "api ada /api/v1/account"},
		{"ada.nas.local", "/", 421, "The address of this wiki is http://nas.local:8080/"},
		{"evil.example", "/", 421, "The address of this wiki is http://nas.local:8080/"},
		{"127.0.0.1:8080", "/health", 200, "ok"},
	} {
		w := sendRequest(s, "GET", tt.host, tt.path)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("%s%s: %d %s", tt.host, tt.path, w.Code, w.Body)
		}
	}
	// Browsers send no Sec-Fetch-Mode to http addresses.
	for accept, want := range map[string]bool{"text/html,*/*;q=0.8": true, "image/avif,*/*;q=0.8": false} {
		w := sendRequest(s, "GET", "nas.local", "/Home", "Cookie", "a=b", "Accept", accept)
		if got := w.Header().Get("Set-Cookie") != ""; got != want {
			t.Errorf("Accept: %s: cookie set: %v", accept, got)
		}
	}
}

// Servers of accounts send browsers to the loopback address, because the protocol allows
// no names for local clients. Nothing else is redirected from there.
func TestLoopbackCallback(t *testing.T) {
	t.Parallel()
	s := newTestServer(io.Discard, nil)
	s.opts.Single, s.opts.Home, s.opts.Callback = "ada", "http://robot.localhost", "/-/atproto/callback"
	callback := "/-/atproto/callback?code=c&state=s"
	rec := sendRequest(s, "GET", "127.0.0.1:8080", callback)
	if to := rec.Header().Get("Location"); rec.Code != http.StatusSeeOther || to != "http://robot.localhost"+callback {
		t.Errorf("%d to %q", rec.Code, to)
	}
	for _, r := range [][3]string{{"POST", "127.0.0.1:8080", callback}, {"GET", "127.0.0.1:8080", "/Home"}, {"GET", "127.0.0.2", callback}, {"GET", "evil.test", callback}} {
		if rec := sendRequest(s, r[0], r[1], r[2]); rec.Code != http.StatusMisdirectedRequest {
			t.Errorf("%v: %d", r, rec.Code)
		}
	}
	s.opts.Callback = ""
	if rec := sendRequest(s, "GET", "127.0.0.1:8080", callback); rec.Code != http.StatusMisdirectedRequest {
		t.Errorf("without a callback: %d", rec.Code)
	}
}
