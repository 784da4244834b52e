package markdown

import (
	"bytes"
	"html"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

var kindBoxTitle = ast.NewNodeKind("BoxTitle")

// A boxTitle is the title of a box with inline elements. It is the box's first
// child.
type boxTitle struct{ ast.BaseBlock }

func (n *boxTitle) Kind() ast.NodeKind      { return kindBoxTitle }
func (n *boxTitle) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

// setTitle makes a part of a line, from one offset of it to another, the title.
// An empty part leaves the box without one.
func (n *box) setTitle(line text.Segment, from, to int) {
	if from >= to {
		return
	}
	t := &boxTitle{}
	start := line.Start - line.Padding
	t.Lines().Append(text.NewSegment(start+from, start+to))
	n.AppendChild(n, t)
}

// plainTitle is the title of a box of a kind without one of its own: its kind.
func plainTitle(kind string) string {
	return strings.ToUpper(kind[:1]) + strings.ReplaceAll(strings.ToLower(kind[1:]), "-", " ")
}

// calloutStyles are the kinds of Obsidian's callouts and MkDocs' admonitions, and
// their aliases. GitHub's alerts keep the styles they have there.
var calloutStyles = map[string]boxStyle{
	"note": infoBox, "info": infoBox,
	"abstract": listBox, "summary": listBox, "tldr": listBox, "example": listBox,
	"todo": todoBox,
	"tip":  goodBox, "hint": goodBox, "success": goodBox, "check": goodBox, "done": goodBox, "important": infoBox,
	"question": askBox, "help": askBox, "faq": askBox,
	"warning": warningBox, "attention": warningBox, "caution": dangerBox,
	"failure": dangerBox, "fail": dangerBox, "missing": dangerBox, "danger": dangerBox, "error": dangerBox, "bug": dangerBox,
	"quote": quoteBox, "cite": quoteBox,
}

// calloutParser parses Obsidian's callouts: a quote whose first line is
// "[!kind] Title", "[!kind]- Title" (folded) or "[!kind]+ Title" (foldable).
// A bare kind of GitHub's is an alert, and a bare unknown kind a quote.
type calloutParser struct{ quoteParser }

var calloutLine = regexp.MustCompile(`^ {0,3}> {0,4}\[!([A-Za-z][\w-]{0,40})(?:\|[^\]\n]{0,100})?\]([+-]?)(?:[ \t]+([^\n]*?))?[ \t]*\n?$`)

func (calloutParser) Open(_ ast.Node, reader text.Reader, _ parser.Context) (ast.Node, parser.State) {
	line, segment := reader.PeekLine()
	if !bytes.Contains(line, []byte("[!")) {
		return nil, parser.NoChildren
	}
	m := calloutLine.FindSubmatchIndex(line)
	if m == nil {
		return nil, parser.NoChildren
	}
	kind := strings.ToLower(string(line[m[2]:m[3]]))
	style, known := calloutStyles[kind]
	bare := m[4] == m[5] && (m[6] < 0 || m[6] == m[7])
	if bare && (!known || slices.Contains(alertKinds, kind)) {
		return nil, parser.NoChildren
	}
	if !known {
		style = infoBox
	}
	n := &box{style: style}
	if m[4] < m[5] {
		n.fold = line[m[4]]
	}
	if n.setTitle(segment, m[6], m[7]); n.FirstChild() == nil {
		n.title = plainTitle(kind)
	}
	reader.AdvanceToEOL()
	return n, parser.HasChildren
}

// admonitionParser parses the blocks of MkDocs: "!!! kind", "??? kind" (folded),
// "???+ kind" (foldable) and the tabs "=== "Title"", each with a text that is
// indented by four columns.
type admonitionParser struct{}

func (admonitionParser) Trigger() []byte { return []byte{'!', '?', '='} }

var (
	admonitionLine = regexp.MustCompile(`^ {0,3}(!!!|\?\?\?\+?)[ \t]+([A-Za-z][\w-]{0,40})((?:[ \t]+[A-Za-z][\w-]*)*)(?:[ \t]+"([^"\n]*)")?[ \t]*\n?$`)
	tabLine        = regexp.MustCompile(`^ {0,3}===[+!]?[ \t]+"([^"\n]+)"[ \t]*\n?$`)
)

func (admonitionParser) Open(_ ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	line, segment := reader.PeekLine()
	begin := line[min(max(pc.BlockOffset(), 0), len(line)):]
	if len(begin) < 5 || begin[1] != begin[0] || begin[2] != begin[0] {
		return nil, parser.NoChildren
	}
	n := &box{indent: admonitionIndent}
	if m := tabLine.FindSubmatchIndex(line); m != nil {
		n.style = tabBox
		n.setTitle(segment, m[2], m[3])
	} else if m := admonitionLine.FindSubmatchIndex(line); m != nil {
		n.setAdmonition(line, segment, m)
	} else {
		return nil, parser.NoChildren
	}
	if !isIndentedNext(reader.Source()[min(segment.Stop, len(reader.Source())):]) {
		return nil, parser.NoChildren
	}
	reader.AdvanceToEOL()
	return n, parser.HasChildren
}

// setAdmonition sets what the first line of an admonition says. An empty title in
// quotes leaves it without one.
func (n *box) setAdmonition(line []byte, segment text.Segment, m []int) {
	kind := strings.ToLower(string(line[m[4]:m[5]]))
	var known bool
	if n.style, known = calloutStyles[kind]; !known {
		n.style = infoBox
	}
	switch string(line[m[2]:m[3]]) {
	case "???":
		n.fold = '-'
	case "???+":
		n.fold = '+'
	}
	if m[8] < 0 || n.fold != 0 && m[8] == m[9] {
		n.title = plainTitle(kind)
		return
	}
	n.setTitle(segment, m[8], m[9])
}

const admonitionIndent = 4

// isIndentedNext reports whether the next line that isn't blank is indented like
// the text of an admonition, in a quote or not.
func isIndentedNext(rest []byte) bool {
	for line := range bytes.Lines(rest) {
		if i := bytes.LastIndexByte(line[:len(line)-len(bytes.TrimLeft(line, "> \t"))], '>'); i >= 0 {
			line = line[i+1:]
		}
		if !util.IsBlank(line) {
			width, _ := util.IndentWidth(line, 0)
			return width >= admonitionIndent
		}
	}
	return false
}

func (admonitionParser) Continue(_ ast.Node, reader text.Reader, _ parser.Context) parser.State {
	line, _ := reader.PeekLine()
	if util.IsBlank(line) {
		reader.AdvanceToEOL()
		return parser.Continue | parser.HasChildren
	}
	pos, padding := util.IndentPosition(line, reader.LineOffset(), admonitionIndent)
	if pos < 0 {
		return parser.Close
	}
	reader.AdvanceAndSetPadding(pos, padding)
	return parser.Continue | parser.HasChildren
}

func (admonitionParser) Close(ast.Node, text.Reader, parser.Context) {}
func (admonitionParser) CanInterruptParagraph() bool                 { return true }
func (admonitionParser) CanAcceptIndentedLine() bool                 { return false }

// writeBox writes a box by its form: a fold, a tab or a notice.
func (w *writer) writeBox(n *box) {
	switch {
	case n.style.lines == "!":
		w.writeWrapped("<details><summary>Spoiler</summary>\n", n, "</details>\n")
	case n.style.lines == "|":
		w.write("<details><summary>")
		w.writeBoxTitle(n, "More")
		w.writeBoxBody(n, "</summary>\n", "</details>\n")
	case n.style == tabBox:
		w.write(`<div class="tab"><p><b>`)
		w.writeBoxTitle(n, "")
		w.writeBoxBody(n, "</b></p>\n", "</div>\n")
	case n.fold != 0:
		open := ""
		if n.fold == '+' {
			open = " open"
		}
		w.write(`<details class="`, n.style.classes(), `"`, open, "><summary>", w.icon(n.style.icon), " ")
		w.writeBoxTitle(n, "More")
		w.writeBoxBody(n, "</summary><div>\n", "</div></details>\n")
	default:
		w.write(`<div class="`, n.style.classes(), `" role="note">`, w.icon(n.style.icon), "<div>")
		after := ""
		if n.hasTitle() {
			w.write("<p><b>")
			w.writeBoxTitle(n, "")
			after = "</b></p>\n"
		}
		w.writeBoxBody(n, after, "</div></div>\n")
	}
}

// icon returns an icon of the sprite.
func (w *writer) icon(name string) string {
	return `<svg class="icon" aria-hidden="true"><use href="` + html.EscapeString(w.r.o.Icons) + "#" + name + `"></use></svg>`
}

// classes are the classes of a notice.
func (s boxStyle) classes() string {
	if s.class == "" {
		return "notice"
	}
	return "notice " + s.class
}

func (n *box) hasTitle() bool {
	_, ok := n.FirstChild().(*boxTitle)
	return ok || n.title != ""
}

// writeBoxTitle writes a box's title, or another text if it has none.
func (w *writer) writeBoxTitle(n *box, other string) {
	if t, ok := n.FirstChild().(*boxTitle); ok {
		w.writeChildren(t)
		return
	}
	if n.title != "" {
		other = n.title
	}
	if w.rightToLeft { // our words don't decide the direction of the box
		w.write(`<bdi lang="en">`)
		defer w.write("</bdi>")
	}
	w.writeText(other)
}

// writeBoxBody writes the blocks of a box between two texts, without its title.
func (w *writer) writeBoxBody(n *box, before, after string) {
	if t, ok := n.FirstChild().(*boxTitle); ok {
		n.RemoveChild(n, t)
	}
	w.writeWrapped(before, n, after)
}
