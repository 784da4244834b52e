package search

import "strings"

// porterStem returns the stem of an English word in lowercase ASCII, by M. F.
// Porter's algorithm ("An algorithm for suffix stripping", Program 14, 1980)
// with the two changes of his later program (bli, logi), like SQLite's porter
// tokenizer. It returns words with other characters unchanged. In German or in
// code it can remove too much, but queries and pages are stemmed alike.
func porterStem(word string) string {
	if len(word) < 3 || len(word) > 64 {
		return word
	}
	for i := range len(word) {
		if word[i] < 'a' || word[i] > 'z' {
			return word
		}
	}
	s := stripPlural(word)
	s = stripPastTense(s)
	if before, ok := cutSuffix(s, "y"); ok && hasVowel(before) {
		s = before + "i"
	}
	s = replaceSuffix(s, doubleSuffixes, 0)
	s = replaceSuffix(s, singleSuffixes, 0)
	s = dropLastSuffix(s)
	if before, ok := cutSuffix(s, "e"); ok {
		if m := measure(before); m > 1 || m == 1 && !endsShort(before) {
			s = before
		}
	}
	if strings.HasSuffix(s, "ll") && measure(s[:len(s)-1]) > 1 {
		s = s[:len(s)-1]
	}
	return s
}

// stripPlural is step 1a.
func stripPlural(s string) string {
	switch {
	case strings.HasSuffix(s, "sses") && len(s) > 4, strings.HasSuffix(s, "ies") && len(s) > 3:
		return s[:len(s)-2]
	case strings.HasSuffix(s, "s") && !strings.HasSuffix(s, "ss"):
		return s[:len(s)-1]
	}
	return s
}

// stripPastTense is step 1b.
func stripPastTense(s string) string {
	if before, ok := cutSuffix(s, "eed"); ok {
		if measure(before) > 0 {
			return before + "ee"
		}
		return s
	}
	before, ok := cutSuffix(s, "ed")
	if !ok {
		before, ok = cutSuffix(s, "ing")
	}
	if !ok || !hasVowel(before) {
		return s
	}
	n := len(before)
	switch {
	case strings.HasSuffix(before, "at"), strings.HasSuffix(before, "bl"), strings.HasSuffix(before, "iz"):
		return before + "e"
	case n > 1 && before[n-1] == before[n-2] && isConsonant(before, n-1) && !strings.Contains("lsz", before[n-1:]):
		return before[:n-1]
	case measure(before) == 1 && endsShort(before):
		return before + "e"
	}
	return before
}

// A suffix and its replacement. In the tables, longer suffixes come first.
type suffix struct{ from, to string }

// doubleSuffixes are those of step 2.
var doubleSuffixes = []suffix{
	{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"},
	{"bli", "ble"}, {"alli", "al"}, {"entli", "ent"}, {"eli", "e"}, {"ousli", "ous"},
	{"ization", "ize"}, {"ation", "ate"}, {"ator", "ate"}, {"alism", "al"}, {"iveness", "ive"},
	{"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"}, {"iviti", "ive"}, {"biliti", "ble"},
	{"logi", "log"},
}

// singleSuffixes are those of step 3.
var singleSuffixes = []suffix{
	{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"}, {"ical", "ic"}, {"ful", ""}, {"ness", ""},
}

// lastSuffixes are those of step 4.
var lastSuffixes = []string{
	"al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou",
	"ism", "ate", "iti", "ous", "ive", "ize",
}

// replaceSuffix replaces the first matching suffix if the rest of the word has a
// measure above minMeasure.
func replaceSuffix(s string, table []suffix, minMeasure int) string {
	for _, x := range table {
		if before, ok := cutSuffix(s, x.from); ok {
			if measure(before) > minMeasure {
				return before + x.to
			}
			return s
		}
	}
	return s
}

// dropLastSuffix is step 4.
func dropLastSuffix(s string) string {
	for _, x := range lastSuffixes {
		before, ok := cutSuffix(s, x)
		if !ok {
			continue
		}
		if measure(before) > 1 && (x != "ion" || strings.HasSuffix(before, "s") || strings.HasSuffix(before, "t")) {
			return before
		}
		return s
	}
	return s
}

// cutSuffix removes a suffix from a longer word.
func cutSuffix(s, suffix string) (before string, found bool) {
	if len(s) <= len(suffix) || s[len(s)-1] != suffix[len(suffix)-1] {
		return s, false // the common case, checked first for speed
	}
	return strings.CutSuffix(s, suffix)
}

// isConsonant reports whether the letter at i is a consonant. A y is one at the
// start of a word and after a vowel.
func isConsonant(s string, i int) bool {
	switch s[i] {
	case 'a', 'e', 'i', 'o', 'u':
		return false
	case 'y':
		return i == 0 || !isConsonant(s, i-1)
	}
	return true
}

// measure counts the vowel-consonant sequences: Porter's m.
func measure(s string) int {
	m, vowel := 0, false
	for i := range len(s) {
		c := s[i] != 'a' && s[i] != 'e' && s[i] != 'i' && s[i] != 'o' && s[i] != 'u'
		if s[i] == 'y' {
			c = i == 0 || vowel
		}
		if c && vowel {
			m++
		}
		vowel = !c
	}
	return m
}

func hasVowel(s string) bool {
	for i := range len(s) {
		if !isConsonant(s, i) {
			return true
		}
	}
	return false
}

// endsShort reports whether a word ends in consonant, vowel, consonant, where
// the last isn't w, x or y: Porter's *o.
func endsShort(s string) bool {
	n := len(s)
	return n > 2 && isConsonant(s, n-1) && !isConsonant(s, n-2) && isConsonant(s, n-3) && !strings.Contains("wxy", s[n-1:])
}
