package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A JoinLink is a one-time invitation to a wiki for a person with a local identity.
type JoinLink struct {
	ID      string
	Slug    string
	Role    wiki.Role
	Created time.Time // set by JoinLinks
	Expires time.Time
}

// AddSignInLink stores a link that signs a person in, under the hash of its code. It
// deletes expired links, and the person's oldest ones beyond max.
func (db *DB) AddSignInLink(ctx context.Context, code, id, did string, expires time.Time, max int) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		if err := db.addLink(ctx, tx, code, id, did, "", "", expires); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			DELETE FROM links WHERE did = $1 AND id NOT IN (SELECT id FROM links WHERE did = $1 ORDER BY created DESC, rowid DESC LIMIT $2)`, did, max)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: add sign-in link of %s: %w", did, err)
	}
	return nil
}

// AddJoinLink stores an invitation under the hash of its code. It fails with ErrQuota
// if the wiki has max open ones.
func (db *DB) AddJoinLink(ctx context.Context, actor, code string, l JoinLink, max int) error {
	err := db.changeSite(ctx, actor, l.Slug, "link.add", l.ID+" "+l.Role.String(), func(tx *sql.Tx) error {
		if err := db.addLink(ctx, tx, code, l.ID, "", l.Slug, l.Role.String(), l.Expires); err != nil {
			return err
		}
		var open int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM links WHERE slug = $1`, l.Slug).Scan(&open); err != nil {
			return err
		}
		if open > max {
			return wiki.ErrQuota
		}
		return nil
	})
	return err
}

func (db *DB) addLink(ctx context.Context, tx *sql.Tx, code, id, did, slug, role string, expires time.Time) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM links WHERE expires <= $1`, db.nowMillis()); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO links (id, hash, did, slug, role, created, expires) VALUES ($1, $2, nullif($3, ''), nullif($4, ''), $5, $6, $7)`,
		id, linkHash(code), did, slug, role, db.nowMillis(), expires.UnixMilli())
	return err
}

func linkHash(code string) []byte {
	hash := sha256.Sum256([]byte(code))
	return hash[:]
}

// SignInLink returns the DID of the person that a link signs in, and leaves the link
// as it is. It fails with ErrGone if there is no such link, whatever the reason.
func (db *DB) SignInLink(ctx context.Context, code string) (did string, err error) {
	err = db.queryRow(ctx, `SELECT did FROM links WHERE hash = $1 AND did IS NOT NULL AND expires > $2`, linkHash(code), db.nowMillis()).Scan(&did)
	return did, linkError("sign-in link", sqlite.Translate(err))
}

// TakeSignInLink uses a link up and returns the DID of the person it signs in. It
// fails with ErrGone if there is no such link, whatever the reason. Of two concurrent
// calls, one fails.
func (db *DB) TakeSignInLink(ctx context.Context, code string) (did string, err error) {
	err = db.tx(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `DELETE FROM links WHERE hash = $1 AND did IS NOT NULL AND expires > $2 RETURNING did`, linkHash(code), db.nowMillis()).Scan(&did)
	})
	return did, linkError("take sign-in link", err)
}

// JoinLink returns the open invitation with a code. It fails with ErrGone if there is
// none, whatever the reason.
func (db *DB) JoinLink(ctx context.Context, code string) (JoinLink, error) {
	l, err := scanJoinLink(db.queryRow(ctx, `SELECT `+joinColumns+` FROM links WHERE hash = $1 AND slug IS NOT NULL AND expires > $2`, linkHash(code), db.nowMillis()))
	return l, linkError("invitation", sqlite.Translate(err))
}

// JoinLinks lists a wiki's open invitations, newest first.
func (db *DB) JoinLinks(ctx context.Context, slug string) ([]JoinLink, error) {
	var list []JoinLink
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		l, err := scanJoinLink(rows)
		list = append(list, l)
		return err
	}, `SELECT `+joinColumns+` FROM links WHERE slug = $1 AND expires > $2 ORDER BY created DESC, rowid DESC`, slug, db.nowMillis())
	if err != nil {
		return nil, fmt.Errorf("store: invitations to %s: %w", slug, err)
	}
	return list, nil
}

const joinColumns = `id, slug, role, created, expires`

func scanJoinLink(row sqlite.Scanner) (l JoinLink, err error) {
	var role string
	var created, expires int64
	if err := row.Scan(&l.ID, &l.Slug, &role, &created, &expires); err != nil {
		return JoinLink{}, err
	}
	l.Created, l.Expires = timeFromMillis(created), timeFromMillis(expires)
	l.Role, err = wiki.ParseRole(role)
	return l, err
}

// RevokeJoinLink deletes an invitation to a wiki; ErrNotFound if there is none.
func (db *DB) RevokeJoinLink(ctx context.Context, actor, slug, id string) error {
	return db.changeSite(ctx, actor, slug, "link.revoke", id, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM links WHERE id = $1 AND slug = $2`, id, slug)
		return requireRow(done, err)
	})
}

// Join uses an invitation up and makes the person a member: one that is known, or a
// new one with a username. It fails with ErrGone if the invitation can't be used, with
// ErrExists if another person has the username, and with ErrQuota if the wiki has max
// members; the invitation then stays open.
func (db *DB) Join(ctx context.Context, code string, who wiki.User, max int) error {
	l, err := db.JoinLink(ctx, code)
	if err != nil {
		return err
	}
	err = db.changeSite(ctx, who.DID, l.Slug, "member.join", who.DID+" "+l.Role.String(), func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM links WHERE id = $1`, l.ID)
		if err := requireRow(done, err); err != nil {
			return err
		}
		if err := db.saveUser(ctx, tx, who); err != nil {
			return err
		}
		return db.setMember(ctx, tx, l.Slug, who.DID, l.Role, max)
	})
	db.users.forget(who.DID)
	if errors.Is(err, wiki.ErrNotFound) { // another person was faster
		return linkError("join", err)
	}
	return err
}

// linkError turns a missing link into ErrGone.
func linkError(doing string, err error) error {
	if errors.Is(err, wiki.ErrNotFound) {
		err = wiki.ErrGone
	}
	if err != nil {
		return fmt.Errorf("store: %s: %w", doing, err)
	}
	return nil
}
