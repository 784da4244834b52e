package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// A Scanner is a row of a result, or the error that prevented it.
type Scanner interface{ Scan(dest ...any) error }

type failedRow struct{ err error }

func (f failedRow) Scan(...any) error { return f.err }

// A Handle prepares and runs statements: a *sql.DB, *sql.Conn or *sql.Tx.
type Handle interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Statements runs queries on a handle and keeps each prepared, by its text:
// preparing a statement costs SQLite more than most statements do. It is safe for
// concurrent use if its handle is.
type Statements struct {
	on   Handle
	max  int
	runs atomic.Uint64

	mu   sync.RWMutex
	kept map[string]*sql.Stmt
}

// NewStatements keeps at most max statements prepared on a handle, any number
// if max is 0. Queries beyond it run unprepared. Query texts that depend on user
// input need a bound.
func NewStatements(on Handle, max int) *Statements {
	return &Statements{on: on, max: max, kept: map[string]*sql.Stmt{}}
}

// Row runs a query for one row; the Scanner reports sql.ErrNoRows if there is
// none.
func (s *Statements) Row(ctx context.Context, query string, args ...any) Scanner {
	stmt, err := s.prepare(ctx, query)
	switch {
	case err != nil:
		return failedRow{err}
	case stmt == nil:
		return s.on.QueryRowContext(ctx, query, args...)
	}
	return stmt.QueryRowContext(ctx, args...)
}

// Rows runs a query.
func (s *Statements) Rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := s.prepare(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case stmt == nil:
		return s.on.QueryContext(ctx, query, args...)
	}
	return stmt.QueryContext(ctx, args...)
}

// Exec runs a statement that returns no rows.
func (s *Statements) Exec(ctx context.Context, query string, args ...any) error {
	_, err := s.exec(ctx, query, args...)
	return err
}

// ExecCount runs a statement and returns the number of rows it changed.
func (s *Statements) ExecCount(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := s.exec(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (s *Statements) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := s.prepare(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case stmt == nil:
		return s.on.ExecContext(ctx, query, args...)
	}
	return stmt.ExecContext(ctx, args...)
}

// Runs returns how many statements have been run.
func (s *Statements) Runs() uint64 { return s.runs.Load() }

// prepare returns the statement kept for a query, nil if no more can be kept.
func (s *Statements) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	s.runs.Add(1)
	s.mu.RLock()
	stmt, kept := s.kept[query], len(s.kept)
	s.mu.RUnlock()
	if stmt != nil || s.max > 0 && kept >= s.max {
		return stmt, nil
	}
	stmt, err := s.on.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.kept[query]; first != nil { // another goroutine prepared it meanwhile
		stmt.Close()
		return first, nil
	}
	s.kept[query] = stmt
	return stmt, nil
}

// Queries lists the texts of the statements that are kept, for tests of their
// plans.
func (s *Statements) Queries() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.kept))
}

// Close closes all statements. SQLite keeps a connection and its files open for
// as long as it has statements.
func (s *Statements) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stmt := range s.kept {
		errs = append(errs, stmt.Close())
	}
	clear(s.kept)
	return errors.Join(errs...)
}
