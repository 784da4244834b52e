// Package testdisk puts the temporary directories of a package's tests into
// memory. On a disk, the tests spend a third of their time in creating, syncing and
// deleting small files. It also lets them use more memory before garbage is collected,
// which takes a sixth of their processor time otherwise. Only test files may import this
// package.
//
// A crash in these tests is a killed process or a failing system call. Neither
// depends on the file system, since none of them loses power.
package testdisk

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

const (
	// parent names the directories of all runs. It is short because addresses of
	// Unix sockets are limited to 108 bytes (unix(7)).
	parent = "/dev/shm/rt"

	// minFree is the free space that a file system in memory must have.
	minFree = 2 << 30

	// leftoverAge is the age at which a directory belongs to a run that was killed.
	leftoverAge = 24 * time.Hour

	// gcPercent is the GOGC of tests, unless the live heap is large: beyond memoryLimit,
	// collections are more frequent.
	gcPercent   = 400
	memoryLimit = 1 << 30
)

// Run runs a package's tests, usually a *testing.M, with os.TempDir in memory. It
// returns the exit code for os.Exit. It leaves os.TempDir alone if TMPDIR is set, in long runs
// (ROBOT_LONG), which so cover a real disk, and if this machine has no suitable
// file system in memory.
func Run(m interface{ Run() int }) int {
	collectLess()
	if os.Getenv("TMPDIR") != "" || os.Getenv("ROBOT_LONG") != "" || !inMemory(filepath.Dir(parent)) {
		return m.Run()
	}
	removeLeftovers(time.Now())
	dir, err := os.MkdirTemp(filepath.Dir(parent), filepath.Base(parent))
	if err == nil {
		err = os.Setenv("TMPDIR", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testdisk:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	return m.Run()
}

// collectLess makes collections of garbage rare, except in benchmarks, in long runs, and
// where GOGC is set.
func collectLess() {
	measures := func(arg string) bool { return strings.HasPrefix(arg, "-test.bench=") }
	if os.Getenv("GOGC") != "" || os.Getenv("ROBOT_LONG") != "" || slices.ContainsFunc(os.Args, measures) {
		return
	}
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
}

// removeLeftovers deletes the directories of runs that were killed.
func removeLeftovers(now time.Time) {
	dirs, _ := filepath.Glob(parent + "[0-9]*")
	for _, dir := range dirs {
		if info, err := os.Lstat(dir); err == nil && now.Sub(info.ModTime()) > leftoverAge {
			_ = os.RemoveAll(dir)
		}
	}
}
