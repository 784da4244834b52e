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

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// Operator is the actor of the operator's entries in the audit log.
const Operator = wiki.OperatorName

// SuspendSite closes a wiki until ResumeSite. Its members see why. ErrNotFound if it
// is suspended already.
func (db *DB) SuspendSite(ctx context.Context, slug, why string) error {
	return db.changeSite(ctx, Operator, slug, "site.suspend", why, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE sites SET suspended = $2, why = $3 WHERE slug = $1 AND suspended = 0`, slug, db.nowMillis(), why)
		return requireRow(done, err)
	})
}

// ResumeSite undoes SuspendSite; ErrNotFound if the wiki isn't suspended.
func (db *DB) ResumeSite(ctx context.Context, slug string) error {
	return db.changeSite(ctx, Operator, slug, "site.resume", "", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE sites SET suspended = 0, why = '' WHERE slug = $1 AND suspended > 0`, slug)
		return requireRow(done, err)
	})
}

// ReviveSite ends the suspension and the deletion of a site and of its owner, if there
// are any.
func (db *DB) ReviveSite(ctx context.Context, slug string) error {
	var closed int
	err := db.reads.Row(ctx, `SELECT count(*) FROM sites JOIN users ON users.did = sites.owner
		WHERE slug = $1 AND (sites.suspended <> 0 OR sites.ending <> 0 OR users.suspended <> 0 OR users.ending <> 0)`, slug).Scan(&closed)
	if err != nil || closed == 0 {
		return sqlite.Translate(err)
	}
	err = db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE sites SET suspended = 0, why = '', ending = 0, version = version + 1
			WHERE slug = $1 AND (suspended <> 0 OR ending <> 0)`, slug)
		site := requireRow(done, err)
		if site != nil && !errors.Is(site, wiki.ErrNotFound) {
			return site
		}
		done, err = tx.ExecContext(ctx, `UPDATE users SET suspended = 0, ending = 0
			WHERE did = (SELECT owner FROM sites WHERE slug = $1) AND (suspended <> 0 OR ending <> 0)`, slug)
		owner := requireRow(done, err)
		if owner != nil && !errors.Is(owner, wiki.ErrNotFound) {
			return owner
		}
		return db.audit(ctx, tx, Operator, slug, "site.resume", "")
	})
	db.users.forgetAll()
	db.sites.forgetAll()
	if err != nil {
		return fmt.Errorf("store: revive %s: %w", slug, err)
	}
	return nil
}

// SuspendUser ends a person's sessions and open invitations, and suspends them and
// their wikis until ResumeUser. Their tokens and grants don't work meanwhile.
func (db *DB) SuspendUser(ctx context.Context, did, why string) error {
	return db.changeUserAsOperator(ctx, did, "account.suspend", why, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE users SET suspended = $2 WHERE did = $1 AND suspended = 0`, did, db.nowMillis())
		if err := requireRow(done, err); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE did = $1`, did); err != nil {
			return err
		}
		if err := db.endInvitations(ctx, tx, `did = $2`, did); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE sites SET suspended = $2, why = $3, version = version + 1 WHERE owner = $1 AND suspended = 0`, did, db.nowMillis(), why)
		return err
	})
}

// ResumeUser undoes SuspendUser, for the person's wikis too.
func (db *DB) ResumeUser(ctx context.Context, did string) error {
	return db.changeUserAsOperator(ctx, did, "account.resume", "", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE users SET suspended = 0, suspended_host = '' WHERE did = $1 AND suspended > 0`, did)
		if err := requireRow(done, err); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE sites SET suspended = 0, why = '', version = version + 1 WHERE owner = $1 AND suspended > 0`, did)
		return err
	})
}

func (db *DB) changeUserAsOperator(ctx context.Context, did, action, detail string, change func(*sql.Tx) error) error {
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

// AuditSiteChange records an operator's action on a wiki that isn't in this database,
// on its content for example.
func (db *DB) AuditSiteChange(ctx context.Context, slug, action, detail string) error {
	return db.changeSite(ctx, Operator, slug, action, detail, func(*sql.Tx) error { return nil })
}

// RecordAct adds an audit entry for an act of one of several operators; slug can be "".
func (db *DB) RecordAct(ctx context.Context, actor, slug, action, detail string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error { return db.audit(ctx, tx, actor, slug, action, detail) })
	if err != nil {
		return fmt.Errorf("store: record %s: %w", action, err)
	}
	return nil
}

// AuditServiceChange records an operator's action on the whole service.
func (db *DB) AuditServiceChange(ctx context.Context, action string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error { return db.audit(ctx, tx, Operator, "", action, "") })
	if err != nil {
		return fmt.Errorf("store: %s: %w", action, err)
	}
	return nil
}

// ScheduleDeletionNow makes a wiki due for the next sweep.
func (db *DB) ScheduleDeletionNow(ctx context.Context, slug string) error {
	err := db.changeSite(ctx, Operator, slug, "site.end", "now", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sites SET ending = $2 WHERE slug = $1`, slug, db.nowMillis()-1)
		if err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM tokens WHERE slug = $1`, slug)
		}
		return err
	})
	db.tokens.forgetAll()
	return err
}

