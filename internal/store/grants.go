package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A Grant is a person's leave for an OAuth client to act in their name in one
// wiki, until it is revoked, not refreshed for long, or Expires.
type Grant struct {
	ID       string
	Slug     string
	DID      string
	Client   string // client id
	Name     string // of the client, as the person saw it when they agreed
	Host     string // that its answers went to: "claude.ai", "localhost", "cursor:"
	ReadOnly bool
	Created  time.Time
	Expires  time.Time // whatever is refreshed

	first, used atomic.Int64 // unix milliseconds; used is coarse
}

// FirstUse is when the grant was first used; zero if never.
func (g *Grant) FirstUse() time.Time { return when(g.first.Load()) }

// LastUse is when it was last used, to the hour; zero if never.
func (g *Grant) LastUse() time.Time { return when(g.used.Load()) }

const grantColumns = `id, slug, did, client, name, host, read_only, created, expires, first, used`

func scanGrant(row sqlite.Scanner) (*Grant, error) {
	var g Grant
	var created, expires, first, used int64
	err := row.Scan(&g.ID, &g.Slug, &g.DID, &g.Client, &g.Name, &g.Host, &g.ReadOnly, &created, &expires, &first, &used)
	if err != nil {
		return nil, err
	}
	g.Created, g.Expires = when(created), when(expires)
	g.first.Store(first)
	g.used.Store(used)
	return &g, nil
}

// Grant finds a grant; one that was revoked or has ended is ErrNotFound.
func (db *DB) Grant(ctx context.Context, id string) (*Grant, error) {
	return db.grants.get(id, func() (*Grant, error) {
		g, err := scanGrant(db.row(ctx, `SELECT `+grantColumns+` FROM oauth_grants WHERE id = $1`, id))
		if err != nil {
			return nil, fmt.Errorf("store: grant: %w", sqlite.Translate(err))
		}
		return g, nil
	})
}

// Grants lists a person's grants for a wiki, newest first; those of all its
// members with an empty did, and those for all wikis with an empty slug.
func (db *DB) Grants(ctx context.Context, slug, did string) ([]*Grant, error) {
	var grants []*Grant
	err := db.each(ctx, func(rows *sql.Rows) error {
		g, err := scanGrant(rows)
		grants = append(grants, g)
		return err
	}, `
		SELECT `+grantColumns+` FROM oauth_grants
		WHERE (slug = $1 OR $1 = '') AND (did = $2 OR $2 = '') ORDER BY created DESC, id`, slug, did)
	if err != nil {
		return nil, fmt.Errorf("store: list grants: %w", err)
	}
	return grants, nil
}

// GrantUsed notes that a grant was used: the first time at once, then at most
// once an hour.
func (db *DB) GrantUsed(ctx context.Context, g *Grant) error {
	now, before := db.millis(), g.used.Load()
	if now-before < time.Hour.Milliseconds() || !g.used.CompareAndSwap(before, now) {
		return nil
	}
	g.first.CompareAndSwap(0, now)
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE oauth_grants SET used = $2, first = CASE WHEN first = 0 THEN $2 ELSE first END WHERE id = $1`, g.ID, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: use of grant %s: %w", g.ID, err)
	}
	return nil
}

// RevokeGrant ends one grant for a wiki at once: a person's, or anybody's with
// an empty did. ErrNotFound if there is no such grant.
func (db *DB) RevokeGrant(ctx context.Context, actor, slug, did, id string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM oauth_grants WHERE id = $1 AND slug = $2 AND (did = $3 OR $3 = '')`, id, slug, did)
		if err := oneRow(done, err); err != nil {
			return err
		}
		return db.audit(ctx, tx, actor, slug, "grant.revoke", id)
	})
	db.grants.forget(id)
	if err != nil {
		return fmt.Errorf("store: revoke grant %s of %s: %w", id, slug, err)
	}
	return nil
}

// A Consent is what a person agreed to, kept with the authorization code until
// the client comes for it.
type Consent struct {
	Slug      string `json:"slug"`
	DID       string `json:"did"`
	Client    string `json:"client"`
	Name      string `json:"name"`
	Host      string `json:"host"`
	Redirect  string `json:"redirect"`  // address that the code was sent to
	Challenge string `json:"challenge"` // of PKCE, S256
	ReadOnly  bool   `json:"read_only"`
}

