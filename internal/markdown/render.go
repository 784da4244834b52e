package markdown

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"html/template"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"

	"robot.wtf/internal/wiki"
)

// A writer writes one page, with the pages that it embeds.
type writer struct {
	ctx      context.Context
	r        *Renderer
	resolver Resolver
	out      bytes.Buffer
	err      error // the first; nothing is written after it

	doc    *document // the page, or the one embedded in it that is being written
	embeds []embed   // around it, from the outside in
	notes  string    // tells the notes of embedded pages apart
	depth  int
	inLink int
	seen   int // nodes

	targets  map[link]Target
	ids      map[string]bool
	repeats  map[string]int // of ids, by the first one
	labels   map[string]int // of regions, which must differ
	headings []Heading
	heading  string // the last one, for labels
	tags     []string
	math     bool
	notices  []string

	embedded      int // how many, and of how many bytes
	embeddedBytes int
	colouredBytes int
	colouring     time.Duration
}

// A link is what a Resolver is asked.
type link struct {
	kind             wiki.LinkKind
	target, fragment string
}

func newWriter(ctx context.Context, r *Renderer, doc *document, res Resolver) *writer {
	return &writer{
		ctx: ctx, r: r, resolver: res, doc: doc,
		targets: map[link]Target{}, ids: map[string]bool{}, repeats: map[string]int{}, labels: map[string]int{},
	}
}

var (
	errOutput = tooLarge("This page would be larger than %d MiB when rendered.", maxOutput>>20)
	errDeep   = tooLarge("This page is nested more than %d deep.", maxDepth)
)

// page writes the whole document.
func (w *writer) page() error {
	w.children(w.doc.root)
	return w.err
}

func (w *writer) put(parts ...string) {
	if w.full() {
		return
	}
	for _, s := range parts {
		w.out.WriteString(s)
	}
}

// text writes a text, escaped.
func (w *writer) text(s string) { w.put(html.EscapeString(strings.ReplaceAll(s, "\x00", "\ufffd"))) }

// full reports that nothing more is to be written.
func (w *writer) full() bool {
	if w.err == nil && w.out.Len() > maxOutput {
		w.err = errOutput
	}
	return w.err != nil
}

// children writes what a node holds. Raw HTML tags open in one child may end in
// another, but not outside of their parent.
func (w *writer) children(n ast.Node) {
	var open []string
	for c := n.FirstChild(); c != nil && w.err == nil; c = c.NextSibling() {
		w.makeRoom(c, &open)
		w.node(c, &open)
	}
	w.closeTags(&open, 0)
}

func (w *writer) node(n ast.Node, open *[]string) {
	if w.seen++; w.seen%256 == 0 && w.ctx.Err() != nil && w.err == nil {
		w.err = errSlow
	}
	if w.depth++; w.depth > maxNodes && w.err == nil {
		w.err = errDeep
	}
	defer func() { w.depth-- }()
	switch n := n.(type) {
	case *ast.RawHTML:
		_, cell := n.Parent().(*extast.TableCell)
		w.html(w.doc.rawHTML(n), open, cell)
	case *ast.HTMLBlock:
		w.html(w.doc.rawHTML(n), open, true)
	default:
		if n.Type() == ast.TypeInline {
			w.inline(n)
		} else {
			w.block(n)
		}
	}
}

// around writes a node's children between two texts.
func (w *writer) around(before string, n ast.Node, after string) {
	w.put(before)
	w.children(n)
	w.put(after)
}

// ---- blocks ----

func (w *writer) block(n ast.Node) {
	switch n := n.(type) {
	case *ast.Heading:
		w.writeHeading(n)
	case *ast.Paragraph:
		w.paragraph(n)
	case *ast.TextBlock:
		w.pieces(n, "", "")
		if n.NextSibling() != nil {
			w.put("\n")
		}
	case *ast.ThematicBreak:
		w.put("<hr>\n")
	case *ast.Blockquote:
		w.around("<blockquote>\n", n, "</blockquote>\n")
	case *ast.List:
		w.list(n)
	case *ast.CodeBlock:
		w.code("", w.doc.raw(n))
	case *ast.FencedCodeBlock:
		w.fenced(n)
	case *sourceBlock:
		w.source(n)
	case *box:
		w.box(n)
	case *extast.Table:
		w.table(n)
	case *extast.DefinitionList:
		w.around("<dl>\n", n, "</dl>\n")
	case *extast.DefinitionTerm:
		w.around("<dt>", n, "</dt>\n")
	case *extast.DefinitionDescription:
		w.around("<dd>", n, "</dd>\n")
	case *extast.FootnoteList:
		w.around(`<section class="notes" aria-label="`+w.label("Notes", "")+`">`+"\n<ol>\n", n, "</ol>\n</section>\n")
	case *extast.Footnote:
		w.around(fmt.Sprintf(`<li id="%sfn%s:%d">`, idPrefix, w.notes, n.Index), n, "</li>\n")
	case *ast.LinkReferenceDefinition:
	default:
		w.children(n)
	}
}

