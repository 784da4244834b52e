package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A Webhook is an address that is notified of a wiki's changes.
type Webhook struct {
	ID        string
	Slug      string
	DID       string // the owner who added it
	URL       string
	Form      string // of the message
	Bare      bool   // messages name no pages and people
	Created   time.Time
	Seq       int64     // number of the last commit that it was notified of
	Delivered time.Time // when; zero if never
	Failures  int       // in a row
	Failing   time.Time // when the first of them was; zero without failures
	Retry     time.Time // no delivery before this
	Problem   string    // why the last delivery failed, or ""
	Stopped   time.Time // when it was given up; zero if it wasn't
}

const webhookColumns = `id, slug, did, url, form, bare, created, seq, delivered, failures, failing, retry, problem, stopped`

func scanWebhook(row sqlite.Scanner) (h Webhook, err error) {
	var created, delivered, failing, retry, stopped int64
	err = row.Scan(&h.ID, &h.Slug, &h.DID, &h.URL, &h.Form, &h.Bare, &created, &h.Seq, &delivered, &h.Failures, &failing, &retry, &h.Problem, &stopped)
	h.Created, h.Delivered, h.Failing = timeFromMillis(created), timeFromMillis(delivered), timeFromMillis(failing)
	h.Retry, h.Stopped = timeFromMillis(retry), timeFromMillis(stopped)
	return h, err
}

// AddWebhook stores a webhook. It fails with ErrQuota if the wiki has max webhooks.
func (db *DB) AddWebhook(ctx context.Context, h Webhook, max int) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM webhooks WHERE slug = $1`, h.Slug).Scan(&n); err != nil {
			return err
		}
		if n >= max {
			return wiki.Problemf(wiki.ErrQuota, "webhook", "This wiki has %d webhooks, which is the limit. Remove one to add another.", n)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO webhooks (id, slug, did, url, form, bare, created, seq) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			h.ID, h.Slug, h.DID, h.URL, h.Form, h.Bare, db.nowMillis(), h.Seq)
		if err != nil {
			return err
		}
		return db.audit(ctx, tx, h.DID, h.Slug, "webhook.add", h.ID)
	})
	if err != nil {
		return fmt.Errorf("store: add webhook of %s: %w", h.Slug, err)
	}
	return nil
}

// Webhooks lists the webhooks of a wiki or, if slug is "", of all wikis, oldest first.
func (db *DB) Webhooks(ctx context.Context, slug string) ([]Webhook, error) {
	var list []Webhook
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		h, err := scanWebhook(rows)
		list = append(list, h)
		return err
	}, `SELECT `+webhookColumns+` FROM webhooks WHERE $1 = '' OR slug = $1 ORDER BY created, rowid`, slug)
	if err != nil {
		return nil, fmt.Errorf("store: webhooks of %q: %w", slug, err)
	}
	return list, nil
}

// RecordDelivery stores what an attempt to deliver has changed: all columns but those
// that AddWebhook sets. A webhook that is given up now gets an entry in the audit log,
// for its owner. It fails with ErrNotFound if the webhook was removed meanwhile.
func (db *DB) RecordDelivery(ctx context.Context, h Webhook) error {
	millis := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMilli()
	}
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var stopped int64
		if err := tx.QueryRowContext(ctx, `SELECT stopped FROM webhooks WHERE id = $1`, h.ID).Scan(&stopped); err != nil {
			return sqlite.Translate(err)
		}
		if stopped == 0 && !h.Stopped.IsZero() {
			if err := db.audit(ctx, tx, wiki.OperatorName, h.Slug, "webhook.stop", h.ID); err != nil {
				return err
			}
		}
		done, err := tx.ExecContext(ctx, `UPDATE webhooks SET seq = $2, delivered = $3, failures = $4, failing = $5, retry = $6, problem = $7, stopped = $8 WHERE id = $1`,
			h.ID, h.Seq, millis(h.Delivered), h.Failures, millis(h.Failing), millis(h.Retry), h.Problem, millis(h.Stopped))
		return requireRow(done, err)
	})
	if err != nil {
		return fmt.Errorf("store: record a delivery of %s: %w", h.Slug, err)
	}
	return nil
}

// RemoveWebhook deletes a webhook of a wiki; ErrNotFound if there is none.
func (db *DB) RemoveWebhook(ctx context.Context, actor, slug, id string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM webhooks WHERE slug = $1 AND id = $2`, slug, id)
		if err := requireRow(done, err); err != nil {
			return err
		}
		return db.audit(ctx, tx, actor, slug, "webhook.remove", id)
	})
	if err != nil {
		return fmt.Errorf("store: remove webhook of %s: %w", slug, err)
	}
	return nil
}
