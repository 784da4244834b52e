// Package site writes a wiki as files that every system can hold: it chooses names
// for them, and makes a website of static pages. It reads no storage; the caller
// hands it rendered pages one at a time, and it hands out files.
//
// A site works from a folder (file://) and on any web host: all its links are
// relative, its pages load nothing from elsewhere, and each has a policy that forbids
// it to. Only the search needs a script, a classic one, because browsers load neither
// modules nor data from a folder.
package site

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/wiki"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed search.js
var searchScript []byte

// Assets are the service's own files that a site has copies of.
type Assets struct {
	Style  []byte // app.css
	Icons  []byte // icons.svg
	Symbol []byte // robot.svg
	Accent []byte // stylesheet of the wiki's accent color, or nil
	Icon   []byte // the wiki's own icon, or nil
}

// Options describe the wiki.
type Options struct {
	Assets Assets
	Name   string // of the wiki
	Origin string // of its host, "" if it isn't known
	Home   wiki.PageName
	Lang   string        // of the footer (BCP 47), or ""
	Footer template.HTML // of each page, like a body, or ""
	Made   time.Time
	// Emit takes a file of the site. It can keep neither argument.
	Emit func(name string, modified time.Time, data []byte) error
}

// A Page is a page as it is known before it is rendered.
type Page struct {
	Name     wiki.PageName
	Path     string // of its file in the wiki
	Modified time.Time
	Tags     []string
	From     []wiki.PageName // pages that link to it
	By       string          // last author, for display
	Agent    bool            // the last author is an agent
	Unlisted bool            // it is in no list, nor in the search
}

// A Heading is an entry of a page's table of contents.
type Heading struct {
	Level    int
	ID, Text string
}

// A Prop is an entry of the front matter.
type Prop struct {
	Key    string
	Values []template.HTML
}

// Content is a rendered page.
type Content struct {
	Title       string
	Lang        string        // of the text (BCP 47), or ""
	RightToLeft bool          // the language is written so
	Body        template.HTML // safe HTML whose links begin at the root of the wiki's host
	Source      string        // shown if there is no body
	Headings    []Heading
	Props       []Prop
	Notices     []string // problems, for the reader
}

// own is the folder of the site's own files, which no page or file of a wiki can have.
const own = "-/"

// A Site is being written. It is for one goroutine.
type Site struct {
	o         Options
	symbols   symbols
	templates *template.Template
	pages     map[string]*Page // by path in the wiki
	sorted    []*Page          // those that are listed, by title
	files     map[string]string
	taken     map[string]bool   // keys of files
	urls      map[string]string // address on the wiki's host -> path in the site
	tags      []tag
	tree      *node
	index     *wordIndex
	all       string // the list of all pages; the first page of a site without another
	texts     []any  // titles and texts that aren't written yet
	textBytes int
	starts    []int // the first page in each file of them
	parts     int   // of long lists, besides the first
}

// A tag lists its pages, by title.
type tag struct {
	name  string
	pages []*Page
}

// New plans a site of pages and attachments, by their paths in the wiki. It reads SVG
// images: those that could run a script become text files, as do files of other active
// types.
func New(o Options, pages []Page, attachments []string, read func(path string) ([]byte, error)) (*Site, error) {
	s := &Site{o: o, symbols: readSymbols(o.Assets.Icons), pages: map[string]*Page{}, urls: map[string]string{}, index: newWordIndex()}
	var err error
	if s.templates, err = template.New("").Funcs(template.FuncMap{"icon": s.symbols.icon, "plural": plural, "date": date}).ParseFS(templateFiles, "templates/*.html"); err != nil {
		return nil, fmt.Errorf("site: parse templates: %w", err)
	}
	for i := range pages {
		s.pages[pages[i].Path] = &pages[i]
		if !pages[i].Unlisted {
			s.sorted = append(s.sorted, &pages[i])
		}
	}
	slices.SortFunc(s.sorted, func(a, b *Page) int {
		return cmp.Or(cmp.Compare(wiki.Key(a.Name.Title()), wiki.Key(b.Name.Title())), cmp.Compare(a.Name, b.Name))
	})
	s.all = "index.html"
	if slices.ContainsFunc(s.sorted, func(p *Page) bool { return s.isHome(p.Path) }) {
		s.all = own + "index.html"
	}
	if err := s.planFiles(attachments, read); err != nil {
		return nil, err
	}
	s.planTags()
	s.planTree()
	return s, nil
}

