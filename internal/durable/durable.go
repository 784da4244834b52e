// Package durable makes changes to files survive a crash or a power failure.
//
// A write is on disk only once the file has been fsynced, and a new, renamed or
// removed name only once its directory has been (fsync(2)). This package owns
// those two rules; other packages call it instead of Sync and Rename, which a
// test of the import table's package checks.
//
// Invariants: WriteFile leaves the old content or the new, never a mixture, and
// when a function returns nil its effect survives a power failure. It doesn't own
// databases, which SQLite syncs itself, or bulk copies, for which
// one syncfs(2) is cheaper than thousands of fsyncs.
package durable

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// TempPrefix begins the names of WriteFile's unfinished files. A process that is
// killed leaves them behind.
const TempPrefix = ".tmp-"

// WriteFile replaces the content of a file, or creates it, with mode 0600. The
// directory must exist.
func WriteFile(file string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), TempPrefix) // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once the file is renamed
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return Rename(f.Name(), file)
}

// Create makes a new file with mode 0600 and has write fill it; fs.ErrExist if
// the file exists. It doesn't fsync the directory: call SyncDir once all files
// are in it. A file that couldn't be completed is left for the caller to remove.
func Create(file string, write func(io.Writer) error) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// SyncFile fsyncs a file that was changed in place.
func SyncFile(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Rename renames a file or directory and fsyncs the directory that holds the new
// name. When it fails with an *os.LinkError, nothing was renamed.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// SyncDir fsyncs a directory so that names added to it, and names removed from
// it, survive a crash.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
