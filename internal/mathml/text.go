package mathml

import "strings"

// textFonts are the alphabets of the commands for text.
var textFonts = map[string]string{`\textbf`: "bf", `\textit`: "it", `\emph`: "it", `\texttt`: "tt", `\textsf`: "sf"}

// text parses text in a formula, which may have formulas between $ in it.
func (p *parser) text(name string) *node {
	p.skipSpace()
	if !p.peekRaw().is("{") {
		return leaf("mtext", word(p.rawArgument(name)))
	}
	p.advance()
	n := p.textGroup(textFonts[name])
	if len(n) == 1 {
		return n[0]
	}
	return element("mrow", n...)
}

// textGroup parses text up to the closing brace, in an alphabet.
func (p *parser) textGroup(font string) []*node {
	if p.depth++; p.depth > maxDepth {
		p.fail("The formula is nested too deep.")
	}
	defer func() { p.depth-- }()
	var list []*node
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			list = append(list, leaf("mtext", b.String()))
		}
		b.Reset()
	}
	for {
		t := p.nextRaw()
		switch {
		case t.kind == end:
			p.fail("A closing } is missing.")
		case t.is("}"):
			flush()
			if list == nil {
				list = append(list, leaf("mtext", ""))
			}
			return list
		case t.is("{"):
			flush()
			list = append(list, p.textGroup(font)...)
		case t.is("$") || t.is(`\(`):
			flush()
			list = append(list, p.formulaInText(t.text))
		case t.kind == space || t.is("~") || t.is(`\ `):
			b.WriteString("\u00a0")
		case t.kind == command:
			flush()
			list = append(list, p.commandInText(t.text)...)
		default:
			for _, r := range t.text {
				b.WriteRune(styled(font, r))
			}
		}
	}
}

// formulaInText parses a formula within text, after its opening.
func (p *parser) formulaInText(opened string) *node {
	closes := "$"
	if opened == `\(` {
		closes = `\)`
	}
	n := p.row(func(t token) bool { return t.is(closes) })
	if t := p.next(); !t.is(closes) {
		p.unexpected(t, closes)
	}
	return n
}

func (p *parser) commandInText(name string) []*node {
	if m, ok := p.macros[name]; ok {
		p.expand(name, m)
		return nil
	}
	if font, ok := textFonts[name]; ok || name == `\textrm` || name == `\text` || name == `\textnormal` || name == `\textup` {
		if p.skipSpace(); p.peekRaw().is("{") {
			p.advance()
			return p.textGroup(font)
		}
	}
	if n := p.command(name); n != nil {
		return []*node{n}
	}
	return nil
}
