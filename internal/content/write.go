package content

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/timing"
	"robot.wtf/internal/wiki"
)

// A writeConn is the only connection that writes, with its prepared statements.
// The holder of the wiki's write lock owns it.
type writeConn struct {
	conn *sql.Conn
	*sqlite.Statements
}

// A tx is a write transaction. Once begun it isn't interrupted: it takes
// milliseconds, and watching a context costs a goroutine per statement.
type tx struct {
	w      *Wiki
	writer *writeConn
}

// inWriteTx runs f in a transaction, with the wiki's write lock, and rolls back on
// error and on panic. done, if not nil, is called after the commit, before the lock
// is released.
func (w *Wiki) inWriteTx(ctx context.Context, f func(*tx) error, done func()) error {
	defer timing.Measure(ctx, timing.Content)()
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
	if w.replacedFile() {
		return w.pool.NoteMissing(w.slug)
	}
	ctx = context.WithoutCancel(ctx)
	if w.writer == nil {
		conn, err := w.db.Conn(ctx)
		if err != nil {
			return sqlite.StorageError(err)
		}
		w.writer = &writeConn{conn, sqlite.NewStatements(conn, 0)}
	}
	returned := false
	defer func() {
		if !returned { // f panicked and may have left the cache half changed
			w.trees = treeCache{}
		}
	}()
	err := (&tx{w, w.writer}).run(f)
	w.writes.Add(1)
	returned = true
	if err != nil {
		err = sqlite.StorageError(w.checkRead(err))
		if errors.Is(err, wiki.ErrStorage) {
			// The state of the disk is unknown after a failed sync, so caches are
			// dropped and the next writer starts from the files. The head is read
			// before the connection is closed: on a full or read-only disk a
			// database stays readable only while a connection is open.
			w.readHead(ctx)
			w.dropWriter()
			w.trees = treeCache{}
		}
		return err
	}
	if done != nil {
		done()
	}
	w.pool.wrote(w.slug)
	return nil
}

// wrote calls Options.Wrote.
func (p *Pool) wrote(slug string) {
	if p.o.Wrote != nil {
		p.o.Wrote(slug)
	}
}

// Checkpoint moves the write-ahead log into the database's file while nobody writes, if
// ready returns true. It reports whether that was all of it.
func (w *Wiki) Checkpoint(ctx context.Context, ready func() bool) (whole bool, err error) {
	select {
	case w.writeLock <- struct{}{}:
		defer func() { <-w.writeLock }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if w.gone.Load() || w.closed || !ready() {
		return false, nil
	}
	whole, err = sqlite.MoveLog(ctx, w.db)
	return whole, wrapError(err, "checkpoint %s", w.slug)
}

var errClosed = errors.New("content: the pool is closed")

func (w *Wiki) dropWriter() {
	if w.writer == nil {
		return
	}
	w.writer.Statements.Close()
	w.writer.conn.Raw(func(any) error { return driver.ErrBadConn }) // so that Close doesn't return it to the pool
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
			t.exec("ROLLBACK") // fails if SQLite has rolled back already
		}
	}()
	if err := f(t); err != nil {
		return err
	}
	err := t.exec("COMMIT")
	committed = err == nil
	return err
}

// context returns the context of all statements of a write transaction, which is
// never done.
func (t *tx) context() context.Context { return context.Background() }

func (t *tx) exec(query string, args ...any) error {
	return t.writer.Exec(t.context(), query, args...)
}

// execCount is like exec and returns the number of rows changed.
func (t *tx) execCount(query string, args ...any) (int64, error) {
	return t.writer.ExecCount(t.context(), query, args...)
}

func (t *tx) queryRow(_ context.Context, query string, args ...any) sqlite.Scanner {
	return t.writer.Row(t.context(), query, args...)
}

func (t *tx) queryRows(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.writer.Rows(t.context(), query, args...)
}

// checkRead leaves errors as they are: inWriteTx checks those of all statements.
func (t *tx) checkRead(err error) error { return err }
