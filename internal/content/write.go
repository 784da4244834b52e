package content

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A writeConn is the one connection that writes, with its prepared statements.
// Whoever holds the wiki's turn owns it.
type writeConn struct {
	conn *sql.Conn
	*sqlite.Statements
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
func (w *Wiki) inWriteTx(ctx context.Context, f func(*tx) error, done func()) error {
	select {
	case w.writeLock <- struct{}{}: // writers wait here, not in SQLite's busy loop
		defer func() { <-w.writeLock }()
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
			return sqlite.StorageError(err)
		}
		w.writer = &writeConn{conn, sqlite.NewStatements(conn, 0)}
	}
	if err := (&tx{w, w.writer, ctx}).run(f); err != nil {
		err = sqlite.StorageError(err)
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
	w.writer.Statements.Close()
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

func (t *tx) exec(query string, args ...any) error {
	return t.writer.Exec(t.ctx, query, args...)
}

// execCount is exec that returns how many rows it changed.
func (t *tx) execCount(query string, args ...any) (int64, error) {
	return t.writer.ExecCount(t.ctx, query, args...)
}

func (t *tx) queryRow(_ context.Context, query string, args ...any) sqlite.Scanner {
	return t.writer.Row(t.ctx, query, args...)
}

func (t *tx) queryRows(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.writer.Rows(t.ctx, query, args...)
}
