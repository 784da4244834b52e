package minilm

import (
	_ "embed"
	"strings"
	"unicode/utf8"
)

// A Token is one entry of the model's vocabulary, found in a text.
type Token struct {
	// Start and End are the bytes of the text that it stands for. They are
	// bounds of whole characters: where one character becomes several
	// tokens (a Hangul syllable does), these share their bytes.
	Start, End int
	ID         int32
	// Inner says that the token goes on with the word of the one before.
	// A text may be cut before any other token, and each part then has
	// exactly the tokens that it had within the whole.
	Inner bool
}

// Tokens returns all tokens of a text, without the two that Embed puts
// around it and without its limit.
func (m *Model) Tokens(text string) []Token {
	tokens := make([]Token, 0, len(text)/4+1)
	m.vocabulary.each(text, func(t Token) bool {
		tokens = append(tokens, t)
		return true
	})
	return tokens
}

// CountTokens is len(Tokens(text)).
func (m *Model) CountTokens(text string) int {
	n := 0
	m.vocabulary.each(text, func(Token) bool { n++; return true })
	return n
}

// The ids of the tokens that mean something to the model itself.
const (
	idUnknown = 100
	idCLS     = 101
	idSEP     = 102
)

// special are the tokens that are also found by their name in a text, before
// anything is folded, as in the reference tokenizer.
var special = map[string]int32{"[PAD]": 0, "[UNK]": idUnknown, "[CLS]": idCLS, "[SEP]": idSEP, "[MASK]": 103}

//go:embed vocab.txt
var vocabularyText string

// A vocabulary finds the ids of word pieces.
type vocabulary struct {
	first   map[string]int32 // pieces that a word begins with
	inner   map[string]int32 // pieces that go on with it, without their "##"
	longest int              // bytes of the longest piece
}

func newVocabulary(text string) *vocabulary {
	v := &vocabulary{first: make(map[string]int32, 25000), inner: make(map[string]int32, 6000)}
	id := int32(0)
	for piece := range strings.Lines(text) {
		piece = strings.TrimSuffix(piece, "\n")
		if rest, ok := strings.CutPrefix(piece, "##"); ok && rest != "" {
			v.inner[rest] = id
		} else {
			v.first[piece] = id
		}
		v.longest = max(v.longest, len(piece))
		id++
	}
	return v
}

// maxWord is how many characters a word may have; a longer one is unknown.
const maxWord = 100

// A word is gathered character by character, folded, with the place in the
// text that each one came from.
type word struct {
	text  []byte
	chars []char
	long  bool // more than maxWord characters
	start int  // of the first and
	end   int  // the last character, in the text
}

type char struct{ at, start, end int } // at: in word.text

func (w *word) add(r rune, start, end int) {
	if len(w.chars) == 0 {
		w.start = start
	}
	w.end = end
	if len(w.chars) == maxWord {
		w.long = true
		return
	}
	w.chars = append(w.chars, char{len(w.text), start, end})
	w.text = utf8.AppendRune(w.text, r)
}

func (w *word) reset() { w.text, w.chars, w.long = w.text[:0], w.chars[:0], false }

// each calls yield with the tokens of text in order, until yield returns
// false. It is the reference's BertNormalizer, BertPreTokenizer and WordPiece
// in one pass.
func (v *vocabulary) each(text string, yield func(Token) bool) {
	var w word
	more := true
	end := func() {
		if more && len(w.chars) > 0 {
			more = v.pieces(&w, yield)
		}
		w.reset()
	}
	fold(text, func(r rune, start, stop int) bool {
		switch {
		case r == breakRune:
			end()
		case r >= specialRune:
			end()
			more = more && yield(Token{Start: start, End: stop, ID: r - specialRune})
		case isPunctuation(r):
			end()
			w.add(r, start, stop)
			end()
		default:
			w.add(r, start, stop)
		}
		return more
	})
	end()
}

// pieces yields the tokens of one word: from its beginning, always the
// longest piece that the vocabulary has. A word with a remainder that has
// none is unknown as a whole.
func (v *vocabulary) pieces(w *word, yield func(Token) bool) bool {
	unknown := Token{Start: w.start, End: w.end, ID: idUnknown}
	if w.long {
		return yield(unknown)
	}
	var found [maxWord]Token
	n := 0
	for from := 0; from < len(w.chars); n++ {
		id, next := v.longestAt(w, from)
		if next == from {
			return yield(unknown)
		}
		found[n] = Token{Start: w.chars[from].start, End: w.chars[next-1].end, ID: id, Inner: from > 0}
		from = next
	}
	for _, t := range found[:n] {
		if !yield(t) {
			return false
		}
	}
	return true
}

// longestAt is the longest piece of w from its character from, and the
// character behind it; from itself where there is none.
func (v *vocabulary) longestAt(w *word, from int) (id int32, next int) {
	pieces := v.first
	if from > 0 {
		pieces = v.inner
	}
	at, end := w.chars[from].at, len(w.text)
	for next = len(w.chars); next > from; next-- {
		if end-at <= v.longest {
			if id, ok := pieces[string(w.text[at:end])]; ok {
				return id, next
			}
		}
		end = w.chars[next-1].at
	}
	return 0, from
}
