package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"robot.wtf/internal/sqlite"
)

// A Client is an OAuth client: registered here (RFC 7591), or described by a
// document whose URL is its id.
type Client struct {
	ID         string
	Document   bool
	Name       string
	Redirects  []string
	Auth       string // token_endpoint_auth_method
	Secret     []byte // SHA-256; nil for a public client
	Created    time.Time
	FreshUntil time.Time // when the document has to be fetched again
	Share      string    // whom it counts against while it has no grant; set by AddClient and SaveDocument only
}

// AddClient stores a registration.
func (db *DB) AddClient(ctx context.Context, c *Client) error {
	redirects, err := json.Marshal(c.Redirects)
	if err != nil {
		return err
	}
	err = db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO oauth_clients (id, document, name, redirects, auth, secret, created, used, share) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)`,
			c.ID, false, c.Name, string(redirects), c.Auth, c.Secret, db.nowMillis(), c.Share)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: add client: %w", err)
	}
	return nil
}

// SaveDocument adds or replaces a client that is described by a document.
func (db *DB) SaveDocument(ctx context.Context, c *Client) error {
	redirects, err := json.Marshal(c.Redirects)
	if err != nil {
		return err
	}
	err = db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO oauth_clients (id, document, name, redirects, auth, created, used, fresh, share) VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, redirects = excluded.redirects, fresh = excluded.fresh`,
			c.ID, true, c.Name, string(redirects), c.Auth, db.nowMillis(), c.FreshUntil.UnixMilli(), c.Share)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: save client %s: %w", c.ID, err)
	}
	c.Created = db.now()
	return nil
}

// Client finds a client by its id.
func (db *DB) Client(ctx context.Context, id string) (*Client, error) {
	c := Client{ID: id}
	var redirects string
	var created, fresh int64
	err := db.queryRow(ctx, `SELECT document, name, redirects, auth, secret, created, fresh FROM oauth_clients WHERE id = $1`, id).
		Scan(&c.Document, &c.Name, &redirects, &c.Auth, &c.Secret, &created, &fresh)
	if err == nil {
		err = json.Unmarshal([]byte(redirects), &c.Redirects)
	}
	if err != nil {
		return nil, fmt.Errorf("store: client: %w", sqlite.Translate(err))
	}
	c.Created, c.FreshUntil = timeFromMillis(created), timeFromMillis(fresh)
	return &c, nil
}

// AddRequest stores a request for consent under the hash of its secret, and deletes
// expired ones. share is whom it counts against.
func (db *DB) AddRequest(ctx context.Context, secret, data, share string, expires time.Time) error {
	hash := sha256.Sum256([]byte(secret))
	err := db.addExpiring(ctx, `DELETE FROM oauth_requests WHERE expires <= $1`,
		`INSERT INTO oauth_requests (hash, data, expires, share) VALUES ($1, $2, $3, $4)`, hash[:], data, expires.UnixMilli(), share)
	if err != nil {
		return fmt.Errorf("store: add request: %w", err)
	}
	return nil
}

// Request finds a request that hasn't expired.
func (db *DB) Request(ctx context.Context, secret string) (data string, err error) {
	hash := sha256.Sum256([]byte(secret))
	err = db.queryRow(ctx, `SELECT data FROM oauth_requests WHERE hash = $1 AND expires > $2`, hash[:], db.nowMillis()).Scan(&data)
	if err != nil {
		return "", fmt.Errorf("store: request: %w", sqlite.Translate(err))
	}
	return data, nil
}

// TakeRequest deletes a request. Of two concurrent calls, one fails with
// ErrNotFound.
func (db *DB) TakeRequest(ctx context.Context, secret string) error {
	hash := sha256.Sum256([]byte(secret))
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM oauth_requests WHERE hash = $1 AND expires > $2`, hash[:], db.nowMillis())
		return requireRow(done, err)
	})
	if err != nil {
		return fmt.Errorf("store: take request: %w", err)
	}
	return nil
}
