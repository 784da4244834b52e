package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"robot.wtf/internal/sqlite"
)

// An Avatar is a person's picture, small and re-encoded.
type Avatar struct {
	ID     string // 32 hex digits, a hash of Data
	Source string // the original's id (CID) on the person's server
	MIME   string
	Data   []byte
}

// maxAvatarBytes limits the total size of stored avatars.
const maxAvatarBytes = 64 << 20

// SetAvatar stores a person's avatar. If the total size exceeds its limit, the
// oldest avatars are dropped: they are fetched again at the next sign-in.
func (db *DB) SetAvatar(ctx context.Context, did string, f Avatar) error {
	return db.setAvatar(ctx, did, f, maxAvatarBytes)
}

func (db *DB) setAvatar(ctx context.Context, did string, f Avatar, room int) error {
	sum := sha256.Sum256(f.Data)
	f.ID = hex.EncodeToString(sum[:16])
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO faces (did, id, source, mime, data, since) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (did) DO UPDATE SET id = excluded.id, source = excluded.source, mime = excluded.mime, data = excluded.data, since = excluded.since`,
			did, f.ID, f.Source, f.MIME, f.Data, db.nowMillis())
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET picture = $2 WHERE did = $1`, did, f.ID); err != nil {
			return err
		}
		return dropOldestAvatars(ctx, tx, room)
	})
	db.users.forgetAll()
	if err != nil {
		return fmt.Errorf("store: avatar of %s: %w", did, err)
	}
	return nil
}

// dropOldestAvatars drops the oldest avatars until the others fit into room bytes.
func dropOldestAvatars(ctx context.Context, tx *sql.Tx, room int) error {
	for {
		var total int
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(sum(length(data)), 0) FROM faces`).Scan(&total); err != nil || total <= room {
			return err
		}
		var did string
		err := tx.QueryRowContext(ctx, `DELETE FROM faces WHERE did = (SELECT did FROM faces ORDER BY since, did LIMIT 1) RETURNING did`).Scan(&did)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET picture = '' WHERE did = $1`, did); err != nil {
			return err
		}
	}
}

// DropAvatar deletes a person's avatar, if there is one.
func (db *DB) DropAvatar(ctx context.Context, did string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM faces WHERE did = $1`, did); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE users SET picture = '' WHERE did = $1`, did)
		return err
	})
	db.users.forget(did)
	if err != nil {
		return fmt.Errorf("store: drop avatar of %s: %w", did, err)
	}
	return nil
}

// Avatar finds an avatar by its id.
func (db *DB) Avatar(ctx context.Context, id string) (Avatar, error) {
	f := Avatar{ID: id}
	err := db.queryRow(ctx, `SELECT source, mime, data FROM faces WHERE id = $1 LIMIT 1`, id).Scan(&f.Source, &f.MIME, &f.Data)
	if err != nil {
		return Avatar{}, fmt.Errorf("store: avatar %q: %w", id, sqlite.Translate(err))
	}
	return f, nil
}

// AvatarSource returns the Source of a person's avatar, "" if there is none.
func (db *DB) AvatarSource(ctx context.Context, did string) (string, error) {
	var source string
	err := db.queryRow(ctx, `SELECT source FROM faces WHERE did = $1`, did).Scan(&source)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("store: avatar of %s: %w", did, sqlite.Translate(err))
	}
	return source, nil
}
