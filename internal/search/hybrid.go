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

// A Mode selects how a query is compared with pages.
type Mode string

// The modes, offered by every front end.
const (
	Hybrid   Mode = "hybrid"   // words and meaning
	Keyword  Mode = "keyword"  // only words
	Semantic Mode = "semantic" // only meaning
)

// ParseMode parses a mode; "" is Hybrid. Other values are ErrInvalid.
func ParseMode(text string) (Mode, error) {
	switch m := Mode(text); m {
	case "":
		return Hybrid, nil
	case Hybrid, Keyword, Semantic:
		return m, nil
	}
	return "", wiki.Problemf(wiki.ErrInvalid, "mode", "There is no search mode %q. Use hybrid, keyword or semantic.", text)
}

const (
	fusionDepth = 100 // how many pages of each list are scaled and fused
	// minCosine is the cosine below which texts are unrelated. A page without a
	// nearer chunk and without any of the words isn't found.
	minCosine = 0.25
	// minWordShare is the share of the best keyword score that a page needs to
	// be found by words: in a question, "how do I" matches every page.
	minWordShare = 0.2
)

// vectorSearch finds pages by meaning, and in Hybrid mode also by words. A
// page's score is the sum, at equal weight, of its scores in both lists, each
// scaled to 0..1 over its top 100 pages (of shorter lists, from 0). That was better
// than reciprocal rank fusion with k=60. bench/search measures it.
//
// A page needs only one of the words here, because BM25 ranks pages with all of
// them first. Phrases, prefixes, exclusions and filters apply to both lists.
func (x *index) vectorSearch(ctx context.Context, db *sql.DB, p parsedQuery, mode Mode, vector []float32, limit, offset int) (Results, error) {
	res := Results{Words: p.typedTerms(), Ignored: p.ignored}
	dir, err := x.loadDirectory(ctx, db)
	if err != nil {
		return res, err
	}
	r := ranking{x: x, directory: dir}
	allowed, err := r.scorePages(ctx, p.requiredTerms())
	if err != nil {
		return res, err
	}
	if err := r.applyFilters(ctx, p, allowed); err != nil {
		return res, err
	}
	byWord := wordScores{scores: make([]float64, len(dir.pages)), marker: newMarker(p)}
	if mode == Hybrid {
		if byWord, err = r.scoreAnyWord(ctx, p, allowed); err != nil {
			return res, err
		}
	}
	words := byWord.scores
	vecs, err := x.loadVectors(ctx)
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
		if found[i].byWords {
			res.ByWords++
			found[i].missing = byWord.missing(m.id)
		}
	}
	res.Total = len(found)
	found = found[min(offset, len(found)):min(offset+limit, len(found))]
	res.Hits, err = x.buildHits(ctx, db, found, byWord.marker, vecs.passagesOf(found, cosines))
	return res, err
}

// requiredTerms returns the part of a query that applies whatever a page means:
// phrases, prefixes and exclusions.
func (p parsedQuery) requiredTerms() parsedQuery {
	var groups [][]term
	for _, g := range p.groups {
		if isRequired(g) {
			groups = append(groups, g)
		}
	}
	return parsedQuery{groups: groups, not: p.not}
}

// isRequired reports whether pages have to have one of the terms, whatever else they have.
func isRequired(group []term) bool {
	return !slices.ContainsFunc(group, func(t term) bool { return !t.exact })
}

// wordScores are scores by any of a query's words.
type wordScores struct {
	parsedQuery           // with a group for each word
	scores      []float64 // by page; 0 for pages that aren't found by words
	has         []uint64  // which groups a page has; see scoreGroups
	marker      *marker
}

// missing returns the typed words that a page lacks.
func (w wordScores) missing(page int64) []string { return w.missingWords(w.has[page]) }

// scoreAnyWord scores allowed pages by the words of a query that they have. If
// no page has any, the words also match as prefixes.
func (r ranking) scoreAnyWord(ctx context.Context, p parsedQuery, allowed []float64) (w wordScores, err error) {
	if w.parsedQuery = p.withEachWord(); len(w.groups) < 2 {
		w.parsedQuery = p
	}
	for {
		if w.scores, w.has, err = r.scoreGroups(ctx, w.groups); err != nil {
			return w, err
		}
		for id := range w.scores {
			if allowed[id] < 0 || w.scores[id] < 0 {
				w.scores[id] = 0
			}
		}
		w.dropWeak()
		wider, ok := w.withPrefixes()
		if topScore(w.scores) > 0 || !ok {
			w.marker = newMarker(w.parsedQuery)
			return w, nil
		}
		w.parsedQuery = wider
	}
}

// dropWeak drops pages that lack words and match much less than the best one. A long
// page that has all of them stays, whatever its score.
func (w wordScores) dropWeak() {
	weak := minWordShare * topScore(w.scores)
	for id, s := range w.scores {
		if s < weak && w.has[id] != allGroups(w.groups) {
			w.scores[id] = 0
		}
	}
}

// addScaledScores adds the scores of a list's top 100 pages to scores, scaled to
// 0..1.
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

// sortedMatches returns the pages with a score of at least 0, best first.
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

// A passage is a chunk of a page and its cosine with the query.
type passage struct {
	first, last, start int
	cosine             float64
}

// passagesOf returns the passages of the given pages.
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

// queryText returns the part of a query that is embedded: its words, without
// filters and exclusions.
func (p parsedQuery) queryText() string { return strings.Join(p.typedTerms(), " ") }

// embedQuery embeds a query. It doesn't wait for pending chunks.
func (s *Service) embedQuery(p parsedQuery) ([]float32, error) {
	v := s.opts.Model.Embed(p.queryText())
	if len(v) == 0 || math.IsNaN(float64(v[0])) {
		return nil, fmt.Errorf("no vector for %q", p.queryText())
	}
	return v, nil
}
