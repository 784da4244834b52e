package markdown

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// The nodes that this wiki adds to Markdown.
var (
	kindWikiLink = ast.NewNodeKind("WikiLink")
	kindTag      = ast.NewNodeKind("Tag")
	kindMark     = ast.NewNodeKind("Mark")
	kindMath     = ast.NewNodeKind("Math")
	kindBox      = ast.NewNodeKind("Box")
)

// A wikiLink is [[Page#Heading|text]] or, with embed, ![[Page]].
type wikiLink struct {
	ast.BaseInline
	inside string
	embed  bool
}

func (n *wikiLink) Kind() ast.NodeKind            { return kindWikiLink }
func (n *wikiLink) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// A tag is #word.
type tag struct {
	ast.BaseInline
	name string
}

func (n *tag) Kind() ast.NodeKind            { return kindTag }
func (n *tag) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// A mark is ==text==.
type mark struct{ ast.BaseInline }

func (n *mark) Kind() ast.NodeKind            { return kindMark }
func (n *mark) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// A math is a formula, shown as its source.
type math struct {
	ast.BaseInline
	formula string
	display bool
}

func (n *math) Kind() ast.NodeKind            { return kindMath }
func (n *math) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// A box is a container: a notice (alert or ::: block), a spoiler or a fold.
type box struct {
	ast.BaseBlock
	kind  string // info, success, warning, danger, none; spoiler, fold
	title string
	fence int // colons that opened a ::: block
}

func (n *box) Kind() ast.NodeKind            { return kindBox }
func (n *box) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// syntax parses pages. It holds no state and is safe for concurrent use.
var syntax = newParser().Parser()

// newParser is goldmark with GFM, footnotes, definition lists and our syntax.
func newParser() goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.TaskList, extension.Footnote, extension.DefinitionList,
			extension.NewLinkify(extension.WithLinkifyAllowedProtocols([]string{"http:", "https:"}))),
		goldmark.WithParserOptions(
			parser.WithBlockParsers(
				util.Prioritized(&boxParser{}, 75),
				util.Prioritized(&quoteParser{}, 790), // before block quotes (800)
			),
			parser.WithInlineParsers(
				util.Prioritized(wikiLinkParser{}, 190), // before links (200)
				util.Prioritized(mathParser{}, 195),
				util.Prioritized(tagParser{}, 900),
				util.Prioritized(markParser{}, 490),
			),
			parser.WithASTTransformers(util.Prioritized(alerts{}, 100)),
		),
	)
}

type wikiLinkParser struct{}

func (wikiLinkParser) Trigger() []byte { return []byte{'[', '!'} }

var wikiLinkForm = regexp.MustCompile(`^!?\[\[([^\[\]\n]{1,400})\]\]`)

func (wikiLinkParser) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, _ := block.PeekLine()
	m := wikiLinkForm.FindSubmatch(line)
	if m == nil || len(bytes.TrimSpace(m[1])) == 0 {
		return nil
	}
	block.Advance(len(m[0]))
	return &wikiLink{inside: string(m[1]), embed: line[0] == '!'}
}

type tagParser struct{}

func (tagParser) Trigger() []byte { return []byte{'#'} }

var tagForm = regexp.MustCompile(`^#([\pL\pN_][\pL\pN\pM_/-]{0,49})`)

// Parse takes #word after a blank or an opening bracket; a number alone is no
// tag ("#1").
func (tagParser) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	if before := block.PrecendingCharacter(); !strings.ContainsRune(" \t\n(,;", before) {
		return nil
	}
	line, _ := block.PeekLine()
	m := tagForm.FindSubmatch(line)
	if m == nil || len(bytes.Trim(m[1], "0123456789-/_")) == 0 {
		return nil
	}
	name := bytes.TrimRight(m[1], "-/")
	block.Advance(1 + len(name))
	return &tag{name: strings.ToLower(string(name))}
}

type mathParser struct{}

