package markdown

import (
	"bytes"
	"context"
	"fmt"
	"html"
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

	doc     *document // the page, or the one embedded in it that is being written
	embeds  []embed   // around it, from the outside in
	notes   string    // tells the notes of embedded pages apart
	depth   int
	inLink  int
	rawOpen int // raw HTML tags that are open
	seen    int // nodes

	targets  map[link]Target
	ids      map[string]bool
	repeats  map[string]int // of ids, by the first one
	labels   map[string]int // of regions, which must differ
	headings []Heading
	heading  string // the last one, for labels
	tags     []string
	math     bool
	notices  []string

	cut           cutter
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
		ctx: ctx, r: r, resolver: res, doc: doc, cut: newCutter(),
		targets: map[link]Target{}, ids: map[string]bool{}, repeats: map[string]int{}, labels: map[string]int{},
	}
}

var (
	errOutput = tooLarge("This page would be larger than %d MiB when rendered.", maxOutput>>20)
	errDeep   = tooLarge("This page is nested more than %d deep.", maxDepth)
)

// page writes the whole document, block by block.
func (w *writer) page() error {
	var open []string
	for c := w.doc.root.FirstChild(); c != nil && w.err == nil; c = c.NextSibling() {
		w.begin(c)
		w.makeRoom(c, &open)
		w.node(c, &open)
		w.end(len(open) == 0)
	}
	w.closeTags(&open, 0)
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
