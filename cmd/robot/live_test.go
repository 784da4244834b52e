package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"robot.wtf/internal/config"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/server"
	"robot.wtf/internal/service"
)

// A live service is a seeded development service with all front ends, called without
// a network, and its log.
type live struct {
	*service.Service
	t     *testing.T
	dir   string
	front *server.Server
	log   *lockedBuffer
	facts devFile

	origins  config.Origins
	clock    *clock
	semantic bool // whether it loads the model
	outgoing outbound.Options
}

// lockedBuffer is a log that can be read while it is being written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// startLive starts a service that searches by words only.
func startLive(t *testing.T) *live {
	t.Helper()
	return startLiveIn(t, t.TempDir(), false)
}

// startSemantic starts a service that also searches by meaning.
func startSemantic(t *testing.T) *live {
	t.Helper()
	return startLiveIn(t, t.TempDir(), true)
}

func startLiveIn(t *testing.T, dir string, semantic bool) *live {
	t.Helper()
	l := &live{t: t, dir: dir, log: &lockedBuffer{}, semantic: semantic}
	l.must(copySeeded(dir))
	l.open()
	var err error
	l.facts, err = writeDevFile(t.Context(), l.Service, l.origins, l.dir, false, 0)
	l.must(err)
	return l
}

func (l *live) open() *clock {
	l.t.Helper()
	l.must(l.tryOpen())
	return l.clock
}

func (l *live) tryOpen() error {
	l.t.Helper()
	cfg, err := config.Dev("127.0.0.1:0", l.dir, 0)
	l.must(err)
	cfg.NoSemanticSearch = !l.semantic
	cfg.Test.Pins, cfg.Test.CA, cfg.Test.DNS = l.outgoing.Pins, l.outgoing.CA, l.outgoing.DNS
	l.origins, err = cfg.Origins(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80})
	l.must(err)
	log := slog.New(slog.NewJSONHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	clock := &clock{}
	l.clock = clock
	l.Service, err = service.Open(l.t.Context(), service.Options{Config: cfg, Origins: l.origins, People: seededPeople{}, Now: clock.Now, Log: log})
	if err != nil {
		return err
	}
	s := l.Service
	l.t.Cleanup(func() { _ = s.Close() })
	l.front, err = l.Handler(people())
	return err
}

// restart closes the service and opens it on the same directory. Sessions stay
// valid.
func (l *live) restart() {
	l.t.Helper()
	_ = l.Service.Close()
	l.open()
}

func (l *live) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// token returns a wiki's token for a role.
func (l *live) token(slug, role string) string {
	l.t.Helper()
	for _, w := range l.facts.Wikis {
		for _, t := range w.Tokens.list() {
			if w.Slug == slug && t.role == role {
				return t.secret
			}
		}
	}
	l.t.Fatalf("no token of %s's %s", slug, role)
	return ""
}

// A browser keeps cookies by host and doesn't follow redirects.
type browser struct {
	l       *live
	cookies map[string]map[string]string
}

func (l *live) browser() *browser { return &browser{l, map[string]map[string]string{}} }

// signIn signs a seeded person in, on the platform and on a wiki's host.
func (l *live) signIn(username, slug string) *browser {
	l.t.Helper()
	b := l.browser()
	host := config.DevHost
	if w := b.post(host, "/auth/dev", url.Values{"username": {username}}); w.Code != http.StatusSeeOther && w.Code != http.StatusFound {
		l.t.Fatalf("sign in as %s: %d %s", username, w.Code, w.Body)
	}
	address := "http://" + slug + "." + host + "/-/login?return_to=/"
	for range 6 {
		u, err := url.Parse(address)
		l.must(err)
		if u.Host == "" {
			u.Host = slug + "." + host
		}
		w := b.get(u.Host, u.RequestURI())
		if address = w.Header().Get("Location"); address == "" || address == "/" {
			return b
		}
	}
	l.t.Fatal("too many redirects when signing in to a wiki")
	return nil
}

func (b *browser) get(host, path string) *httptest.ResponseRecorder {
	return b.do(httptest.NewRequest(http.MethodGet, "http://"+host+path, nil))
}

func (b *browser) post(host, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://"+host+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}

func (b *browser) do(r *http.Request) *httptest.ResponseRecorder {
	for name, value := range b.cookies[r.Host] {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		r.Header.Set("Sec-Fetch-Mode", "navigate")
	}
	w := httptest.NewRecorder()
	b.l.front.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.cookies[r.Host] == nil {
			b.cookies[r.Host] = map[string]string{}
		}
		b.cookies[r.Host][c.Name] = c.Value
	}
	return w
}

// api sends a JSON request with a token.
func (l *live) api(method, slug, path, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://"+slug+"."+config.DevHost+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	l.front.ServeHTTP(w, r)
	return w
}

