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
type Near struct {
	Page     wiki.PageName
	Likeness float64 // cosine of the nearest sections, to 1
}

// A Pair of pages says nearly the same.
type Pair struct {
	A, B     wiki.PageName
	Likeness float64
}

// What is near enough to be named. On the pages that a development service begins
// with, most have one to five related ones, and no two are taken for twins.
const (
	relatedFrom = .45
	similarFrom = .50
	twinsFrom   = .92
	// maxTwins bounds the pages that are compared with each other: twice as many
	// take four times as long.
	maxTwins = 2000
)

// Related lists the pages that are most like a page, as far as the index knows
// now: it is not brought up to date for that, and a page that is gone may still
// be named.
func (s *Service) Related(ctx context.Context, w *content.Wiki, page wiki.PageName, limit int) ([]Near, error) {
	return s.nearest(ctx, w.Slug(), page, limit, relatedFrom, func(v *vectors, d *directory) (asked, bool) {
		return v.middle(func(id int64) bool { return id < int64(len(d.pages)) && d.pages[id].path == string(page) })
	})
}

// Similar lists the pages that say something like a text, such as that of a page
// that is being made, but for the page of that name.
func (s *Service) Similar(ctx context.Context, w *content.Wiki, page wiki.PageName, text string, limit int) ([]Near, error) {
	if s.o.Model == nil {
		return nil, nil
	}
	s.asking.Add(1)
	defer s.asking.Add(-1)
	first := cutPage(s.o.Model, newDocument(page, []byte(text), nil))[0]
	like := newAsked(s.o.Model.Embed(first.text))
	return s.nearest(ctx, w.Slug(), page, limit, similarFrom, func(*vectors, *directory) (asked, bool) { return like, true })
}

// nearest lists pages by their nearest chunk to what ask gives.
func (s *Service) nearest(ctx context.Context, slug string, not wiki.PageName, limit int, from float64, ask func(*vectors, *directory) (asked, bool)) ([]Near, error) {
	var list []Near
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
				list = append(list, Near{wiki.PageName(e.path), best[id]})
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("search: pages like %s in %s: %w", not, slug, err)
	}
	slices.SortFunc(list, func(a, b Near) int { return cmp.Or(cmp.Compare(b.Likeness, a.Likeness), cmp.Compare(a.Page, b.Page)) })
	return list[:min(len(list), limit)], nil
}

// Twins lists pairs of pages that say nearly the same, the most alike first. Of a
// wiki with more than 2,000 pages the first are compared.
func (s *Service) Twins(ctx context.Context, w *content.Wiki, limit int) ([]Pair, error) {
	var list []Pair
	err := s.withVectors(ctx, w.Slug(), func(v *vectors, d *directory) {
		var pages []int64
		var middles []asked
		for i, c := range v.chunks {
			if i > 0 && v.chunks[i-1].page == c.page || c.page >= int64(len(d.pages)) || len(pages) == maxTwins {
				continue
			}
			if m, ok := v.middle(func(id int64) bool { return id == c.page }, i); ok {
				pages, middles = append(pages, c.page), append(middles, m)
			}
		}
		for i, a := range middles {
			for j := range i {
				b := middles[j]
				if cosine := float64(dot(a.data, b.data)) * float64(a.step) * float64(b.step); cosine >= twinsFrom {
					list = append(list, Pair{wiki.PageName(d.pages[pages[j]].path), wiki.PageName(d.pages[pages[i]].path), cosine})
				}
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("search: twins in %s: %w", w.Slug(), err)
	}
	slices.SortFunc(list, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(b.Likeness, a.Likeness), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
	})
	return list[:min(len(list), limit)], nil
}

// withVectors calls do with the vectors of a wiki, if it has an index and there
// is a model.
func (s *Service) withVectors(ctx context.Context, slug string, do func(*vectors, *directory)) error {
	if s.o.Model == nil {
		return nil
	}
	x, release, err := s.index(slug)
	if err != nil {
		return err
	}
	defer release()
	defer s.trim(x)
	return x.healing(func() error {
		return x.use(ctx, func(db *sql.DB) error {
			x.settled.RLock()
			defer x.settled.RUnlock()
			d, err := x.directory(ctx, db)
			if err != nil {
				return err
			}
			v, err := x.vectors(ctx, db)
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
func (v *vectors) middle(of func(page int64) bool, from ...int) (asked, bool) {
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
			sum[n] += float32(b) * v.steps[i]
		}
	}
	if !begun {
		return asked{}, false
	}
	a := newAsked(sum[:])
	length := float32(dot(a.data, a.data)) * a.step * a.step
	if length <= 0 {
		return asked{}, false
	}
	a.step /= sqrt(length)
	return a, true
}
