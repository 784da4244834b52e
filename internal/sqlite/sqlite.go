// Package sqlite opens SQLite databases, keeps their prepared statements, and
// turns the driver's errors into those of package wiki. Only this package imports
// the driver.
//
// It doesn't own SQL, migrations or transactions: each database belongs to one
// package (store, content, search), which runs its own statements with $1, $2 …
// and begins its transactions in one place. What those packages use of this one
// (a *sql.DB, Statements, Translate, StorageError) says nothing about SQLite, so
// a second engine can offer the same.
//
// Invariants of every database that Open opens:
//   - journal_mode is WAL: readers don't wait for the writer.
//   - synchronous is FULL for data that must survive a power failure, so a commit
//     returns once its bytes are on disk, and OFF for a derived index, which is
//     rebuilt if a power failure tears it.
//   - Write transactions begin with BEGIN IMMEDIATE. One that reads first and then
//     writes would otherwise fail when another writer commits in between.
//   - busy_timeout is 5 s, for other processes such as a backup. Writers of one
//     process must queue in Go instead.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"

	driver "modernc.org/sqlite"
)

// Options say how a database is used.
type Options struct {
	MustExist   bool // fail if the file doesn't exist or is empty, instead of creating a database
	Derived     bool // the content can be rebuilt: don't sync
	ForeignKeys bool // enforce foreign keys
	CacheKB     int  // page cache of each connection, within pageMemory; 0 is SQLite's default, 2,000
	IdleConns   int  // connections kept open while unused, of at most 4; 0 is 2
	// KeepLog leaves it to the caller to move the write-ahead log into the database's
	// file, see MoveLog. Closing the last connection still does.
	KeepLog bool
	// Relieve closes files that aren't in use. It is called when the process has too
	// few file descriptors to open the database, which is then tried again. Can be nil.
	Relieve func()
}

// Open opens a database file for reading and writing. Errors of the file itself,
// such as fs.ErrNotExist, appear with the first statement. On a disk that is full
// or read-only, an existing database can be read, and writing fails until there is
// space.
func Open(file string, o Options) (*sql.DB, error) {
	useFdatasync()
	registered, err := sqliteDriver()
	if err != nil {
		return nil, err
	}
	reading := []string{"busy_timeout(5000)", fmt.Sprintf("soft_heap_limit(%d)", pageMemory)}
	if o.ForeignKeys {
		reading = append(reading, "foreign_keys(ON)")
	}
	if o.CacheKB > 0 {
		reading = append(reading, fmt.Sprintf("cache_size(-%d)", o.CacheKB))
	}
	if o.Derived {
		reading = append(reading, "trusted_schema(OFF)")
	}
	writing := append(slices.Clone(reading), "journal_mode(WAL)", "synchronous(FULL)", fmt.Sprintf("journal_size_limit(%d)", logLimit))
	if o.Derived {
		writing[slices.Index(writing, "synchronous(FULL)")] = "synchronous(OFF)"
	}
	if o.KeepLog { // a log that grows costs more than one that is written again
		writing[slices.Index(writing, fmt.Sprintf("journal_size_limit(%d)", logLimit))] = fmt.Sprintf("journal_size_limit(%d)", keptLogLimit)
		writing = append(writing, "wal_autocheckpoint(0)")
	}
	mode := "rwc"
	if o.MustExist {
		mode = "rw"
	}
	if o.IdleConns == 0 {
		o.IdleConns = 2
	}
	immediate := []string{"immediate"}
	db := sql.OpenDB(&connector{
		file: file, driver: registered, relieve: o.Relieve, existing: o.MustExist,
		write: uri(file, url.Values{"mode": {mode}, "_pragma": writing, "_txlock": immediate}),
		// Without locks and in exclusive mode, the index of the log is in memory
		// (https://sqlite.org/wal.html#noshm).
		readLog:  uri(file, url.Values{"mode": {"ro"}, "vfs": {"unix-none"}, "_pragma": append([]string{"locking_mode(EXCLUSIVE)"}, reading...), "_txlock": immediate}),
		readFile: uri(file, url.Values{"mode": {"ro"}, "immutable": {"1"}, "_pragma": reading, "_txlock": immediate}),
	})
	db.SetMaxOpenConns(4) // one of them writes
	db.SetMaxIdleConns(o.IdleConns)
	return db, nil
}

