package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A MovedPerson had an account with the service that the operator moves here.
type MovedPerson struct {
	wiki.User // Username is "" or one that waits for the person
	Created   time.Time
}

// MovePeople adds people who have no account here. They can't be told from people who
// never signed in. A username stays theirs only if nobody has it, as a username, wiki
// or former name; holder makes the keyed hash of a DID.
func (db *DB) MovePeople(ctx context.Context, people []MovedPerson, holder func(did string) []byte) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		for _, p := range people {
			gone, err := isFormerHolder(ctx, tx, holder(p.DID))
			if err != nil || gone {
				if err != nil {
					return err
				}
				continue // they deleted their account here
			}
			free, err := isNameFree(ctx, tx, p.Username, p.DID, holder(p.DID))
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO users (did, username, handle, name, created) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (did) DO NOTHING`,
				p.DID, sql.NullString{String: p.Username, Valid: free}, p.Handle, p.Name, p.Created.UnixMilli())
			if err != nil {
				return err
			}
		}
		return nil
	})
	for _, p := range people {
		db.users.forget(p.DID)
	}
	if err != nil {
		return fmt.Errorf("store: move people: %w", err)
	}
	return nil
}

// isFormerHolder reports whether a person deleted an account or wiki here.
func isFormerHolder(ctx context.Context, tx *sql.Tx, holder []byte) (bool, error) {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM former WHERE holder = $1`, holder).Scan(&n)
	return n > 0, err
}

// isNameFree reports whether a person can have a name.
func isNameFree(ctx context.Context, tx *sql.Tx, name, did string, holder []byte) (bool, error) {
	if name == "" {
		return false, nil
	}
	var taken int
	err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM users WHERE username = $1 AND did <> $2) + (SELECT count(*) FROM sites WHERE slug = $1 AND owner <> $2)`, name, did).Scan(&taken)
	if err != nil || taken > 0 {
		return false, err
	}
	err = checkFormer(ctx, tx, name, holder)
	if errors.Is(err, wiki.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// A MovedSite is a wiki to move here, without its history.
type MovedSite struct {
	wiki.Site        // Slug, OwnerDID, Title, Description, Public, Home, Wikilinks and Created
	Members          map[string]wiki.Role
	Token, TokenName string   // the hash of its token, SHA-256 in hex or bcrypt, or ""
	Digest           string   // of all of this, as the other service has it
	Changes          []string // sentences for the owner
}

// A Moved says what MoveSite did.
type Moved string

// The results of MoveSite.
const (
	MovedNew       Moved = "moved"
	MovedAgain     Moved = "updated"
	MovedUnchanged Moved = "unchanged"
	MovedKept      Moved = "kept" // the owner has signed in here, so their settings count
)

// MoveSite adds a wiki with its members and token, or brings one up to date that was
// moved before, as long as its owner hasn't signed in here. The slug becomes the
// owner's username if they have none. It fails with ErrExists if the slug is another
// person's, and with ErrGone if it or its owner was deleted here. Members without an
// account are left out.
func (db *DB) MoveSite(ctx context.Context, m MovedSite, holder []byte) (done Moved, err error) {
	err = db.tx(ctx, func(tx *sql.Tx) error {
		if done, err = db.checkMove(ctx, tx, m, holder); err != nil || done == MovedUnchanged {
			return err
		}
		if done == MovedNew || done == MovedAgain {
			if err := db.moveSite(ctx, tx, m); err != nil {
				return err
			}
		}
		changes, err := json.Marshal(m.Changes)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO moved (slug, digest, changes, time) VALUES ($1, $2, $3, $4)
			ON CONFLICT (slug) DO UPDATE SET digest = excluded.digest, changes = excluded.changes`, m.Slug, m.Digest, string(changes), db.nowMillis())
		return errors.Join(err, db.audit(ctx, tx, Operator, m.Slug, "site.move", string(done)))
	})
	db.sites.forget(m.Slug)
	db.users.forget(m.OwnerDID)
	db.tokens.forgetAll()
	if err != nil {
		return "", fmt.Errorf("store: move site %s: %w", m.Slug, err)
	}
	return done, nil
}

