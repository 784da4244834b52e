package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A SignIn is a sign-in in progress at a person's own server.
type SignIn struct {
	Data    string // JSON
	Back    string // return address
	Expires time.Time
}

// AddSignIn stores a sign-in under the hash of its state, and deletes expired ones.
func (db *DB) AddSignIn(ctx context.Context, state string, s SignIn) error {
	hash := sha256.Sum256([]byte(state))
	err := db.addExpiring(ctx, `DELETE FROM signins WHERE expires < $1`,
		`INSERT INTO signins (hash, data, back, expires) VALUES ($1, $2, $3, $4)`,
		hash[:], s.Data, s.Back, s.Expires.UnixMilli())
	if err != nil {
		return fmt.Errorf("store: add sign-in: %w", err)
	}
	return nil
}

// TakeSignIn returns a sign-in and deletes it. Of two concurrent calls, one fails
// with ErrNotFound. An expired sign-in is ErrNotFound too.
func (db *DB) TakeSignIn(ctx context.Context, state string) (SignIn, error) {
	hash := sha256.Sum256([]byte(state))
	var s SignIn
	var expires int64
	err := db.tx(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `DELETE FROM signins WHERE hash = $1 RETURNING data, back, expires`, hash[:]).
			Scan(&s.Data, &s.Back, &expires)
	})
	if err == nil && expires <= db.nowMillis() {
		err = wiki.ErrNotFound
	}
	if err != nil {
		return SignIn{}, fmt.Errorf("store: take sign-in: %w", err)
	}
	s.Expires = time.UnixMilli(expires)
	return s, nil
}

// RecordSignIn adds or updates a person who has just signed in. If another account
// has their handle, that account keeps its rights, which depend on the DID, and is
// shown with wiki.InvalidHandle. host is that of the server that hosts the account;
// if it is suspended, RecordSignIn changes nothing and fails with ErrSuspended.
func (db *DB) RecordSignIn(ctx context.Context, u wiki.User, host string) error {
	return db.changeSignedIn(ctx, u.DID, func(tx *sql.Tx) error { return db.recordSignIn(ctx, tx, u, host) })
}

// RecordInvitedSignIn is RecordSignIn for a person who needs an invitation, given by the
// hash of its code. It uses the invitation up as UseInvitation does; if that fails, it
// adds nobody.
func (db *DB) RecordInvitedSignIn(ctx context.Context, u wiki.User, host string, invitation []byte) error {
	return db.changeSignedIn(ctx, u.DID, func(tx *sql.Tx) error {
		if err := db.recordSignIn(ctx, tx, u, host); err != nil {
			return err
		}
		return db.useInvitation(ctx, tx, invitation, u.DID)
	})
}

// changeSignedIn changes an account, and others that lose their handle to it.
func (db *DB) changeSignedIn(ctx context.Context, did string, change func(*sql.Tx) error) error {
	err := db.tx(ctx, change)
	db.users.forgetAll()
	if err != nil {
		return fmt.Errorf("store: change account %s: %w", did, err)
	}
	return nil
}

func (db *DB) recordSignIn(ctx context.Context, tx *sql.Tx, u wiki.User, host string) error {
	if err := checkHost(ctx, tx, host); err != nil {
		return err
	}
	if err := db.saveUser(ctx, tx, u); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE users SET host = $2 WHERE did = $1`, u.DID, host); err != nil {
		return err
	}
	return db.claimHandle(ctx, tx, u.DID, u.Handle)
}

// claimHandle records the handle that an account has verified now. Another account that
// had it keeps its rights, which depend on the DID, and is shown with
// wiki.InvalidHandle.
func (db *DB) claimHandle(ctx context.Context, tx *sql.Tx, did, handle string) error {
	if handle != wiki.InvalidHandle {
		for _, query := range []string{
			`UPDATE users SET handle = 'handle.invalid' WHERE handle = $1 AND did <> $2`,
			`UPDATE users SET verified = '' WHERE verified = $1 AND did <> $2`,
			`UPDATE users SET verified = $1 WHERE did = $2`,
		} {
			if _, err := tx.ExecContext(ctx, query, handle, did); err != nil {
				return err
			}
		}
	}
	_, err := tx.ExecContext(ctx, `UPDATE users SET handle = $2, checked = $3 WHERE did = $1`, did, handle, db.nowMillis())
	return err
}

// SetHandle records a handle that was checked now: that of an account, or
// wiki.InvalidHandle.
func (db *DB) SetHandle(ctx context.Context, did, handle string) error {
	return db.changeSignedIn(ctx, did, func(tx *sql.Tx) error { return db.claimHandle(ctx, tx, did, handle) })
}

// SetHandleChecked records that an account's handle was checked now and stays.
func (db *DB) SetHandleChecked(ctx context.Context, did string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE users SET checked = $2 WHERE did = $1`, did, db.nowMillis())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: record the check of %s: %w", did, err)
	}
	return nil
}

// UncheckedMembers returns at most limit owners and members of wikis whose handles were
// last checked before a time, the oldest first.
func (db *DB) UncheckedMembers(ctx context.Context, before time.Time, limit int) ([]wiki.User, error) {
	var people []wiki.User
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var u wiki.User
		err := rows.Scan(&u.DID, &u.Handle)
		people = append(people, u)
		return err
	}, `SELECT did, handle FROM users WHERE checked < $1 AND did LIKE 'did:%'
			AND (EXISTS (SELECT 1 FROM members WHERE members.did = users.did) OR EXISTS (SELECT 1 FROM sites WHERE owner = users.did))
		ORDER BY checked LIMIT $2`, before.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("store: unchecked members: %w", err)
	}
	return people, nil
}

// DIDOfHandle returns the account that verified a handle last. It fails with ErrNotFound
// if there is none. The account can have another handle by now, or none.
func (db *DB) DIDOfHandle(ctx context.Context, handle string) (did string, err error) {
	err = db.queryRow(ctx, `SELECT did FROM users WHERE verified = $1 AND verified <> ''`, handle).Scan(&did)
	if err != nil {
		return "", fmt.Errorf("store: account of handle %s: %w", handle, sqlite.Translate(err))
	}
	return did, nil
}
