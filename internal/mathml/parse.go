package mathml

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// formula parses the whole formula. Lines and columns outside an environment become a
// table.
func (p *parser) formula() *node {
	rows := p.rows(never)
	if t := p.peek(); t.kind != end {
		p.fail(`There's an \end without \begin.`)
	}
	if len(rows) == 1 && len(rows[0].cells) == 1 {
		return rows[0].cells[0]
	}
	return table(rows, "al")
}

// row parses nodes up to a token that ends the row, which it leaves. An infix command
// such as \over splits the row.
func (p *parser) row(ends func(token) bool) *node {
	if p.depth++; p.depth > maxDepth {
		p.fail("The formula is nested too deep.")
	}
	font := p.font
	var list []*node
	for {
		t := p.peek()
		if t.kind == end || t.is("}") || t.is("&") || t.is(`\\`) || t.is(`\cr`) || t.is(`\end`) || t.is(`\right`) || t.is(`\middle`) || ends(t) {
			break
		}
		if t.is(`\color`) {
			list = p.colorRest(list, ends)
			continue
		}
		if t.kind == command && (infix[t.text] != nil || styles[t.text] != "") {
			list = p.splitRow(t.text, list, ends)
			break
		}
		if n := p.atom(); n != nil {
			list = append(list, n)
		}
	}
	p.depth--
	p.font = font
	return row(list)
}

func never(token) bool { return false }

// infix are the commands between the parts of a fraction.
var infix = map[string]func(above, below *node) *node{
	`\over`:   func(a, b *node) *node { return element("mfrac", a, b) },
	`\atop`:   func(a, b *node) *node { return element("mfrac", a, b).with(`linethickness="0"`) },
	`\choose`: func(a, b *node) *node { return binomial(a, b) },
	`\brace`:  func(a, b *node) *node { return fenced("{", element("mfrac", a, b).with(`linethickness="0"`), "}") },
	`\brack`:  func(a, b *node) *node { return fenced("[", element("mfrac", a, b).with(`linethickness="0"`), "]") },
}

// styles are the commands that set the size of the rest of a row.
var styles = map[string]string{
	`\displaystyle`: `displaystyle="true" scriptlevel="0"`, `\textstyle`: `displaystyle="false" scriptlevel="0"`,
	`\scriptstyle`: `displaystyle="false" scriptlevel="1"`, `\scriptscriptstyle`: `displaystyle="false" scriptlevel="2"`,
}

// splitRow parses the rest of a row after a command that concerns all of it.
func (p *parser) splitRow(name string, before []*node, ends func(token) bool) []*node {
	p.advance()
	if make := infix[name]; make != nil {
		return []*node{make(row(before), p.row(ends))}
	}
	return append(before, element("mstyle", p.row(ends)).with(styles[name]))
}

// colorRest parses \color: of the group that follows, as MathJax has it, or else of the
// rest of the row.
func (p *parser) colorRest(before []*node, ends func(token) bool) []*node {
	p.advance()
	color := p.color(`\color`)
	colored := element("mstyle").with(`mathcolor="` + color + `"`)
	if p.peek().is("{") {
		colored.kids = []*node{p.argument(`\color`)}
		return append(before, p.scripts(colored))
	}
	colored.kids = []*node{p.row(ends)}
	return append(before, colored)
}

// group parses the rest of a group, after its opening brace.
func (p *parser) group() *node {
	n := p.row(never)
	if t := p.next(); !t.is("}") {
		p.unexpected(t, "}")
	}
	return n
}

func (p *parser) unexpected(t token, wanted string) {
	switch {
	case t.kind == end:
		p.fail("A closing %s is missing.", wanted)
	case t.is("}"):
		p.fail("There's a } without an opening {.")
	default:
		p.fail("%s is in the wrong place.", t.text)
	}
}

