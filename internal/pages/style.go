package pages

import (
	"bytes"
	"slices"
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
	return restyled(stored, plainLines(text), alignEnds)
}

// patchedInStyle is a stored file with another text in the place of old, which
// stands at byte first of its plain lines. Where line ends are mixed, lines
// outside keep theirs, and so do those inside, one after the other; only where
// there are more of them now, or fewer, it is asked which is which.
func patchedInStyle(stored []byte, first int, old, with string) []byte {
	plain := plainLines(stored)
	from, to := first, first+len(old)
	return restyled(stored, plain[:from]+with+plain[to:], func(_, _ string, ends []string) []string {
		above, within := strings.Count(plain[:from], "\n"), strings.Count(old, "\n")
		if within == strings.Count(with, "\n") {
			return ends
		}
		below := ends[above+within:] // the end of the last line is not in old
		last := ends[len(ends)-1]
		if len(below) > 0 {
			last = below[0]
		}
		start, end := strings.LastIndexByte(plain[:from], '\n')+1, len(plain)
		if i := strings.IndexByte(plain[to:], '\n'); i >= 0 {
			end = to + i
		}
		changed := alignEnds(plain[start:end]+"\n", plain[start:from]+with+plain[to:end]+"\n",
			append(slices.Clone(ends[above:above+within]), last))
		return slices.Concat(ends[:above], changed[:len(changed)-1], below, []string{last})
	})
}

// restyled gives a text of plain lines the style of a stored file. Where line ends
// are mixed, choose names those of the text, of which the first is that of the
// first line: it is given the stored text, this one, and the ends of the first.
func restyled(stored []byte, now string, choose func(old, now string, ends []string) []string) []byte {
	old := plainLines(stored)
	if now == old {
		return stored
	}
	if strings.Trim(old, "\n") == "" {
		return newText([]byte(now)) // nothing that could be called a style
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
			end = "\r" // or the two would be one line's end
		}
		out.WriteString(end)
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

// alignEnds finds the end of each new line: that of the old line that it was, or
// else of the line before it.
func alignEnds(old, now string, ends []string) []string {
	aligned := make([]string, strings.Count(now, "\n"))
	o, n := 0, 0 // lines of old and now done
	take := func() {
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
			take()
		}
		for _, row := range h.Rows {
			switch {
			case h.OldLines == h.NewLines: // one line in the place of the other
				if row.NewLine > 0 {
					take()
				}
			case row.NewLine > 0 && row.OldLine > 0:
				take()
			case row.NewLine > 0:
				n++
			default:
				o++
			}
		}
	}
	for n < len(aligned) {
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
