package mathml

import "strings"

// A symbol is the character of a command without arguments.
type symbol struct {
	text  string
	class class
	big   bool // an operator that is larger in a formula set apart
}

// symbols are the commands that stand for a character, by name without the backslash.
var symbols = readSymbols()

func readSymbols() map[string]symbol {
	m := map[string]symbol{}
	for _, table := range []struct {
		list  string
		class class
		big   bool
	}{
		{letters, ord, false}, {ordinary, ord, false}, {binary, bin, false}, {relations, rel, false},
		{arrows, rel, false}, {openings, opening, false}, {closings, closing, false}, {punctuation, punct, false},
		{bigOperators, op, true},
	} {
		fields := strings.Fields(table.list)
		for i := 0; i < len(fields); i += 2 {
			m[fields[i]] = symbol{fields[i+1], table.class, table.big}
		}
	}
	return m
}

// isIdentifier reports whether a symbol is a letter, and so set like a variable.
func isIdentifier(name string) bool { return identifiers[name] }

var identifiers = func() map[string]bool {
	m := map[string]bool{}
	for i, f := range strings.Fields(letters) {
		if i%2 == 0 {
			m[f] = true
		}
	}
	return m
}()

const (
	letters = `
	alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ varkappa ϰ
	lambda λ mu μ nu ν xi ξ omicron ο pi π varpi ϖ rho ρ varrho ϱ sigma σ varsigma ς tau τ upsilon υ phi ϕ varphi φ chi χ
	psi ψ omega ω digamma ϝ Alpha Α Beta Β Gamma Γ Delta Δ Epsilon Ε Zeta Ζ Eta Η Theta Θ Iota Ι Kappa Κ Lambda Λ Mu Μ Nu Ν
	Xi Ξ Omicron Ο Pi Π Rho Ρ Sigma Σ Tau Τ Upsilon Υ Phi Φ Chi Χ Psi Ψ Omega Ω varGamma Γ varDelta Δ varOmega Ω
	hbar ℏ hslash ℏ ell ℓ Re ℜ Im ℑ wp ℘ imath ı jmath ȷ aleph ℵ beth ℶ gimel ℷ daleth ℸ eth ð partial ∂ nabla ∇ infty ∞
	emptyset ∅ varnothing ∅ complement ∁ mho ℧ Finv Ⅎ Game ⅁ Bbbk 𝕜 R ℝ N ℕ Z ℤ Q ℚ C ℂ AA Å ss ß ae æ oe œ o ø`
	ordinary = `
	forall ∀ exists ∃ nexists ∄ neg ¬ lnot ¬ top ⊤ bot ⊥ angle ∠ measuredangle ∡ sphericalangle ∢ triangle △ square □ Box □
	blacksquare ■ Diamond ◊ lozenge ◊ blacklozenge ⧫ bigstar ★ clubsuit ♣ diamondsuit ♢ heartsuit ♡ spadesuit ♠ flat ♭
	natural ♮ sharp ♯ prime ′ backprime ‵ ldots … dots … cdots ⋯ dotsc … dotsb ⋯ dotsm ⋯ dotsi ⋯ dotso … vdots ⋮ ddots ⋱
	iddots ⋰ surd √ checkmark ✓ dag † ddag ‡ S § P ¶ copyright © circledR ® pounds £ euro € yen ¥ degree °
	triangledown ▽ blacktriangle ▲ blacktriangledown ▼ diagup ╱ diagdown ╲ hearts ♡ | ‖ Vert ‖ vert | backslash \ # # & &
	% % $ $ _ _ lq ‘ rq ’ textasciitilde ~ textbackslash \ cent ¢ infin ∞ empty ∅ natnums ℕ reals ℝ Reals ℝ Complex ℂ`
	binary = `
	pm ± mp ∓ times × div ÷ cdot ⋅ ast ∗ star ⋆ circ ∘ bullet ∙ cap ∩ cup ∪ uplus ⊎ sqcap ⊓ sqcup ⊔ vee ∨ lor ∨ wedge ∧
	land ∧ setminus ∖ smallsetminus ∖ wr ≀ diamond ⋄ bigtriangleup △ bigtriangledown ▽ triangleleft ◃ triangleright ▹ lhd ⊲
	rhd ⊳ unlhd ⊴ unrhd ⊵ oplus ⊕ ominus ⊖ otimes ⊗ oslash ⊘ odot ⊙ bigcirc ◯ dagger † ddagger ‡ amalg ⨿ dotplus ∔
	ltimes ⋉ rtimes ⋊ boxplus ⊞ boxminus ⊟ boxtimes ⊠ boxdot ⊡ circledast ⊛ circledcirc ⊚ circleddash ⊝ barwedge ⊼
	veebar ⊻ curlyvee ⋎ curlywedge ⋏ divideontimes ⋇ intercal ⊺ Cap ⋒ Cup ⋓ centerdot ⋅ leftthreetimes ⋋ rightthreetimes ⋌ And &`
	relations = `
	leq ≤ le ≤ leqslant ⩽ leqq ≦ geq ≥ ge ≥ geqslant ⩾ geqq ≧ ll ≪ lll ⋘ gg ≫ ggg ⋙ lt < gt > neq ≠ ne ≠ equiv ≡ sim ∼
	simeq ≃ approx ≈ approxeq ≊ cong ≅ ncong ≇ asymp ≍ doteq ≐ doteqdot ≑ propto ∝ varpropto ∝ models ⊨ vdash ⊢ dashv ⊣
	Vdash ⊩ vDash ⊨ Vvdash ⊪ nvdash ⊬ nvDash ⊭ mid ∣ nmid ∤ parallel ∥ nparallel ∦ perp ⟂ in ∈ ni ∋ owns ∋ notin ∉
	subset ⊂ supset ⊃ subseteq ⊆ supseteq ⊇ nsubseteq ⊈ nsupseteq ⊉ subsetneq ⊊ supsetneq ⊋ sqsubset ⊏ sqsupset ⊐
	sqsubseteq ⊑ sqsupseteq ⊒ Subset ⋐ Supset ⋑ prec ≺ succ ≻ preceq ⪯ succeq ⪰ precsim ≾ succsim ≿ preccurlyeq ≼
	succcurlyeq ≽ nprec ⊀ nsucc ⊁ nleq ≰ ngeq ≱ nless ≮ ngtr ≯ lneq ⪇ gneq ⪈ lesssim ≲ gtrsim ≳ lessgtr ≶ gtrless ≷
	lesseqgtr ⋚ gtreqless ⋛ smile ⌣ frown ⌢ bowtie ⋈ Join ⋈ trianglelefteq ⊴ trianglerighteq ⊵ vartriangleleft ⊲
	vartriangleright ⊳ ntriangleleft ⋪ ntriangleright ⋫ between ≬ pitchfork ⋔ therefore ∴ because ∵ backsim ∽ backsimeq ⋍
	bumpeq ≏ Bumpeq ≎ circeq ≗ triangleq ≜ risingdotseq ≓ fallingdotseq ≒ eqcirc ≖ coloneqq ≔ coloneq ≔ eqqcolon ≕
	vcentcolon ∶ approxcolon ≈ nsim ≁ isin ∈ sub ⊂ sube ⊆ supe ⊇`
	arrows = `
	leftarrow ← gets ← rightarrow → to → leftrightarrow ↔ Leftarrow ⇐ Rightarrow ⇒ Leftrightarrow ⇔ longleftarrow ⟵
	longrightarrow ⟶ longleftrightarrow ⟷ Longleftarrow ⟸ Longrightarrow ⟹ Longleftrightarrow ⟺ impliedby ⟸ implies ⟹ iff ⟺
	mapsto ↦ longmapsto ⟼ hookleftarrow ↩ hookrightarrow ↪ leftharpoonup ↼ leftharpoondown ↽ rightharpoonup ⇀
	rightharpoondown ⇁ rightleftharpoons ⇌ leftrightharpoons ⇋ uparrow ↑ downarrow ↓ updownarrow ↕ Uparrow ⇑ Downarrow ⇓
	Updownarrow ⇕ nearrow ↗ searrow ↘ swarrow ↙ nwarrow ↖ nleftarrow ↚ nrightarrow ↛ nLeftarrow ⇍ nRightarrow ⇏
	nleftrightarrow ↮ nLeftrightarrow ⇎ leadsto ⇝ rightsquigarrow ⇝ leftrightsquigarrow ↭ twoheadrightarrow ↠
	twoheadleftarrow ↞ leftrightarrows ⇆ rightleftarrows ⇄ rightrightarrows ⇉ leftleftarrows ⇇ upuparrows ⇈
	downdownarrows ⇊ upharpoonright ↾ restriction ↾ upharpoonleft ↿ downharpoonright ⇂ downharpoonleft ⇃
	circlearrowleft ↺ circlearrowright ↻ curvearrowleft ↶ curvearrowright ↷ Lsh ↰ Rsh ↱ multimap ⊸ dashrightarrow ⇢
	dashleftarrow ⇠ rarr → larr ← rArr ⇒ lArr ⇐ hArr ⇔ harr ↔ Rarr ⇒ Larr ⇐`
	openings    = `langle ⟨ lfloor ⌊ lceil ⌈ lbrace { { { lbrack [ lvert | lVert ‖ lgroup ⟮ lmoustache ⎰ llbracket ⟦ lang ⟨ ulcorner ┌`
	closings    = `rangle ⟩ rfloor ⌋ rceil ⌉ rbrace } } } rbrack ] rvert | rVert ‖ rgroup ⟯ rmoustache ⎱ rrbracket ⟧ rang ⟩ urcorner ┐`
	punctuation = `colon : cdotp · ldotp .`
	// bigOperators have their scripts below and above, except integrals.
	bigOperators = `
	sum ∑ prod ∏ coprod ∐ int ∫ iint ∬ iiint ∭ iiiint ⨌ oint ∮ oiint ∯ oiiint ∰ smallint ∫ bigcap ⋂ bigcup ⋃ bigvee ⋁ bigwedge ⋀
	bigoplus ⨁ bigotimes ⨂ bigodot ⨀ biguplus ⨄ bigsqcup ⨆`
)

