package mathml

import (
	"regexp"
	"strings"
)

// commands are the commands with arguments, by name with the backslash.
var commands map[string]func(p *parser, name string) *node

func init() {
	commands = map[string]func(p *parser, name string) *node{
		`\frac`: (*parser).fraction, `\binom`: (*parser).fraction, `\genfrac`: (*parser).general,
		`\sqrt`: (*parser).root, `\left`: (*parser).leftRight, `\begin`: (*parser).environment,
		`\text`: (*parser).text, `\mbox`: (*parser).text, `\textrm`: (*parser).text, `\textnormal`: (*parser).text, `\textup`: (*parser).text,
		`\textbf`: (*parser).text, `\textit`: (*parser).text, `\texttt`: (*parser).text, `\textsf`: (*parser).text, `\hbox`: (*parser).text, `\emph`: (*parser).text,
		`\operatorname`: (*parser).operatorName, `\operatorname*`: (*parser).operatorName, `\mathop`: (*parser).mathClass,
		`\mathrel`: (*parser).mathClass, `\mathbin`: (*parser).mathClass, `\mathord`: (*parser).mathClass, `\mathinner`: (*parser).mathClass,
		`\mathopen`: (*parser).mathClass, `\mathclose`: (*parser).mathClass, `\mathpunct`: (*parser).mathClass,
		`\overset`: (*parser).over, `\underset`: (*parser).over, `\stackrel`: (*parser).over, `\overunderset`: (*parser).over,
		`\phantom`: (*parser).phantom, `\hphantom`: (*parser).phantom, `\vphantom`: (*parser).phantom, `\smash`: (*parser).phantom,
		`\mathrlap`: (*parser).phantom, `\mathllap`: (*parser).phantom, `\mathclap`: (*parser).phantom, `\rlap`: (*parser).phantom, `\llap`: (*parser).phantom,
		`\boxed`: (*parser).marked, `\fbox`: (*parser).marked, `\cancel`: (*parser).marked, `\bcancel`: (*parser).marked, `\xcancel`: (*parser).marked, `\sout`: (*parser).marked,
		`\textcolor`: (*parser).colored, `\colorbox`: (*parser).colored, `\not`: (*parser).negated, `\substack`: (*parser).substack,
		`\pmod`: (*parser).modulo, `\pod`: (*parser).modulo, `\bmod`: (*parser).modulo, `\mod`: (*parser).modulo,
		`\tag`: (*parser).tag, `\tag*`: (*parser).tag, `\hspace`: (*parser).space, `\hspace*`: (*parser).space, `\hskip`: (*parser).space,
		`\kern`: (*parser).space, `\mkern`: (*parser).space, `\mskip`: (*parser).space, `\mathstrut`: (*parser).nothing, `\strut`: (*parser).nothing,
		`\nonumber`: (*parser).nothing, `\notag`: (*parser).nothing, `\allowbreak`: (*parser).nothing, `\nobreak`: (*parser).nothing, `\relax`: (*parser).nothing,
		`\hline`: (*parser).nothing, `\label`: (*parser).dropped, `\limits`: (*parser).misplaced, `\nolimits`: (*parser).misplaced,
		`\mathbb`: (*parser).inFont, `\bra`: (*parser).braket, `\ket`: (*parser).braket, `\braket`: (*parser).braket, `\set`: (*parser).braket,
		`\tiny`: (*parser).nothing, `\small`: (*parser).nothing, `\normalsize`: (*parser).nothing, `\large`: (*parser).nothing, `\Large`: (*parser).nothing,
	}
	for _, name := range []string{`\newcommand`, `\renewcommand`, `\providecommand`, `\newcommand*`, `\renewcommand*`, `\def`, `\gdef`, `\DeclareMathOperator`, `\DeclareMathOperator*`} {
		commands[name] = func(p *parser, name string) *node { p.define(name); return nil }
	}
}

