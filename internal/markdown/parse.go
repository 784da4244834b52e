package markdown

import (
	"bytes"
	"math"
	"sort"
	"strings"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"robot.wtf/internal/wiki"
)

// A document is a parsed source.
type document struct {
	name   wiki.PageName
	front  frontMatter
	source []byte // the parsed text: without front matter, LF for CRLF
	root   ast.Node
	shift  []offsetShift // from offsets in source to offsets in the page
	lines  []int         // offsets of line ends in source, computed on demand
	line   int           // line of the page where source begins, from 1
	places map[destination]linkTarget

	blockIDs map[ast.Node]string // nil if there are none
}

// An offsetShift says how far page offsets are ahead from an offset on.
type offsetShift struct{ from, ahead int }

// parse parses a page, or fails with a Problem that names the limit.
func parse(name wiki.PageName, page []byte, clock *clock) (*document, error) {
	d := &document{name: name, line: 1}
	if len(page) > maxSource {
		return nil, tooLargeError("This page is longer than %s bytes.", thousands(maxSource))
	}
	begin := d.cutFrontMatter(page)
	d.source, d.shift = plainLines(page[begin:], begin)
	if err := checkLines(d.source); err != nil {
		return nil, err
	}
	g := &guard{clock: clock}
	pc := parser.NewContext()
	pc.Set(guardKey, g)
	d.root = dialect(d.source).Parse(text.NewReader(d.source), parser.WithContext(pc))
	if g.err != nil {
		return nil, g.err
	}
	mergeText(d.root, d.source)
	if bytes.IndexByte(d.source, '@') >= 0 {
		linkEmails(d.root, d.source)
	}
	d.cutBlockIDs()
	if len(g.explained) > 0 {
		d.markAbbreviations(g.explained)
	}
	return d, nil
}

// mergeText joins adjacent text nodes: goldmark ends a text node at each
// character that may start an element, such as the # in &#42;.
func mergeText(n ast.Node, source []byte) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		t, ok := c.(*ast.Text)
		if !ok {
			mergeText(c, source)
			continue
		}
		for next := t.NextSibling(); next != nil && !t.SoftLineBreak() && !t.HardLineBreak() && t.Merge(next, source); next = t.NextSibling() {
			n.RemoveChild(n, next)
		}
	}
}

// cutFrontMatter parses the front matter and returns the offset of the text.
func (d *document) cutFrontMatter(page []byte) int {
	begin := 0
	if bytes.HasPrefix(page, []byte(byteOrderMark)) {
		begin = len(byteOrderMark)
	}
	front, size, isTOML := cutFrontMatter(page[begin:])
	if size == 0 {
		return begin
	}
	d.front = readFrontMatter(front, isTOML, begin+bytes.Index(page[begin:], front))
	d.line += bytes.Count(page[begin:begin+size], []byte("\n"))
	return begin + size
}

const byteOrderMark = "\ufeff"

// plainLines converts CRLF to LF and records where, so that offsets can be
// mapped back to the page. The result has no spare capacity, because
// goldmark appends to slices of it.
func plainLines(page []byte, begin int) ([]byte, []offsetShift) {
	moves := []offsetShift{{0, begin}}
	if !bytes.Contains(page, []byte("\r\n")) {
		return page[:len(page):len(page)], moves
	}
	out := make([]byte, 0, len(page))
	for i, c := range page {
		if c == '\r' && i+1 < len(page) && page[i+1] == '\n' {
			moves = append(moves, offsetShift{len(out), begin + i + 1 - len(out)})
			continue
		}
		out = append(out, c)
	}
	return out[:len(out):len(out)], moves
}

// offset maps an offset in source to an offset in the page.
func (d *document) offset(at int) int {
	i := sort.Search(len(d.shift), func(i int) bool { return d.shift[i].from > at }) - 1
	return at + d.shift[i].ahead
}

// lineAt is the page's line of an offset in source, from 1.
func (d *document) lineAt(at int) int {
	if d.lines == nil {
		d.lines = []int{}
		for i, c := range d.source {
			if c == '\n' {
				d.lines = append(d.lines, i)
			}
		}
	}
	return d.line + sort.SearchInts(d.lines, at)
}

