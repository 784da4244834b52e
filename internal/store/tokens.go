package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

type tokenHash = [sha256.Size]byte

// A Token lets a program act for a person in one wiki, or, as a personal token, in
// the management API.
type Token struct {
	ID       string
	Slug     string // "" for a personal token
	DID      string
	Name     string // chosen by the person
	ReadOnly bool
	Proposes bool // with ReadOnly: changes become proposals; never for a personal token
	Created  time.Time
	Parent   string // id of the personal token that made it and that it ends with, or ""; set by AddToken only
	// MakerUnknown means that a personal token may have made it before Parent was
	// recorded. It ends with each one that could have.
	MakerUnknown bool

	used atomic.Int64 // unix milliseconds, coarse
}

// Mode returns what the token allows.
func (t *Token) Mode() wiki.Mode { return wiki.ModeOf(t.ReadOnly, t.Proposes) }

// LastUse returns when the token was last used, to the hour; zero if never.
func (t *Token) LastUse() time.Time {
	if ms := t.used.Load(); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

// AddToken stores a token under the hash of its secret; ErrQuota if the person has
// max tokens for the wiki, ErrNotFound if its parent has ended.
func (db *DB) AddToken(ctx context.Context, secret string, t *Token, max int) error {
	hash := sha256.Sum256([]byte(secret))
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var n, parents int
		err := tx.QueryRowContext(ctx, `
			SELECT (SELECT count(*) FROM tokens WHERE slug = $1 AND did = $2), (SELECT count(*) FROM personal_tokens WHERE id = $3)`,
			t.Slug, t.DID, t.Parent).Scan(&n, &parents)
		switch {
		case err != nil:
			return err
		case n >= max:
			return wiki.Problemf(wiki.ErrQuota, "name", "You have %d tokens for this wiki. Revoke one to create another.", n)
		case t.Parent != "" && parents == 0:
			return wiki.ErrNotFound
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO tokens (id, hash, slug, did, name, read_only, created, parent, proposes) VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''), $9)`,
			t.ID, hash[:], t.Slug, t.DID, t.Name, t.ReadOnly, db.nowMillis(), t.Parent, t.Proposes)
		if err != nil {
			return err
		}
		return db.audit(ctx, tx, t.DID, t.Slug, "token.add", t.ID)
	})
	if err != nil {
		return fmt.Errorf("store: add token of %s for %s: %w", t.DID, t.Slug, err)
	}
	return nil
}

const tokenColumns = `id, slug, did, name, read_only, created, used, maker_unknown, proposes`

func scanToken(row sqlite.Scanner) (*Token, error) {
	var t Token
	var created, used int64
	if err := row.Scan(&t.ID, &t.Slug, &t.DID, &t.Name, &t.ReadOnly, &created, &used, &t.MakerUnknown, &t.Proposes); err != nil {
		return nil, err
	}
	t.Created = time.UnixMilli(created).UTC()
	t.used.Store(used)
	return &t, nil
}

// Token finds a token by its secret.
func (db *DB) Token(ctx context.Context, secret string) (*Token, error) {
	hash := sha256.Sum256([]byte(secret))
	return db.tokens.get(hash, func() (*Token, error) {
		t, err := scanToken(db.queryRow(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE hash = $1`, hash[:]))
		if err != nil {
			return nil, fmt.Errorf("store: token: %w", sqlite.Translate(err))
		}
		return t, nil
	})
}

// Tokens lists a person's tokens for a wiki, or everybody's if did is empty, newest
// first.
func (db *DB) Tokens(ctx context.Context, slug, did string) ([]*Token, error) {
	return db.listTokens(ctx, `
		SELECT `+tokenColumns+` FROM tokens WHERE slug = $1 AND (did = $2 OR $2 = '') ORDER BY created DESC, id`, slug, did)
}

func (db *DB) listTokens(ctx context.Context, query string, args ...any) ([]*Token, error) {
	var tokens []*Token
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		t, err := scanToken(rows)
		tokens = append(tokens, t)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("store: list tokens: %w", err)
	}
	return tokens, nil
}

