package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Looked returns the newest commit (seq) that the holder of a grant or token was told
// about; 0 if none, or if there is no such grant.
func (db *DB) Looked(ctx context.Context, id string, token bool) (seq int64, err error) {
	query := `SELECT looked FROM oauth_grants WHERE id = $1`
	if token {
		query = `SELECT looked FROM tokens WHERE id = $1`
	}
	err = db.queryRow(ctx, query, id).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("store: mark of grant %s: %w", id, err)
	}
	return seq, nil
}

// RecordLook records that the holder of a grant or token was told about a commit.
func (db *DB) RecordLook(ctx context.Context, id string, token bool, seq int64) error {
	query := `UPDATE oauth_grants SET looked = $2 WHERE id = $1 AND looked <> $2`
	if token {
		query = `UPDATE tokens SET looked = $2 WHERE id = $1 AND looked <> $2`
	}
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, id, seq)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: move the mark of grant %s: %w", id, err)
	}
	return nil
}
