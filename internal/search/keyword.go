package search

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"

	"robot.wtf/internal/wiki"
)

// A match is a page found by a query.
type match struct {
	id    int64
	path  string
	score float64

	byWords, byMeaning bool
}

// keywordSearch runs a query by words, relaxing it while nothing is found. The
// number of SQL statements depends only on the query.
func (x *index) keywordSearch(ctx context.Context, db *sql.DB, p parsedQuery, limit, offset int) (Results, error) {
	r := Results{Words: p.typedTerms(), Ignored: p.ignored}
	if len(p.groups)+len(p.not)+len(p.filters) == 0 {
		return r, nil
	}
	found, err := x.findMatches(ctx, db, p)
	for _, relaxed := range []struct {
		how   Loosened
		apply func(parsedQuery) (parsedQuery, bool)
	}{{Beginnings, parsedQuery.withPrefixes}, {AnyWord, parsedQuery.withAnyWord}} {
		if err != nil || len(found) > 0 {
			break
		}
		if wider, ok := relaxed.apply(p); ok {
			if found, err = x.findMatches(ctx, db, wider); len(found) > 0 {
				p, r.Loosened = wider, relaxed.how
			}
		}
	}
	if err != nil {
		return r, err
	}
	r.Total, r.ByWords = len(found), len(found)
	found = found[min(offset, len(found)):min(offset+limit, len(found))]
	r.Hits, err = x.buildHits(ctx, db, found, newMarker(p), nil)
	return r, err
}

// findMatches returns all matching pages, best first.
func (x *index) findMatches(ctx context.Context, db *sql.DB, p parsedQuery) ([]match, error) {
	dir, err := x.loadDirectory(ctx, db)
	if err != nil {
		return nil, err
	}
	r := ranking{x: x, directory: dir}
	scores, err := r.scorePages(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := r.applyFilters(ctx, p, scores); err != nil {
		return nil, err
	}
	r.boostNameMatches(p, scores)
	found := r.sortedMatches(scores)
	for i := range found {
		found[i].byWords = len(p.groups) > 0
	}
	return found, nil
}

// buildHits makes hits with snippets from matches. Snippets are made only for
// the hits that are shown. meaning holds the passages of pages found by meaning.
func (x *index) buildHits(ctx context.Context, db *sql.DB, found []match, mark *marker, meaning map[int64][]passage) ([]Hit, error) {
	if len(found) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(found))
	slots := map[int64]int{}
	for i, m := range found {
		ids[i], slots[m.id] = m.id, i
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	rows, err := x.reads.Rows(ctx, `SELECT p.id, p.blob, t.sections FROM json_each($1) j
		JOIN pages p ON p.id = j.value JOIN texts t ON t.page = p.id`, string(list))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	hits := make([]Hit, len(found))
	for rows.Next() {
		var id int64
		var blob, packed string
		if err := rows.Scan(&id, &blob, &packed); err != nil {
			return nil, err
		}
		m := found[slots[id]]
		h := &hits[slots[id]]
		*h = Hit{Page: wiki.PageName(m.path), Score: m.score, Blob: blob, ByWords: m.byWords, ByMeaning: m.byMeaning}
		if list := mark.bestSections(unpackSections(packed), meaning[id]); len(list) > 0 {
			h.Section, h.More = list[0], list[1:]
		}
	}
	// Drop pages that were deleted since they were ranked.
	return slices.DeleteFunc(hits, func(h Hit) bool { return h.Page == "" }), rows.Err()
}