// command returns the node of a command that was just read; nil if it draws nothing.
func (p *parser) command(name string) *node {
	bare := name[1:]
	asked := name
	if same := spellings[name]; same != "" {
		name, bare = same, same[1:]
	}
	if run := commands[name]; run != nil {
		return run(p, asked)
	}
	if width, ok := spaces[bare]; ok {
		if width == "" {
			return nil
		}
		return spaceOf(width)
	}
	if font := switches[bare]; font != "" {
		p.font = font
		return nil
	}
	if fonts[bare] != "" {
		return p.inFont(name)
	}
	if _, ok := accents[bare]; ok {
		return p.accent(bare)
	}
	if arrow := longArrows[bare]; arrow != "" {
		return p.longArrow(name, arrow)
	}
	if stacks, ok := functions[bare]; ok {
		return function(firstOf(functionNames[bare], bare), stacks)
	}
	if s, ok := symbols[bare]; ok {
		return p.symbol(bare, s)
	}
	if n := p.bigDelimiter(bare); n != nil {
		return n
	}
	switch {
	case name == `\right` || name == `\middle`:
		p.fail(`There's a %s without \left.`, name)
	case name == `\end`:
		p.fail(`There's an \end without \begin.`)
	case name == `\`:
		p.fail("The formula ends with a backslash.")
	}
	p.fail("%s is no command that's known here.", name)
	return nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (p *parser) symbol(name string, s symbol) *node {
	if isIdentifier(name) {
		runes := []rune(s.text)
		return p.letter(runes[0])
	}
	return character(s.text, s.class, s.big)
}

// function returns an operator with an upright name.
func function(name string, stacks bool) *node {
	if stacks {
		n := operator(name, op).with(`movablelimits="true" lspace="0em" rspace="0.1667em"`)
		n.limits = movable
		return n
	}
	n := leaf("mi", name).of(op)
	n.named = true
	return n
}

func (p *parser) fraction(name string) *node {
	above, below := p.argument(name), p.argument(name)
	var n *node
	if strings.HasSuffix(name, "binom") {
		n = binomial(above, below)
	} else {
		n = element("mfrac", above, below)
	}
	n.class = inner
	switch name[1] {
	case 'd', 'c':
		return element("mstyle", n).with(styles[`\displaystyle`]).of(inner)
	case 't':
		return element("mstyle", n).with(styles[`\textstyle`]).of(inner)
	}
	return n
}

func binomial(above, below *node) *node {
	return fenced("(", element("mfrac", above, below).with(`linethickness="0"`), ")")
}

// general is \genfrac{left}{right}{thickness}{style}{above}{below}.
func (p *parser) general(name string) *node {
	left, right := p.delimiterIn(p.rawArgument(name)), p.delimiterIn(p.rawArgument(name))
	thickness, style := p.length(word(p.rawArgument(name)), ""), word(p.rawArgument(name))
	n := element("mfrac", p.argument(name), p.argument(name))
	if thickness != "" {
		n.with(`linethickness="` + thickness + `"`)
	}
	n = fenced(left, n, right)
	switch style {
	case "0":
		return element("mstyle", n).with(styles[`\displaystyle`])
	case "1":
		return element("mstyle", n).with(styles[`\textstyle`])
	}
	return n
}

func (p *parser) root(name string) *node {
	degree := p.option()
	under := p.argument(name)
	if degree != nil {
		return element("mroot", under, degree)
	}
	return element("msqrt", under)
}

func (p *parser) inFont(name string) *node {
	font := p.font
	if same := spellings[name]; same != "" {
		name = same
	}
	p.font = fonts[name[1:]]
	n := p.argument(name)
	p.font = font
	n.class = ord
	return n
}

func (p *parser) accent(name string) *node {
	a := accents[name]
	base := p.argument(`\` + name)
	mark := operator(a.mark, ord)
	if !a.stretch {
		mark.with(`stretchy="false"`)
	} else {
		mark.with(`stretchy="true"`)
	}
	n := element("mover", base, mark).with(`accent="true"`)
	if a.below {
		n = element("munder", base, mark).with(`accentunder="true"`)
	}
	if strings.HasSuffix(name, "brace") || strings.HasSuffix(name, "bracket") || strings.HasSuffix(name, "paren") {
		n.limits = stacked
	}
	return n.of(base.class)
}

// longArrow is \xrightarrow[below]{above} and the like.
func (p *parser) longArrow(name, arrow string) *node {
	below := p.option()
	above := padded(p.argument(name))
	mark := operator(arrow, rel).with(`stretchy="true"`)
	if below == nil {
		return element("mover", mark, above).of(rel)
	}
	return element("munderover", mark, padded(below), above).of(rel)
}

func padded(n *node) *node { return row([]*node{spaceOf("0.4em"), n, spaceOf("0.4em")}) }

// over puts one argument above or below the other.
func (p *parser) over(name string) *node {
	first := p.argument(name)
	if name == `\overunderset` {
		below := p.argument(name)
		base := p.argument(name)
		return element("munderover", base, below, first).of(base.class)
	}
	base := p.argument(name)
	n := element("mover", base, first)
	if name == `\underset` {
		n = element("munder", base, first)
	}
	if name == `\stackrel` {
		return n.of(rel)
	}
	n.limits = beside
	return n.of(base.class)
}

func (p *parser) operatorName(name string) *node {
	font := p.font
	p.font = "rm"
	arg := p.argument(name)
	p.font = font
	if text, ok := arg.plainText(); ok {
		return function(text, strings.HasSuffix(name, "*"))
	}
	n := element("mrow", arg).of(op)
	n.named = true
	if strings.HasSuffix(name, "*") {
		n.limits = stacked
	}
	return n
}

// plainText returns the text of a node without structure.
func (n *node) plainText() (string, bool) {
	switch {
	case n.tag == "mspace":
		return " ", true
	case len(n.kids) == 0 && n.tag != "":
		return n.text, n.tag == "mi" || n.tag == "mn" || n.tag == "mo" || n.tag == "mtext"
	case n.tag != "":
		return "", false
	}
	var b strings.Builder
	for _, k := range n.kids {
		text, ok := k.plainText()
		if !ok {
			return "", false
		}
		b.WriteString(text)
	}
	return b.String(), true
}

// mathClass sets the class of its argument.
func (p *parser) mathClass(name string) *node {
	n := element("mrow", p.argument(name))
	switch name {
	case `\mathop`:
		n.limits, n.named = movable, true
		return n.of(op)
	case `\mathrel`:
		return row([]*node{spaceOf("0.2778em"), n, spaceOf("0.2778em")}).of(rel)
	case `\mathbin`:
		return row([]*node{spaceOf("0.2222em"), n, spaceOf("0.2222em")}).of(bin)
	case `\mathopen`:
		return n.of(opening)
	case `\mathclose`:
		return n.of(closing)
	case `\mathpunct`:
		return row([]*node{n, spaceOf("0.1667em")}).of(punct)
	}
	return n
}

// phantom takes the place of its argument, or gives it no width.
func (p *parser) phantom(name string) *node {
	if name == `\smash` {
		p.rawOption()
	}
	n := p.argument(name)
	switch name {
	case `\phantom`:
		return element("mphantom", n)
	case `\hphantom`:
		return element("mpadded", element("mphantom", n)).with(`height="0" depth="0"`)
	case `\vphantom`:
		return element("mpadded", element("mphantom", n)).with(`width="0"`)
	case `\smash`:
		return element("mpadded", n).with(`height="0" depth="0"`)
	}
	return element("mpadded", n).with(`width="0"`)
}

// marks are the classes of boxes and of lines through an expression.
var marks = map[string]string{`\boxed`: "bx", `\fbox`: "bx", `\cancel`: "cu", `\bcancel`: "cd", `\xcancel`: "cx", `\sout`: "so"}

func (p *parser) marked(name string) *node {
	return element("mrow", p.argument(name)).with(`class="` + marks[name] + `"`)
}

var colorForm = regexp.MustCompile(`^(?:[a-z]{3,12}|#[0-9a-f]{3}|#[0-9a-f]{6})$`)

// color reads the name of a color.
func (p *parser) color(of string) string {
	color := strings.ToLower(word(p.rawArgument(of)))
	if !colorForm.MatchString(color) {
		p.fail("%s needs a color, such as red or #0044cc.", of)
	}
	return color
}

// colored is \textcolor{color}{x}. The background of \colorbox isn't drawn.
func (p *parser) colored(name string) *node {
	color := p.color(name)
	if name == `\colorbox` {
		return p.text(`\text`)
	}
	return element("mstyle", p.argument(name)).with(`mathcolor="` + color + `"`)
}

// negated strikes out the relation that follows.
func (p *parser) negated(name string) *node {
	n := p.argument(name)
	for n.tag == "" && len(n.kids) == 1 {
		n = n.kids[0]
	}
	if n.text == "" {
		p.fail(`\not needs a relation, such as \not=.`)
	}
	struck := *n
	struck.text = n.text + "\u0338"
	if struck.tag == "mo" {
		struck.class = rel
	}
	return &struck
}

func (p *parser) modulo(name string) *node {
	if name == `\bmod` {
		return row([]*node{spaceOf("0.2222em"), leaf("mi", "mod"), spaceOf("0.2222em")}).of(bin)
	}
	list := []*node{spaceOf("1em")}
	if name == `\mod` {
		return row(append(list, leaf("mi", "mod"), spaceOf("0.3333em"), p.argument(name)))
	}
	list = append(list, operator("(", opening).with(`stretchy="false"`))
	if name == `\pmod` {
		list = append(list, leaf("mi", "mod"), spaceOf("0.3333em"))
	}
	return row(append(list, p.argument(name), operator(")", closing).with(`stretchy="false"`)))
}

func (p *parser) tag(name string) *node {
	text := p.text(`\text`)
	if name == `\tag` {
		text = row([]*node{leaf("mtext", "("), text, leaf("mtext", ")")})
	}
	return row([]*node{spaceOf("2em"), text})
}

var lengthForm = regexp.MustCompile(`^(-?[0-9]{0,4}(?:\.[0-9]{1,4})?) ?(em|ex|px|pt|mu|cm|mm|in|)$`)

// length returns a length in a unit of browsers; "" if it has none.
func (p *parser) length(text, fallback string) string {
	m := lengthForm.FindStringSubmatch(strings.ReplaceAll(text, " ", ""))
	switch {
	case m == nil || strings.Trim(m[1], "-.") == "":
		return fallback
	case m[2] == "mu" || m[2] == "cm" || m[2] == "mm" || m[2] == "in":
		return fallback
	case strings.HasPrefix(m[1], "."):
		return "0" + m[1] + m[2]
	}
	return m[1] + m[2]
}

// space is \hspace{1em} or \kern1em.
func (p *parser) space(name string) *node {
	text := ""
	if strings.HasPrefix(name, `\hspace`) {
		text = word(p.rawArgument(name))
	} else {
		text = p.rawLength(name)
	}
	width := p.length(text, "0.2222em")
	if strings.HasPrefix(width, "-") {
		return nil
	}
	return spaceOf(width)
}

// rawLength reads a length without braces.
func (p *parser) rawLength(name string) string {
	p.skipSpace()
	if p.peekRaw().is("{") {
		return word(p.rawArgument(name))
	}
	var b strings.Builder
	for letters := 0; letters < 2; {
		t := p.peekRaw()
		if t.kind != char || !strings.Contains("-.0123456789", t.text) && !isLetter(t.text[0]) {
			break
		}
		if isLetter(t.text[0]) {
			letters++
		}
		b.WriteString(t.text)
		p.advance()
	}
	if b.Len() == 0 {
		p.fail("%s needs a length, such as 1em.", name)
	}
	return b.String()
}

func (p *parser) nothing(string) *node { return nil }

func (p *parser) dropped(name string) *node {
	p.rawArgument(name)
	return nil
}

func (p *parser) misplaced(name string) *node {
	p.fail("%s must follow an operator.", name)
	return nil
}

// braket is the notation of quantum mechanics, and \set.
func (p *parser) braket(name string) *node {
	n := p.argument(name)
	switch name {
	case `\bra`:
		return fenced("⟨", n, "|")
	case `\ket`:
		return fenced("|", n, "⟩")
	case `\set`:
		return fenced("{", n, "}")
	}
	return fenced("⟨", n, "⟩")
}
