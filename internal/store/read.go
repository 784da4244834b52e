package store

import (
	"context"
	"database/sql"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/timing"
)

// queryRow reads one row.
func (db *DB) queryRow(ctx context.Context, query string, args ...any) sqlite.Scanner {
	defer timing.Measure(ctx, timing.Store)()
	return db.reads.Row(ctx, query, args...)
}

// forEachRow calls scan for each row of a query. It returns translated errors.
func (db *DB) forEachRow(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) error {
	defer timing.Measure(ctx, timing.Store)()
	rows, err := db.reads.Rows(ctx, query, args...)
	if err != nil {
		return sqlite.Translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return sqlite.Translate(err)
		}
	}
	return sqlite.Translate(rows.Err())
}