// writeHeading writes a heading with its anchor. Those of embedded pages and in
// boxes have none, and are not in the table of contents.
func (w *writer) writeHeading(n *ast.Heading) {
	level := strconv.Itoa(n.Level)
	words := w.doc.words(n)
	if len(w.embeds) > 0 || inBox(n) {
		w.around("<h"+level+">", n, "</h"+level+">\n")
		return
	}
	id := idPrefix + w.unique(slug(words))
	w.headings = append(w.headings, Heading{Level: n.Level, ID: id, Text: words, Line: w.doc.headingLine(n)})
	w.heading = words
	w.around("<h"+level+` id="`+html.EscapeString(id)+`">`, n, "")
	if words != "" && w.inLink == 0 {
		w.put(` <a class="anchor" href="#`, html.EscapeString(escapeURL(id)), `" aria-label="Link to `, html.EscapeString(words), `">#</a>`)
	}
	w.put("</h", level, ">\n")
}

func inBox(n ast.Node) bool {
	for p := n.Parent(); p != nil; p = p.Parent() {
		if p.Kind() == kindBox {
			return true
		}
	}
	return false
}

// unique makes an id that the page does not have yet: -1, -2 for repetitions.
func (w *writer) unique(id string) string {
	try := id
	for w.ids[idPrefix+try] {
		w.repeats[id]++
		try = id + "-" + strconv.Itoa(w.repeats[id])
	}
	w.ids[idPrefix+try] = true
	return try
}

// label makes a region's label, escaped, which no other region of the page has:
// what it is and, if that is not "", what it is about.
func (w *writer) label(text, about string) string {
	if about != "" {
		text += ": " + shorten(about, 60)
	}
	if w.labels[text]++; w.labels[text] > 1 {
		text += " (" + strconv.Itoa(w.labels[text]) + ")"
	}
	return html.EscapeString(text)
}

// region opens a part of the page that scrolls sideways by itself.
func (w *writer) region(what string) string {
	return `<div class="scroll" role="region" aria-label="` + w.label(what, w.heading) + `" tabindex="0">`
}

// paragraph writes a paragraph; one that is an image with a title is a figure,
// and one that is a formula shows its source.
func (w *writer) paragraph(n *ast.Paragraph) {
	only := n.FirstChild()
	if img, ok := only.(*ast.Image); ok && n.ChildCount() == 1 && len(img.Title) > 0 {
		w.put("<figure>")
		w.markdownImage(img, "")
		w.put("<figcaption>")
		w.text(unescape(img.Title))
		w.put("</figcaption></figure>\n")
		return
	}
	if f, ok := only.(*formula); ok && n.ChildCount() == 1 && f.block {
		w.shown("", []byte(f.source), "A formula, shown as its source.")
		w.math = true
		return
	}
	w.pieces(n, "<p>", "</p>\n")
}

// pieces writes the inlines of a block. Pages embedded among them stand between
// its pieces.
func (w *writer) pieces(n ast.Node, before, after string) {
	var open []string
	began := false
	end := func() {
		w.closeTags(&open, 0)
		if began {
			w.put(after)
		}
		began = false
	}
	for c := n.FirstChild(); c != nil && w.err == nil; c = c.NextSibling() {
		if e, ok := c.(*wikilink); ok && w.embedsPage(e) {
			end()
			w.embed(e)
			continue
		}
		if t, ok := c.(*ast.Text); ok && !began && t.Segment.Len() == 0 {
			continue // the end of an embed's line
		}
		if !began {
			w.put(before)
			began = true
		}
		w.node(c, &open)
	}
	end()
}