// planFiles chooses the path of each page, attachment and folder.
func (s *Site) planFiles(attachments []string, read func(string) ([]byte, error)) error {
	wanted := map[string]string{}
	folders := map[string]string{} // without a page, as written
	for p, page := range s.pages {
		wanted[p] = string(page.Name) + ".html"
		for dir := path.Dir(string(page.Name)); dir != "."; dir = path.Dir(dir) {
			folders[wiki.Key(dir)] = dir
		}
	}
	for _, p := range attachments {
		wanted[p] = inertName(p)
		if isSVG(p) {
			data, err := read(p)
			if err != nil {
				return err
			}
			if isHarmlessSVG(data) {
				wanted[p] = p
			}
		}
	}
	for _, page := range s.pages {
		delete(folders, wiki.Key(string(page.Name)))
	}
	for _, dir := range folders {
		wanted[dir+"/"] = dir + ".html"
	}
	s.assignFiles(wanted)
	return nil
}

// assignFiles makes the wanted paths portable, and the home page index.html.
func (s *Site) assignFiles(wanted map[string]string) {
	n := namer{taken: map[string]bool{"index.html": true}, next: map[string]int{}}
	paths := []string{"index.html"}
	for _, p := range slices.Sorted(maps.Keys(wanted)) {
		if s.isHome(p) {
			continue
		}
		w := wanted[p]
		if rest, isOwn := strings.CutPrefix(w, own); isOwn { // imported
			w = "-page/" + rest
		}
		wanted[p] = n.free("", w)
		paths = append(paths, wanted[p])
	}
	portable := Portable(paths)
	s.files, s.taken = make(map[string]string, len(wanted)), make(map[string]bool, len(wanted))
	for p, w := range wanted {
		to := portable[w]
		if s.isHome(p) {
			to = "index.html"
		}
		s.files[p], s.taken[wiki.Key(to)] = to, true
		name := strings.TrimSuffix(p, "/")
		if page := s.pages[p]; page != nil {
			name = string(page.Name)
		}
		s.urls[wiki.PathURL(name)] = to
	}
	s.urls["/"] = "index.html"
	s.urls["/-/index"] = s.all
	s.urls["/-/search"] = own + "search.html"
}

func (s *Site) isHome(p string) bool {
	page := s.pages[p]
	return page != nil && page.Name.Key() == s.o.Home.Key()
}

func (s *Site) planTags() {
	by := map[string][]*Page{}
	for _, p := range s.sorted {
		for _, t := range p.Tags {
			by[t] = append(by[t], p)
		}
	}
	for name, pages := range by {
		s.tags = append(s.tags, tag{name, pages})
	}
	slices.SortFunc(s.tags, func(a, b tag) int { return cmp.Compare(a.name, b.name) })
	for i, t := range s.tags {
		s.urls["/-/search?q=tag:"+t.name] = tagFile(i)
	}
}

func tagFile(i int) string { return own + "tag/" + strconv.Itoa(i+1) + ".html" }

// A view is the data of every template.
type view struct {
	Root      string // relative address of the site's folder, "" or "../" and so on
	Title     string
	Site      string // name of the wiki
	Origin    string
	Host      string
	Made      time.Time
	Accent    bool // there is a stylesheet of the accent color
	Icon      string
	Lang      string
	Footer    template.HTML
	Home      string
	IndexURL  string
	SearchURL string
	Tree      template.HTML
	Crumbs    []link
	Script    bool // it is the search page
	Content   any
}

type link struct{ Title, URL string }