func (mathParser) Trigger() []byte { return []byte{'$'} }

var mathForm = regexp.MustCompile("^(?:\\$\\$([^$\n]+)\\$\\$|\\$`([^`\n]+)`\\$|\\$([^\\s$](?:[^$\n]*[^\\s$\\\\])?)\\$)")

func (mathParser) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, _ := block.PeekLine()
	m := mathForm.FindSubmatch(line)
	if m == nil {
		return nil
	}
	rest := line[len(m[0]):]
	if m[3] != nil && len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9' { // "$5 and $6"
		return nil
	}
	block.Advance(len(m[0]))
	return &math{formula: string(m[1]) + string(m[2]) + string(m[3]), display: m[1] != nil}
}

type markParser struct{}

func (markParser) Trigger() []byte { return []byte{'='} }

type markDelimiter struct{}

func (markDelimiter) IsDelimiter(b byte) bool                   { return b == '=' }
func (markDelimiter) CanOpenCloser(o, c *parser.Delimiter) bool { return o.Char == c.Char }
func (markDelimiter) OnMatch(consumes int) ast.Node             { return &mark{} }

func (markParser) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	line, segment := block.PeekLine()
	node := parser.ScanDelimiter(line, before, 2, markDelimiter{})
	if node == nil || node.OriginalLength != 2 || before == '=' {
		return nil
	}
	node.Segment = segment.WithStop(segment.Start + node.OriginalLength)
	block.Advance(node.OriginalLength)
	pc.PushDelimiter(node)
	return node
}

// boxParser reads ":::: info" up to a line of as many colons.
type boxParser struct{}

func (*boxParser) Trigger() []byte { return []byte{':'} }

var boxOpen = regexp.MustCompile(`^ {0,3}(:{3,})[ \t]*([A-Za-z]*)[ \t]*\r?\n?$`)

var boxKinds = map[string]string{
	"": "none", "none": "none", "empty": "none", "info": "info", "blue": "info", "note": "info", "success": "success", "green": "success",
	"tip": "success", "warning": "warning", "yellow": "warning", "danger": "danger", "red": "danger", "caution": "danger",
}

func (*boxParser) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	line, _ := reader.PeekLine()
	m := boxOpen.FindSubmatch(line)
	if m == nil {
		return nil, parser.NoChildren
	}
	kind, ok := boxKinds[strings.ToLower(string(m[2]))]
	if !ok {
		kind = "none"
	}
	reader.AdvanceToEOL()
	return &box{kind: kind, fence: len(m[1])}, parser.HasChildren
}

func (*boxParser) Continue(node ast.Node, reader text.Reader, pc parser.Context) parser.State {
	line, _ := reader.PeekLine()
	if m := boxOpen.FindSubmatch(line); m != nil && len(m[2]) == 0 && len(m[1]) == node.(*box).fence {
		reader.AdvanceToEOL()
		return parser.Close
	}
	return parser.Continue | parser.HasChildren
}

func (*boxParser) Close(node ast.Node, reader text.Reader, pc parser.Context) {}
func (*boxParser) CanInterruptParagraph() bool                                { return true }
func (*boxParser) CanAcceptIndentedLine() bool                                { return false }

// quoteParser reads lines of ">!" (a spoiler) and ">|" (a fold).
type quoteParser struct{}

func (*quoteParser) Trigger() []byte { return []byte{'>'} }

func quoteKind(line []byte) string {
	line = bytes.TrimLeft(line, " ")
	switch {
	case bytes.HasPrefix(line, []byte(">!")) && !bytes.HasPrefix(line, []byte(">![")):
		return "spoiler"
	case bytes.HasPrefix(line, []byte(">|")):
		return "fold"
	}
	return ""
}

func (q *quoteParser) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	line, _ := reader.PeekLine()
	kind := quoteKind(line)
	if kind == "" {
		return nil, parser.NoChildren
	}
	q.advance(reader, line)
	return &box{kind: kind}, parser.HasChildren
}

