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

	"robot.wtf/internal/mathml"
	"robot.wtf/internal/wiki"
)

// A writer writes one page, including the pages it embeds.
type writer struct {
	r           *Renderer
	askResolver func(link) Target // asks the Resolver, under the render's context
	canceled    func() bool       // the render's context is done
	ownParts    map[embed]string  // sources of the page's own sections that it embeds
	listPages   func(below wiki.PageName, pattern string) ([]Target, bool)
	listFiles   func(of wiki.PageName, pattern string) ([]Target, bool)
	readTable   func(l wiki.Link) ([]byte, bool)
	queryPages  func(q PageQuery) PageRows
	clock       *clock
	out         bytes.Buffer
	err         error // the first error; nothing is written after it

	doc     *document // the page, or the embedded page being written
	embeds  []embed   // embeds around doc, outermost first
	notes   string    // distinguishes the footnotes of embedded pages
	depth   int
	inLink  int
	rawOpen int // open raw HTML tags
	seen    int // number of nodes

	targets  map[link]Target
	ids      idSet
	labels   map[string]int // of regions, which must be unique
	headings []Heading
	heading  string // the last one, for labels
	tags     []string
	math     bool
	tex      mathml.Page
	formulas int
	diagrams int
	tasks    int // that can be ticked
	notices  []string
	contents []int // offsets in out
	media    mediaState
	listings int  // PageIndex widgets
	noted    bool // the detachedNote is written
	lists    int  // "::: pages" blocks
	tables   int  // of files
	cells    int  // in these

	rightToLeft bool // the page has right-to-left text
	detached    bool // no link leads into the wiki

	cut           cutter
	embedded      int // count; the bytes follow
	embeddedBytes int
	coloredBytes  int
	coloring      time.Duration
}

// A link is the argument of a Resolver.
type link struct {
	wiki.Link
	fragment string
}

func newWriter(ctx context.Context, r *Renderer, doc *document, res Resolver, clock *clock) *writer {
	w := &writer{
		askResolver: func(l link) Target { return res.Resolve(ctx, l.Link, l.fragment) },
		canceled:    func() bool { return ctx.Err() != nil },
		clock:       clock,
		r:           r, doc: doc, cut: newCutter(),
		targets: map[link]Target{}, ids: newIDSet(), labels: map[string]int{},
	}
	if gate, ok := res.(*resolverGate); ok {
		w.detached = gate.isDetached()
	}
	if lister, ok := res.(PageLister); ok {
		w.listPages, w.listFiles = lister.ListPages, lister.ListFiles
		w.readTable = func(l wiki.Link) ([]byte, bool) { return lister.ReadTable(ctx, l) }
	}
	if querier, ok := res.(PageQuerier); ok {
		w.queryPages = func(q PageQuery) PageRows { return querier.QueryPages(ctx, q) }
	}
	return w
}

var (
	errOutput = tooLargeError("This page would be larger than %d MiB when rendered.", maxOutput>>20)
	errDeep   = tooLargeError("This page is nested more than %d deep.", maxDepth)
)

// writePage writes the whole document, block by block.
func (w *writer) writePage() error {
	var open []string
	for c := w.doc.root.FirstChild(); c != nil && w.err == nil; c = c.NextSibling() {
		w.begin(c)
		w.makeRoomForNode(c, &open)
		start := w.out.Len()
		w.writeNode(c, &open)
		w.letDirection(start)
		w.end(len(open) == 0)
	}
	w.closeTags(&open, 0)
	w.insertContents()
	return w.err
}

func (w *writer) write(parts ...string) {
	if w.isFull() {
		return
	}
	for _, s := range parts {
		w.out.WriteString(s)
	}
}

// writeText writes escaped text.
func (w *writer) writeText(s string) {
	w.write(html.EscapeString(strings.ReplaceAll(s, "\x00", "\ufffd")))
}

