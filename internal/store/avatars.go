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
	ID     string // 32 hex digits, made of the bytes
	Source string // what the person's server calls the original
	MIME   string
	Data   []byte
}

// maxAvatarBytes bounds the stored avatars of all people together.
const maxAvatarBytes = 64 << 20

// SetAvatar keeps a person's picture and gives them its id. Those that have been
// kept for longest go where there is no room: whoever comes back brings theirs
// again.
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
			did, f.ID, f.Source, f.MIME, f.Data, db.millis())
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET picture = $2 WHERE did = $1`, did, f.ID); err != nil {
			return err
		}
		return makeRoom(ctx, tx, room)
	})
	db.users.forgetAll()
	if err != nil {
		return fmt.Errorf("store: avatar of %s: %w", did, err)
	}
	return nil
}

// makeRoom drops the oldest avatars until the others fit.
func makeRoom(ctx context.Context, tx *sql.Tx, room int) error {
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

// DropAvatar forgets a person's picture, if there is one.
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

// Avatar finds a picture by its id.
func (db *DB) Avatar(ctx context.Context, id string) (Avatar, error) {
	f := Avatar{ID: id}
	err := db.row(ctx, `SELECT source, mime, data FROM faces WHERE id = $1 LIMIT 1`, id).Scan(&f.Source, &f.MIME, &f.Data)
	if err != nil {
		return Avatar{}, fmt.Errorf("store: avatar %q: %w", id, sqlite.Translate(err))
	}
	return f, nil
}

// AvatarSource is what a person's server calls the picture that is kept of them,
// "" where there is none.
func (db *DB) AvatarSource(ctx context.Context, did string) (string, error) {
	var source string
	err := db.row(ctx, `SELECT source FROM faces WHERE did = $1`, did).Scan(&source)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("store: avatar of %s: %w", did, sqlite.Translate(err))
	}
	return source, nil
}
