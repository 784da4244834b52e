package edit

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A Document is a page's text with its lines and sections. Lines are numbered
// from 1 and end with "\n", except perhaps the last. It is immutable and safe for
// concurrent use.
type Document struct {
	Text     string
	sections func() []Section
	parts    func() []markdown.Part
	starts   []int // offset of each line
}

// A Section is a heading with the lines below it.
type Section = markdown.Section

// NewDocument returns the document of a normalized text.
func NewDocument(text string) *Document {
	doc := &Document{Text: text, starts: []int{0}}
	doc.sections = sync.OnceValue(func() []Section { return markdown.Sections([]byte(text)) })
	doc.parts = sync.OnceValue(func() []markdown.Part { return markdown.Parts([]byte(text)) })
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
func (doc *Document) Sections() []Section { return doc.sections() }

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

// matchSections returns the sections that match a name: by their exact title, else
// by the title in any case, by the heading as it is written in Markdown, by its
// anchor, or by a path.
func matchSections(list []Section, name string) []Section {
	name = strings.TrimSpace(name)
	if bare := strings.TrimLeft(name, "#"); bare != name && strings.HasPrefix(bare, " ") {
		name = strings.TrimSpace(bare) // "## Title"
	}
	key := sectionKey(name)
	written := sync.OnceValue(func() string { return sectionKey(renderTitle(name)) })
	anchors := sync.OnceValue(func() [][]string { return markdown.Anchors(list) })
	path := sync.OnceValue(func() []string { return splitPath(name) })
	for _, matches := range []func(i int, title string) bool{
		func(_ int, title string) bool { return title == name },
		func(_ int, title string) bool { return sectionKey(title) == key },
		func(_ int, title string) bool { return sectionKey(title) == written() },
		func(i int, _ string) bool {
			return slices.ContainsFunc(anchors()[i], func(a string) bool { return isAnchor(name, a) })
		},
		func(i int, _ string) bool { return hasPathSuffix(list[i].Path, path()) },
	} {
		var found []Section
		for i, s := range list {
			if s.Level > 0 && matches(i, s.Path[len(s.Path)-1]) {
				found = append(found, s)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// splitPath returns the keys of the titles in a path such as "A > B". No path is
// longer than the six levels of headings.
func splitPath(name string) []string {
	parts := strings.SplitN(name, ">", 8)
	for i, part := range parts {
		parts[i] = sectionKey(renderTitle(part))
	}
	return parts
}

// maxTitle is the length of a title that is rendered, in bytes.
const maxTitle = 1000

// renderTitle returns the title of a heading that is written in Markdown.
func renderTitle(written string) string {
	written = strings.TrimSpace(written)
	if len(written) > maxTitle || !strings.ContainsAny(written, "*_`[]<>\\&~=#^!$") {
		return written
	}
	for _, s := range markdown.Sections([]byte("# " + strings.Join(strings.Fields(written), " "))) {
		if s.Level > 0 {
			return s.Path[0]
		}
	}
	return written
}

// isAnchor reports whether a name is an anchor: "#user-content-title", with or
// without the sign and the prefix.
func isAnchor(name, anchor string) bool {
	name = strings.TrimPrefix(name, "#")
	if decoded, err := url.PathUnescape(name); err == nil {
		name = decoded
	}
	own := markdown.Anchor(name)
	decoded, err := url.PathUnescape(own)
	return name != "" && own == anchor && err == nil && strings.HasSuffix(decoded, name)
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
