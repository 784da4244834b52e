package githttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/export"
	"robot.wtf/internal/gitrepo"
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

// canary is text that only bob's private wiki contains.
const canary = "xylothecanary"

var keyDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "robot-git-keys-")
	if err != nil {
		panic(err)
	}
	keyDir = dir
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// A world is a listening server over real storage and real git. Wiki ada is
// public (ada owner, bob editor, cleo viewer), wiki bob is private (bob only).
type world struct {
	t      testing.TB
	dir    string // of all wikis
	port   string
	pages  *pages.Service
	tenant *tenant.Service
	pool   *content.Pool
	export *export.Mirror
	store  *store.DB
	door   *Handler
	later  *atomic.Int64     // seconds added to the clock
	tokens map[string]string // "ada/editor", "bob/owner"
}

func newWorld(t testing.TB, limits *limit.Limiter) *world {
	t.Helper()
	ctx, dir, log := t.Context(), t.TempDir(), slog.New(slog.DiscardHandler)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	origin := func(slug string) string { return "http://" + slug + ".robot.localhost:" + port }
	later := new(atomic.Int64)
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load()) * time.Second) }
	db, err := store.Open(ctx, filepath.Join(dir, "robot.db"), now)
	must(err)
	wikis := filepath.Join(dir, "wikis")
	pool, err := content.NewPool(content.Options{Dir: wikis, Now: time.Now, Log: log})
	must(err)
	index := search.New(search.Options{Dir: wikis})
	git, err := gitrepo.Find()
	must(err)
	exports := export.New(export.Options{Content: pool, Git: git, Dir: wikis, Log: log})
	uses := pages.New(pages.Options{Content: pool, Search: index, Mirror: exports, Markdown: markdown.New(markdown.Options{}), Log: log})
	sites := tenant.New(tenant.Options{Store: db, Content: pool, NameKey: make([]byte, 32), Now: now, Log: log,
		Forget: func(ctx context.Context, slug string) error { exports.Forget(slug); return index.Remove(ctx, slug) }})
	sessions, err := session.New(session.Options{Store: db, KeyDir: keyDir, Platform: "http://robot.localhost", WikiOrigin: origin, Now: time.Now, Log: log})
	must(err)
	door := New(Options{Pages: uses, Tenant: sites, Session: sessions, WikiOrigin: origin, Limits: limits, Spool: dir, Log: log})
	lost := func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
	lostWiki := func(w http.ResponseWriter, r *http.Request, _ string) { lost(w, r) }
	serving := server.New(server.Options{Host: "robot.localhost", Platform: lost, Wiki: lostWiki, API: lostWiki, Git: door.ServeWiki,
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Log: log})
	serve, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error)
	go func() { ended <- serving.Serve(serve, narrow{listener}) }()
	t.Cleanup(func() {
		stop()
		<-ended
		exports.Close()
		if err := errors.Join(index.Close(), pool.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, dir: wikis, port: port, pages: uses, tenant: sites, pool: pool, export: exports, store: db, door: door, later: later,
		tokens: map[string]string{"none": "", "wrong": "rwtf_" + strings.Repeat("x", 43)}}
	for _, name := range []string{"ada", "bob", "cleo", "dan"} {
		must(db.SaveUser(ctx, user(name)))
	}
	for _, slug := range []string{"ada", "bob"} {
		_, err := sites.Create(ctx, user(slug), slug)
		must(err)
		must(uses.Seed(ctx, w.access(slug, slug)))
	}
	must(sites.SetMember(ctx, w.access("ada", "ada"), "did:plc:bob", wiki.Editor))
	must(sites.SetMember(ctx, w.access("ada", "ada"), "did:plc:cleo", wiki.Viewer))
	must(sites.SetMember(ctx, w.access("bob", "bob"), "did:plc:cleo", wiki.Viewer))
	must(sites.Configure(ctx, w.access("ada", "ada"), tenant.Settings{Public: true}))
	w.save("bob", "Secret", canary+"\n")
	for _, k := range []struct {
		key, slug, name string
		reads           bool
	}{{"ada/owner", "ada", "ada", false}, {"ada/editor", "ada", "bob", false}, {"ada/viewer", "ada", "cleo", true}, {"bob/owner", "bob", "bob", false}, {"bob/viewer", "bob", "cleo", true}} {
		secret, _, err := sessions.NewToken(ctx, w.access(k.slug, k.name), "test", k.reads)
		must(err)
		w.tokens[k.key] = secret
	}
	return w
}

// narrow is a listener with small send buffers, so that a small answer is enough
// to wait for a slow client.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	conn, err := n.Listener.Accept()
	if err == nil {
		err = conn.(*net.TCPConn).SetWriteBuffer(64 << 10)
	}
	return conn, err
}

func user(name string) wiki.User {
	return wiki.User{DID: "did:plc:" + name, Username: name, Handle: name + ".test"}
}

func (w *world) access(slug, name string) wiki.Access {
	w.t.Helper()
	a, err := w.tenant.Resolve(w.t.Context(), slug, wiki.Caller{User: user(name)})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// save creates or overwrites a page, as the wiki's owner.
func (w *world) save(slug, name, text string) pages.Saved {
	w.t.Helper()
	a := w.access(slug, slug)
	r := pages.SaveRequest{Name: name, Text: []byte(text), Exact: true}
	if p, err := w.pages.Page(w.t.Context(), a, name, ""); err == nil {
		r.Base = p.File.Blob
	}
	done, err := w.pages.Save(w.t.Context(), a, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

// fill saves n pages of about 330 KB that compress badly.
func (w *world) fill(slug string, pages int) {
	w.t.Helper()
	for i := range pages {
		var text strings.Builder
		for k := range 20_000 {
			fmt.Fprintf(&text, "%x\n", uint64(i*20_000+k)*0x9e3779b97f4a7c15)
		}
		w.save(slug, fmt.Sprint("Page_", i), text.String())
	}
}

// url returns the URL of a wiki's repository, with user information.
func (w *world) url(slug, userinfo string) string {
	return "http://" + userinfo + slug + ".robot.localhost:" + w.port + "/repo.git"
}

// git runs git like a user would.
func (w *world) git(dir string, args ...string) (out string, err error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "HOME=/nonexistent", "GIT_TERMINAL_PROMPT=0", "no_proxy=*",
		"GIT_AUTHOR_NAME=x", "GIT_AUTHOR_EMAIL=x", "GIT_COMMITTER_NAME=x", "GIT_COMMITTER_EMAIL=x")
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	err = cmd.Run()
	return strings.TrimSpace(both.String()), err
}

// must runs git and fails the test if it fails.
func (w *world) must(dir string, args ...string) string {
	w.t.Helper()
	out, err := w.git(dir, args...)
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// A reply is a response as a client sees it.
type reply struct {
	status int
	header http.Header
	text   string
}

// send makes a request. Headers are pairs of names and values.
func (w *world) send(method, slug, path string, body io.Reader, headers ...string) reply {
	w.t.Helper()
	r, err := http.NewRequest(method, "http://127.0.0.1:"+w.port+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Host = slug + ".robot.localhost:" + w.port
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		w.t.Fatal(err)
	}
	for _, varies := range []string{"Date", "X-Request-Id", "Content-Length"} {
		answer.Header.Del(varies)
	}
	return reply{answer.StatusCode, answer.Header, string(text)}
}

// feed is must with standard input.
func (w *world) feed(dir, in string, args ...string) {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
}
