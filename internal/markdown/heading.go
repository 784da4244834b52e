package markdown

import (
	"bytes"
	"html"
	"html/template"
	"regexp"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// headingParser is goldmark's for one kind of headings, with ids: "# Text {#id}"
// and, as in MkDocs and kramdown, "# Text {: #id .class }".
type headingParser struct{ parser.BlockParser }

var headingIDForm = regexp.MustCompile(`[ \t]+\{:?[ \t]*(?:[^{}#\n]*[ \t])?#([^\s{}#]{1,100})(?:[ \t][^{}\n]*)?\}$`)

func (p headingParser) Close(node ast.Node, reader text.Reader, pc parser.Context) {
	p.BlockParser.Close(node, reader, pc)
	if h, ok := node.(*ast.Heading); ok {
		cutHeadingID(h, reader.Source())
	}
}

// cutHeadingID takes the id from the end of a heading and sets it.
func cutHeadingID(h *ast.Heading, source []byte) {
	at := h.Lines().Len() - 1
	if at < 0 {
		return
	}
	last := h.Lines().At(at)
	line := last.Value(source)
	if !bytes.HasSuffix(line, []byte("}")) {
		return
	}
	m := headingIDForm.FindSubmatchIndex(line)
	if m == nil || last.Padding > 0 {
		return
	}
	h.SetAttributeString("id", string(line[m[2]:m[3]]))
	last.Stop = last.Start + m[0]
	h.Lines().Set(at, last)
}

// headingID returns the id that a heading's author chose, or "".
func headingID(h *ast.Heading) string {
	if v, ok := h.AttributeString("id"); ok {
		id, _ := v.(string)
		return id
	}
	return ""
}

// An idSet has the ids that a page made from its text, without idPrefix.
type idSet struct {
	taken   map[string]bool
	repeats map[string]int // by the id without a number
}

func newIDSet() idSet { return idSet{map[string]bool{}, map[string]int{}} }

// reserve adds an id. It reports false if the page has it.
func (s idSet) reserve(id string) bool {
	if s.taken[id] {
		return false
	}
	s.taken[id] = true
	return true
}

// number adds an id, with -1, -2 and so on if the page has it, and returns it.
func (s idSet) number(id string) string {
	try := id
	for !s.reserve(try) {
		s.repeats[id]++
		try = id + "-" + strconv.Itoa(s.repeats[id])
	}
	return try
}

// heading adds the ids of a heading and returns them: that of its text, or the one
// that its author chose and, unless the page has it, that of its text.
func (s idSet) heading(text, chosen string) []string {
	if chosen == "" {
		return []string{s.number(slug(text))}
	}
	ids := []string{s.number(slug(chosen))}
	if id := slug(text); s.reserve(id) {
		ids = append(ids, id)
	}
	return ids
}

// Anchors returns the anchors of a page's sections, as Anchor forms them: those of
// headings with the same one are numbered. A heading with an id of its own has a
// second anchor, that of its text, unless another heading above has it. The lead has
// none.
func Anchors(sections []Section) [][]string {
	anchors := make([][]string, len(sections))
	ids := newIDSet()
	for i, s := range sections {
		if s.Level == 0 {
			continue
		}
		for _, id := range ids.heading(s.Path[len(s.Path)-1], s.ID) {
			anchors[i] = append(anchors[i], "#"+idPrefix+escapeURL(id))
		}
	}
	return anchors
}

// HeadingID returns the id of a heading without the prefix that pages' ids have.
func HeadingID(h Heading) string { return strings.TrimPrefix(h.ID, idPrefix) }

// HeadingFragment returns the fragment, with its #, of a heading by its HeadingID.
func HeadingFragment(id string) string { return "#" + idPrefix + escapeURL(id) }

// headingLinkForm matches the link to a heading as Page.HTML has it.
var headingLinkForm = regexp.MustCompile(`<a class="anchor" href="#` + idPrefix + `([^"]*)" aria-label="Link to ([^"]*)">#</a>`)

// SectionLinks returns rendered HTML with the result of link after each heading.
// link gets the heading's id, as HeadingID returns it, and its text as HTML.
func SectionLinks(rendered template.HTML, link func(id string, label template.HTML) template.HTML) template.HTML {
	return template.HTML(headingLinkForm.ReplaceAllStringFunc(string(rendered), func(anchor string) string {
		m := headingLinkForm.FindStringSubmatch(anchor)
		return anchor + " " + string(link(percentDecode(html.UnescapeString(m[1])), template.HTML(m[2])))
	}))
}

// maxContents limits the lists of contents in a page. More are left out.
const maxContents = 3

var kindContents = ast.NewNodeKind("Contents")

// A contents is the list of the page's headings: [TOC] or [[_TOC_]] on a line.
type contents struct{ ast.BaseBlock }

func (n *contents) Kind() ast.NodeKind      { return kindContents }
func (n *contents) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

type contentsParser struct{}

func (contentsParser) Trigger() []byte { return []byte{'['} }

func (contentsParser) Open(_ ast.Node, reader text.Reader, _ parser.Context) (ast.Node, parser.State) {
	line, _ := reader.PeekLine()
	if len(line) > 100 {
		return nil, parser.NoChildren
	}
	switch string(bytes.TrimSpace(line)) {
	case "[TOC]", "[toc]", "[[_TOC_]]":
		reader.AdvanceToEOL()
		return &contents{}, parser.NoChildren
	}
	return nil, parser.NoChildren
}

func (contentsParser) Continue(ast.Node, text.Reader, parser.Context) parser.State {
	return parser.Close
}
func (contentsParser) Close(ast.Node, text.Reader, parser.Context) {}
func (contentsParser) CanInterruptParagraph() bool                 { return false }
func (contentsParser) CanAcceptIndentedLine() bool                 { return false }

// writeContents notes where the contents go; the headings aren't known yet. An
// embedded page has none, because its headings have no anchors.
func (w *writer) writeContents() {
	if len(w.embeds) == 0 && len(w.contents) < maxContents {
		w.contents = append(w.contents, w.out.Len())
	}
}

// insertContents writes the headings into the places noted by writeContents.
func (w *writer) insertContents() {
	if len(w.contents) == 0 || len(w.headings) == 0 {
		return
	}
	list := contentsOf(w.headings)
	whole := bytes.Clone(w.out.Bytes())
	w.out.Reset()
	done := 0
	for _, at := range w.contents {
		w.out.Write(whole[done:at])
		w.out.WriteString(list)
		done = at
	}
	w.out.Write(whole[done:])
}

// contentsOf returns headings as nested lists.
func contentsOf(headings []Heading) string {
	var b strings.Builder
	var open []int // levels of the lists
	for _, h := range headings {
		for len(open) > 1 && open[len(open)-1] > h.Level {
			b.WriteString("</li>\n</ul>\n")
			open = open[:len(open)-1]
		}
		switch {
		case len(open) == 0:
			b.WriteString("<ul class=\"outline\">\n")
			open = append(open, h.Level)
		case open[len(open)-1] < h.Level:
			b.WriteString("\n<ul>\n")
			open = append(open, h.Level)
		default:
			b.WriteString("</li>\n")
		}
		b.WriteString(`<li><a href="#` + html.EscapeString(escapeURL(h.ID)) + `">` + html.EscapeString(h.Text) + "</a>")
	}
	b.WriteString(strings.Repeat("</li>\n</ul>\n", len(open)))
	return b.String()
}
