package markdown

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
)

// A Part is a top-level block of a page's source, such as a paragraph or a list.
type Part struct {
	Kind        PartKind
	First, Last int    // lines, from 1; without a closing fence
	Marker      byte   // of a list: '-', '+', '*', '.' or ')'; of a fold: '!' or '|'
	Spaced      bool   // of a list: blank lines are between its items
	Content     int    // of a list: the column, from 0, where the text of the last item begins
	Shape       string // equal for equal blocks, wherever they are
}

// A PartKind is the kind of a Part.
type PartKind int

// The kinds of parts that an addition can continue. OtherPart is any other.
const (
	OtherPart PartKind = iota
	ParagraphPart
	ListPart
	TablePart
	QuotePart
	AlertPart
	FoldPart
	CodePart  // indented
	FencePart // fenced code
	DefinitionPart
)

// Parts splits a page into its top-level blocks, in order. Definitions of links and
// notes are no parts. A page over a limit has none.
func Parts(source []byte) []Part {
	d := tryParse("", source)
	if d == nil {
		return nil
	}
	var parts []Part
	for n := d.root.FirstChild(); n != nil; n = n.NextSibling() {
		if first, last := d.linesOf(n); first > 0 {
			p := Part{First: first, Last: last}
			d.describe(&p, n)
			parts = append(parts, p)
		}
	}
	slices.SortStableFunc(parts, func(a, b Part) int { return a.First - b.First })
	return parts
}

// describe sets what depends on the kind of a block.
func (d *document) describe(p *Part, n ast.Node) {
	var shape strings.Builder
	d.writeShape(&shape, n)
	p.Shape = shape.String()
	switch n := n.(type) {
	case *ast.Paragraph, *ast.TextBlock:
		p.Kind = ParagraphPart
	case *ast.List:
		p.Kind, p.Marker = ListPart, n.Marker
		p.Spaced = !n.IsTight && n.ChildCount() > 1
		if line, _ := d.linesOf(n.LastChild()); line > 0 {
			p.Content = contentColumn(d.sourceLine(line))
		}
	case *extast.Table:
		p.Kind = TablePart
	case *ast.Blockquote:
		p.Kind = QuotePart
	case *ast.CodeBlock:
		p.Kind = CodePart
	case *ast.FencedCodeBlock:
		p.Kind = FencePart
	case *extast.DefinitionList:
		p.Kind = DefinitionPart
	case *box:
		switch {
		case n.style.lines != "" && n.fence == 0:
			p.Kind, p.Marker = FoldPart, n.style.lines[0]
		case n.fence == 0 && n.indent == 0:
			p.Kind = AlertPart
		}
	}
}

// sourceLine returns a line of the page, without its end.
func (d *document) sourceLine(line int) []byte {
	d.lineAt(0) // computes d.lines
	line -= d.line
	begin, end := 0, len(d.source)
	if line > 0 {
		begin = d.lines[line-1] + 1
	}
	if line < len(d.lines) {
		end = d.lines[line]
	}
	return d.source[begin:end]
}

// contentColumn returns the column where the text of a list item begins (CommonMark
// 5.2).
func contentColumn(line []byte) int {
	at := len(line) - len(bytes.TrimLeft(line, " "))
	rest := bytes.TrimLeft(line[at:], "0123456789")
	at = len(line) - len(rest)
	if len(rest) > 0 {
		at, rest = at+1, rest[1:] // the marker
	}
	spaces := len(rest) - len(bytes.TrimLeft(rest, " "))
	if spaces == 0 || spaces > 4 || spaces == len(rest) {
		return at + 1
	}
	return at + spaces
}

// writeShape writes a block's structure and text, without its place.
func (d *document) writeShape(b *strings.Builder, n ast.Node) {
	fmt.Fprintf(b, "(%s", n.Kind())
	switch n := n.(type) {
	case *ast.List:
		fmt.Fprintf(b, " %c %v %d", n.Marker, n.IsTight, n.Start)
	case *ast.Heading:
		fmt.Fprintf(b, " %d %q", n.Level, headingID(n))
	case *box:
		fmt.Fprintf(b, " %v %q", n.style, n.title)
	case *widget:
		fmt.Fprintf(b, " %s", n.name)
	case *widgetOption:
		fmt.Fprintf(b, " %q", n.key)
	case *ast.FencedCodeBlock:
		fmt.Fprintf(b, " %q", n.Language(d.source))
	}
	blank := 0
	if lines := n.Lines(); lines != nil {
		for i := range lines.Len() {
			s := lines.At(i)
			if line := bytes.TrimSpace(s.Value(d.source)); len(line) > 0 {
				fmt.Fprintf(b, " %s%q", strings.Repeat("/", blank), line)
				blank = 0
			} else {
				blank++ // unclosed code has the blank lines at the page's end too
			}
		}
	}
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if c.Type() != ast.TypeInline {
			d.writeShape(b, c)
		}
	}
	b.WriteByte(')')
}
