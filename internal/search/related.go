package search

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"robot.wtf/internal/content"
	"robot.wtf/internal/minilm"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A SimilarPage is a page that is similar to another page or to a text.
type SimilarPage struct {
	Page       wiki.PageName
	Similarity float64 // cosine of the nearest chunk, at most 1
}

// A Pair is two pages with nearly the same content.
type Pair struct {
	A, B       wiki.PageName
	Similarity float64
}

// Minimum cosines. With the pages of a development service, most pages have one
// to five related ones, and no two pages are near-duplicates.
const (
	minRelated       = 0.45
	minSimilar       = 0.50
	MinNearDuplicate = 0.92 // of two pages that may be copies
	// maxCompared bounds how many pages are compared with each other: twice as
	// many take four times as long.
	maxCompared = 2000
)

// Similar returns the pages most similar to a text, such as that of a new page,
// except the page of the given name; none if the model doesn't understand it.
func (s *Service) Similar(ctx context.Context, w *content.Wiki, page wiki.PageName, text string, limit int) ([]SimilarPage, error) {
	if s.opts.Model == nil {
		return nil, nil
	}
	s.activeQueries.Add(1)
	defer s.activeQueries.Add(-1)
	first, err := s.firstChunk(ctx, w, page, text)
	if err != nil {
		return nil, err
	}
	if !understands(s.opts.Model, first.text) {
		return nil, nil
	}
	query := newQueryVector(s.opts.Model.Embed(first.text))
	var list []SimilarPage
	err = s.withVectors(ctx, w.Slug(), func(_ *index, v *vectors, d *directory) {
		for _, n := range v.nearest(query, d, page, minSimilar) {
			list = append(list, n.SimilarPage)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("search: find pages similar to %s in %s: %w", page, w.Slug(), sqlite.StorageError(err))
	}
	return list[:min(len(list), limit)], nil
}

// firstChunk returns the first chunk of a page's text.
func (s *Service) firstChunk(ctx context.Context, w *content.Wiki, page wiki.PageName, text string) (chunk, error) {
	release, err := acquireDocument(ctx, s.documents, w, len(text))
	if err != nil {
		return chunk{}, err
	}
	defer release()
	return chunkPage(s.opts.Model, newDocument(page, []byte(text), nil))[0], nil
}

// NearDuplicates returns pairs of pages with nearly the same content, most
// similar first. It compares at most the first 2,000 pages.
func (s *Service) NearDuplicates(ctx context.Context, w *content.Wiki, limit int) ([]Pair, error) {
	var list []Pair
	err := s.withVectors(ctx, w.Slug(), func(_ *index, v *vectors, d *directory) {
		var pages []int64
		var means []queryVector
		for i, c := range v.chunks {
			if i > 0 && v.chunks[i-1].page == c.page || c.page >= int64(len(d.pages)) || len(pages) == maxCompared {
				continue
			}
			if m, ok := v.meanVector(func(id int64) bool { return id == c.page }, i); ok {
				pages, means = append(pages, c.page), append(means, m)
			}
		}
		for i, a := range means {
			for j := range i {
				b := means[j]
				if cosine := float64(dotProduct(a.data, b.data)) * float64(a.scale) * float64(b.scale); cosine >= MinNearDuplicate {
					list = append(list, Pair{wiki.PageName(d.pages[pages[j]].path), wiki.PageName(d.pages[pages[i]].path), cosine})
				}
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("search: find near-duplicates in %s: %w", w.Slug(), sqlite.StorageError(err))
	}
	slices.SortFunc(list, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
	})
	return list[:min(len(list), limit)], nil
}

// withVectors calls do with a wiki's index and vectors. Without a model it does nothing.
func (s *Service) withVectors(ctx context.Context, slug string, do func(*index, *vectors, *directory)) error {
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
			v, err := x.loadVectors(ctx)
			if err != nil {
				return err
			}
			do(x, v, d)
			return nil
		})
	})
}

// meanVector returns the mean of a page's chunks, scaled to unit length. from
// optionally says where the page's chunks start.
func (v *vectors) meanVector(isPage func(page int64) bool, from ...int) (queryVector, bool) {
	var sum [minilm.Dim]float32
	started := false
	start := 0
	if len(from) > 0 {
		start = from[0]
	}
	for i := start; i < len(v.chunks); i++ {
		if !isPage(v.chunks[i].page) {
			if started {
				break
			}
			continue
		}
		started = true
		for n, b := range v.data[i*minilm.Dim : (i+1)*minilm.Dim] {
			sum[n] += float32(b) * v.scales[i]
		}
	}
	if !started {
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
