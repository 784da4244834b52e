package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// A Size is what a wiki held when it was last counted. The wiki's own database always has
// the present size; with this copy, lists needn't open every wiki.
type Size struct {
	Pages, Files int // files besides pages are attachments
	Current      int64
	History      int64 // bytes, with Current
	Counted      time.Time
}

// SetSize records a wiki's size, now. It does nothing for a wiki that is gone.
func (db *DB) SetSize(ctx context.Context, slug string, s Size) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO sizes (slug, pages, files, current, history, counted) SELECT slug, $2, $3, $4, $5, $6 FROM sites WHERE slug = $1
			ON CONFLICT (slug) DO UPDATE SET pages = excluded.pages, files = excluded.files, current = excluded.current, history = excluded.history, counted = excluded.counted`,
			slug, s.Pages, s.Files, s.Current, s.History, db.nowMillis())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: record the size of %s: %w", slug, err)
	}
	return nil
}

// Sizes returns the recorded sizes by wiki.
func (db *DB) Sizes(ctx context.Context) (map[string]Size, error) {
	sizes := map[string]Size{}
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var slug string
		var s Size
		var counted int64
		err := rows.Scan(&slug, &s.Pages, &s.Files, &s.Current, &s.History, &counted)
		s.Counted = timeFromMillis(counted)
		sizes[slug] = s
		return err
	}, `SELECT slug, pages, files, current, history, counted FROM sizes`)
	if err != nil {
		return nil, fmt.Errorf("store: list sizes: %w", err)
	}
	return sizes, nil
}
