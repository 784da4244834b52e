package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A Domain is a wiki's own domain: a host outside this service that shows the wiki.
type Domain struct {
	Host     string    // in lowercase, in ASCII
	Slug     string    // of its wiki
	Verified time.Time // when the owner proved that it is theirs; zero until then
	Checked  time.Time // when its DNS was last looked at
	Seen     time.Time // when it last pointed here
	Lost     time.Time // since when it points elsewhere; zero while it points here
	Released time.Time // when it was disconnected; zero while it is connected
}

// Works reports whether the domain is proven and points here.
func (d Domain) Works() bool { return !d.Verified.IsZero() && d.Lost.IsZero() && d.Released.IsZero() }

const domainColumns = `host, slug, verified, checked, seen, lost, released`

func scanDomain(row sqlite.Scanner) (d Domain, err error) {
	var verified, checked, seen, lost, released int64
	err = row.Scan(&d.Host, &d.Slug, &verified, &checked, &seen, &lost, &released)
	d.Verified, d.Checked, d.Seen = timeFromMillis(verified), timeFromMillis(checked), timeFromMillis(seen)
	d.Lost, d.Released = timeFromMillis(lost), timeFromMillis(released)
	return d, err
}

// A domainTable has all connected domains in memory, because every request to a host
// that isn't the service's asks for one, and strangers choose these hosts.
type domainTable struct {
	mu     sync.RWMutex
	loaded bool
	hosts  map[string]Domain
	slugs  map[string]Domain
}

// find calls look with the table, and reads it before if it isn't loaded.
func (db *DB) findDomain(ctx context.Context, look func(*domainTable) (Domain, bool)) (Domain, error) {
	t := &db.domains
	t.mu.RLock()
	loaded := t.loaded
	d, ok := look(t)
	t.mu.RUnlock()
	if !loaded {
		t.mu.Lock()
		defer t.mu.Unlock()
		if err := db.loadDomains(ctx, t); err != nil {
			return Domain{}, fmt.Errorf("store: read domains: %w", err)
		}
		d, ok = look(t)
	}
	if !ok {
		return Domain{}, wiki.ErrNotFound
	}
	return d, nil
}

// loadDomains fills the table. The caller holds its lock, so a change that commits
// meanwhile is read again after it.
func (db *DB) loadDomains(ctx context.Context, t *domainTable) error {
	hosts, slugs := map[string]Domain{}, map[string]Domain{}
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		d, err := scanDomain(rows)
		hosts[d.Host], slugs[d.Slug] = d, d
		return err
	}, `SELECT `+domainColumns+` FROM domains WHERE verified > $1 AND released = 0`, 0)
	if err == nil {
		t.hosts, t.slugs, t.loaded = hosts, slugs, true
	}
	return err
}

// rereadDomain updates the domain of a wiki in the table, after a change. If it can't be
// read, the next request reads the whole table.
func (db *DB) rereadDomain(ctx context.Context, slug string) {
	t := &db.domains
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.loaded {
		return
	}
	d, err := scanDomain(db.queryRow(ctx, `SELECT `+domainColumns+` FROM domains WHERE slug = $1 AND verified > 0 AND released = 0`, slug))
	delete(t.hosts, t.slugs[slug].Host)
	delete(t.slugs, slug)
	switch err = sqlite.Translate(err); {
	case err == nil:
		t.hosts[d.Host], t.slugs[slug] = d, d
	case !errors.Is(err, wiki.ErrNotFound):
		t.loaded = false
	}
}

// DomainAt returns the connected domain with a host; ErrNotFound if there is none. It
// needs no SQL.
func (db *DB) DomainAt(ctx context.Context, host string) (Domain, error) {
	return db.findDomain(ctx, func(t *domainTable) (Domain, bool) { d, ok := t.hosts[host]; return d, ok })
}

// DomainOf returns the connected domain of a wiki; ErrNotFound if it has none. It needs
// no SQL.
func (db *DB) DomainOf(ctx context.Context, slug string) (Domain, error) {
	return db.findDomain(ctx, func(t *domainTable) (Domain, bool) { d, ok := t.slugs[slug]; return d, ok })
}

// LastDomain returns the domain that an owner has named or connected or, if there is
// none, the one that was disconnected last. ErrNotFound if there is none of these.
func (db *DB) LastDomain(ctx context.Context, slug string) (Domain, error) {
	d, err := scanDomain(db.queryRow(ctx, `SELECT `+domainColumns+` FROM domains WHERE slug = $1 ORDER BY released > 0, released DESC LIMIT 1`, slug))
	if err != nil {
		return Domain{}, fmt.Errorf("store: domain of %s: %w", slug, sqlite.Translate(err))
	}
	return d, nil
}

// NameDomain stores the domain that an owner names, which isn't proven, in place of
// another such one. It fails with ErrExists if the wiki has a connected one.
func (db *DB) NameDomain(ctx context.Context, actor, slug, host string) error {
	return db.changeSite(ctx, actor, slug, "domain.name", host, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM domains WHERE slug = $1 AND verified = 0`, slug); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO domains (host, slug, added) VALUES ($1, $2, $3)`, host, slug, db.nowMillis())
		return err
	})
}

