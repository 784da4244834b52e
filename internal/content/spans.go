package content

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"robot.wtf/internal/wiki"
)

// An index on the ids or authors of commits costs each save a page of the database, at
// a random place. Instead, each span of spanCommits commits has a summary in the tables
// spans and span_authors, written with the last of them. The commits after the last
// span are read themselves.
const spanCommits = 64

// afterSpans is the SQL for the seq after which no span has a summary.
const afterSpans = "(SELECT COALESCE(MAX(span) + 1, 0) * 64 FROM spans WHERE wiki = $1)"

// spanIDs is the SQL for the column ids of span $2.
const spanIDs = "(SELECT group_concat(substr(oid, 1, 8), '' ORDER BY seq) FROM commits WHERE wiki = $1 AND seq > $2 * 64 AND seq <= $2 * 64 + 64)"

// authorColumns are the columns of commits that span_authors counts, by kind.
var authorColumns = map[string]string{"username": "username", "agent": "agent", "grant": "grant_id", "person": "iif(grant_id = '', did, '')"}

// summarizeSpan writes the summary of a span if seq is that of its last commit.
func (t *tx) summarizeSpan(seq int64) error {
	if seq%spanCommits != 0 {
		return nil
	}
	span := seq/spanCommits - 1
	if err := t.exec("INSERT INTO spans (wiki, span, ids) VALUES ($1, $2, "+spanIDs+")", t.w.slug, span); err != nil {
		return err
	}
	if err := t.exec("INSERT INTO commit_blobs (wiki, oid, seq) SELECT wiki, blob, seq FROM commits WHERE wiki = $1 AND seq > $2 * 64 AND seq <= $2 * 64 + 64 AND blob <> ''", t.w.slug, span); err != nil {
		return err
	}
	if err := t.exec("INSERT INTO span_sessions (wiki, session, span, commits, last, first_time, last_time) SELECT wiki, session, $2, count(*), MAX(seq), MIN(time), MAX(time) FROM commits WHERE wiki = $1 AND seq > $2 * 64 AND seq <= $2 * 64 + 64 GROUP BY wiki, session", t.w.slug, span); err != nil {
		return err
	}
	for kind, column := range authorColumns {
		if err := t.exec("INSERT INTO span_authors (wiki, kind, name, span, commits) SELECT wiki, $3, "+column+", $2, count(*) FROM commits WHERE wiki = $1 AND seq > $2 * 64 AND seq <= $2 * 64 + 64 AND imported = FALSE AND "+column+" <> '' GROUP BY wiki, "+column,
			t.w.slug, span, kind); err != nil {
			return err
		}
	}
	return nil
}

// renewSpanIDs rewrites the ids of spans, from the span of a commit on. An erasure
// changes the ids of commits, but not the authors that span_authors counts.
func (x *eraser) renewSpanIDs(first int64) error {
	var last int64
	if err := x.tx.queryRow(x.tx.context(), "SELECT "+afterSpans, x.slug).Scan(&last); err != nil {
		return err
	}
	for span := (first - 1) / spanCommits; span < last/spanCommits; span++ {
		if err := x.tx.exec("UPDATE spans SET ids = COALESCE("+spanIDs+", '') WHERE wiki = $1 AND span = $2", x.slug, span); err != nil {
			return err
		}
	}
	return nil
}

// seqsByID returns the seqs of at most two commits whose id begins with at least seven
// digits.
func seqsByID(ctx context.Context, q querier, slug, digits string) ([]int64, error) {
	from, to := hexRange(digits)
	var found []int64
	err := forEachRow(ctx, q, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		found = append(found, seq)
		return err
	}, `SELECT c.seq FROM spans s CROSS JOIN commits c
		WHERE s.wiki = $1 AND s.span >= 0 AND instr(s.ids, substr($2, 1, 7)) > 0
			AND c.wiki = $1 AND c.seq > s.span * 64 AND c.seq <= s.span * 64 + 64 AND c.oid >= $2 AND c.oid < $3
		UNION ALL SELECT seq FROM commits WHERE wiki = $1 AND seq > `+afterSpans+` AND oid >= $2 AND oid < $3 LIMIT 2`, slug, from, to)
	return found, err
}

