package mathml

import "unicode"

// fonts are the commands that choose an alphabet, by name without the backslash.
var fonts = map[string]string{
	"mathrm": "rm", "mathbf": "bf", "mathit": "it", "mathsf": "sf", "mathtt": "tt", "mathbb": "bb", "mathcal": "cal",
	"mathscr": "cal", "mathfrak": "frak", "boldsymbol": "bi",
}

// switches are the commands that choose an alphabet for the rest of a group.
var switches = map[string]string{
	"rm": "rm", "bf": "bf", "it": "it", "sf": "sf", "tt": "tt", "cal": "cal", "boldmath": "bi", "rmfamily": "rm", "bfseries": "bf",
}

// alphabets are the first characters of the mathematical alphabets (Unicode, block
// U+1D400), or 0 where there is none.
var alphabets = map[string]struct{ upper, lower, greekUpper, greekLower, digit rune }{
	"bf":   {0x1D400, 0x1D41A, 0x1D6A8, 0x1D6C2, 0x1D7CE},
	"it":   {0x1D434, 0x1D44E, 0x1D6E2, 0x1D6FC, 0},
	"bi":   {0x1D468, 0x1D482, 0x1D71C, 0x1D736, 0x1D7CE},
	"cal":  {0x1D49C, 0x1D4B6, 0, 0, 0},
	"frak": {0x1D504, 0x1D51E, 0, 0, 0},
	"bb":   {0x1D538, 0x1D552, 0, 0, 0x1D7D8},
	"sf":   {0x1D5A0, 0x1D5BA, 0, 0, 0x1D7E2},
	"tt":   {0x1D670, 0x1D68A, 0, 0, 0x1D7F6},
}

// elsewhere are the letters of these alphabets that Unicode had before.
var elsewhere = map[rune]rune{
	0x1D455: 'ℎ', 0x1D49D: 'ℬ', 0x1D4A0: 'ℰ', 0x1D4A1: 'ℱ', 0x1D4A3: 'ℋ', 0x1D4A4: 'ℐ', 0x1D4A7: 'ℒ', 0x1D4A8: 'ℳ', 0x1D4AD: 'ℛ',
	0x1D4BA: 'ℯ', 0x1D4BC: 'ℊ', 0x1D4C4: 'ℴ', 0x1D506: 'ℭ', 0x1D50B: 'ℌ', 0x1D50C: 'ℑ', 0x1D515: 'ℜ', 0x1D51D: 'ℨ',
	0x1D53A: 'ℂ', 0x1D53F: 'ℍ', 0x1D545: 'ℕ', 0x1D547: 'ℙ', 0x1D548: 'ℚ', 0x1D549: 'ℝ', 0x1D551: 'ℤ',
}

// styled returns a letter or digit of an alphabet, or r if it has none.
func styled(font string, r rune) rune {
	a, ok := alphabets[font]
	if !ok {
		return r
	}
	pick := func(first, begin rune) rune {
		if first == 0 {
			return r
		}
		if e, ok := elsewhere[first+r-begin]; ok {
			return e
		}
		return first + r - begin
	}
	switch {
	case r >= 'A' && r <= 'Z':
		return pick(a.upper, 'A')
	case r >= 'a' && r <= 'z':
		return pick(a.lower, 'a')
	case r >= '0' && r <= '9':
		return pick(a.digit, '0')
	case r >= 'Α' && r <= 'Ω':
		return pick(a.greekUpper, 'Α')
	case r >= 'α' && r <= 'ω':
		return pick(a.greekLower, 'α')
	}
	return r
}

// letter returns a letter in the current font.
func (p *parser) letter(r rune) *node {
	n := leaf("mi", string(styled(p.font, r)))
	switch {
	case p.font == "rm":
		n.roman = true
		return n.with(`mathvariant="normal"`)
	case p.font == "" && r >= 'Α' && r <= 'Ω' || p.font == "bf" && n.text == string(r) && unicode.IsLetter(r):
		return n.with(`mathvariant="normal"`)
	}
	return n
}
