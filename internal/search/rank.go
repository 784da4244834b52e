package search

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"

	"robot.wtf/internal/property"
)

// A directory holds what ranking needs to know about every page, so that ranking
// needs no lookups. It is read once per cursor.
type directory struct {
	cursor   cursor
	pages    []pageEntry // by id; unused ids have no path
	count    int
	meanSize float64 // mean words per page
}

type pageEntry struct {
	path        string
	size        float64 // in words
	name, title string  // stems; see stemText
	last        string  // stems of the name's last segment, each preceded by a space
}

// loadDirectory returns the index's directory, cached until the cursor moves.
func (x *index) loadDirectory(ctx context.Context, db *sql.DB) (*directory, error) {
	current := *x.cursor.Load()
	if d := x.directory.Load(); d != nil && d.cursor == current {
		return d, nil
	}
	rows, err := x.reads.Rows(ctx, "SELECT id, path, size, name, last, title FROM pages ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	d := &directory{cursor: current}
	total := 0.0
	for rows.Next() {
		var id int
		var e pageEntry
		if err := rows.Scan(&id, &e.path, &e.size, &e.name, &e.last, &e.title); err != nil {
			return nil, err
		}
		e.last = " " + e.last
		d.pages = append(d.pages, make([]pageEntry, max(0, id+1-len(d.pages)))...)
		d.pages[id] = e
		d.count++
		total += e.size
	}
	d.meanSize = total / float64(max(d.count, 1))
	x.directory.Store(d)
	return d, rows.Err()
}

// A ranking scores the pages for one query.
type ranking struct {
	x *index
	*directory
}

// Standard BM25 parameters.
const (
	bm25K1 = 1.2
	bm25B  = 0.75
	// minIDF is the inverse document frequency of words that are on half of the pages or
	// more, as in SQLite's FTS5: they order pages only where no rarer word does.
	minIDF = 1e-6
)

// scorePages returns each page's score by id, or -1 for pages that lack a group or
// have an excluded term.
func (r ranking) scorePages(ctx context.Context, p parsedQuery) ([]float64, error) {
	scores, has, err := r.scoreGroups(ctx, p.groups)
	if err != nil {
		return nil, err
	}
	p.requireGroups(scores, has)
	return scores, r.exclude(ctx, p.not, scores)
}

// requireGroups sets the scores of pages that lack a group to -1. has is from scoreGroups.
func (p parsedQuery) requireGroups(scores []float64, has []uint64) {
	for id := range scores {
		if has[id] != allGroups(p.groups) {
			scores[id] = -1
		}
	}
}

// allGroups is a set with each group of a query; see scoreGroups.
func allGroups(groups [][]term) uint64 { return 1<<len(groups) - 1 }

// scoreGroups returns each page's score by id: the sum over the terms that the page
// has, or -1 where there is no page. It also returns, as bits, which groups the page
// has a term of.
//
// It is Okapi BM25 with weighted fields (Robertson, Zaragoza and Taylor, "Simple
// BM25 extension to multiple weighted fields", 2004).
func (r ranking) scoreGroups(ctx context.Context, groups [][]term) (scores []float64, has []uint64, err error) {
	scores, has = make([]float64, len(r.pages)), make([]uint64, len(r.pages))
	for id, e := range r.pages {
		if e.path == "" {
			scores[id] = -1
		}
	}
	for i, group := range groups {
		for _, t := range group {
			frequencies, err := r.termFrequency(ctx, t)
			if err != nil {
				return nil, nil, err
			}
			found := 0
			for _, f := range frequencies {
				if f > 0 {
					found++
				}
			}
			idf := max(minIDF, math.Log((float64(r.count-found)+0.5)/(float64(found)+0.5)))
			for id, f := range frequencies {
				if f > 0 && scores[id] >= 0 {
					has[id] |= 1 << i
					scores[id] += idf * f * (bm25K1 + 1) / (f + bm25K1*(1-bm25B+bm25B*r.pages[id].size/r.meanSize))
				}
			}
		}
	}
	return scores, has, nil
}

// exclude sets the scores of pages that have one of the terms to -1.
func (r ranking) exclude(ctx context.Context, terms []term, scores []float64) error {
	for _, t := range terms {
		frequencies, err := r.termFrequency(ctx, t)
		if err != nil {
			return err
		}
		for id, f := range frequencies {
			if f > 0 {
				scores[id] = -1
			}
		}
	}
	return nil
}

// termFrequency returns how often each page has a term, by id. Each occurrence
// counts with the weight of its column.
func (r ranking) termFrequency(ctx context.Context, t term) ([]float64, error) {
	frequencies := make([]float64, len(r.pages))
	count := func(page int64, list []position) {
		if page < int64(len(frequencies)) {
			for _, p := range list {
				frequencies[page] += columnWeights[p.column()]
			}
		}
	}
	n := len(t.tokens) - 1
	if n == 0 {
		return frequencies, r.eachPosting(ctx, t, count)
	}
	found := map[int64][]position{} // by page, where the phrase has matched so far
	for i, tok := range t.tokens[:n] {
		next := map[int64][]position{}
		err := r.eachPosting(ctx, term{tokens: []token{tok}}, func(page int64, list []position) {
			if i == 0 {
				next[page] = slices.Clone(list)
			} else if before := found[page]; before != nil {
				if adjacent := adjacentPositions(before, list); len(adjacent) > 0 {
					next[page] = adjacent
				}
			}
		})
		if err != nil {
			return nil, err
		}
		if found = next; len(found) == 0 {
			return frequencies, nil
		}
	}
	return frequencies, r.eachPosting(ctx, term{tokens: t.tokens[n:], prefix: t.prefix}, func(page int64, list []position) {
		if before := found[page]; before != nil {
			count(page, adjacentPositions(slices.Clone(before), list))
		}
	})
}

// adjacentPositions returns the positions in after that directly follow one in
// before. It overwrites before.
func adjacentPositions(before, after []position) []position {
	out, i := before[:0], 0
	for _, p := range after {
		for i < len(before) && before[i]+1 < p {
			i++
		}
		if i == len(before) {
			break
		}
		if before[i]+1 == p {
			i++ // out overwrites this element
			out = append(out, p)
		}
	}
	return out
}

// eachPosting calls do with the positions of a one-word term on each page. For a
// prefix it calls do once per matching word and page. The positions are only
// valid during the call.
func (r ranking) eachPosting(ctx context.Context, t term, do func(page int64, list []position)) error {
	tok := t.tokens[0]
	if !t.prefix {
		return r.readPostings(ctx, "SELECT block, list FROM postings WHERE stem = $1", do, tok.stem())
	}
	for _, s := range prefixStems(tok.word) {
		if err := r.readPostings(ctx, "SELECT block, list FROM postings WHERE stem = $1", do, s); err != nil {
			return err
		}
	}
	return r.readPostings(ctx, "SELECT block, list FROM postings WHERE stem >= $1 AND stem < $2", do, tok.word, tok.word+"\U0010ffff")
}

func (r ranking) readPostings(ctx context.Context, query string, do func(page int64, list []position), args ...any) error {
	rows, err := r.x.reads.Rows(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var reader listReader
	for rows.Next() {
		var block int64
		var packed sql.RawBytes
		if err := rows.Scan(&block, &packed); err != nil {
			return err
		}
		reader.rest = packed
		for {
			offset, _, more, err := reader.next()
			if err != nil {
				return err
			}
			if !more {
				break
			}
			do(block*blockPages+int64(offset), reader.positions)
		}
	}
	return rows.Err()
}

// applyFilters sets the scores of pages that don't pass a query's filters to -1.
func (r ranking) applyFilters(ctx context.Context, p parsedQuery, scores []float64) error {
	if len(p.filters) == 0 {
		return nil
	}
	var q strings.Builder
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	q.WriteString("SELECT p.id FROM pages p WHERE 1 = 1")
	for _, f := range p.filters {
		if key, ok := strings.CutPrefix(f.kind, propertyFilter); ok {
			if err := r.applyPropertyFilter(ctx, key, f, scores); err != nil {
				return err
			}
			continue
		}
		var conditions []string
		for _, v := range f.values {
			conditions = append(conditions, filterCondition(f.kind, v, arg))
		}
		not := ""
		if f.not {
			not = "NOT "
		}
		fmt.Fprintf(&q, " AND %s(%s)", not, strings.Join(conditions, " OR "))
	}
	rows, err := r.x.reads.Rows(ctx, q.String(), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	pass := make([]bool, len(scores))
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if id < len(pass) {
			pass[id] = true
		}
	}
	for id := range scores {
		if !pass[id] {
			scores[id] = -1
		}
	}
	return rows.Err()
}

// applyPropertyFilter sets the scores of pages to -1 whose front matter doesn't
// pass a filter.
func (r ranking) applyPropertyFilter(ctx context.Context, key string, f filter, scores []float64) error {
	table := propertyTable{x: r.x, directory: r.directory}
	if err := table.read(ctx, []string{key}); err != nil {
		return err
	}
	values := make([]property.Expression, len(f.values))
	for i, v := range f.values {
		values[i] = property.Equal(key, v)
	}
	for id := range scores {
		page := []property.Property{table.value(key, id)}
		if slices.ContainsFunc(values, func(e property.Expression) bool { return e.Match(page) }) == f.not {
			scores[id] = -1
		}
	}
	return nil
}

// filterCondition returns the SQL condition on pages p for one value of a
// filter.
func filterCondition(kind, value string, arg func(any) string) string {
	switch kind {
	case "tag":
		return "p.id IN (SELECT page FROM tags WHERE tag = " + arg(value) + ")"
	case "author":
		return "p.key IN (SELECT key FROM authors WHERE author = " + arg(value) + ")"
	}
	if prefix, ok := strings.CutSuffix(value, "*"); ok {
		return "p.key >= " + arg(prefix) + " AND p.key < " + arg(prefix+"\U0010ffff")
	}
	folder := strings.TrimRight(value, "/")
	below := "p.key >= " + arg(folder+"/") + " AND p.key < " + arg(folder+"0") // "0" is the character after "/"
	if folder == "" {
		return "1 = 1"
	}
	if strings.HasSuffix(value, "/") {
		return below
	}
	return "(p.key = " + arg(folder) + " OR " + below + ")"
}

// topScore returns the best score, at least 0.
func topScore(scores []float64) float64 {
	top := 0.0
	for _, score := range scores {
		top = max(top, score)
	}
	return top
}

// boostNameMatches raises the scores of pages whose name was typed. A full name
// gains twice the best score, a last segment or title gains it once, and a last
// segment that contains the words gains half. Boosted pages keep their order
// among each other, and a scaled list keeps its shape.
func (r ranking) boostNameMatches(p parsedQuery, scores []float64) {
	var name []string
	for _, g := range p.groups {
		if len(g) > 1 {
			return
		}
		for _, t := range g[0].tokens {
			name = append(name, t.stem())
		}
	}
	if len(name) == 0 {
		return
	}
	typed := strings.Join(name, " ") + " "
	top := topScore(scores)
	for id, e := range r.pages {
		if scores[id] < 0 {
			continue
		}
		switch {
		case e.name == typed:
			scores[id] += 2 * top
		case e.last[1:] == typed, e.title == typed:
			scores[id] += top
		case strings.Contains(e.last, " "+typed):
			scores[id] += top / 2
		}
	}
}
