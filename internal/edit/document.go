package edit

import (
	"fmt"
	"strings"
	"sync"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A Document is a page's text with its lines and sections. Lines are numbered
// from 1 and end with "\n", except perhaps the last. It is immutable and safe for
// concurrent use.
type Document struct {
	Text    string
	outline func() ([]Section, []markdown.Part)
	starts  []int // offset of each line
}

// A Section is a heading with the lines below it.
type Section = markdown.Section

// NewDocument returns the document of a normalized text.
func NewDocument(text string) *Document {
	doc := &Document{Text: text, starts: []int{0}}
	doc.outline = sync.OnceValues(func() ([]Section, []markdown.Part) { return markdown.Outline([]byte(text)) })
	for i := range len(text) {
		if text[i] == '\n' && i+1 < len(text) {
			doc.starts = append(doc.starts, i+1)
		}
	}
	return doc
}

// Size returns the memory that the document uses with its sections, in bytes.
func (doc *Document) Size() int { return 3*len(doc.Text) + 8*len(doc.starts) }

// Lines returns the number of lines.
func (doc *Document) Lines() int {
	if doc.Text == "" {
		return 0
	}
	return len(doc.starts)
}

// Sections returns the page's sections, the lead first.
func (doc *Document) Sections() []Section {
	sections, _ := doc.outline()
	return sections
}

// Slice returns the text of a range of lines, both ends included.
func (doc *Document) Slice(from, to int) string {
	begin, end := doc.lineStart(from), doc.lineStart(to+1)
	return doc.Text[min(begin, end):end]
}

// lineStart returns the offset of a line, or of the text's end for a line after
// the last.
func (doc *Document) lineStart(line int) int {
	switch {
	case line < 1:
		return 0
	case line > len(doc.starts):
		return len(doc.Text)
	}
	return doc.starts[line-1]
}

// lineAt returns the number of the line that contains an offset.
func (doc *Document) lineAt(offset int) int { return 1 + strings.Count(doc.Text[:offset], "\n") }

// lineEnd returns the offset after the line that text before an offset ends in.
func (doc *Document) lineEnd(offset int) int {
	if offset > 0 && doc.Text[offset-1] == '\n' {
		return offset
	}
	if i := strings.IndexByte(doc.Text[offset:], '\n'); i >= 0 {
		return offset + i + 1
	}
	return len(doc.Text)
}

// lastNonBlank returns the last line up to a line that isn't blank.
func (doc *Document) lastNonBlank(line int) int {
	for line > 1 && strings.TrimSpace(doc.Slice(line, line)) == "" {
		line--
	}
	return line
}

// Section finds a section by its title, or by the last titles of its path:
// "B" or "A > B", in any case. ErrNotFound lists the sections, ErrInvalid the
// candidates if several match.
func (doc *Document) Section(name string) (Section, error) {
	found := matchSections(doc.Sections(), name)
	if len(found) == 1 {
		return found[0], nil
	}
	list := found
	if len(list) == 0 {
		list = doc.Sections()
	}
	var titles []string
	for _, s := range list {
		if s.Level > 0 && len(titles) < 20 {
			titles = append(titles, fmt.Sprintf("%q (lines %d-%d)", strings.Join(s.Path, " > "), s.StartLine, s.DeepEnd))
		}
	}
	switch {
	case len(found) > 1:
		return Section{}, wiki.Problemf(wiki.ErrInvalid, "section", "%d sections are called %q: %s. Name the section with the one above it, as in \"A > B\".", len(found), name, strings.Join(titles, ", "))
	case len(titles) == 0:
		return Section{}, wiki.Problemf(wiki.ErrNotFound, "section", "The page has no headings.")
	}
	return Section{}, wiki.Problemf(wiki.ErrNotFound, "section", "There is no section %q. The page has %s.", name, strings.Join(titles, ", "))
}

// matchSections returns the sections that match a name. An exact title goes
// before one in another case, and that before a path.
func matchSections(list []Section, name string) []Section {
	name = strings.TrimSpace(name)
	if bare := strings.TrimLeft(name, "#"); bare != name && strings.HasPrefix(bare, " ") {
		name = strings.TrimSpace(bare) // "## Title"
	}
	var path []string
	for part := range strings.SplitSeq(name, ">") {
		path = append(path, sectionKey(part))
	}
	key := sectionKey(name)
	var exact, folded, byPath []Section
	for _, s := range list {
		if s.Level == 0 {
			continue
		}
		title := s.Path[len(s.Path)-1]
		switch {
		case title == name:
			exact = append(exact, s)
		case sectionKey(title) == key:
			folded = append(folded, s)
		case hasPathSuffix(s.Path, path):
			byPath = append(byPath, s)
		}
	}
	for _, found := range [][]Section{exact, folded, byPath} {
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// sectionKey is equal for titles that name the same section.
func sectionKey(title string) string { return wiki.Key(strings.Join(strings.Fields(title), " ")) }

func hasPathSuffix(path, suffix []string) bool {
	if len(suffix) > len(path) {
		return false
	}
	for i, title := range path[len(path)-len(suffix):] {
		if sectionKey(title) != suffix[i] {
			return false
		}
	}
	return true
}
