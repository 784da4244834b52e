package testdisk

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

var chosen string // TMPDIR before Run

func TestMain(m *testing.M) {
	chosen = os.Getenv("TMPDIR")
	os.Exit(Run(m))
}

func TestTempDirIsInMemory(t *testing.T) {
	if chosen != "" || os.Getenv("ROBOT_LONG") != "" || !inMemory(filepath.Dir(parent)) {
		t.Skip("this run uses the disk")
	}
	dir := t.TempDir()
	if !inMemory(dir) {
		t.Errorf("%s isn't in memory", dir)
	}
	if inMemory("/proc") || inMemory(filepath.Join(dir, "missing")) {
		t.Error("another file system, or none, counts as memory")
	}
}

// Directories of killed runs don't fill the memory. Those of other running tests are
// kept.
func TestLeftoversAreRemoved(t *testing.T) {
	if !inMemory(filepath.Dir(parent)) {
		t.Skip("this machine has no file system in memory")
	}
	left, err := os.MkdirTemp(filepath.Dir(parent), filepath.Base(parent))
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(left)
	removeLeftovers(time.Now())
	if _, err := os.Stat(left); err != nil {
		t.Errorf("the directory of a running test: %v", err)
	}
	long := time.Now().Add(-2 * leftoverAge)
	if err := os.Chtimes(left, long, long); err != nil {
		t.Fatal(err)
	}
	removeLeftovers(time.Now())
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("the directory of a killed run is kept: %v", err)
	}
}
