package markdown

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

var (
	kindBox    = ast.NewNodeKind("Box")
	kindSource = ast.NewNodeKind("Source")
)

// A box contains blocks: a notice (an alert or a ::: block), a spoiler or a
// fold.
type box struct {
	ast.BaseBlock
	style  boxStyle
	title  string // plain text, unless the first child is the title
	fence  int    // number of colons that opened it, 0 for other boxes
	indent int    // columns before its text, 0 for other boxes
	fold   byte   // '+' for an open fold, '-' for a closed one, or 0
}

func (n *box) Kind() ast.NodeKind      { return kindBox }
func (n *box) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

// A boxStyle is the appearance of a box.
type boxStyle struct {
	class string // in addition to "notice"
	icon  string // name in the sprite
	lines string // '!' for a spoiler, '|' for a fold; "" for notices
}

var (
	plainBox   = boxStyle{icon: "page"}
	infoBox    = boxStyle{icon: "info"}
	goodBox    = boxStyle{class: "good", icon: "check"}
	warningBox = boxStyle{class: "warning", icon: "warning"}
	dangerBox  = boxStyle{class: "warning", icon: "stop"}
	askBox     = boxStyle{class: "warning", icon: "info"}
	todoBox    = boxStyle{icon: "tasks"}
	listBox    = boxStyle{class: "quiet", icon: "list"}
	quoteBox   = boxStyle{class: "quiet", icon: "quote"}
	tabBox     = boxStyle{class: "tab"}
	detailsBox = boxStyle{lines: "|"}
)

// noticeStyles are the kinds of ::: blocks and of GitHub's alerts.
var noticeStyles = map[string]boxStyle{
	"": plainBox, "none": plainBox, "empty": plainBox,
	"info": infoBox, "blue": infoBox, "note": infoBox, "important": infoBox,
	"success": goodBox, "green": goodBox, "tip": goodBox,
	"warning": warningBox, "yellow": warningBox,
	"danger": dangerBox, "red": dangerBox, "caution": dangerBox,
	"details": detailsBox,
}

// alertKinds are the kinds of GitHub's alerts.
var alertKinds = []string{"note", "tip", "important", "warning", "caution"}

// boxParser parses "::: info" up to a line with the same number of colons.
// Docusaurus and VitePress add a title, ":::tip Title" or ":::tip[Title]", and
// attributes. The kind "details" is a fold.
type boxParser struct{}

func (boxParser) Trigger() []byte { return []byte{':'} }

var (
	boxLine       = regexp.MustCompile(`^ {0,3}(:{3,100})[ \t]*(\w*)[ \t]*\n?$`)
	titledBoxLine = regexp.MustCompile(`^ {0,3}(:{3,100})[ \t]*(\w+)(?:\[([^\]\n]*)\]|[ \t]+([^\s{][^{\n]*?))?[ \t]*(?:\{[^{}\n]*\})?[ \t]*\n?$`)
)

func (boxParser) Open(_ ast.Node, reader text.Reader, _ parser.Context) (ast.Node, parser.State) {
	line, segment := reader.PeekLine()
	m := boxLine.FindSubmatchIndex(line)
	titled := m == nil
	if titled {
		m = titledBoxLine.FindSubmatchIndex(line)
	}
	if m == nil {
		return nil, parser.NoChildren
	}
	style, known := noticeStyles[strings.ToLower(string(line[m[4]:m[5]]))]
	if titled && !known {
		return nil, parser.NoChildren
	}
	if !known {
		style = plainBox
	}
	n := &box{style: style, fence: m[3] - m[2]}
	if titled {
		n.setTitle(segment, max(m[6], m[8]), max(m[7], m[9]))
	}
	reader.AdvanceToEOL()
	return n, parser.HasChildren
}

// Continue closes the innermost box opened with the same number of colons,
// unless the line is in a code block.
func (boxParser) Continue(node ast.Node, reader text.Reader, pc parser.Context) parser.State {
	line, _ := reader.PeekLine()
	fence := closingFence(line)
	if fence == 0 {
		return parser.Continue | parser.HasChildren
	}
	open := pc.OpenedBlocks()
	for i := len(open) - 1; i >= 0; i-- {
		if k := open[i].Node.Kind(); k == ast.KindFencedCodeBlock || k == kindSource {
			break
		}
		if b, ok := open[i].Node.(*box); ok && b.fence == fence {
			if b == node {
				reader.AdvanceToEOL()
				return parser.Close
			}
			break
		}
	}
	return parser.Continue | parser.HasChildren
}

// closingFence returns the number of colons of a boxLine without a style, or
// 0 for other lines. It runs for each open box on each line, so it avoids
// the regular expression.
func closingFence(line []byte) int {
	indented := bytes.TrimLeft(line, " ")
	n := 0
	for n < len(indented) && n <= 100 && indented[n] == ':' {
		n++
	}
	if len(line)-len(indented) > 3 || n < 3 || n > 100 {
		return 0
	}
	if rest := bytes.TrimLeft(indented[n:], " \t"); len(rest) > 0 && string(rest) != "\n" {
		return 0
	}
	return n
}

