package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"time"

	"robot.wtf/internal/sqlite"
)

// A Session is a person signed in with one browser, on all hosts together.
type Session struct {
	ID      string
	DID     string
	Expires time.Time // unless it is used before
	Created time.Time // filled by Sessions alone
	Browser string    // what the person calls it, or ""; filled by Sessions alone
}

// StartSession stores a session; those that expired long ago are swept.
func (db *DB) StartSession(ctx context.Context, s Session) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires < $1`, db.millis()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (sid, did, created, expires, browser) VALUES ($1, $2, $3, $4, $5)`,
			s.ID, s.DID, db.millis(), s.Expires.UnixMilli(), s.Browser)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE users SET seen = $2 WHERE did = $1`, s.DID, db.millis())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: start session of %s: %w", s.DID, err)
	}
	return nil
}

// Session finds a session that has neither ended nor expired.
func (db *DB) Session(ctx context.Context, sid string) (Session, error) {
	return db.sessions.get(sid, func() (Session, error) {
		s := Session{ID: sid}
		var expires int64
		err := db.row(ctx, `SELECT did, expires FROM sessions WHERE sid = $1 AND expires >= $2`,
			sid, db.millis()).Scan(&s.DID, &expires)
		if err != nil {
			return Session{}, fmt.Errorf("store: session: %w", sqlite.Translate(err))
		}
		s.Expires = time.UnixMilli(expires)
		return s, nil
	})
}

// ExtendSession lets a session live until a later time.
func (db *DB) ExtendSession(ctx context.Context, sid string, expires time.Time) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sessions SET expires = $2 WHERE sid = $1 AND expires < $2`, sid, expires.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: extend session: %w", err)
	}
	db.sessions.forget(sid)
	return nil
}

// EndSession revokes a session on every host, with codes not yet spent.
func (db *DB) EndSession(ctx context.Context, sid string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE sid = $1`, sid)
		return err
	})
	db.sessions.forget(sid)
	if err != nil {
		return fmt.Errorf("store: end session: %w", err)
	}
	return nil
}

// Sessions lists a person's sessions that have not expired, newest first.
func (db *DB) Sessions(ctx context.Context, did string) ([]Session, error) {
	var list []Session
	err := db.each(ctx, func(rows *sql.Rows) error {
		var s Session
		var created, expires int64
		err := rows.Scan(&s.ID, &s.DID, &created, &expires, &s.Browser)
		s.Created, s.Expires = when(created), when(expires)
		list = append(list, s)
		return err
	}, `
		SELECT sid, did, created, expires, browser FROM sessions WHERE did = $1 AND expires >= $2 ORDER BY created DESC, sid`, did, db.millis())
	if err != nil {
		return nil, fmt.Errorf("store: sessions of %s: %w", did, err)
	}
	return list, nil
}

// EndSessionOf revokes one of a person's sessions, all of them with an empty
// sid; ErrNotFound if there is none.
func (db *DB) EndSessionOf(ctx context.Context, did, sid string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE did = $1 AND (sid = $2 OR $2 = '')`, did, sid)
		return oneRow(done, err)
	})
	db.sessions.forgetAll()
	if err != nil {
		return fmt.Errorf("store: end session of %s: %w", did, err)
	}
	return nil
}

// A Code carries a session from the platform's host to one wiki host, once.
type Code struct {
	SID     string
	Slug    string // the only wiki host that may spend it
	Nonce   string // hash of the nonce that the browser has for that host
	Back    string // path to go back to
	Expires time.Time
}

// AddCode stores a code under the hash of its secret.
func (db *DB) AddCode(ctx context.Context, secret string, c Code) error {
	hash := sha256.Sum256([]byte(secret))
	err := db.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM codes WHERE expires < $1`, db.millis()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO codes (hash, sid, slug, nonce, back, expires) VALUES ($1, $2, $3, $4, $5, $6)`,
			hash[:], c.SID, c.Slug, c.Nonce, c.Back, c.Expires.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: add code for %s: %w", c.Slug, err)
	}
	return nil
}

// TakeCode reads a code and deletes it in one step, so that of two that come
// with it one gets ErrNotFound. The caller checks what it is bound to.
func (db *DB) TakeCode(ctx context.Context, secret string) (Code, error) {
	hash := sha256.Sum256([]byte(secret))
	var c Code
	var expires int64
	err := db.tx(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `DELETE FROM codes WHERE hash = $1 RETURNING sid, slug, nonce, back, expires`, hash[:]).
			Scan(&c.SID, &c.Slug, &c.Nonce, &c.Back, &expires)
	})
	if err != nil {
		return Code{}, fmt.Errorf("store: take code: %w", err)
	}
	c.Expires = time.UnixMilli(expires)
	return c, nil
}
