package markdown

import (
	"bytes"
	"html"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"

	"robot.wtf/internal/wiki"
)

// Block ids are Obsidian's: "^id" at the end of a paragraph, list item or
// heading, or in a paragraph of its own below another block. [[Page#^id]] leads
// to the block, ![[Page#^id]] embeds it.

var (
	blockIDForm     = regexp.MustCompile(`(?:^|[ \t])\^([A-Za-z0-9-]{1,100})$`)
	blockIDFragment = regexp.MustCompile(`^\^([A-Za-z0-9-]{1,100})$`)
)

// blockIDOf returns the block id in a fragment, in lowercase.
func blockIDOf(fragment string) (id string, ok bool) {
	m := blockIDFragment.FindStringSubmatch(strings.TrimSpace(fragment))
	if m == nil {
		return "", false
	}
	return strings.ToLower(m[1]), true
}

// cutBlockIDs takes the block ids out of the text and lists them in blockIDs.
func (d *document) cutBlockIDs() {
	if !bytes.Contains(d.source, []byte("^")) {
		return
	}
	var texts []ast.Node
	_ = ast.Walk(d.root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n.(type) {
		case *ast.Paragraph, *ast.TextBlock, *ast.Heading:
			if entering {
				texts = append(texts, n)
			}
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	d.blockIDs = map[ast.Node]string{}
	for _, n := range texts {
		d.cutBlockID(n)
	}
}

// cutBlockID takes the id from the end of a text.
func (d *document) cutBlockID(n ast.Node) {
	t, ok := n.LastChild().(*ast.Text)
	if !ok || t.IsRaw() {
		return
	}
	raw := t.Segment.Value(d.source)
	m := blockIDForm.FindSubmatchIndex(raw)
	if m == nil || m[0] == 0 && raw[0] == '^' && !endsLine(t.PreviousSibling()) {
		return
	}
	id := strings.ToLower(string(raw[m[2]:m[3]]))
	block := n
	if item, ok := n.Parent().(*ast.ListItem); ok && item.FirstChild() == n {
		block = item
	}
	if m[0] == 0 && t.PreviousSibling() == nil { // nothing else
		if block = n.PreviousSibling(); block == nil {
			return
		}
		n.Parent().RemoveChild(n.Parent(), n)
	}
	t.Segment.Stop = t.Segment.Start + m[0]
	if before, ok := t.PreviousSibling().(*ast.Text); ok && m[0] == 0 {
		before.SetSoftLineBreak(false)
		n.RemoveChild(n, t)
	}
	if d.blockIDs[block] == "" {
		d.blockIDs[block] = id
	}
}

// BlockIDs lists the ids of a page's blocks.
func BlockIDs(source []byte) []string {
	if !bytes.Contains(source, []byte("^")) {
		return nil
	}
	d := tryParse("", source)
	if d == nil {
		return nil
	}
	return slices.Sorted(maps.Values(d.blockIDs))
}

// endsLine reports whether a line ends after an inline node, or there is none.
func endsLine(n ast.Node) bool {
	t, ok := n.(*ast.Text)
	return n == nil || ok && (t.SoftLineBreak() || t.HardLineBreak())
}

// idAttribute returns the attribute with a block's id, or "".
func (w *writer) idAttribute(n ast.Node) string {
	id := w.doc.blockIDs[n]
	if id == "" || len(w.embeds) > 0 || !w.ids.reserve("^"+id) {
		return ""
	}
	return ` id="` + html.EscapeString(idPrefix+"^"+id) + `"`
}

// Excerpt returns the part of a page that a link's fragment names: a block by
// its id ("^id"), a section with its subsections by its heading, by the ids and
// headings above it ("Heading#Subheading"), by its own id or by its anchor
// ("heading-1"), and the whole page for "". It returns "" if there is no such part.
func Excerpt(source []byte, fragment string) string {
	if fragment == "" {
		return string(source)
	}
	if id, ok := blockIDOf(fragment); ok {
		first, last := blockLines(source, id)
		return dedent(linesBetween(source, first, last))
	}
	first, last := sectionLines(source, fragment)
	return strings.Join(linesBetween(source, first, last), "")
}

// linesBetween returns lines of a page, from 1; none from line 0.
func linesBetween(source []byte, first, last int) []string {
	if first == 0 {
		return nil
	}
	lines := strings.SplitAfter(string(source), "\n")
	return lines[min(first-1, len(lines)):min(last, len(lines))]
}

// blockLines returns the lines of a block with an id, or 0.
func blockLines(source []byte, id string) (first, last int) {
	d := tryParse("", source)
	if d == nil {
		return 0, 0
	}
	for n, found := range d.blockIDs {
		if found != id {
			continue
		}
		if from, to := d.linesOf(n); from > 0 && (first == 0 || from < first) {
			first, last = from, to
		}
	}
	return first, last
}

// sectionLines returns the lines of the section that a fragment names, or 0.
func sectionLines(source []byte, fragment string) (first, last int) {
	sections := Sections(source)
	find := func(path []string) bool {
		for _, s := range sections {
			if s.isNamed(path) {
				first, last = s.StartLine, s.DeepEnd
				return true
			}
		}
		return false
	}
	if find([]string{fragment}) || find(HeadingPath(fragment)) {
		return first, last
	}
	anchor := FragmentAnchor(fragment)
	for i, anchors := range Anchors(sections) {
		if slices.Contains(anchors, anchor) {
			return sections[i].StartLine, sections[i].DeepEnd
		}
	}
	return 0, 0
}

// isNamed reports whether a section has the heading at the end of a path, and
// above it the others, from the top down.
func (s *Section) isNamed(path []string) bool {
	if len(s.Path) == 0 || len(path) == 0 {
		return false
	}
	last := headingKey(path[len(path)-1])
	if headingKey(s.Path[len(s.Path)-1]) != last && (s.ID == "" || headingKey(s.ID) != last) {
		return false
	}
	above := s.Path[:len(s.Path)-1]
	for _, name := range path[:len(path)-1] {
		i := slices.IndexFunc(above, func(h string) bool { return headingKey(h) == headingKey(name) })
		if i < 0 {
			return false
		}
		above = above[i+1:]
	}
	return true
}

// headingKey is equal for a heading and the fragments that name it.
func headingKey(text string) string {
	return strings.Join(strings.FieldsFunc(wiki.Key(text), func(r rune) bool { return r == '_' || r == '-' }), " ")
}

// HeadingPath splits a fragment such as "Heading#Subheading", from the top down. In
// "C# and F#", nothing is split.
func HeadingPath(fragment string) []string {
	path := strings.Split(fragment, "#")
	if slices.ContainsFunc(path, func(s string) bool { return s == "" || s[0] == ' ' }) {
		return []string{fragment}
	}
	return path
}

// dedent joins lines without the indentation that the first one has.
func dedent(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	indent := lines[0][:len(lines[0])-len(strings.TrimLeft(lines[0], " \t"))]
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, indent)
	}
	return strings.Join(lines, "")
}