// argument parses an argument of a command: a group or one atom.
func (p *parser) argument(of string) *node {
	t := p.peek()
	switch {
	case t.is("{"):
		p.advance()
		font := p.font
		n := p.group()
		p.font = font
		return n
	case t.kind == end, t.is("}"), t.is("&"), t.is(`\\`), t.is("^"), t.is("_"):
		p.fail("%s needs an argument.", of)
	case t.kind == char:
		p.advance()
		r, _ := utf8.DecodeRuneInString(t.text)
		if n := p.character(r, false); n != nil {
			return n
		}
	}
	if p.depth++; p.depth > maxDepth {
		p.fail("The formula is nested too deep.")
	}
	defer func() { p.depth-- }()
	p.advance()
	if n := p.command(t.text); n != nil {
		return n
	}
	return row(nil)
}

// option parses an optional argument in brackets; nil if there is none.
func (p *parser) option() *node {
	if !p.accept("[") {
		return nil
	}
	n := p.row(func(t token) bool { return t.is("]") })
	if t := p.next(); !t.is("]") {
		p.unexpected(t, "]")
	}
	return n
}

// atom parses a nucleus with its scripts; nil if it draws nothing.
func (p *parser) atom() *node {
	var n *node
	t := p.peek()
	switch {
	case t.is("^"), t.is("_"), t.is("'"):
		n = row(nil)
	case t.is("{"):
		p.advance()
		n = p.group()
		n.class, n.limits = ord, beside
	case t.kind == char:
		p.advance()
		r, _ := utf8.DecodeRuneInString(t.text)
		n = p.character(r, true)
	default:
		p.advance()
		n = p.command(t.text)
	}
	if n == nil {
		return nil
	}
	return p.scripts(n)
}

// scripts parses the scripts, primes and limits after a nucleus.
func (p *parser) scripts(base *node) *node {
	var above, below *node
	primes := 0
	for {
		switch t := p.peek(); {
		case t.is("'"):
			p.advance()
			primes++
		case t.is("^"):
			p.advance()
			if above != nil {
				p.fail("There are two superscripts. Put one of them in braces.")
			}
			above = p.argument("^")
		case t.is("_"):
			p.advance()
			if below != nil {
				p.fail("There are two subscripts. Put one of them in braces.")
			}
			below = p.argument("_")
		case t.is(`\limits`):
			p.advance()
			base.limits = stacked
		case t.is(`\nolimits`):
			p.advance()
			base.limits = beside
		case t.is(`\displaylimits`):
			p.advance()
		default:
			return attach(base, below, withPrimes(above, primes))
		}
	}
}

// withPrimes puts primes before a superscript.
func withPrimes(above *node, primes int) *node {
	if primes == 0 {
		return above
	}
	text := strings.Repeat("′", primes)
	if primes < 5 {
		text = []string{"", "′", "″", "‴", "⁗"}[primes]
	}
	if above == nil {
		return operator(text, ord)
	}
	return row([]*node{operator(text, ord), above})
}

// attach puts scripts at a base; nil for none.
func attach(base, below, above *node) *node {
	if below == nil && above == nil {
		return base
	}
	names := [3]string{"msub", "msup", "msubsup"}
	if base.limits != beside {
		names = [3]string{"munder", "mover", "munderover"}
		if base.tag == "mo" {
			movable := map[limits]string{movable: "true", stacked: "false"}[base.limits]
			copied := *base
			copied.attrs = strings.Replace(copied.attrs, ` movablelimits="true"`, "", 1) + ` movablelimits="` + movable + `"`
			base = &copied
		}
	}
	var n *node
	switch {
	case above == nil:
		n = element(names[0], base, below)
	case below == nil:
		n = element(names[1], base, above)
	default:
		n = element(names[2], base, below, above)
	}
	n.named = base.named
	return n.of(base.class)
}

