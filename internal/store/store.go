// Package store owns the platform's database: users, sites, members, sessions,
// tokens, invitations, own domains of wikis, OAuth clients and grants, one-time codes,
// former names and the audit log.
// It doesn't own the contents of wikis (package content), and it doesn't decide
// about access (packages tenant, session and oauth).
//
// Invariants:
//   - A user is identified by DID. The handle is only shown; it can pass to another
//     person. The username is chosen once, never changes, and is the slug of the
//     person's wiki.
//   - A name that was deleted stays reserved: only the same DID, known by a keyed
//     hash, can take it again.
//   - Secrets (tokens, codes, states) are stored as SHA-256 hashes.
//   - Codes and sign-ins are read and deleted in one step, and invitations checked and
//     used in one, so only one of two concurrent callers gets them.
//   - A change of a site or account and its audit entry are one transaction.
//
// Rows that nearly every request needs (a site with its members, a user, a
// session, a token, a grant) are cached; the methods that change a row drop it
// from the cache. This requires that a single process owns the database.
//
// Errors are the kinds of package wiki: ErrNotFound for a missing row, ErrExists
// for a key that is taken, ErrStorage for a disk that fails. Times are unix
// milliseconds from the clock given to Open.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"sync"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/timing"
	"robot.wtf/internal/wiki"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations make the platform's database. Programs that don't know the oldest schema
// would lose something in it.
var migrations = sqlite.Migrations{Files: sqlite.Sub(migrationFiles, "migrations"), Oldest: 26}

// Schema returns the newest schema of the platform's database that this program knows.
func Schema() (sqlite.Schema, error) { return migrations.Schema() }

// A DB is the platform's database. It is safe for concurrent use.
type DB struct {
	sql   *sql.DB
	now   func() time.Time
	wrote func() // see Options; never nil

	// writing makes writers wait in Go instead of in SQLite's busy loop.
	writing sync.Mutex

	check   sync.Mutex // guards the next two fields
	checked time.Time
	failing error // result of the last check

	reads          *sqlite.Statements
	users          *rowCache[string, wiki.User]
	sites          *rowCache[string, *Site]
	sessions       *rowCache[string, Session]
	tokens         *rowCache[tokenHash, *Token]
	personalTokens *rowCache[tokenHash, *Token]
	grants         *rowCache[string, *Grant]
	secretLinks    *rowCache[string, *SecretLink]
	domains        domainTable
}

// cachedRows limits each row cache. A row takes about 500 bytes.
const cachedRows = 10_000

// Open opens the database file, creates it if it doesn't exist, and runs pending
// migrations.
func Open(ctx context.Context, path string, now func() time.Time) (*DB, error) {
	return OpenWith(ctx, path, Options{Now: now})
}

// Options describe how a database is used.
type Options struct {
	Now func() time.Time
	// Wrote is called after each write transaction; nil for nobody. It must return at
	// once. If it is set, the write-ahead log is moved into the database's file by
	// Checkpoint and Close.
	Wrote func()
}

// OpenWith is Open with more options.
func OpenWith(ctx context.Context, path string, o Options) (*DB, error) {
	created, err := createFile(path)
	if err != nil {
		return nil, fmt.Errorf("store: create %s: %w", path, sqlite.StorageError(err))
	}
	conn, err := sqlite.Open(path, sqlite.Options{ForeignKeys: true, IdleConns: 4, MustExist: true, KeepLog: o.Wrote != nil})
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	db := &DB{
		sql:            conn,
		now:            o.Now,
		wrote:          o.Wrote,
		reads:          sqlite.NewStatements(conn, 0),
		users:          newRowCache[string, wiki.User](cachedRows),
		sites:          newRowCache[string, *Site](cachedRows),
		sessions:       newRowCache[string, Session](cachedRows),
		tokens:         newRowCache[tokenHash, *Token](cachedRows),
		personalTokens: newRowCache[tokenHash, *Token](cachedRows),
		grants:         newRowCache[string, *Grant](cachedRows),
		secretLinks:    newRowCache[string, *SecretLink](cachedRows),
	}
	if db.wrote == nil {
		db.wrote = func() {}
	}
	if created {
		return db, nil
	}
	if err := migrations.Apply(ctx, conn); err != nil {
		conn.Close()
		return nil, fmt.Errorf("store: migrate %s: %w", path, err)
	}
	return db, nil
}

// Close closes the database.
func (db *DB) Close() error {
	return errors.Join(db.reads.Close(), db.sql.Close())
}

// Check fails if the database can't be written. It writes at most once a second;
// calls in between get the last result.
func (db *DB) Check(ctx context.Context) error {
	db.check.Lock()
	defer db.check.Unlock()
	if now := time.Now(); now.Sub(db.checked) >= time.Second {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // others share the result
		defer cancel()
		db.checked, db.failing = now, db.tx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO alive (id, time) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET time = excluded.time`, db.nowMillis())
			return err
		})
	}
	if db.failing != nil {
		return fmt.Errorf("store: check: %w", db.failing)
	}
	return nil
}

// tx runs do in a write transaction, and rolls back on error and on panic. All
// transactions of this package begin here.
func (db *DB) tx(ctx context.Context, do func(*sql.Tx) error) error {
	defer timing.Measure(ctx, timing.Store)()
	db.writing.Lock()
	defer db.writing.Unlock()
	tx, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return sqlite.Translate(err)
	}
	defer tx.Rollback() // no effect after a commit
	if err := do(tx); err != nil {
		return sqlite.Translate(err)
	}
	if err := tx.Commit(); err != nil {
		return sqlite.Translate(err)
	}
	db.wrote()
	return nil
}

// Checkpoint moves the write-ahead log into the database's file while nobody writes, if
// ready returns true. It reports whether that was all of it.
func (db *DB) Checkpoint(ctx context.Context, ready func() bool) (whole bool, err error) {
	db.writing.Lock()
	defer db.writing.Unlock()
	if !ready() {
		return false, nil
	}
	whole, err = sqlite.MoveLog(ctx, db.sql)
	return whole, sqlite.Translate(err)
}

// addExpiring inserts a row that expires, after sweep has deleted the expired ones.
func (db *DB) addExpiring(ctx context.Context, sweep, insert string, args ...any) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, sweep, db.nowMillis()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, insert, args...)
		return err
	})
}

// nowMillis returns the current time as stored in tables.
func (db *DB) nowMillis() int64 { return db.now().UnixMilli() }
