package content

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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
	a := c.Author
	query, args := "grant_id = $2 AND grant_id <> '' AND imported = FALSE", []any{t.w.slug, a.Grant}
	switch {
	case a.Imported:
		query, args = "seq = $2 AND imported = TRUE", []any{t.w.slug, c.Seq - 1}
	case a.Grant == "":
		query, args = "did = $2 AND grant_id = '' AND imported = FALSE", []any{t.w.slug, a.DID}
	}
	var session, at int64
	err := t.queryRow(t.context(), "SELECT session, time FROM commits WHERE wiki = $1 AND "+query+" ORDER BY seq DESC LIMIT 1", args...).Scan(&session, &at)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !a.Imported && c.Time.UnixMilli()-at > SessionPause.Milliseconds() {
		return c.Seq, nil
	}
	return session, err
}

// Sessions lists sessions, those that began last first. Of the filter it uses Author,
// Agents, Limit, and Before for the first commit's seq; a session matches if one of its
// commits does. It reads at most the first commits of each.
func (w *Wiki) Sessions(ctx context.Context, f LogFilter, commits int) ([]Session, error) {
	query, args := "SELECT DISTINCT c.session FROM commits c WHERE c.wiki = $1", []any{w.slug}
	if f.Before > 0 {
		query, args = appendCondition(query, args, "c.session < ?", f.Before)
	}
	by, err := w.authorFilters(ctx, f)
	if errors.Is(err, errUnknownAuthor) {
		return nil, nil
	}
	if err != nil {
		return nil, wrapError(err, "sessions of %s", w.slug)
	}
	for _, who := range by {
		query, args = appendCondition(query, args, who.sql, who.args...)
	}
	args = append(args, f.Limit)
	var firsts []int64
	err = forEachRow(ctx, w, func(rows *sql.Rows) error {
		var first int64
		err := rows.Scan(&first)
		firsts = append(firsts, first)
		return err
	}, fmt.Sprintf("%s ORDER BY c.session DESC LIMIT $%d + 0", query, len(args)), args...)
	if err != nil {
		return nil, wrapError(err, "sessions of %s", w.slug)
	}
	return w.SessionsByFirst(ctx, firsts, commits)
}

// SessionsByFirst reads sessions by the seqs of their first commits, with at most so
// many commits of each.
func (w *Wiki) SessionsByFirst(ctx context.Context, firsts []int64, commits int) ([]Session, error) {
	list := make([]Session, len(firsts))
	for i, first := range firsts {
		var err error
		if list[i], err = w.readSession(ctx, first, commits); err != nil {
			return nil, wrapError(err, "session %s/%d", w.slug, first)
		}
	}
	return list, nil
}

// readSession reads a session with at most limit of its commits.
func (w *Wiki) readSession(ctx context.Context, first int64, limit int) (Session, error) {
	s := Session{First: first}
	var start, end int64
	err := w.queryRow(ctx, "SELECT MAX(seq), COUNT(*), MIN(time), MAX(time) FROM commits WHERE wiki = $1 AND session = $2", w.slug, first).
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
	}, "SELECT "+commitColumns+" FROM commits c WHERE c.wiki = $1 AND c.session = $2 ORDER BY c.seq LIMIT $3 + 0", w.slug, first, limit)
	if err != nil {
		return s, err
	}
	return s, fillChanges(ctx, w, w.slug, s.Commits)
}

// SessionOf reads the session of a commit, with at most limit of its commits.
func (w *Wiki) SessionOf(ctx context.Context, seq int64, limit int) (Session, error) {
	var first int64
	err := w.queryRow(ctx, "SELECT session FROM commits WHERE wiki = $1 AND seq = $2", w.slug, seq).Scan(&first)
	if err != nil {
		return Session{}, wrapError(err, "session of %s/%d", w.slug, seq)
	}
	s, err := w.readSession(ctx, first, limit)
	return s, wrapError(err, "session %s/%d", w.slug, first)
}