// lastSpanEnd returns the seq after which commits belong to no span.
func (w *Wiki) lastSpanEnd(ctx context.Context) (end int64, err error) {
	err = w.queryRow(ctx, "SELECT "+afterSpans, w.slug).Scan(&end)
	return end, err
}

// A seqRange is the seqs (after, upTo].
type seqRange struct{ after, upTo int64 }

// An authorName is a name in span_authors.
type authorName struct{ kind, name string }

// authorRanges returns the ranges that can have commits by one of the names, in order.
func (w *Wiki) authorRanges(ctx context.Context, names []authorName) ([]seqRange, error) {
	rest, err := w.lastSpanEnd(ctx)
	if err != nil {
		return nil, err
	}
	spans := map[int64]bool{}
	for _, n := range names {
		err := forEachRow(ctx, w, func(rows *sql.Rows) error {
			var span int64
			err := rows.Scan(&span)
			spans[span] = true
			return err
		}, "SELECT span FROM span_authors WHERE wiki = $1 AND kind = $2 AND name = $3 AND span < $4", w.slug, n.kind, n.name, rest/spanCommits)
		if err != nil {
			return nil, err
		}
	}
	var list []seqRange
	add := func(r seqRange) {
		if n := len(list); n > 0 && list[n-1].upTo == r.after {
			list[n-1].upTo = r.upTo
			return
		}
		list = append(list, r)
	}
	for _, span := range slices.Sorted(maps.Keys(spans)) {
		add(seqRange{span * spanCommits, (span + 1) * spanCommits})
	}
	add(seqRange{rest, maxSeq})
	return list, nil
}

// commitsByGrant counts the commits made with each grant or token, by its id.
func (w *Wiki) commitsByGrant(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var grant string
		var n int
		err := rows.Scan(&grant, &n)
		counts[grant] += n
		return err
	}, `SELECT name, SUM(commits) FROM span_authors WHERE wiki = $1 AND kind = 'grant' GROUP BY name
		UNION ALL SELECT grant_id, count(*) FROM commits WHERE wiki = $1 AND seq > `+afterSpans+` AND grant_id <> '' AND imported = FALSE GROUP BY grant_id`, w.slug)
	return counts, err
}

// authorNames lists the distinct names of a kind, sorted, at most maxAuthors. It jumps
// from name to name in span_authors, so its cost doesn't grow with the history.
func (w *Wiki) authorNames(ctx context.Context, kind string) ([]string, error) {
	next := "(SELECT MIN(name) FROM span_authors WHERE wiki = $1 AND kind = $2 AND name > "
	column := authorColumns[kind]
	var list []string
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		list = append(list, name)
		return err
	}, "WITH RECURSIVE n(name) AS (SELECT "+next+"'') UNION ALL SELECT "+next+"n.name) FROM n WHERE n.name IS NOT NULL)"+
		" SELECT name FROM n WHERE name IS NOT NULL"+
		" UNION SELECT "+column+" FROM commits WHERE wiki = $1 AND seq > "+afterSpans+" AND imported = FALSE AND "+column+" <> '' ORDER BY 1 LIMIT $3", w.slug, kind, maxAuthors)
	return list, err
}

// hasAuthor reports whether a person has made a commit here.
func (w *Wiki) hasAuthor(ctx context.Context, username string) (found bool, err error) {
	err = w.queryRow(ctx, "SELECT EXISTS (SELECT 1 FROM span_authors WHERE wiki = $1 AND kind = 'username' AND name = $2)"+
		" OR EXISTS (SELECT 1 FROM commits WHERE wiki = $1 AND seq > "+afterSpans+" AND imported = FALSE AND username = $2)", w.slug, username).Scan(&found)
	return found, err
}

// setTotals stores the totals of a wiki with its newest commit.
func (t *tx) setTotals(m meta) error {
	return t.exec(`UPDATE commits SET pages = $3, files = $4, current_bytes = $5, history_bytes = $6 + (SELECT saved_bytes FROM state WHERE wiki = $1)
		WHERE wiki = $1 AND seq = $2`, t.w.slug, m.seq, m.pages, m.files, m.current, m.history)
}

// packKeys returns the column keys of a commit with the changes.
func packKeys(changes []wiki.Change) (string, error) {
	keys := make([]string, len(changes))
	for n, ch := range changes {
		keys[n] = wiki.Key(ch.Path)
	}
	return packStrings(keys)
}