// checkTime ends the render once its time is used up, or nobody waits for it.
func (w *writer) checkTime() {
	switch {
	case w.err != nil:
	case w.clock.spent():
		w.err = errSlow
	case w.canceled():
		w.err = errBusy
	}
}

// isFull reports whether writing has to stop.
func (w *writer) isFull() bool {
	if w.err == nil && w.out.Len() > maxOutput {
		w.err = errOutput
	}
	return w.err != nil
}

// writeChildren writes a node's children. A raw HTML tag opened in one child
// can be closed in another, but not outside the parent.
func (w *writer) writeChildren(n ast.Node) {
	var open []string
	for c := n.FirstChild(); c != nil && w.err == nil; c = c.NextSibling() {
		w.makeRoomForNode(c, &open)
		w.writeNode(c, &open)
	}
	w.closeTags(&open, 0)
}

func (w *writer) writeNode(n ast.Node, open *[]string) {
	if w.seen++; w.seen%256 == 0 {
		w.checkTime()
	}
	if w.depth++; w.depth > maxNodes && w.err == nil {
		w.err = errDeep
	}
	defer func() { w.depth-- }()
	switch n := n.(type) {
	case *ast.RawHTML:
		_, cell := n.Parent().(*extast.TableCell)
		w.writeHTML(w.doc.rawHTMLOf(n), open, cell)
	case *ast.HTMLBlock:
		w.writeHTML(w.doc.rawHTMLOf(n), open, true)
	default:
		if n.Type() == ast.TypeInline {
			w.writeInline(n)
		} else {
			w.writeBlock(n)
		}
	}
}

// writeWrapped writes a node's children between two texts.
func (w *writer) writeWrapped(before string, n ast.Node, after string) {
	w.write(before)
	w.writeChildren(n)
	w.write(after)
}

// Blocks

func (w *writer) writeBlock(n ast.Node) {
	if id := w.idAttribute(n); id != "" {
		w.write("<div", id, ">\n")
		defer w.write("</div>\n")
	}
	switch n := n.(type) {
	case *ast.Heading:
		w.writeHeading(n)
	case *ast.Paragraph:
		w.writeParagraph(n)
	case *ast.TextBlock:
		w.writeInlines(n, "", "")
		if n.NextSibling() != nil {
			w.write("\n")
		}
	case *ast.ThematicBreak:
		w.write("<hr>\n")
	case *ast.Blockquote:
		w.writeWrapped("<blockquote>\n", n, "</blockquote>\n")
	case *ast.List:
		w.writeList(n)
	case *ast.CodeBlock:
		w.writeCode("", w.doc.raw(n))
	case *ast.FencedCodeBlock:
		w.writeFenced(n)
	case *sourceBlock:
		w.writeSource(n)
	case *box:
		w.writeBox(n)
	case *widget:
		w.writeWidget(n)
	case *pageList:
		w.writePageList(n)
	case *hiddenBlock, *explanation:
	case *contents:
		w.writeContents()
	case *extast.Table:
		w.writeTable(n)
	case *extast.DefinitionList:
		w.writeWrapped("<dl>\n", n, "</dl>\n")
	case *extast.DefinitionTerm:
		w.writeWrapped("<dt>", n, "</dt>\n")
	case *extast.DefinitionDescription:
		w.writeWrapped("<dd>", n, "</dd>\n")
	case *extast.FootnoteList:
		w.writeWrapped(`<section class="notes" aria-label="`+w.uniqueLabel("Notes", "")+`">`+"\n<ol>\n", n, "</ol>\n</section>\n")
	case *extast.Footnote:
		w.writeWrapped(fmt.Sprintf(`<li id="%sfn%s:%d">`, idPrefix, w.notes, n.Index), n, "</li>\n")
	case *ast.LinkReferenceDefinition:
	default:
		w.writeChildren(n)
	}
}

