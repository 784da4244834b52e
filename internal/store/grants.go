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

// A Grant is a person's permission for an OAuth client to act for them in one wiki.
// It ends when it is revoked, when its last refresh token expires, or at Expires.
type Grant struct {
	ID       string
	Slug     string
	DID      string
	Client   string // client id
	Name     string // of the client, as shown when the person agreed
	Host     string // of the redirect address: "claude.ai", "localhost", "cursor:"
	Domain   string // the wiki's own domain that its tokens are for, or "" for the wiki's subdomain
	ReadOnly bool
	Proposes bool // with ReadOnly: changes become proposals
	Created  time.Time
	Expires  time.Time // refreshing doesn't extend it

	first, used atomic.Int64 // unix milliseconds; used is coarse
}

// Mode returns what the grant allows.
func (g *Grant) Mode() wiki.Mode { return wiki.ModeOf(g.ReadOnly, g.Proposes) }

// FirstUse returns when the grant was first used; zero if never.
func (g *Grant) FirstUse() time.Time { return timeFromMillis(g.first.Load()) }

// LastUse returns when the grant was last used, to the hour; zero if never.
func (g *Grant) LastUse() time.Time { return timeFromMillis(g.used.Load()) }

const grantColumns = `id, slug, did, client, name, host, domain, read_only, proposes, created, expires, first, used`

func scanGrant(row sqlite.Scanner) (*Grant, error) {
	var g Grant
	var created, expires, first, used int64
	err := row.Scan(&g.ID, &g.Slug, &g.DID, &g.Client, &g.Name, &g.Host, &g.Domain, &g.ReadOnly, &g.Proposes, &created, &expires, &first, &used)
	if err != nil {
		return nil, err
	}
	g.Created, g.Expires = timeFromMillis(created), timeFromMillis(expires)
	g.first.Store(first)
	g.used.Store(used)
	return &g, nil
}

// Grant finds a grant; ErrNotFound if it was revoked or has been swept.
func (db *DB) Grant(ctx context.Context, id string) (*Grant, error) {
	return db.grants.get(id, func() (*Grant, error) {
		g, err := scanGrant(db.queryRow(ctx, `SELECT `+grantColumns+` FROM oauth_grants WHERE id = $1`, id))
		if err != nil {
			return nil, fmt.Errorf("store: grant: %w", sqlite.Translate(err))
		}
		return g, nil
	})
}

