package pages

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"strings"
	"sync/atomic"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A Page is a page's source with its metadata.
type Page struct {
	Name    wiki.PageName
	File    wiki.File      // as of the revision asked for
	Source  []byte         // in UTF-8
	Stored  wiki.Encoding  // of the file, "" for UTF-8: saving converts it
	Old     bool           // the revision asked for isn't the newest
	Current string         // blob id of the newest revision, "" if the page is deleted
	Props   map[string]any // front matter, nil if it has none or it isn't a mapping
	Tags    []string
}

// Page reads a page by its name in any spelling. revision is "" for the newest, a
// blob id or a commit id. A former name is a *wiki.Redirect if revision is "".
func (s *Service) Page(ctx context.Context, a wiki.Access, name, revision string) (*Page, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	p, err := s.read(ctx, w, a, name, revision)
	if err != nil {
		return nil, err
	}
	parsed, err := w.AcquireLarge(ctx, len(p.Source))
	if err != nil {
		return nil, err
	}
	defer parsed()
	p.Props = frontMatter(p.Source)
	p.Tags = markdown.ExtractFacts(p.Name, p.Source).Tags
	return p, nil
}

// read reads a page without parsing its source.
func (s *Service) read(ctx context.Context, w *content.Wiki, a wiki.Access, name, revision string) (*Page, error) {
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
		if p.File, p.Source, err = readRevision(ctx, w, path, revision); err != nil {
			return nil, err
		}
		p.Source, p.Stored = wiki.DecodeText(p.Source)
		if missing != nil {
			p.Current, err = s.currentBlob(ctx, w, path)
		}
		p.Old = p.File.Blob != p.Current
		return p, err
	}
	if missing != nil {
		d, err := s.directory(ctx, w, a)
		if err != nil {
			return nil, err
		}
		return nil, d.redirectOrMissing(name)
	}
	if p.Source, err = w.CurrentBlob(ctx, now); err != nil {
		return nil, fmt.Errorf("pages: read %s/%s: %w", w.Slug(), now.Path, err)
	}
	p.Source, p.Stored = wiki.DecodeText(p.Source)
	return p, nil
}

// currentBlob returns the current blob of a file by a former path, "" if it is
// deleted.
func (s *Service) currentBlob(ctx context.Context, w *content.Wiki, path string) (string, error) {
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

// readRevision reads a file as of a revision that someone typed or linked.
func readRevision(ctx context.Context, w *content.Wiki, path, revision string) (wiki.File, []byte, error) {
	revision = strings.ToLower(strings.TrimSpace(revision))
	if len(revision) < 7 || len(revision) > 40 || strings.Trim(revision, "0123456789abcdef") != "" {
		return wiki.File{}, nil, wiki.Problemf(wiki.ErrInvalid, "revision", "A revision has 7 to 40 hexadecimal digits.")
	}
	f, data, err := w.ReadAt(ctx, path, revision)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return f, nil, wiki.Problemf(wiki.ErrNotFound, "revision", "%q has no revision %s.", strings.TrimSuffix(path, ".md"), revision)
	case err == nil && wiki.Hidden(f.Path):
		return wiki.File{}, nil, wiki.Problemf(wiki.ErrNotFound, "path", "There's no such page.")
	}
	return f, data, err
}

// A View is a rendered page.
type View struct {
	Page
	Title      string
	Body       template.HTML
	Lang       string      // of the text (BCP 47), or ""
	Blame      []BlamePart // the body by author
	Headings   []Heading
	Properties []Prop
	Tasks      int      // number of tasks that can be ticked
	Diagrams   int      // number of diagrams
	Notices    []string // problems for the reader; if Body is empty, show Source
	Backlinks  []Backlink
	Related    []wiki.PageName // pages with similar meaning; nil for old revisions
	Below      int             // number of subpages
	Basis      *Basis          // everything the view depends on; nil for old revisions
	// Provisional says that the same page can look different the next time, because
	// rendering it took too long or a target couldn't be read. It isn't to be cached.
	Provisional bool
}