// functions are the operators with an upright name, and whether scripts are below and
// above.
var functions = func() map[string]bool {
	m := map[string]bool{}
	for _, f := range strings.Fields(`arccos arcsin arctan arg cos cosh cot coth csc deg dim exp hom ker lg ln log sec sin sinh tan tanh
		arcctg arctg ch ctg cth sh tg th sgn sinc tr rank diag erf`) {
		m[f] = false
	}
	for _, f := range strings.Fields(`det gcd inf lim max min Pr sup liminf limsup injlim projlim varlimsup varliminf argmax argmin plim`) {
		m[f] = true
	}
	return m
}()

// functionNames are those that aren't written as the command.
var functionNames = map[string]string{
	"liminf": "lim inf", "limsup": "lim sup", "injlim": "inj lim", "projlim": "proj lim",
	"varlimsup": "lim sup", "varliminf": "lim inf", "argmax": "arg max", "argmin": "arg min",
}

// accents are the commands that put a mark above or below their argument.
var accents = map[string]struct {
	mark           string
	below, stretch bool
}{
	"hat": {mark: "^"}, "widehat": {mark: "^", stretch: true}, "bar": {mark: "¯"}, "vec": {mark: "→"}, "dot": {mark: "˙"},
	"ddot": {mark: "¨"}, "dddot": {mark: "⃛"}, "tilde": {mark: "~"}, "widetilde": {mark: "~", stretch: true},
	"check": {mark: "ˇ"}, "widecheck": {mark: "ˇ", stretch: true}, "breve": {mark: "˘"}, "acute": {mark: "´"}, "grave": {mark: "`"},
	"mathring": {mark: "˚"}, "overline": {mark: "‾", stretch: true}, "overrightarrow": {mark: "→", stretch: true},
	"overleftarrow": {mark: "←", stretch: true}, "overleftrightarrow": {mark: "↔", stretch: true},
	"overbrace": {mark: "⏞", stretch: true}, "overparen": {mark: "⏜", stretch: true}, "wideparen": {mark: "⏜", stretch: true},
	"underline": {mark: "_", below: true, stretch: true}, "underbar": {mark: "_", below: true, stretch: true},
	"underbrace": {mark: "⏟", below: true, stretch: true}, "underrightarrow": {mark: "→", below: true, stretch: true},
	"underleftarrow": {mark: "←", below: true, stretch: true}, "underparen": {mark: "⏝", below: true, stretch: true},
	"overbracket": {mark: "⎴", stretch: true}, "underbracket": {mark: "⎵", below: true, stretch: true}, "utilde": {mark: "~", below: true, stretch: true},
}

