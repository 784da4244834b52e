package content

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"robot.wtf/internal/wiki"
)

// A writeConn is the one connection that writes, with its prepared statements.
// Whoever holds the wiki's turn owns it.
type writeConn struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

// A tx is one write transaction. Once begun it is not interrupted: it takes
// milliseconds, and watching a context costs every statement a goroutine.
type tx struct {
	w      *Wiki
	writer *writeConn
	ctx    context.Context // never done
}

// write runs f in a transaction that excludes all other writers, and rolls back
// on error and on panic. done, if not nil, is called after the commit, still
// alone.
func (w *Wiki) write(ctx context.Context, f func(*tx) error, done func()) error {
	select {
	case w.turn <- struct{}{}: // writers wait here, not in SQLite's busy loop
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.gone.Load() {
		return wiki.ErrNotFound
	}
	if w.closed {
		return errClosed
	}
	ctx = context.WithoutCancel(ctx)
	if w.writer == nil {
		conn, err := w.db.Conn(ctx)
		if err != nil {
			return storageError(err)
		}
		w.writer = &writeConn{conn, map[string]*sql.Stmt{}}
	}
	if err := (&tx{w, w.writer, ctx}).run(f); err != nil {
		err = storageError(err)
		if errors.Is(err, wiki.ErrStorage) {
			// What a failed sync leaves on the disk is unknown, so nothing that
			// was remembered counts: the next writer begins from the files.
			// It is read first, as far as that goes: on a full or read-only disk the
			// database stays readable only while somebody has it open.
			w.readHead(ctx)
			w.dropWriter()
			w.trees = treeCache{}
		}
		return err
	}
	if done != nil {
		done()
	}
	return nil
}

var errClosed = errors.New("content: the pool is closed")

func (w *Wiki) dropWriter() {
	if w.writer == nil {
		return
	}
	// SQLite keeps a connection, with its files, for as long as it has statements.
	for _, s := range w.writer.stmts {
		s.Close()
	}
	w.writer.conn.Raw(func(any) error { return driver.ErrBadConn }) // else it goes back to the pool
	w.writer.conn.Close()
	w.writer = nil
}

func (t *tx) run(f func(*tx) error) error {
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			t.exec("ROLLBACK") // an error means that SQLite has done so already
		}
	}()
	if err := f(t); err != nil {
		return err
	}
	err := t.exec("COMMIT")
	committed = err == nil
	return err
}

func (t *tx) prepared(query string) (*sql.Stmt, error) {
	if s := t.writer.stmts[query]; s != nil {
		return s, nil
	}
	s, err := t.writer.conn.PrepareContext(t.ctx, query)
	if err == nil {
		t.writer.stmts[query] = s
	}
	return s, err
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.count(query, args...)
	return err
}

// count is exec that tells how many rows it wrote.
func (t *tx) count(query string, args ...any) (int64, error) {
	s, err := t.prepared(query)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (t *tx) row(_ context.Context, query string, args ...any) scanner {
	s, err := t.prepared(query)
	if err != nil {
		return failed{err}
	}
	return s.QueryRowContext(t.ctx, args...)
}

func (t *tx) rows(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := t.prepared(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(t.ctx, args...)
}

// storageError translates what the driver and the system say when storage
// fails. Other errors stay as they are.
func storageError(err error) error {
	if errors.Is(err, wiki.ErrStorage) {
		return err
	}
	message := ""
	var inSQL *sqlite.Error
	var inSystem syscall.Errno
	switch {
	case errors.As(err, &inSQL):
		switch inSQL.Code() & 0xff {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL:
			message = storageFails
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			message = "The wiki's storage is busy. Nothing was lost or changed: try again in a moment."
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			message = "The wiki's storage is damaged. Nothing was changed; whoever runs this service must repair it."
		}
	case errors.As(err, &inSystem):
		switch inSystem {
		case syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EFBIG, syscall.EMFILE, syscall.ENFILE, syscall.EACCES, syscall.EPERM:
			message = storageFails
		}
	}
	if message == "" {
		return err
	}
	return fmt.Errorf("%w: %w", wiki.Problemf(wiki.ErrStorage, "", "%s", message), err)
}

const storageFails = "The wiki's storage cannot be used now. Nothing was lost or changed: try again later."