// checkMove decides what MoveSite can do.
func (db *DB) checkMove(ctx context.Context, tx *sql.Tx, m MovedSite, holder []byte) (Moved, error) {
	var owner, digest string
	var seen int64
	err := tx.QueryRowContext(ctx, `SELECT owner, users.seen, coalesce(digest, '') FROM sites JOIN users ON users.did = owner LEFT JOIN moved ON moved.slug = sites.slug WHERE sites.slug = $1`, m.Slug).
		Scan(&owner, &seen, &digest)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		var known, former int
		err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM users WHERE did = $1), (SELECT count(*) FROM former WHERE slug = $2)`, m.OwnerDID, m.Slug).Scan(&known, &former)
		if err == nil && (known == 0 || former > 0) {
			err = wiki.ErrGone
		}
		if err != nil {
			return "", err
		}
		free, err := isNameFree(ctx, tx, m.Slug, m.OwnerDID, holder)
		if err == nil && !free {
			err = wiki.ErrExists
		}
		return MovedNew, err
	case err != nil:
		return "", err
	case owner != m.OwnerDID && digest == "":
		return "", wiki.ErrExists
	case digest == m.Digest:
		return MovedUnchanged, nil
	case seen > 0 || owner != m.OwnerDID:
		return MovedKept, nil
	}
	return MovedAgain, nil
}

// moveSite writes a site's row, members and token.
func (db *DB) moveSite(ctx context.Context, tx *sql.Tx, m MovedSite) error {
	now := db.nowMillis()
	published := int64(0)
	if m.Public {
		published = m.Created.UnixMilli()
	}
	for _, s := range []struct {
		query string
		args  []any
	}{
		{`UPDATE users SET username = $2 WHERE did = $1 AND username IS NULL`, []any{m.OwnerDID, m.Slug}},
		{`INSERT INTO sites (slug, owner, title, description, public, home, published, created, wikilinks) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (slug) DO UPDATE SET title = excluded.title, description = excluded.description, public = excluded.public,
				home = excluded.home, published = excluded.published, wikilinks = excluded.wikilinks, version = version + 1`,
			[]any{m.Slug, m.OwnerDID, m.Title, m.Description, m.Public, m.Home, published, m.Created.UnixMilli(), string(m.Wikilinks)}},
		{`DELETE FROM members WHERE slug = $1`, []any{m.Slug}},
		{`DELETE FROM tokens WHERE id = $1`, []any{movedTokenID(m.Slug)}},
	} {
		if _, err := tx.ExecContext(ctx, s.query, s.args...); err != nil {
			return err
		}
	}
	for _, did := range slices.Sorted(maps.Keys(m.Members)) {
		if _, err := tx.ExecContext(ctx, `INSERT INTO members (slug, did, role, since) SELECT $1, did, $3, $4 FROM users WHERE did = $2`, m.Slug, did, m.Members[did].String(), now); err != nil {
			return err
		}
	}
	return db.moveToken(ctx, tx, m)
}

// movedTokenID is the id of the token that a wiki was moved with.
func movedTokenID(slug string) string { return "moved-" + slug }

func (db *DB) moveToken(ctx context.Context, tx *sql.Tx, m MovedSite) error {
	if m.Token == "" {
		return nil
	}
	slow := sql.NullString{}
	hash, err := hex.DecodeString(m.Token)
	if err != nil || len(hash) != sha256.Size {
		slow = sql.NullString{String: m.Token, Valid: true}
		hash = make([]byte, sha256.Size)
		rand.Read(hash) // never fails
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO tokens (id, hash, slug, did, name, read_only, created, bcrypt) VALUES ($1, $2, $3, $4, $5, FALSE, $6, $7)`,
		movedTokenID(m.Slug), hash, m.Slug, m.OwnerDID, m.TokenName, m.Created.UnixMilli(), slow)
	return err
}

// BcryptToken returns the token of a wiki whose secret is known only by its bcrypt
// hash, and that hash. If the wiki has none, id is "" and the hash is another token's,
// so that comparing takes as long. It fails with ErrNotFound if there is none at all.
func (db *DB) BcryptToken(ctx context.Context, slug string) (id, hash string, err error) {
	err = db.queryRow(ctx, `SELECT CASE WHEN slug = $1 THEN id ELSE '' END, bcrypt FROM tokens WHERE bcrypt IS NOT NULL ORDER BY slug <> $1 LIMIT 1`, slug).Scan(&id, &hash)
	if err != nil {
		return "", "", fmt.Errorf("store: bcrypt token of %s: %w", slug, sqlite.Translate(err))
	}
	return id, hash, nil
}

// RehashToken replaces a token's bcrypt hash with the usual one of its secret, which
// the caller has compared.
func (db *DB) RehashToken(ctx context.Context, id, secret string) error {
	hash := sha256.Sum256([]byte(secret))
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE tokens SET hash = $2, bcrypt = NULL WHERE id = $1 AND bcrypt IS NOT NULL`, id, hash[:])
		return requireRow(done, err)
	})
	db.tokens.forget(hash)
	if err != nil {
		return fmt.Errorf("store: rehash token %s: %w", id, err)
	}
	return nil
}

// A MovedRow describes the last move of a wiki.
type MovedRow struct {
	Digest  string
	Changes []string // sentences for the owner
	Time    time.Time
}

// MovedRow returns the last move of a wiki, or ErrNotFound if it wasn't moved.
func (db *DB) MovedRow(ctx context.Context, slug string) (MovedRow, error) {
	var r MovedRow
	var ms int64
	var changes string
	err := db.queryRow(ctx, `SELECT digest, changes, time FROM moved WHERE slug = $1`, slug).Scan(&r.Digest, &changes, &ms)
	if err == nil {
		err = json.Unmarshal([]byte(changes), &r.Changes)
	}
	if err != nil {
		return MovedRow{}, fmt.Errorf("store: move of %s: %w", slug, sqlite.Translate(err))
	}
	r.Time = timeFromMillis(ms)
	return r, nil
}

// MoveClient adds an agent's registration with its id, unless there is one with that
// id. While nobody uses it, it counts against itself.
func (db *DB) MoveClient(ctx context.Context, c *Client) error {
	redirects, err := json.Marshal(c.Redirects)
	if err != nil {
		return err
	}
	err = db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO oauth_clients (id, document, name, redirects, auth, secret, created, used, share) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $1)
			ON CONFLICT (id) DO NOTHING`,
			c.ID, false, c.Name, string(redirects), c.Auth, c.Secret, db.nowMillis())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: move client: %w", err)
	}
	return nil
}

// MovedSlugs lists the wikis that were moved here.
func (db *DB) MovedSlugs(ctx context.Context) ([]string, error) {
	return db.querySlugs(ctx, `SELECT slug FROM moved WHERE $1 ORDER BY slug`, true)
}
