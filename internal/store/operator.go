package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"robot.wtf/internal/wiki"
)

// Operator is who the audit log names for what the operator does.
const Operator = "operator"

// SuspendSite closes a wiki on every door until ResumeSite; why is for its
// members. ErrNotFound if it is closed already.
func (db *DB) SuspendSite(ctx context.Context, slug, why string) error {
	return db.changeSite(ctx, Operator, slug, "site.suspend", why, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE sites SET suspended = $2, why = $3 WHERE slug = $1 AND suspended = 0`, slug, db.millis(), why)
		return oneRow(done, err)
	})
}

// ResumeSite takes SuspendSite back; ErrNotFound if it is open.
func (db *DB) ResumeSite(ctx context.Context, slug string) error {
	return db.changeSite(ctx, Operator, slug, "site.resume", "", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE sites SET suspended = 0, why = '' WHERE slug = $1 AND suspended > 0`, slug)
		return oneRow(done, err)
	})
}

// SuspendUser ends a person's sessions and keeps them out, with their tokens and
// grants, until ResumeUser. The wikis that they own are closed with them.
func (db *DB) SuspendUser(ctx context.Context, did, why string) error {
	return db.operateUser(ctx, did, "account.suspend", why, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE users SET suspended = $2 WHERE did = $1 AND suspended = 0`, did, db.millis())
		if err := oneRow(done, err); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE did = $1`, did); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE sites SET suspended = $2, why = $3, version = version + 1 WHERE owner = $1 AND suspended = 0`, did, db.millis(), why)
		return err
	})
}

// ResumeUser takes SuspendUser back, for the wikis as well.
func (db *DB) ResumeUser(ctx context.Context, did string) error {
	return db.operateUser(ctx, did, "account.resume", "", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE users SET suspended = 0 WHERE did = $1 AND suspended > 0`, did)
		if err := oneRow(done, err); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE sites SET suspended = 0, why = '', version = version + 1 WHERE owner = $1 AND suspended > 0`, did)
		return err
	})
}

func (db *DB) operateUser(ctx context.Context, did, action, detail string, change func(*sql.Tx) error) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return db.audit(ctx, tx, Operator, "", action, did+" "+detail)
	})
	db.users.forget(did)
	db.sites.forgetAll()
	db.sessions.forgetAll()
	if err != nil {
		return fmt.Errorf("store: %s %s: %w", action, did, err)
	}
	return nil
}

// OperatorEvent notes what the operator did elsewhere: to a wiki's content.
func (db *DB) OperatorEvent(ctx context.Context, slug, action, detail string) error {
	return db.changeSite(ctx, Operator, slug, action, detail, func(*sql.Tx) error { return nil })
}

// OperatorAct notes what the operator did to the service as a whole.
func (db *DB) OperatorAct(ctx context.Context, action string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error { return db.audit(ctx, tx, Operator, "", action, "") })
	if err != nil {
		return fmt.Errorf("store: %s: %w", action, err)
	}
	return nil
}

// ScheduleDeletionNow makes a wiki due, so that the next sweep purges it.
func (db *DB) ScheduleDeletionNow(ctx context.Context, slug string) error {
	err := db.changeSite(ctx, Operator, slug, "site.end", "now", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sites SET ending = $2 WHERE slug = $1`, slug, db.millis()-1)
		if err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM tokens WHERE slug = $1`, slug)
		}
		return err
	})
	db.tokens.forgetAll()
	return err
}

// ReinstateSite adds the row of a wiki that is no more, as a backup has it, and
// of its members those who are known here; left names the others. Tokens and
// grants stay ended. ErrNotFound when its owner is not known here, or leaving;
// ErrExists when the slug is somebody's, was another holder's, or its owner is
// called otherwise by now; ErrQuota when they have max wikis.
func (db *DB) ReinstateSite(ctx context.Context, site Site, holder []byte, max int) (left []string, err error) {
	limits, err := json.Marshal(site.Limits)
	if err != nil {
		return nil, err
	}
	err = db.tx(ctx, func(tx *sql.Tx) error {
		var known, own int
		if err := tx.QueryRowContext(ctx, `SELECT count(*), (SELECT count(*) FROM sites WHERE owner = $1) FROM users WHERE did = $1 AND ending = 0`,
			site.OwnerDID).Scan(&known, &own); err != nil {
			return err
		}
		if known == 0 {
			return wiki.ErrNotFound
		}
		if own >= max {
			return wiki.ErrQuota
		}
		if err := checkFormer(ctx, tx, site.Slug, holder); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `UPDATE users SET username = $2 WHERE did = $1 AND (username IS NULL OR username = $2)`, site.OwnerDID, site.Slug)
		if err := oneRow(done, err); errors.Is(err, wiki.ErrNotFound) {
			return wiki.ErrExists
		} else if err != nil {
			return err
		}
		// Its version is higher than any that this wiki had, for finished pages are
		// kept by it.
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO sites (slug, owner, title, description, public, home, as_handle, limits, version, created, published, suspended, why)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			site.Slug, site.OwnerDID, site.Title, site.Description, site.Public, site.Home, site.AsHandle, string(limits), db.millis(),
			site.Created.UnixMilli(), millis(site.Published), millis(site.Suspended), site.Why); err != nil {
			return err
		}
		for _, did := range slices.Sorted(maps.Keys(site.Roles)) {
			if did == site.OwnerDID {
				continue
			}
			done, err := tx.ExecContext(ctx, `
				INSERT INTO members (slug, did, role, since) SELECT $1, did, $3, $4 FROM users WHERE did = $2 AND ending = 0`,
				site.Slug, did, site.Roles[did].String(), db.millis())
			if err := oneRow(done, err); errors.Is(err, wiki.ErrNotFound) {
				left = append(left, did)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	db.sites.forget(site.Slug)
	db.users.forget(site.OwnerDID)
	if err != nil {
		return nil, fmt.Errorf("store: reinstate %s: %w", site.Slug, err)
	}
	return left, nil
}

// millis is the opposite of when.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// A SiteRow is a wiki in the operator's list.
type SiteRow struct {
	Slug, OwnerDID, OwnerHandle string
	Public                      bool
	Created, PurgeAt, Suspended time.Time
	Why                         string
	Members                     int
}

// AllSites lists all wikis by slug.
func (db *DB) AllSites(ctx context.Context) ([]SiteRow, error) {
	var list []SiteRow
	err := db.each(ctx, func(rows *sql.Rows) error {
		var s SiteRow
		var created, ending, suspended int64
		err := rows.Scan(&s.Slug, &s.OwnerDID, &s.OwnerHandle, &s.Public, &created, &ending, &suspended, &s.Why, &s.Members)
		s.Created, s.PurgeAt, s.Suspended = when(created), when(ending), when(suspended)
		list = append(list, s)
		return err
	}, `SELECT slug, owner, users.handle, public, sites.created, sites.ending, sites.suspended, why,
			(SELECT count(*) FROM members WHERE members.slug = sites.slug)
		FROM sites JOIN users ON users.did = sites.owner ORDER BY slug`)
	if err != nil {
		return nil, fmt.Errorf("store: list wikis: %w", err)
	}
	return list, nil
}

// A UserRow is a person in the operator's list.
type UserRow struct {
	wiki.User
	Created, Seen, PurgeAt, Suspended time.Time
}

// AllUsers lists all people, those first who came last.
func (db *DB) AllUsers(ctx context.Context) ([]UserRow, error) {
	var list []UserRow
	err := db.each(ctx, func(rows *sql.Rows) error {
		var u UserRow
		var created, seen, ending, suspended int64
		err := rows.Scan(&u.DID, &u.Username, &u.Handle, &created, &seen, &ending, &suspended)
		u.Created, u.Seen, u.PurgeAt, u.Suspended = when(created), when(seen), when(ending), when(suspended)
		list = append(list, u)
		return err
	}, `SELECT did, coalesce(username, ''), handle, created, seen, ending, suspended FROM users ORDER BY created DESC, did`)
	if err != nil {
		return nil, fmt.Errorf("store: list users: %w", err)
	}
	return list, nil
}

// AuditAll lists the newest entries of the audit log, of all wikis and people;
// of one wiki with its slug.
func (db *DB) AuditAll(ctx context.Context, slug string, limit int) ([]Event, error) {
	return db.events(ctx, `SELECT time, actor, slug, action, detail FROM audit WHERE slug = $1 OR $1 = '' ORDER BY id DESC LIMIT $2`, slug, limit)
}

// OperatorEvents lists what the operator did to a wiki since a time, newest
// first.
func (db *DB) OperatorEvents(ctx context.Context, slug string, since time.Time) ([]Event, error) {
	return db.events(ctx, `SELECT time, actor, slug, action, detail FROM audit WHERE actor = 'operator' AND slug = $1 AND time >= $2 ORDER BY id DESC LIMIT 20`,
		slug, since.UnixMilli())
}

func (db *DB) events(ctx context.Context, query string, args ...any) ([]Event, error) {
	var list []Event
	err := db.each(ctx, func(rows *sql.Rows) error {
		var e Event
		var ms int64
		err := rows.Scan(&ms, &e.Actor, &e.Slug, &e.Action, &e.Detail)
		e.Time = when(ms)
		list = append(list, e)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("store: list audit log: %w", err)
	}
	return list, nil
}

// FindUser finds a person by username, handle or DID, as an operator types them.
func (db *DB) FindUser(ctx context.Context, name string) (wiki.User, error) {
	return db.oneUser(ctx, `SELECT `+userColumns+` FROM users WHERE did = $1 OR username = $1 OR handle = $1 ORDER BY did = $1 DESC, username = $1 DESC LIMIT 1`, name)
}

// RemoveUser schedules an account's deletion for the operator, even if one is
// pending already.
func (db *DB) RemoveUser(ctx context.Context, did string, at time.Time) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE users SET ending = 0 WHERE did = $1`, did)
		if err := oneRow(done, err); err != nil {
			return err
		}
		return db.audit(ctx, tx, Operator, "", "account.delete", did)
	})
	if err != nil {
		return fmt.Errorf("store: delete account %s: %w", did, err)
	}
	return db.ScheduleUserDeletion(ctx, did, at)
}