// RightToLeft reports whether the page's language is written from right to left.
func (v *View) RightToLeft() bool { return markdown.RightToLeft(v.Lang) }

// A Backlink is a page that links here.
type Backlink struct {
	Name wiki.PageName
	Text string // text around the link
}

// View renders a page; names and revisions are as for Page. It doesn't set Props.
func (s *Service) View(ctx context.Context, a wiki.Access, name, revision string) (*View, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	p, err := s.read(ctx, w, a, name, revision)
	if err != nil {
		return nil, err
	}
	d, err := s.directory(ctx, w, a)
	if err != nil {
		return nil, err
	}
	v := &View{Page: *p}
	rendered, complete, err := s.rendered(ctx, w, d, p)
	if err := v.setRendered(rendered.page, a.Site().Lang, err); err != nil {
		return nil, err
	}
	v.Provisional = !complete
	if pointer, ok := wiki.ParseLFSPointer(p.Source); ok {
		v.Notices = append(v.Notices, fmt.Sprintf("This page is stored with Git LFS, and only its pointer was imported. The text itself (%s) isn't here. To replace the pointer, edit the page and paste the text.", formatBytes(pointer.Size)))
	}
	if rendered.page != nil && !p.Old {
		by, err := s.authorship(ctx, w, p.File, p.Source)
		if err != nil && !errors.Is(err, wiki.ErrDamaged) {
			return nil, err
		}
		if by != nil {
			v.Blame = by.parts(rendered.page.HTML, rendered.page.Blocks, p.Source)
		}
	}
	links, err := d.linksTo(ctx, w, p.Name.File())
	if err != nil {
		return nil, err
	}
	v.Backlinks = backlinks(d, p.Name, links)
	v.Below = d.countBelow(p.Name)
	if !p.Old {
		v.Basis = newBasis(d, v, rendered)
		if v.Basis.sidebar, err = sidebarBlob(ctx, w, d); err != nil {
			return nil, err
		}
		v.Related = s.related(ctx, w, d, v.Name, v.Basis.from)
		v.Basis.related = v.Related
	}
	return v, nil
}

// countBelow returns the number of subpages.
func (n *names) countBelow(page wiki.PageName) (count int) {
	for _, p := range n.below(string(page)) {
		if _, ok := listedPage(p); ok {
			count++
		}
	}
	return count
}

// Preview renders a text as the page's.
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
	d, err := s.directory(ctx, w, a)
	if err != nil {
		return nil, err
	}
	v := &View{Page: Page{Name: found, File: file, Current: file.Blob, Source: text}}
	files, err := draftFileURLs(ctx, w, a.Caller().User.DID, found)
	if err != nil {
		return nil, err
	}
	r := s.newResolver(w, d, found)
	r.files = files
	page, err := s.render(ctx, found, text, r)
	if err := v.setRendered(page, a.Site().Lang, err); err != nil {
		return nil, err
	}
	return v, nil
}

// setRendered sets the result of rendering. A page that can't be rendered is shown
// as source.
func (v *View) setRendered(page *markdown.Page, wikiLang string, err error) error {
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
	v.Body, v.Lang, v.Headings, v.Properties = page.HTML, page.LangIn(wikiLang, v.Source), page.Headings, page.Props
	v.Tags, v.Notices = page.Tags, page.Notices
	v.Tasks, v.Diagrams = page.Tasks, page.Diagrams
	return nil
}

// backlinks lists each linking page once, with the text around its first link.
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

// A body is a rendered page with the resolution of its links, to check whether it
// is still valid.
type body struct {
	blob    string
	page    *markdown.Page
	answers []answer
	valid   atomic.Pointer[validity]
}

// A validity is the state of a wiki for which the answers of a body were last valid.
type validity struct {
	head       string // commit id
	generation *generation
}

func (b *body) weight() uint32 {
	n := 500 + len(b.page.HTML) + 200*len(b.page.Headings) + 24*len(b.page.Blocks)
	for _, p := range b.page.Props {
		for _, v := range p.Values {
			n += 50 + len(v)
		}
	}
	for _, a := range b.answers {
		n += 250 + len(a.link.Target) + len(a.link.Label) + len(a.got.URL)
	}
	return uint32(min(n, 1<<30))
}