func (w *writer) list(n *ast.List) {
	class := ""
	if allTasks(n) {
		class = ` class="tasks"`
	}
	name, start := "ul", ""
	if n.IsOrdered() {
		name = "ol"
		if n.Start != 1 {
			start = ` start="` + strconv.Itoa(n.Start) + `"`
		}
	}
	w.put("<", name, class, start, ">\n")
	for c := n.FirstChild(); c != nil && w.err == nil; c = c.NextSibling() {
		w.item(c)
	}
	w.put("</", name, ">\n")
}

func allTasks(n *ast.List) bool {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if taskBox(c) == nil {
			return false
		}
	}
	return true
}

// taskBox is the box that begins a list item, or nil.
func taskBox(item ast.Node) *extast.TaskCheckBox {
	if item.FirstChild() == nil || item.FirstChild().FirstChild() == nil {
		return nil
	}
	t, _ := item.FirstChild().FirstChild().(*extast.TaskCheckBox)
	return t
}

// item writes a list item. A task's box and its first paragraph are a label.
func (w *writer) item(n ast.Node) {
	first := n.FirstChild()
	t := taskBox(n)
	if t == nil {
		w.put("<li>")
		if first != nil && first.Kind() != ast.KindTextBlock {
			w.put("\n")
		}
		w.children(n)
		w.put("</li>\n")
		return
	}
	w.put(`<li><label><input type="checkbox" disabled`)
	if t.IsChecked {
		w.put(" checked")
	}
	w.put("> <span>")
	first.RemoveChild(first, t)
	w.children(first)
	w.put("</span></label>\n")
	n.RemoveChild(n, first)
	w.children(n)
	w.put("</li>\n")
}

// fenced writes a fenced block by its language. "lang=go" is An Otter Wiki's.
func (w *writer) fenced(n *ast.FencedCodeBlock) {
	language, _, _ := strings.Cut(strings.ToLower(unescape(n.Language(w.doc.source))), ",")
	language = strings.Trim(strings.TrimPrefix(language, "lang="), "{}.=")
	code := w.doc.raw(n)
	switch language {
	case "math", "latex-math":
		w.math = true
		w.shown("", code, "A formula, shown as its source.")
	case "mermaid":
		w.shown("", code, "A Mermaid diagram, shown as its source.")
	default:
		w.code(language, code)
	}
}

func (w *writer) source(n *sourceBlock) {
	if n.embedding == "" {
		w.math = true
		w.shown("", w.doc.raw(n), "A formula, shown as its source.")
		return
	}
	w.shown("", w.doc.raw(n), "An embedding of An Otter Wiki ("+n.embedding+"), shown as its source.")
}

// shown writes what we cannot draw as its source, and says so.
func (w *writer) shown(language string, code []byte, caption string) {
	w.put("<figure>")
	w.code(language, code)
	w.put("<figcaption>")
	w.text(caption)
	w.put("</figcaption></figure>\n")
}

func (w *writer) box(n *box) {
	switch n.style.lines {
	case "!":
		w.around("<details><summary>Spoiler</summary>\n", n, "</details>\n")
		return
	case "|":
		title := n.title
		if title == "" {
			title = "More"
		}
		w.around("<details><summary>"+html.EscapeString(title)+"</summary>\n", n, "</details>\n")
		return
	}
	class := "notice"
	if n.style.class != "" {
		class += " " + n.style.class
	}
	w.put(`<div class="`, class, `" role="note"><svg class="icon" aria-hidden="true"><use href="`, html.EscapeString(w.r.o.Icons), "#", n.style.icon, `"></use></svg><div>`)
	if n.title != "" {
		w.put("<p><b>", html.EscapeString(n.title), "</b></p>\n")
	}
	w.children(n)
	w.put("</div></div>\n")
}

func (w *writer) table(n *extast.Table) {
	w.put(w.region("Table"), "<table>\n")
	body := false
	for row := n.FirstChild(); row != nil && w.err == nil; row = row.NextSibling() {
		_, head := row.(*extast.TableHeader)
		switch {
		case head:
			w.put("<thead>\n")
		case !body:
			w.put("<tbody>\n")
			body = true
		}
		w.put("<tr>")
		for c := row.FirstChild(); c != nil; c = c.NextSibling() {
			w.cell(c.(*extast.TableCell), head)
		}
		w.put("</tr>\n")
		if head {
			w.put("</thead>\n")
		}
	}
	if body {
		w.put("</tbody>\n")
	}
	w.put("</table></div>\n")
}

