package search

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/property"
	"robot.wtf/internal/timing"
	"robot.wtf/internal/wiki"
)

// A PropertyQuery asks for pages by their front matter.
type PropertyQuery struct {
	Where property.Expression
	Keys  []string // whose values are wanted
	// AsIs reads the index as it is, which never waits for pages to be indexed. The
	// answer is ErrBehind if it lacks the commit with the number Since.
	AsIs  bool
	Since int64
}

// ErrBehind means that a query that is to be answered as is needs commits that aren't
// indexed yet; see Service.CatchUp.
var ErrBehind = errors.New("search: the index is behind")

// A PropertyMatch is a page that a PropertyQuery selects.
type PropertyMatch struct {
	Page       wiki.PageName
	Properties []property.Property // by index in PropertyQuery.Keys; without values if the page hasn't the key
}

// A KnownKey is a key that some page's front matter has.
type KnownKey struct {
	Name string        // as written on that page
	Page wiki.PageName // the first page that has it
}

// PropertyMatches is the answer to a PropertyQuery.
type PropertyMatches struct {
	Pages   []PropertyMatch
	Unknown []string   // keys of the query that no page has
	Known   []KnownKey // if there are any unknown ones: keys that exist, the most similar first
}

// Bounds on a query. A wiki of 500 pages, each with ten keys, has 5,000 values.
const (
	maxQueryKeys      = 20
	maxPropertyRows   = 100_000
	maxPropertyChecks = 1_000_000 // values times comparisons
	maxKnownKeys      = 20        // in an answer
	maxKeysCompared   = 300       // with an unknown key
)

