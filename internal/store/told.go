package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A Watch is a page that a member watches.
type Watch struct {
	Slug    string
	DID     string
	Page    string // its name when it was first watched
	Seq     int64  // number of the wiki's newest commit then
	Created time.Time
}

// AddWatch stores a watch. It is idempotent, and fails with ErrQuota if the person
// watches max pages in the wiki.
func (db *DB) AddWatch(ctx context.Context, w Watch, max int) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM watched WHERE slug = $1 AND did = $2 AND page <> $3`, w.Slug, w.DID, w.Page).Scan(&n); err != nil {
			return err
		}
		if n >= max {
			return wiki.Problemf(wiki.ErrQuota, "page", "You watch %d pages in this wiki. Stop watching one to watch another.", n)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO watched (slug, did, page, seq, created) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (slug, did, page) DO UPDATE SET seq = excluded.seq, created = excluded.created`, w.Slug, w.DID, w.Page, w.Seq, db.nowMillis())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: watch %s/%s for %s: %w", w.Slug, w.Page, w.DID, err)
	}
	return nil
}

// RemoveWatch deletes a watch by the name that it was stored with; ErrNotFound if there
// is none.
func (db *DB) RemoveWatch(ctx context.Context, slug, did, page string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		return requireRow(tx.ExecContext(ctx, `DELETE FROM watched WHERE slug = $1 AND did = $2 AND page = $3`, slug, did, page))
	})
	if err != nil {
		return fmt.Errorf("store: stop watching %s/%s for %s: %w", slug, page, did, err)
	}
	return nil
}

// Watches lists what a person watches in a wiki, by name.
func (db *DB) Watches(ctx context.Context, slug, did string) ([]Watch, error) {
	var list []Watch
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		w := Watch{Slug: slug, DID: did}
		var created int64
		err := rows.Scan(&w.Page, &w.Seq, &created)
		w.Created = timeFromMillis(created)
		list = append(list, w)
		return err
	}, `SELECT page, seq, created FROM watched WHERE slug = $1 AND did = $2 ORDER BY page`, slug, did)
	if err != nil {
		return nil, fmt.Errorf("store: watches of %s in %s: %w", did, slug, err)
	}
	return list, nil
}

// An OwnFeed is what a person chose to be notified of, and the feed that they read it in.
type OwnFeed struct {
	ID      string
	DID     string
	Without []string // kinds of events that it leaves out
	AtOnce  bool     // an entry for each event instead of one for each day
	Created time.Time

	used atomic.Int64 // unix milliseconds, coarse
}

// LastUse returns when the feed was last read, to the hour; zero if never.
func (f *OwnFeed) LastUse() time.Time { return timeFromMillis(f.used.Load()) }

// SetOwnFeed stores a person's feed in place of the one they had.
func (db *DB) SetOwnFeed(ctx context.Context, f *OwnFeed) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO own_feeds (did, id, without, at_once, created) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (did) DO UPDATE SET used = CASE WHEN id = excluded.id THEN used ELSE 0 END, created = CASE WHEN id = excluded.id THEN created ELSE excluded.created END,
			id = excluded.id, without = excluded.without, at_once = excluded.at_once`,
			f.DID, f.ID, strings.Join(f.Without, ","), f.AtOnce, db.nowMillis())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: set feed of %s: %w", f.DID, err)
	}
	return nil
}

// RemoveOwnFeed deletes a person's feed, if they have one.
func (db *DB) RemoveOwnFeed(ctx context.Context, did string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM own_feeds WHERE did = $1`, did)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: remove feed of %s: %w", did, err)
	}
	return nil
}

// OwnFeed returns a person's feed; ErrNotFound if they have none.
func (db *DB) OwnFeed(ctx context.Context, did string) (*OwnFeed, error) {
	return db.queryOwnFeed(ctx, `did = $1`, did)
}

// OwnFeedByID finds a feed by its id.
func (db *DB) OwnFeedByID(ctx context.Context, id string) (*OwnFeed, error) {
	return db.queryOwnFeed(ctx, `id = $1`, id)
}

func (db *DB) queryOwnFeed(ctx context.Context, condition, arg string) (*OwnFeed, error) {
	var f OwnFeed
	var without string
	var created, used int64
	err := db.queryRow(ctx, `SELECT id, did, without, at_once, created, used FROM own_feeds WHERE `+condition, arg).
		Scan(&f.ID, &f.DID, &without, &f.AtOnce, &created, &used)
	if err != nil {
		return nil, fmt.Errorf("store: own feed: %w", sqlite.Translate(err))
	}
	f.Without, f.Created = strings.FieldsFunc(without, func(r rune) bool { return r == ',' }), timeFromMillis(created)
	f.used.Store(used)
	return &f, nil
}

// RecordOwnFeedUse records that a feed was read, at most once an hour.
func (db *DB) RecordOwnFeedUse(ctx context.Context, f *OwnFeed) error {
	if err := db.recordUse(ctx, &f.used, `UPDATE own_feeds SET used = $2 WHERE id = $1`, f.ID); err != nil {
		return fmt.Errorf("store: use of the feed of %s: %w", f.DID, err)
	}
	return nil
}

// NearLimits returns since when a wiki is close to its limits, by their names. near has
// those that it is close to now; the others are forgotten.
func (db *DB) NearLimits(ctx context.Context, slug string, near []string) (map[string]time.Time, error) {
	since := map[string]time.Time{}
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var name string
		var at int64
		err := rows.Scan(&name, &at)
		since[name] = timeFromMillis(at)
		return err
	}, `SELECT name, since FROM near_limits WHERE slug = $1`, slug)
	if err == nil && !sameNames(since, near) {
		err = db.tx(ctx, func(tx *sql.Tx) error { return db.updateNearLimits(ctx, tx, slug, near, since) })
	}
	if err != nil {
		return nil, fmt.Errorf("store: limits that %s is close to: %w", slug, err)
	}
	return since, nil
}

// sameNames reports whether names are the keys of a map.
func sameNames(since map[string]time.Time, names []string) bool {
	for _, name := range names {
		if since[name].IsZero() {
			return false
		}
	}
	return len(since) == len(names)
}

func (db *DB) updateNearLimits(ctx context.Context, tx *sql.Tx, slug string, near []string, since map[string]time.Time) error {
	gone := map[string]bool{}
	for name := range since {
		gone[name] = true
	}
	for _, name := range near {
		delete(gone, name)
		if since[name].IsZero() {
			since[name] = timeFromMillis(db.nowMillis())
			if _, err := tx.ExecContext(ctx, `INSERT INTO near_limits (slug, name, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, slug, name, db.nowMillis()); err != nil {
				return err
			}
		}
	}
	for name := range gone {
		delete(since, name)
		if _, err := tx.ExecContext(ctx, `DELETE FROM near_limits WHERE slug = $1 AND name = $2`, slug, name); err != nil {
			return err
		}
	}
	return nil
}