// AddConsent stores a consent under the hash of its code.
func (db *DB) AddConsent(ctx context.Context, code string, c Consent, expires time.Time) error {
	hash := sha256.Sum256([]byte(code))
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	err = db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO oauth_codes (hash, data, expires) VALUES ($1, $2, $3)`, hash[:], string(data), expires.UnixMilli())
		if err != nil {
			return err
		}
		return db.audit(ctx, tx, c.DID, c.Slug, "grant.consent", c.Client)
	})
	if err != nil {
		return fmt.Errorf("store: add consent of %s for %s: %w", c.DID, c.Slug, err)
	}
	return nil
}

// spent marks a code that was tried and bought nothing.
const spent = "-"

// SpendCode exchanges an authorization code for the grant and the refresh token
// that make gives. A code that was tried once is spent, whatever make says; a
// second try ends the grant of the first and is ErrGone. A code that is unknown
// or has expired is ErrNotFound. The oldest grants of the same person, client
// and wiki beyond max end.
func (db *DB) SpendCode(ctx context.Context, code string, max int, make func(Consent) (*Grant, Refresh, error)) (*Grant, error) {
	hash := sha256.Sum256([]byte(code))
	var made *Grant
	var refused error
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var data, bought string
		var expires int64
		err := tx.QueryRowContext(ctx, `SELECT data, grant_id, expires FROM oauth_codes WHERE hash = $1`, hash[:]).Scan(&data, &bought, &expires)
		if err != nil {
			return err
		}
		var c Consent
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			return err
		}
		switch {
		case bought != "":
			refused = wiki.ErrGone
			return db.endReplayed(ctx, tx, c.Slug, bought, "code")
		case expires <= db.millis():
			return wiki.ErrNotFound
		}
		bought = spent
		var refresh Refresh
		if made, refresh, refused = make(c); refused == nil {
			bought = made.ID
			if err := db.addGrant(ctx, tx, made, refresh, max); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE oauth_codes SET grant_id = $2 WHERE hash = $1`, hash[:], bought)
		return err
	})
	db.grants.forgetAll()
	if err == nil {
		err = refused
	}
	if err != nil {
		return nil, fmt.Errorf("store: spend code: %w", err)
	}
	return made, nil
}

