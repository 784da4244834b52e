package service

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrInUse is the kind of error that Lock returns while another process has the
// directory.
var ErrInUse = errors.New("in use")

// inUse names the process that has a data directory.
type inUse struct{ process, dir string }

func (e inUse) Error() string {
	return fmt.Sprintf("another robot (process %s) is using %s: stop it, or choose another directory with --data", e.process, e.dir)
}

func (inUse) Unwrap() error { return ErrInUse }

// A DirLock is the ownership of a data directory. The kernel releases it when the
// process ends.
type DirLock struct{ file *os.File }

// Lock takes ownership of a data directory, and creates it if needed. It fails with
// ErrInUse while another process has it.
func Lock(dir string) (*DirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	file, err := openLock(dir)
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
	// The process id is for error messages only, so it doesn't matter if the disk
	// refuses it.
	if file.Truncate(0) == nil {
		_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &DirLock{file}, nil
}

// openLock opens the lock file. On a disk that refuses writes it opens it for
// reading, or locks the directory if there is no file.
func openLock(dir string) (*os.File, error) {
	name := filepath.Join(dir, "lock")
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		return file, nil
	}
	if file, err := os.Open(name); err == nil {
		return file, nil
	}
	if errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOSPC) {
		return os.Open(dir)
	}
	return nil, err
}

// Release ends the ownership.
func (l *DirLock) Release() error { return l.file.Close() }
