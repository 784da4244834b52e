package content

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

const commitColumns = `c.seq, c.oid, c.parents, c.username, c.did, c.agent, c.client, c.grant_id, c.imported, c.time, c.message, ` + originColumn

func scanCommit(row sqlite.Scanner, c *wiki.Commit) error {
	var at int64
	var parents, origin string
	a := &c.Author
	err := row.Scan(&c.Seq, &c.ID, &parents, &a.Username, &a.DID, &a.Agent, &a.Client, &a.Grant, &a.Imported, &at, &c.Message, &origin)
	setOrigin(a, origin)
	c.Parents, c.Time = strings.Fields(parents), time.UnixMilli(at).UTC()
	return err
}

func commitBySeq(ctx context.Context, q querier, slug string, seq int64) (wiki.Commit, error) {
	list := make([]wiki.Commit, 1)
	err := scanCommit(q.queryRow(ctx, "SELECT "+commitColumns+" FROM commits c WHERE c.wiki = $1 AND c.seq = $2", slug, seq), &list[0])
	if err == nil {
		err = fillChanges(ctx, q, slug, list)
	}
	return list[0], wrapError(err, "commit %s/%d", slug, seq)
}

// changesBatch is the number of commits whose changes one statement reads.
const changesBatch = 64

// regularFiles excludes symbolic links and submodules, which imports bring: they are
// kept but never served. The mode of a deleted file is 0.
const regularFiles = "(mode & 61440) IN (0, 32768)"

// fillChanges reads all changes of commits.
func fillChanges(ctx context.Context, q querier, slug string, list []wiki.Commit) error {
	_, err := readChanges(ctx, q, slug, list, math.MaxInt)
	return err
}

// fillSomeChanges reads the changes of commits, up to a total of about most: if there are
// more, it reads equally many of each commit. A commit of an import can have tens of
// thousands.
func fillSomeChanges(ctx context.Context, q querier, slug string, list []wiki.Commit, most int) error {
	n, err := readChanges(ctx, q, slug, list, most)
	if err != nil || n <= most {
		return err
	}
	each := max(1, most/len(list))
	for i := range list {
		one := list[i : i+1]
		one[0].Changes = nil
		if n, err = readChanges(ctx, q, slug, one, each); err != nil {
			return err
		}
		if n > each {
			one[0].Changes, one[0].Cut = one[0].Changes[:each], true
		}
	}
	return nil
}

// readChanges reads the changes of commits, with one statement per changesBatch. It
// returns how many it has read, and stops once it has more than most.
func readChanges(ctx context.Context, q querier, slug string, list []wiki.Commit, most int) (n int, err error) {
	for ; len(list) > 0 && n <= most; list = list[min(len(list), changesBatch):] {
		read, err := readChangesBatch(ctx, q, slug, list[:min(len(list), changesBatch)], most)
		if n += read; err != nil {
			return n, err
		}
	}
	return n, nil
}

func readChangesBatch(ctx context.Context, q querier, slug string, list []wiki.Commit, most int) (read int, err error) {
	at := make(map[int64]*wiki.Commit, len(list))
	args := []any{slug}
	for i := range list {
		at[list[i].Seq] = &list[i]
		args = append(args, list[i].Seq)
	}
	// One statement for each power of two, so that few are prepared.
	n := 1
	for n < len(list) {
		n *= 2
	}
	for len(args) < n+1 {
		args = append(args, list[0].Seq)
	}
	var places strings.Builder
	for i := range n {
		fmt.Fprintf(&places, ", $%d", i+2)
	}
	limit := ""
	if most < math.MaxInt {
		limit = fmt.Sprintf(" AND n <= %d LIMIT %d", most, most+1)
	}
	err = forEachRow(ctx, q, func(rows *sql.Rows) error {
		var seq int64
		var ch wiki.Change
		err := rows.Scan(&seq, &ch.Path, &ch.From, &ch.Kind, &ch.Old, &ch.New)
		if c := at[seq]; c != nil {
			c.Changes = append(c.Changes, ch)
		}
		read++
		return err
	}, "SELECT seq, path, from_path, kind, old, new FROM (SELECT * FROM commit_changes WHERE wiki = $1 AND seq IN ("+places.String()[2:]+") AND "+regularFiles+limit+") ORDER BY seq, n", args...)
	return read, err
}

// Log lists commits with their changes, newest first unless Ascending.
func (w *Wiki) Log(ctx context.Context, f LogFilter) ([]wiki.Commit, error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	by, err := w.authorFilters(ctx, f)
	if errors.Is(err, errUnknownAuthor) {
		return nil, nil
	}
	ranges := []seqRange{{0, maxSeq}}
	for _, who := range by {
		if err == nil && who.names != nil {
			ranges, err = w.authorRanges(ctx, who.names)
		}
	}
	if err != nil {
		return nil, wrapError(err, "log of %s", w.slug)
	}
	if !f.Ascending {
		slices.Reverse(ranges)
	}
	var list []wiki.Commit
	for _, r := range ranges {
		if err == nil && len(list) < f.Limit {
			list, err = w.appendLog(ctx, list, f, by, r)
		}
	}
	switch {
	case err == nil && f.Changes > 0:
		err = fillSomeChanges(ctx, w, w.slug, list, f.Changes)
	case err == nil:
		err = fillChanges(ctx, w, w.slug, list)
	}
	return list, wrapError(err, "log of %s", w.slug)
}

