package markdown

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// Comments of Obsidian, %%text%%, stay in the source. Nothing that this package
// makes from it has their text: no HTML, facts or plain text.

var (
	kindHiddenText  = ast.NewNodeKind("HiddenText")
	kindHiddenBlock = ast.NewNodeKind("HiddenBlock")
	hiddenMark      = []byte("%%")
)

// A hiddenText is a comment in a paragraph. It can go on over several lines.
type hiddenText struct{ ast.BaseInline }

func (n *hiddenText) Kind() ast.NodeKind      { return kindHiddenText }
func (n *hiddenText) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

type hiddenTextParser struct{}

func (hiddenTextParser) Trigger() []byte { return []byte{'%'} }

func (hiddenTextParser) Parse(_ ast.Node, block text.Reader, _ parser.Context) ast.Node {
	line, _ := block.PeekLine()
	if !bytes.HasPrefix(line, hiddenMark) {
		return nil
	}
	block.Advance(len(hiddenMark))
	for line, _ = block.PeekLine(); line != nil; line, _ = block.PeekLine() {
		if end := bytes.Index(line, hiddenMark); end >= 0 {
			block.Advance(end + len(hiddenMark))
			return &hiddenText{}
		}
		block.AdvanceLine()
	}
	return nil
}

// A hiddenBlock is a comment that begins at the start of a line and ends on a
// later one, with blank lines or any blocks inside. In a quote or list, it ends
// there at the latest, so a section alone hides the same text as the whole page.
type hiddenBlock struct{ ast.BaseBlock }

func (n *hiddenBlock) Kind() ast.NodeKind      { return kindHiddenBlock }
func (n *hiddenBlock) IsRaw() bool             { return true }
func (n *hiddenBlock) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

type hiddenBlockParser struct{}

func (hiddenBlockParser) Trigger() []byte { return []byte{'%'} }

func (hiddenBlockParser) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	line, segment := reader.PeekLine()
	inside, opens := bytes.CutPrefix(bytes.TrimLeft(line, " "), hiddenMark)
	if !opens || bytes.Contains(inside, hiddenMark) {
		return nil, parser.NoChildren
	}
	g := guardOf(pc)
	if g.endsHiddenText(pc.LastOpenedBlock().Node, reader.Source()) {
		return nil, parser.NoChildren
	}
	source := reader.Source()
	if parent.Kind() == ast.KindDocument && !g.hasEnd('%', source[min(segment.Stop, len(source)):], string(hiddenMark)) {
		return nil, parser.NoChildren
	}
	n := &hiddenBlock{}
	n.Lines().Append(segment)
	reader.AdvanceToEOL()
	return n, parser.NoChildren
}

// endsHiddenText reports whether the next mark ends a comment that the open
// paragraph began. It counts each line once.
func (g *guard) endsHiddenText(open ast.Node, source []byte) bool {
	p, ok := open.(*ast.Paragraph)
	if !ok {
		return false
	}
	if g.hidden.paragraph != p {
		g.hidden = hiddenMarks{paragraph: p}
	}
	for ; g.hidden.lines < p.Lines().Len(); g.hidden.lines++ {
		line := p.Lines().At(g.hidden.lines)
		g.hidden.marks += bytes.Count(line.Value(source), hiddenMark)
	}
	return g.hidden.marks%2 == 1
}

// hiddenMarks counts the marks in the first lines of a paragraph.
type hiddenMarks struct {
	paragraph    *ast.Paragraph
	lines, marks int
}

// Continue ends the block after the mark; the rest of the line is shown.
func (hiddenBlockParser) Continue(node ast.Node, reader text.Reader, _ parser.Context) parser.State {
	line, segment := reader.PeekLine()
	end := bytes.Index(line, hiddenMark)
	if end < 0 {
		node.Lines().Append(segment)
		reader.AdvanceToEOL()
		return parser.Continue | parser.NoChildren
	}
	end += len(hiddenMark)
	node.Lines().Append(text.NewSegment(segment.Start, segment.Start-segment.Padding+end))
	reader.Advance(end)
	return parser.Close
}

func (hiddenBlockParser) Close(ast.Node, text.Reader, parser.Context) {}
func (hiddenBlockParser) CanInterruptParagraph() bool                 { return true }
func (hiddenBlockParser) CanAcceptIndentedLine() bool                 { return false }

// isHidden reports whether an inline node is a comment, or blank text after one.
func (d *document) isHidden(n ast.Node) bool {
	if n.Kind() == kindHiddenText {
		return true
	}
	t, ok := n.(*ast.Text)
	before := n.PreviousSibling()
	return ok && before != nil && before.Kind() == kindHiddenText && len(bytes.TrimSpace(t.Segment.Value(d.source))) == 0
}
