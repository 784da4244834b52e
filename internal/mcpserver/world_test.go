package mcpserver

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/search"
	"robot.wtf/internal/server"
	"robot.wtf/internal/session"
	"robot.wtf/internal/store"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

var keyDir string

// The test binary is also the service that tests kill.
func TestMain(m *testing.M) {
	if dir := os.Getenv("ROBOT_TEST_SERVE"); dir != "" {
		serveForEver(dir, os.Getenv("ROBOT_TEST_ADDR"))
	}
	dir, err := os.MkdirTemp("", "robot-mcp-keys-")
	if err != nil {
		panic(err)
	}
	keyDir = dir
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// A world is the real chain of handlers over real storage: wiki ada is public
// (ada owner, bob editor, cleo viewer, dan no member), wiki bob is private.
type world struct {
	t       testing.TB
	ctx     ctx
	handler http.Handler
	door    *Handler
	pages   *pages.Service
	session *session.Service
	tenant  *tenant.Service
	store   *store.DB
	tokens  map[string]string // "ada/editor", "ada/reads", "ada/viewer", "bob/owner"
	ids     atomic.Int64
}

func newWorld(t testing.TB) *world { return newLimitedWorld(t, nil) }

func newLimitedWorld(t testing.TB, limits *limit.Limiter) *world {
	t.Helper()
	var clock atomic.Int64
	clock.Store(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC).Unix())
	now := func() time.Time { return time.Unix(clock.Add(1), 0).UTC() }
	w := &world{t: t, ctx: t.Context(), tokens: map[string]string{"": "", "wrong": "rwtf_" + strings.Repeat("x", 43)}}
	end, err := w.open(t.TempDir(), keyDir, now, limits, slog.New(slog.NewTextHandler(t.Output(), nil)))
	w.must(err)
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	w.populate()
	return w
}

