package mediawiki

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// joinEmphasis joins the pieces of a text whose bold and italic end with each line.
func joinEmphasis(pieces []piece) string {
	var b strings.Builder
	var line []piece
	flush := func() {
		b.WriteString(joinLine(line))
		line = line[:0]
	}
	for _, p := range pieces {
		for p.quotes == 0 {
			before, after, ok := strings.Cut(p.text, "\n")
			if !ok {
				break
			}
			line = append(line, piece{text: before})
			flush()
			b.WriteByte('\n')
			p.text = after
		}
		line = append(line, p)
	}
	flush()
	return b.String()
}

// joinLine writes a line.
func joinLine(line []piece) string {
	if len(line) == 1 && line[0].quotes == 0 {
		return line[0].text
	}
	balance(line)
	root := &span{}
	stack := []*span{root}
	for n, p := range line {
		if p.quotes == 0 {
			top := stack[len(stack)-1]
			top.parts = append(top.parts, part{text: p.text})
			continue
		}
		stack = toggle(stack, p.quotes, line[n+1:])
	}
	return root.markdown()
}

// balance turns one bold mark of a line into an apostrophe and italic, if both are
// odd, as MediaWiki does: one after a single letter, else one after a word, else one
// after a space.
func balance(line []piece) {
	bold, italic := 0, 0
	for _, p := range line {
		switch p.quotes {
		case 2:
			italic++
		case 3:
			bold++
		case 5:
			bold, italic = bold+1, italic+1
		}
	}
	if bold%2 == 0 || italic%2 == 0 {
		return
	}
	single, word, space := -1, -1, -1
	for n, p := range line {
		if p.quotes != 3 || n == 0 || line[n-1].quotes != 0 {
			continue
		}
		before := line[n-1].text
		last, size := utf8.DecodeLastRuneInString(before)
		previous, _ := utf8.DecodeLastRuneInString(before[:len(before)-size])
		switch {
		case last == ' ':
			space = firstIndex(space, n)
		case previous == ' ':
			single = firstIndex(single, n)
		default:
			word = firstIndex(word, n)
		}
	}
	for _, n := range []int{single, word, space} {
		if n >= 0 {
			line[n-1].text += "'"
			line[n].quotes = 2
			return
		}
	}
}

// firstIndex keeps the first of two indexes; -1 is none.
func firstIndex(old, n int) int {
	if old >= 0 {
		return old
	}
	return n
}

// A span is bold or italic text, or a line.
type span struct {
	mark  string // "**", "*" or ""
	parts []part
}

type part struct {
	text string
	span *span
}

// toggle opens or closes bold and italic. rest is the rest of the line.
func toggle(stack []*span, quotes int, rest []piece) []*span {
	switch quotes {
	case 2:
		return flip(stack, "*")
	case 3:
		return flip(stack, "**")
	}
	outer, inner := "**", "*"
	if len(stack) > 1 { // close the inner one first
		inner = stack[len(stack)-1].mark
		outer = map[string]string{"*": "**", "**": "*"}[inner]
		return flip(flip(stack, inner), outer)
	}
	for _, p := range rest { // the one that closes last is the outer one
		if p.quotes == 3 {
			outer, inner = "*", "**"
		}
		if p.quotes > 0 {
			break
		}
	}
	return flip(flip(stack, outer), inner)
}

// flip closes a mark if it is open, and opens it otherwise. One that was opened
// within it is opened again.
func flip(stack []*span, mark string) []*span {
	for n := 1; n < len(stack); n++ {
		if stack[n].mark != mark {
			continue
		}
		again := stack[n+1:]
		stack = stack[:n]
		for _, s := range again {
			stack = push(stack, s.mark)
		}
		return stack
	}
	return push(stack, mark)
}

func push(stack []*span, mark string) []*span {
	s := &span{mark: mark}
	top := stack[len(stack)-1]
	top.parts = append(top.parts, part{span: s})
	return append(stack[:len(stack):len(stack)], s)
}

// markdown writes a span's content. Marks that Markdown wouldn't read as such become
// tags.
func (s *span) markdown() string {
	var b strings.Builder
	last := rune(' ')
	for n, p := range s.parts {
		if p.span == nil {
			b.WriteString(p.text)
		} else {
			after := rune(' ')
			if n+1 < len(s.parts) {
				next := s.parts[n+1]
				after = '*'
				if next.span == nil {
					after, _ = utf8.DecodeRuneInString(next.text)
				}
			}
			b.WriteString(emphasize(p.span.markdown(), p.span.mark, last, after))
		}
		if b.Len() > 0 {
			tail := b.String()
			last, _ = utf8.DecodeLastRuneInString(tail)
		}
	}
	return b.String()
}

// emphasize marks a text, outside spaces at its ends. It needs the characters around.
func emphasize(text, mark string, before, after rune) string {
	inside := strings.Trim(text, " ")
	if inside == "" {
		return text
	}
	at := strings.Index(text, inside)
	lead, trail := text[:at], text[at+len(inside):]
	if lead != "" {
		before = ' '
	}
	if trail != "" {
		after = ' '
	}
	firstIn, _ := utf8.DecodeRuneInString(inside)
	lastIn, _ := utf8.DecodeLastRuneInString(inside)
	opens := before != '*' && (!isPunct(firstIn) || isSpaceOrPunct(before))
	closes := after != '*' && (!isPunct(lastIn) || isSpaceOrPunct(after))
	if opens && closes {
		return lead + mark + inside + mark + trail
	}
	name := map[string]string{"*": "em", "**": "strong"}[mark]
	return lead + "<" + name + ">" + inside + "</" + name + ">" + trail
}

func isPunct(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }

func isSpaceOrPunct(r rune) bool { return unicode.IsSpace(r) || isPunct(r) }