// longArrows are arrows that stretch to the text above and below them.
var longArrows = map[string]string{
	"xrightarrow": "→", "xleftarrow": "←", "xleftrightarrow": "↔", "xRightarrow": "⇒", "xLeftarrow": "⇐", "xLeftrightarrow": "⇔",
	"xmapsto": "↦", "xhookrightarrow": "↪", "xhookleftarrow": "↩", "xrightharpoonup": "⇀", "xrightharpoondown": "⇁",
	"xleftharpoonup": "↼", "xleftharpoondown": "↽", "xrightleftharpoons": "⇌", "xtwoheadrightarrow": "↠", "xlongequal": "=",
}

// spaces are the widths of spaces; "" is no space.
var spaces = map[string]string{
	",": "0.1667em", "thinspace": "0.1667em", ":": "0.2222em", ">": "0.2222em", "medspace": "0.2222em", ";": "0.2778em", "thickspace": "0.2778em",
	" ": "0.25em", "nobreakspace": "0.25em", "space": "0.25em", "enspace": "0.5em", "quad": "1em", "qquad": "2em", "!": "", "negthinspace": "", "negmedspace": "", "negthickspace": "",
}

// sizes are the heights of delimiters after \big and its kind.
var sizes = map[string]string{"big": "1.2em", "Big": "1.8em", "bigg": "2.4em", "Bigg": "3em"}

// delimiters are the delimiters that aren't written as themselves. "." is none.
var delimiters = map[string]string{
	"<": "⟨", ">": "⟩", ".": "", `\|`: "‖", `\vert`: "|", `\Vert`: "‖", `\backslash`: `\`, `\lt`: "⟨", `\gt`: "⟩",
	"(": "(", ")": ")", "[": "[", "]": "]", "|": "|", "/": "/", "⟨": "⟨", "⟩": "⟩", "‖": "‖", "⌊": "⌊", "⌋": "⌋", "⌈": "⌈", "⌉": "⌉",
}

// spellings are commands with the same meaning as others.
var spellings = map[string]string{
	`\dfrac`: `\frac`, `\tfrac`: `\frac`, `\cfrac`: `\frac`, `\dbinom`: `\binom`, `\tbinom`: `\binom`, `\bm`: `\boldsymbol`, `\pmb`: `\boldsymbol`,
	`\mathbold`: `\boldsymbol`, `\symbf`: `\mathbf`, `\mathup`: `\mathrm`, `\mathnormal`: `\mathit`, `\Bbb`: `\mathbb`, `\frak`: `\mathfrak`,
}