// open builds the chain over a data directory.
func (w *world) open(dir, keys string, now func() time.Time, limits *limit.Limiter, log *slog.Logger) (end func() error, err error) {
	origin := func(slug string) string { return "http://" + slug + ".robot.localhost" }
	if w.store, err = store.Open(w.ctx, filepath.Join(dir, "robot.db"), now); err != nil {
		return nil, err
	}
	pool, err := content.NewPool(content.Options{Dir: filepath.Join(dir, "wikis"), Now: now, Log: log,
		Links: func(p wiki.PageName, source []byte) []wiki.Link { return markdown.ExtractFacts(p, source).Links }})
	if err != nil {
		return nil, err
	}
	index := search.New(search.Options{Dir: filepath.Join(dir, "wikis")})
	w.pages = pages.New(pages.Options{Content: pool, Search: index, Markdown: markdown.New(markdown.Options{}), Now: now, Log: log})
	w.tenant = tenant.New(tenant.Options{Store: w.store, Content: pool, Log: log})
	w.session, err = session.New(session.Options{Store: w.store, KeyDir: keys, Platform: "http://robot.localhost", WikiOrigin: origin, Now: now, Log: log})
	if err != nil {
		return nil, err
	}
	w.door = New(Options{Pages: w.pages, Tenant: w.tenant, Session: w.session, WikiOrigin: origin, Limits: limits, Now: now, Log: log})
	lost := func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
	other := func(rw http.ResponseWriter, r *http.Request, _ string) { lost(rw, r) }
	w.handler = server.New(server.Options{Host: "robot.localhost", Platform: lost, Wiki: other, API: other, MCP: w.door.ServeWiki, Log: slog.New(slog.DiscardHandler)})
	return func() error { return errors.Join(index.Close(), pool.Close(), w.store.Close()) }, nil
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func user(name string) wiki.User {
	return wiki.User{DID: "did:plc:" + name, Username: name, Handle: name + ".test"}
}

func (w *world) access(slug, name string) wiki.Access {
	w.t.Helper()
	a, err := w.tenant.Resolve(w.ctx, slug, wiki.Caller{User: user(name)})
	w.must(err)
	return a
}

func (w *world) populate() {
	for _, name := range []string{"ada", "bob", "cleo", "dan"} {
		w.must(w.store.SaveUser(w.ctx, user(name)))
	}
	for _, slug := range []string{"ada", "bob"} {
		_, err := w.tenant.Create(w.ctx, user(slug), slug)
		w.must(err)
		w.must(w.pages.Seed(w.ctx, w.access(slug, slug)))
	}
	w.must(w.tenant.SetMember(w.ctx, w.access("ada", "ada"), "did:plc:bob", wiki.Editor))
	w.must(w.tenant.SetMember(w.ctx, w.access("ada", "ada"), "did:plc:cleo", wiki.Viewer))
	w.must(w.tenant.Configure(w.ctx, w.access("ada", "ada"), tenant.Settings{Public: true}))
	for _, k := range []struct {
		key, slug, name string
		reads           bool
	}{{"ada/owner", "ada", "ada", false}, {"ada/reads", "ada", "ada", true}, {"ada/editor", "ada", "bob", false}, {"ada/viewer", "ada", "cleo", true}, {"bob/owner", "bob", "bob", false}} {
		secret, _, err := w.session.NewToken(w.ctx, w.access(k.slug, k.name), "Claude", k.reads)
		w.must(err)
		w.tokens[k.key] = secret
	}
}

// save writes a page as one of its people, whatever was there.
func (w *world) save(slug, name, page, text string) string {
	w.t.Helper()
	a := w.access(slug, name)
	r := pages.SaveRequest{Name: page, Text: []byte(text), Exact: true}
	if src, err := w.pages.Source(w.ctx, a, page, ""); err == nil {
		r.Base = src.File.Blob
	}
	done, err := w.pages.Save(w.ctx, a, r)
	w.must(err)
	return done.Revision
}

func (w *world) source(slug, page string) string {
	w.t.Helper()
	src, err := w.pages.Source(w.ctx, w.access(slug, slug), page, "")
	w.must(err)
	return src.Text
}

// A request is one POST to /mcp, as a client of revision 2025-11-25 sends it.
type posted struct {
	token, slug string
	body        string
	headers     []string // pairs
	method      string   // POST when empty
	path        string
}

type answered struct {
	*http.Response
	text   string
	result struct {
		ID     json.RawMessage
		Result struct {
			Content []struct {
				Type, Text, Data, MIMEType string
			}
			IsError bool
			Tools   []struct{ Name, Description string }
		}
		Error *struct {
			Code    int
			Message string
		}
	}
}

func (w *world) post(p posted) answered {
	w.t.Helper()
	if p.method == "" {
		p.method = "POST"
	}
	if p.path == "" {
		p.path = "/mcp"
	}
	r := httptest.NewRequest(p.method, "http://"+p.slug+".robot.localhost"+p.path, strings.NewReader(p.body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("MCP-Protocol-Version", "2025-11-25")
	if secret := w.tokens[p.token]; secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	for i := 0; i+1 < len(p.headers); i += 2 {
		r.Header.Del(p.headers[i])
		if p.headers[i+1] != "" {
			r.Header.Set(p.headers[i], p.headers[i+1])
		}
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	a := answered{Response: rec.Result(), text: rec.Body.String()}
	_ = json.Unmarshal([]byte(a.text), &a.result)
	return a
}

// call calls a tool; arguments come in pairs, or as one text of JSON.
func (w *world) call(token, tool string, arguments ...any) (text string, failed bool) {
	w.t.Helper()
	slug, _, _ := strings.Cut(token, "/")
	a := w.post(posted{token: token, slug: slug, body: callBody(w.ids.Add(1), tool, arguments...)})
	if a.StatusCode != 200 || len(a.result.Result.Content) == 0 {
		w.t.Fatalf("%s: %s %s", tool, a.Status, a.text)
	}
	return a.result.Result.Content[0].Text, a.result.Result.IsError
}

func callBody(id int64, tool string, arguments ...any) string {
	given := map[string]any{}
	if len(arguments) == 1 {
		return `{"jsonrpc":"2.0","id":` + jsonOf(id) + `,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments[0].(string) + `}}`
	}
	for i := 0; i+1 < len(arguments); i += 2 {
		given[arguments[i].(string)] = arguments[i+1]
	}
	return `{"jsonrpc":"2.0","id":` + jsonOf(id) + `,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + jsonOf(given) + `}}`
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// ok calls a tool that must not fail.
func (w *world) ok(token, tool string, arguments ...any) string {
	w.t.Helper()
	text, failed := w.call(token, tool, arguments...)
	if failed {
		w.t.Fatalf("%s %v: %s", tool, arguments, text)
	}
	return text
}

// fails calls a tool that must fail and say so.
func (w *world) fails(says, token, tool string, arguments ...any) string {
	w.t.Helper()
	text, failed := w.call(token, tool, arguments...)
	if !failed || !strings.Contains(text, says) {
		w.t.Errorf("%s %v: failed %v: %s\nwant %q", tool, arguments, failed, text, says)
	}
	return text
}
