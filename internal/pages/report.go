package pages

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// A LinkKind is a kind of LinkReport.
type LinkKind string

// The kinds of LinkReport.
const (
	LinksIn      LinkKind = "in"           // pages that link to a page
	LinksOut     LinkKind = "out"          // pages that a page links to
	Broken       LinkKind = "broken"       // broken links, of a page or of all
	Orphans      LinkKind = "orphans"      // pages without links to them
	Hubs         LinkKind = "hubs"         // pages with the most links to them
	Neighborhood LinkKind = "neighborhood" // pages within two links of a page
	Missing      LinkKind = "wanted"       // missing pages with the most links to them
	Stale        LinkKind = "stale"        // pages by age, the oldest first
	Long         LinkKind = "long"         // the longest pages
	Duplicates   LinkKind = "duplicates"   // pages with (nearly) the same text, or the same name in another folder
)

// A LinkRow is one row of a LinkReport.
type LinkRow struct {
	Page  wiki.PageName
	Other wiki.PageName // the other page of a link or pair, or ""
	Text  string        // words around a link
	Count int           // links, characters or days
	Date  time.Time
}

// LinkReport lists links, pages or pairs of one kind. name is the page for kinds
// that need one.
func (s *Service) LinkReport(ctx context.Context, a wiki.Access, kind LinkKind, name string) ([]LinkRow, error) {
	switch kind {
	case LinksIn, LinksOut, Neighborhood:
		return s.linksOf(ctx, a, kind, name)
	case Stale, Long, Duplicates:
		return s.pageReport(ctx, a, kind)
	}
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	g, err := s.graph(ctx, w, d)
	if err != nil {
		return nil, err
	}
	var list []LinkRow
	switch kind {
	case Orphans:
		for _, p := range g.orphans(d, d.home(a.Site())) {
			list = append(list, LinkRow{Page: p})
		}
	case Hubs:
		for file, from := range g.from {
			name, _ := wiki.PageOf(file)
			list = append(list, LinkRow{Page: name, Count: len(from)})
		}
		sortLinkRows(list)
	case Missing, Broken:
		return s.missing(ctx, a, kind, name, g.wanted())
	}
	return list, nil
}

func sortLinkRows(list []LinkRow) {
	slices.SortFunc(list, func(a, b LinkRow) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Page, b.Page)) })
}

// missing lists missing pages, or each link to them.
func (s *Service) missing(ctx context.Context, a wiki.Access, kind LinkKind, name string, wanted []Wanted) ([]LinkRow, error) {
	var only wiki.PageName
	if kind == Broken && name != "" {
		src, err := s.Source(ctx, a, name, "")
		if err != nil {
			return nil, err
		}
		only = src.Name
	}
	var list []LinkRow
	for _, m := range wanted {
		if kind == Missing {
			list = append(list, LinkRow{Page: m.Name, Count: len(m.From)})
			continue
		}
		for _, from := range m.From {
			if only == "" || from == only {
				list = append(list, LinkRow{Page: from, Other: m.Name})
			}
		}
	}
	if kind == Broken {
		slices.SortStableFunc(list, func(a, b LinkRow) int { return cmp.Compare(a.Page, b.Page) })
	}
	return list, nil
}

func (s *Service) linksOf(ctx context.Context, a wiki.Access, kind LinkKind, name string) ([]LinkRow, error) {
	if name == "" {
		return nil, wiki.Problemf(wiki.ErrInvalid, "path", "The parameter \"path\" is required: the page to report on.")
	}
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	page, _, err := lookup(ctx, w, name)
	if errors.Is(err, wiki.ErrNotFound) {
		if err = d.redirectOrMissing(name); kind == LinksIn && errors.Is(err, wiki.ErrNotFound) {
			return d.linksToMissing(ctx, w, name, err)
		}
	}
	if err != nil {
		return nil, err
	}
	var list []LinkRow
	if kind == LinksIn {
		links, err := d.linksTo(ctx, w, page.File())
		if err != nil {
			return nil, err
		}
		for _, b := range backlinks(d, page, links) {
			list = append(list, LinkRow{Page: b.Name, Text: b.Text})
		}
		return list, nil
	}
	g, err := s.graph(ctx, w, d)
	if err != nil {
		return nil, err
	}
	near := pageNames(g.to[page.File()])
	for _, m := range near {
		list = append(list, LinkRow{Page: m, Count: 1})
	}
	if kind == LinksOut {
		for _, m := range g.missing {
			if slices.Contains(m.From, page) {
				list = append(list, LinkRow{Page: m.Name, Text: "missing"})
			}
		}
		slices.SortFunc(list, func(a, b LinkRow) int { return cmp.Compare(a.Page, b.Page) })
		return list, nil
	}
	return neighbors(g, page), nil
}

