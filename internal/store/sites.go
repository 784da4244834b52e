package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A Site is a wiki's row with the roles of its members. Sites returned by DB are
// shared: don't modify them.
type Site struct {
	wiki.Site                      // Limits has overrides only: 0 means the default
	Roles     map[string]wiki.Role // by DID, including the owner; without accounts that are being deleted
	PurgeAt   time.Time            // when it will be purged, and closed until then; zero if no deletion is pending
	Suspended time.Time            // when the operator suspended it; zero if not suspended
	Why       string               // reason for the suspension, shown to members
}

// CreateSite adds a private wiki. Its slug becomes the username of an owner without one. It fails
// with ErrExists if the slug is taken or reserved for another holder (a keyed hash
// of a DID), with ErrQuota if the owner has max wikis.
func (db *DB) CreateSite(ctx context.Context, owner wiki.User, slug string, holder []byte, max int) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var named string
		err := tx.QueryRowContext(ctx, `SELECT did FROM users WHERE username = $1`, slug).Scan(&named)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && named != owner.DID {
			return wiki.ErrExists
		}
		if err := checkFormer(ctx, tx, slug, holder); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sites WHERE owner = $1`, owner.DID).Scan(&n); err != nil {
			return err
		}
		if n >= max {
			return alreadyOwns(max)
		}
		if owner.Username == "" {
			owner.Username = slug
		}
		if err := db.saveUser(ctx, tx, owner); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO sites (slug, owner, created) VALUES ($1, $2, $3)`,
			slug, owner.DID, db.nowMillis()); err != nil {
			return err
		}
		return db.audit(ctx, tx, owner.DID, slug, "site.create", "")
	})
	if err != nil {
		return fmt.Errorf("store: create site %s: %w", slug, err)
	}
	db.users.forget(owner.DID)
	db.sites.forget(slug)
	return nil
}

// DropSite undoes CreateSite when the rest of the creation failed.
func (db *DB) DropSite(ctx context.Context, slug string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM sites WHERE slug = $1`, slug)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: drop site %s: %w", slug, err)
	}
	db.sites.forget(slug)
	db.forgetCachedAccess()
	return nil
}

// Site finds a wiki with its members' roles.
func (db *DB) Site(ctx context.Context, slug string) (*Site, error) {
	return db.sites.get(slug, func() (*Site, error) {
		site, err := db.readSite(ctx, slug)
		if err != nil {
			return nil, fmt.Errorf("store: site %s: %w", slug, err)
		}
		return site, nil
	})
}

func (db *DB) readSite(ctx context.Context, slug string) (*Site, error) {
	var site *Site
	// One statement, so that roles and version are consistent.
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		s := wiki.Site{Slug: slug}
		var limits, did, role string
		var created, ending, suspended, published int64
		var why string
		err := rows.Scan(&s.OwnerDID, &s.OwnerName, &s.Title, &s.Description, &s.Public, &s.Home, &s.Wikilinks, &s.Lang, &s.Accent, &s.Footer, &s.Icon, &s.Agents, &s.AsHandle, &s.Publication, &limits,
			&s.Version, &created, &ending, &suspended, &why, &published, &did, &role)
		if err != nil {
			return err
		}
		if site == nil {
			s.Created, s.Published = time.UnixMilli(created).UTC(), timeFromMillis(published)
			if err := json.Unmarshal([]byte(limits), &s.Limits); err != nil {
				return fmt.Errorf("limits: %w", err)
			}
			site = &Site{Site: s, Roles: map[string]wiki.Role{s.OwnerDID: wiki.Owner}, PurgeAt: timeFromMillis(ending), Suspended: timeFromMillis(suspended), Why: why}
		}
		if did != "" && did != s.OwnerDID {
			site.Roles[did], err = wiki.ParseRole(role)
		}
		return err
	}, `
		SELECT sites.owner, coalesce(users.username, ''), title, description, public, home, wikilinks, lang, accent, footer, icon, agents, as_handle, publication, limits,
			version, sites.created, sites.ending, sites.suspended, why, published, coalesce(members.did, ''), coalesce(members.role, '')
		FROM sites JOIN users ON users.did = sites.owner LEFT JOIN members ON members.slug = sites.slug
			AND members.did NOT IN (SELECT did FROM users WHERE ending > 0)
		WHERE sites.slug = $1`, slug)
	if err == nil && site == nil {
		err = wiki.ErrNotFound
	}
	return site, err
}

// UpdateSite stores the settings that an owner can change: title, description,
// visibility, home page, order of wikilinks, language, accent color, footer, the most that
// agents may do, and whether the wiki's host is their handle.
func (db *DB) UpdateSite(ctx context.Context, actor string, s wiki.Site) error {
	return db.changeSite(ctx, actor, s.Slug, "site.settings", fmt.Sprintf("public=%t wikilinks=%s agents=%s", s.Public, s.Wikilinks, cmp.Or(s.Agents, wiki.ModeEdit)), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sites SET title = $2, description = $3, public = $4, home = $5, as_handle = $6,
				published = CASE WHEN $4 AND published = 0 THEN $7 ELSE published END, wikilinks = $8, lang = $9, accent = $10, footer = $11, agents = $12
			WHERE slug = $1`,
			s.Slug, s.Title, s.Description, s.Public, s.Home, s.AsHandle, db.nowMillis(), string(s.Wikilinks), s.Lang, s.Accent, s.Footer, string(s.Agents))
		return err
	})
}