// pageMemory bounds the page caches of all connections of the process together, in bytes.
// Beyond it, a cache reuses its own pages. The file system's cache usually still has the
// pages that it drops.
const pageMemory = 8 << 20

// logLimit is the size in bytes that a write-ahead log is cut down to after a large
// transaction.
const logLimit = 4 << 20

// keptLogLimit is the limit of logs that the caller moves, which happens less often.
const keptLogLimit = 4 * logLimit

// TruncateLog moves the write-ahead log into the database's file and empties it. q is
// a *sql.DB or *sql.Conn. It fails with ErrBusy if others are reading or writing.
func TruncateLog(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) error {
	var busy, frames, moved int
	err := q.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err == nil && busy != 0 {
		err = ErrBusy
	}
	return err
}

// ErrBusy is the error of TruncateLog while others use the database.
var ErrBusy = errors.New("sqlite: others are using the database")

// useFdatasync lets a commit wait for its bytes and the file's size, as SQLite's
// own builds do, and not for the file's new modification time. The setting holds
// for the whole process; an error means that the system has fsync only.
var useFdatasync = sync.OnceFunc(func() { _, _ = driver.Fdatasync(true) })

// OpenCopy opens, for reading, a database file that no process is writing: a
// backup or an upload. It has one connection.
func OpenCopy(file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", uri(file, url.Values{"mode": {"ro"}, "immutable": {"1"}, "_pragma": {"cache_size(-8000)"}}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// Image returns the bytes of a database file with what fill creates. It uses no
// disk.
func Image(ctx context.Context, fill func(*sql.DB) error) ([]byte, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection to :memory: has a database of its own
	if err := fill(db); err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var image []byte
	err = conn.Raw(func(c any) error {
		source, ok := c.(interface{ Serialize() ([]byte, error) })
		if !ok {
			return errors.New("sqlite: the driver can't serialize databases")
		}
		image, err = source.Serialize()
		return err
	})
	return image, err
}

// Copy copies a database to a new file, page by page and as of one moment, while
// others write to it (https://sqlite.org/backup.html). It doesn't sync the copy.
func Copy(ctx context.Context, from, to string) error {
	db, err := sql.Open("sqlite", uri(from, url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(10000)"}}))
	if err != nil {
		return err
	}
	return errors.Join(copyDatabase(ctx, db, to), db.Close())
}

// CopyFile copies the file of a database without its write-ahead log. Nobody may move the
// log meanwhile. A process mustn't open the file of a database that it has open itself:
// closing it would end SQLite's locks (https://sqlite.org/howtocorrupt.html, 2.2).
func CopyFile(ctx context.Context, from, to string) error {
	db, err := OpenCopy(from)
	if err != nil {
		return err
	}
	return errors.Join(copyDatabase(ctx, db, to), db.Close())
}

// copyDatabase copies a database page by page.
func copyDatabase(ctx context.Context, db *sql.DB, to string) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
		source, ok := c.(interface {
			NewBackup(to string) (*driver.Backup, error)
		})
		if !ok {
			return errors.New("sqlite: the driver can't copy databases")
		}
		backup, err := source.NewBackup(uri(to, url.Values{"_pragma": {"synchronous(OFF)"}}))
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			more, err = backup.Step(-1) // all pages, in one read transaction
		}
		return errors.Join(err, backup.Finish())
	})
}

// uri names a database file with its options (https://sqlite.org/uri.html).
func uri(file string, options url.Values) string {
	return "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + options.Encode()
}