// cell writes a cell. An empty one of the head is no header to anything.
func (w *writer) cell(n *extast.TableCell, head bool) {
	name, attrs := "td", ""
	if head && n.FirstChild() != nil {
		name, attrs = "th", ` scope="col"`
	}
	if n.Alignment != extast.AlignNone {
		attrs += ` align="` + n.Alignment.String() + `"`
	}
	w.around("<"+name+attrs+">", n, "</"+name+">")
}

// ---- inlines ----

func (w *writer) inline(n ast.Node) {
	switch n := n.(type) {
	case *ast.Text:
		w.text(w.doc.text(n))
		switch {
		case n.HardLineBreak():
			w.put("<br>\n")
		case n.SoftLineBreak():
			w.put("\n")
		}
	case *ast.String:
		w.text(string(n.Value))
	case *ast.CodeSpan:
		w.put("<code>")
		w.text(strings.ReplaceAll(w.codeText(n), "\n", " "))
		w.put("</code>")
	case *ast.Emphasis:
		name := "em"
		if n.Level == 2 {
			name = "strong"
		}
		w.around("<"+name+">", n, "</"+name+">")
	case *extast.Strikethrough:
		w.around("<del>", n, "</del>")
	case *mark:
		w.around("<mark>", n, "</mark>")
	case *ast.Link:
		w.link(n)
	case *ast.AutoLink:
		w.autoLink(n)
	case *ast.Image:
		w.markdownImage(n, unescape(n.Title))
	case *wikilink:
		w.wikilink(n)
	case *tag:
		w.writeTag(n)
	case *formula:
		w.math = true
		w.put(`<code class="math">`)
		w.text(n.source)
		w.put("</code>")
	case *extast.FootnoteLink:
		w.footnoteLink(n)
	case *extast.FootnoteBacklink:
		if w.inLink > 0 { // a raw <a> that nobody closed
			return
		}
		w.put(" <a href=\"#", idPrefix, "ref", noteRef(w.notes, n.Index, n.RefIndex), `" aria-label="Back to the text">&#8617;&#xFE0E;</a>`)
	case *extast.TaskCheckBox: // elsewhere than at an item's beginning
		w.put(`<input type="checkbox" disabled aria-label="Task"> `)
	default:
		w.children(n)
	}
}

func (w *writer) codeText(n *ast.CodeSpan) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(w.doc.source))
		}
	}
	return b.String()
}

func noteRef(notes string, index, use int) string {
	ref := fmt.Sprintf("%s:%d", notes, index)
	if use > 0 {
		ref += fmt.Sprintf("-%d", use+1)
	}
	return ref
}

func (w *writer) footnoteLink(n *extast.FootnoteLink) {
	if w.inLink > 0 {
		return
	}
	fmt.Fprintf(&w.out, `<sup><a href="#%sfn%s:%d" id="%sref%s" aria-label="Note %d">%d</a></sup>`,
		idPrefix, w.notes, n.Index, idPrefix, noteRef(w.notes, n.Index, n.RefIndex), n.Index, n.Index)
}

func (w *writer) writeTag(n *tag) {
	if len(w.embeds) == 0 {
		w.tags = append(w.tags, n.name)
	}
	if w.inLink > 0 {
		w.text("#" + n.name)
		return
	}
	w.put(`<a class="tag" href="/-/search?q=`, html.EscapeString(url.QueryEscape("tag:"+n.name)), `">#`, html.EscapeString(n.name), "</a>")
}

// A found place is where a link goes.
type found struct {
	place
	url     string // escaped for an address, not for HTML; "" for nowhere
	missing bool
	trusted bool // a host that the operator vouches for
	target  Target
}

// lookUp asks the resolver for a place, once for each.
func (w *writer) lookUp(p place) found {
	if p.kind == "" {
		return found{place: p, url: p.url, trusted: p.out && w.trusts(p.url)}
	}
	t := w.resolve(link{p.kind, p.target, p.fragment})
	if !t.Exists && p.also != "" {
		if also := w.resolve(link{p.kind, p.also, p.fragment}); also.Exists {
			t = also
		}
	}
	f := found{place: p, url: t.URL, missing: !t.Exists, target: t}
	if t.Exists {
		to, _, _ := strings.Cut(t.URL, "#")
		f.url = to + p.query
		switch {
		case p.fragment != "" && t.Name != "":
			f.url += Anchor(p.fragment)
		case p.fragment != "":
			f.url += "#" + escapeURL(p.fragment) // of a file, such as #page=2
		}
	}
	return f
}

