package minilm

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What fold yields besides characters.
const (
	breakRune   = -1                  // a word ends here
	specialRune = unicode.MaxRune + 1 // plus the id of a special token
)

// fold yields the characters of text as the vocabulary spells them, each with
// the bytes of the text it stands for, until yield returns false. Control
// characters and what is no UTF-8 are dropped, white space ends words, a
// Chinese character stands alone, letters are decomposed (NFD), lose their
// accents and become small.
func fold(text string, yield func(r rune, start, end int) bool) {
	f := folder{yield: yield, more: true}
	for i := 0; i < len(text) && f.more; {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == '[' {
			if id, n := specialAt(text[i:]); n > 0 {
				f.put(specialRune+id, i, i+n)
				i += n
				continue
			}
		}
		f.character(text[i:i+size], r, i)
		i += size
	}
	f.flush()
}

// specialAt returns the special token that text begins with and its length.
func specialAt(text string) (id rune, length int) {
	end := strings.IndexByte(text[:min(len(text), len("[MASK]"))], ']')
	id, ok := special[text[:end+1]]
	if !ok {
		return 0, 0
	}
	return id, end + 1
}

type folder struct {
	yield func(r rune, start, end int) bool
	more  bool
	// marks are non-starters that wait to be put into canonical order.
	// Few scripts have any that are not accents.
	marks []mark
}

type mark struct {
	r          rune
	class      uint8 // canonical combining class
	start, end int
}

func (f *folder) put(r rune, start, end int) {
	f.flush()
	f.more = f.more && f.yield(r, start, end)
}

func (f *folder) flush() {
	if len(f.marks) == 0 {
		return
	}
	start, end := f.marks[0].start, f.marks[len(f.marks)-1].end // of them all, as they may change places
	slices.SortStableFunc(f.marks, func(a, b mark) int { return int(a.class) - int(b.class) })
	for _, m := range f.marks {
		f.more = f.more && f.yield(m.r, start, end)
	}
	f.marks = f.marks[:0]
}

// character folds r, spelled s, which stands at byte i.
func (f *folder) character(s string, r rune, i int) {
	end := i + len(s)
	switch {
	case 'A' <= r && r <= 'Z':
		f.put(r+'a'-'A', i, end)
	case '!' <= r && r <= '~':
		f.put(r, i, end)
	case r == utf8.RuneError, isControl(r):
	case unicode.IsSpace(r):
		f.put(breakRune, i, end)
	case isChinese(r):
		f.put(breakRune, i, i)
		f.decompose(s, r, i)
		f.put(breakRune, end, end)
	default:
		f.decompose(s, r, i)
	}
}

func (f *folder) decompose(s string, r rune, i int) {
	end := i + len(s)
	p := norm.NFD.PropertiesString(s)
	d := p.Decomposition()
	if 0xAC00 <= r && r <= 0xD7A3 { // Hangul is computed, not in the tables
		d = norm.NFD.Bytes([]byte(s))
	}
	if d == nil {
		f.letter(r, p.CCC(), i, end)
		return
	}
	for len(d) > 0 {
		r, size := utf8.DecodeRune(d)
		f.letter(r, norm.NFD.Properties(d).CCC(), i, end)
		d = d[size:]
	}
}

// letter drops an accent, and puts anything else in lower case.
func (f *folder) letter(r rune, class uint8, start, end int) {
	switch {
	case isMark(r):
	case class != 0:
		f.marks = append(f.marks, mark{unicode.ToLower(r), class, start, end})
	case unicode.IsSpace(r):
		f.put(breakRune, start, end)
	default:
		f.put(unicode.ToLower(r), start, end)
	}
}