func (boxParser) Close(ast.Node, text.Reader, parser.Context) {}
func (boxParser) CanInterruptParagraph() bool                 { return true }
func (boxParser) CanAcceptIndentedLine() bool                 { return false }

// foldParser parses lines of >! (a spoiler) and >| (a fold).
type foldParser struct{}

func (foldParser) Trigger() []byte { return []byte{'>'} }

var foldLine = regexp.MustCompile(`^ {0,3}>([!|])(?: |([^\[ \n])|(\n)|$)`)

// parseFoldStart returns the kind of a fold line and the length of its
// marker.
func parseFoldStart(line []byte) (lines string, length int) {
	m := foldLine.FindSubmatchIndex(line)
	if m == nil {
		return "", 0
	}
	length = m[1]
	if m[4] >= 0 || m[6] >= 0 { // no space after it
		length = m[3]
	}
	return string(line[m[2]:m[3]]), length
}

func (foldParser) Open(_ ast.Node, reader text.Reader, _ parser.Context) (ast.Node, parser.State) {
	line, _ := reader.PeekLine()
	lines, length := parseFoldStart(line)
	if lines == "" {
		return nil, parser.NoChildren
	}
	reader.Advance(length)
	return &box{style: boxStyle{lines: lines}}, parser.HasChildren
}

func (foldParser) Continue(node ast.Node, reader text.Reader, _ parser.Context) parser.State {
	line, _ := reader.PeekLine()
	lines, length := parseFoldStart(line)
	if lines != node.(*box).style.lines {
		return parser.Close
	}
	reader.Advance(length)
	return parser.Continue | parser.HasChildren
}

func (foldParser) Close(ast.Node, text.Reader, parser.Context) {}
func (foldParser) CanInterruptParagraph() bool                 { return true }
func (foldParser) CanAcceptIndentedLine() bool                 { return false }

// quoteParser is goldmark's, except that fold lines end a quote.
type quoteParser struct{ parser.BlockParser }

func (q quoteParser) Continue(node ast.Node, reader text.Reader, pc parser.Context) parser.State {
	if line, _ := reader.PeekLine(); bytes.IndexByte(line, '>') >= 0 {
		if lines, _ := parseFoldStart(line); lines != "" {
			return parser.Close
		}
	}
	return q.BlockParser.Continue(node, reader, pc)
}

// A sourceBlock isn't parsed further: a formula between lines of $$, or an
// embedding of An Otter Wiki, {{Name … }}.
type sourceBlock struct {
	ast.BaseBlock
	embedding string // its name; "" for a formula
	closed    bool
}

func (n *sourceBlock) Kind() ast.NodeKind      { return kindSource }
func (n *sourceBlock) IsRaw() bool             { return true }
func (n *sourceBlock) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

type sourceParser struct{}

func (sourceParser) Trigger() []byte { return []byte{'$', '{'} }

var (
	formulaLine    = regexp.MustCompile(`^ {0,3}\$\$[ \t]*\n?$`)
	formulaStart   = regexp.MustCompile(`^ {0,3}\$\$[^$\n]+\n?$`)
	formulaEnd     = regexp.MustCompile(`^[^$\n]*\$\$[ \t]*\n?$`)
	embeddingStart = regexp.MustCompile(`^ {0,3}\{\{([A-Za-z]{2,30})\b`)
	embeddingEnd   = regexp.MustCompile(`\}\}[ \t]*\n?$`)
)

func (sourceParser) Open(_ ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	line, segment := reader.PeekLine()
	rest := reader.Source()[segment.Start:]
	n := &sourceBlock{}
	switch {
	case formulaLine.Match(line):
		g := guardOf(pc)
		if g.isInFormula(pc.LastOpenedBlock().Node, reader.Source()) || !g.hasEnd('$', rest[min(len(line), len(rest)):], "$$") {
			return nil, parser.NoChildren
		}
	case formulaStart.Match(line):
		if !guardOf(pc).endsFormula(reader.Source(), segment.Stop) {
			return nil, parser.NoChildren
		}
		after := segment.WithStart(segment.Start - segment.Padding + bytes.Index(line, []byte("$$")) + 2)
		n.Lines().Append(after.TrimLeftSpace(reader.Source()))
	case embeddingStart.Match(line):
		n.embedding, n.closed = string(embeddingStart.FindSubmatch(line)[1]), embeddingEnd.Match(line)
		if !n.closed && (bytes.Contains(line, []byte("}}")) || !guardOf(pc).hasEnd('{', rest, "}}")) {
			return nil, parser.NoChildren // {{value}} and more text, or no end
		}
		n.Lines().Append(segment)
	default:
		return nil, parser.NoChildren
	}
	reader.AdvanceToEOL()
	return n, parser.NoChildren
}

