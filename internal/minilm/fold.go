package minilm

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Special values that fold yields besides characters.
const (
	breakRune   = -1                  // end of a word
	specialRune = unicode.MaxRune + 1 // plus the id of a special token
)

// fold yields the characters of text as spelled in the vocabulary, each with its
// byte range in text, until yield returns false. It drops control characters and
// invalid UTF-8, ends words at white space, makes each Chinese character a word,
// and decomposes letters (NFD), strips their accents and lowercases them.
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

// specialAt returns the special token at the start of text and its length.
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
	// marks are pending non-starters, to be put into canonical order. Few
	// scripts have any that aren't accents.
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
	start, end := f.marks[0].start, f.marks[len(f.marks)-1].end // range of all marks, because their order may change
	slices.SortStableFunc(f.marks, func(a, b mark) int { return int(a.class) - int(b.class) })
	for _, m := range f.marks {
		f.more = f.more && f.yield(m.r, start, end)
	}
	f.marks = f.marks[:0]
}

// character folds r, which is encoded as s at byte i.
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
	if 0xAC00 <= r && r <= 0xD7A3 { // the tables omit Hangul, which is computed
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

// letter drops accents and lowercases everything else.
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