func (*quoteParser) advance(reader text.Reader, line []byte) {
	n := bytes.IndexByte(line, '>') + 2
	if n < len(line) && line[n] == ' ' {
		n++
	}
	reader.Advance(n)
}

func (q *quoteParser) Continue(node ast.Node, reader text.Reader, pc parser.Context) parser.State {
	line, _ := reader.PeekLine()
	if quoteKind(line) != node.(*box).kind {
		return parser.Close
	}
	q.advance(reader, line)
	return parser.Continue | parser.HasChildren
}

func (*quoteParser) Close(node ast.Node, reader text.Reader, pc parser.Context) {}
func (*quoteParser) CanInterruptParagraph() bool                                { return true }
func (*quoteParser) CanAcceptIndentedLine() bool                                { return false }

// alerts turns block quotes that begin with [!NOTE] into boxes, and takes the
// titles of boxes out of their first heading.
type alerts struct{}

var alertForm = regexp.MustCompile(`(?i)^\[!(note|tip|important|warning|caution)\][ \t]*\r?\n?$`)

var alertKinds = map[string]string{"note": "info", "tip": "success", "important": "info", "warning": "warning", "caution": "danger"}

func (alerts) Transform(doc *ast.Document, reader text.Reader, pc parser.Context) {
	source := reader.Source()
	var quotes []*ast.Blockquote
	var boxes []*box
	ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			switch n := n.(type) {
			case *ast.Blockquote:
				quotes = append(quotes, n)
			case *box:
				boxes = append(boxes, n)
			}
		}
		return ast.WalkContinue, nil
	})
	for _, q := range quotes {
		alert(q, source)
	}
	for _, b := range boxes {
		if h, ok := b.FirstChild().(*ast.Heading); ok && b.title == "" {
			b.title = nodeText(h, source)
			b.RemoveChild(b, h)
		}
	}
}

func alert(q *ast.Blockquote, source []byte) {
	p, ok := q.FirstChild().(*ast.Paragraph)
	if !ok || p.Lines().Len() == 0 {
		return
	}
	first := p.Lines().At(0)
	m := alertForm.FindSubmatch(first.Value(source))
	if m == nil {
		return
	}
	for c := p.FirstChild(); c != nil; { // the inlines of the first line
		next := c.NextSibling()
		start, ok := inlineStart(c)
		if ok && start >= first.Stop {
			break
		}
		p.RemoveChild(p, c)
		c = next
	}
	name := strings.ToLower(string(m[1]))
	b := &box{kind: alertKinds[name], title: strings.ToUpper(name[:1]) + name[1:]}
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

// inlineStart is where an inline begins in the source.
func inlineStart(n ast.Node) (int, bool) {
	for ; n != nil; n = n.FirstChild() {
		if t, ok := n.(*ast.Text); ok {
			return t.Segment.Start, true
		}
	}
	return 0, false
}

// nodeText is the plain text of a node.
func nodeText(n ast.Node, source []byte) string {
	var b strings.Builder
	ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch c := c.(type) {
		case *ast.Text:
			b.Write(c.Segment.Value(source))
			if c.SoftLineBreak() || c.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(c.Value)
		case *ast.AutoLink:
			b.Write(c.Label(source))
		case *wikiLink:
			b.WriteString(c.words())
		case *tag:
			b.WriteString("#" + c.name)
		case *math:
			b.WriteString(c.formula)
		}
		return ast.WalkContinue, nil
	})
	return strings.TrimSpace(b.String())
}

// words is what a wikilink shows.
func (n *wikiLink) words() string {
	target, fragment, label := wikiTarget("", n.inside)
	switch {
	case label != "":
		return label
	case target == "":
		return fragment
	case fragment != "":
		return strings.ReplaceAll(target, "_", " ") + " § " + fragment
	}
	return strings.ReplaceAll(target, "_", " ")
}