// ChooseWikilinks sets the order of a site's wikilinks if it is automatic.
func (db *DB) ChooseWikilinks(ctx context.Context, actor, slug string, order wiki.LinkOrder) error {
	return db.changeSite(ctx, actor, slug, "site.settings", "wikilinks="+order.String(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sites SET wikilinks = $2 WHERE slug = $1 AND wikilinks = ''`, slug, string(order))
		return err
	})
}

// SetPublication sets the AT-URI of the owner's publication, or removes it ("").
func (db *DB) SetPublication(ctx context.Context, actor, slug, uri string) error {
	return db.changeSite(ctx, actor, slug, "site.settings", "publication="+uri, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sites SET publication = $2 WHERE slug = $1`, slug, uri)
		return err
	})
}

// SetLimits overrides a site's limits; 0 means the default.
func (db *DB) SetLimits(ctx context.Context, actor, slug string, l wiki.Limits) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return db.changeSite(ctx, actor, slug, "site.limits", string(text), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sites SET limits = $2 WHERE slug = $1`, slug, string(text))
		return err
	})
}

func alreadyOwns(max int) error {
	if max == 1 {
		return wiki.Problemf(wiki.ErrQuota, "username", "You already have a wiki.")
	}
	return wiki.Problemf(wiki.ErrQuota, "username", "You already have %d wikis, which is the limit.", max)
}

// RecordErasure adds an audit entry for an erasure from a site's history.
func (db *DB) RecordErasure(ctx context.Context, actor, slug string) error {
	return db.changeSite(ctx, actor, slug, "history.erase", "", func(*sql.Tx) error { return nil })
}

// RecordVouching adds an audit entry for a person who vouches for the text of an
// import, or takes that back.
func (db *DB) RecordVouching(ctx context.Context, actor, slug, commit string, withdraw bool) error {
	action := "import.vouch"
	if withdraw {
		action = "import.unvouch"
	}
	return db.changeSite(ctx, actor, slug, action, commit, func(*sql.Tx) error { return nil })
}

// changeSite runs a change of a site or its members, with a new version and an audit
// entry, and drops the site from the cache.
func (db *DB) changeSite(ctx context.Context, actor, slug, action, detail string, change func(*sql.Tx) error) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var version int64
		if err := tx.QueryRowContext(ctx, `UPDATE sites SET version = version + 1 WHERE slug = $1 RETURNING version`, slug).Scan(&version); err != nil {
			return err
		}
		if err := change(tx); err != nil {
			return err
		}
		return db.audit(ctx, tx, actor, slug, action, detail)
	})
	db.sites.forget(slug)
	if err != nil {
		return fmt.Errorf("store: %s %s: %w", action, slug, err)
	}
	return nil
}

// SitesOf lists the slugs of the wikis that a person owns, then of those they are a
// member of, each in alphabetical order.
func (db *DB) SitesOf(ctx context.Context, did string) ([]string, error) {
	return db.querySlugs(ctx, `
		SELECT slug FROM (
			SELECT slug, 0 AS rank FROM sites WHERE owner = $1
			UNION ALL
			SELECT members.slug, 1 FROM members JOIN sites ON sites.slug = members.slug
			WHERE members.did = $1 AND sites.owner <> $1
		) AS mine ORDER BY rank, slug`, did)
}

// PublicSites lists the slugs of public wikis.
func (db *DB) PublicSites(ctx context.Context) ([]string, error) {
	return db.querySlugs(ctx, `SELECT slug FROM sites WHERE public = $1 AND ending = 0 AND suspended = 0 ORDER BY slug`, true)
}

// NthNewestSite returns when the n-th newest wiki was created, or the zero time if
// there are fewer. A domain counts only owners whose accounts it or its subdomains host. n is at least 1.
func (db *DB) NthNewestSite(ctx context.Context, domain string, n int) (time.Time, error) {
	var ms int64
	err := db.queryRow(ctx, `
		SELECT sites.created FROM sites JOIN users ON users.did = sites.owner
		WHERE $1 = '' OR users.host = $1 OR users.host LIKE '%.' || $1
		ORDER BY sites.created DESC LIMIT 1 OFFSET $2`, domain, n-1).Scan(&ms)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("store: newest wikis: %w", sqlite.Translate(err))
	}
	return timeFromMillis(ms), nil
}

func (db *DB) querySlugs(ctx context.Context, query string, arg any) ([]string, error) {
	var slugs []string
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var slug string
		err := rows.Scan(&slug)
		slugs = append(slugs, slug)
		return err
	}, query, arg)
	if err != nil {
		return nil, fmt.Errorf("store: list sites: %w", err)
	}
	return slugs, nil
}
