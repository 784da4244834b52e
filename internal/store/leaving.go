package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A PendingDeletion is a wiki or an account that will be purged.
type PendingDeletion struct {
	Slug string // of the wiki; "" for an account without one
	DID  string // the owner's
	At   time.Time
}

// ScheduleDeletion closes a wiki, revokes its tokens and grants, and schedules its
// purge. The zero time cancels the deletion; tokens stay revoked.
func (db *DB) ScheduleDeletion(ctx context.Context, actor, slug string, at time.Time) error {
	action := "site.end"
	if at.IsZero() {
		action = "site.restore"
	}
	err := db.changeSite(ctx, actor, slug, action, "", func(tx *sql.Tx) error { return db.scheduleDeletion(ctx, tx, slug, at) })
	db.forgetCachedAccess()
	return err
}

func (db *DB) scheduleDeletion(ctx context.Context, tx *sql.Tx, slug string, at time.Time) error {
	if at.IsZero() {
		done, err := tx.ExecContext(ctx, `UPDATE sites SET ending = 0 WHERE slug = $1 AND ending > $2`, slug, db.nowMillis())
		return requireRow(done, err)
	}
	done, err := tx.ExecContext(ctx, `UPDATE sites SET ending = $2 WHERE slug = $1 AND ending = 0`, slug, at.UnixMilli())
	if err := requireRow(done, err); err != nil {
		return err
	}
	return db.revokeAccess(ctx, tx, slug, "")
}

// revokeAccess deletes a person's tokens, grants, secret links and watches for a wiki, or
// everybody's if did is empty. The caller calls forgetCachedAccess after the transaction.
func (db *DB) revokeAccess(ctx context.Context, tx *sql.Tx, slug, did string) error {
	for _, table := range []string{"tokens", "oauth_grants", "secret_links", "watched"} {
		_, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE slug = $1 AND (did = $2 OR $2 = '')`, slug, did)
		if err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) forgetCachedAccess() {
	db.tokens.forgetAll()
	db.grants.forgetAll()
	db.secretLinks.forgetAll()
}

// requireRow returns ErrNotFound if a statement changed no row.
func requireRow(done sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(wiki.ErrNotFound, err)
	}
	return nil
}

// ScheduleUserDeletion schedules the purge of an account and its wiki. All its
// sessions, tokens, grants, secret links, watches, open invitations and their feed end
// immediately.
func (db *DB) ScheduleUserDeletion(ctx context.Context, did string, at time.Time) error {
	return db.changeUser(ctx, did, "account.end", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE users SET ending = $2 WHERE did = $1 AND ending = 0`, did, at.UnixMilli())
		if err := requireRow(done, err); err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM tokens WHERE slug IN (SELECT slug FROM sites WHERE owner = $1)`,
			`DELETE FROM tokens WHERE did = $1`,
			`DELETE FROM oauth_grants WHERE slug IN (SELECT slug FROM sites WHERE owner = $1)`,
			`DELETE FROM oauth_grants WHERE did = $1`,
			`DELETE FROM secret_links WHERE slug IN (SELECT slug FROM sites WHERE owner = $1)`,
			`DELETE FROM secret_links WHERE did = $1`,
			`DELETE FROM watched WHERE slug IN (SELECT slug FROM sites WHERE owner = $1)`,
			`DELETE FROM watched WHERE did = $1`,
			`DELETE FROM own_feeds WHERE did = $1`,
			`DELETE FROM personal_tokens WHERE did = $1`,
			`DELETE FROM sessions WHERE did = $1`,
		} {
			if _, err := tx.ExecContext(ctx, statement, did); err != nil {
				return err
			}
		}
		if err := db.endInvitations(ctx, tx, `did = $2`, did); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE sites SET ending = $2, version = version + 1 WHERE owner = $1`, did, at.UnixMilli())
		return err
	})
}

// CancelUserDeletion cancels the deletion of an account and its wiki. It fails with
// ErrNotFound if no deletion is pending or its time has passed.
func (db *DB) CancelUserDeletion(ctx context.Context, did string) error {
	return db.changeUser(ctx, did, "account.restore", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE users SET ending = 0 WHERE did = $1 AND ending > $2`, did, db.nowMillis())
		if err := requireRow(done, err); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE sites SET ending = 0, version = version + 1 WHERE owner = $1 AND ending > $2`, did, db.nowMillis())
		return err
	})
}

// changeUser runs a change of an account and of rows that depend on it, adds an
// audit entry, and clears the caches.
func (db *DB) changeUser(ctx context.Context, did, action string, change func(*sql.Tx) error) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return db.audit(ctx, tx, did, "", action, "")
	})
	db.users.forget(did)
	db.sites.forgetAll()
	db.sessions.forgetAll()
	db.forgetCachedAccess()
	db.personalTokens.forgetAll()
	if err != nil {
		return fmt.Errorf("store: %s %s: %w", action, did, err)
	}
	return nil
}

// UserPurgeTime returns when an account will be purged; zero if no deletion is
// pending.
func (db *DB) UserPurgeTime(ctx context.Context, did string) (time.Time, error) {
	var at int64
	err := db.queryRow(ctx, `SELECT ending FROM users WHERE did = $1`, did).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("store: purge time of %s: %w", did, sqlite.Translate(err))
	}
	return timeFromMillis(at), nil
}

