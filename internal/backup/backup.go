// Package backup keeps copies of a data directory in another one, takes them
// while the service runs, proves that they can be restored, and restores them.
//
// The directory of the backups holds
//
//	objects/ab/ab12…   pieces of files, gzip (RFC 1952), by the SHA-256 of their plain text
//	snapshots/*.json   what each backup consists of, oldest first by name
//	incoming/          what a backup under way, or one that was killed, has brought
//	verified.json      which snapshot was last restored and compared, and when
//	attempt.json       how the last backup ended
//	damaged/           objects that a verification found to be broken: the next backup brings
//	                   them again, if what they were made of is still there
//	lock               one writes; those who read keep it from being pruned
//
// Its invariants: a snapshot is listed only once all its pieces are on the disk,
// and a piece is removed only when no snapshot that is kept names it. So a backup
// that is killed, at whatever moment, takes nothing from those before it. What
// did not change since the snapshot before is neither read nor written.
//
// It knows databases as files. What makes a wiki's content right, package
// content says; what the platform's tables hold, package store.
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
)

// Late is the age from which the last backup, or the last proof that one can be
// restored, is an alarm: both are done daily at least.
const Late = 26 * time.Hour

// A Repository is a directory of backups, locked by this process.
type Repository struct {
	dir  string
	lock *os.File
	now  func() time.Time
	log  *slog.Logger
}

// Open opens a directory of backups: for writing, which makes it, or for
// reading. It waits for who is using it otherwise, until ctx ends.
func Open(ctx context.Context, dir string, write bool, now func() time.Time, log *slog.Logger) (*Repository, error) {
	r := &Repository{dir: dir, now: now, log: log}
	if write {
		for _, sub := range []string{"objects", "snapshots"} {
			if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
				return nil, fmt.Errorf("backup: %w", err)
			}
		}
	} else if _, err := os.Stat(filepath.Join(dir, "snapshots")); err != nil {
		return nil, fmt.Errorf("backup: %s holds no backups: %w", dir, err)
	}
	how := syscall.LOCK_SH
	if write {
		how = syscall.LOCK_EX
	}
	var err error
	if r.lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600); err == nil {
		err = r.wait(ctx, how)
	}
	if err != nil {
		return nil, fmt.Errorf("backup: lock %s: %w", dir, err)
	}
	return r, nil
}

// wait takes the lock when it is free.
func (r *Repository) wait(ctx context.Context, how int) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for told := false; ; told = true {
		err := syscall.Flock(int(r.lock.Fd()), how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if !told {
			r.log.Info("backup: another backup, verification or restore is under way; waiting for it")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), r.lock.Close())
		}
	}
}

// Close lets others use the directory.
func (r *Repository) Close() error { return r.lock.Close() }

func (r *Repository) path(parts ...string) string {
	return filepath.Join(append([]string{r.dir}, parts...)...)
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return !errors.Is(err, fs.ErrNotExist)
}
