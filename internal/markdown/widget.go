package markdown

import (
	"bytes"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// Widgets are the embeddings of An Otter Wiki that can be shown without a script:
// a block from {{Name to a line that ends in }}. Lines made of |key=value are
// options, with inline Markdown as values; the others are the body.

var (
	kindWidget       = ast.NewNodeKind("Widget")
	kindWidgetOption = ast.NewNodeKind("WidgetOption")
)

type widget struct {
	ast.BaseBlock
	name   string // in lowercase, without spaces
	closed bool
}

func (n *widget) Kind() ast.NodeKind      { return kindWidget }
func (n *widget) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

// A widgetOption is an option of a widget; its line is the value.
type widgetOption struct {
	ast.BaseBlock
	key string // as written
}

func (n *widgetOption) Kind() ast.NodeKind      { return kindWidgetOption }
func (n *widgetOption) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

// IsRaw reports whether the value is an address or a pattern, not Markdown.
func (n *widgetOption) IsRaw() bool {
	return n.is("src") || n.is("alt") || n.isOfList() && n.is("filter")
}

// isOfList reports whether the option is one of an AttachmentList.
func (n *widgetOption) isOfList() bool {
	w, ok := n.Parent().(*widget)
	return ok && w.name == "attachmentlist"
}

func (n *widgetOption) is(key string) bool { return strings.EqualFold(n.key, key) }

// isAddress reports whether the value is the address of a file.
func (n *widgetOption) isAddress() bool {
	w, ok := n.Parent().(*widget)
	return ok && n.is("src") && w.name != "pageindex" && w.name != "infobox"
}

var widgetNames = []string{"infobox", "imageframe", "figure", "video", "datatable", "pageindex", "attachmentlist"}

type widgetParser struct{}

func (widgetParser) Trigger() []byte { return []byte{'{'} }

var (
	widgetStart = regexp.MustCompile(`^ {0,3}\{\{([A-Za-z]+(?: [A-Za-z]+)?)[ \t]*(\|[^\n]*?)?(\}\})?[ \t]*\n?$`)
	optionLine  = regexp.MustCompile(`^[ \t]*(?:\|(?:\\[|=]|[^=|\n])+=(?:\\\||[^|\n])+)+\n?$`)
	optionForm  = regexp.MustCompile(`\|((?:\\[|=]|[^=|\n])+)=((?:\\\||[^|\n])+)`)
)

func (widgetParser) Open(_ ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	line, segment := reader.PeekLine()
	m := widgetStart.FindSubmatchIndex(line)
	if m == nil {
		return nil, parser.NoChildren
	}
	name := strings.ToLower(strings.ReplaceAll(string(line[m[2]:m[3]]), " ", ""))
	source := reader.Source()
	if !slices.Contains(widgetNames, name) || m[6] < 0 && !guardOf(pc).hasEnd('{', source[min(segment.Stop, len(source)):], "}}") {
		return nil, parser.NoChildren
	}
	n := &widget{name: name, closed: m[6] >= 0}
	if m[4] >= 0 && !n.addOptions(source, segment, m[4], m[5]) {
		return nil, parser.NoChildren
	}
	reader.AdvanceToEOL()
	return n, parser.HasChildren
}

// addOptions adds the options in a part of a line. It reports whether there are any
// and nothing else.
func (n *widget) addOptions(source []byte, line text.Segment, from, to int) bool {
	start := line.Start - line.Padding
	part := source[max(start+from, line.Start):max(start+to, line.Start)]
	if !optionLine.Match(part) {
		return false
	}
	start += from
	for _, m := range optionForm.FindAllSubmatchIndex(part, -1) {
		key := strings.NewReplacer(`\=`, "=", `\|`, "|").Replace(strings.TrimSpace(string(part[m[2]:m[3]])))
		n.addOption(key, source, start+m[4], start+m[5])
	}
	return true
}

func (n *widget) addOption(key string, source []byte, from, to int) {
	o := &widgetOption{key: key}
	value := text.NewSegment(from, to)
	value = value.TrimLeftSpace(source)
	o.Lines().Append(value.TrimRightSpace(source))
	n.AppendChild(n, o)
}

func (widgetParser) Continue(node ast.Node, reader text.Reader, pc parser.Context) parser.State {
	n := node.(*widget)
	if n.closed {
		return parser.Close
	}
	if inRawBlock(pc) {
		return parser.Continue | parser.HasChildren
	}
	line, segment := reader.PeekLine()
	content, closes := bytes.CutSuffix(bytes.TrimRight(line, " \t\n"), []byte("}}"))
	n.closed = closes
	source := reader.Source()
	size := len(bytes.TrimRight(content, "\n"))
	switch {
	case len(bytes.TrimSpace(content)) == 0 && closes:
	case bytes.IndexByte(content, '|') >= 0 && segment.Padding == 0 && n.addOptions(source, segment, 0, size):
	case n.name == "video" && segment.Padding == 0 && len(bytes.TrimSpace(content)) > 0:
		n.addOption("src", source, segment.Start, segment.Start+size)
	case closes && segment.Padding == 0: // the last line of the body
		last := ast.NewParagraph()
		part := text.NewSegment(segment.Start, segment.Start+size)
		part = part.TrimLeftSpace(source)
		last.Lines().Append(part.TrimRightSpace(source))
		n.AppendChild(n, last)
	default:
		return parser.Continue | parser.HasChildren
	}
	reader.AdvanceToEOL()
	return parser.Continue | parser.HasChildren
}

// inRawBlock reports whether the innermost open block takes its lines as they are
// until it is closed.
func inRawBlock(pc parser.Context) bool {
	switch pc.LastOpenedBlock().Node.Kind() {
	case ast.KindFencedCodeBlock, kindSource, kindHiddenBlock:
		return true
	}
	return false
}

func (widgetParser) Close(ast.Node, text.Reader, parser.Context) {}
func (widgetParser) CanInterruptParagraph() bool                 { return true }
func (widgetParser) CanAcceptIndentedLine() bool                 { return false }

// option returns a widget's option, or nil.
func (n *widget) option(keys ...string) *widgetOption {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if o, ok := c.(*widgetOption); ok && slices.ContainsFunc(keys, o.is) {
			return o
		}
	}
	return nil
}

