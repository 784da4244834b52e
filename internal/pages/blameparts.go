package pages

import (
	"bytes"
	"html/template"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A BlamePart is a run of a page's blocks last changed by the same author.
type BlamePart struct {
	HTML        template.HTML
	By          *wiki.Revision // the newest change; nil if unknown
	First, Last int            // source lines
}

// maxParts bounds the parts of a page.
const maxParts = 300

// parts groups a page's blocks by the author of their newest line. Each part is a
// piece of html, not a copy, so pages of many blocks cost no more than long ones.
func (a *authorship) parts(html template.HTML, blocks []markdown.Block, source []byte) []BlamePart {
	blank := blankLines(source)
	var list []BlamePart
	begin := 0 // of the last part
	for i, b := range blocks {
		p := BlamePart{By: a.newest(b, blank), First: b.First, Last: b.Last}
		if n := len(list); n > 0 && sameAuthor(list[n-1], p) {
			last := &list[n-1]
			last.HTML, last.Last = html[begin:b.End], max(last.Last, p.Last)
			if p.By != nil && p.By.Seq > last.By.Seq {
				last.By = p.By
			}
			continue
		}
		if i > 0 {
			begin = blocks[i-1].End
		}
		p.HTML = html[begin:b.End]
		list = append(list, p)
	}
	if len(list) > maxParts || len(blocks) == 0 && html != "" {
		return []BlamePart{{HTML: html}}
	}
	return list
}

func sameAuthor(a, b BlamePart) bool {
	if a.By == nil || b.By == nil {
		return a.By == nil && b.By == nil
	}
	return shownAuthor(a.By.Author) == shownAuthor(b.By.Author)
}

// newest returns the newest revision of a block's lines. Lines without a known
// author are older than all others; nil if there are only such lines.
func (a *authorship) newest(b markdown.Block, blank []bool) *wiki.Revision {
	var found *wiki.Revision
	for line := b.First; line > 0 && line <= b.Last && line <= len(a.lines); line++ {
		if line <= len(blank) && blank[line-1] {
			continue
		}
		n := a.lines[line-1]
		if n < 0 {
			continue
		}
		if found == nil || a.by[n].Seq > found.Seq {
			found = &a.by[n]
		}
	}
	return found
}

func blankLines(source []byte) []bool {
	var blank []bool
	for line := range bytes.Lines(source) {
		blank = append(blank, len(bytes.TrimSpace(line)) == 0)
	}
	return blank
}