// headingLine is the first line of a heading.
func (d *document) headingLine(h *ast.Heading) int {
	if h.Lines().Len() > 0 {
		return d.lineAt(h.Lines().At(0).Start)
	}
	return d.lineAt(max(h.Pos(), 0))
}

// dialect returns the parser for a page; parsers have no state. If the page
// can't contain a bare address of the web, it returns one that doesn't look for
// them.
func dialect(source []byte) parser.Parser {
	if bytes.Contains(source, []byte("://")) || bytes.Contains(source, []byte("www.")) {
		return withAddresses()
	}
	return withoutAddresses()
}

var (
	withoutAddresses = sync.OnceValue(func() parser.Parser { return newParser(extensions...) })
	withAddresses    = sync.OnceValue(func() parser.Parser {
		p := newParser(extensions...)
		p.AddOptions(parser.WithInlineParsers(util.Prioritized(bareParser{}, 999)))
		return p
	})
	extensions = []goldmark.Extender{extension.Strikethrough, extension.Footnote, wikiSyntax{}}
)

// newParser returns goldmark with our limits and some extensions.
func newParser(extensions ...goldmark.Extender) parser.Parser {
	md := goldmark.New(goldmark.WithParser(parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(headingParser{parser.NewSetextHeadingParser()}, 100),
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(depthLimited{parser.NewListParser()}, 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewCodeBlockParser(), 500),
			util.Prioritized(headingParser{parser.NewATXHeadingParser()}, 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(depthLimited{quoteParser{parser.NewBlockquoteParser()}}, 800),
			util.Prioritized(parser.NewHTMLBlockParser(), 900),
			util.Prioritized(parser.NewParagraphParser(), 1000),
		),
		parser.WithInlineParsers(parser.DefaultInlineParsers()...),
		parser.WithInlineParsers(util.Prioritized(inlineGuard{}, -100)),
		parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
		parser.WithParagraphTransformers(util.Prioritized(tableGuard{}, 190), util.Prioritized(newTableParser(), 200)),
		parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)),
	)), goldmark.WithExtensions(extensions...))
	return md.Parser()
}

// wikiSyntax is the syntax that wikis add.
type wikiSyntax struct{}

func (wikiSyntax) Extend(m goldmark.Markdown) {
	m.Parser().AddOptions(
		parser.WithBlockParsers(
			util.Prioritized(pageListParser{}, 49), // before boxes
			util.Prioritized(depthLimited{boxParser{}}, 50),
			util.Prioritized(depthLimited{extension.NewDefinitionListParser()}, 101),
			util.Prioritized(extension.NewDefinitionDescriptionParser(), 102),
			util.Prioritized(depthLimited{admonitionParser{}}, 60),
			util.Prioritized(depthLimited{calloutParser{quoteParser{parser.NewBlockquoteParser()}}}, 780),
			util.Prioritized(depthLimited{foldParser{}}, 790), // before block quotes
			util.Prioritized(depthLimited{widgetParser{}}, 689),
			util.Prioritized(sourceParser{}, 690), // before fenced code
			util.Prioritized(hiddenBlockParser{}, 692),
			util.Prioritized(contentsParser{}, 694),
			util.Prioritized(explanationParser{}, 150), // before lists and rules
		),
		parser.WithInlineParsers(
			util.Prioritized(formulaParser{}, 90),   // before code spans (100): `$x$`
			util.Prioritized(wikilinkParser{}, 150), // before links (200), after footnotes (101)
			util.Prioritized(shortcodeParser{parser.NewLinkParser()}, 199),
			util.Prioritized(hiddenTextParser{}, 80),
			util.Prioritized(taskParser{extension.NewTaskCheckBoxParser()}, 0),
			util.Prioritized(taskStateParser{}, 1),
			util.Prioritized(markParser{}, 490),
			util.Prioritized(emojiParser{}, 495),
			util.Prioritized(tagParser{}, 600),
		),
		parser.WithASTTransformers(util.Prioritized(alertTransformer{}, 500)),
	)
}