// takeOptions removes the options from the body and returns them.
func (n *widget) takeOptions() []*widgetOption {
	var list []*widgetOption
	for c := n.FirstChild(); c != nil; {
		next := c.NextSibling()
		if o, ok := c.(*widgetOption); ok {
			n.RemoveChild(n, o)
			list = append(list, o)
		}
		c = next
	}
	return list
}

// lookOptions are those that say how a widget looks or works. They aren't facts.
var lookOptions = strings.Fields(`caption width height float position pos align text-align style alt src title toc toggle perpage paging
	searchable sortable fixedheight delimiter quotechar header headers columns column0 controls autoplay muted loop`)

// isRow reports whether an option is a row of an InfoBox.
func (n *widgetOption) isRow() bool { return !slices.ContainsFunc(lookOptions, n.is) && !n.isOfList() }

// name is the key of a row as it is shown.
func (n *widgetOption) name() string { return strings.TrimPrefix(n.key, "_") }

func (d *document) value(o *widgetOption) string {
	if o == nil {
		return ""
	}
	return strings.TrimSpace(string(d.raw(o)))
}

// writeWidget writes a widget by its name.
func (w *writer) writeWidget(n *widget) {
	switch n.name {
	case "infobox":
		w.writeInfoBox(n)
	case "video":
		for _, o := range n.takeOptions() {
			if o.is("src") {
				w.write("<p>")
				w.writePlayer(addressTarget(w.doc.name, w.doc.value(o), true), "", w.doc.value(o))
				w.write("</p>\n")
			}
		}
	case "pageindex":
		w.writePageIndex(w.doc.value(n.option("src")), w.doc.value(n.option("style")))
	case "attachmentlist":
		w.writeAttachmentList(w.doc.value(n.option("filter")), n.option("caption"))
	case "datatable":
		w.writeDataTable(n)
	case "imageframe":
		w.writeWidgetFigure(n, `<figure class="framed">`)
	default:
		w.writeWidgetFigure(n, "<figure>")
	}
}

// writeWidgetFigure writes a widget's image or body with its caption.
func (w *writer) writeWidgetFigure(n *widget, before string) {
	caption, src, alt := n.option("caption"), n.option("src"), w.doc.value(n.option("alt"))
	n.takeOptions()
	w.write(before, "\n")
	if src != nil {
		w.write("<p>")
		w.writeImage(addressTarget(w.doc.name, w.doc.value(src), true), alt, "", "", "")
		w.write("</p>\n")
	}
	w.writeChildren(n)
	w.writeCaption(caption)
	w.write("</figure>\n")
}

