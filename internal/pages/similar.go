package pages

import (
	"cmp"
	"context"
	"slices"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// relatedPages is how many are named beside a page.
const relatedPages = 5

// related are the pages that are most like one and are not linked with it
// already. A page is shown without them where they cannot be told.
func (s *Service) related(ctx context.Context, w *content.Wiki, d *directory, v *View) []wiki.PageName {
	near, err := s.search.Related(ctx, w, v.Name, 3*relatedPages)
	if err != nil {
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "pages: related pages", "wiki", w.Slug(), "err", err)
		}
		return nil
	}
	var list []wiki.PageName
	for _, n := range near {
		linked := slices.ContainsFunc(v.Backlinks, func(b Backlink) bool { return b.Name == n.Page })
		if _, there := d.page(string(n.Page)); there && !linked && len(list) < relatedPages {
			list = append(list, n.Page)
		}
	}
	return list
}

// RelatedVersion changes when what View says of related pages may have changed without a
// commit. It reads memory.
func (s *Service) RelatedVersion(a wiki.Access) uint64 { return s.search.VectorVersion(a.Site().Slug) }

// PossibleDuplicates lists pages that a new one may repeat: those with like names, and others
// that say something like its text, which may be empty.
func (s *Service) PossibleDuplicates(ctx context.Context, a wiki.Access, name, text string, limit int) (named, meant []wiki.PageName, err error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	page, err := wiki.ParsePageName(name)
	if err != nil {
		return nil, nil, err
	}
	named = d.similar(name, limit)
	meant, err = s.similarText(ctx, w, page, text, named)
	return named, meant, err
}

// similarText lists pages that may be about the same as one that is to be made, but for
// those that are named already.
func (s *Service) similarText(ctx context.Context, w *content.Wiki, page wiki.PageName, text string, named []wiki.PageName) ([]wiki.PageName, error) {
	d, err := s.directory(ctx, w)
	if err != nil {
		return nil, err
	}
	near, err := s.search.Similar(ctx, w, page, text, maxSimilar)
	if err != nil {
		return nil, err
	}
	var list []wiki.PageName
	for _, n := range near {
		if _, there := d.page(string(n.Page)); there && !slices.Contains(named, n.Page) {
			list = append(list, n.Page)
		}
	}
	return list, nil
}

// Health is what a wiki's people may want to look after.
type Health struct {
	Pages          int
	Broken         []BrokenLink // links to pages that are not there
	Wanted         []Wanted
	Orphans        []wiki.PageName
	Stale          []Entry // not changed for longest, the oldest first
	Long           []Entry // longer than veryLong, the longest first
	NearDuplicates []NearDuplicate
	Waiting        int // sections that are not compared yet
}

// A BrokenLink leads from a page to one that is not there.
type BrokenLink struct{ From, To wiki.PageName }

// NearDuplicates are two pages that say nearly the same.
type NearDuplicate struct {
	A, B    wiki.PageName
	Percent int // of likeness
}

const (
	healthRows = 50
	veryLong   = 30_000 // bytes, some 5,000 words
	staleDays  = 180    // since the last change
	maxBroken  = 200    // links
)

// Health looks a wiki through.
func (s *Service) Health(ctx context.Context, a wiki.Access) (*Health, error) {
	index, err := s.Index(ctx, a)
	if err != nil {
		return nil, err
	}
	entries, err := s.List(ctx, a, ListFilter{})
	if err != nil {
		return nil, err
	}
	h := &Health{Pages: index.Pages, Wanted: index.Wanted, Orphans: index.Orphans}
	for _, m := range index.Wanted {
		for _, from := range m.From {
			if len(h.Broken) < maxBroken {
				h.Broken = append(h.Broken, BrokenLink{from, m.Name})
			}
		}
	}
	slices.SortStableFunc(h.Broken, func(a, b BrokenLink) int { return cmp.Compare(a.From, b.From) })
	old := s.now().AddDate(0, 0, -staleDays)
	for _, e := range entries {
		if e.Modified.Before(old) {
			h.Stale = append(h.Stale, e)
		}
		if e.Size > veryLong {
			h.Long = append(h.Long, e)
		}
	}
	slices.SortStableFunc(h.Stale, func(a, b Entry) int { return a.Modified.Compare(b.Modified) })
	slices.SortStableFunc(h.Long, func(a, b Entry) int { return cmp.Compare(b.Size, a.Size) })
	h.Stale, h.Long = h.Stale[:min(len(h.Stale), healthRows)], h.Long[:min(len(h.Long), healthRows)]
	h.NearDuplicates, err = s.NearDuplicates(ctx, a)
	h.Waiting = s.search.WikiBacklog(a.Site().Slug)
	return h, err
}

// NearDuplicates lists pages that say nearly the same as another, the most alike first.
func (s *Service) NearDuplicates(ctx context.Context, a wiki.Access) ([]NearDuplicate, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := s.search.CatchUp(ctx, w); err != nil {
		return nil, err
	}
	pairs, err := s.search.NearDuplicates(ctx, w, healthRows)
	if err != nil {
		return nil, err
	}
	var list []NearDuplicate
	for _, p := range pairs {
		_, first := d.page(string(p.A))
		_, second := d.page(string(p.B))
		if first && second {
			list = append(list, NearDuplicate{p.A, p.B, min(100, int(100*p.Similarity+0.5))})
		}
	}
	return list, nil
}