// timeFromMillis converts a time from the tables; 0 is the zero Time.
func timeFromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// PendingDeletions lists the wikis of a person that will be purged.
func (db *DB) PendingDeletions(ctx context.Context, did string) ([]PendingDeletion, error) {
	return db.pendingDeletions(ctx, `SELECT slug, owner, ending FROM sites WHERE owner = $1 AND ending > 0 ORDER BY slug`, did)
}

// DueSites lists the wikis that are due to be purged.
func (db *DB) DueSites(ctx context.Context) ([]PendingDeletion, error) {
	return db.pendingDeletions(ctx, `SELECT slug, owner, ending FROM sites WHERE ending > 0 AND ending <= $1 ORDER BY slug`, db.nowMillis())
}

// DueUsers lists the accounts that are due to be purged and own no wiki.
func (db *DB) DueUsers(ctx context.Context) ([]PendingDeletion, error) {
	return db.pendingDeletions(ctx, `
		SELECT coalesce(username, ''), did, ending FROM users
		WHERE ending > 0 AND ending <= $1 AND did NOT IN (SELECT owner FROM sites) ORDER BY did`, db.nowMillis())
}

func (db *DB) pendingDeletions(ctx context.Context, query string, arg any) ([]PendingDeletion, error) {
	var list []PendingDeletion
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var e PendingDeletion
		var at int64
		err := rows.Scan(&e.Slug, &e.DID, &at)
		e.At = timeFromMillis(at)
		list = append(list, e)
		return err
	}, query, arg)
	if err != nil {
		return nil, fmt.Errorf("store: list pending deletions: %w", err)
	}
	return list, nil
}

// PurgeSite removes a wiki that is due, with members and tokens. Its name stays
// reserved for the holder (a keyed hash of the DID).
func (db *DB) PurgeSite(ctx context.Context, slug string, holder []byte) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		members, err := queryMembers(ctx, tx, slug)
		if err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `DELETE FROM sites WHERE slug = $1 AND ending > 0 AND ending <= $2`, slug, db.nowMillis())
		if err := requireRow(done, err); err != nil {
			return err
		}
		for _, did := range members {
			if err := deleteInvitee(ctx, tx, did); err != nil {
				return err
			}
		}
		if err := db.reserveName(ctx, tx, slug, holder); err != nil {
			return err
		}
		if err := clearAside(ctx, tx, slug); err != nil {
			return err
		}
		if err := db.purgeDomains(ctx, tx, slug); err != nil {
			return err
		}
		return db.audit(ctx, tx, "operator", slug, "site.purge", "")
	})
	db.sites.forget(slug)
	db.rereadDomain(ctx, slug)
	db.users.forgetAll()
	db.forgetCachedAccess()
	if err != nil {
		return fmt.Errorf("store: purge site %s: %w", slug, err)
	}
	return nil
}

func (db *DB) reserveName(ctx context.Context, tx *sql.Tx, slug string, holder []byte) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO former (slug, holder, since) VALUES ($1, $2, $3)
		ON CONFLICT (slug) DO UPDATE SET holder = excluded.holder, since = excluded.since`, slug, holder, db.nowMillis())
	return err
}

// SitesEverJoined lists the wikis of others that a person is or was a member of.
// They can hold the person's drafts.
func (db *DB) SitesEverJoined(ctx context.Context, did string) ([]string, error) {
	return db.querySlugs(ctx, `
		SELECT slug FROM sites WHERE owner <> $1 AND (slug IN (SELECT slug FROM members WHERE did = $1)
			OR slug IN (SELECT slug FROM audit WHERE action = 'member.set' AND substr(detail, 1, length($1) + 1) = $1 || ' ')) ORDER BY slug`, did)
}

// PurgeUser removes an account that is due and owns no wiki, with its memberships,
// sessions and tokens. Its name stays reserved, as with PurgeSite.
func (db *DB) PurgeUser(ctx context.Context, did string, holder []byte) error {
	return db.changeUser(ctx, did, "account.purge", func(tx *sql.Tx) error {
		var name string
		err := tx.QueryRowContext(ctx, `SELECT coalesce(username, '') FROM users WHERE did = $1 AND ending > 0 AND ending <= $2`,
			did, db.nowMillis()).Scan(&name)
		if err != nil {
			return err
		}
		if name != "" {
			if err := db.reserveName(ctx, tx, name, holder); err != nil {
				return err
			}
		}
		// Cached pages show the names of authors, including former members.
		if _, err := tx.ExecContext(ctx, `UPDATE sites SET version = version + 1`); err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM members WHERE did = $1`,
			`UPDATE reports SET sender = '' WHERE sender = $1`,
			`UPDATE sites SET offered_to = '' WHERE offered_to = $1`,
		} {
			if _, err := tx.ExecContext(ctx, statement, did); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM users WHERE did = $1`, did)
		return err
	})
}

// CheckFormer returns ErrExists if a name is reserved for a different holder.
func (db *DB) CheckFormer(ctx context.Context, slug string, holder []byte) error {
	return checkFormer(ctx, db.sql, slug, holder)
}

type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func checkFormer(ctx context.Context, q rowQuerier, slug string, holder []byte) error {
	var was []byte
	err := q.QueryRowContext(ctx, `SELECT holder FROM former WHERE slug = $1`, slug).Scan(&was)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("store: former name %s: %w", slug, sqlite.Translate(err))
	case !bytes.Equal(was, holder):
		return wiki.ErrExists
	}
	return nil
}
