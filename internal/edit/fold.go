package edit

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A folding is a set of differences that are ignored.
type folding byte

// What a model changes when it copies a text, or can't see.
const (
	foldSpaces folding = 1 << iota
	foldQuotes
	foldDashes
	foldInvisible
	foldLineEnds
	foldComposition
	foldAll = 1<<iota - 1
)

// A Difference names a kind of characters that are ignored.
type Difference string

// differences, in the order of the foldings.
var differences = []Difference{"spaces", "quotes", "dashes", "zero-width characters", "blanks at line ends", "accents (NFC)"}

// foldRune returns what a character is folded to, "" to ignore it, and why.
func foldRune(r rune) (to string, why folding) {
	switch {
	case r == '\u00a0', r == '\u1680', r >= '\u2000' && r <= '\u200a', r == '\u202f', r == '\u205f', r == '\u3000':
		return " ", foldSpaces
	case r >= '\u2018' && r <= '\u201b', r == '\u2032', r == '\u2035', r == '\u2039', r == '\u203a', r == '\u02bc':
		return "'", foldQuotes
	case r >= '\u201c' && r <= '\u201f', r == '\u2033', r == '\u2036', r == '\u00ab', r == '\u00bb':
		return `"`, foldQuotes
	case r >= '\u2010' && r <= '\u2015', r == '\u2212', r == '\ufe58', r == '\ufe63', r == '\uff0d':
		return "-", foldDashes
	case unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r), r >= '\ufe00' && r <= '\ufe0f', r == '\u034f', r == '\u115f', r == '\u1160', r == '\u3164', r == '\uffa0':
		return "", foldInvisible
	}
	return "", 0
}

// foldText calls emit for each piece of a text with its folded form, "" to ignore
// it. The pieces are the text in order. ended says that the text ends where
// a line ends.
func foldText(text string, ignore folding, ended bool, emit func(from, to int, folded string)) {
	for i := 0; i < len(text); {
		size, folded := foldNext(text[i:], ignore)
		if folded != " " && folded != "\t" {
			emit(i, i+size, folded)
			i += size
			continue
		}
		blanks := i
		for blanks < len(text) {
			n, f := foldNext(text[blanks:], ignore)
			if f != " " && f != "\t" && f != "" {
				break
			}
			blanks += n
		}
		dropped := ignore&foldLineEnds != 0 && (blanks < len(text) && text[blanks] == '\n' || blanks == len(text) && ended)
		for i < blanks {
			n, f := foldNext(text[i:], ignore)
			if dropped {
				f = ""
			}
			emit(i, i+n, f)
			i += n
		}
	}
}

// foldNext returns the size of the first piece of a text, and its folded form.
func foldNext(text string, ignore folding) (size int, folded string) {
	if text[0] < utf8.RuneSelf && (len(text) == 1 || text[1] < utf8.RuneSelf) {
		return 1, text[:1]
	}
	r, n := utf8.DecodeRuneInString(text)
	if to, why := foldRune(r); why&ignore != 0 {
		return n, to
	}
	if ignore&foldComposition == 0 {
		return n, text[:n]
	}
	size = max(n, norm.NFC.NextBoundaryInString(text, true))
	return size, norm.NFC.String(text[:size])
}

func foldString(text string, ignore folding, ended bool) string {
	var b strings.Builder
	b.Grow(len(text))
	foldText(text, ignore, ended, func(_, _ int, folded string) { b.WriteString(folded) })
	return b.String()
}

// findFolded returns the first place where a text has old, apart from the
// differences that are ignored, and the number of places: 0, 1, or 2 for more.
// Characters that are ignored at the ends of a place aren't part of it.
func findFolded(text, old string) (first span, places int) {
	folded, want := foldString(text, foldAll, true), foldString(old, foldAll, false)
	if strings.TrimSpace(want) == "" {
		return span{}, 0
	}
	begin := strings.Index(folded, want)
	if begin < 0 {
		return span{}, 0
	}
	places = 1
	if strings.Contains(folded[begin+1:], want) {
		places = 2
	}
	end, at := begin+len(want), 0
	first = span{-1, -1}
	foldText(text, foldAll, true, func(from, to int, f string) {
		if f == "" || at >= end {
			return
		}
		if at == begin {
			first.from = from
		}
		if at += len(f); at == end {
			first.to = to
		}
	})
	if first.from < 0 || first.to < 0 {
		return span{}, 0 // it begins or ends within a character
	}
	return first, places
}

// ignoredBetween names the differences between two texts that are equal when folded.
func ignoredBetween(a, b string) []Difference {
	var found []Difference
	for i, d := range differences {
		without := folding(foldAll &^ (1 << i))
		if foldString(a, without, false) != foldString(b, without, false) {
			found = append(found, d)
		}
	}
	return found
}

// List lists differences in words.
func List(differences []Difference) string {
	var b strings.Builder
	for i, d := range differences {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(d))
	}
	return b.String()
}
