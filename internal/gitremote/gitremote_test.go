package gitremote

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/wiki"
)

// newClient returns a client that reaches f as https://example.com.
func newClient(t *testing.T, f http.HandlerFunc, o outbound.Options) *Client {
	t.Helper()
	return New(serve(t, f, o))
}

// serve serves f, and returns options to reach it as https://example.com.
func serve(t *testing.T, f http.HandlerFunc, o outbound.Options) outbound.Options {
	t.Helper()
	server := httptest.NewUnstartedServer(f)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.StartTLS()
	t.Cleanup(server.Close)
	o.CA = x509.NewCertPool()
	o.CA.AddCert(server.Certificate())
	o.Pins = map[string]string{"example.com": server.Listener.Addr().String()}
	return o
}

func address(t *testing.T, text string) Address {
	t.Helper()
	a, err := ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// git runs git in dir and returns its output.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+dir, "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// gitServer serves the repositories in a directory by git http-backend.
func gitServer(t *testing.T, root string) http.HandlerFunc {
	t.Helper()
	found, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git isn't installed")
	}
	return func(w http.ResponseWriter, r *http.Request) {
		env := []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + root, "GIT_PROTOCOL=" + r.Header.Get("Git-Protocol")}
		(&cgi.Handler{Path: found, Args: []string{"http-backend"}, Dir: root, Env: env}).ServeHTTP(w, r)
	}
}

// newRepositories writes repositories: notes.git with branches and tags, and broken
// or unusual ones.
func newRepositories(t *testing.T) (root string, ids map[string]string) {
	t.Helper()
	root = t.TempDir()
	work := filepath.Join(root, "work")
	git(t, root, "init", "-q", "-b", "main", work)
	commit := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		git(t, work, "add", ".")
		git(t, work, "commit", "-q", "-m", "Write "+name)
	}
	commit("Home.md", "Hello\n")
	git(t, work, "tag", "v0")
	git(t, work, "tag", "-a", "-m", "The first", "v1")
	git(t, work, "checkout", "-q", "-b", "next/big")
	commit("Next.md", "Soon\n")
	git(t, work, "tag", "-a", "-m", "Far", "far")
	git(t, work, "checkout", "-q", "main")
	commit("Second.md", strings.Repeat("More\n", 50_000))
	git(t, root, "clone", "-q", "--bare", work, "notes.git")
	git(t, root, "clone", "-q", "--bare", "--depth", "1", "file://"+work, "shallow.git")
	git(t, root, "init", "-q", "--bare", "empty.git")
	git(t, root, "init", "-q", "--bare", "--object-format=sha256", "sha256.git")
	return root, map[string]string{"main": git(t, work, "rev-parse", "main"), "next/big": git(t, work, "rev-parse", "next/big"), "v1": git(t, work, "rev-parse", "v1^{commit}")}
}

func TestBundle(t *testing.T) {
	root, ids := newRepositories(t)
	backend := gitServer(t, root)
	client := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/old"); ok {
			http.Redirect(w, r, "/notes"+rest+"?"+r.URL.RawQuery, http.StatusMovedPermanently)
			return
		}
		backend(w, r)
	}, outbound.Options{})
	receiver, err := gitrepo.Find()
	if err != nil {
		t.Skip(err)
	}
	for _, tt := range []struct {
		address, head string
		tags, omitted []string
	}{
		{"https://example.com/notes.git", ids["main"], []string{"v0", "v1"}, []string{"far", "next/big"}},
		{"https://example.com/old.git", ids["main"], []string{"v0", "v1"}, []string{"far", "next/big"}},
		{"https://example.com/notes.git/tree/next/big", ids["next/big"], []string{"far", "v0", "v1"}, []string{"main"}},
		{"https://example.com/notes.git/tree/v1", ids["v1"], []string{"v0", "v1"}, []string{"far", "main", "next/big"}},
	} {
		var bundle bytes.Buffer
		var told int64
		if err := client.Bundle(t.Context(), address(t, tt.address), 1<<20, &bundle, func(n int64) { told = n }); err != nil {
			t.Errorf("%s: %v", tt.address, err)
			continue
		}
		received, err := receiver.Receive(t.Context(), filepath.Join(t.TempDir(), "r.git"), &bundle, 1<<20)
		if err != nil {
			t.Errorf("%s: %v", tt.address, err)
			continue
		}
		if tags := slices.Sorted(maps.Keys(received.Tags)); received.Head != tt.head || !slices.Equal(tags, tt.tags) || !slices.Equal(received.Omitted, tt.omitted) {
			t.Errorf("%s: head %s, tags %v, omitted %v; want %+v", tt.address, received.Head, tags, received.Omitted, tt)
		}
		if told < 0 {
			t.Errorf("%s: progress %d", tt.address, told)
		}
	}
}

