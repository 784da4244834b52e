package mathml

import "strconv"

// A macro is a command that a formula defines.
type macro struct {
	arguments int
	first     []token // default of the first argument, if optional
	optional  bool
	body      []token
}

// define reads a definition after its command: \newcommand, \def or
// \DeclareMathOperator in one of their forms.
func (p *parser) define(by string) {
	var m macro
	p.skipSpace()
	name := p.macroName(by)
	switch by {
	case `\def`, `\gdef`:
		for p.skipSpace(); p.peekRaw().is("#"); p.skipSpace() {
			p.advance()
			if m.arguments++; !p.nextRaw().is(strconv.Itoa(m.arguments)) {
				p.fail("%s can only have arguments #1, #2 and so on.", name)
			}
		}
	case `\DeclareMathOperator`, `\DeclareMathOperator*`:
		operator := `\operatorname`
		if by != `\DeclareMathOperator` {
			operator += "*"
		}
		body := p.rawArgument(by)
		m.body = append(append([]token{{command, operator}, {char, "{"}}, body...), token{char, "}"})
		p.keep(name, m)
		return
	default:
		if n, ok := p.rawOption(); ok {
			m.arguments, _ = strconv.Atoi(word(n))
			m.first, m.optional = p.rawOption()
		}
	}
	if m.arguments < 0 || m.arguments > 9 {
		p.fail("%s can have at most 9 arguments.", name)
	}
	m.body = p.rawArgument(by)
	if _, known := p.macros[name]; known && by == `\providecommand` {
		return
	}
	p.keep(name, m)
}

func (p *parser) macroName(by string) string {
	t := p.peekRaw()
	if t.is("{") {
		if list := p.rawArgument(by); len(list) == 1 {
			t = list[0]
		}
	} else if t.kind != end {
		p.advance()
	}
	if t.kind != command {
		p.fail(`%s needs the name of a command, such as \name.`, by)
	}
	return t.text
}

func (p *parser) keep(name string, m macro) {
	if len(m.body) > maxBody || len(p.macros) >= maxMacros {
		p.fail("This page defines too many macros, or macros that are too long.")
	}
	p.macros[name] = m
}

// expand puts the body of a macro on the input, with its arguments.
func (p *parser) expand(name string, m macro) {
	arguments := make([][]token, 0, 9)
	if m.optional && m.arguments > 0 {
		first, given := p.rawOption()
		if !given {
			first = m.first
		}
		arguments = append(arguments, first)
	}
	for len(arguments) < m.arguments {
		arguments = append(arguments, p.rawArgument(name))
	}
	var list []token
	for i := 0; i < len(m.body); i++ {
		t := m.body[i]
		if t.is("#") && t.kind == char && i+1 < len(m.body) {
			if n, err := strconv.Atoi(m.body[i+1].text); err == nil && n > 0 && n <= len(arguments) {
				p.count(len(arguments[n-1]))
				list = append(list, arguments[n-1]...)
				i++
				continue
			}
		}
		list = append(list, t)
	}
	p.count(1 + len(m.body))
	p.input = append(p.input, list)
}
