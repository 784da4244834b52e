package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The test binary is also the program whose system calls strace lists.
func TestMain(m *testing.M) {
	dir := os.Getenv("ROBOT_TEST_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "sub", "b")
	var err error
	switch os.Getenv("ROBOT_TEST_CALL") {
	case "WriteFile":
		err = WriteFile(a, []byte("new"))
	case "Create":
		err = Create(b, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err })
	case "SyncFile":
		err = SyncFile(a)
	case "Rename":
		err = Rename(a, b)
	case "SyncDir":
		err = SyncDir(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestSystemCalls(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("strace is missing: apt-get install strace")
		}
		t.Skip("strace is missing: apt-get install strace")
	}
	tests := map[string][]string{ // calls in order, with paths relative to the directory
		"WriteFile": {"write .tmp-", "fsync .tmp-", "rename .tmp- a", "fsync ."},
		"Create":    {"write sub/b", "fsync sub/b"},
		"SyncFile":  {"fsync a"},
		"Rename":    {"rename a sub/b", "fsync sub"},
		"SyncDir":   {"fsync ."},
	}
	for call, want := range tests {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Mkdir(filepath.Join(dir, "sub"), 0o700), os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o600)); err != nil {
				t.Fatal(err)
			}
			trace := filepath.Join(t.TempDir(), "trace")
			cmd := exec.Command(strace, "-f", "-y", "-qq", "-o", trace, "-e", "trace=write,fsync,rename,renameat,renameat2", os.Args[0])
			cmd.Env = append(os.Environ(), "ROBOT_TEST_DIR="+dir, "ROBOT_TEST_CALL="+call)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			text, err := os.ReadFile(trace)
			if err != nil {
				t.Fatal(err)
			}
			if got := summarizeTrace(string(text), dir); !slices.Equal(got, want) {
				t.Errorf("calls %q, want %q:\n%s", got, want, text)
			}
		})
	}
}

// summarizeTrace lists the calls that concern files in dir, without the random
// part of temporary names.
func summarizeTrace(trace, dir string) []string {
	call := regexp.MustCompile(`(write|fsync|rename)(?:at2?)?\(`)
	path := regexp.MustCompile(`[<"]` + regexp.QuoteMeta(dir) + `(?:/([^>"]*))?[>"]`)
	random := regexp.MustCompile(`\.tmp-\d+`)
	var calls []string
	for line := range strings.Lines(trace) {
		name, paths := call.FindStringSubmatch(line), path.FindAllStringSubmatch(line, -1)
		if name == nil || paths == nil {
			continue
		}
		words := name[1]
		for _, p := range paths {
			if p[1] == "" {
				p[1] = "."
			}
			words += " " + random.ReplaceAllString(p[1], TempPrefix)
		}
		calls = append(calls, words)
	}
	return calls
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	for _, text := range []string{"first", "second"} {
		if err := WriteFile(file, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != text {
			t.Errorf("%q, want %q: %v", got, text, err)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := WriteFile(dir, nil); err == nil {
		t.Error("replaced a directory")
	}
	if err := WriteFile(filepath.Join(dir, "missing", "file"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a directory that doesn't exist: %v", err)
	}
	if names, err := filepath.Glob(filepath.Join(dir, TempPrefix+"*")); err != nil || len(names) > 0 {
		t.Errorf("left %q: %v", names, err)
	}
}

func TestCreate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new")
	full := errors.New("full")
	if err := Create(file, func(io.Writer) error { return full }); !errors.Is(err, full) {
		t.Errorf("a write that failed: %v", err)
	}
	if err := Create(file, func(io.Writer) error { return nil }); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that exists: %v", err)
	}
}

func TestRenameReportsExisting(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b/file"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("onto a directory that isn't empty: %v", err)
	}
	if err := Rename(filepath.Join(dir, "missing"), filepath.Join(dir, "c")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that doesn't exist: %v", err)
	}
}
