package store

import (
	"context"
	"database/sql"
	"fmt"

	"robot.wtf/internal/wiki"
)

// Names that the operator reserves are stored with those of former holders. Their
// holder is empty, which no keyed hash of a DID is.

// ReserveName keeps a name from new wikis and people. A person who has it keeps it.
// ErrExists if it is reserved already, by the operator or for a former holder.
func (db *DB) ReserveName(ctx context.Context, slug string) error {
	return db.changeReserved(ctx, slug, "name.reserve", wiki.ErrExists, `INSERT INTO former (slug, holder, since) VALUES ($1, x'', $2) ON CONFLICT DO NOTHING`, db.nowMillis())
}

// ReleaseName undoes ReserveName. ErrNotFound if the operator hasn't reserved the name.
func (db *DB) ReleaseName(ctx context.Context, slug string) error {
	return db.changeReserved(ctx, slug, "name.release", wiki.ErrNotFound, `DELETE FROM former WHERE slug = $1 AND holder = x''`)
}

func (db *DB) changeReserved(ctx context.Context, slug, action string, unchanged error, query string, args ...any) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, query, append([]any{slug}, args...)...)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if err == nil && n == 0 {
			err = unchanged
		}
		if err != nil {
			return err
		}
		return db.audit(ctx, tx, Operator, slug, action, "")
	})
	if err != nil {
		return fmt.Errorf("store: %s %s: %w", action, slug, err)
	}
	return nil
}

// ReservedNames lists the names that the operator has reserved.
func (db *DB) ReservedNames(ctx context.Context) ([]string, error) {
	return db.querySlugs(ctx, `SELECT slug FROM former WHERE holder = $1 ORDER BY slug`, []byte{})
}
