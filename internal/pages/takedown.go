package pages

import (
	"context"
	"fmt"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// A Takedown hides a page or file.
type Takedown = content.Takedown

// TakeDown hides a page, or a file by its full name, with all its revisions, and
// returns the file's path. Reading it fails with ErrTakenDown. Only the operator
// can do this.
func (s *Service) TakeDown(ctx context.Context, a wiki.Access, name, why string) (file string, err error) {
	w, file, release, err := s.openNamed(ctx, a, name)
	if err != nil {
		return "", err
	}
	defer release()
	if err := w.TakeDown(ctx, file, why); err != nil {
		return "", fmt.Errorf("pages: %w", err)
	}
	return file, s.forget(w)
}

// LiftTakedown makes a page or file readable again.
func (s *Service) LiftTakedown(ctx context.Context, a wiki.Access, name string) (file string, err error) {
	w, file, release, err := s.openNamed(ctx, a, name)
	if err != nil {
		return "", err
	}
	defer release()
	if err := w.LiftTakedown(ctx, file); err != nil {
		return "", fmt.Errorf("pages: %w", err)
	}
	return file, s.forget(w)
}

// Takedowns lists a wiki's takedowns; it is empty for non-members.
func (s *Service) Takedowns(ctx context.Context, a wiki.Access) ([]Takedown, error) {
	if a.Role() < wiki.Viewer {
		return nil, nil
	}
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	return w.Takedowns(ctx)
}

// openNamed opens a wiki for the operator and finds a file by name, even one
// that was deleted.
func (s *Service) openNamed(ctx context.Context, a wiki.Access, name string) (*content.Wiki, string, func(), error) {
	if !a.Caller().Operator {
		return nil, "", nil, wiki.Problemf(wiki.ErrDenied, "", "Only the operator can do that.")
	}
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, "", nil, err
	}
	name = strings.Trim(name, "/")
	for _, file := range []string{name + ".md", name} {
		if f, err := w.Lookup(ctx, file); err == nil {
			return w, f.Path, release, nil
		}
	}
	for _, file := range []string{name + ".md", name} { // deleted, but its history is there
		if h, err := w.History(ctx, file, 0, 1); err == nil && len(h) > 0 {
			return w, file, release, nil
		}
	}
	release()
	return nil, "", nil, wiki.Problemf(wiki.ErrNotFound, "page", "There is no page or file %q in %s, and there never was.", name, a.Site().Slug)
}

// cacheUnlessForgotten caches a value that was computed since forgotten had the given
// value, unless something was taken down or erased meanwhile.
func (s *Service) cacheUnlessForgotten(since uint64, key cacheKey, v cached) {
	if s.forgotten.Load() == since {
		s.views.Set(key, v)
	}
}

// forget drops everything derived from content whose visibility changed.
func (s *Service) forget(w *content.Wiki) error {
	s.forgotten.Add(1)
	s.cache.InvalidateAll()
	s.views.InvalidateAll()
	if err := s.search.Reset(w.Slug()); err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	return nil
}
