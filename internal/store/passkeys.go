package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A Passkey signs a person in on one host, without a link. Its private key never
// leaves the person's devices.
type Passkey struct {
	ID         string // the authenticator's, in base64url
	DID        string
	Host       string // where it works
	Name       string // the browser that added it, or ""
	Credential string // JSON: its public key and counter
	Created    time.Time
	Used       time.Time // zero if never
}

// AddPasskey stores a passkey. It fails with ErrExists if its id is known, also as
// another person's, and with ErrQuota if the person has max passkeys.
func (db *DB) AddPasskey(ctx context.Context, p Passkey, max int) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO passkeys (id, did, host, name, credential, created) VALUES ($1, $2, $3, $4, $5, $6)`,
			p.ID, p.DID, p.Host, p.Name, p.Credential, db.nowMillis())
		if err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM passkeys WHERE did = $1`, p.DID).Scan(&n); err != nil {
			return err
		}
		if n > max {
			return wiki.ErrQuota
		}
		return db.audit(ctx, tx, p.DID, "", "passkey.add", p.ID)
	})
	if err != nil {
		return fmt.Errorf("store: add passkey of %s: %w", p.DID, err)
	}
	return nil
}

const passkeyColumns = `id, did, host, name, credential, created, used`

func scanPasskey(row sqlite.Scanner) (p Passkey, err error) {
	var created, used int64
	err = row.Scan(&p.ID, &p.DID, &p.Host, &p.Name, &p.Credential, &created, &used)
	p.Created, p.Used = timeFromMillis(created), timeFromMillis(used)
	return p, err
}

// Passkey finds a passkey by its id; ErrNotFound if there is none.
func (db *DB) Passkey(ctx context.Context, id string) (Passkey, error) {
	p, err := scanPasskey(db.queryRow(ctx, `SELECT `+passkeyColumns+` FROM passkeys WHERE id = $1`, id))
	if err != nil {
		return Passkey{}, fmt.Errorf("store: passkey: %w", sqlite.Translate(err))
	}
	return p, nil
}

// Passkeys lists a person's passkeys for all hosts, newest first.
func (db *DB) Passkeys(ctx context.Context, did string) ([]Passkey, error) {
	var list []Passkey
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		p, err := scanPasskey(rows)
		list = append(list, p)
		return err
	}, `SELECT `+passkeyColumns+` FROM passkeys WHERE did = $1 ORDER BY created DESC, rowid DESC`, did)
	if err != nil {
		return nil, fmt.Errorf("store: passkeys of %s: %w", did, err)
	}
	return list, nil
}

// HasPasskeys reports whether anybody has a passkey for a host.
func (db *DB) HasPasskeys(ctx context.Context, host string) (has bool, err error) {
	if err := db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM passkeys WHERE host = $1)`, host).Scan(&has); err != nil {
		return false, fmt.Errorf("store: passkeys for %s: %w", host, sqlite.Translate(err))
	}
	return has, nil
}

// UsePasskey records a sign-in with a passkey, and its new counter. before is the
// credential that was verified: of two concurrent sign-ins, one fails with ErrNotFound,
// as both do after the passkey was removed.
func (db *DB) UsePasskey(ctx context.Context, id, before, credential string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE passkeys SET credential = $3, used = $4 WHERE id = $1 AND credential = $2`, id, before, credential, db.nowMillis())
		return requireRow(done, err)
	})
	if err != nil {
		return fmt.Errorf("store: use of passkey %s: %w", id, err)
	}
	return nil
}

// RemovePasskey deletes a person's passkey; ErrNotFound if they have no such passkey.
func (db *DB) RemovePasskey(ctx context.Context, did, id string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM passkeys WHERE id = $1 AND did = $2`, id, did)
		if err := requireRow(done, err); err != nil {
			return err
		}
		return db.audit(ctx, tx, did, "", "passkey.remove", id)
	})
	if err != nil {
		return fmt.Errorf("store: remove passkey %s: %w", id, err)
	}
	return nil
}