// appendLog appends the commits in a range that match a filter to a list, up to the
// filter's limit.
func (w *Wiki) appendLog(ctx context.Context, list []wiki.Commit, f LogFilter, by []authorFilter, r seqRange) ([]wiki.Commit, error) {
	query := "SELECT " + commitColumns + " FROM commits c WHERE c.wiki = $1"
	args := []any{w.slug}
	and := func(condition string, arg ...any) { query, args = appendCondition(query, args, condition, arg...) }
	and("c.seq > ?", max(f.After, r.after)) // even if 0: it lets SQLite read commits in the table's order
	upTo := r.upTo
	if f.Before > 0 {
		upTo = min(upTo, f.Before-1)
	}
	and("c.seq <= ?", upTo)
	for _, who := range by {
		and(who.sql, who.args...)
	}
	if f.PathPrefix != "" {
		// By key first, which is indexed, then by path.
		from, to := wiki.Key(f.PathPrefix), wiki.Key(f.PathPrefix)+"\U0010FFFF"
		and("c.seq IN (SELECT seq FROM changes WHERE wiki = $1 AND key >= ? AND key < ? AND path >= ? AND path < ?"+
			" UNION SELECT seq FROM changes WHERE wiki = $1 AND from_key >= ? AND from_key < ? AND from_key <> '' AND from_path >= ? AND from_path < ?)",
			from, to, f.PathPrefix, f.PathPrefix+"\U0010FFFF", from, to, f.PathPrefix, f.PathPrefix+"\U0010FFFF")
	}
	query += " ORDER BY c.seq"
	if !f.Ascending {
		query += " DESC"
	}
	args = append(args, f.Limit-len(list))
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var c wiki.Commit
		err := scanCommit(rows, &c)
		list = append(list, c)
		return err
	}, fmt.Sprintf("%s LIMIT $%d + 0", query, len(args)), args...) // SQLite would plan again for each value of a bare parameter
	return list, err
}

// CommitByID finds a commit by its id or a prefix of at least 7 digits. It fails
// with ErrGone if an import or an erasure has replaced the commit.
func (w *Wiki) CommitByID(ctx context.Context, id string) (wiki.Commit, error) {
	id = strings.ToLower(id)
	if !hexID.MatchString(id) {
		return wiki.Commit{}, wiki.Problemf(wiki.ErrInvalid, "revision", "%.50q isn't a commit id. Use at least 7 of its digits.", id)
	}
	found, err := seqsByID(ctx, w, w.slug, id)
	if err == nil && len(found) == 0 {
		if err = w.replacedError(ctx, id); err == nil {
			err = sql.ErrNoRows
		}
	}
	if err != nil {
		return wiki.Commit{}, wrapError(err, "commit %s/%s", w.slug, id)
	}
	if len(found) > 1 {
		return wiki.Commit{}, wiki.Problemf(wiki.ErrInvalid, "revision", "%q matches several commits. Use more digits.", id)
	}
	return commitBySeq(ctx, w, w.slug, found[0])
}

// Stats returns counters that each commit's transaction updates.
func (w *Wiki) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	err := w.queryRow(ctx, "SELECT pages, files, current_bytes, history_bytes FROM meta WHERE wiki = $1", w.slug).Scan(&s.Pages, &s.Files, &s.CurrentBytes, &s.HistoryBytes)
	return s, wrapError(err, "stats of %s", w.slug)
}

// EditsByGrant counts the commits made with each grant or token, by its id.
func (w *Wiki) EditsByGrant(ctx context.Context) (map[string]int, error) {
	counts, err := w.commitsByGrant(ctx)
	return counts, wrapError(err, "count edits of %s", w.slug)
}

// AuthorsAfter lists the distinct authors of the commits after a seq.
func (w *Wiki) AuthorsAfter(ctx context.Context, after int64) ([]wiki.Author, error) {
	list, err := w.queryAuthors(ctx, "SELECT DISTINCT c.username, c.did, c.imported, c.client = $3, "+originColumn+" FROM commits c WHERE c.wiki = $1 AND c.seq > $2", w.slug, after, wiki.ImportClient)
	return list, wrapError(err, "authors of %s", w.slug)
}

// NamesAfter calls fn with each path that a commit after a seq created or moved a
// file to, oldest first, and the commit's author.
func (w *Wiki) NamesAfter(ctx context.Context, after int64, fn func(path string, by wiki.Author)) error {
	changes := "changes" // by an index of those changes
	if head, _ := w.Head(); head-after <= maxNameChanges {
		changes = "commit_changes" // by commit
	}
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var path, origin string
		var a wiki.Author
		var brought bool
		err := rows.Scan(&path, &a.Username, &a.DID, &a.Imported, &brought, &origin)
		setOrigin(&a, origin)
		fn(path, markBrought(a, brought))
		return err
	}, "SELECT h.path, c.username, c.did, c.imported, c.client = $3, "+originColumn+" FROM "+changes+" h JOIN commits c ON c.wiki = h.wiki AND c.seq = h.seq WHERE h.wiki = $1 AND h.key > '' AND h.seq > $2 AND h.kind <> 'modified' AND (h.kind = 'added' OR h.kind = 'moved') ORDER BY h.seq", w.slug, after, wiki.ImportClient)
	return wrapError(err, "names of %s", w.slug)
}

// markBrought sets the client of an author who brought the text; see
// wiki.Author.Brought. Other clients don't matter in lists of authors.
func markBrought(a wiki.Author, brought bool) wiki.Author {
	if brought {
		a.Client = wiki.ImportClient
	}
	return a
}

func (w *Wiki) queryAuthors(ctx context.Context, query string, args ...any) ([]wiki.Author, error) {
	var list []wiki.Author
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var a wiki.Author
		var brought bool
		var origin string
		err := rows.Scan(&a.Username, &a.DID, &a.Imported, &brought, &origin)
		setOrigin(&a, origin)
		list = append(list, markBrought(a, brought))
		return err
	}, query, args...)
	return list, err
}
