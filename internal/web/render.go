package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"robot.wtf/internal/wiki"
)

//go:embed templates/*.html
var templateFiles embed.FS

// templates are the pages by file name without ".html", each with the layout and
// the partials (files whose names begin with "_"). A page is parsed when it is
// first rendered, because parsing all of them would double the start time. A test
// renders each.
type templates struct {
	pages map[string]func() (*template.Template, error)
	// slot marks the place of the account in a rendered page. It is random, so
	// that no text in a wiki can contain it.
	slot []byte
}

// A Frame is embedded by every page's struct. It holds everything the layout shows,
// and nothing about the reader, so that pages can be cached for others.
type Frame struct {
	Title string    // of the document; the layout adds the wiki's name
	Site  wiki.Site // zero on the platform
	Host  string    // ".robot.wtf", the part of the wiki's host after its slug
	// OwnDomain is the host where people read the wiki instead, or "".
	OwnDomain string
	Canonic   string // canonical address for search engines, or ""
	NoIndex   bool   // keeps history and the like out of search engines
	Feed      bool   // link the feed
	CanEdit   bool
	// Tree is the page tree beside the page; "" on pages of one column.
	Tree  template.HTML
	Pages int    // number of pages, shown in the footer; 0 for none
	Query string // search query
	Head  *Head  // breadcrumbs and tabs; nil on pages that aren't about a wiki page
	Slot  template.HTML
	Home  string // address of the platform
	// Told and Notice are the result of the form that redirected here, its name
	// and its text, or "".
	Told, Notice string
	Single       bool // the only wiki of a service without a platform
	PlainHTTP    bool // others on the network can read along
	// Footer is the wiki's own footer, or "". It is provisional if it is missing because
	// the service is busy.
	Footer            template.HTML
	provisionalFooter bool
}

func (f *Frame) frame() *Frame { return f }

// PublicationLink is the AT-URI of the publication that a public page belongs to, or "".
func (f *Frame) PublicationLink() template.URL {
	if !f.Site.Public || f.Canonic == "" {
		return ""
	}
	return template.URL(f.Site.Publication) // checked when it was saved
}

// NewURL is the address of the form for a new page, which proposes the folder shown.
func (f *Frame) NewURL() string {
	if f.Head == nil {
		return "/-/create"
	}
	folder := f.Head.Name.Parent()
	if f.Head.Folder {
		folder = string(f.Head.Name)
	}
	if folder == "" {
		return "/-/create"
	}
	return "/-/create?pagename=" + url.QueryEscape(wiki.Title(folder)+"/")
}

// framed is every page's struct: it embeds Frame.
type framed interface{ frame() *Frame }

// A Head is the line with the breadcrumbs and tabs of a page or folder.
type Head struct {
	Name   wiki.PageName
	Crumbs []crumb
	Here   string // last crumb
	View   string // current tab: "read", "edit", "history", "blame" or "files"
	Exists bool   // false hides the tabs
	Page   bool   // false for folders and files, which have no tabs
	Folder bool
}

type crumb struct{ Title, URL string }

// frame returns the frame of a page of the wiki or of the platform.
func (h *Handler) frame(v *visit, title string) Frame {
	f := Frame{Title: title, Slot: template.HTML(h.templates.slot), Home: h.o.Platform, Single: h.o.Single, PlainHTTP: h.o.PlainHTTP}
	f.Told = h.takeNotice(v)
	f.Notice = noticeText(f.Told)
	f.Notice += h.noticeOfLinks(v, f.Told)
	if v.a.Can(wiki.Read) {
		f.Site = v.a.Site()
		f.CanEdit = v.a.Can(wiki.Edit)
		f.Footer, f.provisionalFooter = h.o.Pages.Footer(v.ctx(), v.a)
		if h.o.Single { // the host doesn't begin with the slug
			return f
		}
		_, f.Host, _ = strings.Cut(h.o.WikiOrigin(f.Site.Slug), "://")
		f.Host = strings.TrimPrefix(f.Host, f.Site.Slug)
		if home := h.o.Session.Home(v.ctx(), f.Site.Slug); home != h.o.WikiOrigin(f.Site.Slug) {
			_, f.OwnDomain, _ = strings.Cut(home, "://")
		}
	}
	return f
}

