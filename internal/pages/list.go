package pages

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/property"
	"robot.wtf/internal/search"
	"robot.wtf/internal/wiki"
)

// A PageQuery lists pages, also by what their front matter says.
type PageQuery struct {
	ListFilter
	Where string   // an expression, such as "status = draft and due < 2026-12-05"; see property.Expression
	Show  []string // keys of the front matter whose values are wanted
	// Sort is name (the default), updated (newest first), size (largest first) or a
	// key of the front matter; pages without it come last. With "-" before it, the
	// order is the other way round.
	Sort string
}

// A ListedPage is a page in a PageList.
type ListedPage struct {
	Entry
	Properties []property.Property // by index in PageQuery.Show; without values if the page hasn't the key
}

// A PageList is the answer to a PageQuery.
type PageList struct {
	Pages   []ListedPage
	Unknown []string   // keys of the query that no page of the wiki has
	Known   []KnownKey // if there are any unknown ones: keys that exist, the most similar first
}

// pageOrders are the orders that need no front matter.
var pageOrders = map[string]func(a, b ListedPage) int{
	"":        func(a, b ListedPage) int { return 0 },
	"name":    func(a, b ListedPage) int { return cmp.Compare(a.Name, b.Name) },
	"updated": func(a, b ListedPage) int { return b.Modified.Compare(a.Modified) },
	"size":    func(a, b ListedPage) int { return cmp.Compare(b.Size, a.Size) },
}

// Query lists pages. An invalid expression is ErrInvalid, with its position and
// the grammar.
func (s *Service) Query(ctx context.Context, a wiki.Access, q PageQuery) (PageList, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return PageList{}, err
	}
	defer release()
	return s.query(ctx, w, d, q, search.PropertyQuery{})
}

// query lists pages. index says how the index of the front matter is read.
func (s *Service) query(ctx context.Context, w *content.Wiki, d *directory, q PageQuery, index search.PropertyQuery) (PageList, error) {
	where, err := property.Parse(q.Where)
	if err != nil {
		return PageList{}, err
	}
	entries, err := s.list(ctx, w, d, q.ListFilter)
	if err != nil {
		return PageList{}, err
	}
	list := PageList{Pages: make([]ListedPage, len(entries))}
	for i, e := range entries {
		list.Pages[i].Entry = e
	}
	key, descending := strings.CutPrefix(strings.TrimSpace(q.Sort), "-")
	order := pageOrders[strings.ToLower(key)]
	wanted := index
	wanted.Where, wanted.Keys = where, slices.Clone(q.Show)
	if order == nil {
		wanted.Keys = append(wanted.Keys, key)
	}
	if len(where.Keys())+len(wanted.Keys) > 0 {
		if err := s.addProperties(ctx, w, &list, wanted); err != nil {
			return PageList{}, err
		}
	}
	if order == nil {
		list.sortByLast(descending)
	} else {
		list.sort(order, descending)
	}
	return list, nil
}

// sort sorts a list. Equal pages are sorted by name.
func (l *PageList) sort(order func(a, b ListedPage) int, descending bool) {
	slices.SortFunc(l.Pages, func(a, b ListedPage) int {
		c := order(a, b)
		if descending {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.Name, b.Name))
	})
}

// sortByLast sorts a list by the last property of each page, which it then
// removes. Pages without it come last, whatever the direction.
func (l *PageList) sortByLast(descending bool) {
	last := func(p ListedPage) property.Property { return p.Properties[len(p.Properties)-1] }
	l.sort(func(a, b ListedPage) int {
		c := property.Compare(last(a), last(b))
		if missing := len(last(a).Values) == 0 || len(last(b).Values) == 0; descending && missing {
			return -c // sort reverses it again
		}
		return c
	}, descending)
	for i := range l.Pages {
		l.Pages[i].Properties = l.Pages[i].Properties[:len(l.Pages[i].Properties)-1]
	}
}

// addProperties drops the pages that a query doesn't select, and adds the values
// of its keys to the others.
func (s *Service) addProperties(ctx context.Context, w *content.Wiki, list *PageList, q search.PropertyQuery) error {
	leave, err := s.enterQuery(ctx, w.Slug())
	if err != nil {
		return err
	}
	defer leave()
	found, err := s.search.FindProperties(ctx, w, q)
	if err != nil {
		return err
	}
	byKey := make(map[string][]property.Property, len(found.Pages))
	for _, p := range found.Pages {
		byKey[p.Page.Key()] = p.Properties
	}
	list.Unknown, list.Known = found.Unknown, found.Known
	list.Pages = slices.DeleteFunc(list.Pages, func(p ListedPage) bool { return byKey[p.Name.Key()] == nil })
	for i := range list.Pages {
		list.Pages[i].Properties = byKey[list.Pages[i].Name.Key()]
	}
	return nil
}

// maxQueries is how many queries by front matter run at a time; a wiki has one.
const maxQueries = 4

// enterQuery waits for one of maxQueries slots.
func (s *Service) enterQuery(ctx context.Context, slug string) (leave func(), err error) {
	wait, cancel := context.WithTimeout(ctx, maxGrepWait)
	defer cancel()
	leave, err = s.queries.Acquire(wait, slug)
	if err != nil && ctx.Err() == nil {
		return nil, wiki.Problemf(wiki.ErrUnavailable, "", "Too many queries of this wiki are running. Try again in a few seconds.")
	}
	return leave, err
}