// ReinstateSite adds a purged wiki again, as recorded in a backup, with those of its
// members that exist here; left lists the others. Tokens and grants stay revoked. It
// fails with ErrNotFound if the owner doesn't exist or is being deleted, ErrExists
// if the slug is taken or reserved or the owner has another username now, ErrQuota
// if the owner has max wikis.
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
		if err := requireRow(done, err); errors.Is(err, wiki.ErrNotFound) {
			return wiki.ErrExists
		} else if err != nil {
			return err
		}
		// The version must be higher than any this wiki had, because rendered pages
		// are cached by it.
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO sites (slug, owner, title, description, public, home, as_handle, limits, version, created, published, suspended, why, wikilinks, lang, accent, footer, agents)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
			site.Slug, site.OwnerDID, site.Title, site.Description, site.Public, site.Home, site.AsHandle, string(limits), db.nowMillis(),
			site.Created.UnixMilli(), toMillis(site.Published), toMillis(site.Suspended), site.Why, string(site.Wikilinks), site.Lang, site.Accent, site.Footer, string(site.Agents)); err != nil {
			return err
		}
		left, err = db.reinstateMembers(ctx, tx, site)
		return err
	})
	db.sites.forget(site.Slug)
	db.users.forget(site.OwnerDID)
	if err != nil {
		return nil, fmt.Errorf("store: reinstate %s: %w", site.Slug, err)
	}
	return left, nil
}

// reinstateMembers adds a site's members and returns those that don't exist here or
// are being deleted.
func (db *DB) reinstateMembers(ctx context.Context, tx *sql.Tx, site Site) (left []string, err error) {
	for _, did := range slices.Sorted(maps.Keys(site.Roles)) {
		if did == site.OwnerDID {
			continue
		}
		done, err := tx.ExecContext(ctx, `
			INSERT INTO members (slug, did, role, since) SELECT $1, did, $3, $4 FROM users WHERE did = $2 AND ending = 0`,
			site.Slug, did, site.Roles[did].String(), db.nowMillis())
		if err := requireRow(done, err); errors.Is(err, wiki.ErrNotFound) {
			left = append(left, did)
		} else if err != nil {
			return nil, err
		}
	}
	return left, nil
}

// toMillis reverses timeFromMillis.
func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// A SiteRow is a wiki in the operator's list.
type SiteRow struct {
	Slug, OwnerDID, OwnerHandle string
	OwnerHost                   string // of the server that hosts the owner's account, or ""
	Public                      bool
	Created, PurgeAt, Suspended time.Time
	Published                   time.Time // when it was first made public; zero if it never was
	Why                         string
	Members                     int
}

// AllSites lists all wikis by slug.
func (db *DB) AllSites(ctx context.Context) ([]SiteRow, error) {
	var list []SiteRow
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var s SiteRow
		var created, ending, suspended, published int64
		err := rows.Scan(&s.Slug, &s.OwnerDID, &s.OwnerHandle, &s.OwnerHost, &s.Public, &created, &ending, &suspended, &published, &s.Why, &s.Members)
		s.Published = timeFromMillis(published)
		s.Created, s.PurgeAt, s.Suspended = timeFromMillis(created), timeFromMillis(ending), timeFromMillis(suspended)
		list = append(list, s)
		return err
	}, `SELECT slug, owner, users.handle, users.host, public, sites.created, sites.ending, sites.suspended, published, why,
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

// AllUsers lists all people, newest first.
func (db *DB) AllUsers(ctx context.Context) ([]UserRow, error) {
	var list []UserRow
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var u UserRow
		var created, seen, ending, suspended int64
		err := rows.Scan(&u.DID, &u.Username, &u.Handle, &created, &seen, &ending, &suspended)
		u.Created, u.Seen, u.PurgeAt, u.Suspended = timeFromMillis(created), timeFromMillis(seen), timeFromMillis(ending), timeFromMillis(suspended)
		list = append(list, u)
		return err
	}, `SELECT did, coalesce(username, ''), handle, created, seen, ending, suspended FROM users ORDER BY created DESC, did`)
	if err != nil {
		return nil, fmt.Errorf("store: list users: %w", err)
	}
	return list, nil
}

// AuditAll lists the newest entries of the audit log: a wiki's, or all if slug is
// empty.
func (db *DB) AuditAll(ctx context.Context, slug string, limit int) ([]Event, error) {
	return db.queryEvents(ctx, `SELECT time, actor, slug, action, detail FROM audit WHERE slug = $1 OR $1 = '' ORDER BY id DESC LIMIT $2`, slug, limit)
}

// OperatorEvents lists the operator's actions on a wiki since a time, newest first,
// at most 20.
func (db *DB) OperatorEvents(ctx context.Context, slug string, since time.Time) ([]Event, error) {
	return db.queryEvents(ctx, `SELECT time, actor, slug, action, detail FROM audit WHERE actor = 'operator' AND slug = $1 AND time >= $2 ORDER BY id DESC LIMIT 20`,
		slug, since.UnixMilli())
}

func (db *DB) queryEvents(ctx context.Context, query string, args ...any) ([]Event, error) {
	var list []Event
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var e Event
		var ms int64
		err := rows.Scan(&ms, &e.Actor, &e.Slug, &e.Action, &e.Detail)
		e.Time = timeFromMillis(ms)
		list = append(list, e)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("store: list audit log: %w", err)
	}
	return list, nil
}

// FindUser finds a person by DID, username or handle.
func (db *DB) FindUser(ctx context.Context, name string) (wiki.User, error) {
	return db.queryUser(ctx, `SELECT `+userColumns+` FROM users WHERE did = $1 OR username = $1 OR handle = $1 ORDER BY did = $1 DESC, username = $1 DESC LIMIT 1`, name)
}

// RemoveUser schedules an account's deletion for the operator, even if one is
// pending already.
func (db *DB) RemoveUser(ctx context.Context, did string, at time.Time) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE users SET ending = 0 WHERE did = $1`, did)
		if err := requireRow(done, err); err != nil {
			return err
		}
		return db.audit(ctx, tx, Operator, "", "account.delete", did)
	})
	if err != nil {
		return fmt.Errorf("store: delete account %s: %w", did, err)
	}
	return db.ScheduleUserDeletion(ctx, did, at)
}
