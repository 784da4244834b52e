package search

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"robot.wtf/internal/wiki"
)

// A token is a word in indexed form and its location in the text.
type token struct {
	word       string // folded, not stemmed
	start, end int    // byte offsets
	whole      bool   // a single character that is a word; it has no stem or prefix
}

// stem returns the word as stored in the index.
func (t token) stem() string { return porterStem(t.word) }

// tokenize splits a text into words: runs of letters, digits and marks. Each
// character of a script written without spaces is a word, so that a phrase finds
// any part of a sentence; so is each symbol, such as an emoji (docs/adr/0004).
//
// The index, queries and snippets all use it, so they can't disagree.
func tokenize(text string) iter.Seq[token] {
	return func(yield func(token) bool) {
		for r := range wordRuns(text) {
			if t, ok := r.tokenIn(text); ok && !yield(t) {
				return
			}
		}
	}
}

// A run is a possible word, not yet decoded.
type run struct {
	start, end   int
	plain, whole bool // plain: all ASCII; whole: see token
}

// tokenIn returns the word of a run, or false if it is empty after folding.
func (r run) tokenIn(text string) (token, bool) {
	word := text[r.start:r.end]
	if r.plain {
		word = strings.ToLower(word)
	} else {
		word = foldWord(word)
	}
	return token{word, r.start, r.end, r.whole}, word != ""
}

func wordRuns(text string) iter.Seq[run] {
	return func(yield func(run) bool) {
		for i := 0; i < len(text); {
			c := text[i]
			if c < utf8.RuneSelf && !asciiWord[c] {
				i++
				continue
			}
			end, plain := wordEnd(text, i)
			if end > i {
				if !yield(run{i, end, plain, false}) {
					return
				}
				i = end
				continue
			}
			r, n := utf8.DecodeRuneInString(text[i:]) // not the start of a longer word
			if isWordByItself(r) && !yield(run{i, i + n, false, true}) {
				return
			}
			i += n
		}
	}
}

// wordEnd returns the end of the run of letters, digits and marks that starts at
// i, and whether all of it is ASCII.
func wordEnd(text string, i int) (end int, plain bool) {
	plain = true
	for i < len(text) {
		c := text[i]
		if c < utf8.RuneSelf {
			if !asciiWord[c] {
				break
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if isWordByItself(r) || !unicode.In(r, unicode.L, unicode.N, unicode.M, unicode.Cf, unicode.Co) {
			break
		}
		plain = false
		i += n
	}
	return i, plain
}

// asciiWord reports the ASCII letters and digits.
var asciiWord = func() (is [utf8.RuneSelf]bool) {
	for c := range is {
		is[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	}
	return is
}()

// isWordByItself reports whether a character is a word by itself.
func isWordByItself(r rune) bool {
	switch {
	case r < 0x0e00:
		return false
	case r == 'ー': // belongs to no script in particular
		return true
	}
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.So)
}

// baseLetters replaces letters that people type without the mark, but that
// Unicode doesn't decompose.
var baseLetters = strings.NewReplacer("ø", "o", "đ", "d", "ł", "l", "ı", "i", "æ", "ae", "œ", "oe", "ħ", "h")

// foldWord returns a word in the form that is compared: folded like foldText,
// without invisible characters.
func foldWord(word string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.L, unicode.N, unicode.M, unicode.So, unicode.Co) {
			return r
		}
		return -1
	}, foldText(word))
}

// foldText removes differences that people ignore: compatibility characters,
// case and accents.
func foldText(text string) string {
	if wiki.IsASCII(text) {
		return strings.ToLower(text)
	}
	text = strings.ToLower(cases.Fold().String(norm.NFKD.String(strings.ToValidUTF8(text, "")))) // Fold exchanges the two cases of Cherokee
	text = strings.Map(func(r rune) rune {
		if isAccent(r) {
			return -1
		}
		return r
	}, text)
	return norm.NFC.String(baseLetters.Replace(text))
}

// isAccent reports marks that people leave out when they type: Latin, Greek and
// Cyrillic accents, Hebrew points, Arabic vowels and variation selectors. The
// vowel signs of other scripts count as letters.
func isAccent(r rune) bool {
	switch {
	case r >= 0x0300 && r <= 0x036f, r >= 0x0591 && r <= 0x05c7, r >= 0x064b && r <= 0x065f, r == 0x0670,
		r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0100 && r <= 0xe01ef:
		return true
	}
	return false
}

// stemText returns the stems of a text's words, each followed by a space.
func stemText(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for t := range tokenize(text) {
		b.WriteString(t.stem())
		b.WriteByte(' ')
	}
	return b.String()
}

// cleanText returns a text as a snippet can show it: on one line, composed, and
// without invisible characters, which could hide instructions to agents from
// readers.
func cleanText(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r >= ' ' && r <= '~':
			return r
		case unicode.IsSpace(r), unicode.Is(unicode.Cc, r):
			return ' '
		case r == '\u200c' || r == '\u200d': // join letters and emoji
			return r
		case r == utf8.RuneError, r >= 0xe0100 && r <= 0xe01ef, unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs):
			return -1
		case r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0' || r == '\u2800': // blank letters
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	return norm.NFC.String(strings.Join(strings.Fields(text), " "))
}
