package search

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"robot.wtf/internal/content"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// Neighbours are the pages most similar to a page, as of one state of the vectors.
type Neighbours struct {
	Pages []SimilarPage // the most similar first

	ids   []int64     // of Pages
	more  bool        // there are others, which are less similar
	page  int64       // id of the page, 0 if it has no vector
	query queryVector // the page's
	state vectorState
}

// Weight is the memory that n takes in bytes.
func (n *Neighbours) Weight() int { return 200 + len(n.query.data) + 100*len(n.Pages) }

// Related returns the pages most similar to a page, by the mean of its chunks; none if
// the model understands none of them. If before, an earlier result, isn't nil, only the
// pages that changed since are compared. While the page itself has no vectors, because
// its text is new, the result is before.
//
// It uses the index as it is, without catching up, so a deleted page can still be listed.
func (s *Service) Related(ctx context.Context, w *content.Wiki, page wiki.PageName, limit int, before *Neighbours) (*Neighbours, error) {
	next := &Neighbours{}
	err := s.withVectors(ctx, w.Slug(), func(x *index, v *vectors, d *directory) {
		if changed, ok := x.vectorChanges.since(before, x.generation); ok && next.follow(before, v, d, changed, limit) {
			next.state = x.vectorChanges.state
			return
		}
		next = &Neighbours{state: x.vectorChanges.state}
		id := int64(slices.IndexFunc(d.pages, func(e pageEntry) bool { return e.path == string(page) }))
		switch {
		case id < 0:
		case v.firstOf(id) < v.firstOf(id+1):
			next.compare(id, v, d, limit)
		case before != nil:
			next = before
		}
	})
	if err != nil {
		return nil, fmt.Errorf("search: find pages related to %s in %s: %w", page, w.Slug(), sqlite.StorageError(err))
	}
	return next, nil
}

// compare sets the neighbours of a page with vectors by comparing it with all others.
func (n *Neighbours) compare(page int64, v *vectors, d *directory, limit int) {
	n.page = page
	var ok bool
	if n.query, ok = v.meanVector(func(id int64) bool { return id == page }, v.firstOf(page)); ok {
		n.set(v.nearest(n.query, d, wiki.PageName(d.pages[page].path), minRelated), limit)
	}
}

// follow sets the neighbours from those before some pages changed. It returns false if
// all pages have to be compared.
func (n *Neighbours) follow(before *Neighbours, v *vectors, d *directory, changed map[int64]bool, limit int) bool {
	if before.page == 0 || changed[before.page] {
		return false
	}
	n.page, n.query = before.page, before.query
	var list []neighbour
	for i, id := range before.ids {
		if !changed[id] {
			list = append(list, neighbour{before.Pages[i], id})
		}
	}
	if before.more && len(list) < len(before.ids) {
		return false // one that isn't listed comes next
	}
	for id := range changed {
		if id >= int64(len(d.pages)) || d.pages[id].path == "" || n.query.data == nil {
			continue
		}
		best := float32(0)
		for i := v.firstOf(id); i < v.firstOf(id+1); i++ {
			best = max(best, v.cosine(i, n.query))
		}
		if float64(best) >= minRelated {
			list = append(list, neighbour{SimilarPage{wiki.PageName(d.pages[id].path), float64(best)}, id})
		}
	}
	sortNeighbours(list)
	n.set(list, limit)
	n.more = n.more || before.more
	return true
}

// set sets the pages to the first of a list.
func (n *Neighbours) set(list []neighbour, limit int) {
	n.more = len(list) > limit
	for _, other := range list[:min(len(list), limit)] {
		n.Pages, n.ids = append(n.Pages, other.SimilarPage), append(n.ids, other.id)
	}
}

// A neighbour is a similar page with its id in the index.
type neighbour struct {
	SimilarPage
	id int64
}

func sortNeighbours(list []neighbour) {
	slices.SortFunc(list, func(a, b neighbour) int {
		return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.Page, b.Page))
	})
}

// nearest returns pages by the cosine of their nearest chunk with a vector, the most
// similar first, except the page named exclude.
func (v *vectors) nearest(query queryVector, d *directory, exclude wiki.PageName, minCosine float64) []neighbour {
	best := make([]float64, len(d.pages))
	for i, cosine := range v.cosines(query) {
		if id := v.chunks[i].page; id < int64(len(best)) {
			best[id] = max(best[id], float64(cosine))
		}
	}
	var list []neighbour
	for id, e := range d.pages {
		if best[id] >= minCosine && e.path != "" && e.path != string(exclude) {
			list = append(list, neighbour{SimilarPage{wiki.PageName(e.path), best[id]}, int64(id)})
		}
	}
	sortNeighbours(list)
	return list
}

// A vectorState identifies a state of an index's vectors: page ids mean the same in one
// generation of the index.
type vectorState struct {
	index      *index
	generation int
	changes    int // since the index was made
}

// vectorChanges are the latest changes of an index's vectors, guarded by snapshotMu.
type vectorChanges struct {
	state  vectorState
	recent []map[int64]bool // pages whose vectors changed, the newest last
}

// maxVectorChanges is the number of changes that are remembered.
const maxVectorChanges = 64

// add remembers a change. Those of another generation are forgotten.
func (c *vectorChanges) add(x *index, pages map[int64]bool) {
	if c.state.index != x || c.state.generation != x.generation {
		*c = vectorChanges{state: vectorState{x, x.generation, c.state.changes}}
	}
	c.state.changes++
	c.recent = append(slices.Clone(c.recent[max(0, len(c.recent)-maxVectorChanges+1):]), maps.Clone(pages))
}

// since returns the pages whose vectors changed since an earlier result, false if they
// aren't known. generation is that of the index now.
func (c *vectorChanges) since(before *Neighbours, generation int) (map[int64]bool, bool) {
	known := before != nil && before.state.index != nil && before.state.index == c.state.index &&
		before.state.generation == generation && c.state.generation == generation
	if !known {
		return nil, false
	}
	steps := c.state.changes - before.state.changes
	if steps > len(c.recent) {
		return nil, false
	}
	pages := map[int64]bool{}
	for _, p := range c.recent[len(c.recent)-steps:] {
		maps.Copy(pages, p)
	}
	return pages, true
}