// writeHeading writes a heading with its anchor. Headings in embedded pages
// and in boxes have no anchor and aren't in the table of contents.
func (w *writer) writeHeading(n *ast.Heading) {
	level := strconv.Itoa(n.Level)
	words := w.doc.plainText(n)
	if len(w.embeds) > 0 || inBox(n) {
		w.writeWrapped("<h"+level+">", n, "</h"+level+">\n")
		return
	}
	ids := w.ids.heading(words, headingID(n))
	id := idPrefix + ids[0]
	w.headings = append(w.headings, Heading{Level: n.Level, ID: id, Text: words, Line: w.doc.headingLine(n)})
	w.heading = words
	w.write("<h"+level, ` id="`, html.EscapeString(id), `">`)
	if named := w.doc.textWithNames(n); named != "" && w.ids.reserve(slug(named)) {
		ids = append(ids, slug(named))
	}
	for _, other := range ids[1:] {
		w.write(`<span id="`, html.EscapeString(idPrefix+other), `"></span>`)
	}
	w.writeChildren(n)
	if words != "" && w.inLink == 0 {
		w.write(` <a class="anchor" href="#`, html.EscapeString(escapeURL(id)), `" aria-label="Link to `, html.EscapeString(words), `">#</a>`)
	}
	w.write("</h", level, ">\n")
}

func inBox(n ast.Node) bool {
	for p := n.Parent(); p != nil; p = p.Parent() {
		if p.Kind() == kindBox {
			return true
		}
	}
	return false
}

// uniqueLabel returns a region's label, escaped and unique in the page: its
// kind and, unless "", its subject.
func (w *writer) uniqueLabel(text, about string) string {
	if about != "" {
		text += ": " + shorten(about, 60)
	}
	if w.labels[text]++; w.labels[text] > 1 {
		text += " (" + strconv.Itoa(w.labels[text]) + ")"
	}
	return html.EscapeString(text)
}

// openRegion opens a part of the page that scrolls sideways.
func (w *writer) openRegion(what string) string {
	return `<div class="scroll" role="region" aria-label="` + w.uniqueLabel(what, w.heading) + `" tabindex="0">`
}

// writeParagraph writes a paragraph. A single image with a title becomes a
// figure, and a single formula shows its source.
func (w *writer) writeParagraph(n *ast.Paragraph) {
	only := n.FirstChild()
	if img, ok := only.(*ast.Image); ok && n.ChildCount() == 1 && len(img.Title) > 0 {
		w.write("<figure>")
		w.markdownImage(img, "")
		w.write("<figcaption>")
		w.writeText(unescape(img.Title))
		w.write("</figcaption></figure>\n")
		return
	}
	if f, ok := only.(*formula); ok && n.ChildCount() == 1 && f.block {
		w.writeFormulaBlock([]byte(f.source))
		return
	}
	w.writeInlines(n, "<p>", "</p>\n")
}

// writeInlines writes the inline nodes of a block. Embedded pages among them
// split the block.
func (w *writer) writeInlines(n ast.Node, before, after string) {
	var open []string
	began := false
	end := func() {
		w.closeTags(&open, 0)
		if began {
			w.write(after)
		}
		began = false
	}
	for c := n.FirstChild(); c != nil && w.err == nil; c = c.NextSibling() {
		if w.writeApart(c, end) {
			continue
		}
		if t, ok := c.(*ast.Text); ok && !began && t.Segment.Len() == 0 || !began && w.doc.isHidden(c) {
			continue // line end after an embed, or nothing to see yet
		}
		if !began {
			w.write(before)
			began = true
		}
		w.writeNode(c, &open)
	}
	end()
}

// writeApart writes an inline node that is a block of its own, an embedded page or
// a formula on several lines, after the text before it has ended.
func (w *writer) writeApart(n ast.Node, end func()) bool {
	switch n := n.(type) {
	case *wikilink:
		if w.isPageEmbed(n) {
			end()
			w.writeEmbed(n)
			return true
		}
	case *formula:
		if n.apart {
			end()
			w.writeFormulaBlock([]byte(n.source))
			return true
		}
	}
	return false
}

