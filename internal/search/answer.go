package search

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"robot.wtf/internal/wiki"
)

// Weights of the columns in bm25: a word in the name counts as ten in the text.
const weights = "10.0, 4.0, 1.0"

// A match is one page that was found.
type match struct {
	id    int64
	path  string
	score float64
}

// answer runs a query, more loosely each time that nothing is found. The number
// of its statements depends on the query alone.
func (x *index) answer(ctx context.Context, p parsed, limit, offset int) (Results, error) {
	r := Results{Words: p.words(), Ignored: p.ignored}
	if len(p.groups)+len(p.not)+len(p.filters) == 0 {
		return r, nil
	}
	err := x.use(ctx, func(db *sql.DB) error {
		found, err := x.find(ctx, db, p)
		if err == nil && len(found) == 0 {
			if wider, ok := p.beginnings(); ok {
				if found, err = x.find(ctx, db, wider); len(found) > 0 {
					p, r.Loosened = wider, Beginnings
				}
			}
		}
		if err == nil && len(found) == 0 {
			if wider, ok := p.anyWord(); ok {
				if found, err = x.find(ctx, db, wider); len(found) > 0 {
					p, r.Loosened = wider, AnyWord
				}
			}
		}
		if err != nil {
			return err
		}
		r.Total = len(found)
		found = found[min(offset, len(found)):min(offset+limit, len(found))]
		r.Hits, err = x.show(ctx, db, found, newMarker(p))
		return err
	})
	return r, err
}

// find gives all pages that match, best first.
func (x *index) find(ctx context.Context, db *sql.DB, p parsed) ([]match, error) {
	var q strings.Builder
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	expression := p.expression()
	if expression != "" {
		fmt.Fprintf(&q, "SELECT p.id, p.path, -bm25(words, %s) FROM words JOIN pages p ON p.id = words.rowid WHERE words MATCH %s", weights, arg(expression))
	} else {
		q.WriteString("SELECT p.id, p.path, 0.0 FROM pages p WHERE 1")
		if len(p.not) > 0 {
			fmt.Fprintf(&q, " AND p.id NOT IN (SELECT rowid FROM words WHERE words MATCH %s)", arg(anyOf(p.not)))
		}
	}
	for _, f := range p.filters {
		var any []string
		for _, v := range f.values {
			any = append(any, condition(f.kind, v, arg))
		}
		not := ""
		if f.not {
			not = "NOT "
		}
		fmt.Fprintf(&q, " AND %s(%s)", not, strings.Join(any, " OR "))
	}
	found, err := x.scan(ctx, db, q.String(), args...)
	if err != nil {
		return nil, err
	}
	if expression != "" {
		if err := x.namesFirst(ctx, db, p, found); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(found, func(a, b match) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.path, b.path))
	})
	return found, nil
}

// condition is a filter on one value, of pages p.
func condition(kind, value string, arg func(any) string) string {
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
		return "1"
	}
	if strings.HasSuffix(value, "/") {
		return below
	}
	return "(p.key = " + arg(folder) + " OR " + below + ")"
}

func (x *index) scan(ctx context.Context, db *sql.DB, query string, args ...any) ([]match, error) {
	rows, err := x.query(ctx, db, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []match
	for rows.Next() {
		var m match
		if err := rows.Scan(&m.id, &m.path, &m.score); err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	return found, rows.Err()
}

// namesFirst raises the scores of pages whose name, or its last segment or
// title, is what was asked for above all others, by as much as the best has, and
// by half of that where the last segment begins or goes on with it: their order
// among each other stays, and a list that is scaled keeps its shape.
func (x *index) namesFirst(ctx context.Context, db *sql.DB, p parsed, found []match) error {
	if len(found) < 2 {
		return nil
	}
	var name []string
	for _, g := range p.groups {
		if len(g) > 1 {
			return nil
		}
		for _, t := range g[0].tokens {
			name = append(name, t.stem())
		}
	}
	asked := strings.Join(name, " ") + " "
	exact, err := x.scan(ctx, db, `SELECT id, '', CASE WHEN name = $1 THEN 2.0 WHEN last = $1 OR title = $1 THEN 1.0 ELSE 0.5 END FROM pages
		WHERE name = $1 OR last = $1 OR title <> '' AND title = $1 OR instr(' ' || last, ' ' || $1) > 0`, asked)
	if err != nil {
		return err
	}
	top := slices.MaxFunc(found, func(a, b match) int { return cmp.Compare(a.score, b.score) }).score
	raise := map[int64]float64{}
	for _, m := range exact {
		raise[m.id] = m.score * top
	}
	for i := range found {
		found[i].score += raise[found[i].id]
	}
	return nil
}

// show makes hits of matches, with their snippets.
func (x *index) show(ctx context.Context, db *sql.DB, found []match, mark *marker) ([]Hit, error) {
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
	rows, err := x.query(ctx, db, `SELECT p.id, p.blob, t.sections FROM json_each($1) j
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
		*h = Hit{Page: wiki.PageName(m.path), Score: m.score, Blob: blob}
		h.Heading, h.Line, h.Snippet = mark.best(unpack(packed))
	}
	// A page that a commit took away in between is left out.
	return slices.DeleteFunc(hits, func(h Hit) bool { return h.Page == "" }), rows.Err()
}
