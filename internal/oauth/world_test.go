package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/api"
	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/oauth"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/search"
	"robot.wtf/internal/server"
	"robot.wtf/internal/session"
	"robot.wtf/internal/store"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/web"
	"robot.wtf/internal/wiki"
)

const platform = "https://robot.test"

func origin(slug string) string   { return "https://" + slug + ".robot.test" }
func resource(slug string) string { return origin(slug) + "/mcp" }

var keyDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "robot-oauth-keys-")
	if err != nil {
		panic(err)
	}
	keyDir = dir
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// A world is the authorization server with real storage behind the real front:
// "ada" is a public wiki (bob edits, cleo views), "bob" a private one (cleo
// views); dan is a stranger.
type world struct {
	t       testing.TB
	db      *store.DB
	session *session.Service
	tenant  *tenant.Service
	oauth   *oauth.Service
	front   http.Handler
	dir     string
	seconds atomic.Int64
	take    func(remote, host string) error
	metrics *server.Metrics
}

func (w *world) now() time.Time { return time.Unix(w.seconds.Load(), 0).UTC() }

func (w *world) later(d time.Duration) { w.seconds.Add(int64(d / time.Second)) }

func user(name string) wiki.User {
	return wiki.User{DID: "did:plc:" + name, Username: name, Handle: name + ".test", Name: strings.ToUpper(name[:1]) + name[1:]}
}

func newWorld(t testing.TB, outgoing *http.Client) *world {
	t.Helper()
	ctx, log := t.Context(), slog.New(slog.DiscardHandler)
	w := &world{t: t, dir: t.TempDir(), metrics: server.NewMetrics()}
	w.seconds.Store(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).Unix())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	w.db, err = store.Open(ctx, filepath.Join(w.dir, "robot.db"), w.now)
	must(err)
	pool, err := content.NewPool(content.Options{Dir: filepath.Join(w.dir, "wikis"), Now: w.now, Log: log, Links: func(wiki.PageName, []byte) []wiki.Link { return nil }})
	must(err)
	t.Cleanup(func() { must(errors.Join(pool.Close(), w.db.Close())) })
	w.tenant = tenant.New(tenant.Options{Store: w.db, Content: pool, Now: w.now, Log: log})
	w.session, err = session.New(session.Options{Store: w.db, KeyDir: keyDir, Platform: platform, WikiOrigin: origin, Now: w.now, Log: log})
	must(err)
	w.oauth, err = oauth.New(oauth.Options{
		Store: w.db, Session: w.session, Tenant: w.tenant, WikiOrigin: origin, Outbound: outgoing,
		Take: func(remote, host string) error {
			if w.take == nil {
				return nil
			}
			return w.take(remote, host)
		}, Failed: w.metrics.OAuthFailed, Now: w.now, Log: log,
	})
	must(err)
	index := search.New(search.Options{Dir: filepath.Join(w.dir, "wikis")})
	t.Cleanup(func() { must(index.Close()) })
	contents := pages.New(pages.Options{Content: pool, Search: index, Markdown: markdown.New(markdown.Options{}), Now: w.now, Log: log})
	var people []wiki.User
	for _, name := range []string{"ada", "bob", "cleo", "dan"} {
		people = append(people, user(name))
	}
	browsers, err := web.New(web.Options{
		Pages: contents, Tenant: w.tenant, Session: w.session, OAuth: w.oauth, Platform: platform, WikiOrigin: origin, People: people, Now: w.now, Log: log,
	})
	must(err)
	programs := api.New(api.Options{Pages: contents, Tenant: w.tenant, Session: w.session, OAuth: w.oauth, WikiOrigin: origin, Now: w.now, Log: log})
	w.front = server.New(server.Options{
		Host: "robot.test", Home: platform, Secure: true, Platform: browsers.ServePlatform, Wiki: browsers.ServeWiki,
		API: programs.ServeWiki, Manage: programs.ServePlatform, OAuth: w.oauth.ServeHTTP, Renew: w.session.Renew, Metrics: w.metrics,
		Check: func(context.Context) error { return nil }, Log: log,
	})
	for _, name := range []string{"ada", "bob", "cleo", "dan"} {
		must(w.db.SaveUser(ctx, user(name)))
	}
	for slug, members := range map[string]map[string]wiki.Role{"ada": {"bob": wiki.Editor, "cleo": wiki.Viewer}, "bob": {"cleo": wiki.Viewer}} {
		_, err := w.tenant.Create(ctx, user(slug), slug)
		must(err)
		must(contents.Seed(ctx, w.access(slug, slug)))
		for name, role := range members {
			must(w.tenant.SetMember(ctx, w.access(slug, slug), user(name).DID, role))
		}
	}
	must(w.tenant.Configure(ctx, w.access("ada", "ada"), tenant.Settings{Public: true}))
	return w
}

// caller is somebody signed in with a browser.
func caller(name string) wiki.Caller { return wiki.Caller{User: user(name), Session: "s-" + name} }

func (w *world) access(slug, name string) wiki.Access {
	w.t.Helper()
	a, err := w.tenant.Resolve(w.t.Context(), slug, caller(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// An answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (a answer) str(key string) string { s, _ := a.json[key].(string); return s }

func (w *world) do(r *http.Request) answer {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.front.ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Result().Header, text: rec.Body.String()}
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(rec.Body.Bytes(), &a.json); err != nil && a.text != "" {
			w.t.Fatalf("%s: %v\n%s", r.URL, err, a.text)
		}
		if strings.Contains(a.text, ":null") {
			w.t.Errorf("%s: a null in %s", r.URL, a.text)
		}
	}
	return a
}

func request(method, address, kind, body string) *http.Request {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, address, reader)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	return r
}

func (w *world) get(address string) answer {
	w.t.Helper()
	return w.do(request("GET", address, "", ""))
}

const formType = "application/x-www-form-urlencoded"

func (w *world) post(address string, form url.Values) answer {
	w.t.Helper()
	return w.do(request("POST", address, formType, form.Encode()))
}

func (w *world) token(form url.Values) answer {
	w.t.Helper()
	return w.post(platform+"/auth/oauth/token", form)
}

func (w *world) register(body string) answer {
	w.t.Helper()
	return w.do(request("POST", platform+"/auth/oauth/register", "application/json", body))
}
