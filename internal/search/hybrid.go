package search

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"

	"robot.wtf/internal/wiki"
)

// A Mode says what a query is compared by.
type Mode string

// The modes.
const (
	Hybrid   Mode = "hybrid"   // words and meaning
	Keyword  Mode = "keyword"  // words alone
	Semantic Mode = "semantic" // meaning alone
)

// ParseMode reads a mode, "" as Hybrid. ErrInvalid for anything else.
func ParseMode(text string) (Mode, error) {
	switch m := Mode(text); m {
	case "":
		return Hybrid, nil
	case Hybrid, Keyword, Semantic:
		return m, nil
	}
	return "", wiki.Problemf(wiki.ErrInvalid, "mode", "There is no search mode %q: it is hybrid, keyword or semantic.", text)
}

const (
	fusionDepth = 100 // the length of a list that is fused
	// unlike is the cosine below which texts have nothing to do with each other:
	// a page that only has such, and none of the words, is not found.
	minCosine = .25
	// few is the part of the best score by words below which a page is not found
	// by them: in a question, "how do I" is on every page.
	minWordShare = .2
)

// meaningful finds pages by meaning, and in mode Hybrid by words as well. The
// score of a page is the sum of its scores in both lists, each scaled to 0..1
// over its first 100 pages; of a list that is shorter, 0 is 0. By words, a page
// needs any of them here, as bm25 puts those that have all in front; but what
// stands in quotes or with a star must be there, and filters hold, in both.
func (x *index) vectorSearch(ctx context.Context, db *sql.DB, p parsedQuery, mode Mode, vector []float32, limit, offset int) (Results, error) {
	res := Results{Words: p.typedTerms(), Ignored: p.ignored}
	dir, err := x.loadDirectory(ctx, db)
	if err != nil {
		return res, err
	}
	r := ranking{x: x, ctx: ctx, db: db, directory: dir}
	allowed, err := r.scorePages(p.requiredTerms())
	if err != nil {
		return res, err
	}
	if err := r.applyFilters(p, allowed); err != nil {
		return res, err
	}
	words := make([]float64, len(dir.pages))
	mark := newMarker(p)
	if mode == Hybrid {
		if words, mark, err = r.scoreAnyWord(p, allowed); err != nil {
			return res, err
		}
	}
	vecs, err := x.loadVectors(ctx, db)
	if err != nil {
		return res, err
	}
	cosines := vecs.cosines(newQueryVector(vector))
	likeness := make([]float64, len(dir.pages))
	for i, c := range vecs.chunks {
		if c.page < int64(len(allowed)) && allowed[c.page] >= 0 {
			likeness[c.page] = max(likeness[c.page], float64(cosines[i]))
		}
	}
	scores := make([]float64, len(dir.pages))
	for _, list := range [][]float64{words, likeness} {
		addScaledScores(scores, list)
	}
	for id := range scores {
		if allowed[id] < 0 || words[id] <= 0 && likeness[id] < minCosine {
			scores[id] = -1
		}
	}
	if mode == Hybrid {
		r.boostNameMatches(p, scores)
	}
	found := r.sortedMatches(scores)
	for i, m := range found {
		found[i].byWords, found[i].byMeaning = words[m.id] > 0, likeness[m.id] >= minCosine
	}
	res.Total = len(found)
	found = found[min(offset, len(found)):min(offset+limit, len(found))]
	res.Hits, err = x.buildHits(ctx, db, found, mark, vecs.passagesOf(found, cosines))
	return res, err
}

// required is what a page must have whatever it means: phrases in quotes and
// beginnings, and not what is excluded.
func (p parsedQuery) requiredTerms() parsedQuery {
	var groups [][]term
	for _, g := range p.groups {
		if !slices.ContainsFunc(g, func(t term) bool { return !t.exact }) {
			groups = append(groups, g)
		}
	}
	return parsedQuery{groups: groups, not: p.not}
}

// anyWords scores allowed pages by the words of a query that they have, or if
// no page has any, by words that begin so.
func (r ranking) scoreAnyWord(p parsedQuery, allowed []float64) ([]float64, *marker, error) {
	any, several := p.withAnyWord()
	if !several {
		any = p
	}
	any.not = nil // they are not allowed
	for {
		scores, err := r.scorePages(any)
		if err != nil {
			return nil, nil, err
		}
		found := false
		for id := range scores {
			if scores[id] = max(scores[id], 0); allowed[id] < 0 {
				scores[id] = 0
			}
			found = found || scores[id] > 0
		}
		if several {
			dropWeakMatches(scores)
		}
		looser, ok := any.withPrefixes()
		if found || !ok {
			return scores, newMarker(any), nil
		}
		any = looser
	}
}

func dropWeakMatches(scores []float64) {
	top := 0.0
	for _, s := range scores {
		top = max(top, s)
	}
	for id, s := range scores {
		if s < minWordShare*top {
			scores[id] = 0
		}
	}
}

// addScaled adds to scores those of a list's first 100 pages, scaled to 0..1.
func addScaledScores(scores, list []float64) {
	ordered := slices.Sorted(slices.Values(list))
	if len(ordered) == 0 {
		return
	}
	top, bottom := ordered[len(ordered)-1], 0.0
	if len(ordered) >= fusionDepth {
		bottom = max(0, ordered[len(ordered)-fusionDepth])
	}
	if top <= bottom {
		bottom = 0
	}
	if top <= 0 {
		return
	}
	for id, s := range list {
		if s > 0 {
			scores[id] += max(0, s-bottom) / (top - bottom)
		}
	}
}

// best lists the pages that are not below 0, best first.
func (r ranking) sortedMatches(scores []float64) []match {
	var found []match
	for id, score := range scores {
		if score >= 0 {
			found = append(found, match{id: int64(id), path: r.pages[id].path, score: score})
		}
	}
	slices.SortFunc(found, func(a, b match) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.path, b.path))
	})
	return found
}

// A passage is a chunk of a page and how near it is to what was asked.
type passage struct {
	first, last, start int
	cosine             float64
}

// passages are those of some pages.
func (v *vectors) passagesOf(found []match, cosines []float32) map[int64][]passage {
	wanted := map[int64][]passage{}
	for _, m := range found {
		wanted[m.id] = nil
	}
	for i, c := range v.chunks {
		if list, ok := wanted[c.page]; ok {
			wanted[c.page] = append(list, passage{c.first, c.last, c.start, float64(cosines[i])})
		}
	}
	return wanted
}

// asked is what of a query has a meaning: its words, without filters and what is
// excluded.
func (p parsedQuery) queryText() string { return strings.Join(p.typedTerms(), " ") }

// embedQuery embeds what was asked, before everything that waits.
func (s *Service) embedQuery(p parsedQuery) ([]float32, error) {
	v := s.opts.Model.Embed(p.queryText())
	if len(v) == 0 || math.IsNaN(float64(v[0])) {
		return nil, fmt.Errorf("the model gives no vector for %q", p.queryText())
	}
	return v, nil
}
