package pages

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"strings"
	"sync/atomic"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A Page is a page's source with what is known of it.
type Page struct {
	Name    wiki.PageName
	File    wiki.File // as of the revision asked for
	Source  []byte
	Old     bool           // an old revision was asked for, and it is not the newest
	Current string         // blob id of the newest revision, "" if the page is deleted now
	Props   map[string]any // front matter, nil if there is none or it is not a mapping
	Tags    []string
}

// Page reads a page by a name of any spelling; revision is "" or as design 5
// has it. A former name is a *wiki.Redirect, unless a revision is asked for.
func (s *Service) Page(ctx context.Context, a wiki.Access, name, revision string) (*Page, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	p, err := s.read(ctx, w, name, revision)
	if err != nil {
		return nil, err
	}
	p.Props = frontMatter(p.Source)
	p.Tags = markdown.ExtractFacts(p.Name, p.Source).Tags
	return p, nil
}

// read fills a Page but for what is in its source.
func (s *Service) read(ctx context.Context, w *content.Wiki, name, revision string) (*Page, error) {
	found, now, err := lookup(ctx, w, name)
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return nil, err
	}
	missing := err
	p := &Page{Name: found, File: now, Current: now.Blob}
	if revision != "" {
		path := found.File()
		if missing == nil {
			path = now.Path
		}
		if p.File, p.Source, err = at(ctx, w, path, revision); err != nil {
			return nil, err
		}
		if missing != nil {
			p.Current, err = s.nowAt(ctx, w, path)
		}
		p.Old = p.File.Blob != p.Current
		return p, err
	}
	if missing != nil {
		d, err := s.directory(ctx, w)
		if err != nil {
			return nil, err
		}
		return nil, d.former(ctx, w, name)
	}
	if p.Source, err = w.Blob(ctx, now.Blob); err != nil {
		return nil, fmt.Errorf("pages: read %s/%s: %w", w.Slug(), now.Path, err)
	}
	return p, nil
}

// nowAt is the blob that a former path's file has now, "" if it is deleted.
func (s *Service) nowAt(ctx context.Context, w *content.Wiki, path string) (string, error) {
	to, err := w.MovedTo(ctx, path)
	if err == nil {
		var f wiki.File
		if f, err = w.Lookup(ctx, to); err == nil {
			return f.Blob, nil
		}
	}
	if errors.Is(err, wiki.ErrNotFound) {
		return "", nil
	}
	return "", err
}

// at reads a file as of a revision that somebody typed or linked.
func at(ctx context.Context, w *content.Wiki, path, revision string) (wiki.File, []byte, error) {
	revision = strings.ToLower(strings.TrimSpace(revision))
	if len(revision) < 7 || len(revision) > 40 || strings.Trim(revision, "0123456789abcdef") != "" {
		return wiki.File{}, nil, wiki.Problemf(wiki.ErrInvalid, "revision", "A revision is 7 to 40 hexadecimal digits.")
	}
	f, data, err := w.ReadAt(ctx, path, revision)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return f, nil, wiki.Problemf(wiki.ErrNotFound, "revision", "%q has no revision %s.", strings.TrimSuffix(path, ".md"), revision)
	case err == nil && wiki.Hidden(f.Path):
		return wiki.File{}, nil, wiki.Problemf(wiki.ErrNotFound, "path", "There is no such page.")
	}
	return f, data, err
}

// A View is a page made ready to be read.
type View struct {
	Page
	Title      string
	Body       template.HTML
	Blame      []BlamePart // the body, by who wrote what
	Headings   []Heading
	Properties []Prop
	Notices    []string // what could not be shown as asked; if Body is empty, show Source
	Backlinks  []Backlink
	Related    []wiki.PageName // like it in meaning, of current pages only
	Below      int             // pages in the folder of the page's name
}

// A Backlink is a page that links here.
type Backlink struct {
	Name wiki.PageName
	Text string // words around the link
}

