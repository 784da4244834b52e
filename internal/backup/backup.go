// Package backup backs up a data directory into a repository while the service
// runs, verifies that backups can be restored, and restores them.
//
// A repository is a directory with this layout:
//
//	objects/ab/ab12…   chunks of files and wiki records, gzip (RFC 1952), named by the SHA-256 of the uncompressed data
//	snapshots/*.json   one file per backup; names sort by time
//	incoming/          staging area of the backup in progress, or of one that was killed
//	verified.json      the last snapshot that was verified, and when
//	attempt.json       the outcome of the last backup
//	verify-attempt.json  that of the last verification
//	kept/              empty files named like the snapshots that aren't pruned
//	damaged/           corrupt objects found by a verification; the next backup stores
//	                   them again if their source still exists
//	log/               what a running service has shipped (package shipping)
//	lock               exclusive for writers, shared for readers
//
// Invariants: a snapshot is listed only after all its objects are on disk, and
// an object is deleted only when no remaining snapshot refers to it. A backup
// that is killed therefore never harms earlier ones. Databases that haven't
// changed since the previous snapshot are neither read nor stored again.
//
// The package treats databases as files. Package content decides whether a
// wiki's database is intact; package store knows the platform's tables.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/durable"
)

// A Repository is a backup directory locked by this process.
type Repository struct {
	dir  string
	lock *os.File
	now  func() time.Time
	room func(dir string) (int64, error) // durable.Room, except in tests
	log  *slog.Logger

	background *background.Workers
}

// Open opens and locks a backup directory. With write, it creates the directory
// if needed and takes the lock exclusively. It waits for the lock until ctx is
// done.
func Open(ctx context.Context, dir string, write bool, now func() time.Time, log *slog.Logger) (*Repository, error) {
	r := &Repository{dir: dir, now: now, room: durable.Room, log: log, background: background.New(background.Options{Log: log})}
	if write {
		for _, sub := range []string{"objects", "snapshots"} {
			if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
				return nil, fmt.Errorf("backup: %w", err)
			}
		}
	} else if _, err := os.Stat(filepath.Join(dir, "snapshots")); err != nil {
		return nil, fmt.Errorf("backup: %s contains no backups: %w", dir, err)
	}
	mode := syscall.LOCK_SH
	if write {
		mode = syscall.LOCK_EX
	}
	var err error
	if r.lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600); err == nil {
		err = r.acquireLock(ctx, mode)
	}
	if err != nil {
		return nil, fmt.Errorf("backup: lock %s: %w", dir, err)
	}
	return r, nil
}

// acquireLock locks the repository, polling until the lock is free or ctx is done.
func (r *Repository) acquireLock(ctx context.Context, mode int) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for logged := false; ; logged = true {
		err := syscall.Flock(int(r.lock.Fd()), mode|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if !logged {
			r.log.Info("backup: waiting for another backup, verification or restore to finish")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), r.lock.Close())
		}
	}
}

// Close releases the lock.
func (r *Repository) Close() error { return r.lock.Close() }

func (r *Repository) path(parts ...string) string {
	return filepath.Join(append([]string{r.dir}, parts...)...)
}

func fileExists(file string) bool {
	_, err := os.Lstat(file)
	return !errors.Is(err, fs.ErrNotExist)
}
