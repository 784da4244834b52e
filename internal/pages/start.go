package pages

import (
	"context"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// A StartRequest asks for the text that a new page begins with.
type StartRequest struct {
	Name     string // of the new page
	Template string // a page below Templates/, or ""
	Copy     string // a page to duplicate, or ""
}

// StartText returns the text that a person's new page begins with, in their editor: a
// template with its places filled in, or another page's text with its links spelled so
// that they lead where they led. Nothing is saved. The person
// who saves the page has read it, so it may have text by anyone.
func (s *Service) StartText(ctx context.Context, a wiki.Access, r StartRequest) (string, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return "", err
	}
	defer release()
	name, err := wiki.ParsePageName(r.Name)
	if err != nil {
		return "", err
	}
	if r.Copy != "" {
		return s.copyText(ctx, w, a, name, r.Copy)
	}
	text, err := s.fromTemplate(ctx, w, a, name, SaveRequest{Template: r.Template, Member: func(string) bool { return true }})
	return string(text), err
}

func (s *Service) copyText(ctx context.Context, w *content.Wiki, a wiki.Access, to wiki.PageName, from string) (string, error) {
	p, err := s.read(ctx, w, a, from, "")
	if err != nil {
		return "", err
	}
	d, err := s.directory(ctx, w, a)
	if err != nil {
		return "", err
	}
	release, err := w.AcquireLarge(ctx, len(p.Source))
	if err != nil {
		return "", err
	}
	defer release()
	return rebase(d.names, p.Name, to, edit.Normalize(p.Source)), nil
}
