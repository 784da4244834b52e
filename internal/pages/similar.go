package pages

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/search"
	"robot.wtf/internal/wiki"
)

// relatedPages is the number of related pages shown beside a page.
const relatedPages = 5

// related returns the most similar pages, except those whose files are linked: they link
// to the page. If they can't be determined, the page is shown without them.
func (s *Service) related(ctx context.Context, w *content.Wiki, d *directory, page wiki.PageName, linked []string) []wiki.PageName {
	near, err := s.neighbours(ctx, w, page)
	if err != nil {
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "finding related pages failed", "wiki", w.Slug(), "err", err)
		}
		return nil
	}
	var list []wiki.PageName
	for _, n := range near {
		file, there := d.page(string(n.Page))
		if there && !slices.Contains(linked, file) && len(list) < relatedPages {
			list = append(list, n.Page)
		}
	}
	return list
}

// cachedNeighbours are the pages most similar to a page at a version of the vectors.
type cachedNeighbours struct {
	version uint64
	*search.Neighbours
}

func (c *cachedNeighbours) weight() uint32 { return uint32(c.Neighbours.Weight()) }

// neighbours returns the pages most similar to a page. Until the wiki's vectors are up to
// date again, the earlier result stays.
func (s *Service) neighbours(ctx context.Context, w *content.Wiki, page wiki.PageName) ([]search.SimilarPage, error) {
	key := cacheKey{"related", w.Slug(), string(page)}
	next := &cachedNeighbours{version: s.search.VectorVersion(w.Slug())}
	var before *search.Neighbours
	if c, ok := s.views.GetIfPresent(key); ok {
		last := c.(*cachedNeighbours)
		if last.version == next.version {
			return last.Pages, nil
		}
		before = last.Neighbours
	}
	var err error
	if next.Neighbours, err = s.search.Related(ctx, w, page, 3*relatedPages, before); err != nil {
		return nil, err
	}
	s.views.Set(key, next)
	return next.Pages, nil
}

// PossibleDuplicates lists pages that a new page may duplicate: by similar names,
// and by similar text, which may be empty. A folder that two pages share doesn't
// make their names similar.
func (s *Service) PossibleDuplicates(ctx context.Context, a wiki.Access, name, text string, limit int) (byName, byText []wiki.PageName, err error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	page, err := wiki.ParsePageName(name)
	if err != nil {
		return nil, nil, err
	}
	byName = d.similarTo(string(page), limit, func(other wiki.PageName) int {
		a, b := withoutSharedFolders(string(page), string(other))
		return sharedWords(nameWords(a), nameWords(b))
	})
	byText, err = s.similarText(ctx, w, a, page, text, byName)
	return byName, byText, err
}

// withoutSharedFolders removes the folders that two names begin with. Of a page
// above the other nothing is left.
func withoutSharedFolders(a, b string) (string, string) {
	for a != "" && b != "" {
		first, afterA, _ := strings.Cut(a, "/")
		second, afterB, _ := strings.Cut(b, "/")
		if wiki.Key(first) != wiki.Key(second) {
			break
		}
		a, b = afterA, afterB
	}
	return a, b
}

// areRelatives reports whether one page is above the other, or both are in the same
// folder. The root isn't one.
func areRelatives(a, b wiki.PageName) bool {
	left, right := withoutSharedFolders(string(a), string(b))
	shared := len(left) < len(a)
	return left == "" || right == "" || shared && !strings.Contains(left+right, "/")
}

// similarText lists existing pages that may be about the same topic as a new one,
// except those in named. Relatives usually are, so they are only listed if their
// text is nearly the same. Without a search index there are none.
func (s *Service) similarText(ctx context.Context, w *content.Wiki, a wiki.Access, page wiki.PageName, text string, named []wiki.PageName) ([]wiki.PageName, error) {
	d, err := s.directory(ctx, w, a)
	if err != nil {
		return nil, err
	}
	near, err := s.search.Similar(ctx, w, page, text, 10*maxSimilar)
	if errors.Is(err, wiki.ErrStorage) {
		s.log.WarnContext(ctx, "finding similar pages failed", "wiki", w.Slug(), "err", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []wiki.PageName
	for _, n := range near {
		_, there := d.page(string(n.Page))
		if there && !slices.Contains(named, n.Page) && (n.Similarity >= search.MinNearDuplicate || !areRelatives(page, n.Page)) {
			list = append(list, n.Page)
		}
	}
	return list[:min(len(list), maxSimilar)], nil
}

// Health lists pages that may need attention.
type Health struct {
	Pages          int
	Broken         []BrokenLink // links to missing pages
	Ambiguous      []AmbiguousLink
	Wanted         []Wanted
	Orphans        []wiki.PageName
	Stale          []Entry // not changed for staleDays, the oldest first
	Long           []Entry // longer than veryLong bytes, the longest first
	NearDuplicates []NearDuplicate
	Unsearched     bool // NearDuplicates is empty because the search index is unavailable
	Waiting        int  // sections that aren't compared yet
}

// An AmbiguousLink is a link to one of several files that are equally near.
type AmbiguousLink struct {
	From   wiki.PageName
	Link   wiki.Link
	To     string // path of the file
	Others int
}

// URL is the address of the file.
func (l AmbiguousLink) URL() string { return wiki.PathURL(l.Name()) }

// Name is the file's path, without ".md".
func (l AmbiguousLink) Name() string { return strings.TrimSuffix(l.To, ".md") }

// A BrokenLink is a link to a missing page.
type BrokenLink struct{ From, To wiki.PageName }

// A NearDuplicate is a pair of pages with nearly the same text.
type NearDuplicate struct {
	A, B    wiki.PageName
	Percent int // similarity
}

const (
	healthRows = 50
	veryLong   = 30_000 // bytes, some 5,000 words
	staleDays  = 180    // since the last change
	maxBroken  = 200    // links
)

// Health examines the wiki.
func (s *Service) Health(ctx context.Context, a wiki.Access) (*Health, error) {
	index, err := s.Index(ctx, a)
	if err != nil {
		return nil, err
	}
	entries, err := s.List(ctx, a, ListFilter{})
	if err != nil {
		return nil, err
	}
	h := &Health{Pages: index.Pages, Ambiguous: index.Ambiguous, Wanted: index.Wanted, Orphans: index.Orphans}
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
	h.Waiting = s.search.WikiBacklog(a.Site().Slug)
	h.NearDuplicates, err = s.NearDuplicates(ctx, a)
	if errors.Is(err, wiki.ErrStorage) {
		s.log.WarnContext(ctx, "finding near-duplicates failed", "wiki", a.Site().Slug, "err", err)
		h.Unsearched, err = true, nil
	}
	return h, err
}

// NearDuplicates lists pairs of pages with nearly the same text, the most similar
// first.
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
