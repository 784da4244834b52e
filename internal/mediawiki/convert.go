package mediawiki

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Options say how to convert a text.
type Options struct {
	Site  *Site
	Title Title // of the page
	// Link returns the path of a page for links, without ".md", and the section of
	// a redirect that leads into a page. It reports false for a page that isn't there.
	Link    func(Title) (path, section string, ok bool)
	Path    func(Title) string // the path that a page would have
	Aliases []string           // other names of the page
}

// Bounds of a conversion.
const (
	maxNesting   = 8   // of links, notes, tables and quotes; deeper ones stay wikitext
	maxListLevel = 12  // of lists; deeper items are at that level
	maxColumns   = 100 // of a table; a larger one stays wikitext
	maxCells     = 15_000
	maxTags      = 200
)

// Convert returns a page in Markdown: properties with its tags and aliases, and the
// text. Whatever has no counterpart, such as a template, stays in the text as code.
func Convert(text string, o Options) string {
	c := &converter{o: o, text: cleanText(text), noteNumbers: map[string]int{}}
	c.lower = lowerASCII(c.text)
	c.scan()
	body := strings.TrimSpace(c.blocks(0, len(c.text)))
	var b strings.Builder
	c.writeProperties(&b)
	b.WriteString(body)
	if body != "" {
		b.WriteByte('\n')
	}
	c.writeNotes(&b)
	return b.String()
}

// cleanText returns a text with \n line ends and without control characters.
func cleanText(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, text)
}

// lowerASCII returns a text in lowercase at the same offsets.
func lowerASCII(text string) string {
	lower := []byte(text)
	for i, b := range lower {
		if 'A' <= b && b <= 'Z' {
			lower[i] = b + 'a' - 'A'
		}
	}
	return string(lower)
}

// A converter converts one text. Parts of it are given by their offsets.
type converter struct {
	o           Options
	text, lower string
	ends        map[int]int // offset of {{, [[ or a tag -> offset after its end
	tags        []string
	notes       []string
	noteNumbers map[string]int // by name
	nesting     int
}

// nest calls f one level deeper. It reports false if that is too deep.
func (c *converter) nest(f func()) bool {
	if c.nesting >= maxNesting {
		return false
	}
	c.nesting++
	f()
	c.nesting--
	return true
}

// writeProperties writes the front matter, if the page has any.
func (c *converter) writeProperties(b *strings.Builder) {
	if len(c.tags)+len(c.o.Aliases) == 0 {
		return
	}
	b.WriteString("---\n")
	for _, list := range []struct {
		key    string
		values []string
	}{{"aliases", c.o.Aliases}, {"tags", c.tags}} {
		if len(list.values) == 0 {
			continue
		}
		fmt.Fprintf(b, "%s:\n", list.key)
		for _, v := range list.values {
			fmt.Fprintf(b, "  - %s\n", yamlText(v))
		}
	}
	b.WriteString("---\n\n")
}