func (w *writer) resolve(l link) Target {
	t, ok := w.targets[l]
	if !ok {
		t = w.resolver.Resolve(w.ctx, l.kind, l.target, l.fragment)
		w.targets[l] = t
	}
	return t
}

func (w *writer) trusts(address string) bool {
	u, err := url.Parse(address)
	return err == nil && slices.Contains(w.r.o.OutHosts, strings.ToLower(u.Hostname()))
}

// attributes are those of the <a> that goes there.
func (f found) attributes(title string) string {
	attrs := ` href="` + html.EscapeString(f.url) + `"`
	switch {
	case f.out && f.trusted:
		attrs += ` class="out" rel="noopener"`
	case f.out:
		attrs += ` class="out" rel="nofollow ugc noopener"`
	case f.missing:
		attrs += ` class="red"`
		if title == "" && f.kind == wiki.LinkFile {
			title = "This file does not exist yet"
		} else if title == "" {
			title = "This page does not exist yet"
		}
	}
	if title != "" {
		attrs += ` title="` + html.EscapeString(title) + `"`
	}
	return attrs
}

// linked writes something as a link, or without one where there can be none.
func (w *writer) linked(to found, title string, inside func()) {
	if to.url == "" || w.inLink > 0 {
		inside()
		return
	}
	w.put("<a", to.attributes(title), ">")
	w.inLink++
	inside()
	w.inLink--
	w.put("</a>")
}

func (w *writer) link(n *ast.Link) {
	to := w.lookUp(w.doc.place(n.Destination, false))
	w.linked(to, unescape(n.Title), func() { w.children(n) })
}

func (w *writer) autoLink(n *ast.AutoLink) {
	to := string(n.URL(w.doc.source))
	if n.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(strings.ToLower(to), "mailto:") {
		to = "mailto:" + to
	}
	w.linked(w.lookUp(address(w.doc.name, to, false)), "", func() { w.text(string(n.Label(w.doc.source))) })
}

func (w *writer) markdownImage(n *ast.Image, title string) {
	w.image(w.doc.place(n.Destination, true), w.doc.words(n), title, "", "")
}

// image shows an image of this wiki. One from elsewhere becomes a link, so that
// reading a page asks nobody else for anything; so does what is no image.
func (w *writer) image(p place, alt, title, width, height string) {
	to := w.lookUp(p)
	if to.missing || !to.target.Image {
		words := alt
		if words == "" {
			words = to.url
			if p.target != "" {
				words = p.target
			}
		}
		w.linked(to, title, func() { w.text(words) })
		return
	}
	w.put(`<img src="`, html.EscapeString(to.url), `" alt="`, html.EscapeString(alt), `"`)
	for _, size := range []struct{ name, value string }{{"width", width}, {"height", height}} {
		if smallNumber.MatchString(size.value) {
			w.put(" ", size.name, `="`, size.value, `"`)
		}
	}
	if title != "" {
		w.put(` title="`, html.EscapeString(title), `"`)
	}
	w.put(` loading="lazy">`)
}

func (w *writer) wikilink(n *wikilink) {
	p := n.place(w.doc.name)
	if n.embed && p.kind == wiki.LinkEmbed {
		if to := w.lookUp(p); to.target.Image {
			w.embeddedImage(n, p)
			return
		}
	}
	w.linked(w.lookUp(p), "", func() { w.text(n.words) })
}

var imageSize = regexp.MustCompile(`^([0-9]{1,4})(?:x([0-9]{1,4}))?$`)

// embeddedImage shows ![[picture.png|text]] or, as Obsidian has it, |300 or
// |300x200.
func (w *writer) embeddedImage(n *wikilink, p place) {
	alt, width, height := n.label, "", ""
	if m := imageSize.FindStringSubmatch(alt); m != nil {
		alt, width, height = "", m[1], m[2]
	}
	w.image(p, alt, "", width, height)
}

// ---- embeds ----

const (
	maxEmbedDepth = 4
	maxEmbeds     = 100
	maxEmbedded   = 2 << 20 // bytes of embedded sources in a page
)

// An embed is a page or section that is being written inside another.
type embed struct {
	name     wiki.PageName
	fragment string
}

