package service

import (
	"context"
	"errors"
	"maps"
	"sync"

	"robot.wtf/internal/content"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// sizes keeps the sizes of wikis in the platform's database, for the operator's
// lists. A wiki that was changed is counted at the next sweep, or when it is asked for.
type sizes struct {
	content *content.Pool
	store   *store.DB

	mu      sync.Mutex
	changed map[string]bool
}

func newSizes(pool *content.Pool, db *store.DB) *sizes {
	return &sizes{content: pool, store: db, changed: map[string]bool{}}
}

// note marks a wiki as changed.
func (s *sizes) note(slug string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed[slug] = true
}

// takeChanged returns the changed wikis, which are no longer marked.
func (s *sizes) takeChanged() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.changed
	s.changed = map[string]bool{}
	return changed
}

// Sweep counts the wikis that were changed. One that can't be counted keeps its
// former size until the next change.
func (s *sizes) Sweep(ctx context.Context) error {
	var errs []error
	for slug := range s.takeChanged() {
		_, err := s.count(ctx, slug)
		switch {
		case errors.Is(err, context.Canceled):
			s.note(slug)
		case !errors.Is(err, wiki.ErrNotFound): // or it is gone
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// count reads a wiki's size and records it.
func (s *sizes) count(ctx context.Context, slug string) (store.Size, error) {
	w, release, err := s.content.Open(ctx, slug)
	if err != nil {
		return store.Size{}, err
	}
	defer release()
	stats, err := w.Stats(ctx)
	if err != nil {
		return store.Size{}, err
	}
	size := store.Size{Pages: stats.Pages, Files: stats.Files, Current: stats.CurrentBytes, History: stats.HistoryBytes}
	return size, s.store.SetSize(ctx, slug, size)
}

// Sizes returns the sizes of wikis. Only those that were changed or never counted are
// opened; a wiki that can't be opened has none.
func (s *Service) Sizes(ctx context.Context, slugs []string) (map[string]store.Size, error) {
	recorded, err := s.Store.Sizes(ctx)
	if err != nil {
		return nil, err
	}
	current := maps.Clone(recorded)
	changed := s.sizes.takeChanged()
	for _, slug := range slugs {
		if _, known := recorded[slug]; known && !changed[slug] {
			continue
		}
		delete(current, slug)
		if size, err := s.sizes.count(ctx, slug); err == nil {
			current[slug] = size
			delete(changed, slug)
		}
	}
	for slug := range changed { // not counted
		s.sizes.note(slug)
	}
	return current, ctx.Err()
}
