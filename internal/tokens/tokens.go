// Package tokens estimates how many tokens of a language model a text costs,
// without a tokenizer. The estimate is an upper bound for text as people write
// it: between the count of OpenAI's o200k encoding and 1.4 times that, which
// fixtures of 14 scripts, tables, code and hashes check. Random letters can
// cost twice as much as estimated.
//
// Tokenizers split a text into words, numbers, punctuation and space, and
// words into pieces. The estimate prices the same parts:
//
//   - A word costs its alphabet's start price and a price per letter, at least
//     one token. A capital after a small letter starts a new word (camelCase).
//   - Words of ASCII letters have the prices of English and code. After a word
//     with accents, the next twelve have the prices of other languages, whose
//     words have more pieces. Cyrillic words have two prices for the same
//     reason.
//   - Han, kana, Thai and other scripts without spaces have little or no start
//     price and a higher one per character.
//   - Up to three digits cost one token.
//   - A run of at least twelve letters and digits, such as a hash or base64,
//     costs 0.72 per letter, and its digits as usual.
//   - ASCII punctuation costs one token, and more for each further sign unless
//     it repeats the one before.
//   - A space before a word is free; other runs of space cost one token, and
//     line ends after punctuation less.
//   - An emoji costs three tokens, a character without an alphabet here one
//     token per byte.
//
// The prices were fitted to documents in over 50 languages and rounded up.
package tokens

import "unicode/utf8"

// Estimate returns an estimate from above of a text's tokens. Its time is
// linear in the length of the text.
func Estimate(text string) int {
	var m meter
	for i := 0; i < len(text); {
		i = m.next(text, i)
	}
	return m.tokens()
}

// Fit returns the length in bytes of the longest beginning of a text whose
// estimate is at most a number of tokens. It ends between two characters, and
// between two words unless a single word is longer than 64 bytes.
func Fit(text string, most int) int {
	var m meter
	for done := 0; done < len(text); {
		next := m.next(text, done)
		if m.tokens() > most {
			return done
		}
		done = next
	}
	return len(text)
}

// A price is hundredths of a token for the start of a word and for each letter.
type price struct{ start, letter int }

// An alphabet is a group of characters with one price.
type alphabet uint8

const (
	ascii       alphabet = iota
	romance              // letters that Romance languages and German add
	accented             // letters that other languages add
	vietnamese           // letters that only Vietnamese adds
	cyrillic             // letters of Russian
	farCyrillic          // letters that other languages add
	greek
	hebrew
	arabic
	indic      // Devanagari, Bengali, Gujarati, Tamil
	southIndic // Telugu, Kannada, Malayalam
	sinhala
	thai // also Gurmukhi and Burmese
	khmer
	caucasian // Armenian and Georgian
	tibetan   // also Lao and Odia
	kana
	han
	hangul
	marks   // combining marks, and vowel signs that are mostly left out
	symbols // punctuation and digits
	emoji
	unknown
	alphabets
)

var prices = [alphabets]price{ // unknown has none
	ascii:       {55, 16},
	romance:     {50, 28},
	accented:    {45, 37},
	vietnamese:  {110, 10},
	cyrillic:    {55, 27},
	farCyrillic: {45, 33},
	greek:       {40, 38},
	hebrew:      {45, 38},
	arabic:      {40, 36},
	indic:       {50, 34},
	southIndic:  {60, 38},
	sinhala:     {30, 64},
	thai:        {30, 50},
	khmer:       {30, 78},
	caucasian:   {50, 33},
	tibetan:     {0, 195},
	kana:        {45, 64},
	han:         {10, 95},
	hangul:      {50, 72},
	marks:       {0, 150},
	symbols:     {100, 100},
	emoji:       {0, 300},
}

// dearASCII are the prices of ASCII words after one with accents.
var dearASCII = [alphabets]price{romance: {55, 20}, accented: {50, 29}}

const (
	dearWords = 12 // number of words after one with accents
	hashBytes = 12 // shortest run of letters and digits that is a hash
	hashPrice = 72 // of each letter
	maxWord   = 64 // bytes of a part

	longWord     = 7  // letters
	longPrice    = 8  // of each further letter
	capitalPrice = 20 // of each further capital in a word
	newlinePrice = 30 // after punctuation
	tabPrice     = 50
	secondSign   = 25
	nextSign     = 72
	repeatedSign = 8
)

// A meter adds up the price of a text.
type meter struct {
	cost  int // hundredths of a token
	dear  int // words that still have the prices of near
	near  alphabet
	punct bool // the last part was punctuation
}

func (m *meter) tokens() int { return (m.cost + 99) / 100 }

// next prices the part of a text that begins at a byte and returns where it
// ends.
func (m *meter) next(text string, from int) int {
	punct := m.punct
	m.punct = false
	switch kinds[text[from]] {
	case lower, upper:
		return m.latin(text, from)
	case digit:
		return m.digits(text, from)
	case space:
		return m.space(text, from, punct)
	case sign:
		m.punct = true
		return m.signs(text, from)
	}
	return m.wide(text, from)
}

// latin prices a word of the Latin script: capitals, then lowercase.
func (m *meter) latin(text string, from int) int {
	end := min(len(text), from+maxWord)
	i := from
	for i < end && kinds[text[i]] == upper {
		i++
	}
	capitals := i - from
	for i < end && kinds[text[i]] == lower {
		i++
	}
	if i < end {
		switch kinds[text[i]] {
		case wide:
			return m.accented(text, from, i, end)
		case upper, digit:
			if hash := hashEnd(text, from); hash > 0 {
				return m.hash(text, from, hash)
			}
		}
	}
	m.asciiWord(i - from)
	if capitals > 1 {
		m.cost += (capitals - 1) * capitalPrice
	}
	return i
}