// plainText returns the text of a node on one line.
func (d *document) plainText(n ast.Node) string {
	words, _ := d.plainTextPrefix(n, math.MaxInt)
	return words
}

// plainTextPrefix returns at least length bytes of plainText, if there are
// that many, and whether that is all.
func (d *document) plainTextPrefix(n ast.Node, length int) (words string, whole bool) {
	var b strings.Builder
	whole = d.writePlainText(&b, n, length)
	return oneLine(b.String()), whole
}

// oneLine collapses white space and trims it.
func oneLine(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for word := range strings.FieldsSeq(s) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	return strings.ToValidUTF8(b.String(), "\ufffd")
}

// writePlainText writes the text of a node and stops after length bytes. It
// reports whether that was all.
func (d *document) writePlainText(b *strings.Builder, n ast.Node, length int) bool {
	switch n := n.(type) {
	case *ast.Text:
		if raw := n.Segment.Value(d.source); n.IsRaw() {
			b.Write(raw)
		} else {
			writeUnescaped(b, raw)
		}
		if n.SoftLineBreak() || n.HardLineBreak() {
			b.WriteByte('\n')
		}
	case *ast.String:
		b.Write(n.Value)
	case *ast.AutoLink:
		b.Write(n.Label(d.source))
	case *wikilink:
		b.WriteString(n.words)
	case *ast.Image:
		alt, _, _ := d.imageText(n)
		b.WriteString(alt)
	case *emoji:
		b.WriteString(n.char)
	case *tag:
		b.WriteString("#" + n.written)
	case *formula:
		b.WriteString(n.source)
	case *ast.RawHTML:
		if s := n.Segments; s.Len() > 0 && isLineBreak(d.source[s.At(0).Start:]) {
			b.WriteByte(' ')
		}
	case *extast.FootnoteLink, *extast.FootnoteBacklink:
	default:
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			if b.Len() >= length || !d.writePlainText(b, c, length) {
				return false
			}
		}
	}
	return true
}

func isLineBreak(tag []byte) bool {
	return len(tag) > 3 && strings.EqualFold(string(tag[:3]), "<br")
}

// text returns the content of a text node.
func (d *document) text(t *ast.Text) string {
	raw := t.Segment.Value(d.source)
	if t.IsRaw() {
		return string(raw)
	}
	return unescape(raw)
}

// raw returns the source of a block's lines.
func (d *document) raw(n ast.Node) []byte {
	var b bytes.Buffer
	for i := range n.Lines().Len() {
		s := n.Lines().At(i)
		b.Write(s.Value(d.source))
	}
	if block, ok := n.(*ast.HTMLBlock); ok && block.HasClosure() {
		b.Write(block.ClosureLine.Value(d.source))
	}
	return b.Bytes()
}

// unescape resolves backslashes and character references as CommonMark does
// in text, destinations and titles.
func unescape(raw []byte) string {
	var b strings.Builder
	writeUnescaped(&b, raw)
	return b.String()
}

func writeUnescaped(b *strings.Builder, raw []byte) {
	if bytes.IndexByte(raw, '\\') < 0 && bytes.IndexByte(raw, '&') < 0 {
		b.Write(raw)
		return
	}
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\' && i+1 < len(raw) && util.IsPunct(raw[i+1]):
			i++
			b.WriteByte(raw[i])
		case c == '&':
			n := referenceLength(raw[i:])
			ref := util.ResolveEntityNames(util.ResolveNumericReferences(raw[i : i+n]))
			b.Write(ref)
			i += n - 1
		default:
			b.WriteByte(c)
		}
	}
}

// referenceLength is the length of a possible character reference, at least
// 1.
func referenceLength(raw []byte) int {
	for i := 1; i < len(raw) && i < 34; i++ {
		if raw[i] == ';' {
			return i + 1
		}
		if raw[i] != '#' && !util.IsAlphaNumeric(raw[i]) {
			break
		}
	}
	return 1
}
