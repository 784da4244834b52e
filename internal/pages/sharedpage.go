package pages

import (
	"context"
	"fmt"
	"html"
	"html/template"
	"strings"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A page can be shown to people who can't read its wiki, by a secret link (package
// tenant). They see the page with its pictures: no link in it leads into the wiki, and
// embedded and listed pages aren't shown.

// A SharedPage identifies a page from the time on at which it was shared, whatever its
// name is now.
type SharedPage struct {
	Name wiki.PageName // at that time
	Seq  int64         // number of the wiki's newest commit then
	At   time.Time
}

// Shareable returns the name of a page and the number of the wiki's newest commit, which
// together identify the page from then on.
func (s *Service) Shareable(ctx context.Context, a wiki.Access, name string) (page wiki.PageName, seq int64, err error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return "", 0, err
	}
	defer release()
	seq, _ = w.Head()
	page, f, err := lookup(ctx, w, name)
	if err != nil {
		return "", 0, err
	}
	return page, max(seq, f.Seq), nil
}

// SharedName returns the present name of a page that was shared. It fails with
// ErrNotFound if the page was deleted or merged into another.
func (s *Service) SharedName(ctx context.Context, a wiki.Access, shared SharedPage) (wiki.PageName, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return "", err
	}
	defer release()
	name, _, err := sharedFile(ctx, w, shared)
	return name, err
}

func sharedFile(ctx context.Context, w *content.Wiki, shared SharedPage) (wiki.PageName, wiki.File, error) {
	f, err := w.FileSince(ctx, shared.Name.File(), shared.Seq, shared.At)
	if err != nil {
		return "", f, err
	}
	name, ok := wiki.PageOf(f.Path)
	if !ok || wiki.Hidden(f.Path) {
		return "", f, wiki.ErrNotFound
	}
	return name, f, nil
}

// ViewShared renders a page that was shared. The addresses of its pictures begin with
// pictures, which ends in a slash.
func (s *Service) ViewShared(ctx context.Context, a wiki.Access, shared SharedPage, pictures string) (*View, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	v, _, err := s.viewShared(ctx, w, a, shared, pictures)
	return v, err
}

func (s *Service) viewShared(ctx context.Context, w *content.Wiki, a wiki.Access, shared SharedPage, pictures string) (*View, *sharedResolver, error) {
	name, f, err := sharedFile(ctx, w, shared)
	if err != nil {
		return nil, nil, err
	}
	d, err := s.directory(ctx, w, a)
	if err != nil {
		return nil, nil, err
	}
	source, err := w.CurrentBlob(ctx, f)
	if err != nil {
		return nil, nil, fmt.Errorf("pages: read %s/%s: %w", w.Slug(), f.Path, err)
	}
	v := &View{Page: Page{Name: name, File: f, Current: f.Blob}}
	v.Source, v.Stored = wiki.DecodeText(source)
	r := &sharedResolver{inner: s.newResolver(w, d, name), address: pictures, files: map[string]string{}}
	release, err := w.AcquireLarge(ctx, len(v.Source))
	if err != nil {
		return nil, nil, err
	}
	defer release()
	page, err := s.renderUnlessSlow(&v.Page, r.inner, func() (*markdown.Page, error) {
		return s.markdown.Render(ctx, w.Slug(), name, v.Source, r)
	})
	return v, r, v.setRendered(page, a.Site().Lang, err)
}

// sharedPictures are the files that a shared page shows, at one head of the wiki.
type sharedPictures map[string]bool

func (p sharedPictures) weight() uint32 { return uint32(100 * (1 + len(p))) }

// MayShowShared returns nil if a shared page shows the file as a picture now, otherwise
// ErrNotFound.
func (s *Service) MayShowShared(ctx context.Context, a wiki.Access, shared SharedPage, file string) error {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return err
	}
	defer release()
	_, head := w.Head()
	key := cacheKey{"shared pictures", w.Slug(), fmt.Sprintf("%s\x00%d\x00%s", shared.Name, shared.Seq, head)}
	shown, ok := s.views.GetIfPresent(key)
	if !ok {
		forgotten := s.forgotten.Load()
		v, r, err := s.viewShared(ctx, w, a, shared, "/-/")
		if err != nil {
			return err
		}
		shown = r.shownIn(v.Body)
		s.cacheUnlessForgotten(forgotten, key, shown)
	}
	if !shown.(sharedPictures)[file] {
		return wiki.ErrNotFound
	}
	return nil
}

// A sharedResolver resolves the pictures of a page, and nothing else.
type sharedResolver struct {
	inner   *resolver
	address string            // of the pictures
	files   map[string]string // by address; the page can also link them
}

// shownIn returns the files that a rendered page shows.
func (r *sharedResolver) shownIn(body template.HTML) sharedPictures {
	shown := sharedPictures{}
	for address, file := range r.files {
		img := `<img src="` + html.EscapeString(address)
		shown[file] = shown[file] || strings.Contains(string(body), img+`"`) || strings.Contains(string(body), img+`?`)
	}
	return shown
}

// Detached implements markdown.DetachedResolver.
func (*sharedResolver) Detached() {}

// Resolve implements markdown.Resolver.
func (r *sharedResolver) Resolve(ctx context.Context, l wiki.Link, fragment string) markdown.Target {
	if l.Kind != wiki.LinkFile && l.Kind != wiki.LinkEmbed {
		return markdown.Target{}
	}
	a, _ := r.inner.answer(ctx, l, fragment, false)
	if !a.got.Exists || !a.got.Image {
		return markdown.Target{}
	}
	a.got.URL = r.address + a.got.URL[1:]
	r.files[a.got.URL] = r.inner.names.lead(r.inner.self, l).file
	if a.got.Smaller != "" {
		a.got.Smaller = r.address + a.got.Smaller[1:]
	}
	return a.got
}
