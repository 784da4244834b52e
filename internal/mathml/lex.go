package mathml

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A token is a character, a command, a run of white space or the end of the input.
type token struct {
	kind tokenKind
	text string // the character, or the command with its backslash
}

type tokenKind byte

const (
	end tokenKind = iota
	char
	command
	space
)

func (t token) is(text string) bool { return t.text == text && t.kind != end }

// lex splits a formula into tokens. It drops comments and characters that can't be
// seen.
func lex(tex string) []token {
	var list []token
	for i := 0; i < len(tex); {
		r, size := utf8.DecodeRuneInString(tex[i:])
		switch {
		case r == '\\':
			n := commandLength(tex[i:])
			list = append(list, token{command, tex[i : i+n]})
			i += n
			continue
		case r == '%':
			n := strings.IndexByte(tex[i:], '\n')
			if n < 0 {
				return list
			}
			size = n + 1
		case unicode.IsSpace(r):
			if len(list) == 0 || list[len(list)-1].kind != space {
				list = append(list, token{space, " "})
			}
		case r == utf8.RuneError && size == 1, unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs):
		default:
			list = append(list, token{char, tex[i : i+size]})
		}
		i += size
	}
	return list
}

// commandLength is the length of the command at the beginning of s: a backslash and
// letters, or one other character.
func commandLength(s string) int {
	n := 1
	for n < len(s) && isLetter(s[n]) {
		n++
	}
	if n > 1 && n < len(s) && s[n] == '*' && starred[s[1:n]] {
		return n + 1
	}
	if n == 1 && len(s) > 1 {
		_, size := utf8.DecodeRuneInString(s[1:])
		n += size
	}
	return n
}

// starred are the commands with a form that ends with a star.
var starred = map[string]bool{"operatorname": true, "tag": true, "hspace": true, "DeclareMathOperator": true, "newcommand": true, "renewcommand": true}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// A parser reads tokens and builds nodes.
type parser struct {
	input  [][]token // a stack: expanded macros lie on top
	steps  int
	depth  int
	font   string // of letters: "", "rm", "bf", …
	macros map[string]macro
}

// advance drops the next token.
func (p *parser) advance() {
	top := len(p.input) - 1
	p.input[top] = p.input[top][1:]
	p.count(1)
}

func (p *parser) count(steps int) {
	if p.steps += steps; p.steps > maxSteps {
		p.fail("The formula is too long, or its macros repeat themselves.")
	}
}

// peekRaw returns the next token, without expansion.
func (p *parser) peekRaw() token {
	for len(p.input) > 0 && len(p.input[len(p.input)-1]) == 0 {
		p.input = p.input[:len(p.input)-1]
	}
	if len(p.input) == 0 {
		return token{}
	}
	return p.input[len(p.input)-1][0]
}

func (p *parser) nextRaw() token {
	t := p.peekRaw()
	if t.kind != end {
		p.advance()
	}
	return t
}

// peek returns the next token that isn't white space, with macros expanded.
func (p *parser) peek() token {
	for {
		t := p.peekRaw()
		switch {
		case t.kind == space:
			p.advance()
			continue
		case t.kind == command:
			if m, ok := p.macros[t.text]; ok {
				p.advance()
				p.expand(t.text, m)
				continue
			}
		}
		return t
	}
}

func (p *parser) next() token {
	t := p.peek()
	if t.kind != end {
		p.advance()
	}
	return t
}

// accept drops the next token if it is a text.
func (p *parser) accept(text string) bool {
	if !p.peek().is(text) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) skipSpace() {
	for p.peekRaw().kind == space {
		p.advance()
	}
}

// rawArgument reads an argument as tokens: a group without its braces, or one token.
func (p *parser) rawArgument(of string) []token {
	p.skipSpace()
	t := p.nextRaw()
	if t.kind == end || t.is("}") {
		p.fail("%s needs an argument.", of)
	}
	if !t.is("{") {
		return []token{t}
	}
	var list []token
	for open := 1; ; {
		t := p.nextRaw()
		switch {
		case t.kind == end:
			p.fail("A closing } is missing.")
		case t.is("{"):
			open++
		case t.is("}"):
			open--
		}
		if open == 0 {
			return list
		}
		list = append(list, t)
	}
}

// rawOption reads an optional argument in brackets.
func (p *parser) rawOption() (list []token, ok bool) {
	p.skipSpace()
	if !p.peekRaw().is("[") {
		return nil, false
	}
	p.advance()
	for open := 0; ; {
		t := p.nextRaw()
		switch {
		case t.kind == end:
			p.fail("A closing ] is missing.")
		case t.is("]") && open == 0:
			return list, true
		case t.is("{"):
			open++
		case t.is("}"):
			open--
		}
		list = append(list, t)
	}
}

// word joins the tokens of an argument that is a name or a size.
func word(list []token) string {
	var b strings.Builder
	for _, t := range list {
		b.WriteString(t.text)
	}
	return strings.TrimSpace(b.String())
}