func (s *Site) view(from, title string, content any) view {
	_, host, _ := strings.Cut(s.o.Origin, "://")
	footer, _ := s.relocate(from, s.o.Footer)
	return view{
		Accent: s.o.Assets.Accent != nil, Icon: s.iconFile(), Lang: s.o.Lang, Footer: footer,
		Root: strings.Repeat("../", strings.Count(from, "/")), Title: title, Site: s.o.Name, Origin: s.o.Origin, Host: host, Made: s.o.Made,
		Home: relative(from, "index.html"), IndexURL: relative(from, s.all), SearchURL: relative(from, own+"search.html"), Content: content,
	}
}

// iconFile returns the name of the wiki's own icon, "" if it has none.
func (s *Site) iconFile() string {
	switch {
	case s.o.Assets.Icon == nil:
		return ""
	case http.DetectContentType(s.o.Assets.Icon) == "image/jpeg":
		return "icon.jpg"
	}
	return "icon.png"
}

// pageView is the content of a page's template.
type pageView struct {
	Content
	OwnTitle bool
	Page     *Page
	Tags     []link
	Contents []Heading
	From     []link
}

// WritePage writes a page of the plan, each once.
func (s *Site) WritePage(p string, c Content) error {
	page, to := s.pages[p], s.files[p]
	v := pageView{Content: c, Page: page, OwnTitle: len(c.Headings) > 0 && c.Headings[0].Level == 1}
	var text string
	v.Body, text = s.relocate(to, c.Body)
	if c.Body == "" {
		text = c.Source
	}
	v.Props = nil
	for _, prop := range c.Props {
		shown := Prop{Key: prop.Key}
		for _, value := range prop.Values {
			value, _ = s.relocate(to, value)
			shown.Values = append(shown.Values, value)
		}
		v.Props = append(v.Props, shown)
	}
	for _, t := range page.Tags {
		if file := s.urls["/-/search?q=tag:"+t]; file != "" {
			v.Tags = append(v.Tags, link{t, relative(to, file)})
		}
	}
	for i, h := range c.Headings {
		if h.Level <= 3 && (i > 0 || !v.OwnTitle) {
			v.Contents = append(v.Contents, h)
		}
	}
	if len(v.Contents) < 2 {
		v.Contents = nil
	}
	for _, from := range page.From {
		if file := s.urls[from.URL()]; file != "" {
			v.From = append(v.From, link{wiki.Title(string(from)), relative(to, file)})
		}
	}
	if !page.Unlisted {
		s.index.add(c.Title+" "+wiki.Title(string(page.Name)), page.Tags, text)
		if err := s.addText(to, c.Title, page, text); err != nil {
			return err
		}
	}
	out := s.view(to, c.Title, v)
	out.Tree = s.branch(to, string(page.Name))
	out.Crumbs = s.crumbs(to, string(page.Name))
	return s.render("page.html", to, page.Modified, out)
}

// addText adds a page to the list that search results and their excerpts are shown from.
func (s *Site) addText(to, title string, page *Page, text string) error {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	s.texts = append(s.texts, []string{escapePath(to), title, wiki.Title(page.Name.Parent()), text})
	if s.textBytes += len(to) + len(title) + len(text); s.textBytes < textShard {
		return nil
	}
	return s.flushTexts()
}

func (s *Site) flushTexts() error {
	if len(s.texts) == 0 {
		return nil
	}
	n := len(s.starts)
	s.starts = append(s.starts, s.index.pages-len(s.texts))
	script := fmt.Appendf(nil, "(window.robotPages=window.robotPages||[])[%d]=%s;\n", n, scriptText(s.texts))
	s.texts, s.textBytes = s.texts[:0], 0
	return s.o.Emit(fmt.Sprintf("%ssearch/p%d.js", own, n), s.o.Made, script)
}

// WriteFile writes an attachment of the plan.
func (s *Site) WriteFile(p string, modified time.Time, data []byte) error {
	return s.o.Emit(s.files[p], modified, data)
}

// HasFile reports whether a page or attachment has a path in the site.
func (s *Site) HasFile(name string) bool { return s.taken[wiki.Key(name)] }