// View renders a page; names and revisions are as for Page. Props is left nil.
func (s *Service) View(ctx context.Context, a wiki.Access, name, revision string) (*View, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	p, err := s.read(ctx, w, name, revision)
	if err != nil {
		return nil, err
	}
	d, err := s.directory(ctx, w)
	if err != nil {
		return nil, err
	}
	v := &View{Page: *p}
	rendered, err := s.rendered(ctx, w, d, p)
	if err := v.show(rendered, err); err != nil {
		return nil, err
	}
	if rendered != nil && !p.Old {
		by, err := s.authorship(ctx, w, p.File, p.Source)
		if err != nil {
			return nil, err
		}
		v.Blame = by.parts(rendered.HTML, rendered.Blocks, p.Source)
	}
	links, err := w.LinksTo(ctx, p.Name.File())
	if err != nil {
		return nil, err
	}
	v.Backlinks = backlinks(d, p.Name, links)
	if !p.Old {
		v.Related = s.related(ctx, w, d, v)
	}
	for _, below := range d.below(string(p.Name)) {
		if _, ok := wiki.PageOf(below); ok {
			v.Below++
		}
	}
	return v, nil
}

// Preview renders a text as if it were the page's.
func (s *Service) Preview(ctx context.Context, a wiki.Access, name string, text []byte) (*View, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return nil, err
	}
	defer release()
	found, file, err := lookup(ctx, w, name)
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return nil, err
	}
	if err := checkText(text, a.Site().Limits); err != nil {
		return nil, err
	}
	d, err := s.directory(ctx, w)
	if err != nil {
		return nil, err
	}
	v := &View{Page: Page{Name: found, File: file, Current: file.Blob, Source: text}}
	page, err := s.markdown.Render(ctx, found, text, &resolver{w: w, names: d, self: found})
	if err := v.show(page, err); err != nil {
		return nil, err
	}
	return v, nil
}

// show takes over what rendering came to. A page that cannot be rendered is
// still shown, as its source.
func (v *View) show(page *markdown.Page, err error) error {
	v.Title = v.Name.Title()
	var problem *wiki.Problem
	switch {
	case errors.As(err, &problem):
		v.Notices = []string{problem.Message}
		return nil
	case err != nil:
		return fmt.Errorf("pages: render %s: %w", v.Name, err)
	}
	if page.Title != "" {
		v.Title = page.Title
	}
	v.Body, v.Headings, v.Properties = page.HTML, page.Headings, page.Props
	v.Tags, v.Notices = page.Tags, page.Notices
	return nil
}

// backlinks lists each linking page once, with the words of its first link.
func backlinks(d *directory, to wiki.PageName, links []wiki.Link) []Backlink {
	var list []Backlink
	seen := map[string]bool{to.Key(): true}
	for _, l := range links {
		file, ok := d.page(l.From)
		if !ok || seen[wiki.Key(file)] {
			continue
		}
		seen[wiki.Key(file)] = true
		name, _ := wiki.PageOf(file)
		list = append(list, Backlink{name, l.Text})
	}
	return list
}

// A body is a rendered page with the answers that its links got, so that it can
// be seen whether they would still be the same.
type body struct {
	page    *markdown.Page
	answers []answer
	head    atomic.Pointer[string] // commit id at which the answers last held
}

func (b *body) weight() uint32 {
	n := 500 + len(b.page.HTML) + 200*len(b.page.Headings) + 24*len(b.page.Blocks)
	for _, p := range b.page.Props {
		for _, v := range p.Values {
			n += 50 + len(v)
		}
	}
	for _, a := range b.answers {
		n += 200 + len(a.target) + len(a.got.URL)
	}
	return uint32(min(n, 1<<30))
}

// rendered is a page's body, from the cache while its links lead to the same.
func (s *Service) rendered(ctx context.Context, w *content.Wiki, d *directory, p *Page) (*markdown.Page, error) {
	key := cacheKey{"body", w.Slug(), string(p.Name) + "\x00" + p.File.Blob}
	r := &resolver{w: w, names: d, self: p.Name}
	if c, ok := s.cache.GetIfPresent(key); ok {
		b := c.(*body)
		if at := b.head.Load(); at != nil && *at == d.head {
			return b.page, nil
		}
		if r.holds(ctx, b.answers) {
			b.head.Store(&d.head)
			return b.page, nil
		}
	}
	page, err := s.markdown.Render(ctx, p.Name, p.Source, r)
	if err != nil {
		return nil, err
	}
	if r.failed == nil {
		b := &body{page: page, answers: r.answers}
		b.head.Store(&d.head)
		s.cache.Set(key, b)
	}
	return page, nil
}
