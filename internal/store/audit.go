package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// audit notes who changed what, in the transaction of the change.
func (db *DB) audit(ctx context.Context, tx *sql.Tx, actor, slug, action, detail string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO audit (time, actor, slug, action, detail) VALUES ($1, $2, $3, $4, $5)`,
		db.millis(), actor, slug, action, detail)
	return err
}

// An Event is one entry of the audit log.
type Event struct {
	Time   time.Time
	Actor  string // DID
	Slug   string
	Action string // "member.set"
	Detail string
}

// Audit lists what was changed about a site, newest first.
func (db *DB) Audit(ctx context.Context, slug string, limit int) ([]Event, error) {
	rows, err := db.sql.QueryContext(ctx, `
		SELECT time, actor, slug, action, detail FROM audit WHERE slug = $1 ORDER BY id DESC LIMIT $2`, slug, limit)
	if err != nil {
		return nil, fmt.Errorf("store: audit of %s: %w", slug, err)
	}
	defer rows.Close()
	var events []Event
	for rows.Next() {
		var e Event
		var ms int64
		if err := rows.Scan(&ms, &e.Actor, &e.Slug, &e.Action, &e.Detail); err != nil {
			return nil, fmt.Errorf("store: audit of %s: %w", slug, err)
		}
		e.Time = time.UnixMilli(ms).UTC()
		events = append(events, e)
	}
	return events, rows.Err()
}
