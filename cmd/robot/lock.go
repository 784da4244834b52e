package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// errInUse is the kind of inUse.
var errInUse = errors.New("in use")

// inUse says that another process has the data directory.
type inUse struct{ process, dir string }

func (e inUse) Error() string {
	return fmt.Sprintf("another robot (process %s) is using %s: stop it, or choose another directory with --data", e.process, e.dir)
}

func (inUse) Unwrap() error { return errInUse }

// A dirLock is the ownership of a data directory. The kernel lets go of it when
// the process ends, however it ends.
type dirLock struct{ file *os.File }

// lockDir takes a data directory, making it if need be. It fails when another
// service has it.
func lockDir(dir string) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := os.ReadFile(file.Name())
		file.Close()
		return nil, inUse{strings.TrimSpace(string(holder)), dir}
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	// For whoever is refused; the lock does not depend on it.
	err = file.Truncate(0)
	if _, werr := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil || werr != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, errors.Join(err, werr))
	}
	return &dirLock{file}, nil
}

func (l *dirLock) release() error { return l.file.Close() }
