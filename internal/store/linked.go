package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A LinkedAccount is an ATProto account that signs in a local identity.
type LinkedAccount struct {
	DID     string
	Person  string // id of the local identity
	Handle  string // at the last sign-in
	Created time.Time
}

// LinkAccount stores a linked account. It fails with ErrExists if the account or the
// person has a link already, or if the account is a member of a wiki itself.
func (db *DB) LinkAccount(ctx context.Context, a LinkedAccount) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var member bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM members WHERE did = $1) OR EXISTS (SELECT 1 FROM sites WHERE owner = $1)`, a.DID).Scan(&member)
		if err != nil {
			return err
		}
		if member {
			return wiki.ErrExists
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO linked_accounts (did, person, handle, created) VALUES ($1, $2, $3, $4)`, a.DID, a.Person, a.Handle, db.nowMillis())
		if err != nil {
			return err
		}
		return db.audit(ctx, tx, a.Person, "", "account.link", a.DID)
	})
	if err != nil {
		return fmt.Errorf("store: link %s to %s: %w", a.DID, a.Person, err)
	}
	return nil
}

// UnlinkAccount removes a person's link to an account; ErrNotFound if there is none.
func (db *DB) UnlinkAccount(ctx context.Context, person, did string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM linked_accounts WHERE person = $1 AND did = $2`, person, did)
		if err := requireRow(done, err); err != nil {
			return err
		}
		return db.audit(ctx, tx, person, "", "account.unlink", did)
	})
	if err != nil {
		return fmt.Errorf("store: unlink %s from %s: %w", did, person, err)
	}
	return nil
}

// UseLinkedAccount returns the person that an account signs in, and records its present
// handle; ErrNotFound if the account isn't linked.
func (db *DB) UseLinkedAccount(ctx context.Context, did, handle string) (person string, err error) {
	err = db.tx(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `UPDATE linked_accounts SET handle = $2 WHERE did = $1 RETURNING person`, did, handle).Scan(&person)
	})
	if err != nil {
		return "", fmt.Errorf("store: linked account %s: %w", did, err)
	}
	return person, nil
}

// LinkedAccount returns the account that signs a person in; ErrNotFound if there is none.
func (db *DB) LinkedAccount(ctx context.Context, person string) (LinkedAccount, error) {
	a := LinkedAccount{Person: person}
	var created int64
	err := db.queryRow(ctx, `SELECT did, handle, created FROM linked_accounts WHERE person = $1`, person).Scan(&a.DID, &a.Handle, &created)
	if err != nil {
		return LinkedAccount{}, fmt.Errorf("store: account linked to %s: %w", person, sqlite.Translate(err))
	}
	a.Created = timeFromMillis(created)
	return a, nil
}
