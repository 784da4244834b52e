package minilm

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tooShort is the number of words below which a text in Latin letters says too
// little about its language: "kubernetes ingress" is English, but both words are
// unknown to the model.
const tooShort = 8

// Understands reports whether the model can tell what a text is about, given the
// text's tokens. It was trained on English only: vectors of other texts are
// similar or not by chance. A text is understood if at least half of its words
// are words of the vocabulary, rather than made of pieces. Letters of other
// scripts are in the vocabulary one by one and don't count, nor do common words
// of other languages such as "der" and "los". Numbers and punctuation are
// neither. A shorter text in Latin letters is understood unless one of those
// common words or an unknown word with an accent gives it away.
func Understands(text string, tokens []Token) bool {
	words, known, foreign := 0, 0, 0
	for i := 0; i < len(tokens); {
		end := i + 1
		for end < len(tokens) && tokens[end].Inner {
			end++
		}
		word := text[tokens[i].Start:tokens[end-1].End]
		whole := end == i+1 && tokens[i].ID != idUnknown
		i = end
		if !strings.ContainsFunc(word, unicode.IsLetter) {
			continue
		}
		words++
		switch {
		case otherLanguages[strings.ToLower(word)]:
			foreign++
		case whole && (len(word) == 1 || utf8.RuneCountInString(word) > 1):
			known++
		case !isASCII(word):
			foreign++
		}
	}
	if words < tooShort && foreign == 0 {
		return true
	}
	return 2*known >= words
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// otherLanguages are the most common short words of languages in Latin letters,
// as far as they aren't English words. Many are in the vocabulary.
var otherLanguages = func() map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(`
		der das und ist nicht ein eine einen einem einer von mit auf zu den dem des im wird sich auch wie bei nach oder wenn als aber für ich wir sie
		el la los las de en que y un una por para con se del al lo su está como más pero son muy nuestras es sus
		le les et est dans qui sur une du au aux pour pas ce il elle nous vous à ou sont avec
		di che per della dei nel con gli sono non più il alla ogni ed
		o os da em uma não com dos das às ao na pela
		het een van voor niet zijn op maar ook deze
		bir ve bu için ile da çok olarak
		och att det som på av ett till inte jeg ikke og til
		w na jest nie się do z że i`) {
		set[word] = true
	}
	for _, word := range strings.Fields("i do per das o y w z op av non com") { // also English, or names of variables
		delete(set, word)
	}
	return set
}()
