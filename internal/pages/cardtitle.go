package pages

import (
	"context"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A cardTitle is the cached title of a version of a page.
type cardTitle string

func (t cardTitle) weight() uint32 { return uint32(len(t)) }

// CardTitle returns the title of a current page of a public wiki, for the card that
// others make of a link to it. It fails with ErrNotFound in a private wiki, and with
// ErrTakenDown for a page that can't be shown.
func (s *Service) CardTitle(ctx context.Context, a wiki.Access, name string) (string, error) {
	if !a.Site().Public {
		return "", wiki.ErrNotFound
	}
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return "", err
	}
	defer release()
	p, err := s.read(ctx, w, a, name, "")
	if err != nil {
		return "", err
	}
	key := cacheKey{"title", w.Slug(), string(p.Name) + "\x00" + p.File.Blob}
	if c, ok := s.views.GetIfPresent(key); ok {
		return string(c.(cardTitle)), nil
	}
	parsed, err := w.AcquireLarge(ctx, len(p.Source))
	if err != nil {
		return "", err
	}
	defer parsed()
	title := markdown.ExtractFacts(p.Name, p.Source).Title
	if title == "" {
		title = p.Name.Title()
	}
	s.views.Set(key, cardTitle(title))
	return title, nil
}
