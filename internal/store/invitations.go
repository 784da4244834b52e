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

// An Invitation lets one person with its code sign up.
type Invitation struct {
	ID      string
	Inviter wiki.User // zero for the operator
	Guest   wiki.User // the person who used it; zero if nobody did, or their account was deleted
	Created time.Time
	Expires time.Time
	Revoked time.Time // zero if it wasn't
	Used    time.Time // zero if it wasn't
	// Open invitations can be used: they are unused, neither revoked nor expired, and
	// their inviter still has an account and a wiki.
	Open bool
}

// InvitationHash is the form in which a code is stored.
func InvitationHash(code string) []byte {
	hash := sha256.Sum256([]byte(code))
	return hash[:]
}

// canInvite is true for a person with an account and a wiki, none of them suspended or
// being deleted.
const canInvite = `EXISTS (SELECT 1 FROM sites JOIN users ON users.did = sites.owner WHERE sites.owner = %s
	AND sites.suspended = 0 AND sites.ending = 0 AND users.suspended = 0 AND users.ending = 0)`

// openInvitation is true for rows of invitations that can be used at $1.
var openInvitation = `(used = 0 AND revoked = 0 AND expires > $1 AND (inviter IS NULL OR ` + fmt.Sprintf(canInvite, "invitations.inviter") + `))`

// AddInvitation stores an invitation under the hash of its code: id, inviter and time
// of expiry. It fails with ErrDenied if the inviter has no account with a wiki,
// ErrQuota if they have max open ones, and ErrTooMany if they added perDay in the last
// 24 hours. The operator can add any number.
func (db *DB) AddInvitation(ctx context.Context, code string, i Invitation, max, perDay int) error {
	actor := i.Inviter.DID
	err := db.tx(ctx, func(tx *sql.Tx) error {
		if actor == "" {
			actor = Operator
		} else if err := db.checkInviter(ctx, tx, actor, max, perDay); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO invitations (id, hash, inviter, created, expires) VALUES ($1, $2, nullif($3, ''), $4, $5)`,
			i.ID, InvitationHash(code), i.Inviter.DID, db.nowMillis(), i.Expires.UnixMilli())
		if err != nil {
			return err
		}
		return db.audit(ctx, tx, actor, "", "invitation.add", i.ID)
	})
	if err != nil {
		return fmt.Errorf("store: add invitation of %s: %w", actor, err)
	}
	return nil
}

func (db *DB) checkInviter(ctx context.Context, tx *sql.Tx, did string, max, perDay int) error {
	var can bool
	var open, recent int
	err := tx.QueryRowContext(ctx, `SELECT `+fmt.Sprintf(canInvite, "$2")+`,
		(SELECT count(*) FROM invitations WHERE inviter = $2 AND `+openInvitation+`),
		(SELECT count(*) FROM invitations WHERE inviter = $2 AND created > $3)`,
		db.nowMillis(), did, db.nowMillis()-(24*time.Hour).Milliseconds()).Scan(&can, &open, &recent)
	switch {
	case err != nil:
		return err
	case !can:
		return wiki.ErrDenied
	case open >= max:
		return wiki.ErrQuota
	case recent >= perDay:
		return wiki.ErrTooMany
	}
	return nil
}

// CanInvite reports whether a person has an account and a wiki, none of them suspended
// or being deleted.
func (db *DB) CanInvite(ctx context.Context, did string) (can bool, err error) {
	err = db.queryRow(ctx, `SELECT `+fmt.Sprintf(canInvite, "$1"), did).Scan(&can)
	if err != nil {
		return false, fmt.Errorf("store: inviter %s: %w", did, sqlite.Translate(err))
	}
	return can, nil
}

// Invitation returns the open invitation with a code, by its hash. It fails with
// ErrGone if there is none, whatever the reason.
func (db *DB) Invitation(ctx context.Context, hash []byte) (Invitation, error) {
	list, err := db.listInvitations(ctx, `hash = $2 AND `+openInvitation, hash)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("store: invitation: %w", wiki.ErrGone)
	}
	if err != nil {
		return Invitation{}, err
	}
	return list[0], nil
}

// Invitations lists a person's invitations, newest first.
func (db *DB) Invitations(ctx context.Context, did string) ([]Invitation, error) {
	return db.listInvitations(ctx, `inviter = $2`, did)
}

// AllInvitations lists everybody's and the operator's invitations, newest first.
func (db *DB) AllInvitations(ctx context.Context) ([]Invitation, error) {
	return db.listInvitations(ctx, `$2 = $2`, true)
}

// listInvitations lists the invitations that match a condition on $2; $1 is the
// current time.
func (db *DB) listInvitations(ctx context.Context, condition string, arg any) ([]Invitation, error) {
	var list []Invitation
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var i Invitation
		var created, expires, revoked, used int64
		by, to := &i.Inviter, &i.Guest
		err := rows.Scan(&i.ID, &created, &expires, &revoked, &used, &i.Open, &by.DID, &by.Username, &by.Handle, &by.Name, &by.Picture, &to.DID, &to.Username, &to.Handle, &to.Name)
		i.Created, i.Expires, i.Revoked, i.Used = timeFromMillis(created), timeFromMillis(expires), timeFromMillis(revoked), timeFromMillis(used)
		list = append(list, i)
		return err
	}, `SELECT id, invitations.created, expires, revoked, used, `+openInvitation+`,
			coalesce(inviter, ''), coalesce(host.username, ''), coalesce(host.handle, ''), coalesce(host.name, ''), coalesce(host.picture, ''),
			coalesce(guest, ''), coalesce(guests.username, ''), coalesce(guests.handle, ''), coalesce(guests.name, '')
		FROM invitations LEFT JOIN users AS host ON host.did = inviter LEFT JOIN users AS guests ON guests.did = guest
		WHERE `+condition+` ORDER BY invitations.created DESC, id`, db.nowMillis(), arg)
	if err != nil {
		return nil, fmt.Errorf("store: list invitations: %w", err)
	}
	return list, nil
}

// UseInvitation uses up an invitation, by the hash of its code, and lets a person create
// a wiki. A person who can do that already, because they were admitted before or own a
// wiki, doesn't use it up. If it isn't open, UseInvitation fails with ErrGone. Of two
// concurrent calls for different people, one fails.
func (db *DB) UseInvitation(ctx context.Context, hash []byte, did string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error { return db.useInvitation(ctx, tx, hash, did) })
	if err != nil {
		return fmt.Errorf("store: use invitation: %w", err)
	}
	return nil
}

func (db *DB) useInvitation(ctx context.Context, tx *sql.Tx, hash []byte, did string) error {
	var needless bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE did = $1 AND admitted > 0) OR EXISTS (SELECT 1 FROM sites WHERE owner = $1)`, did).Scan(&needless)
	if err != nil || needless {
		return err
	}
	var id, inviter string
	err = tx.QueryRowContext(ctx, `UPDATE invitations SET used = $1, guest = $3 WHERE hash = $2 AND `+openInvitation+` RETURNING id, coalesce(inviter, $4)`,
		db.nowMillis(), hash, did, Operator).Scan(&id, &inviter)
	if errors.Is(err, sql.ErrNoRows) {
		return wiki.ErrGone
	}
	if err != nil {
		return err
	}
	done, err := tx.ExecContext(ctx, `UPDATE users SET admitted = $2 WHERE did = $1`, did, db.nowMillis())
	if err := requireRow(done, err); err != nil {
		return err
	}
	return db.audit(ctx, tx, did, "", "invitation.use", id+" of "+inviter)
}

// Admitted returns when an invitation let a person create a wiki; zero if none did.
func (db *DB) Admitted(ctx context.Context, did string) (time.Time, error) {
	var at int64
	err := db.queryRow(ctx, `SELECT admitted FROM users WHERE did = $1`, did).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, fmt.Errorf("store: admission of %s: %w", did, sqlite.Translate(err))
	}
	return timeFromMillis(at), nil
}

