package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// An Aside is input that made background work panic. The program of that version
// skips it.
type Aside struct {
	Wiki, Work, Item string // as in background.Job
	Version          string
	Time             time.Time
}

// maxAside bounds the rows of one kind of work on one wiki, as in package
// background. The oldest are deleted.
const maxAside = 100

// AddAside records an Aside, now.
func (db *DB) AddAside(ctx context.Context, a Aside) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO aside (wiki, work, item, version, time) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (wiki, work, item) DO UPDATE SET version = excluded.version, time = excluded.time`,
			a.Wiki, a.Work, a.Item, a.Version, db.nowMillis())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			DELETE FROM aside WHERE wiki = $1 AND work = $2 AND item <> $3 AND item NOT IN (
				SELECT item FROM aside WHERE wiki = $1 AND work = $2 AND item <> $3 ORDER BY time DESC, item LIMIT $4)`,
			a.Wiki, a.Work, a.Item, maxAside-1)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: set aside %s of %s: %w", a.Item, a.Wiki, err)
	}
	return nil
}

// Asides returns all Asides, by wiki.
func (db *DB) Asides(ctx context.Context) ([]Aside, error) {
	var list []Aside
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var a Aside
		var at int64
		err := rows.Scan(&a.Wiki, &a.Work, &a.Item, &a.Version, &at)
		a.Time = timeFromMillis(at)
		list = append(list, a)
		return err
	}, `SELECT wiki, work, item, version, time FROM aside ORDER BY wiki, work, time, item`)
	if err != nil {
		return nil, fmt.Errorf("store: list input set aside: %w", err)
	}
	return list, nil
}

// ClearAside deletes the Asides of a wiki.
func (db *DB) ClearAside(ctx context.Context, slug string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error { return clearAside(ctx, tx, slug) })
	if err != nil {
		return fmt.Errorf("store: clear input set aside for %s: %w", slug, err)
	}
	return nil
}

func clearAside(ctx context.Context, tx *sql.Tx, slug string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM aside WHERE wiki = $1`, slug)
	return err
}