func (m *meter) asciiWord(letters int) {
	if m.dear > 0 {
		m.dear--
		m.word(dearASCII[m.near], letters)
		return
	}
	m.word(prices[ascii], letters)
	m.cost += max(0, letters-longWord) * longPrice
}

// accented prices a word of the Latin script that has other letters from a
// byte on.
func (m *meter) accented(text string, from, at, end int) int {
	letters, of, i := at-from, ascii, at
	for i < end {
		if c := text[i]; c < utf8.RuneSelf {
			if kinds[c] != lower {
				break
			}
			i++
		} else {
			r, n := utf8.DecodeRuneInString(text[i:])
			a := alphabetOf(r)
			if !a.isLatin() {
				break
			}
			of = max(of, a)
			i += n
		}
		letters++
	}
	switch of {
	case ascii:
		m.asciiWord(letters)
		return i
	case romance, accented:
		if m.dear == 0 || of > m.near {
			m.near = of
		}
		m.dear = dearWords
	}
	m.word(prices[of], letters)
	return i
}

// word adds the price of a word.
func (m *meter) word(p price, letters int) { m.cost += max(100, p.start+letters*p.letter) }

// hashEnd returns the end of the run of letters and digits that begins at a
// byte, at most maxWord bytes later, if the run looks random; else 0.
func hashEnd(text string, from int) int {
	i, digits := from, 0
	end := min(len(text), from+maxWord)
	for i < end && kinds[text[i]] <= digit {
		if kinds[text[i]] == digit {
			digits++
		}
		if i++; i == from+hashBytes && (digits == 0 || digits == hashBytes) {
			return 0
		}
	}
	if i < from+hashBytes {
		return 0
	}
	return i
}

func (m *meter) hash(text string, from, end int) int {
	for i := from; i < end; {
		if kinds[text[i]] != digit {
			m.cost += hashPrice
			i++
			continue
		}
		m.cost += 100
		for first := i; i < end && i < first+3 && kinds[text[i]] == digit; {
			i++
		}
	}
	return end
}

func (m *meter) digits(text string, from int) int {
	i := from + 1
	for i < len(text) && i < from+3 && kinds[text[i]] == digit {
		i++
	}
	if i < len(text) && kinds[text[i]] <= digit {
		if hash := hashEnd(text, from); hash > 0 {
			return m.hash(text, from, hash)
		}
	}
	m.cost += 100
	return i
}

// space prices a run of space. A newline after punctuation is often part of
// its token, and so is a space before a word.
func (m *meter) space(text string, from int, afterPunct bool) int {
	if i := from + 1; text[from] == ' ' && i < len(text) && kinds[text[i]] <= upper {
		return i
	}
	i, newline, indent := from, false, 0
	for i < len(text) && i < from+maxWord && kinds[text[i]] == space {
		if indent++; text[i] == '\n' {
			newline, indent = true, 0
		}
		i++
	}
	switch {
	case newline && afterPunct:
		m.cost += newlinePrice
	case newline:
		m.cost += 100
	}
	switch {
	case indent > 1, indent == 1 && i < len(text) && kinds[text[i]] == digit:
		m.cost += 100
	case indent == 1 && text[i-1] == '\t':
		m.cost += tabPrice
	}
	return i
}

// signs prices a run of ASCII punctuation.
func (m *meter) signs(text string, from int) int {
	i := from + 1
	if text[from] == '\'' && from > 0 && kinds[text[from-1]] <= upper {
		return i // a part of the word, as in isn't
	}
	m.cost += 100
	for ; i < len(text) && i < from+maxWord && kinds[text[i]] == sign; i++ {
		switch {
		case text[i] == text[i-1]:
			m.cost += repeatedSign
		case i == from+1:
			m.cost += secondSign
		default:
			m.cost += nextSign
		}
	}
	return i
}

// wide prices a part that begins with a character outside ASCII.
func (m *meter) wide(text string, from int) int {
	end := min(len(text), from+maxWord)
	r, n := utf8.DecodeRuneInString(text[from:])
	of := alphabetOf(r)
	switch of {
	case romance, accented, vietnamese:
		return m.accented(text, from, from, end)
	case unknown:
		m.cost += 100 * n
		return from + n
	}
	i, letters := from+n, 1
	for i < end && text[i] >= utf8.RuneSelf {
		r, n := utf8.DecodeRuneInString(text[i:])
		next := alphabetOf(r)
		switch {
		case next == marks:
			m.cost += prices[marks].letter
		case next == of, next == farCyrillic && of == cyrillic, next == cyrillic && of == farCyrillic:
			of = max(of, next)
			letters++
		default:
			end = i
			continue
		}
		i += n
	}
	m.wideWord(of, letters)
	return i
}

func (m *meter) wideWord(of alphabet, letters int) {
	p := prices[of]
	switch {
	case of == symbols:
		m.punct = true
	case of == farCyrillic:
		m.dear, m.near = dearWords, accented
	case of == cyrillic && m.dear > 0:
		m.dear--
		p = prices[farCyrillic]
	}
	m.word(p, letters)
}

// A kind says what a byte begins.
type kind uint8

const (
	lower kind = iota
	upper
	digit
	sign
	space
	wide
)

var kinds = func() (k [256]kind) {
	for b := range k {
		switch c := byte(b); {
		case 'a' <= c && c <= 'z':
			k[b] = lower
		case 'A' <= c && c <= 'Z':
			k[b] = upper
		case '0' <= c && c <= '9':
			k[b] = digit
		case c == ' ', '\t' <= c && c <= '\r':
			k[b] = space
		case c >= utf8.RuneSelf:
			k[b] = wide
		default:
			k[b] = sign
		}
	}
	return k
}()