// FindProperties returns the pages that an expression selects, in no particular
// order. It catches up with the wiki's head first, unless q.AsIs. A query that reads too
// many values is ErrTooLarge.
func (s *Service) FindProperties(ctx context.Context, w *content.Wiki, q PropertyQuery) (PropertyMatches, error) {
	defer timing.Measure(ctx, timing.Index)()
	keys := slices.Clone(q.Where.Keys())
	for _, name := range q.Keys {
		if key := property.Key(name); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if len(keys) > maxQueryKeys {
		return PropertyMatches{}, wiki.Problemf(wiki.ErrInvalid, "where", "The query has more than %d keys. Use fewer.", maxQueryKeys)
	}
	x, release, err := s.acquireIndex(w.Slug())
	if err != nil {
		return PropertyMatches{}, err
	}
	defer release()
	var found PropertyMatches
	with := func(do func(*sql.DB) error) error { return x.withCurrentDB(ctx, w, do) }
	if q.AsIs {
		with = func(do func(*sql.DB) error) error { return x.withIndexedDB(ctx, q.Since, do) }
	}
	err = with(func(db *sql.DB) error {
		dir, err := x.loadDirectory(ctx, db)
		if err != nil {
			return err
		}
		table := propertyTable{x: x, directory: dir}
		if err := table.read(ctx, keys); err != nil {
			return err
		}
		found = PropertyMatches{}
		if found.Pages, err = table.matches(ctx, q); err != nil {
			return err
		}
		found.Unknown, found.Known, err = table.unknownKeys(ctx, q)
		return err
	})
	if err != nil {
		return PropertyMatches{}, fmt.Errorf("search: find by front matter in %s: %w", w.Slug(), err)
	}
	return found, nil
}

// A propertyTable holds the values of some keys, by page.
type propertyTable struct {
	x *index
	*directory
	keys    []string
	columns [][]property.Property // by key, then by page id
	rows    int
}

// read reads the values of keys. The columns of an unknown key are empty.
func (t *propertyTable) read(ctx context.Context, keys []string) error {
	t.keys, t.columns = keys, make([][]property.Property, len(keys))
	for i, key := range keys {
		if err := t.readKey(ctx, i, key); err != nil {
			return err
		}
	}
	return nil
}

// readKey reads all values of a key as one row, which takes half the time of a
// row for each. No value has control characters.
func (t *propertyTable) readKey(ctx context.Context, i int, key string) error {
	var packed sql.NullString
	err := t.x.reads.Row(ctx, `SELECT group_concat(page || char(31) || form || char(31) || text || char(31) || folded, char(30))
		FROM (SELECT page, form, text, folded FROM properties WHERE key = $1 ORDER BY page, n LIMIT $2)`, key, maxPropertyRows+1-t.rows).Scan(&packed)
	if err != nil || packed.String == "" {
		return err
	}
	t.columns[i] = make([]property.Property, len(t.pages))
	for row := range strings.SplitSeq(packed.String, sectionEnd) {
		if t.rows++; t.rows > maxPropertyRows {
			return wiki.Problemf(wiki.ErrTooLarge, "where", "The front matter of this wiki has more than %d values of these keys. Use fewer keys.", maxPropertyRows)
		}
		id, rest, _ := strings.Cut(row, fieldEnd)
		kind, rest, _ := strings.Cut(rest, fieldEnd)
		text, folded, _ := strings.Cut(rest, fieldEnd)
		page, err := strconv.Atoi(id)
		if err != nil || page >= len(t.pages) {
			return fmt.Errorf("%w: front matter of page %q", errStale, id)
		}
		form, err := strconv.Atoi(kind)
		if err != nil {
			return fmt.Errorf("%w: front matter of kind %q", errStale, kind)
		}
		p := &t.columns[i][page]
		p.Key, p.List = key, form%2 == 1
		p.Values = append(p.Values, property.Restore(property.Kind(form/2), text, folded))
	}
	return nil
}

// value returns a page's property, without values if it has none.
func (t *propertyTable) value(key string, page int) property.Property {
	if i := slices.Index(t.keys, key); i >= 0 && t.columns[i] != nil {
		return t.columns[i][page]
	}
	return property.Property{Key: key}
}

// matches returns the pages that a query selects.
func (t *propertyTable) matches(ctx context.Context, q PropertyQuery) ([]PropertyMatch, error) {
	if t.rows*q.Where.Terms() > maxPropertyChecks {
		return nil, wiki.Problemf(wiki.ErrTooLarge, "where", "The expression compares too many values. Use fewer comparisons.")
	}
	var found []PropertyMatch
	page := make([]property.Property, len(q.Where.Keys()))
	for id, e := range t.pages {
		if e.path == "" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i, key := range q.Where.Keys() {
			page[i] = t.value(key, id)
		}
		if !q.Where.Match(page) {
			continue
		}
		m := PropertyMatch{Page: wiki.PageName(e.path), Properties: make([]property.Property, len(q.Keys))}
		for i, name := range q.Keys {
			m.Properties[i] = t.value(property.Key(name), id)
		}
		found = append(found, m)
	}
	return found, nil
}

// unknownKeys returns the keys of a query that no page has and, if there are
// any, keys that exist.
func (t *propertyTable) unknownKeys(ctx context.Context, q PropertyQuery) (unknown []string, known []KnownKey, err error) {
	for i, key := range t.keys {
		if t.columns[i] == nil {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) == 0 {
		return nil, nil, nil
	}
	distance := map[string]int{}
	err = t.eachKey(ctx, func(key string, k KnownKey) { known, distance[k.Name] = append(known, k), keyDistance(key, unknown) })
	if err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(known, func(a, b KnownKey) int { return cmp.Compare(distance[a.Name], distance[b.Name]) })
	return unknown, known[:min(len(known), maxKnownKeys)], nil
}

// eachKey calls f for the keys that exist, sorted, at most maxKeysCompared.
func (t *propertyTable) eachKey(ctx context.Context, f func(key string, k KnownKey)) error {
	last := ""
	for range maxKeysCompared {
		var k KnownKey
		var key string
		var page int
		err := t.x.reads.Row(ctx, "SELECT key, page, name FROM properties WHERE key > $1 ORDER BY key, page LIMIT 1", last).Scan(&key, &page, &k.Name)
		if err == sql.ErrNoRows {
			return nil
		}
		if err != nil {
			return err
		}
		last = key
		if page < len(t.pages) {
			k.Page = wiki.PageName(t.pages[page].path)
			f(key, k)
		}
	}
	return nil
}

// KnownKeys returns the keys of the wiki's front matter, sorted, at most 300.
func (s *Service) KnownKeys(ctx context.Context, w *content.Wiki) ([]KnownKey, error) {
	x, release, err := s.acquireIndex(w.Slug())
	if err != nil {
		return nil, err
	}
	defer release()
	var known []KnownKey
	err = x.withCurrentDB(ctx, w, func(db *sql.DB) error {
		dir, err := x.loadDirectory(ctx, db)
		if err != nil {
			return err
		}
		known = nil
		table := propertyTable{x: x, directory: dir}
		return table.eachKey(ctx, func(_ string, k KnownKey) { known = append(known, k) })
	})
	if err != nil {
		return nil, fmt.Errorf("search: keys of %s: %w", w.Slug(), err)
	}
	return known, nil
}

// keyDistance returns how much a key differs from the nearest of some others: 0
// if one contains the other, else the number of letters to change.
func keyDistance(key string, others []string) int {
	nearest := len(key)
	for _, other := range others {
		d := merge.Distance(key, other, nearest)
		if strings.Contains(key, other) || strings.Contains(other, key) {
			d = 0
		}
		nearest = min(nearest, d)
	}
	return nearest
}

// hasProperty reports whether any page has a key.
func (x *index) hasProperty(ctx context.Context, key string) (bool, error) {
	var one int
	err := x.reads.Row(ctx, "SELECT 1 FROM properties WHERE key = $1 LIMIT 1", key).Scan(&one)
	if err == sql.ErrNoRows {
		return false, nil
	}
	return err == nil, err
}

// insertProperties stores the front matter of a page.
func (b *batch) insertProperties(ctx context.Context, page int64, list []property.Property) error {
	for _, p := range list {
		for n, v := range p.Values {
			form, folded := 2*int(v.Kind), v.Folded
			if p.List {
				form++
			}
			if wiki.IsASCII(v.Text) {
				folded = ""
			}
			err := b.tx.Exec(ctx, "INSERT INTO properties (key, page, n, name, form, text, folded) VALUES ($1, $2, $3, $4, $5, $6, $7)", p.Key, page, n, p.Name, form, v.Text, folded)
			if err != nil {
				return err
			}
		}
	}
	return nil
}
