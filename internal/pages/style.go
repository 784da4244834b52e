package pages

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

const byteOrderMark = "\uFEFF"

// plainLines is a text as an editor shows it: lines end with "\n", and there is
// no byte-order mark.
func plainLines(text []byte) string {
	s := strings.TrimPrefix(string(text), byteOrderMark)
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// newText is the text of a page that is made here: lines end with "\n", the
// last one too.
func newText(text []byte) []byte {
	s := plainLines(text)
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return []byte(s)
}

// inStyle gives a writer's text the style of the stored file that it started
// from: byte-order mark, final newline, and line ends. Where those are mixed,
// each line that the writer left alone keeps its own. So a text that was not
// changed comes out as the very bytes that are stored.
func inStyle(stored, text []byte) []byte {
	old, now := plainLines(stored), plainLines(text)
	if now == old {
		return stored
	}
	if strings.Trim(old, "\n") == "" {
		return newText(text) // nothing that could be called a style
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
	if end, same := uniform(ends); same {
		out.WriteString(strings.ReplaceAll(now, "\n", end))
		return []byte(out.String())
	}
	lines := strings.SplitAfter(now, "\n")
	before := ""
	for i, end := range alignEnds(old, now, ends, len(lines)) {
		line, ended := strings.CutSuffix(lines[i], "\n")
		if before == "\r" && line == "" && end == "\n" {
			end = "\r" // or the two would be one line's end
		}
		out.WriteString(line)
		if ended {
			out.WriteString(end)
		}
		before = end
	}
	return []byte(out.String())
}

// lineEnds lists the ends of a text's lines: "\n", "\r\n" or "\r".
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

// uniform gives the end that all lines have; "\n" where there is none.
func uniform(ends []string) (string, bool) {
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

// alignEnds finds the end of each of n new lines: that of the old line it was,
// or else of the line before it.
func alignEnds(old, now string, ends []string, n int) []string {
	aligned := make([]string, n)
	o, i := 0, 0 // lines of old and now done
	take := func() {
		if i < n && o < len(ends) {
			aligned[i] = ends[o]
		}
		o, i = o+1, i+1
	}
	for _, h := range merge.Diff([]byte(old), []byte(now), 0) {
		for _, row := range h.Rows {
			for i < n && (row.NewLine > 0 && i < row.NewLine-1 || row.NewLine == 0 && o < row.OldLine-1) {
				take()
			}
			switch {
			case row.NewLine > 0 && row.OldLine > 0:
				take()
			case row.NewLine > 0:
				i++
			default:
				o++
			}
		}
	}
	for i < n {
		take()
	}
	last := ends[0]
	for i, end := range aligned {
		if end == "" {
			aligned[i] = last
		}
		last = aligned[i]
	}
	return aligned
}

// checkText refuses what cannot be a page.
func checkText(text []byte, limits wiki.Limits) error {
	switch {
	case limits.PageBytes > 0 && int64(len(text)) > limits.PageBytes:
		return wiki.Problemf(wiki.ErrTooLarge, "content", "This page is too large: a page may have %s.", size(limits.PageBytes))
	case !utf8.Valid(text):
		return wiki.Problemf(wiki.ErrInvalid, "content", "The text is not valid UTF-8.")
	case bytes.IndexByte(text, 0) >= 0:
		return wiki.Problemf(wiki.ErrInvalid, "content", "The text contains a NUL character, which a page cannot hold.")
	}
	return nil
}
