package gitrepo

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"robot.wtf/internal/testdisk"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

// rounds returns the number of rounds of a randomized test.
func rounds(few, many int) int {
	if os.Getenv("ROBOT_LONG") == "1" {
		return many
	}
	return few
}

// newRepository creates an empty bare repository and returns a function that runs
// git in it, isolated from this machine's configuration.
func newRepository(t testing.TB) func(stdin []byte, env []string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git not found")
	}
	dir := filepath.Join(t.TempDir(), "repo.git")
	git := func(stdin []byte, env []string, args ...string) []byte {
		t.Helper()
		cmd := exec.Command(path, append([]string{"-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "core.commentChar=\x01"}, args...)...)
		cmd.Env = append([]string{
			"PATH=/usr/bin:/bin", "HOME=/nonexistent", "LANG=C.UTF-8", "GIT_DIR=" + dir,
			"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
			"GIT_NO_REPLACE_OBJECTS=1", "GIT_TERMINAL_PROMPT=0",
		}, env...)
		cmd.Stdin = bytes.NewReader(stdin)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, stderr.String())
		}
		return out
	}
	git(nil, nil, "init", "-q", "--bare", "--template=", dir)
	return git
}

func line(out []byte) string { return strings.TrimSuffix(string(out), "\n") }

func TestObjectIDMatchesGit(t *testing.T) {
	git := newRepository(t)
	for _, content := range []string{"", "a", "Grüße\n", "\x00\xff\r\n", strings.Repeat("long line ", 50_000)} {
		if got, want := ObjectID("blob", []byte(content)), line(git([]byte(content), nil, "hash-object", "--stdin")); got != want {
			t.Errorf("ObjectID(%.20q) = %s, git says %s", content, got, want)
		}
	}
	if got, want := ObjectID("tree", nil), "4b825dc642cb6eb9a060e54bf8d69288fbee4904"; got != want {
		t.Errorf("the empty tree is %s, want %s", got, want)
	}
}
