package property

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

// Parse parses an expression; see Expression for the grammar. Empty text selects
// all pages. An invalid expression is ErrInvalid, with the position and what
// would be valid.
func Parse(text string) (Expression, error) {
	if strings.TrimSpace(text) == "" {
		return Expression{}, nil
	}
	if utf8.RuneCountInString(text) > maxExpression {
		return Expression{}, wiki.Problemf(wiki.ErrInvalid, "where", "The expression in where is longer than %d characters.", maxExpression)
	}
	p := &parser{}
	if err := p.split(text); err != nil {
		return Expression{}, err
	}
	root, err := p.expression(0)
	if err == nil && p.peek().kind != endToken {
		err = p.unexpected("and, or, or the end")
	}
	if err != nil {
		return Expression{}, err
	}
	return Expression{root: root, keys: p.keys}, nil
}

type tokenKind uint8

const (
	endToken tokenKind = iota
	wordToken
	quotedToken
	operatorToken // =, !=, <, <=, >, >=
	parenToken
)

type token struct {
	kind tokenKind
	text string
	at   int // number of the first character, from 1
}

// is reports whether a token is a keyword.
func (t token) is(keyword string) bool {
	return t.kind == wordToken && strings.EqualFold(t.text, keyword)
}

type parser struct {
	tokens []token
	keys   []string
	terms  int
}

// closingQuotes maps opening quotes, also typographic ones.
var closingQuotes = map[rune]string{'"': `"`, '\'': `'`, '“': `”"`, '„': `“”"`, '‘': `’'`}

const specialCharacters = "()=!<>"

// split splits an expression into tokens.
func (p *parser) split(text string) error {
	rest := []rune(strings.ToValidUTF8(text, "\ufffd"))
	for at := 0; at < len(rest); {
		r, start := rest[at], at
		t := token{at: at + 1}
		switch closing := closingQuotes[r]; {
		case unicode.IsSpace(r):
			at++
			continue
		case closing != "":
			var closed bool
			t.kind = quotedToken
			if t.text, at, closed = unquote(rest, at+1, closing); !closed {
				return invalid(t.at, "the quote that starts here isn't closed")
			}
		case r == '(' || r == ')':
			t.kind, t.text = parenToken, string(r)
			at++
		case strings.ContainsRune(specialCharacters, r):
			for at < len(rest) && strings.ContainsRune("=!<>", rest[at]) {
				at++
			}
			t.kind, t.text = operatorToken, string(rest[start:at])
			if t.text = operatorNames[t.text]; t.text == "" {
				return invalid(t.at, "there is no operator %q", string(rest[start:min(at, start+5)]))
			}
		default:
			t.kind = wordToken
			t.text, at = word(rest, at)
		}
		p.tokens = append(p.tokens, t)
	}
	p.tokens = append(p.tokens, token{at: len(rest) + 1})
	return nil
}

var operatorNames = map[string]string{"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

// unquote reads a quoted text from at, after the opening quote.
func unquote(rest []rune, at int, closing string) (text string, after int, closed bool) {
	var b strings.Builder
	for ; at < len(rest); at++ {
		switch {
		case rest[at] == '\\' && at+1 < len(rest) && strings.ContainsRune(closing+`\`, rest[at+1]):
			at++
			b.WriteRune(rest[at])
		case strings.ContainsRune(closing, rest[at]):
			return b.String(), at + 1, true
		default:
			b.WriteRune(rest[at])
		}
	}
	return "", at, false
}

// word reads a word, or a link with its brackets.
func word(rest []rune, at int) (text string, after int) {
	start, link := at, false
	for ; at < len(rest); at++ {
		switch {
		case at+1 < len(rest) && rest[at] == '[' && rest[at+1] == '[' && strings.Contains(string(rest[at:]), "]]"):
			link = true
		case link && rest[at] == ']' && rest[at-1] == ']':
			link = false
		case !link && (unicode.IsSpace(rest[at]) || strings.ContainsRune(specialCharacters, rest[at])):
			return string(rest[start:at]), at
		}
	}
	return string(rest[start:at]), at
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if len(p.tokens) > 1 {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) expression(depth int) (node, error) {
	left, err := p.conjunction(depth)
	for err == nil && p.peek().is("or") {
		p.next()
		var right node
		right, err = p.conjunction(depth)
		left = either{left, right}
	}
	return left, err
}

func (p *parser) conjunction(depth int) (node, error) {
	left, err := p.term(depth)
	for err == nil && p.peek().is("and") {
		p.next()
		var right node
		right, err = p.term(depth)
		left = both{left, right}
	}
	return left, err
}

func (p *parser) term(depth int) (node, error) {
	t := p.peek()
	if depth > maxNesting {
		return nil, invalid(t.at, "more than %d levels of parentheses and not", maxNesting)
	}
	switch {
	case t.is("not"):
		p.next()
		of, err := p.term(depth + 1)
		return negation{of}, err
	case t.kind == parenToken && t.text == "(":
		p.next()
		inside, err := p.expression(depth + 1)
		if end := p.peek(); err == nil && (end.kind != parenToken || end.text != ")") {
			err = p.unexpected("and, or, or a closing parenthesis")
		}
		p.next()
		return inside, err
	}
	return p.comparison()
}

func (p *parser) comparison() (node, error) {
	t := p.peek()
	if t.kind != wordToken && t.kind != quotedToken || t.is("and") || t.is("or") || Key(t.text) == "" {
		return nil, p.unexpected("a key")
	}
	if p.terms++; p.terms > maxTerms {
		return nil, invalid(t.at, "more than %d comparisons", maxTerms)
	}
	c := comparison{key: p.keyIndex(Key(p.next().text))}
	switch t := p.peek(); {
	case t.is(opExists), t.is(opMissing):
		c.operator = strings.ToLower(p.next().text)
		return c, nil
	case t.is(opContains):
		c.operator = opContains
	case t.kind == operatorToken:
		c.operator = t.text
	default:
		return nil, p.unexpected("an operator after the key")
	}
	p.next()
	if v := p.peek(); v.kind != wordToken && v.kind != quotedToken {
		return nil, p.unexpected("a value")
	}
	c.literal = newLiteral(p.next().text)
	return c, nil
}

func (p *parser) keyIndex(key string) int {
	i := slices.Index(p.keys, key)
	if i < 0 {
		i, p.keys = len(p.keys), append(p.keys, key)
	}
	return i
}

// unexpected reports that the next token isn't what the grammar wants there.
func (p *parser) unexpected(wanted wiki.Own) error {
	t := p.peek()
	if t.kind == endToken {
		return invalid(t.at, "expected %s, found the end", wanted)
	}
	return invalid(t.at, "expected %s, found %q", wanted, t.text)
}

// invalid returns the error for a fault at a character of the expression.
func invalid(at int, format string, args ...any) error {
	const grammar = ". Write key = value, with =, !=, <, <=, >, >=, contains, exists or missing, joined by and, or, not and parentheses; quote values with spaces."
	return wiki.Problemf(wiki.ErrInvalid, "where", "In where, at character %d: "+format+grammar, append([]any{at}, args...)...)
}