func (w *writer) writeCaption(caption *widgetOption) {
	if caption != nil {
		w.writeWrapped("<figcaption>", caption, "</figcaption>")
	}
}

// writeInfoBox writes facts about a page's subject beside its text.
func (w *writer) writeInfoBox(n *widget) {
	options := n.takeOptions()
	w.write(`<figure class="framed infobox">`, "\n")
	for _, o := range options {
		if o.is("caption") {
			w.writeWrapped("<p><b>", o, "</b></p>\n")
		}
	}
	w.writeChildren(n)
	if slices.ContainsFunc(options, (*widgetOption).isRow) {
		w.write("<dl>\n")
		for _, o := range options {
			if o.isRow() {
				w.write("<dt>")
				w.writeText(o.name())
				w.writeWrapped("</dt><dd>", o, "</dd>\n")
			}
		}
		w.write("</dl>\n")
	}
	w.write("</figure>\n")
}

// MaxListed limits the pages in a PageIndex.
const MaxListed = 500

const maxListings = 20 // PageIndexes in a page; others are links to the index

// writePageIndex lists the pages below this one whose titles match a pattern.
func (w *writer) writePageIndex(pattern, style string) {
	if pattern == "" {
		pattern = "*"
	}
	if w.detached {
		w.writeDetachedNote()
		return
	}
	if w.listings++; w.listings > maxListings || w.listPages == nil {
		w.write(`<p><a href="/-/index">All pages</a></p>`, "\n")
		return
	}
	listed, more := w.listPages(w.doc.name, pattern)
	if len(listed) == 0 {
		w.write("<p><small>There are no pages here yet.</small></p>\n")
		return
	}
	letter := ""
	w.write(`<ul class="outline">`, "\n")
	for _, t := range listed {
		title := displayTarget(strings.TrimPrefix(string(t.Name), string(w.doc.name)+"/"))
		if first := strings.ToUpper(shorten(title, 1)); first != letter && style != "list" {
			if letter != "" {
				w.write("</ul>\n</li>\n")
			}
			w.write("<li><b>")
			w.writeText(first)
			w.write("</b>\n<ul>\n")
			letter = first
		}
		w.write("<li>")
		w.writeLink(resolvedLink{url: t.URL, target: t}, "", func() { w.writeText(title) })
		w.write("</li>\n")
	}
	if letter != "" {
		w.write("</ul>\n</li>\n")
	}
	w.write("</ul>\n")
	if more {
		w.write(`<p><small>Only the first pages are listed.</small></p>`, "\n")
	}
}

// writeAttachmentList lists the page's attachments whose names match a pattern.
func (w *writer) writeAttachmentList(pattern string, caption *widgetOption) {
	if pattern == "" {
		pattern = "*"
	}
	if w.detached {
		w.writeDetachedNote()
		return
	}
	w.write("<figure>\n")
	var files []Target
	more := false
	if w.listings++; w.listings <= maxListings && w.listFiles != nil {
		files, more = w.listFiles(w.doc.name, pattern)
	}
	if len(files) == 0 {
		w.write("<p><small>There are no attachments here.</small></p>\n")
	} else {
		w.write("<ul>\n")
		for _, t := range files {
			w.write("<li>")
			w.writeLink(resolvedLink{url: t.URL, target: t}, "", func() { w.writeText(fileName(t.URL)) })
			w.write("</li>\n")
		}
		w.write("</ul>\n")
	}
	if more {
		w.write(`<p><small>Only the first attachments are listed.</small></p>`, "\n")
	}
	w.writeCaption(caption)
	w.write("</figure>\n")
}

// fileName returns the last part of an address, decoded.
func fileName(address string) string {
	name := path.Base(address)
	if decoded, err := url.PathUnescape(name); err == nil {
		return decoded
	}
	return name
}

// writeOptionText writes what readers see of an option.
func (d *document) writeOptionText(b *strings.Builder, o *widgetOption) {
	switch {
	case o.is("caption"):
		b.WriteString(d.plainText(o))
	case o.is("alt"):
		b.WriteString(d.value(o))
	case o.isRow():
		b.WriteString(o.name() + ": " + d.plainText(o))
	default:
		return
	}
	writeLineEnd(b)
}