// Grants lists a person's grants for a wiki, newest first. An empty did means all
// people, an empty slug all wikis.
func (db *DB) Grants(ctx context.Context, slug, did string) ([]*Grant, error) {
	var grants []*Grant
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
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

// RecordGrantUse records the use of a grant, at most once an hour.
func (db *DB) RecordGrantUse(ctx context.Context, g *Grant) error {
	err := db.recordUse(ctx, &g.used, `UPDATE oauth_grants SET used = $2, first = CASE WHEN first = 0 THEN $2 ELSE first END WHERE id = $1`, g.ID)
	g.first.CompareAndSwap(0, g.used.Load())
	if err != nil {
		return fmt.Errorf("store: use of grant %s: %w", g.ID, err)
	}
	return nil
}

// RevokeGrant revokes a person's grant for a wiki, or anybody's if did is empty.
// ErrNotFound if there is no such grant.
func (db *DB) RevokeGrant(ctx context.Context, actor, slug, did, id string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM oauth_grants WHERE id = $1 AND slug = $2 AND (did = $3 OR $3 = '')`, id, slug, did)
		if err := requireRow(done, err); err != nil {
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

// A Consent is what a person agreed to. It is stored with the authorization code
// until the client exchanges it.
type Consent struct {
	Slug      string `json:"slug"`
	Domain    string `json:"domain,omitempty"` // as in Grant
	DID       string `json:"did"`
	Client    string `json:"client"`
	Name      string `json:"name"`
	Host      string `json:"host"`
	Redirect  string `json:"redirect"`  // URL that the code was sent to
	Challenge string `json:"challenge"` // PKCE, S256
	ReadOnly  bool   `json:"read_only"`
	Proposes  bool   `json:"proposes,omitempty"` // as in Grant
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

// spentInVain marks a code that was tried but not exchanged for a grant.
const spentInVain = "-"

// SpendCode exchanges an authorization code for the grant and refresh token that
// make returns. A code can be tried only once, even if make fails: a second try
// revokes the grant of the first and fails with ErrGone. An unknown or expired code
// is ErrNotFound. Of the grants of the same person, client and wiki, the oldest
// beyond max are revoked.
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
			return db.revokeReplayed(ctx, tx, c.Slug, bought, "code")
		case expires <= db.nowMillis():
			return wiki.ErrNotFound
		}
		bought = spentInVain
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
	// The wiki, account or membership can have ended since the person agreed.
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
		INSERT INTO oauth_grants (id, slug, did, client, name, host, domain, read_only, proposes, created, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		g.ID, g.Slug, g.DID, g.Client, g.Name, g.Host, g.Domain, g.ReadOnly, g.Proposes, g.Created.UnixMilli(), g.Expires.UnixMilli())
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

// revokeReplayed revokes the grant of a code or refresh token that was used twice.
func (db *DB) revokeReplayed(ctx context.Context, tx *sql.Tx, slug, id, what string) error {
	done, err := tx.ExecContext(ctx, `DELETE FROM oauth_grants WHERE id = $1`, id)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return db.audit(ctx, tx, "", slug, "grant.replay", id+" "+what)
}

// A Refresh is a refresh token to store.
type Refresh struct {
	Secret  string
	Expires time.Time
}

// maxRefreshTokens limits the stored refresh tokens of a grant, including exchanged
// ones.
const maxRefreshTokens = 500

func (db *DB) addRefresh(ctx context.Context, tx *sql.Tx, g *Grant, r Refresh) error {
	hash := sha256.Sum256([]byte(r.Secret))
	_, err := tx.ExecContext(ctx, `INSERT INTO oauth_refresh (hash, grant_id, issued, expires) VALUES ($1, $2, $3, $4)`,
		hash[:], g.ID, db.nowMillis(), r.Expires.UnixMilli())
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM oauth_refresh WHERE hash IN (
			SELECT hash FROM oauth_refresh WHERE grant_id = $1 ORDER BY issued DESC, rotated LIMIT -1 OFFSET $2)`, g.ID, maxRefreshTokens)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE oauth_clients SET used = $2 WHERE id = $1 AND used < $2`, g.Client, db.nowMillis())
	return err
}

// Rotate exchanges a refresh token for the one that next returns. If next fails,
// nothing changes. The old token stays valid for grace after its first exchange, for
// parallel refreshes; a later try revokes the grant and fails with ErrGone. An
// unknown or expired token is ErrNotFound.
func (db *DB) Rotate(ctx context.Context, secret string, grace time.Duration, next func(*Grant) (Refresh, error)) (*Grant, error) {
	hash := sha256.Sum256([]byte(secret))
	var g *Grant
	replayed := false
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var id string
		var rotated, expires int64
		now := db.nowMillis()
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
			return db.revokeReplayed(ctx, tx, g.Slug, g.ID, "refresh")
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

// GrantOfRefresh finds the grant of a refresh token.
func (db *DB) GrantOfRefresh(ctx context.Context, secret string) (*Grant, error) {
	hash := sha256.Sum256([]byte(secret))
	var id string
	err := db.queryRow(ctx, `SELECT grant_id FROM oauth_refresh WHERE hash = $1`, hash[:]).Scan(&id)
	if err != nil {
		return nil, fmt.Errorf("store: refresh token: %w", sqlite.Translate(err))
	}
	return db.Grant(ctx, id)
}

// surplusClients deletes unused clients of a kind, as SweepOAuth describes.
func surplusClients(kind string) string {
	return `DELETE FROM oauth_clients WHERE id IN (SELECT id FROM (
		SELECT id, created, row_number() OVER (PARTITION BY share ORDER BY created DESC) AS nth FROM oauth_clients
		WHERE used = created AND ` + kind + ` AND id NOT IN (SELECT client FROM oauth_grants))
		ORDER BY nth, created DESC LIMIT -1 OFFSET $1)`
}

// SweepOAuth deletes expired requests and codes, grants that can't be refreshed any
// more, and clients without a grant that haven't been used since unused. A spent
// code is kept while its grant exists, because a second try must revoke that. Of
// requests, and of each kind of client without a grant, at most `most` are kept, as
// evenly as possible by share, and the newest of each. So a flood displaces only its
// own, and rejecting new ones instead would let a few callers lock out everybody.
func (db *DB) SweepOAuth(ctx context.Context, unused time.Time, most int) error {
	now := db.nowMillis()
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
			{`DELETE FROM oauth_requests WHERE hash IN (SELECT hash FROM (
				SELECT hash, expires, row_number() OVER (PARTITION BY share ORDER BY expires DESC) AS nth FROM oauth_requests)
				ORDER BY nth, expires DESC LIMIT -1 OFFSET $1)`, most},
			{surplusClients("NOT document"), most},
			{surplusClients("document"), most},
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
