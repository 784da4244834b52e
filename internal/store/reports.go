package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A Report is a reader's complaint about a page, for the operator.
type Report struct {
	ID     int64
	Time   time.Time
	Slug   string
	Page   string // path on the wiki's host
	Reason string
	Words  string
	Sender string // DID, or ""
	Closed time.Time
}

// Limits of the queue. If it is full, new reports fail; the operator has been notified
// long before. One wiki's reports can't fill it.
const (
	maxOpenReports     = 10_000
	maxOpenWikiReports = 200
)

// AddReport adds a report to the queue, unless the same report on the same page is
// open already.
func (db *DB) AddReport(ctx context.Context, r Report) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var open, ofWiki int
		if err := tx.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE slug = $1) FROM reports WHERE closed = 0`, r.Slug).Scan(&open, &ofWiki); err != nil {
			return err
		}
		if open >= maxOpenReports || ofWiki >= maxOpenWikiReports {
			return wiki.Problemf(wiki.ErrQuota, "", "There are too many unread reports. Try again tomorrow.")
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO reports (time, slug, page, reason, words, sender)
			SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (
				SELECT 1 FROM reports WHERE closed = 0 AND slug = $2 AND page = $3 AND reason = $4 AND words = $5)`,
			db.nowMillis(), r.Slug, r.Page, r.Reason, r.Words, r.Sender)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: report: %w", err)
	}
	return nil
}

// Reports lists open reports, or all, oldest first.
func (db *DB) Reports(ctx context.Context, all bool) ([]Report, error) {
	var list []Report
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var r Report
		var at, closed int64
		err := rows.Scan(&r.ID, &at, &r.Slug, &r.Page, &r.Reason, &r.Words, &r.Sender, &closed)
		r.Time, r.Closed = timeFromMillis(at), timeFromMillis(closed)
		list = append(list, r)
		return err
	}, `SELECT id, time, slug, page, reason, words, sender, closed FROM reports WHERE closed = 0 OR $1 ORDER BY id`, all)
	if err != nil {
		return nil, fmt.Errorf("store: list reports: %w", err)
	}
	return list, nil
}

// OpenReports counts open reports.
func (db *DB) OpenReports(ctx context.Context) (n int, err error) {
	err = db.queryRow(ctx, `SELECT count(*) FROM reports WHERE closed = 0`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("store: count reports: %w", sqlite.Translate(err))
	}
	return n, nil
}

// CloseReport closes a report; ErrNotFound if it isn't open.
func (db *DB) CloseReport(ctx context.Context, id int64) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		var slug string
		if err := tx.QueryRowContext(ctx, `UPDATE reports SET closed = $2 WHERE id = $1 AND closed = 0 RETURNING slug`, id, db.nowMillis()).Scan(&slug); err != nil {
			return err
		}
		return db.audit(ctx, tx, Operator, slug, "report.close", fmt.Sprint(id))
	})
	if err != nil {
		return fmt.Errorf("store: close report %d: %w", id, err)
	}
	return nil
}