// The log contains no user content and no secrets, whatever users do and however it
// fails.
func TestLogContainsNoTextOrSecrets(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	const planted = "zebrafinch" // part of everything that is sent
	token := l.token("ada", "owner")
	b := l.signIn("ada", "ada")
	host := "ada." + config.DevHost
	statuses := map[int]int{}
	note := func(w *httptest.ResponseRecorder) { statuses[w.Code]++ }
	text := url.Values{"content": {planted}, "text": {planted}, "message": {planted}, "base": {planted}, "revision": {planted}, "title": {planted},
		"to": {planted + "/.."}, "name": {planted}, "q": {planted}, "query": {planted}, "confirm": {planted}, "handle": {planted}}
	for _, path := range []string{"/Home/save", "/Home/preview", "/Home/draft", "/Home/edit", "/Home/rename", "/Home/delete", "/-/create", "/-/settings", "/-/search",
		"/-/upload", "/Home/attachments", "/-/revert/" + strings.Repeat("a", 40), "/-/members", "/-/tokens", "/-/report"} {
		note(b.post(host, path, text))
		note(l.browser().post(host, path, text))
	}
	for _, path := range []string{"/" + planted, "/Home?x=" + planted, "/-/search?q=" + planted, "/" + planted + "/edit", "/..%2f" + planted, "/-/commit/" + planted,
		"/-/sso?code=" + planted, "/auth/sso?slug=" + planted, "/-/suggest?q=" + planted} {
		note(b.get(host, path))
		note(b.get(config.DevHost, path))
		note(l.browser().get("bob."+config.DevHost, path))
	}
	for _, auth := range []string{token, "rwtf_" + planted, planted, "rwtp_" + planted} {
		note(l.api("PUT", "ada", "/api/v1/pages/Planted", auth, `{"content":"`+planted+`","message":"`+planted+`"}`))
		note(l.api("PATCH", "ada", "/api/v1/pages/Planted", auth, `{"old":"`+planted+`","new":"`+planted+`2","revision":"`+planted+`"}`))
		note(l.api("PUT", "ada", "/api/v1/pages/Planted", auth, `{`+planted))
		note(l.api("GET", "ada", "/api/v1/search?q="+planted, auth, ""))
		note(l.api("POST", "ada", "/mcp", auth, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_page","arguments":{"path":"`+planted+`"}}}`))
		note(l.api("POST", "ada", "/repo.git/git-upload-pack", auth, planted))
		note(l.api("POST", "ada", "/token", auth, "grant_type=authorization_code&code="+planted))
	}
	note(b.post(config.DevHost, "/auth/dev", url.Values{"username": {planted}}))

	// A failing database is a fault of the service: the log has the full error.
	l.must(l.Service.Store.Close())
	note(l.browser().get("cleo."+config.DevHost, "/Home"))
	note(l.api("GET", "dan", "/api/v1/pages", token, ""))

	log := l.log.String()
	if statuses[http.StatusInternalServerError] == 0 || statuses[http.StatusNotFound] == 0 || statuses[http.StatusUnauthorized] == 0 {
		t.Errorf("the run didn't see all kinds of responses: %v", statuses)
	}
	secrets := []string{planted, token}
	for _, cookies := range b.cookies {
		for name, value := range cookies {
			if len(value) > 8 && name != "signed_in" {
				secrets = append(secrets, value)
			}
		}
	}
	for _, secret := range secrets {
		for line := range strings.Lines(log) {
			if strings.Contains(strings.ToLower(line), strings.ToLower(secret)) {
				t.Errorf("the log contains %.12q…: %s", secret, line)
			}
		}
	}
	failed := 0
	for line := range strings.Lines(log) {
		var entry struct {
			Level, Msg, ID, Host, Route, Cause string
			Status                             int
		}
		l.must(json.Unmarshal([]byte(line), &entry))
		if entry.Msg != "request" {
			continue
		}
		if entry.ID == "" || entry.Host == "" || entry.Route == "" || entry.Status == 0 {
			t.Errorf("a request's line is incomplete: %s", line)
		}
		if entry.Status == http.StatusInternalServerError {
			failed++
			if entry.Level != "ERROR" || entry.Cause == "" {
				t.Errorf("a failure without a cause: %s", line)
			}
		}
	}
	if failed != statuses[http.StatusInternalServerError] {
		t.Errorf("%d failures in the log, %d responses", failed, statuses[http.StatusInternalServerError])
	}
}

// mcp sends an MCP request.
func (l *live) mcp(slug, token, method string, params any) *httptest.ResponseRecorder {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	l.must(err)
	r := httptest.NewRequest(http.MethodPost, "http://"+slug+"."+config.DevHost+"/mcp", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	l.front.ServeHTTP(w, r)
	return w
}

// gitRefs sends the first request of "git clone".
func (l *live) gitRefs(slug, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://"+slug+"."+config.DevHost+"/repo.git/info/refs?service=git-upload-pack", nil)
	if token != "" {
		r.SetBasicAuth("git", token)
	}
	w := httptest.NewRecorder()
	l.front.ServeHTTP(w, r)
	return w
}

func exists(parts ...string) bool {
	_, err := os.Stat(filepath.Join(parts...))
	return err == nil
}

// listen serves on a loopback port until the test ends.
func (l *live) listen() (address string) {
	l.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	l.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.front.Serve(ctx, listener) }()
	l.t.Cleanup(func() { cancel(); <-ended })
	return listener.Addr().String()
}

// dialTo connects to an address for any host.
func dialTo(address string) func(ctx context.Context, _, _ string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
}

// endsWithTest kills a program when the test ends, and shows its log if the test
// failed.
func endsWithTest(t *testing.T, cmd *exec.Cmd, log fmt.Stringer) {
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
}
