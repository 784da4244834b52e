package search

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/property"
	"robot.wtf/internal/wiki"
)

// A document is a page's content as the index uses it.
type document struct {
	name     wiki.PageName
	title    string // from the front matter, or ""
	tags     []string
	files    []string // names of attachments
	sections []section

	properties []property.Property // front matter as data
}

// A section is the plain text below one heading.
type section struct {
	heading string // "" for the lead
	line    int    // of the heading, from 1; 0 for text that isn't in the source
	text    string // one line without markup; see cleanText

	path []string // headings down to this one; unset in sections read from the index
}

// newDocumentSlots returns the slots for parsing pages. A wiki parses one at a time.
// So wikis that index many pages, large or small, leave their turns to the others.
func newDocumentSlots() *budget.Slots {
	return budget.NewSlots(int64(max(2, runtime.GOMAXPROCS(0))), 1)
}

// acquireDocument waits until a page of that many bytes can be parsed: for its wiki's
// turn, then for one of the slots, which a waiting wiki doesn't hold. It fails only
// with ctx's error.
func acquireDocument(ctx context.Context, documents *budget.Slots, w *content.Wiki, bytes int) (release func(), err error) {
	large, err := w.AcquireLarge(ctx, bytes)
	if err != nil {
		return nil, err
	}
	document, err := documents.Acquire(ctx, w.Slug())
	if err != nil {
		large()
		return nil, err
	}
	return func() { document(); large() }, nil
}

func newDocument(name wiki.PageName, source []byte, files []string) document {
	facts := markdown.ExtractFacts(name, source)
	d := document{name: name, title: cleanText(facts.Title), tags: facts.Tags, files: files}
	if front, err := markdown.FrontMatter(source); err == nil { // otherwise the rendered page has a notice
		d.properties = property.FromFrontMatter(front)
	}
	lines := lineStarts(source)
	for _, s := range markdown.Sections(source) {
		from, to := min(max(s.StartLine-1, 0), len(lines)-1), min(max(s.EndLine, 0), len(lines)-1)
		if from >= to {
			continue
		}
		out := section{line: s.StartLine, text: cleanText(stripComments(markdown.PlainText(source[lines[from]:lines[to]])))}
		if len(s.Path) > 0 {
			out.path = cleanTexts(s.Path)
			out.heading = out.path[len(out.path)-1]
			out.text = strings.TrimSpace(strings.TrimPrefix(out.text, out.heading))
		}
		d.sections = append(d.sections, out)
	}
	// Lets snippets show matching tags and attachments.
	if len(d.tags) > 0 {
		d.sections = append(d.sections, section{text: "Tags: " + cleanText(strings.Join(d.tags, ", "))})
	}
	if len(files) > 0 {
		d.sections = append(d.sections, section{text: "Attachments: " + cleanText(strings.Join(files, ", "))})
	}
	return d
}

func cleanTexts(list []string) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = cleanText(list[i])
	}
	return out
}

// stripComments removes HTML comments. Readers don't see them, so a snippet must
// not show them to an agent. It also removes them from code, which matters
// little.
func stripComments(text string) string {
	var b strings.Builder
	for {
		before, after, opened := strings.Cut(text, "<!--")
		_, rest, closed := strings.Cut(after, "-->")
		if !opened || !closed {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(before + " ")
		text = rest
	}
}

// lineStarts returns the offset of each line, and the end of the source.
func lineStarts(source []byte) []int {
	starts := []int{0}
	for i, c := range source {
		if c == '\n' && i+1 < len(source) {
			starts = append(starts, i+1)
		}
	}
	return append(starts, len(source))
}

// Separators of packed sections. cleanText removes them from texts.
const (
	fieldEnd   = "\x1f"
	sectionEnd = "\x1e"
)

// packSections encodes sections as one string; unpackSections decodes it.
func packSections(list []section) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%d%s%s%s%s%s", s.line, fieldEnd, s.heading, fieldEnd, s.text, sectionEnd)
	}
	return b.String()
}

func unpackSections(packed string) []section {
	var list []section
	for packed != "" {
		var s section
		var entry, line string
		entry, packed, _ = strings.Cut(packed, sectionEnd)
		line, entry, _ = strings.Cut(entry, fieldEnd)
		s.heading, s.text, _ = strings.Cut(entry, fieldEnd)
		for _, c := range []byte(line) {
			s.line = s.line*10 + int(c-'0')
		}
		list = append(list, s)
	}
	return list
}
