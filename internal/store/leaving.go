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

// ScheduleDeletion closes a wiki, revokes its tokens and grants, and has it
// purged at a time. The zero time cancels the deletion; tokens stay revoked.
func (db *DB) ScheduleDeletion(ctx context.Context, actor, slug string, at time.Time) error {
	action := "site.end"
	if at.IsZero() {
		action = "site.restore"
	}
	err := db.changeSite(ctx, actor, slug, action, "", func(tx *sql.Tx) error { return db.scheduleDeletion(ctx, tx, slug, at) })
	db.forgetAccess()
	return err
}

func (db *DB) scheduleDeletion(ctx context.Context, tx *sql.Tx, slug string, at time.Time) error {
	if at.IsZero() {
		done, err := tx.ExecContext(ctx, `UPDATE sites SET ending = 0 WHERE slug = $1 AND ending > $2`, slug, db.millis())
		return oneRow(done, err)
	}
	done, err := tx.ExecContext(ctx, `UPDATE sites SET ending = $2 WHERE slug = $1 AND ending = 0`, slug, at.UnixMilli())
	if err := oneRow(done, err); err != nil {
		return err
	}
	return db.endAccess(ctx, tx, slug, "")
}

// endAccess ends the tokens and grants of a person for a wiki, of everybody with
// an empty did. The caller forgets them when it is done: forgetAccess.
func (db *DB) endAccess(ctx context.Context, tx *sql.Tx, slug, did string) error {
	for _, table := range []string{"tokens", "oauth_grants"} {
		_, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE slug = $1 AND (did = $2 OR $2 = '')`, slug, did)
		if err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) forgetAccess() {
	db.tokens.forgetAll()
	db.grants.forgetAll()
}

// oneRow is ErrNotFound when a statement changed nothing.
func oneRow(done sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(wiki.ErrNotFound, err)
	}
	return nil
}

// ScheduleUserDeletion has an account and its wiki purged at a time. All its
// sessions, tokens and grants end at once.
func (db *DB) ScheduleUserDeletion(ctx context.Context, did string, at time.Time) error {
	return db.changeUser(ctx, did, "account.end", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE users SET ending = $2 WHERE did = $1 AND ending = 0`, did, at.UnixMilli())
		if err := oneRow(done, err); err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM tokens WHERE slug IN (SELECT slug FROM sites WHERE owner = $1)`,
			`DELETE FROM tokens WHERE did = $1`,
			`DELETE FROM oauth_grants WHERE slug IN (SELECT slug FROM sites WHERE owner = $1)`,
			`DELETE FROM oauth_grants WHERE did = $1`,
			`DELETE FROM personal_tokens WHERE did = $1`,
			`DELETE FROM sessions WHERE did = $1`,
		} {
			if _, err := tx.ExecContext(ctx, statement, did); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE sites SET ending = $2, version = version + 1 WHERE owner = $1`, did, at.UnixMilli())
		return err
	})
}

// KeepUser cancels the deletion of an account and its wiki. It returns
// ErrNotFound if no deletion is pending or its time has passed.
func (db *DB) KeepUser(ctx context.Context, did string) error {
	return db.changeUser(ctx, did, "account.restore", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE users SET ending = 0 WHERE did = $1 AND ending > $2`, did, db.millis())
		if err := oneRow(done, err); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE sites SET ending = 0, version = version + 1 WHERE owner = $1 AND ending > $2`, did, db.millis())
		return err
	})
}

// changeUser runs a change of an account and all that hangs on it.
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
	db.forgetAccess()
	db.personal.forgetAll()
	if err != nil {
		return fmt.Errorf("store: %s %s: %w", action, did, err)
	}
	return nil
}

// UserPurgeTime is when an account will be purged; zero if it will not.
func (db *DB) UserPurgeTime(ctx context.Context, did string) (time.Time, error) {
	var at int64
	err := db.row(ctx, `SELECT ending FROM users WHERE did = $1`, did).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("store: purge time of %s: %w", did, sqlite.Translate(err))
	}
	return when(at), nil
}