// embedsPage reports an embed of a page or section that is there.
func (w *writer) embedsPage(n *wikilink) bool {
	p := n.place(w.doc.name)
	return n.embed && p.kind == wiki.LinkEmbed && w.lookUp(p).target.Source != ""
}

// embed writes a page or section. What cannot be embedded is a link to it, and
// a notice says why.
func (w *writer) embed(n *wikilink) {
	p := n.place(w.doc.name)
	to := w.lookUp(p)
	inner, why := w.embedding(to)
	if inner == nil {
		if why != "" && !slices.Contains(w.notices, why) {
			w.notices = append(w.notices, why)
		}
		w.put("<p>")
		w.wikilink(n)
		w.put("</p>\n")
		return
	}
	outer, notes, heading := w.doc, w.notes, w.heading
	w.embedded++
	w.embeddedBytes += len(to.target.Source)
	w.embeds = append(w.embeds, embed{to.target.Name, slug(to.fragment)})
	w.doc, w.notes, w.heading = inner, "-e"+strconv.Itoa(w.embedded), ""
	w.put(`<section class="embed" aria-label="`, w.label("From "+n.words, ""), `">`, "\n")
	w.children(inner.root)
	w.doc, w.notes, w.heading = outer, notes, heading
	w.embeds = w.embeds[:len(w.embeds)-1]
	w.put("<p><small>From ")
	w.linked(to, "", func() { w.text(n.words) })
	w.put("</small></p>\n</section>\n")
}

// embedding is the document that a found page or section is, or nil and why it
// is not shown.
func (w *writer) embedding(to found) (*document, string) {
	if to.missing || to.kind != wiki.LinkEmbed || to.target.Image || to.target.Source == "" {
		return nil, ""
	}
	name := to.target.Name
	same := func(e embed) bool { return e.name == name && e.fragment == slug(to.fragment) }
	switch {
	case slices.ContainsFunc(w.embeds, same), len(w.embeds) == 0 && name == w.doc.name && to.fragment == "":
		return nil, "A page that embeds itself is shown as a link."
	case len(w.embeds) >= maxEmbedDepth:
		return nil, fmt.Sprintf("Pages embedded more than %d deep are shown as links.", maxEmbedDepth)
	case w.embedded >= maxEmbeds || w.embeddedBytes+len(to.target.Source) > maxEmbedded:
		return nil, "This page embeds so much that some of it is shown as links."
	}
	until, _ := w.ctx.Deadline()
	inner, err := parse(name, []byte(to.target.Source), until)
	if err != nil {
		return nil, fmt.Sprintf("%q is too large to be embedded.", name.Title())
	}
	return inner, ""
}

// ---- front matter ----

// props are the front matter's entries but title and tags.
func (w *writer) props() []Prop {
	var list []Prop
	for _, item := range w.doc.front.items {
		key := fmt.Sprint(item.Key)
		if k := strings.ToLower(key); k == "title" || slices.Contains(tagKeys, k) {
			continue
		}
		values, ok := item.Value.([]any)
		if !ok {
			values = []any{item.Value}
		}
		p := Prop{Key: key}
		for _, v := range values {
			p.Values = append(p.Values, w.prop(yamlText(v)))
		}
		list = append(list, p)
	}
	return list
}

// prop shows a value; wikilinks and web addresses in it become links.
func (w *writer) prop(value string) template.HTML {
	out := w.out
	w.out = bytes.Buffer{}
	for at := 0; at < len(value); {
		m := propLink.FindStringIndex(value[at:])
		if m == nil {
			w.text(value[at:])
			break
		}
		w.text(value[at : at+m[0]])
		written := value[at+m[0] : at+m[1]]
		at += m[1]
		if inside, ok := strings.CutPrefix(written, "[["); ok {
			if n := newWikilink(strings.TrimSuffix(inside, "]]")); n != nil {
				w.wikilink(n)
				continue
			}
			w.text(written)
			continue
		}
		w.linked(w.lookUp(address(w.doc.name, written, false)), "", func() { w.text(written) })
	}
	safe := w.r.wall.SanitizeReader(&w.out).String()
	w.out = out
	return template.HTML(safe)
}

var propLink = regexp.MustCompile(`\[\[[^\[\]\n]{1,500}\]\]|https?://[^\s<>"'\\]*[^\s<>"'\\.,;:!?)]`)

func sortedTags(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
