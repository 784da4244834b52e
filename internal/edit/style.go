package edit

import (
	"bytes"
	"slices"
	"strings"

	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

const byteOrderMark = "\uFEFF"

// Normalize returns a text as an editor shows it: in UTF-8, whatever it is stored in
// (see wiki.DecodeText), with lines that end with "\n", and without a byte-order mark.
func Normalize(text []byte) string {
	text, _ = wiki.DecodeText(text)
	s := strings.TrimPrefix(string(text), byteOrderMark)
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// FormatNew returns the text to store for a new page: all lines end with "\n".
func FormatNew(text []byte) []byte {
	s := Normalize(text)
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return []byte(s)
}

// KeepStyle returns a text in the style of the stored file that its writer
// started from: byte-order mark, final newline, and line ends, but in UTF-8. If line ends are
// mixed, each unchanged line keeps its own, so an unchanged text returns the
// stored bytes.
func KeepStyle(stored, text []byte) []byte {
	return applyStyle(stored, Normalize(text), alignEnds)
}

// ReplaceKeepingStyle replaces old, which begins at an offset of the normalized
// text, in a stored file. If line ends are mixed, lines outside old keep theirs,
// and so do those inside in order; if their number changes, a diff decides which
// new line corresponds to which old one.
func ReplaceKeepingStyle(stored []byte, offset int, old, replacement string) []byte {
	plain := Normalize(stored)
	from, to := offset, offset+len(old)
	return applyStyle(stored, plain[:from]+replacement+plain[to:], func(_, _ string, ends []string) []string {
		above, within := strings.Count(plain[:from], "\n"), strings.Count(old, "\n")
		if within == strings.Count(replacement, "\n") {
			return ends
		}
		below := ends[above+within:] // the last line's end isn't part of old
		last := ends[len(ends)-1]
		if len(below) > 0 {
			last = below[0]
		}
		start, end := strings.LastIndexByte(plain[:from], '\n')+1, len(plain)
		if i := strings.IndexByte(plain[to:], '\n'); i >= 0 {
			end = to + i
		}
		changed := alignEnds(plain[start:end]+"\n", plain[start:from]+replacement+plain[to:end]+"\n",
			append(slices.Clone(ends[above:above+within]), last))
		return slices.Concat(ends[:above], changed[:len(changed)-1], below, []string{last})
	})
}

// applyStyle gives a normalized text the style of a stored file. If line ends are
// mixed, choose returns an end for each line of the text, given the stored text,
// the new one, and the ends of the stored one.
func applyStyle(stored []byte, now string, choose func(old, now string, ends []string) []string) []byte {
	stored, _ = wiki.DecodeText(stored)
	old := Normalize(stored)
	if now == old {
		return stored
	}
	if strings.Trim(old, "\n") == "" {
		return FormatNew([]byte(now)) // there is no style to keep
	}
	if strings.HasSuffix(old, "\n") {
		if now != "" && !strings.HasSuffix(now, "\n") {
			now += "\n"
		}
	} else {
		now = strings.TrimRight(now, "\n")
	}
	var out strings.Builder
	if bytes.HasPrefix(stored, []byte(byteOrderMark)) {
		out.WriteString(byteOrderMark)
		stored = stored[len(byteOrderMark):]
	}
	ends := lineEnds(stored)
	if end, same := commonEnd(ends); same {
		out.WriteString(strings.ReplaceAll(now, "\n", end))
		return []byte(out.String())
	}
	ends = choose(old, now, ends)
	before := ""
	for i, line := range strings.SplitAfter(now, "\n") {
		line, ended := strings.CutSuffix(line, "\n")
		out.WriteString(line)
		if !ended {
			break
		}
		end := ends[min(i, len(ends)-1)]
		if before == "\r" && line == "" && end == "\n" {
			end = "\r" // "\r" and "\n" would be one line end
		}
		out.WriteString(end)
		before = end
	}
	return []byte(out.String())
}

// lineEnds returns the end of each line: "\n", "\r\n" or "\r".
func lineEnds(text []byte) []string {
	var ends []string
	for i, c := range text {
		switch {
		case c == '\n' && i > 0 && text[i-1] == '\r':
			ends[len(ends)-1] = "\r\n"
		case c == '\n':
			ends = append(ends, "\n")
		case c == '\r':
			ends = append(ends, "\r")
		}
	}
	return ends
}

// commonEnd returns the end that all lines share, "\n" if there are no lines.
func commonEnd(ends []string) (string, bool) {
	for _, e := range ends {
		if e != ends[0] {
			return "", false
		}
	}
	if len(ends) == 0 {
		return "\n", true
	}
	return ends[0], true
}

// alignEnds returns the end of each new line: that of the corresponding old line,
// or else of the line before it.
func alignEnds(old, now string, ends []string) []string {
	aligned := make([]string, strings.Count(now, "\n"))
	o, n := 0, 0 // lines done
	keepEnd := func() {
		if n < len(aligned) && o < len(ends) {
			aligned[n] = ends[o]
		}
		o, n = o+1, n+1
	}
	for _, h := range merge.Diff([]byte(old), []byte(now), 0) {
		start := h.NewStart - 1
		if h.NewLines == 0 {
			start++
		}
		for n < start {
			keepEnd()
		}
		for _, row := range h.Rows {
			switch {
			case h.OldLines == h.NewLines: // each line replaces one line
				if row.NewLine > 0 {
					keepEnd()
				}
			case row.NewLine > 0 && row.OldLine > 0:
				keepEnd()
			case row.NewLine > 0:
				n++
			default:
				o++
			}
		}
	}
	for n < len(aligned) {
		keepEnd()
	}
	previous := ends[0]
	for i, end := range aligned {
		if end == "" {
			aligned[i] = previous
		}
		previous = aligned[i]
	}
	return aligned
}
