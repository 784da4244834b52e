package merge

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A wordDiffer compares changed lines word by word. When its budget of steps is
// used up, it stops pairing lines and marks lines as a whole.
type wordDiffer struct {
	left int // remaining steps
}

// splitWords splits a line into words, runs of blanks, and single other
// characters. Scripts written without blanks are split at every character.
func splitWords(line string) []string {
	var words []string
	for start := 0; start < len(line); {
		first, n := utf8.DecodeRuneInString(line[start:])
		end := start + n
		for kind := wordKind(first); kind != symbol && end < len(line); {
			r, n := utf8.DecodeRuneInString(line[end:])
			if wordKind(r) != kind && !(kind == letter && unicode.Is(unicode.M, r)) {
				break
			}
			end += n
		}
		words = append(words, line[start:end])
		start = end
	}
	return words
}

const (
	symbol byte = iota
	letter
	blank
)

func wordKind(r rune) byte {
	switch {
	case r == ' ' || r == '\t' || r == '\u00a0':
		return blank
	case r < utf8.RuneSelf && (r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9'):
		return letter
	case r < utf8.RuneSelf:
		return symbol
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer):
		return symbol
	case unicode.IsLetter(r) || unicode.IsDigit(r):
		return letter
	}
	return symbol
}

// markWords compares two lines. The spans of each side concatenate to its line.
func (w *wordDiffer) markWords(old, new string) (oldSpans, newSpans []Span) {
	if w.left <= 0 {
		return wholeLine(Removed, old), wholeLine(Inserted, new)
	}
	numbered := classes{}
	a, b := numbered.number(splitWords(old)), numbered.number(splitWords(new))
	d := newDiffer(numbered, w.left)
	script := d.script(a.class, b.class, nil)
	w.left = d.left - len(a.lines) - len(b.lines)
	i, j := 0, 0
	for _, e := range joinAcrossBlanks(script, a.lines) {
		oldSpans, newSpans = addSpan(oldSpans, Same, a.lines[i:e.a0]), addSpan(newSpans, Same, b.lines[j:e.b0])
		oldSpans, newSpans = addSpan(oldSpans, Removed, a.lines[e.a0:e.a1]), addSpan(newSpans, Inserted, b.lines[e.b0:e.b1])
		i, j = e.a1, e.b1
	}
	return addSpan(oldSpans, Same, a.lines[i:]), addSpan(newSpans, Same, b.lines[j:])
}

func addSpan(spans []Span, kind Kind, words []string) []Span {
	if len(words) == 0 {
		return spans
	}
	return append(spans, Span{kind, strings.Join(words, "")})
}

// joinAcrossBlanks joins edits separated only by blanks: "two red words" reads
// better marked once than three times.
func joinAcrossBlanks(script []edit, words []string) []edit {
	var out []edit
	for _, e := range script {
		if n := len(out); n > 0 && isBlank(words[out[n-1].a1:e.a0]) {
			last := &out[n-1]
			// Join only replacements: joining an insertion would mark an
			// unchanged blank on the other side as well.
			if last.a0 < last.a1 && last.b0 < last.b1 && e.a0 < e.a1 && e.b0 < e.b1 {
				last.a1, last.b1 = e.a1, e.b1
				continue
			}
		}
		out = append(out, e)
	}
	return out
}

func isBlank(words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool {
		r, _ := utf8.DecodeRuneInString(w)
		return wordKind(r) != blank
	})
}

// A linePair pairs an old and a new line, by index.
type linePair struct{ old, new int }

// minSimilarity is the share of common words, in thousandths, from which lines
// are paired (Dice's coefficient: twice the common words over all words).
const minSimilarity = 400

// pair finds the pairs of lines, in order on both sides, with the greatest total
// similarity (Needleman and Wunsch without a gap penalty).
func (w *wordDiffer) pair(old, new []string) []linePair {
	if len(old) == 0 || len(new) == 0 {
		return nil
	}
	numbered := classes{}
	a, b := wordBags(numbered, old), wordBags(numbered, new)
	// Each line is compared with every line of the other side, which takes as
	// many steps as both have words.
	cost := len(numbered)
	for _, x := range a {
		cost += len(x) * len(b)
	}
	for _, y := range b {
		cost += len(y) * len(a)
	}
	cost += len(a) * len(b)
	if cost > w.left/4 {
		return w.pairNearby(a, b)
	}
	w.left -= cost
	return pairBest(a, b)
}

// pairNearby pairs each line with the most similar of the next few lines. It is
// for blocks too large to compare every pair.
func (w *wordDiffer) pairNearby(a, b [][]int32) []linePair {
	const few = 16
	var pairs []linePair
	next := 0
	for i := range a {
		best, at := int32(minSimilarity-1), -1
		for j := next; j < min(next+few, len(b)) && best < 1000; j++ {
			if l := similarity(a[i], b[j]); l > best {
				best, at = l, j
			}
			w.left -= len(a[i]) + len(b[j]) + 1
		}
		if w.left <= 0 {
			break
		}
		if at >= 0 {
			pairs = append(pairs, linePair{i, at})
			next = at + 1
		}
	}
	return pairs
}

func pairBest(a, b [][]int32) []linePair {
	width := len(b) + 1
	best := make([]int32, (len(a)+1)*width) // for the lines from i and j on
	like := make([]int32, len(a)*len(b))
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			l := similarity(a[i], b[j])
			score := max(best[(i+1)*width+j], best[i*width+j+1])
			if l >= minSimilarity {
				like[i*len(b)+j] = l
				score = max(score, l+best[(i+1)*width+j+1])
			}
			best[i*width+j] = score
		}
	}
	var pairs []linePair
	for i, j := 0, 0; i < len(a) && j < len(b); {
		l := like[i*len(b)+j]
		switch here := best[i*width+j]; {
		case l > 0 && here == l+best[(i+1)*width+j+1]:
			pairs = append(pairs, linePair{i, j})
			i, j = i+1, j+1
		case here == best[(i+1)*width+j]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// wordBags returns each line's words, sorted and without blanks.
func wordBags(numbered classes, lines []string) [][]int32 {
	out := make([][]int32, len(lines))
	for i, line := range lines {
		line, _ = splitLineEnd(line)
		words := splitWords(line)
		words = slices.DeleteFunc(words, func(w string) bool { return isBlank([]string{w}) })
		out[i] = numbered.number(words).class
		slices.Sort(out[i])
	}
	return out
}

// similarity returns 0 to 1,000. Two empty lines are equal.
func similarity(a, b []int32) int32 {
	if len(a)+len(b) == 0 {
		return 1000
	}
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	shared := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			shared, i, j = shared+1, i+1, j+1
		}
	}
	return int32(2000 * shared / (len(a) + len(b)))
}
