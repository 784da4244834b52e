package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"syscall"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"robot.wtf/internal/wiki"
)

// A failure is what an error of the driver or the operating system means.
type failure int

const (
	unclassified failure = iota // not about storage: a wrong statement, for example
	duplicate                   // a unique or primary key is taken
	dangling                    // a foreign key leads nowhere
	full                        // no space left
	unwritable                  // read-only, or a write failed
	unreadable                  // a read failed
	unavailable                 // out of file descriptors, memory or permissions
	busy                        // locked by another connection
	damaged                     // not the database that was written
	interrupted                 // the caller gave up
)

// classify is the one table of failures (https://sqlite.org/rescode.html,
// errno(3)).
func classify(err error) failure {
	var inSQL *driver.Error
	var inSystem syscall.Errno
	switch {
	case errors.As(err, &inSQL):
		return classifyCode(inSQL.Code())
	case errors.As(err, &inSystem):
		switch inSystem {
		case syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG:
			return full
		case syscall.EROFS:
			return unwritable
		case syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.EACCES, syscall.EPERM:
			return unavailable
		}
	}
	return unclassified
}

func classifyCode(extended int) failure {
	switch extended {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY, lib.SQLITE_CONSTRAINT_ROWID:
		return duplicate
	case lib.SQLITE_CONSTRAINT_FOREIGNKEY:
		return dangling
	case lib.SQLITE_IOERR_READ, lib.SQLITE_IOERR_SHORT_READ, lib.SQLITE_IOERR_DATA, lib.SQLITE_IOERR_CORRUPTFS:
		return unreadable
	}
	switch extended & 0xff {
	case lib.SQLITE_FULL:
		return full
	case lib.SQLITE_READONLY, lib.SQLITE_IOERR:
		return unwritable
	case lib.SQLITE_CANTOPEN, lib.SQLITE_NOMEM, lib.SQLITE_PROTOCOL:
		return unavailable
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return busy
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return damaged
	case lib.SQLITE_INTERRUPT:
		return interrupted
	}
	return unclassified
}

// Translate turns errors of the driver into those of package wiki: no row is
// ErrNotFound, a key that is taken ErrExists, a foreign key that leads nowhere
// ErrNotFound, and the rest as StorageError has it.
func Translate(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return wiki.ErrNotFound
	}
	switch classify(err) {
	case duplicate:
		return fmt.Errorf("%w: %v", wiki.ErrExists, err)
	case dangling:
		return fmt.Errorf("%w: %v", wiki.ErrNotFound, err)
	}
	return StorageError(err)
}

// StorageError turns what the driver or the system reports of failing storage
// into a wiki.Problem of the kind ErrStorage, ErrStorageBusy or ErrDamaged, which wraps the cause.
// Other errors stay as they are.
func StorageError(err error) error {
	if err == nil || errors.Is(err, wiki.ErrStorage) {
		return err
	}
	kind, message := wiki.ErrStorage, ""
	found := classify(err)
	count(found)
	switch found {
	case full:
		message = "The server's disk is full. Nothing was lost or changed: try again later."
	case unwritable, unavailable:
		message = "The server's storage isn't working. Nothing was lost or changed: try again later."
	case busy:
		kind = wiki.ErrStorageBusy
		message = "The server's storage is busy. Nothing was lost or changed: try again in a moment."
	case damaged, unreadable:
		kind = wiki.ErrDamaged
		message = "The server's storage is damaged. Nothing was changed: the operator has to repair it."
	default:
		return err
	}
	return fmt.Errorf("%w: %w", wiki.Problemf(kind, "", "%s", message), err)
}

// Full reports that there is no space left.
func Full(err error) bool { return classify(err) == full }

// Unwritable reports that a write failed because the disk is full, read-only or
// failing. Earlier writes can still be read.
func Unwritable(err error) bool {
	f := classify(err)
	return f == full || f == unwritable
}

// Corrupt reports that a part of a database file can't be read, or has changed since
// it was written.
func Corrupt(err error) bool {
	f := classify(err)
	return f == damaged || f == unreadable
}

// Unavailable reports that a file couldn't be opened, for lack of the file, of
// permission, or of file descriptors.
func Unavailable(err error) bool { return classify(err) == unavailable }

// Temporary reports a failure that says nothing about the database itself: the disk
// is full or read-only, a lock is held, the process has no file descriptors left.
func Temporary(err error) bool {
	switch classify(err) {
	case full, unwritable, busy, interrupted:
		return true
	}
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Damaged reports a database that has to be rebuilt: it can't be read, or it
// isn't the one its owner expects. Full disks, locks and interrupted calls don't
// count.
func Damaged(err error) bool {
	var inSQL *driver.Error
	if !errors.As(err, &inSQL) {
		return false
	}
	switch classifyCode(inSQL.Code()) {
	case full, unwritable, unavailable, busy, interrupted:
		return false
	}
	return true
}