// yamlText quotes a text for YAML, unless it is plainly a word.
func yamlText(text string) string {
	plain := strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") == "" && len(text) > 3 && text[0] != '-'
	if word := strings.ToLower(text); plain && word != "true" && word != "false" && word != "null" {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// addTag adds a category to the page's tags.
func (c *converter) addTag(category string) {
	var b strings.Builder
	for _, r := range category {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) || r == '/' {
			b.WriteRune(r)
		} else if !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	tag := strings.Trim(b.String(), "-/")
	if tag != "" && len(tag) <= 100 && len(c.tags) < maxTags && !slices.Contains(c.tags, tag) {
		c.tags = append(c.tags, tag)
	}
}

// writeNotes writes the footnotes.
func (c *converter) writeNotes(b *strings.Builder) {
	if len(c.notes) > 0 {
		b.WriteByte('\n')
	}
	for n, text := range c.notes {
		if text == "" {
			text = "(This note has no text in the export.)"
		}
		fmt.Fprintf(b, "[^%d]: %s\n", n+1, text)
	}
}

// blocks converts a part of the text that consists of whole lines.
func (c *converter) blocks(from, to int) string {
	w := &blockWriter{c: c}
	for at := from; at < to; {
		next := w.block(at, to)
		if next <= at { // never, but a loop here would be endless
			next = at + 1
		}
		at = next
	}
	w.endParagraph()
	return strings.Join(w.done, "\n\n")
}

// A blockWriter collects the blocks of a part of a text.
type blockWriter struct {
	c         *converter
	done      []string
	paragraph []string // lines
}

func (w *blockWriter) add(block string) {
	w.endParagraph()
	if block = strings.Trim(block, "\n"); block != "" {
		w.done = append(w.done, block)
	}
}

func (w *blockWriter) endParagraph() {
	if len(w.paragraph) > 0 {
		text := strings.Trim(strings.Join(w.paragraph, "\n"), "\n ")
		w.paragraph = nil
		if text != "" {
			w.done = append(w.done, text)
		}
	}
}

// lineEnd returns the end of a line. Templates, links, notes and code that begin in it
// are whole in it.
func (c *converter) lineEnd(at, to int) int {
	for at < to {
		switch b := c.text[at]; {
		case b == '\n':
			return at
		case b == '{' || b == '[' || b == '<':
			if end := c.ends[at]; end > at && end <= to {
				at = end
				continue
			}
		}
		at++
	}
	return to
}

// block converts the block at a line, and returns where the next one is.
func (w *blockWriter) block(at, to int) int {
	c := w.c
	end := c.lineEnd(at, to)
	next := min(end+1, to)
	line := strings.TrimRight(c.text[at:end], " \t")
	trimmed := strings.TrimLeft(line, " \t:")
	switch {
	case strings.HasPrefix(trimmed, "{|"):
		return w.table(at+len(line)-len(trimmed), to)
	case strings.TrimSpace(line) == "", isBreak(line):
		w.endParagraph()
	case line[0] == '=' && w.heading(at, at+len(line)):
	case strings.HasPrefix(line, "----"):
		w.add("---")
		rest := strings.TrimLeft(line, "-")
		if rest != "" {
			w.paragraph = append(w.paragraph, c.inline(at+len(line)-len(rest), end))
		}
	case strings.IndexByte("*#:;", line[0]) >= 0:
		return w.list(at, to)
	case w.standing(at, at+len(line)):
	case line[0] == ' ' && c.isCode(at, end):
		return w.code(at, to)
	default:
		if text := c.inline(at, end); text != "" {
			w.paragraph = append(w.paragraph, text)
		}
	}
	return next
}

// isBreak reports whether a line is a line break and nothing else.
func isBreak(line string) bool {
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "<br>", "<br/>", "<br />":
		return true
	}
	return false
}

// heading converts a heading. It reports false if the line is none.
func (w *blockWriter) heading(from, to int) bool {
	c := w.c
	for { // comments after it
		to = from + len(strings.TrimRight(c.text[from:to], " \t"))
		start := strings.LastIndex(c.text[from:to], "<!--")
		if start < 0 || c.ends[from+start] != to {
			break
		}
		to = from + start
	}
	level := 0
	for level < 6 && from < to-2 && c.text[from] == '=' && c.text[to-1] == '=' {
		level, from, to = level+1, from+1, to-1
	}
	if level == 0 {
		return false
	}
	text := strings.ReplaceAll(strings.TrimSpace(c.inline(from, to)), "\n", " ")
	if text == "" {
		return false
	}
	if strings.HasSuffix(text, "#") {
		text = text[:len(text)-1] + `\#`
	}
	w.add(strings.Repeat("#", level) + " " + text)
	return true
}

// isCode reports whether a line that begins with a space is preformatted: it isn't
// if it has HTML blocks or pictures, as in MediaWiki.
func (c *converter) isCode(from, to int) bool {
	text := strings.TrimSpace(c.lower[from:to])
	for _, start := range []string{"<div", "<table", "<tr", "<td", "<ul", "<ol", "<li", "<p", "<center", "<blockquote", "<gallery", "<!--", "</", "[[file:", "[[image:", "[[category:", "{{"} {
		if strings.HasPrefix(text, start) {
			return false
		}
	}
	return true
}

// code converts preformatted lines, which begin with a space.
func (w *blockWriter) code(at, to int) int {
	var lines []string
	for at < to && w.c.text[at] == ' ' {
		end := w.c.lineEnd(at, to)
		if line := w.c.text[at+1 : end]; strings.TrimSpace(line) == "" && len(lines) == 0 || !w.c.isCode(at, end) {
			break
		}
		lines = append(lines, w.c.text[at+1:end])
		at = min(end+1, to)
	}
	w.add(fence(strings.TrimRight(strings.Join(lines, "\n"), " \n"), ""))
	return at
}

// fence returns a block of code.
func fence(code, language string) string {
	mark := strings.Repeat("`", max(3, longestRun(code, '`')+1))
	return mark + language + "\n" + strings.Trim(code, "\n") + "\n" + mark
}

// codeSpan returns code within a line.
func codeSpan(code string) string {
	code = strings.Join(strings.Fields(code), " ")
	if code == "" {
		return ""
	}
	mark := strings.Repeat("`", longestRun(code, '`')+1)
	if code[0] == '`' || code[len(code)-1] == '`' || code[0] == '$' && code[len(code)-1] == '$' {
		code = " " + code + " "
	}
	return mark + code + mark
}

func longestRun(text string, of byte) int {
	longest, run := 0, 0
	for i := range len(text) {
		if text[i] != of {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// quote returns a block in a quote.
func quote(block string) string { return indent(block, "> ", "> ") }

// indent puts a text before the first line of a block, and another before the rest.
func indent(block, first, rest string) string {
	lines := strings.Split(block, "\n")
	for i, l := range lines {
		before := rest
		if i == 0 {
			before = first
		}
		lines[i] = strings.TrimRight(before+l, " ")
		if i > 0 && l == "" {
			lines[i] = strings.TrimRight(rest, " ")
		}
	}
	return strings.Join(lines, "\n")
}
