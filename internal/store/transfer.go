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

// OfferSite records that the owner of a wiki offers it to a member, or withdraws that
// if heir is "". ErrNotFound if the owner or the member isn't one any more, or a
// deletion is pending.
func (db *DB) OfferSite(ctx context.Context, actor, slug, owner, heir string) error {
	action := "site.offer"
	if heir == "" {
		action = "site.withdraw"
	}
	return db.changeSite(ctx, actor, slug, action, heir, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE sites SET offered_to = $3 WHERE slug = $1 AND owner = $2 AND ending = 0
			AND ($3 = '' OR EXISTS (SELECT 1 FROM members JOIN users ON users.did = members.did WHERE members.slug = sites.slug AND members.did = $3 AND users.ending = 0))`,
			slug, owner, heir)
		return requireRow(done, err)
	})
}

// DeclineSite withdraws the offer of a wiki to a person. ErrNotFound if it isn't
// offered to them.
func (db *DB) DeclineSite(ctx context.Context, slug, did string) error {
	return db.changeSite(ctx, did, slug, "site.decline", "", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE sites SET offered_to = '' WHERE slug = $1 AND offered_to = $2`, slug, did)
		return requireRow(done, err)
	})
}

// AcceptSite makes a member the owner of a wiki that is offered to them. The former
// owner becomes an editor, and their tokens and grants for the wiki end. ErrNotFound if
// it isn't offered to the member, ErrQuota if they own max wikis.
func (db *DB) AcceptSite(ctx context.Context, slug, did string, max int) error {
	return db.transferSite(ctx, did, slug, did, func(tx *sql.Tx, former string) error {
		var offered bool
		var owned int
		err := tx.QueryRowContext(ctx, `
			SELECT offered_to = $2 AND ending = 0 AND suspended = 0 AND EXISTS (SELECT 1 FROM members JOIN users ON users.did = members.did
				WHERE members.slug = sites.slug AND members.did = $2 AND users.ending = 0 AND users.suspended = 0),
				(SELECT count(*) FROM sites WHERE owner = $2)
			FROM sites WHERE slug = $1`, slug, did).Scan(&offered, &owned)
		switch {
		case err != nil:
			return err
		case !offered:
			return wiki.ErrNotFound
		case owned >= max:
			return wiki.ErrQuota
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO members (slug, did, role, since) VALUES ($1, $2, 'editor', $3) ON CONFLICT (slug, did) DO UPDATE SET role = 'editor'`,
			slug, former, db.nowMillis())
		return err
	})
}

// TransferSite makes a person the owner of a wiki without asking its present owner, and
// adds the person if they are unknown. The former owner loses access. ErrExists if they own it
// already.
func (db *DB) TransferSite(ctx context.Context, slug, did string) error {
	return db.transferSite(ctx, Operator, slug, did, func(tx *sql.Tx, former string) error {
		if former == did {
			return wiki.ErrExists
		}
		var leaving bool
		err := tx.QueryRowContext(ctx, `SELECT ending > 0 FROM users WHERE did = $1`, did).Scan(&leaving)
		if errors.Is(err, sql.ErrNoRows) {
			_, err = tx.ExecContext(ctx, `INSERT INTO users (did, handle, name, created) VALUES ($1, '', '', $2)`, did, db.nowMillis())
		}
		if err == nil && leaving {
			err = wiki.ErrDenied
		}
		return err
	})
}

// transferSite changes the owner of a wiki in one transaction with check. Its host isn't
// the former owner's handle any more, and its own domain, whose DNS is the former
// owner's, is disconnected.
func (db *DB) transferSite(ctx context.Context, actor, slug, did string, check func(tx *sql.Tx, former string) error) error {
	var former string
	err := db.tx(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT owner FROM sites WHERE slug = $1`, slug).Scan(&former); err != nil {
			return sqlite.Translate(err)
		}
		if err := check(tx, former); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE sites SET owner = $2, offered_to = '', as_handle = FALSE, publication = '', version = version + 1 WHERE slug = $1`, slug, did); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM members WHERE slug = $1 AND did = $2`, slug, did); err != nil {
			return err
		}
		if err := db.revokeAccess(ctx, tx, slug, former); err != nil {
			return err
		}
		if _, err := db.releaseDomain(ctx, tx, slug); err != nil {
			return err
		}
		return db.audit(ctx, tx, actor, slug, "site.transfer", former+" "+did)
	})
	db.sites.forget(slug)
	db.users.forget(did)
	db.rereadDomain(ctx, slug)
	db.forgetCachedAccess()
	if err != nil {
		return fmt.Errorf("store: transfer %s: %w", slug, err)
	}
	return nil
}

// Transfers lists the changes of a wiki's owner since a time, newest first, at most 20.
// Their Detail has the DIDs of the former owner and the next.
func (db *DB) Transfers(ctx context.Context, slug string, since time.Time) ([]Event, error) {
	return db.queryEvents(ctx, `SELECT time, actor, slug, action, detail FROM audit WHERE slug = $1 AND action = 'site.transfer' AND time >= $2 ORDER BY id DESC LIMIT 20`,
		slug, since.UnixMilli())
}

// OfferedTo returns the DID of the member whom a wiki is offered to, or "".
func (db *DB) OfferedTo(ctx context.Context, slug string) (string, error) {
	var did string
	err := db.queryRow(ctx, `SELECT offered_to FROM sites WHERE slug = $1`, slug).Scan(&did)
	if err != nil {
		return "", fmt.Errorf("store: offer of %s: %w", slug, sqlite.Translate(err))
	}
	return did, nil
}

// OffersTo lists the wikis that are offered to a person.
func (db *DB) OffersTo(ctx context.Context, did string) ([]string, error) {
	return db.querySlugs(ctx, `SELECT slug FROM sites WHERE offered_to = $1 AND offered_to <> '' AND ending = 0 AND suspended = 0 ORDER BY slug`, did)
}
