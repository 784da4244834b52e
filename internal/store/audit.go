package store

import (
	"context"
	"database/sql"
	"time"
)

// audit adds an entry to the audit log, in the transaction of the change.
func (db *DB) audit(ctx context.Context, tx *sql.Tx, actor, slug, action, detail string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO audit (time, actor, slug, action, detail) VALUES ($1, $2, $3, $4, $5)`,
		db.nowMillis(), actor, slug, action, detail)
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

// Audit lists the audit log of a site, newest first.
func (db *DB) Audit(ctx context.Context, slug string, limit int) ([]Event, error) {
	return db.queryEvents(ctx, `
		SELECT time, actor, slug, action, detail FROM audit WHERE slug = $1 ORDER BY id DESC LIMIT $2`, slug, limit)
}
