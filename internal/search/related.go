package search

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"robot.wtf/internal/content"
	"robot.wtf/internal/minilm"
	"robot.wtf/internal/wiki"
)

// A Near is a page that is like another, or like a text.
type SimilarPage struct {
	Page       wiki.PageName
	Similarity float64 // cosine of the nearest sections, to 1
}

// A Pair of pages says nearly the same.
type Pair struct {
	A, B       wiki.PageName
	Similarity float64
}

// What is near enough to be named. On the pages that a development service begins
// with, most have one to five related ones, and no two are taken for twins.
const (
	minRelated       = .45
	minSimilar       = .50
	minNearDuplicate = .92
	// maxTwins bounds the pages that are compared with each other: twice as many
	// take four times as long.
	maxCompared = 2000
)

// Related lists the pages that are most like a page, as far as the index knows
// now: it is not brought up to date for that, and a page that is gone may still
// be named.
func (s *Service) Related(ctx context.Context, w *content.Wiki, page wiki.PageName, limit int) ([]SimilarPage, error) {
	return s.nearestPages(ctx, w.Slug(), page, limit, minRelated, func(v *vectors, d *directory) (queryVector, bool) {
		return v.meanVector(func(id int64) bool { return id < int64(len(d.pages)) && d.pages[id].path == string(page) })
	})
}

// Similar lists the pages that say something like a text, such as that of a page
// that is being made, but for the page of that name.
func (s *Service) Similar(ctx context.Context, w *content.Wiki, page wiki.PageName, text string, limit int) ([]SimilarPage, error) {
	if s.opts.Model == nil {
		return nil, nil
	}
	s.activeQueries.Add(1)
	defer s.activeQueries.Add(-1)
	first := chunkPage(s.opts.Model, newDocument(page, []byte(text), nil))[0]
	like := newQueryVector(s.opts.Model.Embed(first.text))
	return s.nearestPages(ctx, w.Slug(), page, limit, minSimilar, func(*vectors, *directory) (queryVector, bool) { return like, true })
}

// nearest lists pages by their nearest chunk to what ask gives.
func (s *Service) nearestPages(ctx context.Context, slug string, not wiki.PageName, limit int, from float64, ask func(*vectors, *directory) (queryVector, bool)) ([]SimilarPage, error) {
	var list []SimilarPage
	err := s.withVectors(ctx, slug, func(v *vectors, d *directory) {
		like, ok := ask(v, d)
		if !ok {
			return
		}
		best := make([]float64, len(d.pages))
		for i, cosine := range v.cosines(like) {
			if id := v.chunks[i].page; id < int64(len(best)) {
				best[id] = max(best[id], float64(cosine))
			}
		}
		for id, e := range d.pages {
			if best[id] >= from && e.path != "" && e.path != string(not) {
				list = append(list, SimilarPage{wiki.PageName(e.path), best[id]})
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("search: pages like %s in %s: %w", not, slug, err)
	}
	slices.SortFunc(list, func(a, b SimilarPage) int {
		return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.Page, b.Page))
	})
	return list[:min(len(list), limit)], nil
}

// Twins lists pairs of pages that say nearly the same, the most alike first. Of a
// wiki with more than 2,000 pages the first are compared.
func (s *Service) NearDuplicates(ctx context.Context, w *content.Wiki, limit int) ([]Pair, error) {
	var list []Pair
	err := s.withVectors(ctx, w.Slug(), func(v *vectors, d *directory) {
		var pages []int64
		var middles []queryVector
		for i, c := range v.chunks {
			if i > 0 && v.chunks[i-1].page == c.page || c.page >= int64(len(d.pages)) || len(pages) == maxCompared {
				continue
			}
			if m, ok := v.meanVector(func(id int64) bool { return id == c.page }, i); ok {
				pages, middles = append(pages, c.page), append(middles, m)
			}
		}
		for i, a := range middles {
			for j := range i {
				b := middles[j]
				if cosine := float64(dotProduct(a.data, b.data)) * float64(a.scale) * float64(b.scale); cosine >= minNearDuplicate {
					list = append(list, Pair{wiki.PageName(d.pages[pages[j]].path), wiki.PageName(d.pages[pages[i]].path), cosine})
				}
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("search: twins in %s: %w", w.Slug(), err)
	}
	slices.SortFunc(list, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
	})
	return list[:min(len(list), limit)], nil
}

// withVectors calls do with the vectors of a wiki, if it has an index and there
// is a model.
func (s *Service) withVectors(ctx context.Context, slug string, do func(*vectors, *directory)) error {
	if s.opts.Model == nil {
		return nil
	}
	x, release, err := s.acquireIndex(slug)
	if err != nil {
		return err
	}
	defer release()
	defer s.trimVectors(x)
	return x.retryRebuilt(func() error {
		return x.withDB(ctx, func(db *sql.DB) error {
			x.snapshotMu.RLock()
			defer x.snapshotMu.RUnlock()
			d, err := x.loadDirectory(ctx, db)
			if err != nil {
				return err
			}
			v, err := x.loadVectors(ctx, db)
			if err != nil {
				return err
			}
			do(v, d)
			return nil
		})
	})
}

// middle is the mean of the chunks of a page, in one of a direction with unit
// length. from may say where they begin.
func (v *vectors) meanVector(of func(page int64) bool, from ...int) (queryVector, bool) {
	var sum [minilm.Dim]float32
	begun := false
	start := 0
	if len(from) > 0 {
		start = from[0]
	}
	for i := start; i < len(v.chunks); i++ {
		if !of(v.chunks[i].page) {
			if begun {
				break
			}
			continue
		}
		begun = true
		for n, b := range v.data[i*minilm.Dim : (i+1)*minilm.Dim] {
			sum[n] += float32(b) * v.scales[i]
		}
	}
	if !begun {
		return queryVector{}, false
	}
	a := newQueryVector(sum[:])
	length := float32(dotProduct(a.data, a.data)) * a.scale * a.scale
	if length <= 0 {
		return queryVector{}, false
	}
	a.scale /= sqrt32(length)
	return a, true
}
