package content

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"robot.wtf/internal/wiki"
)

// SessionPause is the longest pause between two commits of a session.
const SessionPause = 30 * time.Minute

// A Session is a run of commits by one grant, or by one person without a grant, with no
// pause of more than SessionPause. The commits of an import are one session.
type Session struct {
	First      int64 // seq of the first commit, which identifies the session
	Last       int64 // seq of the last commit
	Count      int   // number of commits
	Start, End time.Time
	Commits    []wiki.Commit // the oldest ones, in order
}

// findSession returns the session of a commit about to be written.
func (t *tx) findSession(c wiki.Commit) (int64, error) {
	last, at, err := t.findPredecessor(c)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !c.Author.Imported && c.Time.UnixMilli()-at > SessionPause.Milliseconds() {
		return c.Seq, nil
	}
	return last, err
}

// findPredecessor returns the session and time of the newest commit by the same grant,
// or by the same person without one. For an imported commit, they are those of the
// imported commit before it.
func (t *tx) findPredecessor(c wiki.Commit) (session, at int64, err error) {
	a := c.Author
	if a.Imported {
		err = t.queryRow(t.context(), "SELECT session, time FROM commits WHERE wiki = $1 AND seq = $2 AND imported = TRUE", t.w.slug, c.Seq-1).Scan(&session, &at)
		return session, at, err
	}
	by, same := authorName{"grant", a.Grant}, " AND grant_id = $2 AND grant_id <> '' AND imported = FALSE ORDER BY seq DESC LIMIT 1"
	if a.Grant == "" {
		by, same = authorName{"person", a.DID}, " AND did = $2 AND grant_id = '' AND imported = FALSE ORDER BY seq DESC LIMIT 1"
	}
	err = t.queryRow(t.context(), "SELECT session, time FROM commits WHERE wiki = $1 AND seq > "+afterSpans+same, t.w.slug, by.name).Scan(&session, &at)
	if !errors.Is(err, sql.ErrNoRows) {
		return session, at, err
	}
	var span sql.NullInt64
	if err = t.queryRow(t.context(), "SELECT MAX(span) FROM span_authors WHERE wiki = $1 AND kind = $2 AND name = $3", t.w.slug, by.kind, by.name).Scan(&span); err == nil && !span.Valid {
		err = sql.ErrNoRows
	}
	if err == nil {
		err = t.queryRow(t.context(), "SELECT session, time FROM commits WHERE wiki = $1 AND seq > $3 * 64 AND seq <= $3 * 64 + 64"+same, t.w.slug, by.name, span.Int64).Scan(&session, &at)
	}
	return session, at, err
}

// Sessions lists sessions, those that began last first. It uses the filter's Author,
// Agents and Limit, and Before for the first commit's seq; a session matches if its first
// commit does. It reads at most the first commits of each.
func (w *Wiki) Sessions(ctx context.Context, f LogFilter, commits int) ([]Session, error) {
	by, err := w.authorFilters(ctx, f)
	if errors.Is(err, errUnknownAuthor) {
		return nil, nil
	}
	if err != nil {
		return nil, wrapError(err, "sessions of %s", w.slug)
	}
	rest, err := w.lastSpanEnd(ctx)
	if err != nil {
		return nil, wrapError(err, "sessions of %s", w.slug)
	}
	before := f.Before
	if before <= 0 {
		before = maxSeq
	}
	var firsts []int64
	for _, source := range []string{
		"SELECT c.seq FROM commits c WHERE c.wiki = $1 AND c.seq > $2 AND c.seq < $3 AND c.session = c.seq",
		"SELECT c.seq FROM span_sessions s CROSS JOIN commits c WHERE s.wiki = $1 AND s.session <= $2 AND s.session < $3 AND s.span = (s.session - 1) / 64 AND c.seq = s.session",
	} {
		query, args := source, []any{w.slug, rest, before}
		for _, who := range by {
			query, args = appendCondition(query, args, who.sql, who.args...)
		}
		args = append(args, f.Limit-len(firsts))
		err = forEachRow(ctx, w, func(rows *sql.Rows) error {
			var first int64
			err := rows.Scan(&first)
			firsts = append(firsts, first)
			return err
		}, fmt.Sprintf("%s ORDER BY c.seq DESC LIMIT $%d + 0", query, len(args)), args...)
		if err != nil {
			return nil, wrapError(err, "sessions of %s", w.slug)
		}
	}
	return w.SessionsByFirst(ctx, firsts, commits)
}

// Bounds on the changes read for a list of sessions: together, and for each that is left
// when those are read. One commit can have tens of thousands.
const (
	maxSessionsChanges = 20_000
	minSessionChanges  = 1_000
)

// SessionsByFirst reads sessions by the seqs of their first commits, with at most limit
// commits of each. Large commits are Cut.
func (w *Wiki) SessionsByFirst(ctx context.Context, firsts []int64, commits int) ([]Session, error) {
	list := make([]Session, len(firsts))
	left := maxSessionsChanges
	for i, first := range firsts {
		var err error
		if list[i], err = w.readSession(ctx, first, commits, max(left, minSessionChanges)); err != nil {
			return nil, wrapError(err, "session %s/%d", w.slug, first)
		}
		for _, c := range list[i].Commits {
			left -= len(c.Changes)
		}
	}
	return list, nil
}

// readSession reads a session with at most limit of its commits, and at most about a
// number of their changes.
func (w *Wiki) readSession(ctx context.Context, first int64, limit, changes int) (Session, error) {
	s := Session{First: first}
	var start, end int64
	err := w.queryRow(ctx, `SELECT MAX(last), SUM(commits), MIN(first_time), MAX(last_time) FROM (
		SELECT last, commits, first_time, last_time FROM span_sessions WHERE wiki = $1 AND session = $2
		UNION ALL SELECT MAX(seq), COUNT(*), MIN(time), MAX(time) FROM commits WHERE wiki = $1 AND seq > `+afterSpans+` AND session = $2)`, w.slug, first).
		Scan(&s.Last, &s.Count, &start, &end)
	if err != nil {
		return s, err
	}
	s.Start, s.End = time.UnixMilli(start).UTC(), time.UnixMilli(end).UTC()
	err = forEachRow(ctx, w, func(rows *sql.Rows) error {
		var c wiki.Commit
		err := scanCommit(rows, &c)
		s.Commits = append(s.Commits, c)
		return err
	}, "SELECT "+commitColumns+" FROM commits c WHERE c.wiki = $1 AND c.seq >= $2 AND c.seq <= $3 AND c.session = $2 ORDER BY c.seq LIMIT $4 + 0", w.slug, first, s.Last, limit)
	if err != nil {
		return s, err
	}
	return s, fillSomeChanges(ctx, w, w.slug, s.Commits, changes)
}

// SessionOf reads the session of a commit, with at most limit of its commits.
func (w *Wiki) SessionOf(ctx context.Context, seq int64, limit int) (Session, error) {
	var first int64
	err := w.queryRow(ctx, "SELECT session FROM commits WHERE wiki = $1 AND seq = $2", w.slug, seq).Scan(&first)
	if err != nil {
		return Session{}, wrapError(err, "session of %s/%d", w.slug, seq)
	}
	s, err := w.readSession(ctx, first, limit, math.MaxInt)
	return s, wrapError(err, "session %s/%d", w.slug, first)
}
