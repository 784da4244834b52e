package search

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"

	"robot.wtf/internal/wiki"
)

// A match is one page that was found.
type match struct {
	id    int64
	path  string
	score float64

	byWords, byMeaning bool
}

// answer runs a query, more loosely each time that nothing is found. The number
// of its statements depends on the query alone.
func (x *index) keywordSearch(ctx context.Context, db *sql.DB, p parsedQuery, limit, offset int) (Results, error) {
	r := Results{Words: p.typedTerms(), Ignored: p.ignored}
	if len(p.groups)+len(p.not)+len(p.filters) == 0 {
		return r, nil
	}
	found, err := x.findMatches(ctx, db, p)
	for _, looser := range []struct {
		way    Loosened
		loosen func(parsedQuery) (parsedQuery, bool)
	}{{Beginnings, parsedQuery.withPrefixes}, {AnyWord, parsedQuery.withAnyWord}} {
		if err != nil || len(found) > 0 {
			break
		}
		if wider, ok := looser.loosen(p); ok {
			if found, err = x.findMatches(ctx, db, wider); len(found) > 0 {
				p, r.Loosened = wider, looser.way
			}
		}
	}
	if err != nil {
		return r, err
	}
	r.Total = len(found)
	found = found[min(offset, len(found)):min(offset+limit, len(found))]
	r.Hits, err = x.buildHits(ctx, db, found, newMarker(p), nil)
	return r, err
}

// find gives all pages that match, best first.
func (x *index) findMatches(ctx context.Context, db *sql.DB, p parsedQuery) ([]match, error) {
	dir, err := x.loadDirectory(ctx, db)
	if err != nil {
		return nil, err
	}
	r := ranking{x: x, ctx: ctx, db: db, directory: dir}
	scores, err := r.scorePages(p)
	if err != nil {
		return nil, err
	}
	if err := r.applyFilters(p, scores); err != nil {
		return nil, err
	}
	r.boostNameMatches(p, scores)
	found := r.sortedMatches(scores)
	for i := range found {
		found[i].byWords = len(p.groups) > 0
	}
	return found, nil
}

// show makes hits of matches, with their snippets. meaning has the passages of
// pages that were found by it.
func (x *index) buildHits(ctx context.Context, db *sql.DB, found []match, mark *marker, meaning map[int64][]passage) ([]Hit, error) {
	if len(found) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(found))
	at := map[int64]int{}
	for i, m := range found {
		ids[i], at[m.id] = m.id, i
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
		m := found[at[id]]
		h := &hits[at[id]]
		*h = Hit{Page: wiki.PageName(m.path), Score: m.score, Blob: blob, ByWords: m.byWords, ByMeaning: m.byMeaning}
		if list := mark.bestSections(unpackSections(packed), meaning[id]); len(list) > 0 {
			h.Section, h.More = list[0], list[1:]
		}
	}
	// A page that a commit took away in between is left out.
	return slices.DeleteFunc(hits, func(h Hit) bool { return h.Page == "" }), rows.Err()
}
