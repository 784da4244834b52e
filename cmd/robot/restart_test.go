package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"robot.wtf/internal/await"
	"robot.wtf/internal/config"
	"robot.wtf/internal/slow"
)

// A unit runs the real binary like systemd: with a socket that outlives it.
type unit struct {
	t      *testing.T
	socket *os.File
	notes  *net.UnixConn
	cmd    *exec.Cmd
	args   []string
	limit  int // of file descriptors; 0 for the system's
	log    bytes.Buffer
}

func newUnit(t *testing.T, data string, args ...string) (*unit, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	notes, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: filepath.Join(t.TempDir(), "notify")})
	if err != nil {
		t.Fatal(err)
	}
	u := &unit{t: t, socket: file, notes: notes, args: append([]string{"serve", "--no-semantic-search", "--public-url", "https://robot.localhost", "--data", data}, args...)}
	t.Cleanup(func() {
		u.kill()
		file.Close()
		notes.Close()
		if t.Failed() {
			t.Log(u.log.String())
		}
	})
	return u, listener.Addr().String()
}

// shell returns the script that becomes the service.
func (u *unit) shell() string {
	script := `LISTEN_PID=$$ exec robot "$@"`
	if u.limit > 0 {
		script = fmt.Sprintf("ulimit -n %d; ", u.limit) + script
	}
	return script
}

// start starts the service and waits until it is ready.
func (u *unit) start() {
	u.t.Helper()
	u.cmd = exec.Command("sh", append([]string{"-c", u.shell(), "robot"}, u.args...)...)
	u.cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "NOTIFY_SOCKET="+u.notes.LocalAddr().String())
	u.cmd.ExtraFiles = []*os.File{u.socket}
	u.cmd.Stderr = &u.log
	if err := u.cmd.Start(); err != nil {
		u.t.Fatal(err)
	}
	said := make([]byte, 100)
	for !strings.Contains(string(said), "READY=1") {
		_ = u.notes.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, err := u.notes.Read(said)
		if err != nil {
			u.t.Fatalf("it isn't ready: %v\n%s", err, u.log.String())
		}
		said = said[:cap(said)]
		_ = n
	}
}

func (u *unit) stop() {
	u.t.Helper()
	if err := u.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		u.t.Fatal(err)
	}
	if err := u.cmd.Wait(); err != nil {
		u.t.Errorf("it exited with %v", err)
	}
	u.cmd = nil
}

func (u *unit) kill() {
	if u.cmd != nil {
		_ = u.cmd.Process.Kill()
		_ = u.cmd.Wait()
	}
}

// seededData creates a service's data directory with a token for ada.
func seededData(t *testing.T) (dir, token string, cookies map[string]map[string]string) {
	t.Helper()
	l := startLive(t)
	b := l.signIn("ada", "ada")
	dan := l.browser() // creates a wiki
	dan.post(config.DevHost, "/auth/dev", url.Values{"username": {"dan"}})
	dan.post(config.DevHost, "/app/create", url.Values{"slug": {"dan"}})
	maps.Copy(b.cookies, map[string]map[string]string{"dan." + config.DevHost: l.signIn("dan", "dan").cookies["dan."+config.DevHost]})
	l.must(l.Service.Close())
	l.must(os.Remove(filepath.Join(l.dir, "dev.json")))
	return l.dir, l.token("ada", "owner"), b.cookies
}

// A restart fails no request: running requests finish, new ones wait in the socket.
// Every acknowledged write is kept.
func TestRestartUnderLoadFailsNothing(t *testing.T) {
	t.Parallel()
	slow.Test(t)
	data, token, _ := seededData(t)
	u, address := newUnit(t, data, "--reads-per-minute", "1000000", "--writes-per-minute", "1000000")
	u.start()
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true, // like the proxy, see deploy/Caddyfile
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", address)
			},
		},
		Timeout: 30 * time.Second,
	}
	ask := func(method, path, body string, want int) error {
		r, err := http.NewRequest(method, "http://ada.robot.localhost"+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode != want {
			err = fmt.Errorf("%s %s: %s %.200s", method, path, answer.Status, text)
		}
		return err
	}
	var stopped atomic.Bool
	var asked, written atomic.Int64
	var workers sync.WaitGroup
	errs := make(chan error, 1000)
	work := func(do func(n int) error) {
		workers.Go(func() {
			for n := 0; !stopped.Load(); n++ {
				if err := do(n); err != nil {
					select {
					case errs <- err:
					default:
					}
				}
				asked.Add(1)
			}
		})
	}
	for range 3 {
		work(func(int) error { return ask("GET", "/Home", "", http.StatusOK) })
	}
	for w := range 2 {
		work(func(n int) error {
			err := ask("PUT", fmt.Sprintf("/api/v1/pages/Load/W%d_%d", w, n), `{"content":"x"}`, http.StatusCreated)
			if err == nil {
				written.Add(1)
			}
			time.Sleep(20 * time.Millisecond) // a wiki has at most 500 pages
			return err
		})
	}
	restarts := 2
	if os.Getenv("ROBOT_LONG") != "" {
		restarts = 10
	}
	underLoad := func() {
		was, wrote := asked.Load(), written.Load()
		await.Until(t, "requests", 30*time.Second, func() bool { return asked.Load() >= was+50 && written.Load() >= wrote+5 })
	}
	for range restarts {
		underLoad()
		u.stop()
		u.start()
	}
	underLoad()
	stopped.Store(true)
	workers.Wait()
	close(errs)
	n := 0
	for err := range errs {
		if n++; n < 5 {
			t.Error(err)
		}
	}
	t.Logf("measured: %d requests over %d restarts, %d failed", asked.Load(), restarts, n)
	r, err := http.NewRequest("GET", "http://ada.robot.localhost/api/v1/pages?prefix=Load/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if got := strings.Count(string(text), `"Load/W`); int64(got) < written.Load() || written.Load() < 5 {
		t.Errorf("%d pages, %d were acknowledged", got, written.Load())
	}
}