func (db *DB) addGrant(ctx context.Context, tx *sql.Tx, g *Grant, r Refresh, max int) error {
	// The wiki, the account or the membership may have ended since they agreed.
	var member int
	err := tx.QueryRowContext(ctx, `
		SELECT count(*) FROM sites LEFT JOIN members ON members.slug = sites.slug AND members.did = $2
		WHERE sites.slug = $1 AND sites.ending = 0 AND (sites.owner = $2 OR members.did IS NOT NULL)
			AND NOT EXISTS (SELECT 1 FROM users WHERE did = $2 AND ending > 0)`, g.Slug, g.DID).Scan(&member)
	if err != nil {
		return err
	}
	if member == 0 {
		return wiki.ErrNotFound
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO oauth_grants (id, slug, did, client, name, host, read_only, created, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		g.ID, g.Slug, g.DID, g.Client, g.Name, g.Host, g.ReadOnly, g.Created.UnixMilli(), g.Expires.UnixMilli())
	if err != nil {
		return err
	}
	if err := db.addRefresh(ctx, tx, g, r); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM oauth_grants WHERE id IN (
			SELECT id FROM oauth_grants WHERE slug = $1 AND did = $2 AND client = $3 AND id <> $4
			ORDER BY created DESC LIMIT -1 OFFSET $5)`, g.Slug, g.DID, g.Client, g.ID, max-1)
	if err != nil {
		return err
	}
	return db.audit(ctx, tx, g.DID, g.Slug, "grant.add", g.ID)
}

// endReplayed ends the grant behind something that came twice.
func (db *DB) endReplayed(ctx context.Context, tx *sql.Tx, slug, id, what string) error {
	done, err := tx.ExecContext(ctx, `DELETE FROM oauth_grants WHERE id = $1`, id)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return db.audit(ctx, tx, "", slug, "grant.replay", id+" "+what)
}

// A Refresh is a refresh token to be stored.
type Refresh struct {
	Secret  string
	Expires time.Time
}

// refreshesEach bounds the refresh tokens that are remembered for one grant,
// those that were exchanged included.
const refreshesEach = 500

func (db *DB) addRefresh(ctx context.Context, tx *sql.Tx, g *Grant, r Refresh) error {
	hash := sha256.Sum256([]byte(r.Secret))
	_, err := tx.ExecContext(ctx, `INSERT INTO oauth_refresh (hash, grant_id, issued, expires) VALUES ($1, $2, $3, $4)`,
		hash[:], g.ID, db.millis(), r.Expires.UnixMilli())
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM oauth_refresh WHERE hash IN (
			SELECT hash FROM oauth_refresh WHERE grant_id = $1 ORDER BY issued DESC, rotated LIMIT -1 OFFSET $2)`, g.ID, refreshesEach)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE oauth_clients SET used = $2 WHERE id = $1 AND used < $2`, g.Client, db.millis())
	return err
}

// Rotate exchanges a refresh token for the one that next gives, which fails for
// who may not have it; nothing is changed then. The token stays good for grace
// after its first exchange; a later try ends the grant and is ErrGone. A token
// that is unknown or has expired is ErrNotFound.
func (db *DB) Rotate(ctx context.Context, secret string, grace time.Duration, next func(*Grant) (Refresh, error)) (*Grant, error) {
	hash := sha256.Sum256([]byte(secret))
	var g *Grant
	replayed := false
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var id string
		var rotated, expires int64
		now := db.millis()
		err := tx.QueryRowContext(ctx, `SELECT grant_id, rotated, expires FROM oauth_refresh WHERE hash = $1`, hash[:]).Scan(&id, &rotated, &expires)
		if err != nil {
			return err
		}
		if g, err = scanGrant(tx.QueryRowContext(ctx, `SELECT `+grantColumns+` FROM oauth_grants WHERE id = $1`, id)); err != nil {
			return err
		}
		if expires <= now || !g.Expires.After(db.now()) {
			return wiki.ErrNotFound
		}
		refresh, err := next(g)
		if err != nil {
			return err
		}
		if rotated != 0 && now-rotated > grace.Milliseconds() {
			replayed = true
			return db.endReplayed(ctx, tx, g.Slug, g.ID, "refresh")
		}
		if rotated == 0 {
			if _, err := tx.ExecContext(ctx, `UPDATE oauth_refresh SET rotated = $2 WHERE hash = $1`, hash[:], now); err != nil {
				return err
			}
		}
		return db.addRefresh(ctx, tx, g, refresh)
	})
	if err == nil && replayed {
		db.grants.forget(g.ID)
		err = wiki.ErrGone
	}
	if err != nil {
		return g, fmt.Errorf("store: rotate: %w", err)
	}
	return g, nil
}

// GrantOfRefresh finds the grant that a refresh token is of.
func (db *DB) GrantOfRefresh(ctx context.Context, secret string) (*Grant, error) {
	hash := sha256.Sum256([]byte(secret))
	var id string
	err := db.row(ctx, `SELECT grant_id FROM oauth_refresh WHERE hash = $1`, hash[:]).Scan(&id)
	if err != nil {
		return nil, fmt.Errorf("store: refresh token: %w", sqlite.Translate(err))
	}
	return db.Grant(ctx, id)
}

// SweepOAuth removes what has ended: requests and codes, grants that nobody can
// refresh any more, and clients without a grant that were not used since
// a time. A spent code is kept as long as what it bought may be ended by it.
// Of requests, and of clients of each kind that nobody agreed to, it keeps
// the newest, up to most: refusing new ones instead would let a few callers lock
// out everybody.
func (db *DB) SweepOAuth(ctx context.Context, unused time.Time, most int) error {
	now := db.millis()
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var errs []error
		for _, s := range []struct {
			statement string
			arg       any
		}{
			{`DELETE FROM oauth_requests WHERE expires <= $1`, now},
			{`DELETE FROM oauth_codes WHERE expires <= $1 AND grant_id NOT IN (SELECT id FROM oauth_grants)`, now},
			{`DELETE FROM oauth_grants WHERE expires <= $1
				OR NOT EXISTS (SELECT 1 FROM oauth_refresh AS r WHERE r.grant_id = oauth_grants.id AND r.expires > $1)`, now},
			{`DELETE FROM oauth_refresh WHERE expires <= $1`, now},
			{`DELETE FROM oauth_clients WHERE used < $1
				AND NOT EXISTS (SELECT 1 FROM oauth_grants AS g WHERE g.client = oauth_clients.id)`, unused.UnixMilli()},
			{`DELETE FROM oauth_requests WHERE hash IN (SELECT hash FROM oauth_requests ORDER BY expires DESC LIMIT -1 OFFSET $1)`, most},
			{`DELETE FROM oauth_clients WHERE id IN (
				SELECT id FROM oauth_clients WHERE used = created AND NOT document ORDER BY created DESC LIMIT -1 OFFSET $1)
				AND id NOT IN (SELECT client FROM oauth_grants)`, most},
			{`DELETE FROM oauth_clients WHERE id IN (
				SELECT id FROM oauth_clients WHERE used = created AND document ORDER BY created DESC LIMIT -1 OFFSET $1)
				AND id NOT IN (SELECT client FROM oauth_grants)`, most},
		} {
			_, err := tx.ExecContext(ctx, s.statement, s.arg)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	db.grants.forgetAll()
	if err != nil {
		return fmt.Errorf("store: sweep grants: %w", err)
	}
	return nil
}
