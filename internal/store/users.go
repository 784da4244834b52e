package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// SaveUser adds a person or updates handle and display name. The username is set
// only if the person has none yet; ErrExists if another person has it.
func (db *DB) SaveUser(ctx context.Context, u wiki.User) error {
	err := db.tx(ctx, func(tx *sql.Tx) error { return db.saveUser(ctx, tx, u) })
	if errors.Is(err, wiki.ErrExists) {
		return wiki.Problemf(wiki.ErrExists, "username", "%q is taken. Choose another.", u.Username)
	}
	if err != nil {
		return fmt.Errorf("store: save user %s: %w", u.DID, err)
	}
	db.users.forget(u.DID) // cached sites have the owner's username, which was set before they were created
	return nil
}

func (db *DB) saveUser(ctx context.Context, tx *sql.Tx, u wiki.User) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO users (did, username, handle, name, created) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (did) DO UPDATE SET handle = excluded.handle, name = excluded.name,
			username = coalesce(users.username, excluded.username)`,
		u.DID, sql.NullString{String: u.Username, Valid: u.Username != ""}, u.Handle, u.Name, db.nowMillis())
	return err
}

// UserCreated returns when a person's account was created: at their first sign-in or
// first invitation to a wiki.
func (db *DB) UserCreated(ctx context.Context, did string) (time.Time, error) {
	var ms int64
	if err := db.queryRow(ctx, `SELECT created FROM users WHERE did = $1`, did).Scan(&ms); err != nil {
		return time.Time{}, fmt.Errorf("store: user %q: %w", did, sqlite.Translate(err))
	}
	return timeFromMillis(ms), nil
}

// UserHost returns the server that hosted a person's account at their last sign-in, or
// "" if they haven't signed in since servers are recorded.
func (db *DB) UserHost(ctx context.Context, did string) (host string, err error) {
	if err := db.queryRow(ctx, `SELECT host FROM users WHERE did = $1`, did).Scan(&host); err != nil {
		return "", fmt.Errorf("store: user %q: %w", did, sqlite.Translate(err))
	}
	return host, nil
}

const userColumns = `users.did, coalesce(users.username, ''), users.handle, users.name, users.picture, users.suspended > 0`

// User finds a person by DID.
func (db *DB) User(ctx context.Context, did string) (wiki.User, error) {
	// Missing users are cached too: a history can name one fifty times.
	u, err := db.users.get(did, func() (wiki.User, error) {
		u, err := db.queryUser(ctx, `SELECT `+userColumns+` FROM users WHERE did = $1`, did)
		if errors.Is(err, wiki.ErrNotFound) {
			return wiki.User{}, nil
		}
		return u, err
	})
	if err == nil && u.DID == "" {
		return wiki.User{}, absentUser(did)
	}
	return u, err
}

// absentUser is the error for an unknown DID. It is formatted only when read,
// because not-found errors are on the hot path.
type absentUser string

func (did absentUser) Error() string {
	return fmt.Sprintf("store: user %q: %v", string(did), wiki.ErrNotFound)
}

func (absentUser) Unwrap() error { return wiki.ErrNotFound }

// UserByName finds a person by username.
func (db *DB) UserByName(ctx context.Context, username string) (wiki.User, error) {
	return db.queryUser(ctx, `SELECT `+userColumns+` FROM users WHERE username = $1`, username)
}

func (db *DB) queryUser(ctx context.Context, query, key string) (wiki.User, error) {
	var u wiki.User
	err := db.queryRow(ctx, query, key).Scan(&u.DID, &u.Username, &u.Handle, &u.Name, &u.Picture, &u.Suspended)
	if err != nil {
		return wiki.User{}, fmt.Errorf("store: user %q: %w", key, sqlite.Translate(err))
	}
	return u, nil
}