// FileName returns the path of a page or attachment in the site.
func (s *Site) FileName(p string) string { return s.files[p] }

// Finish writes everything but pages and attachments. partial reports that the text of
// some pages can't be searched, because there is too much.
func (s *Site) Finish() (partial bool, err error) {
	for _, step := range []func() error{s.writeLists, s.writeSearch, s.writeAssets} {
		if err := step(); err != nil {
			return false, err
		}
	}
	return s.index.isFull(), nil
}

func (s *Site) writeAssets() error {
	files := map[string][]byte{"app.css": s.o.Assets.Style, "robot.svg": s.o.Assets.Symbol, "search.js": searchScript}
	if s.o.Assets.Accent != nil {
		files["accent.css"] = s.o.Assets.Accent
	}
	if name := s.iconFile(); name != "" {
		files[name] = s.o.Assets.Icon
	}
	for name, data := range files {
		if err := s.o.Emit(own+name, s.o.Made, data); err != nil {
			return err
		}
	}
	return nil
}

func (s *Site) writeSearch() error {
	if err := s.flushTexts(); err != nil {
		return err
	}
	shards, err := s.index.write(func(n int, script []byte) error {
		return s.o.Emit(fmt.Sprintf("%ssearch/w%d.js", own, n), s.o.Made, script)
	})
	if err != nil {
		return err
	}
	meta := fmt.Appendf(nil, "window.robotSearch={shards:%d,pages:%d,starts:%s};\n", shards, s.index.pages, scriptText(s.starts))
	if err := s.o.Emit(own+"search/index.js", s.o.Made, meta); err != nil {
		return err
	}
	v := s.view(own+"search.html", "Search", nil)
	v.Script = true
	return s.render("search.html", own+"search.html", s.o.Made, v)
}

func (s *Site) render(name, to string, modified time.Time, v view) error {
	var out bytes.Buffer
	if err := s.templates.ExecuteTemplate(&out, name, v); err != nil {
		return fmt.Errorf("site: render %s: %w", to, err)
	}
	return s.o.Emit(to, modified, out.Bytes())
}

// linkURL returns where a link in a page leads: into the site, to another host, or to
// the wiki's host for what a site doesn't have. "" for no link.
func (s *Site) linkURL(from, href string) string {
	if href == "" || href[0] != '/' {
		if strings.HasPrefix(href, "?") {
			return ""
		}
		return href // a heading of the page, or another host
	}
	base, fragment := href, ""
	if at := strings.IndexByte(href, '#'); at >= 0 {
		base, fragment = href[:at], href[at:]
	}
	if decoded, err := url.PathUnescape(base); err == nil && strings.HasPrefix(decoded, "/-/search?q=tag:") {
		if file := s.urls[decoded]; file != "" {
			return relative(from, file)
		}
	}
	base, query, _ := strings.Cut(base, "?")
	if file := s.urls[base]; file != "" && query == "" {
		return relative(from, file) + fragment
	}
	if s.o.Origin == "" {
		return ""
	}
	return s.o.Origin + href
}

// fileURL returns the address of something that a page loads, "" if it isn't in the
// site.
func (s *Site) fileURL(from, src string) string {
	base, _, _ := strings.Cut(src, "#")
	base, _, _ = strings.Cut(base, "?")
	if file := s.urls[base]; file != "" && strings.HasPrefix(base, "/") {
		return relative(from, file)
	}
	return ""
}

// relative returns the escaped address of a file of the site, on a page of the site.
func relative(from, to string) string {
	a, b := strings.Split(from, "/"), strings.Split(to, "/")
	for len(a) > 1 && len(b) > 1 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	return strings.Repeat("../", len(a)-1) + escapePath(strings.Join(b, "/"))
}

// escapePath escapes a relative path for a URL. Its first segment has no colon that
// could be taken for a scheme's.
func escapePath(p string) string {
	return strings.ReplaceAll((&url.URL{Path: "/" + p}).EscapedPath()[1:], ":", "%3A")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func date(t time.Time) string { return t.UTC().Format("2 January 2006") }