// linksToMissing lists the pages that link to a page that doesn't exist. If there
// are none, it returns the error.
func (d *directory) linksToMissing(ctx context.Context, w *content.Wiki, name string, err error) ([]LinkRow, error) {
	page, invalid := wiki.ParsePageName(name)
	if invalid != nil {
		return nil, err
	}
	links, failed := d.linksTo(ctx, w, page.File())
	if failed != nil {
		return nil, failed
	}
	var list []LinkRow
	for _, b := range backlinks(d, page, links) {
		list = append(list, LinkRow{Page: b.Name, Text: b.Text})
	}
	if len(list) == 0 {
		return nil, err
	}
	return list, nil
}

// neighbors lists the pages within two links of a page, in either direction, the
// nearest first.
func neighbors(g *graph, page wiki.PageName) []LinkRow {
	distances := map[string]int{page.File(): 0}
	ring := []string{page.File()}
	var list []LinkRow
	for distance := 1; distance <= 2; distance++ {
		var next []string
		for _, file := range ring {
			for _, other := range slices.Concat(g.to[file], g.from[file]) {
				if _, known := distances[other]; !known {
					distances[other] = distance
					next = append(next, other)
				}
			}
		}
		slices.Sort(next)
		for _, name := range pageNames(next) {
			list = append(list, LinkRow{Page: name, Count: distance})
		}
		ring = next
	}
	return list
}

// pageReport lists pages by age or length, or possible duplicates.
func (s *Service) pageReport(ctx context.Context, a wiki.Access, kind LinkKind) ([]LinkRow, error) {
	entries, err := s.List(ctx, a, ListFilter{})
	if err != nil {
		return nil, err
	}
	switch kind {
	case Stale:
		slices.SortStableFunc(entries, func(a, b Entry) int { return a.Modified.Compare(b.Modified) })
	case Long:
		slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Compare(b.Size, a.Size) })
	case Duplicates:
		pairs, err := s.NearDuplicates(ctx, a)
		return withNearDuplicates(exactDuplicates(entries), pairs), err
	}
	var list []LinkRow
	for _, e := range entries {
		list = append(list, LinkRow{Page: e.Name, Count: int(e.Size), Date: e.Modified})
	}
	return list, nil
}

// exactDuplicates lists pairs of pages with the same text or the same title.
func exactDuplicates(entries []Entry) []LinkRow {
	var list []LinkRow
	byText, byTitle := map[string]wiki.PageName{}, map[string]wiki.PageName{}
	for _, e := range entries {
		title := wiki.Key(e.Name.Title())
		if first, ok := byText[e.Revision]; ok {
			list = append(list, LinkRow{Page: first, Other: e.Name, Text: "the same text"})
		} else if first, ok := byTitle[title]; ok {
			list = append(list, LinkRow{Page: first, Other: e.Name, Text: "the same name"})
		}
		if _, ok := byText[e.Revision]; !ok {
			byText[e.Revision] = e.Name
		}
		if _, ok := byTitle[title]; !ok {
			byTitle[title] = e.Name
		}
	}
	return list
}

// withNearDuplicates adds pairs of near-duplicates that aren't listed yet.
func withNearDuplicates(list []LinkRow, pairs []NearDuplicate) []LinkRow {
	paired := map[[2]wiki.PageName]bool{}
	for _, l := range list {
		paired[[2]wiki.PageName{l.Page, l.Other}], paired[[2]wiki.PageName{l.Other, l.Page}] = true, true
	}
	for _, t := range pairs {
		if !paired[[2]wiki.PageName{t.A, t.B}] {
			list = append(list, LinkRow{Page: t.A, Other: t.B, Text: fmt.Sprintf("%d%% similar", t.Percent), Count: t.Percent})
		}
	}
	return list
}