// pageFrame returns the frame of a page about a wiki page; view is the current tab.
func (h *Handler) pageFrame(v *visit, title string, name wiki.PageName, view string) Frame {
	f := h.frame(v, title)
	f.NoIndex = view != "read"
	f.Head = &Head{Name: name, View: view, Exists: true, Page: true, Here: name.Title()}
	f.Head.Crumbs = crumbs(string(name))
	return f
}

// crumbs returns the folders above a path.
func crumbs(p string) []crumb {
	var list []crumb
	segments := strings.Split(p, "/")
	for i, s := range segments[:len(segments)-1] {
		list = append(list, crumb{wiki.Title(s), wiki.PathURL(strings.Join(segments[:i+1], "/"))})
	}
	return list
}

// funcs are the functions available in templates.
func (h *Handler) funcs() template.FuncMap {
	home := func(slug string) string { return h.o.Session.Home(context.Background(), slug) }
	return template.FuncMap{
		"asset": h.assets.url,
		"icon":  h.icon,
		// diagrams is the address of the document that draws diagrams.
		"diagrams": diagramURL,
		"title":    wiki.Title,
		"url":      func(p any) string { return wiki.PathURL(fmt.Sprint(p)) },
		// act is the address of an action on a page: act .Name "diff" "abc" "def".
		"act": func(name any, parts ...string) string {
			return wiki.PathURL(fmt.Sprint(name) + "/" + strings.Join(parts, "/"))
		},
		"short":           shortID,
		"summary":         commitSummary,
		"revisionSummary": revisionSummary,
		"spaced":          func(p any) string { return wiki.Title(fmt.Sprint(p)) },
		"date":            func(t time.Time) string { return t.UTC().Format("2 January 2006") },
		"day":             func(t time.Time) string { return t.UTC().Format("2 Jan 2006") },
		"clock":           func(t time.Time) string { return t.UTC().Format("15:04 UTC") },
		"minute":          func(t time.Time) string { return t.UTC().Format("15:04") },
		"second":          func(t time.Time) string { return t.UTC().Format("15:04:05 UTC") },
		"when":            func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") },
		"iso":             func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"bytes":           humanBytes,
		"mb":              func(n int64) int64 { return n >> 20 },
		"mib":             func(n int64) string { return strconv.FormatInt(n>>20, 10) + " MB" },
		"plural":          plural,
		"namesake":        namesake,
		"first":           initial,
		"capital":         func(r wiki.Role) string { return initial(r.String()) + r.String()[1:] },
		"by":              h.authorName,
		"person":          func(a wiki.Author) wiki.User { return h.o.Tenant.Author(context.Background(), a) },
		"byline":          h.byline,
		"initials":        initials,
		"query":           url.QueryEscape,
		// ask is the address of an agent's site with a question about a page.
		"ask": func(site, slug string, page wiki.PageName) string {
			return site + url.QueryEscape("Read "+home(slug)+page.URL()+" and help me with it.")
		},
		// clone is the command that clones a wiki.
		"clone":    func(slug string) string { return "git clone " + home(slug) + "/repo.git " + slug },
		"wikihost": h.wikiHost,
		"wikiurl":  home,
		// steadyurl is the origin that a wiki has with or without an own domain.
		"steadyurl": h.o.WikiOrigin,
		"service":   func() string { return h.o.Name },
		"contact":   func() contact { return contact{h.o.Contact} },
		// help is the address of a page of the help.
		"help": func(page string) string {
			if h.o.Single {
				return "/-/help"
			}
			return h.o.WikiOrigin(wiki.HelpSlug) + "/" + page
		},
	}
}

// icon returns an icon from icons.svg with additional CSS classes. Text or an
// aria-label must explain it.
func (h *Handler) icon(name string, classes ...string) (template.HTML, error) {
	sprite, err := h.assets.url("icons.svg")
	class := strings.Join(append([]string{"icon"}, classes...), " ")
	return template.HTML(`<svg class="` + class + `" aria-hidden="true"><use href="` + sprite + "#" + name + `"/></svg>`), err
}

