package search

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A directory is what ranking needs of every page, read once for each position
// of the index: it makes ranking free of look-ups.
type directory struct {
	cursor   cursor
	pages    []pageEntry // by id; one without a path is none
	count    int
	meanSize float64 // words of a page
}

type pageEntry struct {
	path        string
	size        float64 // in words
	name, title string  // indexed words
	last        string  // those of the name's last segment, each with a blank before it
}

// directory reads the pages of the index, from memory when nothing changed.
func (x *index) loadDirectory(ctx context.Context, db *sql.DB) (*directory, error) {
	at := *x.cursor.Load()
	if d := x.directory.Load(); d != nil && d.cursor == at {
		return d, nil
	}
	rows, err := x.reads.Rows(ctx, "SELECT id, path, size, name, last, title FROM pages ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	d := &directory{cursor: at}
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

// A ranking scores the pages of one query.
type ranking struct {
	x   *index
	ctx context.Context
	db  *sql.DB
	*directory
}

// The constants of BM25, as everybody has them.
const (
	bm25K1 = 1.2
	bm25B  = 0.75
)

// score gives every page's score for a query, by id: that of all its terms that
// the page has, and below 0 for pages that the query does not match.
//
// It is Okapi BM25 with weighted places (Robertson, Zaragoza and Taylor, "Simple
// BM25 extension to multiple weighted fields", 2004) and an inverse document
// frequency that stays above 0 (as Lucene's), for in a small wiki many a good
// word is on most of the pages.
func (r ranking) scorePages(p parsedQuery) ([]float64, error) {
	scores := make([]float64, len(r.pages))
	for id, e := range r.pages {
		if e.path == "" {
			scores[id] = -1
		}
	}
	for _, group := range p.groups {
		has := make([]bool, len(r.pages))
		for _, t := range group {
			often, err := r.termFrequency(t)
			if err != nil {
				return nil, err
			}
			found := 0
			for _, f := range often {
				if f > 0 {
					found++
				}
			}
			idf := math.Log(1 + (float64(r.count-found)+.5)/(float64(found)+.5))
			for id, f := range often {
				if f > 0 && scores[id] >= 0 {
					has[id] = true
					scores[id] += idf * f * (bm25K1 + 1) / (f + bm25K1*(1-bm25B+bm25B*r.pages[id].size/r.meanSize))
				}
			}
		}
		for id := range scores {
			if !has[id] {
				scores[id] = -1
			}
		}
	}
	for _, t := range p.not {
		often, err := r.termFrequency(t)
		if err != nil {
			return nil, err
		}
		for id, f := range often {
			if f > 0 {
				scores[id] = -1
			}
		}
	}
	return scores, nil
}

// frequency is how often each page has a term, by id, each place with the
// weight of its column.
func (r ranking) termFrequency(t term) ([]float64, error) {
	often := make([]float64, len(r.pages))
	count := func(page int64, at []position) {
		if page < int64(len(often)) {
			for _, p := range at {
				often[page] += columnWeights[p.column()]
			}
		}
	}
	n := len(t.tokens) - 1
	if n == 0 {
		return often, r.eachPosting(t, count)
	}
	found := map[int64][]position{} // where the phrase may go on
	for i, tok := range t.tokens[:n] {
		next := map[int64][]position{}
		err := r.eachPosting(term{tokens: []token{tok}}, func(page int64, at []position) {
			if i == 0 {
				next[page] = slices.Clone(at)
			} else if before := found[page]; before != nil {
				if on := adjacentPositions(before, at); len(on) > 0 {
					next[page] = on
				}
			}
		})
		if err != nil {
			return nil, err
		}
		if found = next; len(found) == 0 {
			return often, nil
		}
	}
	return often, r.eachPosting(term{tokens: t.tokens[n:], prefix: t.prefix}, func(page int64, at []position) {
		if before := found[page]; before != nil {
			count(page, adjacentPositions(slices.Clone(before), at))
		}
	})
}

// following are the places of at that come right after one of before, which it
// overwrites.
func adjacentPositions(before, at []position) []position {
	out, i := before[:0], 0
	for _, p := range at {
		for i < len(before) && before[i]+1 < p {
			i++
		}
		if i == len(before) {
			break
		}
		if before[i]+1 == p {
			i++ // before it is overwritten
			out = append(out, p)
		}
	}
	return out
}

// each calls do with the places of a term of one word, page by page; of a
// beginning, once for every word that begins so. at is valid during the call.
func (r ranking) eachPosting(t term, do func(page int64, at []position)) error {
	tok := t.tokens[0]
	if !t.prefix {
		return r.readPostings("SELECT block, list FROM postings WHERE stem = $1", do, tok.stem())
	}
	for _, s := range prefixStems(tok.word) {
		if err := r.readPostings("SELECT block, list FROM postings WHERE stem = $1", do, s); err != nil {
			return err
		}
	}
	return r.readPostings("SELECT block, list FROM postings WHERE stem >= $1 AND stem < $2", do, tok.word, tok.word+"\U0010ffff")
}

func (r ranking) readPostings(query string, do func(page int64, at []position), args ...any) error {
	rows, err := r.x.reads.Rows(r.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var list listReader
	for rows.Next() {
		var block int64
		var packed sql.RawBytes
		if err := rows.Scan(&block, &packed); err != nil {
			return err
		}
		list.rest = packed
		for {
			offset, _, more, err := list.next()
			if err != nil {
				return err
			}
			if !more {
				break
			}
			do(block*blockPages+int64(offset), list.positions)
		}
	}
	return rows.Err()
}

// filter takes those pages out of scores that do not pass a query's filters.
func (r ranking) applyFilters(p parsedQuery, scores []float64) error {
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
		var any []string
		for _, v := range f.values {
			any = append(any, filterCondition(f.kind, v, arg))
		}
		not := ""
		if f.not {
			not = "NOT "
		}
		fmt.Fprintf(&q, " AND %s(%s)", not, strings.Join(any, " OR "))
	}
	rows, err := r.x.reads.Rows(r.ctx, q.String(), args...)
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

// condition is a filter on one value, of pages p.
func filterCondition(kind, value string, arg func(any) string) string {
	switch kind {
	case "tag":
		return "p.id IN (SELECT page FROM tags WHERE tag = " + arg(value) + ")"
	case "author":
		return "p.key IN (SELECT key FROM authors WHERE author = " + arg(value) + ")"
	}
	if beginning, ok := strings.CutSuffix(value, "*"); ok {
		return "p.key >= " + arg(beginning) + " AND p.key < " + arg(beginning+"\U0010ffff")
	}
	folder := strings.TrimRight(value, "/")
	below := "p.key >= " + arg(folder+"/") + " AND p.key < " + arg(folder+"0") // "0" comes after "/"
	if folder == "" {
		return "1 = 1"
	}
	if strings.HasSuffix(value, "/") {
		return below
	}
	return "(p.key = " + arg(folder) + " OR " + below + ")"
}

// namesFirst raises the scores of pages whose name, or its last segment or
// title, is what was asked for above all others, by as much as the best has, and
// by half of that where the last segment begins or goes on with it: their order
// among each other stays, and a list that is scaled keeps its shape.
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
	asked := strings.Join(name, " ") + " "
	top := 0.0
	for _, score := range scores {
		top = max(top, score)
	}
	for id, e := range r.pages {
		if scores[id] < 0 {
			continue
		}
		switch {
		case e.name == asked:
			scores[id] += 2 * top
		case e.last[1:] == asked, e.title == asked:
			scores[id] += top
		case strings.Contains(e.last, " "+asked):
			scores[id] += top / 2
		}
	}
}
