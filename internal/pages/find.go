package pages

import (
	"context"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// Kind is what a path of the wiki leads to.
type Kind int

// The kinds.
const (
	KindPage   Kind = iota
	KindFile        // an attachment
	KindFolder      // no page, but pages below
)

// Found is what a path leads to.
type Found struct {
	Kind Kind
	Path string // page name, file path or folder, as it is spelled
}

// Find says what a path (unescaped, without leading slash) leads to: a file of
// that very name, else a page, else a folder. A page may be asked for by its
// file's name, with ".md". Another spelling and a former name are a
// *wiki.Redirect (which keeps neither query nor suffix: the caller adds them);
// otherwise ErrNotFound, or ErrInvalid for names that cannot be. What exists is
// found without a statement.
func (s *Service) Find(ctx context.Context, a wiki.Access, path string) (Found, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return Found{}, err
	}
	defer release()
	if !sound(path) {
		if _, err := wiki.ParsePageName(path); err != nil {
			return Found{}, err
		}
		return Found{}, noPage(wiki.PageName(path))
	}
	d, err := s.directory(ctx, w)
	if err != nil {
		return Found{}, err
	}
	if f, ok := d.find(path); ok {
		if f.Path != strings.TrimSuffix(path, ".md") && f.Path != path {
			return Found{}, &wiki.Redirect{To: wiki.PathURL(f.Path), Permanent: true}
		}
		return f, nil
	}
	return Found{}, d.former(ctx, w, path)
}

// find looks for a path, the spelling that was asked for before others.
func (d *directory) find(asked string) (Found, bool) {
	trimmed := strings.Trim(asked, "/")
	file, isFile := d.file(trimmed)
	page, isPage := d.page(trimmed)
	folder, isFolder := d.folders[wiki.Key(trimmed)]
	name, _ := wiki.PageOf(page)
	switch {
	case isFile && (file == trimmed || !isPage || string(name) != trimmed):
		return Found{KindFile, file}, true
	case isPage:
		return Found{KindPage, string(name)}, true
	case isFolder:
		return Found{KindFolder, folder}, true
	}
	return Found{}, false
}

// former answers for a path that leads nowhere: a redirect to where it was
// moved, or why there is nothing.
func (d *directory) former(ctx context.Context, w *content.Wiki, asked string) error {
	name, invalid := wiki.ParsePageName(asked)
	if invalid != nil {
		return invalid
	}
	for _, p := range []string{name.File(), strings.Trim(asked, "/")} {
		to, err := d.movedTo(ctx, w, p)
		if err != nil {
			return err
		}
		if to != "" {
			return &wiki.Redirect{To: wiki.PathURL(strings.TrimSuffix(to, ".md"))}
		}
	}
	return noPage(name)
}
