package pages

import (
	"context"
	"strings"

	"robot.wtf/internal/wiki"
)

// Kind is the kind of a path.
type Kind int

// The kinds.
const (
	KindPage   Kind = iota
	KindFile        // an attachment
	KindFolder      // not a page, but there are pages below it
)

// Found is the result of Find.
type Found struct {
	Kind Kind
	Path string // page name, file path or folder in its canonical spelling
}

// Find resolves a path (unescaped, without leading slash): a file with exactly
// that name, else a page (with or without ".md"), else a folder. Another spelling
// or a former name, or an alias, is a *wiki.Redirect without query and suffix. ErrNotFound if
// nothing matches, ErrInvalid for impossible names. It runs no statement for
// existing paths.
func (s *Service) Find(ctx context.Context, a wiki.Access, path string) (Found, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return Found{}, err
	}
	defer release()
	if !isServable(path) {
		if _, err := wiki.ParsePageName(path); err != nil {
			return Found{}, err
		}
		return Found{}, noPage(wiki.PageName(path))
	}
	d, err := s.directory(ctx, w, a)
	if err != nil {
		return Found{}, err
	}
	if f, ok := d.find(path); ok {
		if f.Path != strings.TrimSuffix(path, ".md") && f.Path != path {
			return Found{}, &wiki.Redirect{To: wiki.PathURL(f.Path), Permanent: true}
		}
		return f, nil
	}
	return Found{}, d.redirectOrMissing(path)
}

// find looks a path up. An exact spelling goes before others.
func (n *names) find(asked string) (Found, bool) {
	trimmed := strings.Trim(asked, "/")
	file, isFile := n.file(trimmed)
	page, isPage := n.page(trimmed)
	folder, isFolder := n.folders[wiki.Key(trimmed)]
	name, _ := wiki.PageOf(page)
	switch {
	case isFile && (file == trimmed || !isPage || string(name) != trimmed):
		return Found{KindFile, file}, true
	case isPage:
		return Found{KindPage, string(name)}, true
	case isFolder:
		return Found{KindFolder, folder}, true
	}
	if file, ok := n.file(trimmed + ".md"); ok { // "README.MD"
		return Found{KindFile, file}, true
	}
	if stem, ok := wiki.CutPageEnding(trimmed); ok { // "Guide.markdown" became "Guide.md"
		if file, ok := n.page(stem); ok {
			name, _ := wiki.PageOf(file)
			return Found{KindPage, string(name)}, true
		}
	}
	return Found{}, false
}

// redirectOrMissing returns the error for a path that doesn't exist: a redirect
// if it was moved or is the alias of one page, else ErrNotFound or ErrInvalid.
func (n *names) redirectOrMissing(asked string) error {
	name, invalid := wiki.ParsePageName(asked)
	if invalid != nil {
		return invalid
	}
	for _, p := range []string{name.File(), strings.Trim(asked, "/")} {
		if to := n.movedTo(p); to != "" {
			return &wiki.Redirect{To: wiki.PathURL(strings.TrimSuffix(to, ".md"))}
		}
	}
	if pages := n.byAlias[wiki.FoldName(string(name))]; len(pages) == 1 {
		return &wiki.Redirect{To: wiki.PathURL(strings.TrimSuffix(pages[0], ".md"))}
	}
	return noPage(name)
}