func (w *writer) writeList(n *ast.List) {
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
	w.write("<", name, class, start, ">\n")
	for c := n.FirstChild(); c != nil && w.err == nil; c = c.NextSibling() {
		w.writeItem(c)
	}
	w.write("</", name, ">\n")
}

func allTasks(n *ast.List) bool {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if taskBox(c) == nil {
			return false
		}
	}
	return true
}

// writeItem writes a list item. A task's first paragraph labels its checkbox.
func (w *writer) writeItem(n ast.Node) {
	first := n.FirstChild()
	t := taskBox(n)
	if t == nil {
		w.write("<li", w.idAttribute(n), ">")
		if first != nil && first.Kind() != ast.KindTextBlock {
			w.write("\n")
		}
		w.writeChildren(n)
		w.write("</li>\n")
		return
	}
	w.write("<li", w.idAttribute(n), ">")
	w.writeTask(t, first)
	n.RemoveChild(n, first)
	w.writeChildren(n)
	w.write("</li>\n")
}

// writeFenced writes a fenced block according to its language. "lang=go" is
// An Otter Wiki's form.
func (w *writer) writeFenced(n *ast.FencedCodeBlock) {
	language, _, _ := strings.Cut(strings.ToLower(unescape(n.Language(w.doc.source))), ",")
	language, _, _ = strings.Cut(language, ":line-numbers")
	language = strings.Trim(strings.TrimPrefix(language, "lang="), "{}.=")
	code := w.doc.raw(n)
	switch language {
	case "math", "latex-math":
		w.writeFormulaBlock(code)
	case "mermaid":
		w.diagrams++
		w.write(`<figure class="diagram">`)
		w.writeCode("", code)
		w.write("<figcaption>A Mermaid diagram, shown as its source.</figcaption></figure>\n")
	default:
		if n.Info != nil {
			if first := numbering(string(n.Info.Segment.Value(w.doc.source))); first > 0 {
				w.writeNumberedCode(language, code, first)
				return
			}
		}
		w.writeCode(language, code)
	}
}

func (w *writer) writeSource(n *sourceBlock) {
	if n.embedding == "" {
		w.writeFormulaBlock(w.doc.raw(n))
		return
	}
	w.writeAsSource("", w.doc.raw(n), "An embedding of An Otter Wiki ("+n.embedding+"), shown as its source.")
}

// writeAsSource writes the source of what we can't render, with a caption.
func (w *writer) writeAsSource(language string, code []byte, caption string) {
	w.write("<figure>")
	w.writeCode(language, code)
	w.write("<figcaption>")
	w.writeText(caption)
	w.write("</figcaption></figure>\n")
}

func (w *writer) writeTable(n *extast.Table) {
	w.write(w.openRegion("Table"), "<table>\n")
	body := false
	for row := n.FirstChild(); row != nil && w.err == nil; row = row.NextSibling() {
		_, head := row.(*extast.TableHeader)
		switch {
		case head:
			w.write("<thead>\n")
		case !body:
			w.write("<tbody>\n")
			body = true
		}
		w.write("<tr>")
		for c := row.FirstChild(); c != nil; c = c.NextSibling() {
			w.writeCell(c.(*extast.TableCell), head)
		}
		w.write("</tr>\n")
		if head {
			w.write("</thead>\n")
		}
	}
	if body {
		w.write("</tbody>\n")
	}
	w.write("</table></div>\n")
}

// writeCell writes a cell. An empty cell in the head is not a header.
func (w *writer) writeCell(n *extast.TableCell, head bool) {
	name, attrs := "td", ""
	if head && n.FirstChild() != nil {
		name, attrs = "th", ` scope="col"`
	}
	if n.Alignment != extast.AlignNone {
		attrs += ` align="` + n.Alignment.String() + `"`
	}
	w.writeWrapped("<"+name+attrs+">", n, "</"+name+">")
}
