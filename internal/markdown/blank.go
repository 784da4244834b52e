package markdown

import "strings"

// BlankTargets returns a line of source without the targets of its links and their
// fragments, except after a query. It also returns the targets, those of wikilinks with
// their fragments. Without targets, lines that differ only in where their links lead are
// equal. Unlike RewriteLinks, it sees a single line, so it also finds text that only looks
// like a link.
func BlankTargets(line string) (blank string, targets []string) {
	return blankTargets(line, targetAfter)
}

// BlankLabels returns a line of source without the labels of its wikilinks, which are
// their targets in "[[text|Page]]".
func BlankLabels(line string) string {
	blank, _ := blankTargets(line, labelAfter)
	return blank
}

// blankTargets returns a line without what find finds at an offset, and the parts left
// out.
func blankTargets(line string, find func(line string, at int) (from, to int)) (blank string, targets []string) {
	var b strings.Builder
	done := 0
	for i := 0; i < len(line); {
		from, to := find(line, i)
		end := to
		if from > i {
			end = to + fragmentLength(line[to:])
		}
		if end <= from {
			i++
			continue
		}
		b.WriteString(line[done:from])
		if to > from {
			targets = append(targets, line[from:to])
		}
		done, i = end, end
	}
	if done == 0 {
		return line, nil
	}
	b.WriteString(line[done:])
	return b.String(), targets
}

// fragmentLength returns the length of a fragment at the start of a text.
func fragmentLength(text string) int {
	if !strings.HasPrefix(text, "#") {
		return 0
	}
	if end := strings.IndexAny(text, spaces+`)>"'`); end >= 0 {
		return end
	}
	return len(text)
}

// spaces end a destination. A line can have carriage returns, which the parser takes
// for spaces.
const spaces = " \t\n\v\f\r"

// targetAfter returns the position of the target that a link's opening
// characters at an offset announce; from == to if there are none.
func targetAfter(line string, at int) (from, to int) {
	rest := line[at:min(len(line), at+maxAddress)] // bounds the work; longer targets are not rewritten
	skip := func(n int) int { return len(rest) - len(strings.TrimLeft(rest[n:], spaces)) }
	switch {
	case strings.HasPrefix(rest, "[["):
		if n := strings.IndexAny(rest[2:], "|[]"); n > 0 {
			return at + 2, at + 2 + len(strings.TrimSuffix(rest[2:2+n], `\`))
		}
	case strings.HasPrefix(rest, "]:") && endsInNote(line[:at]):
	case strings.HasPrefix(rest, "]("), strings.HasPrefix(rest, "]:"):
		if m := shortcode.FindStringSubmatchIndex(rest); m != nil {
			begin, end := shortcodePath(m)
			return at + begin, at + end
		}
		n := skip(2)
		begin, length := destinationIn(rest[n:])
		return at + n + begin, at + n + begin + length
	case rest[0] == '=' && endsInAddress(line[:at]):
		n := skip(1)
		if isOption(line[:at]) {
			return at + n, at + n + optionLength(rest[n:])
		}
		begin, length := attributeIn(rest[n:])
		return at + n + begin, at + n + begin + length
	}
	return at, at
}

// labelAfter is targetAfter for the label of a wikilink, after the separator.
func labelAfter(line string, at int) (from, to int) {
	if line[at] != '|' {
		return at, at
	}
	before, after := line[max(0, at-maxAddress):at], line[at+1:min(len(line), at+1+maxAddress)]
	opens := strings.LastIndexAny(before, "[]|")
	if opens < 1 || before[opens-1:opens+1] != "[[" {
		return at, at
	}
	closes := strings.IndexAny(after, "[]")
	if closes < 0 || after[closes] != ']' {
		return at, at
	}
	return at + 1, at + 1 + closes
}

// endsInNote reports whether a text ends in the label of a footnote, which no target
// follows.
func endsInNote(text string) bool {
	text = text[max(0, len(text)-maxLabel):]
	return strings.HasPrefix(text[strings.LastIndexByte(text, '[')+1:], "^")
}

// maxLabel is the length of a label at most, in characters (CommonMark 0.31, 4.7).
const maxLabel = 999

// endsInAddress reports whether a text ends in the name of an attribute with
// an address.
func endsInAddress(text string) bool {
	text = strings.TrimRight(text, " \t")
	for _, key := range addressOf {
		if n := len(text) - len(key); n >= 0 && strings.EqualFold(text[n:], key) {
			return true
		}
	}
	return false
}

// attributeIn finds the path in an attribute's value at the start of a text.
func attributeIn(text string) (begin, length int) {
	end := strings.IndexAny(text, " \t>?#")
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		begin, end = 1, strings.IndexByte(text[1:], text[0])
	}
	if end < 0 {
		end = len(text) - begin
	}
	return begin, pathLength([]byte(text[begin : begin+end]))
}

// isOption reports whether a text ends in the option of a widget that holds an address.
func isOption(text string) bool {
	text = strings.TrimRight(text, " \t")
	return strings.HasSuffix(strings.TrimRight(text[:len(text)-len("src")], " \t"), "|")
}

// optionLength returns the length of the path in a widget's option, whose value starts
// a text. Neither spaces nor quotation marks end it.
func optionLength(text string) int {
	for i := 0; i < len(text); i++ {
		if text[i] == '|' && (i == 0 || text[i-1] != '\\') {
			return pathLength([]byte(strings.TrimRight(text[:i], spaces)))
		}
	}
	text = strings.TrimSuffix(strings.TrimRight(text, spaces), "}}")
	return pathLength([]byte(strings.TrimRight(text, spaces)))
}

// destinationIn finds the path in a link destination (CommonMark 0.31, 6.3) at
// the start of a text.
func destinationIn(text string) (begin, length int) {
	if strings.HasPrefix(text, "<") {
		return 1, pathLength([]byte(text[1 : 1+max(0, strings.IndexByte(text[1:], '>'))]))
	}
	open, end := 0, 0
	for ; end < len(text) && text[end] != '?' && strings.IndexByte(spaces, text[end]) < 0; end++ {
		switch text[end] {
		case '#':
			if end == 0 || text[end-1] != '&' { // "&#35;" is a character of the path
				return 0, pathLength([]byte(text[:end]))
			}
		case '\\':
			end = min(end+1, len(text)-1)
		case '(':
			open++
		case ')':
			open--
		}
		if open < 0 {
			break
		}
	}
	return 0, pathLength([]byte(text[:end]))
}
