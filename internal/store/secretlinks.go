package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A SecretLink is an unlisted address that opens a wiki's feed or one of its pages, with
// the rights of the person who made it.
type SecretLink struct {
	ID      string
	Slug    string
	DID     string // who made it
	Page    string // name of the page when it was made, "" for the feed
	Seq     int64  // number of the wiki's newest commit when it was made
	Created time.Time

	used atomic.Int64 // unix milliseconds, coarse
}

// LastUse returns when the link was last used, to the hour; zero if never.
func (l *SecretLink) LastUse() time.Time { return timeFromMillis(l.used.Load()) }

// AddSecretLink stores a link. It fails with ErrQuota if its maker has max links of the
// same kind, to feeds or to pages, in the wiki.
func (db *DB) AddSecretLink(ctx context.Context, l *SecretLink, max int) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var n int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM secret_links WHERE slug = $1 AND did = $2 AND (page = '') = ($3 = '')`, l.Slug, l.DID, l.Page).Scan(&n)
		if err != nil {
			return err
		}
		if n >= max {
			return wiki.Problemf(wiki.ErrQuota, "link", "You have %d of these links in this wiki. Revoke one to create another.", n)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO secret_links (id, slug, did, page, seq, created) VALUES ($1, $2, $3, $4, $5, $6)`,
			l.ID, l.Slug, l.DID, l.Page, l.Seq, db.nowMillis())
		if err != nil {
			return err
		}
		return db.audit(ctx, tx, l.DID, l.Slug, "link.add", l.ID)
	})
	if err != nil {
		return fmt.Errorf("store: add secret link of %s for %s: %w", l.DID, l.Slug, err)
	}
	return nil
}

const secretLinkColumns = `id, slug, did, page, seq, created, used`

func scanSecretLink(row sqlite.Scanner) (*SecretLink, error) {
	var l SecretLink
	var created, used int64
	if err := row.Scan(&l.ID, &l.Slug, &l.DID, &l.Page, &l.Seq, &created, &used); err != nil {
		return nil, err
	}
	l.Created = time.UnixMilli(created).UTC()
	l.used.Store(used)
	return &l, nil
}

// SecretLink finds a link by its id.
func (db *DB) SecretLink(ctx context.Context, id string) (*SecretLink, error) {
	return db.secretLinks.get(id, func() (*SecretLink, error) {
		l, err := scanSecretLink(db.queryRow(ctx, `SELECT `+secretLinkColumns+` FROM secret_links WHERE id = $1`, id))
		if err != nil {
			return nil, fmt.Errorf("store: secret link: %w", sqlite.Translate(err))
		}
		return l, nil
	})
}

// SecretLinks lists a person's links in a wiki, or everybody's if did is empty, newest
// first.
func (db *DB) SecretLinks(ctx context.Context, slug, did string) ([]*SecretLink, error) {
	var list []*SecretLink
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		l, err := scanSecretLink(rows)
		list = append(list, l)
		return err
	}, `SELECT `+secretLinkColumns+` FROM secret_links WHERE slug = $1 AND (did = $2 OR $2 = '') ORDER BY created DESC, id`, slug, did)
	if err != nil {
		return nil, fmt.Errorf("store: secret links of %s: %w", slug, err)
	}
	return list, nil
}

// RecordSecretLinkUse records the use of a link, at most once an hour.
func (db *DB) RecordSecretLinkUse(ctx context.Context, l *SecretLink) error {
	if err := db.recordUse(ctx, &l.used, `UPDATE secret_links SET used = $2 WHERE id = $1`, l.ID); err != nil {
		return fmt.Errorf("store: use of secret link %s: %w", l.ID, err)
	}
	return nil
}

// RevokeSecretLink deletes a person's link in a wiki, or anybody's if did is empty;
// ErrNotFound if there is no such link.
func (db *DB) RevokeSecretLink(ctx context.Context, actor, slug, did, id string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		gone, err := tx.ExecContext(ctx, `DELETE FROM secret_links WHERE id = $1 AND slug = $2 AND (did = $3 OR $3 = '')`, id, slug, did)
		if err := requireRow(gone, err); err != nil {
			return err
		}
		return db.audit(ctx, tx, actor, slug, "link.revoke", id)
	})
	db.secretLinks.forget(id)
	if err != nil {
		return fmt.Errorf("store: revoke secret link %s of %s: %w", id, slug, err)
	}
	return nil
}
