package testworld

import (
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"

	"robot.wtf/internal/outbound"
)

// ServeGit serves a copy of the repository or bundle at a path as
// https://example.com/notes.git, and returns options for requests that reach it and
// no other server.
func ServeGit(t *testing.T, path string) outbound.Options {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git isn't installed")
	}
	root := t.TempDir()
	if out, err := exec.Command(git, "clone", "-q", "--mirror", path, filepath.Join(root, "notes.git")).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v: %s", err, out)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(&cgi.Handler{Path: git, Args: []string{"http-backend"}, Dir: root, Env: []string{
			"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + root, "GIT_PROTOCOL=" + r.Header.Get("Git-Protocol"),
		}}).ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.StartTLS()
	t.Cleanup(server.Close)
	o := outbound.Options{CA: x509.NewCertPool(), Pins: map[string]string{"example.com": server.Listener.Addr().String()}, DNS: "127.0.0.1:1"}
	o.CA.AddCert(server.Certificate())
	return o
}
