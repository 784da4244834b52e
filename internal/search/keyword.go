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
	missing            []string // typed words that the page lacks
}

// keywordSearch runs a query by words, relaxing it while no page has all of them. Pages
// that lack some follow those that have all. The number of SQL statements depends only
// on the query.
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
	for _, m := range found {
		if len(m.missing) > 0 {
			r.Partial++
		}
	}
	r.Total, r.ByWords = len(found), len(found)
	found = found[min(offset, len(found)):min(offset+limit, len(found))]
	r.Hits, err = x.buildHits(ctx, db, found, newMarker(p), nil)
	return r, err
}

// findMatches returns the pages with all words of a query, best first, and then, if there
// are any, those that lack some.
func (x *index) findMatches(ctx context.Context, db *sql.DB, p parsedQuery) ([]match, error) {
	dir, err := x.loadDirectory(ctx, db)
	if err != nil {
		return nil, err
	}
	r := ranking{x: x, directory: dir}
	scores, has, err := r.scoreGroups(ctx, p.groups)
	if err != nil {
		return nil, err
	}
	if err := r.exclude(ctx, p.not, scores); err != nil {
		return nil, err
	}
	if err := r.applyFilters(ctx, p, scores); err != nil {
		return nil, err
	}
	partial, err := r.scorePartial(ctx, p, scores, has)
	if err != nil {
		return nil, err
	}
	p.requireGroups(scores, has)
	r.boostNameMatches(p, scores)
	found := r.sortedMatches(scores)
	if len(found) > 0 {
		found = append(found, partial.below(found[len(found)-1].score, r.sortedMatches(partial.scores))...)
	}
	for i := range found {
		found[i].byWords = len(p.groups) > 0
	}
	return found, nil
}

// partialMatches are the pages that lack some words of a query.
type partialMatches struct {
	parsedQuery
	scores []float64 // -1 for other pages
	has    []uint64  // which groups a page has; see scoreGroups
}

// scorePartial scores the allowed pages that lack a group of a query, but none that is
// always required, and match well enough. Of words such as "well-known" each part
// counts. allowed and has are the scores and groups of the query itself.
func (r ranking) scorePartial(ctx context.Context, p parsedQuery, allowed []float64, has []uint64) (m partialMatches, err error) {
	m = partialMatches{p.withSingleWords(), slices.Clone(allowed), has}
	if len(m.groups) > len(p.groups) {
		if m.scores, m.has, err = r.scoreGroups(ctx, m.groups); err != nil {
			return m, err
		}
	}
	required := m.requiredGroups()
	weak := minWordShare * max(topScore(allowed), topScore(m.scores))
	for id, score := range m.scores {
		if allowed[id] < 0 || has[id] == allGroups(p.groups) || m.has[id] == 0 || m.has[id]&required != required || score < weak {
			m.scores[id] = -1
		}
	}
	return m, nil
}

// requiredGroups returns, as bits, the groups that pages have to have.
func (p parsedQuery) requiredGroups() (required uint64) {
	for i, g := range p.groups {
		if isRequired(g) {
			required |= 1 << i
		}
	}
	return required
}

// below returns partial matches with scores below that of the last page with all words,
// and the words that they lack.
func (m partialMatches) below(last float64, found []match) []match {
	for i, f := range found {
		found[i].score = last * f.score / (f.score + 1)
		found[i].missing = m.missingWords(m.has[f.id])
	}
	return found
}

// missingWords returns the typed words of the groups that a page lacks.
func (p parsedQuery) missingWords(has uint64) []string {
	var words []string
	for i, g := range p.groups {
		if has&(1<<i) == 0 {
			for _, t := range g {
				if t.text != "" {
					words = append(words, cleanText(t.text))
				}
			}
		}
	}
	return words
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
		*h = Hit{Page: wiki.PageName(m.path), Score: m.score, Blob: blob, ByWords: m.byWords, ByMeaning: m.byMeaning, Missing: m.missing}
		if list := mark.bestSections(unpackSections(packed), meaning[id]); len(list) > 0 {
			h.Section, h.More = list[0], list[1:]
		}
	}
	// Drop pages that were deleted since they were ranked.
	return slices.DeleteFunc(hits, func(h Hit) bool { return h.Page == "" }), rows.Err()
}
