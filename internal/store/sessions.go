package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"time"

	"robot.wtf/internal/sqlite"
)

// A Session is a person signed in with one browser, on all hosts.
type Session struct {
	ID      string
	DID     string
	Expires time.Time // use extends it, unless it is brief
	Brief   bool      // on a borrowed device
	Created time.Time // set only by Sessions
	Browser string    // for the person's list of sessions, such as "Firefox on Linux"; set only by Sessions
}

// StartSession stores a session and deletes expired ones.
func (db *DB) StartSession(ctx context.Context, s Session) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires < $1`, db.nowMillis()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (sid, did, created, expires, browser, brief) VALUES ($1, $2, $3, $4, $5, $6)`,
			s.ID, s.DID, db.nowMillis(), s.Expires.UnixMilli(), s.Browser, s.Brief)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE users SET seen = $2 WHERE did = $1`, s.DID, db.nowMillis())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: start session of %s: %w", s.DID, err)
	}
	return nil
}

// Session finds a session that has neither been revoked nor expired.
func (db *DB) Session(ctx context.Context, sid string) (Session, error) {
	return db.sessions.get(sid, func() (Session, error) {
		s := Session{ID: sid}
		var expires int64
		err := db.queryRow(ctx, `SELECT did, expires, brief FROM sessions WHERE sid = $1 AND expires >= $2`,
			sid, db.nowMillis()).Scan(&s.DID, &expires, &s.Brief)
		if err != nil {
			return Session{}, fmt.Errorf("store: session: %w", sqlite.Translate(err))
		}
		s.Expires = time.UnixMilli(expires)
		return s, nil
	})
}

// ExtendSession sets a later expiry, unless the session is brief.
func (db *DB) ExtendSession(ctx context.Context, sid string, expires time.Time) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sessions SET expires = $2 WHERE sid = $1 AND expires < $2 AND NOT brief`, sid, expires.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: extend session: %w", err)
	}
	db.sessions.forget(sid)
	return nil
}

// EndSession revokes a session on every host, with its unused codes.
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

// Sessions lists a person's sessions that haven't expired, newest first.
func (db *DB) Sessions(ctx context.Context, did string) ([]Session, error) {
	var list []Session
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var s Session
		var created, expires int64
		err := rows.Scan(&s.ID, &s.DID, &created, &expires, &s.Browser)
		s.Created, s.Expires = timeFromMillis(created), timeFromMillis(expires)
		list = append(list, s)
		return err
	}, `
		SELECT sid, did, created, expires, browser FROM sessions WHERE did = $1 AND expires >= $2 ORDER BY created DESC, sid`, did, db.nowMillis())
	if err != nil {
		return nil, fmt.Errorf("store: sessions of %s: %w", did, err)
	}
	return list, nil
}

// EndSessionOf revokes a person's session, or all of them if sid is empty;
// ErrNotFound if there is none.
func (db *DB) EndSessionOf(ctx context.Context, did, sid string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE did = $1 AND (sid = $2 OR $2 = '')`, did, sid)
		return requireRow(done, err)
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
	Slug    string // of the only wiki whose host can use it
	Host    string // the wiki's own domain, or "" for its subdomain
	Nonce   string // hash of the nonce in the browser's cookie for that host
	Back    string // path to go back to
	Expires time.Time
}

// AddCode stores a code under the hash of its secret, and deletes expired ones.
func (db *DB) AddCode(ctx context.Context, secret string, c Code) error {
	hash := sha256.Sum256([]byte(secret))
	err := db.addExpiring(ctx, `DELETE FROM codes WHERE expires < $1`,
		`INSERT INTO codes (hash, sid, slug, host, nonce, back, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		hash[:], c.SID, c.Slug, c.Host, c.Nonce, c.Back, c.Expires.UnixMilli())
	if err != nil {
		return fmt.Errorf("store: add code for %s: %w", c.Slug, err)
	}
	return nil
}

// TakeCode returns a code and deletes it. Of two concurrent calls, one fails with
// ErrNotFound. The caller checks expiry, slug, host and nonce.
func (db *DB) TakeCode(ctx context.Context, secret string) (Code, error) {
	hash := sha256.Sum256([]byte(secret))
	var c Code
	var expires int64
	err := db.tx(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `DELETE FROM codes WHERE hash = $1 RETURNING sid, slug, host, nonce, back, expires`, hash[:]).
			Scan(&c.SID, &c.Slug, &c.Host, &c.Nonce, &c.Back, &expires)
	})
	if err != nil {
		return Code{}, fmt.Errorf("store: take code: %w", err)
	}
	c.Expires = time.UnixMilli(expires)
	return c, nil
}