func shortID(id string) string { return id[:min(8, len(id))] }

// authorName is the name of the person who made a commit.
func (h *Handler) authorName(a wiki.Author) string {
	return h.o.Tenant.AuthorName(context.Background(), a)
}

// contact is how to reach the operator.
type contact struct{ Text string }

// URL is the address for a link.
func (c contact) URL() template.URL {
	if strings.HasPrefix(c.Text, "https://") {
		return template.URL(c.Text)
	}
	return template.URL("mailto:" + url.PathEscape(c.Text))
}

// byline names the agent and the person who made a commit.
func (h *Handler) byline(a wiki.Author) string { return h.o.Tenant.Byline(context.Background(), a) }

// commitSummary returns a commit's message or, without one, says what the commit
// changed: "Edited Weather Station and 2 more".
func commitSummary(c wiki.Commit) string {
	if c.Message != "" || len(c.Changes) == 0 {
		return cmp.Or(c.Message, "Empty commit")
	}
	summary := changeSummary(c.Changes[0])
	if more := len(c.Changes) - 1; more > 0 {
		summary += " and "
		if c.Cut {
			summary += "over "
		}
		summary += strconv.Itoa(more) + " more"
	}
	return summary
}

// revisionSummary is commitSummary for one file of the commit.
func revisionSummary(r wiki.Revision) string {
	return cmp.Or(r.Message, changeSummary(r.Change))
}

// changeSummary says what a change did to a page, by its title, or to a file.
func changeSummary(c wiki.Change) string {
	title := path.Base(c.Path)
	if page, ok := wiki.PageOf(c.Path); ok {
		title = page.Title()
	}
	switch c.Kind {
	case wiki.Added:
		return "Created " + title
	case wiki.Deleted:
		return "Deleted " + title
	case wiki.Moved:
		return "Moved " + title
	}
	return "Edited " + title
}

// initial returns the letter on a person's avatar.
func initial(s string) string {
	for _, r := range s {
		return strings.ToUpper(string(r))
	}
	return "?"
}

// initials returns the two letters on an agent's avatar: "CC" for Claude Code.
func initials(name string) string {
	words := strings.Fields(name)
	if len(words) > 1 {
		return initial(words[0]) + initial(words[1])
	}
	letters := []rune(name)
	return string(letters[:min(2, len(letters))])
}

// humanBytes formats a size. Like the limits, it writes MB for MiB.
func humanBytes(n int64) string {
	unit, divisor := "KB", float64(1<<10)
	switch {
	case n < 1<<10:
		return strconv.FormatInt(n, 10) + " bytes"
	case n >= 1<<20:
		unit, divisor = "MB", 1<<20
	}
	return strings.TrimSuffix(strconv.FormatFloat(float64(n)/divisor, 'f', 1, 64), ".0") + " " + unit
}

func (h *Handler) parseTemplates() (templates, error) {
	t := templates{pages: map[string]func() (*template.Template, error){}, slot: []byte("<!-- account " + rand.Text() + " -->")}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return t, err
	}
	base := template.New("").Funcs(h.funcs())
	if base, err = base.ParseFS(templateFiles, "templates/_*.html"); err != nil {
		return t, fmt.Errorf("web: parse layout: %w", err)
	}
	for _, name := range names {
		file := path.Base(name)
		if strings.HasPrefix(file, "_") {
			continue
		}
		t.pages[strings.TrimSuffix(file, ".html")] = sync.OnceValues(func() (*template.Template, error) {
			page, err := template.Must(base.Clone()).ParseFS(templateFiles, name)
			if err != nil {
				return nil, fmt.Errorf("web: parse %s: %w", file, err)
			}
			return page, nil
		})
	}
	return t, nil
}