// when is a time of the tables, the zero Time for 0.
func when(ms int64) time.Time {
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
	return db.pendingDeletions(ctx, `SELECT slug, owner, ending FROM sites WHERE ending > 0 AND ending <= $1 ORDER BY slug`, db.millis())
}

// DueUsers lists the accounts that are due to be purged and own no wiki.
func (db *DB) DueUsers(ctx context.Context) ([]PendingDeletion, error) {
	return db.pendingDeletions(ctx, `
		SELECT coalesce(username, ''), did, ending FROM users
		WHERE ending > 0 AND ending <= $1 AND did NOT IN (SELECT owner FROM sites) ORDER BY did`, db.millis())
}

func (db *DB) pendingDeletions(ctx context.Context, query string, arg any) ([]PendingDeletion, error) {
	var list []PendingDeletion
	err := db.each(ctx, func(rows *sql.Rows) error {
		var e PendingDeletion
		var at int64
		err := rows.Scan(&e.Slug, &e.DID, &at)
		e.At = when(at)
		list = append(list, e)
		return err
	}, query, arg)
	if err != nil {
		return nil, fmt.Errorf("store: list pending deletions: %w", err)
	}
	return list, nil
}

// PurgeSite removes a wiki whose time is over, with members and tokens. Its
// name is kept with the holder's keyed hash.
func (db *DB) PurgeSite(ctx context.Context, slug string, holder []byte) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		members, err := membersOf(ctx, tx, slug)
		if err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `DELETE FROM sites WHERE slug = $1 AND ending > 0 AND ending <= $2`, slug, db.millis())
		if err := oneRow(done, err); err != nil {
			return err
		}
		for _, did := range members {
			if err := forgetStranger(ctx, tx, did); err != nil {
				return err
			}
		}
		if err := db.keepName(ctx, tx, slug, holder); err != nil {
			return err
		}
		return db.audit(ctx, tx, "operator", slug, "site.purge", "")
	})
	db.sites.forget(slug)
	db.users.forgetAll()
	db.forgetAccess()
	if err != nil {
		return fmt.Errorf("store: purge site %s: %w", slug, err)
	}
	return nil
}

func (db *DB) keepName(ctx context.Context, tx *sql.Tx, slug string, holder []byte) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO former (slug, holder, since) VALUES ($1, $2, $3)
		ON CONFLICT (slug) DO UPDATE SET holder = excluded.holder, since = excluded.since`, slug, holder, db.millis())
	return err
}

// WikisEverOf lists the wikis of others that a person is or was a member of.
func (db *DB) WikisEverOf(ctx context.Context, did string) ([]string, error) {
	return db.slugs(ctx, `
		SELECT slug FROM sites WHERE owner <> $1 AND (slug IN (SELECT slug FROM members WHERE did = $1)
			OR slug IN (SELECT slug FROM audit WHERE action = 'member.set' AND substr(detail, 1, length($1) + 1) = $1 || ' ')) ORDER BY slug`, did)
}

// PurgeUser removes an account whose time is over and that owns no wiki, with
// its memberships, sessions and tokens. Its name is kept as by PurgeSite.
func (db *DB) PurgeUser(ctx context.Context, did string, holder []byte) error {
	return db.changeUser(ctx, did, "account.purge", func(tx *sql.Tx) error {
		var name string
		err := tx.QueryRowContext(ctx, `SELECT coalesce(username, '') FROM users WHERE did = $1 AND ending > 0 AND ending <= $2`,
			did, db.millis()).Scan(&name)
		if err != nil {
			return err
		}
		if name != "" {
			if err := db.keepName(ctx, tx, name, holder); err != nil {
				return err
			}
		}
		// Pages that are kept ready name who wrote them, former members as well.
		if _, err := tx.ExecContext(ctx, `UPDATE sites SET version = version + 1`); err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM members WHERE did = $1`,
			`UPDATE reports SET sender = '' WHERE sender = $1`,
		} {
			if _, err := tx.ExecContext(ctx, statement, did); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM users WHERE did = $1`, did)
		return err
	})
}

// CheckFormer is ErrExists when a name was somebody else's than the holder's.
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
