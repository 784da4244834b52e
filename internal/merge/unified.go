package merge

import (
	"bytes"
	"fmt"
	"strings"
)

// Unified returns the diff in the unified format that patch(1) and git read, or
// "" if the texts are equal. The header has the names as given, including any
// "a/" and "b/" prefixes or /dev/null. Binary texts (a NUL in the first 8,000
// bytes) give "Binary files … differ".
func Unified(oldName, newName string, old, new []byte, context int) string {
	switch {
	case bytes.Equal(old, new):
		return ""
	case isBinary(old) || isBinary(new):
		return fmt.Sprintf("Binary files %s and %s differ\n", quoteName(oldName), quoteName(newName))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", headerName(oldName), headerName(newName))
	p := compare(old, new)
	for _, h := range p.hunkRanges(context) {
		fmt.Fprintf(&b, "@@ -%s +%s @@\n", span(position(h.a0, h.a1)), span(position(h.b0, h.b1)))
		p.unified(&b, h)
	}
	return b.String()
}

// unified writes the lines of one hunk.
func (p *comparison) unified(b *strings.Builder, h hunkRange) {
	i := h.a0
	for _, e := range h.edits {
		writeLines(b, ' ', p.old.lines[i:e.a0])
		writeLines(b, '-', p.old.lines[e.a0:e.a1])
		writeLines(b, '+', p.new.lines[e.b0:e.b1])
		i = e.a1
	}
	writeLines(b, ' ', p.old.lines[i:h.a1])
}

func writeLines(b *strings.Builder, mark byte, lines []string) {
	for _, l := range lines {
		b.WriteByte(mark)
		b.WriteString(l)
		if !strings.HasSuffix(l, "\n") {
			b.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// span formats a line range for a hunk header.
func span(start, lines int) string {
	if lines == 1 {
		return fmt.Sprint(start)
	}
	return fmt.Sprintf("%d,%d", start, lines)
}

// isBinary applies git's test for binary content.
func isBinary(b []byte) bool { return bytes.IndexByte(b[:min(len(b), 8000)], 0) >= 0 }

// headerName formats a name so that programs can read it back: programs read up
// to a tab, or a quoted string.
func headerName(name string) string {
	if q := quoteName(name); q != name {
		return q
	}
	if strings.Contains(name, " ") {
		return name + "\t"
	}
	return name
}

// quoteName applies git's C-style quoting to names with quotes, backslashes or
// control characters, and returns others unchanged.
func quoteName(name string) string {
	odd := func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == 0x7f }
	if !strings.ContainsFunc(name, odd) {
		return name
	}
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case odd(rune(c)):
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return `"` + b.String() + `"`
}