// execute renders one template of a page; "layout" renders all of it.
func (t templates) execute(out io.Writer, page, part string, data any) error {
	parsed, ok := t.pages[page]
	if !ok {
		return fmt.Errorf("web: no template %q", page)
	}
	parts, err := parsed()
	if err != nil {
		return err
	}
	if err := parts.ExecuteTemplate(out, part, data); err != nil {
		return fmt.Errorf("web: render %s: %w", page, err)
	}
	return nil
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// execute renders a page with the slot in place of the account. The caller returns
// the buffer with buffers.Put.
func (h *Handler) execute(name string, data framed) (*bytes.Buffer, error) {
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	if err := h.templates.execute(buf, name, "layout", data); err != nil {
		buffers.Put(buf)
		return nil, err
	}
	return buf, nil
}

// render sends a page. Nothing is written until all of it is rendered.
func (h *Handler) render(v *visit, status int, name string, data framed) error {
	buf, err := h.execute(name, data)
	if err != nil {
		return err
	}
	defer buffers.Put(buf)
	account, err := h.account(v)
	if err != nil {
		return err
	}
	page := bytes.Replace(buf.Bytes(), h.templates.slot, account.html, 1)
	h.write(v, status, "text/html; charset=utf-8", page)
	return nil
}

// write sends a body that shared caches must not store.
func (h *Handler) write(v *visit, status int, kind string, body []byte) {
	header := v.w.Header()
	h.headers.setFor(header, v)
	header.Set("Content-Type", kind)
	if header.Get("Cache-Control") == "" {
		header.Set("Cache-Control", "private, no-cache")
	}
	header["Vary"] = varyValue
	if len(body) > 1024 && acceptsGzip(v.r) {
		header.Set("Content-Encoding", "gzip")
		body = compressFast(body)
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	v.w.WriteHeader(status)
	_, _ = v.w.Write(body)
}

// redirect redirects with 303, as after every successful form.
func (h *Handler) redirect(v *visit, to string) error {
	return h.redirectWith(v, http.StatusSeeOther, to)
}

// redirectWith redirects with a status. to must be an address built by this package
// or session, or a path accepted by session.LocalPath.
func (h *Handler) redirectWith(v *visit, status int, to string) error {
	header := v.w.Header()
	h.headers.setFor(header, v)
	if header.Get("Cache-Control") == "" {
		header.Set("Cache-Control", "no-cache")
	}
	header["Vary"] = varyValue
	header.Set("Location", to)
	header.Set("Content-Length", "0")
	v.w.WriteHeader(status)
	return nil
}

var varyValue = []string{"Accept, Accept-Encoding, Cookie"}

// headers are the headers that depend on the kind of host; the server sets the
// others. The slices are shared: set them, never append to them.
type headers struct {
	wikiPolicy, platformPolicy []string
	signInPolicy               []string // for a form that redirects to any server
	// consentPolicy is for a form that redirects to the sources.
	consentPolicy func(sources string) []string
}

// makeHeaders builds the policies: only our own files are run or loaded, and nothing
// inline ('unsafe-inline', 'unsafe-eval') is allowed anywhere.
//
// Browsers apply form-action to redirects as well, so a policy names each host that
// can answer its page's forms with a redirect: a wiki the platform, the platform the
// wikis (choosing a username, signing in during development), the sign-in page any
// https server, and the consent page the client's origin or scheme.
func makeHeaders(o Options) headers {
	policy := func(forms string) []string {
		return []string{"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
			"form-action 'self' " + forms + "; base-uri 'none'; frame-ancestors 'none'"}
	}
	return headers{
		wikiPolicy: policy(o.Platform), platformPolicy: policy(o.WikiOrigin("*")),
		signInPolicy: policy("https: " + o.WikiOrigin("*")), consentPolicy: policy,
	}
}

func (hs *headers) set(header http.Header, onWiki bool) {
	header["Content-Security-Policy"] = hs.platformPolicy
	if onWiki {
		header["Content-Security-Policy"] = hs.wikiPolicy
	}
}

// setFor sets the headers for a visit, which can have its own policy.
func (hs *headers) setFor(header http.Header, v *visit) {
	hs.set(header, v.slug != "")
	if v.policy != nil {
		header["Content-Security-Policy"] = v.policy
	}
}

func acceptsGzip(r *http.Request) bool {
	for _, line := range r.Header["Accept-Encoding"] {
		for part := range strings.SplitSeq(line, ",") {
			name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
			if name == "gzip" && strings.ReplaceAll(q, " ", "") != "q=0" {
				return true
			}
		}
	}
	return false
}

// plural returns a number with its noun or phrase.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
