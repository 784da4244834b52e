package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"robot.wtf/internal/wiki"
)

// A Site is a wiki's row with the roles of its members. Those that look-ups
// hand out are shared: they must not be changed.
type Site struct {
	wiki.Site                      // Limits hold overrides alone: 0 where the default counts
	Roles     map[string]wiki.Role // by DID, the owner's included; without accounts that are being deleted
	PurgeAt   time.Time            // when it will be purged; until then it is closed. Zero for others
	Suspended time.Time            // since when the operator has closed it; zero for others
	Why       string               // what its members are told of that
}

// CreateSite adds a private wiki for its owner, whose username becomes its
// slug. ErrExists when the slug is somebody's, or was that of another holder
// (the keyed hash of a DID); ErrQuota when the owner has max wikis already.
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
			return wiki.Problemf(wiki.ErrQuota, "username", "You have a wiki already.")
		}
		owner.Username = slug
		if err := db.saveUser(ctx, tx, owner); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO sites (slug, owner, created) VALUES ($1, $2, $3)`,
			slug, owner.DID, db.millis()); err != nil {
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

// DropSite removes a site's row, its members and tokens: what CreateSite began
// when the rest of the creation failed.
func (db *DB) DropSite(ctx context.Context, slug string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM sites WHERE slug = $1`, slug)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: drop site %s: %w", slug, err)
	}
	db.sites.forget(slug)
	db.forgetAccess()
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
	// One statement, so that roles and version belong together.
	err := db.each(ctx, func(rows *sql.Rows) error {
		s := wiki.Site{Slug: slug}
		var limits, did, role string
		var created, ending, suspended, published int64
		var why string
		err := rows.Scan(&s.OwnerDID, &s.OwnerName, &s.Title, &s.Description, &s.Public, &s.Home, &s.AsHandle, &limits,
			&s.Version, &created, &ending, &suspended, &why, &published, &did, &role)
		if err != nil {
			return err
		}
		if site == nil {
			s.Created, s.Published = time.UnixMilli(created).UTC(), when(published)
			if err := json.Unmarshal([]byte(limits), &s.Limits); err != nil {
				return fmt.Errorf("limits: %w", err)
			}
			site = &Site{Site: s, Roles: map[string]wiki.Role{s.OwnerDID: wiki.Owner}, PurgeAt: when(ending), Suspended: when(suspended), Why: why}
		}
		if did != "" && did != s.OwnerDID {
			site.Roles[did], err = wiki.ParseRole(role)
		}
		return err
	}, `
		SELECT sites.owner, coalesce(users.username, ''), title, description, public, home, as_handle, limits,
			version, sites.created, sites.ending, sites.suspended, why, published, coalesce(members.did, ''), coalesce(members.role, '')
		FROM sites JOIN users ON users.did = sites.owner LEFT JOIN members ON members.slug = sites.slug
			AND members.did NOT IN (SELECT did FROM users WHERE ending > 0)
		WHERE sites.slug = $1`, slug)
	if err == nil && site == nil {
		err = wiki.ErrNotFound
	}
	return site, err
}

// UpdateSite stores what an owner may change of a site: title, description,
// visibility, home page, and whether its host is their handle.
func (db *DB) UpdateSite(ctx context.Context, actor string, s wiki.Site) error {
	return db.changeSite(ctx, actor, s.Slug, "site.settings", fmt.Sprintf("public=%t", s.Public), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sites SET title = $2, description = $3, public = $4, home = $5, as_handle = $6,
				published = CASE WHEN $4 AND published = 0 THEN $7 ELSE published END
			WHERE slug = $1`,
			s.Slug, s.Title, s.Description, s.Public, s.Home, s.AsHandle, db.millis())
		return err
	})
}

// SetLimits overrides limits of one site; what is 0 follows the defaults.
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

// changeSite runs a change of a site or its members, with what belongs to each:
// a new version, the audit entry, and the cached row forgotten.
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

// SitesOf lists the slugs of the wikis a person owns, then of those they are a
// member of, each in order.
func (db *DB) SitesOf(ctx context.Context, did string) ([]string, error) {
	return db.slugs(ctx, `
		SELECT slug FROM (
			SELECT slug, 0 AS rank FROM sites WHERE owner = $1
			UNION ALL
			SELECT members.slug, 1 FROM members JOIN sites ON sites.slug = members.slug
			WHERE members.did = $1 AND sites.owner <> $1
		) AS mine ORDER BY rank, slug`, did)
}

// PublicSites lists the slugs of public wikis.
func (db *DB) PublicSites(ctx context.Context) ([]string, error) {
	return db.slugs(ctx, `SELECT slug FROM sites WHERE public = $1 AND ending = 0 AND suspended = 0 ORDER BY slug`, true)
}

func (db *DB) slugs(ctx context.Context, query string, arg any) ([]string, error) {
	var slugs []string
	err := db.each(ctx, func(rows *sql.Rows) error {
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
