package content

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Looked returns the commit up to which a person has reviewed everything, and when they
// said so. For somebody who never did, it returns the last commit before since, and the
// zero time.
func (w *Wiki) Looked(ctx context.Context, did string, since time.Time) (seq int64, at time.Time, err error) {
	var millis int64
	err = w.queryRow(ctx, "SELECT seq, time FROM looked WHERE wiki = $1 AND did = $2", w.slug, did).Scan(&seq, &millis)
	if err == nil {
		return seq, time.UnixMilli(millis).UTC(), nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		seq, err = w.lastBefore(ctx, since)
	}
	return seq, time.Time{}, wrapError(err, "review of %s", w.slug)
}

// lastBefore returns the last commit before a time, 0 for none. Times never fall from
// one commit to the next, so it is a binary search.
func (w *Wiki) lastBefore(ctx context.Context, at time.Time) (int64, error) {
	head, _ := w.Head()
	low, high := int64(0), head // the answer is in [low, high]
	for low < high {
		middle := low + (high-low+1)/2
		var seq, millis int64
		err := w.queryRow(ctx, "SELECT seq, time FROM commits WHERE wiki = $1 AND seq >= $2 ORDER BY seq LIMIT 1", w.slug, middle).Scan(&seq, &millis)
		switch {
		case err != nil:
			return 0, err
		case millis < at.UnixMilli():
			low = max(seq, middle)
		default:
			high = middle - 1
		}
	}
	return low, nil
}

// A WaitingChange is a change that a person has yet to review.
type WaitingChange struct {
	Session, Seq int64
	Path         string
	Agent        bool
}

// others selects the changes after commit $2 that person $3 didn't make and hasn't
// reviewed. Imports aren't reviewed: nobody has read their history here.
const others = ` FROM commits c JOIN commit_changes h ON h.wiki = c.wiki AND h.seq = c.seq
	WHERE c.wiki = $1 AND c.seq > $2 AND c.imported = FALSE AND (c.did <> $3 OR c.agent <> '')
	AND NOT EXISTS (SELECT 1 FROM seen s WHERE s.wiki = c.wiki AND s.did = $3 AND s.seq = c.seq AND s.key IN ('', h.key))`

// Waiting lists the changes after a seq that a person has yet to review, newest first,
// at most limit.
func (w *Wiki) Waiting(ctx context.Context, did string, after int64, limit int) ([]WaitingChange, error) {
	var list []WaitingChange
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var c WaitingChange
		err := rows.Scan(&c.Session, &c.Seq, &c.Path, &c.Agent)
		list = append(list, c)
		return err
	}, "SELECT c.session, c.seq, h.path, c.agent <> ''"+others+" ORDER BY c.seq DESC, h.n LIMIT $4 + 0", w.slug, after, did, limit)
	return list, wrapError(err, "changes of %s to review", w.slug)
}

// WaitingCommits returns the commits after a seq with changes that a person has yet to
// review.
func (w *Wiki) WaitingCommits(ctx context.Context, did string, after int64) (map[int64]bool, error) {
	waiting := map[int64]bool{}
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		waiting[seq] = true
		return err
	}, "SELECT DISTINCT c.seq"+others, w.slug, after, did)
	return waiting, wrapError(err, "commits of %s to review", w.slug)
}

// MarkLooked records that a person has reviewed everything up to a commit.
func (w *Wiki) MarkLooked(ctx context.Context, did string, seq int64) error {
	err := w.inWriteTx(ctx, func(t *tx) error {
		if err := t.exec(`INSERT INTO looked (wiki, did, seq, time) VALUES ($1, $2, $3, $4)
			ON CONFLICT (wiki, did) DO UPDATE SET seq = max(seq, excluded.seq), time = excluded.time`, w.slug, did, seq, w.o.Now().UnixMilli()); err != nil {
			return err
		}
		return t.exec("DELETE FROM seen WHERE wiki = $1 AND did = $2 AND seq <= $3", w.slug, did, seq)
	}, nil)
	return wrapError(err, "mark %s as reviewed up to %d", w.slug, seq)
}

// MarkSessionReviewed records that a person has reviewed the commits of a session up to
// a seq; with keys, only their changes to these files. With again, it forgets that.
func (w *Wiki) MarkSessionReviewed(ctx context.Context, did string, first, upTo int64, keys []string, again bool) error {
	if len(keys) == 0 {
		keys = []string{""}
	}
	err := w.inWriteTx(ctx, func(t *tx) error {
		for _, key := range keys {
			if again {
				if err := t.exec("DELETE FROM seen WHERE wiki = $1 AND did = $2 AND key = $5 AND seq IN (SELECT seq FROM commits WHERE wiki = $1 AND session = $3 AND seq >= $3 AND seq <= $4)", w.slug, did, first, upTo, key); err != nil {
					return err
				}
				continue
			}
			if err := t.exec(`INSERT INTO seen (wiki, did, seq, key, time) SELECT wiki, $2, seq, $5, $6 FROM commits
				WHERE wiki = $1 AND session = $3 AND seq >= $3 AND seq <= $4
				AND ($5 = '' OR EXISTS (SELECT 1 FROM changes h WHERE h.wiki = commits.wiki AND h.seq = commits.seq AND h.key = $5))
				ON CONFLICT DO NOTHING`, w.slug, did, first, upTo, key, w.o.Now().UnixMilli()); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	return wrapError(err, "mark session %s/%d as reviewed", w.slug, first)
}

// MarkReviewed records that a person has reviewed a commit and keeps it.
func (w *Wiki) MarkReviewed(ctx context.Context, did string, seq int64) error {
	err := w.inWriteTx(ctx, func(t *tx) error {
		return t.exec("INSERT INTO seen (wiki, did, seq, key, time) VALUES ($1, $2, $3, '', $4) ON CONFLICT DO NOTHING", w.slug, did, seq, w.o.Now().UnixMilli())
	}, nil)
	return wrapError(err, "mark %s/%d as reviewed", w.slug, seq)
}
