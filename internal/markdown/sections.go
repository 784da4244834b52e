package markdown

import (
	"bytes"
	"slices"

	"github.com/yuin/goldmark/ast"
)

// A Section is a heading with the text below it.
type Section struct {
	Path      []string // titles from the top heading down to this one; empty for the lead
	Level     int      // 0 for the lead
	StartLine int      // of the heading, from 1
	EndLine   int      // last line, without subsections
	DeepEnd   int      // last line, with subsections
	ID        string   // that the author chose, or ""
}

// Sections splits a page at its headings (not those in code, quotes and
// boxes), the lead first. Each line is in exactly one section. A page over a
// limit is all lead.
func Sections(source []byte) []Section {
	last := max(1, bytes.Count(bytes.TrimSuffix(source, []byte("\n")), []byte("\n"))+1)
	list := []Section{{StartLine: 1, EndLine: last, DeepEnd: last}}
	d := tryParse("", source)
	if d == nil {
		return list
	}
	var above []Section // possible parents of the next heading
	for n := d.root.FirstChild(); n != nil; n = n.NextSibling() {
		h, ok := n.(*ast.Heading)
		if !ok {
			continue
		}
		for len(above) > 0 && above[len(above)-1].Level >= h.Level {
			above = above[:len(above)-1]
		}
		s := Section{Level: h.Level, StartLine: d.headingLine(h), EndLine: last, DeepEnd: last}
		if len(above) > 0 {
			s.Path = slices.Clone(above[len(above)-1].Path)
		}
		s.Path, s.ID = append(s.Path, d.plainText(h)), headingID(h)
		above = append(above, s)
		list[len(list)-1].EndLine = s.StartLine - 1
		list = append(list, s)
	}
	setDeepEnds(list)
	return list
}

// setDeepEnds ends each section where one of the same or a higher level
// begins.
func setDeepEnds(list []Section) {
	var open []int
	for i, s := range list {
		for len(open) > 0 && list[open[len(open)-1]].Level >= s.Level {
			list[open[len(open)-1]].DeepEnd = s.StartLine - 1
			open = open[:len(open)-1]
		}
		open = append(open, i)
	}
}
