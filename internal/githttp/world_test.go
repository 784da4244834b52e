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
	"testing"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/server"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/testworld"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

const canary = testworld.Canary

// A world is a testworld behind a listening server, with real git.
type world struct {
	*testworld.World
	dir  string // of the wikis
	port string
	door *Handler
}

func newWorld(t testing.TB, limits *limit.Limiter) *world {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{World: testworld.New(t, testworld.Options{Platform: "http://robot.localhost:" + port, Mirror: true}), port: port}
	w.dir = filepath.Join(w.Dir, "wikis")
	log := slog.New(slog.DiscardHandler)
	w.door = New(Options{Pages: w.Pages, Tenant: w.Tenant, Session: w.Session, Limits: limits, Spool: w.Dir, Log: log})
	lost := func(rw http.ResponseWriter, r *http.Request, _ string) { http.NotFound(rw, r) }
	serving := server.New(server.Options{
		Host: "robot.localhost", Platform: http.NotFound, Wiki: lost, API: lost, Git: w.door.ServeWiki,
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Log: log,
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error)
	go func() { ended <- serving.Serve(ctx, narrow{listener}) }()
	t.Cleanup(func() {
		stop()
		<-ended
	})
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

// save writes a page as the wiki's owner.
func (w *world) save(slug, name, text string) pages.Saved {
	w.T.Helper()
	return w.Save(slug, slug, name, text)
}

// fill saves n pages of about 330 KB that compress badly.
func (w *world) fill(slug string, pages int) {
	w.T.Helper()
	for i := range pages {
		var text strings.Builder
		for k := range 20_000 {
			fmt.Fprintf(&text, "%x ", uint64(i*20_000+k)*0x9e3779b97f4a7c15)
			if k%20 == 19 { // few lines, because parsing them takes longer than storing them
				text.WriteByte('\n')
			}
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
	w.T.Helper()
	out, err := w.git(dir, args...)
	if err != nil {
		w.T.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
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
	w.T.Helper()
	r, err := http.NewRequest(method, "http://127.0.0.1:"+w.port+path, body)
	if err != nil {
		w.T.Fatal(err)
	}
	r.Host = slug + ".robot.localhost:" + w.port
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.T.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		w.T.Fatal(err)
	}
	for _, varies := range []string{"Date", "X-Request-Id", "Content-Length"} {
		answer.Header.Del(varies)
	}
	return reply{answer.StatusCode, answer.Header, string(text)}
}

// feed is must with standard input.
func (w *world) feed(dir, in string, args ...string) {
	w.T.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.T.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
}