// RevokeInvitation revokes an unused invitation of a person, or anybody's if did is
// empty; ErrNotFound if there is none.
func (db *DB) RevokeInvitation(ctx context.Context, actor, did, id string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE invitations SET revoked = $3 WHERE id = $1 AND (inviter = $2 OR $2 = '') AND used = 0 AND revoked = 0`,
			id, did, db.nowMillis())
		if err := requireRow(done, err); err != nil {
			return err
		}
		return db.audit(ctx, tx, actor, "", "invitation.revoke", id)
	})
	if err != nil {
		return fmt.Errorf("store: revoke invitation %s: %w", id, err)
	}
	return nil
}

// endInvitations revokes the unused invitations of the people that a condition on users
// selects; arg is its $2.
func (db *DB) endInvitations(ctx context.Context, tx *sql.Tx, people string, arg any) error {
	_, err := tx.ExecContext(ctx, `UPDATE invitations SET revoked = $1 WHERE used = 0 AND revoked = 0 AND inviter IN (SELECT did FROM users WHERE `+people+`)`,
		db.nowMillis(), arg)
	return err
}

// SweepInvitations deletes invitations that ended before a time, unless they show who
// invited whom.
func (db *DB) SweepInvitations(ctx context.Context, before time.Time) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM invitations WHERE guest IS NULL AND expires < $1`, before.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: sweep invitations: %w", err)
	}
	return nil
}