// character returns the node of a character. A number takes the digits that follow, if
// long.
func (p *parser) character(r rune, long bool) *node {
	switch {
	case r >= '0' && r <= '9' || r == '.' && long && p.digitFollows():
		return p.number(r, long)
	case r == '~':
		return spaceOf("0.25em")
	case r == '#':
		p.fail("# is only for the arguments of macros. Write \\# for the character.")
	case r == '$':
		p.fail("There's a $ within the formula. Write \\$ for the character.")
	}
	if n := punctuationMark(r); n != nil {
		return n
	}
	if unicode.IsLetter(r) {
		return p.letter(r)
	}
	if unicode.IsDigit(r) || unicode.IsNumber(r) {
		return leaf("mn", string(r))
	}
	if c, ok := classOf[r]; ok {
		return character(string(r), c.class, c.big)
	}
	return leaf("mi", string(r)).with(`mathvariant="normal"`)
}

// classOf are the classes of characters that aren't ASCII, from their commands.
var classOf = func() map[rune]symbol {
	m := map[rune]symbol{}
	for _, s := range symbols {
		if r, size := utf8.DecodeRuneInString(s.text); size == len(s.text) && (m[r].text == "" || s.class < m[r].class) {
			m[r] = s
		}
	}
	return m
}()

// punctuationMark returns the node of an ASCII character that is no letter or digit, or
// nil.
func punctuationMark(r rune) *node {
	switch r {
	case '+':
		return operator("+", bin)
	case '-', '−':
		return operator("−", bin)
	case '*':
		return operator("∗", bin)
	case '=', '<', '>':
		return operator(string(r), rel)
	case ':':
		return operator(":", rel)
	case '(', '[':
		return operator(string(r), opening).with(`stretchy="false"`)
	case ')', ']':
		return operator(string(r), closing).with(`stretchy="false"`)
	case ',', ';':
		return operator(string(r), punct).with(`separator="true"`)
	case '/', '.', '|', '\\':
		return operator(string(r), ord).with(`stretchy="false" lspace="0em" rspace="0em"`)
	case '!', '?':
		return operator(string(r), closing).with(`lspace="0em" rspace="0em"`)
	case '`':
		return leaf("mi", "‘")
	case '"', '@':
		return leaf("mi", string(r)).with(`mathvariant="normal"`)
	}
	return nil
}

func (p *parser) digitFollows() bool {
	t := p.peekRaw()
	return t.kind == char && len(t.text) == 1 && t.text[0] >= '0' && t.text[0] <= '9'
}

// number reads the rest of a number: digits and a decimal point between them.
func (p *parser) number(first rune, long bool) *node {
	var b strings.Builder
	b.WriteRune(styled(p.font, first))
	for dot := first == '.'; long; {
		if p.digitFollows() {
			b.WriteRune(styled(p.font, rune(p.peekRaw().text[0])))
			p.advance()
			continue
		}
		if dot || !p.peekRaw().is(".") {
			break
		}
		p.advance()
		if !p.digitFollows() {
			p.input = append(p.input, []token{{char, "."}})
			break
		}
		dot = true
		b.WriteByte('.')
	}
	return leaf("mn", b.String())
}

// character returns the operator of a character outside ASCII.
func character(text string, c class, big bool) *node {
	n := operator(text, c)
	switch {
	case big && !strings.ContainsAny(text, "∫∬∭⨌∮∯∰"):
		n.limits = movable
		return n.with(`movablelimits="true"`)
	case c == opening || c == closing:
		return n.with(`stretchy="false" lspace="0em" rspace="0em"`)
	case c == ord:
		return leaf("mi", text).with(`mathvariant="normal"`)
	case c == rel && (text == "∣" || text == "∥" || text == "∤" || text == "∦"):
		return n.with(`stretchy="false" lspace="0.2778em" rspace="0.2778em"`)
	case c == rel && strings.ContainsAny(text, "↑↓↕⇑⇓⇕"):
		return n.with(`stretchy="false"`)
	}
	return n
}