// TriedDomain records that the DNS of a named domain was looked at.
func (db *DB) TriedDomain(ctx context.Context, slug string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE domains SET checked = $2 WHERE slug = $1 AND released = 0`, slug, db.nowMillis())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: domain of %s: %w", slug, err)
	}
	return nil
}

// ConnectDomain connects the domain that a wiki's owner has named and proven. It fails
// with ErrExists if another wiki has it, or if it was disconnected from a wiki of
// somebody else since the time given; with ErrQuota if the wiki has had max domains
// since yesterday; and with ErrNotFound if no such domain is named.
func (db *DB) ConnectDomain(ctx context.Context, actor, slug, host string, since time.Time, max int) error {
	err := db.changeSite(ctx, actor, slug, "domain.connect", host, func(tx *sql.Tx) error {
		var other string
		var released int64
		err := tx.QueryRowContext(ctx, `SELECT slug, released FROM domains WHERE host = $1 AND verified > 0`, host).Scan(&other, &released)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return err
		case released == 0:
			return wiki.ErrExists
		case released > since.UnixMilli():
			if err := checkSameOwner(ctx, tx, slug, other); err != nil {
				return err
			}
		}
		var n int
		err = tx.QueryRowContext(ctx, `SELECT count(*) FROM domains WHERE slug = $1 AND host <> $2 AND verified > $3`, slug, host, db.now().AddDate(0, 0, -1).UnixMilli()).Scan(&n)
		if err != nil {
			return err
		}
		if n >= max {
			return wiki.ErrQuota
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM domains WHERE host = $1 AND verified > 0`, host); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `UPDATE domains SET verified = $3, checked = $3, seen = $3 WHERE slug = $1 AND host = $2 AND verified = 0`, slug, host, db.nowMillis())
		return requireRow(done, err)
	})
	db.rereadDomain(ctx, slug)
	return err
}

// checkSameOwner fails with ErrExists unless one person owns both wikis.
func checkSameOwner(ctx context.Context, tx *sql.Tx, slug, other string) error {
	var same bool
	err := tx.QueryRowContext(ctx, `SELECT count(DISTINCT owner) = 1 AND count(*) = (CASE WHEN $1 = $2 THEN 1 ELSE 2 END) FROM sites WHERE slug IN ($1, $2)`, slug, other).Scan(&same)
	if err == nil && !same {
		err = wiki.ErrExists
	}
	return err
}

// ReleaseDomain disconnects a wiki's domain, or forgets the one that its owner has
// named. ErrNotFound if there is none.
func (db *DB) ReleaseDomain(ctx context.Context, actor, slug string) error {
	return db.disconnectDomain(ctx, actor, slug, "domain.disconnect", "")
}

// DropDomain disconnects a domain that doesn't point here any more.
func (db *DB) DropDomain(ctx context.Context, d Domain) error {
	return db.disconnectDomain(ctx, wiki.OperatorName, d.Slug, "domain.drop", d.Host)
}

func (db *DB) disconnectDomain(ctx context.Context, actor, slug, action, detail string) error {
	err := db.changeSite(ctx, actor, slug, action, detail, func(tx *sql.Tx) error {
		return requireRow(db.releaseDomain(ctx, tx, slug))
	})
	db.rereadDomain(ctx, slug)
	return err
}

// releaseDomain disconnects a wiki's domain. The caller forgets the table afterwards.
func (db *DB) releaseDomain(ctx context.Context, tx *sql.Tx, slug string) (sql.Result, error) {
	done, err := tx.ExecContext(ctx, `DELETE FROM domains WHERE slug = $1 AND verified = 0`, slug)
	if err != nil {
		return nil, err
	}
	if n, err := done.RowsAffected(); err != nil || n > 0 {
		return done, err
	}
	return tx.ExecContext(ctx, `UPDATE domains SET released = $2 WHERE slug = $1 AND released = 0`, slug, db.nowMillis())
}

// purgeDomains disconnects the domain of a wiki that is purged, and keeps its domains
// for nobody.
func (db *DB) purgeDomains(ctx context.Context, tx *sql.Tx, slug string) error {
	if _, err := db.releaseDomain(ctx, tx, slug); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE domains SET slug = '' WHERE slug = $1`, slug)
	return err
}

// DomainsToCheck lists the connected domains whose DNS was last looked at before a
// time, at most max of them, the longest ago first.
func (db *DB) DomainsToCheck(ctx context.Context, before time.Time, max int) ([]Domain, error) {
	var list []Domain
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		d, err := scanDomain(rows)
		list = append(list, d)
		return err
	}, `SELECT `+domainColumns+` FROM domains WHERE verified > 0 AND released = 0 AND checked < $1 ORDER BY checked LIMIT $2`, before.UnixMilli(), max)
	if err != nil {
		return nil, fmt.Errorf("store: list domains: %w", err)
	}
	return list, nil
}

// DomainChecked stores the result of looking at a connected domain's DNS: Checked, Seen
// and Lost. If the domain was lost or found, action and detail go to the audit log, and
// the wiki's pages are rendered again.
func (db *DB) DomainChecked(ctx context.Context, d Domain, action, detail string) error {
	change := func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE domains SET checked = $2, seen = $3, lost = $4 WHERE host = $1 AND verified > 0 AND released = 0`,
			d.Host, d.Checked.UnixMilli(), d.Seen.UnixMilli(), millisOf(d.Lost))
		return err
	}
	var err error
	if action != "" {
		err = db.changeSite(ctx, wiki.OperatorName, d.Slug, action, detail, change)
	} else {
		err = db.tx(ctx, change)
	}
	db.rereadDomain(ctx, d.Slug)
	if err != nil {
		return fmt.Errorf("store: domain %s: %w", d.Host, err)
	}
	return nil
}

// millisOf is the inverse of timeFromMillis.
func millisOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// SweepDomains forgets domains that were disconnected before a time, and those that
// were named before it and never proven.
func (db *DB) SweepDomains(ctx context.Context, before time.Time) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM domains WHERE released > 0 AND released < $1 OR verified = 0 AND added < $1`, before.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: sweep domains: %w", err)
	}
	return nil
}