// Each reason not to get a repository is said in a sentence.
func TestRefusals(t *testing.T) {
	root, _ := newRepositories(t)
	backend := gitServer(t, root)
	client := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/private"):
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasPrefix(r.URL.Path, "/choices"):
			w.WriteHeader(http.StatusMultipleChoices)
		case strings.HasPrefix(r.URL.Path, "/busy"):
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasPrefix(r.URL.Path, "/v0"):
			r.Header.Del("Git-Protocol")
			r.URL.Path = strings.Replace(r.URL.Path, "/v0", "/notes", 1)
			backend(w, r)
		case strings.HasPrefix(r.URL.Path, "/v1"):
			r.Header.Set("Git-Protocol", "version=1")
			r.URL.Path = strings.Replace(r.URL.Path, "/v1", "/notes", 1)
			backend(w, r)
		case strings.HasPrefix(r.URL.Path, "/dumb"):
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write([]byte(strings.Repeat("a", 40) + "\trefs/heads/main\n"))
		case strings.HasPrefix(r.URL.Path, "/login") && r.URL.Path != "/login":
			http.Redirect(w, r, "/login", http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/page"), r.URL.Path == "/login":
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<!doctype html>"))
		default:
			backend(w, r)
		}
	}, outbound.Options{})
	for path, want := range map[string]string{
		"private.git":               "doesn't exist or is private",
		"missing.git":               "doesn't exist or is private",
		"ada/private/wiki":          "is private, or has no pages yet",
		"choices.git":               "There's no git repository",
		"busy.git":                  "is busy (it answered 503)",
		"v0.git":                    "only old versions",
		"v1.git":                    "only old versions",
		"dumb.git":                  "only old versions",
		"login.git":                 "There's no git repository",
		"page.git":                  "There's no git repository",
		"empty.git":                 "is empty",
		"shallow.git":               "is a shallow clone",
		"sha256.git":                "SHA-256",
		"notes.git/tree/none":       "no such branch or tag",
		"notes.git/tree/main/docs":  `folder or file "docs"`,
		"notes.git/blob/main/Ho.md": `folder or file "Ho.md"`,
	} {
		var out bytes.Buffer
		err := client.Bundle(t.Context(), address(t, "https://example.com/"+path), 1<<20, &out, nil)
		var problem *wiki.Problem
		if !errors.As(err, &problem) || problem.Field != "address" || !strings.Contains(problem.Message, want) || out.Len() > 0 {
			t.Errorf("%s: %v, %d bytes; want %q", path, err, out.Len(), want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	client := New(outbound.Options{Pins: map[string]string{"example.com": "127.0.0.1:1"}})
	err := client.Bundle(t.Context(), address(t, "https://example.com/a.git"), 1<<20, new(bytes.Buffer), nil)
	if !errors.Is(err, wiki.ErrUnavailable) || !strings.Contains(err.Error(), "can't be reached") {
		t.Errorf("no server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client.Bundle(ctx, address(t, "https://example.com/a.git"), 1<<20, new(bytes.Buffer), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
