package pages

import (
	"context"
	"fmt"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// Withheld is a page or file that may not be shown.
type Withheld = content.Withheld

// Withhold takes a page, or a file by its whole name, out of every door, with
// all its revisions: they answer ErrWithheld. It gives the file. For the
// operator alone.
func (s *Service) Withhold(ctx context.Context, a wiki.Access, name, why string) (file string, err error) {
	w, file, release, err := s.openNamed(ctx, a, name)
	if err != nil {
		return "", err
	}
	defer release()
	if err := w.Withhold(ctx, file, why); err != nil {
		return "", fmt.Errorf("pages: %w", err)
	}
	return file, s.forget(w)
}

// Release takes Withhold back.
func (s *Service) Release(ctx context.Context, a wiki.Access, name string) (file string, err error) {
	w, file, release, err := s.openNamed(ctx, a, name)
	if err != nil {
		return "", err
	}
	defer release()
	if err := w.Release(ctx, file); err != nil {
		return "", fmt.Errorf("pages: %w", err)
	}
	return file, s.forget(w)
}

// Withholding lists what is withheld in a wiki, for its members.
func (s *Service) Withholding(ctx context.Context, a wiki.Access) ([]Withheld, error) {
	if a.Role() < wiki.Viewer {
		return nil, nil
	}
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	return w.Withholding(ctx)
}

// openNamed opens a wiki for the operator, and finds the file of a name, which
// need not be there any more.
func (s *Service) openNamed(ctx context.Context, a wiki.Access, name string) (*content.Wiki, string, func(), error) {
	if !a.Caller().Operator {
		return nil, "", nil, wiki.Problemf(wiki.ErrDenied, "", "Only who runs this service may do that.")
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
	return nil, "", nil, wiki.Problemf(wiki.ErrNotFound, "page", "There is no page or file %q in %s, and there was none.", name, a.Site().Slug)
}

// forget drops all that was derived from what may not be shown any more, or may
// be again.
func (s *Service) forget(w *content.Wiki) error {
	s.cache.InvalidateAll()
	if err := s.search.Reset(w.Slug()); err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	return nil
}