// render renders a text with its wiki's share of the time. If it lists pages and the index
// lacks commits, it renders again with a current one.
func (s *Service) render(ctx context.Context, name wiki.PageName, text []byte, r *resolver) (*markdown.Page, error) {
	page, err := s.renderOnce(ctx, name, text, r)
	if err == nil && r.lists.behind {
		r.answers = nil
		r.catchUp(ctx)
		page, err = s.renderOnce(ctx, name, text, r)
	}
	return page, err
}

func (s *Service) renderOnce(ctx context.Context, name wiki.PageName, text []byte, r *resolver) (*markdown.Page, error) {
	release, err := r.w.AcquireLarge(ctx, len(text))
	if err != nil {
		return nil, err
	}
	defer release()
	return s.markdown.Render(ctx, r.w.Slug(), name, text, r)
}

// A slowPage is a page that used up its time when it was rendered last.
type slowPage struct {
	times int
	last  time.Time
	err   error
}

func (slowPage) weight() uint32 { return 300 }

// A page that used up its time twice isn't rendered again for slowPause.
const slowPause = 10 * time.Minute

// rendered returns a page's body, from the cache if its links still resolve to the
// same targets, and whether it is complete: the next rendering will be the same.
func (s *Service) rendered(ctx context.Context, w *content.Wiki, d *directory, p *Page) (b *body, complete bool, err error) {
	r := s.newResolver(w, d, p.Name)
	if b, ok := s.cachedBody(ctx, r, p); ok {
		return b, true, nil
	}
	b = &body{blob: p.File.Blob}
	b.page, err = s.renderUnlessSlow(p, r, func() (*markdown.Page, error) { return s.render(ctx, p.Name, p.Source, r) })
	if err != nil {
		b.page = nil
		return b, !markdown.OutOfTime(err), err
	}
	b.answers = r.answers
	if r.failed == nil {
		b.valid.Store(&validity{d.head, d.generation})
		s.views.Set(bodyKey(w, p), b)
	}
	return b, r.failed == nil, nil
}

// renderUnlessSlow renders a page, unless it was too slow twice.
func (s *Service) renderUnlessSlow(p *Page, r *resolver, render func() (*markdown.Page, error)) (*markdown.Page, error) {
	key := cacheKey{"slow", r.w.Slug(), string(p.Name) + "\x00" + p.File.Blob}
	var before slowPage
	if c, ok := s.views.GetIfPresent(key); ok {
		if before = c.(slowPage); before.times > 1 && s.now().Sub(before.last) < slowPause {
			return nil, before.err
		}
	}
	page, err := render()
	if markdown.OutOfTime(err) && errors.Is(err, wiki.ErrTooLarge) {
		s.views.Set(key, slowPage{before.times + 1, s.now(), err})
	}
	return page, err
}

// cachedBody returns a page's body from the cache if its links still resolve to the
// same targets.
func (s *Service) cachedBody(ctx context.Context, r *resolver, p *Page) (*body, bool) {
	c, ok := s.views.GetIfPresent(bodyKey(r.w, p))
	if !ok {
		return nil, false
	}
	b := c.(*body)
	if b.blob != p.File.Blob {
		return nil, false
	}
	last := b.valid.Load()
	if last.head == r.names.head && last.generation == r.names.generation {
		return b, true
	}
	changed, _, _ := r.names.changesSince(last.head)
	if !r.stillValid(ctx, b.answers, last.generation == r.names.generation, changed) {
		return nil, false
	}
	b.valid.Store(&validity{r.names.head, r.names.generation})
	return b, true
}

// bodyKey is a body's key in the cache. A save replaces the current body of a page.
func bodyKey(w *content.Wiki, p *Page) cacheKey {
	if p.Old {
		return cacheKey{"old body", w.Slug(), string(p.Name) + "\x00" + p.File.Blob}
	}
	return cacheKey{"body", w.Slug(), string(p.Name)}
}
