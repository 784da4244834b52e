package content

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"sync"
	"sync/atomic"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"robot.wtf/internal/wiki"
)

// A Wiki is one wiki's content. It is safe for concurrent use.
type Wiki struct {
	slug string
	o    *Options
	db   *sql.DB

	mu   sync.Mutex // makes writers wait in Go instead of in SQLite's busy loop
	head atomic.Pointer[head]

	names atomic.Pointer[names]
	stmts sync.Map // query text -> *sql.Stmt
}

type head struct {
	seq int64
	id  string
}

// names are the current paths as of a head.
type names struct {
	seq   int64
	paths []string
}

func openSQL(file string) (*sql.DB, error) {
	pragmas := url.Values{
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-2000)"},
		"_txlock": {"immediate"},
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?"+pragmas.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(2)
	return db, nil
}

func (p *Pool) load(ctx context.Context, slug string) (*Wiki, error) {
	file := p.file(slug)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("content: open %s: %w", slug, wiki.ErrNotFound)
	}
	db, err := openSQL(file)
	if err != nil {
		return nil, fmt.Errorf("content: open %s: %w", slug, err)
	}
	w := &Wiki{slug: slug, o: &p.o, db: db}
	if err := w.start(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("content: open %s: %w", slug, storageError(err))
	}
	return w, nil
}

func (w *Wiki) start(ctx context.Context) error {
	var version int
	if err := w.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > schema {
		return fmt.Errorf("its database is of a newer version (%d) of this program", version)
	}
	if version < schema {
		if err := migrate(ctx, w.db); err != nil {
			return err
		}
	}
	h := new(head)
	if err := w.row(ctx, "SELECT seq, head FROM meta WHERE wiki = $1", w.slug).Scan(&h.seq, &h.id); err != nil {
		return err
	}
	w.head.Store(h)
	return nil
}

func (w *Wiki) close() {
	w.stmts.Range(func(_, s any) bool { s.(*sql.Stmt).Close(); return true })
	w.db.Close()
}

// Slug is the wiki's.
func (w *Wiki) Slug() string { return w.slug }

// Head is the number and id of the newest commit, 0 and "" in an empty wiki.
// It reads memory, not the database.
func (w *Wiki) Head() (seq int64, id string) {
	h := w.head.Load()
	return h.seq, h.id
}

// prepared keeps a statement for each query text. There are some thirty.
func (w *Wiki) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := w.stmts.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := w.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if kept, loaded := w.stmts.LoadOrStore(query, s); loaded {
		s.Close()
		return kept.(*sql.Stmt), nil
	}
	return s, nil
}

// A scanner is a row to be, or the error that prevented it.
type scanner interface{ Scan(dest ...any) error }

type failed struct{ err error }

func (f failed) Scan(...any) error { return f.err }

func (w *Wiki) row(ctx context.Context, query string, args ...any) scanner {
	s, err := w.prepared(ctx, query)
	if err != nil {
		return failed{err}
	}
	return s.QueryRowContext(ctx, args...)
}

func (w *Wiki) rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := w.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// A tx is one write transaction.
type tx struct {
	w   *Wiki
	sql *sql.Tx
}

// write runs f in an immediate transaction, alone in this process, and rolls
// back on error and on panic. done is called after the commit, still alone.
func (w *Wiki) write(ctx context.Context, f func(*tx) error, done func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	t, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return storageError(err)
	}
	defer t.Rollback() // after a commit this does nothing
	if err := f(&tx{w, t}); err != nil {
		return storageError(err)
	}
	if err := t.Commit(); err != nil {
		return storageError(err)
	}
	if done != nil {
		done()
	}
	return nil
}

func (t *tx) exec(ctx context.Context, query string, args ...any) error {
	s, err := t.w.prepared(ctx, query)
	if err != nil {
		return err
	}
	_, err = t.sql.StmtContext(ctx, s).ExecContext(ctx, args...)
	return err
}

func (t *tx) row(ctx context.Context, query string, args ...any) scanner {
	s, err := t.w.prepared(ctx, query)
	if err != nil {
		return failed{err}
	}
	return t.sql.StmtContext(ctx, s).QueryRowContext(ctx, args...)
}

func (t *tx) rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := t.w.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return t.sql.StmtContext(ctx, s).QueryContext(ctx, args...)
}

// storageError translates the driver's errors that a person can act on.
func storageError(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", wiki.Problemf(wiki.ErrStorage, "", "The wiki's storage cannot be written now. Nothing was lost or changed: try again later."), err)
	}
	return err
}