// RecordTokenUse records the use of a token, at most once an hour, so that a busy
// program doesn't cause a write per request.
func (db *DB) RecordTokenUse(ctx context.Context, t *Token) error {
	update := `UPDATE tokens SET used = $2 WHERE id = $1`
	if t.Slug == "" {
		update = `UPDATE personal_tokens SET used = $2 WHERE id = $1`
	}
	if err := db.recordUse(ctx, &t.used, update, t.ID); err != nil {
		return fmt.Errorf("store: use of token %s: %w", t.ID, err)
	}
	return nil
}

// recordUse updates the last use of a row by its id, at most once an hour. used is that
// of the cached row, in milliseconds.
func (db *DB) recordUse(ctx context.Context, used *atomic.Int64, update, id string) error {
	now, before := db.nowMillis(), used.Load()
	if now-before < time.Hour.Milliseconds() || !used.CompareAndSwap(before, now) {
		return nil
	}
	return db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, update, id, now)
		return err
	})
}

// RevokeToken deletes a person's token for a wiki, or anybody's if did is empty;
// ErrNotFound if there is no such token.
func (db *DB) RevokeToken(ctx context.Context, actor, slug, did, id string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		gone, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE id = $1 AND slug = $2 AND (did = $3 OR $3 = '')`, id, slug, did)
		if err != nil {
			return err
		}
		n, err := gone.RowsAffected()
		if err != nil {
			return err
		}
		if n == 0 {
			return wiki.ErrNotFound
		}
		return db.audit(ctx, tx, actor, slug, "token.revoke", id)
	})
	db.tokens.forgetAll()
	if err != nil {
		return fmt.Errorf("store: revoke token %s of %s: %w", id, slug, err)
	}
	return nil
}

const personalColumns = `id, '', did, name, read_only, created, used, FALSE, FALSE`

// AddPersonalToken stores a personal token under the hash of its secret; ErrQuota if
// the person has max tokens.
func (db *DB) AddPersonalToken(ctx context.Context, secret string, t *Token, max int) error {
	hash := sha256.Sum256([]byte(secret))
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM personal_tokens WHERE did = $1`, t.DID).Scan(&n); err != nil {
			return err
		}
		if n >= max {
			return wiki.Problemf(wiki.ErrQuota, "name", "You have %d tokens. Revoke one to create another.", n)
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO personal_tokens (id, hash, did, name, read_only, created) VALUES ($1, $2, $3, $4, $5, $6)`,
			t.ID, hash[:], t.DID, t.Name, t.ReadOnly, db.nowMillis())
		if err != nil {
			return err
		}
		return db.audit(ctx, tx, t.DID, "", "token.add", t.ID)
	})
	if err != nil {
		return fmt.Errorf("store: add personal token of %s: %w", t.DID, err)
	}
	return nil
}

// PersonalToken finds a personal token by its secret.
func (db *DB) PersonalToken(ctx context.Context, secret string) (*Token, error) {
	hash := sha256.Sum256([]byte(secret))
	return db.personalTokens.get(hash, func() (*Token, error) {
		t, err := scanToken(db.queryRow(ctx, `SELECT `+personalColumns+` FROM personal_tokens WHERE hash = $1`, hash[:]))
		if err != nil {
			return nil, fmt.Errorf("store: personal token: %w", sqlite.Translate(err))
		}
		return t, nil
	})
}

// PersonalTokens lists a person's personal tokens, newest first.
func (db *DB) PersonalTokens(ctx context.Context, did string) ([]*Token, error) {
	return db.listTokens(ctx, `SELECT `+personalColumns+` FROM personal_tokens WHERE did = $1 ORDER BY created DESC, id`, did)
}

// RevokePersonalToken deletes one of a person's personal tokens, and with it the
// wiki tokens that it made or, if nobody recorded that, could have made.
func (db *DB) RevokePersonalToken(ctx context.Context, did, id string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE did = $1 AND maker_unknown
			AND created >= (SELECT created FROM personal_tokens WHERE id = $2 AND did = $1 AND NOT read_only)`, did, id)
		if err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `DELETE FROM personal_tokens WHERE id = $1 AND did = $2`, id, did)
		if err := requireRow(done, err); err != nil {
			return err
		}
		return db.audit(ctx, tx, did, "", "token.revoke", id)
	})
	db.personalTokens.forgetAll()
	db.tokens.forgetAll()
	if err != nil {
		return fmt.Errorf("store: revoke personal token %s: %w", id, err)
	}
	return nil
}
