package web

import (
	"cmp"
	"errors"
	"html"
	"html/template"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// showPage serves whatever is at a path: a page, its Markdown, a file, a folder, or
// a page that offers to create one.
func (h *Handler) showPage(v *visit) error {
	if v.name == "" {
		return h.showHome(v)
	}
	if name, slash := strings.CutSuffix(v.name, "/"); slash {
		return &wiki.Redirect{To: wiki.PathURL(strings.TrimRight(name, "/")), Permanent: true}
	}
	if name, ok := strings.CutSuffix(v.name, ".md"); ok {
		v.suffix = ".md"
		err := h.showMarkdown(v, name)
		if errors.Is(err, wiki.ErrNotFound) {
			if found, missing := h.o.Pages.Find(v.ctx(), v.a, v.name); missing == nil && found.Kind == pages.KindFolder {
				return h.showFolder(v, found.Path) // imported folders can end in .md
			}
		}
		return err
	}
	return h.showPath(v, v.name)
}

func (h *Handler) showPath(v *visit, path string) error {
	found, err := h.o.Pages.Find(v.ctx(), v.a, path)
	switch {
	case errors.Is(err, wiki.ErrNotFound) && v.query("revision") != "":
		return h.viewPage(v, path) // a deleted page
	case err == nil && found.Kind == pages.KindFolder && v.query("revision") != "":
		// A deleted page that still has pages below it, and so is a folder.
		if err := h.viewPage(v, path); !errors.Is(err, wiki.ErrNotFound) {
			return err
		}
		return h.showFolder(v, found.Path)
	case errors.Is(err, wiki.ErrNotFound):
		return h.showMissing(v, path)
	case err != nil:
		return err
	case found.Kind == pages.KindFile:
		return h.serveFile(v, found.Path)
	case found.Kind == pages.KindFolder:
		return h.showFolder(v, found.Path)
	case wantsMarkdown(v.r):
		return h.showMarkdown(v, found.Path)
	}
	return h.viewPage(v, found.Path)
}

// showHome shows the home page at "/", or redirects to the address in the settings.
func (h *Handler) showHome(v *visit) error {
	if err := h.finishWiki(v, v.a); err != nil {
		return err
	}
	home, err := h.o.Pages.Home(v.ctx(), v.a)
	if err != nil {
		return err
	}
	if strings.HasPrefix(home, "/") {
		return h.redirectWith(v, http.StatusFound, home)
	}
	err = h.showPath(v, home)
	var moved *wiki.Redirect
	if errors.As(err, &moved) {
		moved.Permanent = false // the setting may change
	}
	return err
}

// wantsMarkdown reports whether the caller prefers the source, as agents do with
// "Accept: text/markdown".
func wantsMarkdown(r *http.Request) bool {
	markdown, html := -1.0, -1.0
	for _, line := range r.Header["Accept"] {
		for part := range strings.SplitSeq(line, ",") {
			kind, params, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			q := 1.0
			if s, ok := params["q"]; ok {
				q, _ = strconv.ParseFloat(s, 64)
			}
			switch kind {
			case "text/markdown":
				markdown = q
			case "text/html":
				html = q
			}
		}
	}
	return markdown > 0 && markdown >= html
}

// pageView is the reading view of a page.
type pageView struct {
	Frame
	View     *pages.View
	Contents []tocEntry    // the table of contents, down to level 3
	OwnTitle bool          // the body's first heading is a level-1 title
	Heading  template.HTML // that heading, if the page begins with it
	NowURL   string        // of the newest revision, on an old one
	Seeded   bool          // the page came with the wiki, and nobody has edited it
	Tickable bool          // the boxes of its tasks are buttons
	Active   bool          // it has parts for page.js
	// Description is the beginning of the text, and Card the address of a picture, for
	// the cards that others make of a link; "" on private wikis.
	Description, Card string
	pageBlame
}

func (h *Handler) viewPage(v *visit, name string) error {
	state, err := h.o.Pages.State(v.ctx(), v.a)
	if err != nil {
		return err
	}
	view, err := h.o.Pages.View(v.ctx(), v.a, name, v.query("revision"))
	if err != nil {
		return err
	}
	p := &pageView{Frame: h.pageFrame(v, view.Title, view.Name, "read"), View: view}
	p.OwnTitle = len(view.Headings) > 0 && view.Headings[0].Level == 1
	if view.File.Seq == 1 && len(view.Blame) > 0 {
		by := view.Blame[0].By
		p.Seeded = by != nil && pages.Seeded(*by)
	}
	p.Heading, p.pageBlame = h.newPageBlame(view, p.OwnTitle)
	p.makeTickable()
	p.Active = p.Tickable || isActive(string(view.Body))
	if err := h.addPencils(p); err != nil {
		return err
	}
	if view.Diagrams > 0 {
		h.allowDiagrams(v)
	}
	for i, heading := range view.Headings {
		if heading.Level <= 3 && (i > 0 || !p.OwnTitle) {
			p.Contents = append(p.Contents, tocEntry{heading, p.classAt(heading.Line)})
		}
	}
	if len(p.Contents) < 2 {
		p.Contents = nil
	}
	if view.Old {
		p.NoIndex, p.NowURL = true, view.Name.URL()
		p.Head.Exists = view.Current != ""
		return h.renderWithTree(v, http.StatusOK, "page", p, string(view.Name))
	}
	p.Feed = true
	if v.a.Site().Public {
		p.Description = cmp.Or(description(string(view.Body)), v.a.Site().Description)
		p.Card = h.cardURL(v.ctx(), v.a.Site(), view.Name, view.Title)
	}
	p.Canonic = h.home(v) + view.Name.URL()
	side, err := h.readBeside(v, string(view.Name))
	if err != nil {
		return err
	}
	side.addTo(&p.Frame)
	if string(view.Name) == side.state.home {
		p.Canonic = h.home(v) + "/"
	}
	if view.Provisional || p.provisionalFooter {
		v.w.Header().Set("Cache-Control", "no-store")
		return h.render(v, http.StatusOK, "page", p)
	}
	return h.renderFinished(v, state, side.state, p)
}

const backlinksShown = 10 // at the end of a page

// ShownBacklinks are the first pages that link here.
func (p *pageView) ShownBacklinks() []pages.Backlink {
	return p.View.Backlinks[:min(len(p.View.Backlinks), backlinksShown)]
}

// backlinksPage lists all pages that link to one.
type backlinksPage struct {
	Frame
	partLinks
	Name  wiki.PageName
	Total int
	Links []pages.Backlink // one part of them
}

func (h *Handler) showBacklinks(v *visit) error {
	name, err := wiki.ParsePageName(v.query("page"))
	if err != nil {
		return err
	}
	links, err := h.o.Pages.Backlinks(v.ctx(), v.a, name)
	if err != nil {
		return err
	}
	p := &backlinksPage{Frame: h.frame(v, "Links to "+name.Title()), Name: name, Total: len(links)}
	p.NoIndex = true
	p.Head = &Head{Name: name, Crumbs: crumbs(string(name)), Here: name.Title()}
	starts := partStarts(links, func(b pages.Backlink) int { return 200 + 2*len(b.Name.URL()) + len(b.Text) }, maxListPart)
	var at int
	p.Links, at = partOf(links, starts, v.listNumber())
	p.partLinks = newPartLinks(at, len(starts), func(part int) string {
		return "/-/backlinks?" + url.Values{"page": {string(name)}, "part": {strconv.Itoa(part)}}.Encode()
	})
	return h.render(v, http.StatusOK, "backlinks", p)
}

// showMarkdown serves a page's source.
func (h *Handler) showMarkdown(v *visit, name string) error {
	found, err := h.o.Pages.Find(v.ctx(), v.a, name)
	if err != nil && (v.query("revision") == "" || !errors.Is(err, wiki.ErrNotFound)) {
		return err
	}
	if found.Path != "" {
		name = found.Path
	}
	p, err := h.o.Pages.Page(v.ctx(), v.a, name, v.query("revision"))
	if err != nil {
		return err
	}
	v.w.Header().Set("Link", "<"+h.home(v)+p.Name.URL()+`>; rel="canonical"`)
	h.writeCached(v, "text/markdown; charset=utf-8", `W/"`+p.File.Blob+`"`, p.Source)
	return nil
}

// redirectView redirects An Otter Wiki's page addresses.
func (h *Handler) redirectView(v *visit) error {
	to := wiki.PathURL(v.name)
	if len(v.rest) > 0 {
		to += "?revision=" + url.QueryEscape(v.rest[0])
	}
	return h.redirectWith(v, http.StatusFound, to)
}

// sourcePage shows a page's Markdown.
type sourcePage struct {
	Frame
	*pages.Page
	Text string
}

func (h *Handler) showSource(v *visit) error {
	revision := ""
	if len(v.rest) > 0 {
		revision = v.rest[0]
	}
	p, err := h.o.Pages.Page(v.ctx(), v.a, v.name, revision)
	if err != nil {
		return err
	}
	if _, raw := v.r.URL.Query()["raw"]; raw {
		h.writeCached(v, "text/plain; charset=utf-8", `W/"`+p.File.Blob+`"`, p.Source)
		return nil
	}
	return h.render(v, http.StatusOK, "source", &sourcePage{
		Frame: h.pageFrame(v, "Source of "+p.Name.Title(), p.Name, "source"), Page: p, Text: string(p.Source),
	})
}

// convertPage saves a page that is stored in another encoding as UTF-8.
func (h *Handler) convertPage(v *visit) error {
	form, err := h.readForm(v, smallForm, "convert")
	if err != nil {
		return err
	}
	saved, err := h.o.Pages.ConvertToUTF8(v.ctx(), v.a, v.name, form.Get("convert"))
	if err != nil {
		return err
	}
	notice := "converted"
	if saved.Unchanged {
		notice = "unchanged"
	}
	return h.redirect(v, h.tell(v, wiki.PathURL(savedPath(saved, v.name)), notice))
}

// missingPage is the 404 page of a wiki. It offers to create or restore the page.
type missingPage struct {
	Frame
	Name     string
	Shown    string // the name with spaces
	Valid    bool   // it is a valid page name
	Problem  string // why it isn't
	From     []wiki.PageName
	Similar  []pages.Hit
	Deletion *wiki.Revision // of a page of this name, or nil
}

func (h *Handler) showMissing(v *visit, path string) error {
	p := &missingPage{Frame: h.frame(v, "Page not found"), Name: path, Shown: wiki.Title(path)}
	p.NoIndex = true
	p.Head = &Head{Name: wiki.PageName(path), Crumbs: crumbs(path), Here: wiki.Title(path[strings.LastIndex(path, "/")+1:])}
	name, err := wiki.ParsePageName(path)
	var invalid *wiki.Problem
	if errors.As(err, &invalid) {
		p.Problem = invalid.Message
		return h.renderWithTree(v, http.StatusNotFound, "missing", p, path)
	}
	p.Valid, p.Name, p.Shown = true, string(name), wiki.Title(string(name))
	if from, err := h.o.Pages.Backlinks(v.ctx(), v.a, name); err == nil {
		for _, b := range from[:min(5, len(from))] {
			p.From = append(p.From, b.Name)
		}
	}
	if p.Deletion = h.findDeletion(v, name); p.Deletion != nil {
		p.Title = p.Shown + " was deleted"
		return h.renderWithTree(v, http.StatusNotFound, "missing", p, path)
	}
	if found, err := h.o.Pages.Search(v.ctx(), v.a, pages.Query{Text: name.Title(), Limit: 3}); err == nil {
		p.Similar = found.Hits
	}
	return h.renderWithTree(v, http.StatusNotFound, "missing", p, path)
}

// folderPage lists the pages below a folder that has no page of its own.
type folderPage struct {
	Frame
	partLinks
	Folder  string
	Entries []pages.Entry // one part of them
	Below   int           // pages in the folder
}

func (h *Handler) showFolder(v *visit, folder string) error {
	entries, err := h.o.Pages.Folder(v.ctx(), v.a, folder)
	if err != nil {
		return err
	}
	title := wiki.Title(folder[strings.LastIndex(folder, "/")+1:])
	p := &folderPage{Frame: h.frame(v, title), Folder: folder, Below: len(entries)}
	starts := partStarts(entries, func(e pages.Entry) int { return 400 + 2*len(e.Name.URL()) }, maxTextPart)
	var at int
	p.Entries, at = partOf(entries, starts, v.listNumber())
	p.partLinks = newPartLinks(at, len(starts), func(part int) string { return wiki.PathURL(folder) + "?part=" + strconv.Itoa(part) })
	p.Head = &Head{Name: wiki.PageName(folder), Folder: true, Crumbs: crumbs(folder), Here: title}
	return h.renderWithTree(v, http.StatusOK, "folder", p, folder)
}

// isActive reports whether a page has a part that page.js adds something to: code, a
// picture, a note or a diagram.
func isActive(body string) bool {
	for _, part := range []string{"<pre", "<img", "<sup><a"} {
		if strings.Contains(body, part) {
			return true
		}
	}
	return false
}

// maxDescription is the length of a description, in characters.
const maxDescription = 200

var (
	firstParagraph = regexp.MustCompile(`(?s)<p(?: [^>]*)?>(.*?)</p>`)
	anyTag         = regexp.MustCompile(`<[^>]*>`)
)

// description returns the text of a page's first paragraph with enough of it, for the
// cards that others make of a link.
func description(body string) string {
	const enough, searched = 20, 20_000
	body = body[:min(len(body), searched)]
	for _, m := range firstParagraph.FindAllStringSubmatch(body, 5) {
		text := []rune(strings.Join(strings.Fields(html.UnescapeString(anyTag.ReplaceAllString(m[1], ""))), " "))
		if len(text) > maxDescription {
			return strings.TrimSpace(string(text[:maxDescription-1])) + "…"
		}
		if len(text) >= enough {
			return string(text)
		}
	}
	return ""
}