// hasEnd reports whether a later line could end a block. It remembers a
// negative result, which stays true for the rest of the page.
func (g *guard) hasEnd(kind byte, rest []byte, end string) bool {
	if g.unclosed[kind] {
		return false
	}
	if bytes.Contains(rest, []byte(end)) {
		return true
	}
	if g.unclosed == nil {
		g.unclosed = map[byte]bool{}
	}
	g.unclosed[kind] = true
	return false
}

// isInFormula reports whether an open paragraph has an open formula, one that began with
// $$ at the end of a line. It looks at each line once.
func (g *guard) isInFormula(last ast.Node, source []byte) bool {
	p, ok := last.(*ast.Paragraph)
	if !ok {
		return false
	}
	if g.paragraph != p {
		g.paragraph, g.paragraphLines, g.inFormula = p, 0, false
	}
	for ; g.paragraphLines < p.Lines().Len(); g.paragraphLines++ {
		segment := p.Lines().At(g.paragraphLines)
		line := bytes.TrimRight(segment.Value(source), " \t\n")
		if bytes.Count(line, []byte("$$"))%2 == 1 {
			g.inFormula = !g.inFormula && bytes.HasSuffix(line, []byte("$$"))
		}
	}
	return g.inFormula
}

// endsFormula reports whether a line before the next blank one ends a formula that
// begins on the line before an offset. It remembers where none does.
func (g *guard) endsFormula(source []byte, at int) bool {
	if at < g.noFormula {
		return false
	}
	for line := range bytes.Lines(source[min(at, len(source)):]) {
		if formulaEnd.Match(line) {
			return true
		}
		at += len(line)
		if len(bytes.Trim(line, " \t>\n")) == 0 {
			break
		}
	}
	g.noFormula = at
	return false
}

func (sourceParser) Continue(node ast.Node, reader text.Reader, _ parser.Context) parser.State {
	n := node.(*sourceBlock)
	if n.closed {
		return parser.Close
	}
	line, segment := reader.PeekLine()
	if n.embedding == "" && formulaLine.Match(line) {
		reader.AdvanceToEOL()
		n.closed = true
		return parser.Close
	}
	if n.embedding == "" && formulaEnd.Match(line) {
		n.closed = true
		segment = segment.WithStop(segment.Start - segment.Padding + bytes.Index(line, []byte("$$")))
	}
	n.Lines().Append(segment)
	n.closed = n.closed || n.embedding != "" && embeddingEnd.Match(line)
	reader.AdvanceToEOL()
	return parser.Continue | parser.NoChildren
}

func (sourceParser) Close(ast.Node, text.Reader, parser.Context) {}
func (sourceParser) CanInterruptParagraph() bool                 { return true }
func (sourceParser) CanAcceptIndentedLine() bool                 { return false }

// alertTransformer turns block quotes that begin with [!NOTE] into notices,
// and headings that begin boxes into titles.
type alertTransformer struct{}

func (alertTransformer) Transform(root *ast.Document, reader text.Reader, _ parser.Context) {
	var quotes []*ast.Blockquote
	var boxes []*box
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Blockquote:
			if entering {
				quotes = append(quotes, n)
			}
		case *box:
			if entering {
				boxes = append(boxes, n)
			}
		case *ast.Paragraph, *ast.Heading, *ast.TextBlock:
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	d := &document{source: reader.Source()}
	for _, b := range boxes {
		if h, ok := b.FirstChild().(*ast.Heading); ok {
			b.title = d.plainText(h)
			b.RemoveChild(b, h)
		}
	}
	for _, q := range quotes {
		transformAlert(q, reader.Source())
	}
}

var alertForm = regexp.MustCompile(`(?i)^\[!(note|tip|important|warning|caution)\][ \t]*\n?$`)

// transformAlert turns a quote into a notice if its first line says so.
func transformAlert(q *ast.Blockquote, source []byte) {
	p, ok := q.FirstChild().(*ast.Paragraph)
	if !ok || p.Lines().Len() == 0 {
		return
	}
	first := p.Lines().At(0)
	m := alertForm.FindSubmatch(first.Value(source))
	if m == nil {
		return
	}
	name := strings.ToLower(string(m[1]))
	b := &box{style: noticeStyles[name], title: strings.ToUpper(name[:1]) + name[1:]}
	for c := p.FirstChild(); c != nil; { // inline nodes of the first line
		next := c.NextSibling()
		t, ok := c.(*ast.Text)
		p.RemoveChild(p, c)
		if ok && (t.SoftLineBreak() || t.HardLineBreak()) {
			break
		}
		c = next
	}
	if p.FirstChild() == nil {
		q.RemoveChild(q, p)
	}
	for c := q.FirstChild(); c != nil; {
		next := c.NextSibling()
		b.AppendChild(b, c)
		c = next
	}
	q.Parent().ReplaceChild(q.Parent(), q, b)
}
