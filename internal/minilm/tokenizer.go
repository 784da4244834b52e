package minilm

import (
	_ "embed"
	"strings"
	"unicode/utf8"
)

// A Token is an occurrence of a vocabulary entry in a text.
type Token struct {
	// Start and End are its byte range in the text, always whole characters.
	// If one character becomes several tokens (as a Hangul syllable does),
	// they share a range.
	Start, End int
	ID         int32
	// Inner reports that the token continues the previous token's word. If a
	// text is split before any other token, its parts have exactly the tokens
	// they had in the whole text.
	Inner bool
}

// Tokens returns all tokens of a text, without the two that Embed adds and without
// its limit.
func (m *Model) Tokens(text string) []Token {
	tokens := make([]Token, 0, len(text)/4+1)
	m.vocabulary.each(text, func(t Token) bool {
		tokens = append(tokens, t)
		return true
	})
	return tokens
}

// CountTokens returns len(Tokens(text)).
func (m *Model) CountTokens(text string) int {
	n := 0
	m.vocabulary.each(text, func(Token) bool { n++; return true })
	return n
}

// Ids of tokens with a special meaning to the model.
const (
	idUnknown = 100
	idCLS     = 101
	idSEP     = 102
)

// special are the tokens that are recognized by name in a text, before folding, as
// in the reference tokenizer.
var special = map[string]int32{"[PAD]": 0, "[UNK]": idUnknown, "[CLS]": idCLS, "[SEP]": idSEP, "[MASK]": 103}

//go:embed vocab.txt
var vocabularyText string

// A vocabulary finds the ids of word pieces.
type vocabulary struct {
	first   map[string]int32 // pieces at the start of a word
	inner   map[string]int32 // pieces that continue a word, without "##"
	longest int              // length of the longest piece in bytes
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

// maxWord is the maximum number of characters in a word; longer ones are unknown.
const maxWord = 100

// A word collects folded characters with their positions in the text.
type word struct {
	text  []byte
	chars []char
	long  bool // more than maxWord characters
	start int  // start of the first character in the text
	end   int  // end of the last character in the text
}

type char struct{ offset, start, end int } // offset is in word.text

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

// each calls yield with the tokens of text in order, until yield returns false. It
// combines the reference's BertNormalizer, BertPreTokenizer and WordPiece in one
// pass.
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

// pieces yields the tokens of one word: from its start, always the longest piece in
// the vocabulary. If no piece matches at some point, the whole word is unknown.
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

// longestAt returns the longest piece of w that starts at character from, and the
// index of the next character; it returns from if no piece matches.
func (v *vocabulary) longestAt(w *word, from int) (id int32, next int) {
	pieces := v.first
	if from > 0 {
		pieces = v.inner
	}
	start, end := w.chars[from].offset, len(w.text)
	for next = len(w.chars); next > from; next-- {
		if end-start <= v.longest {
			if id, ok := pieces[string(w.text[start:end])]; ok {
				return id, next
			}
		}
		end = w.chars[next-1].offset
	}
	return 0, from
}
