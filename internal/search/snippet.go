package search

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	snippetChars = 200
	leadIn       = 60 // of them stand before the first mark
	// scanBytes bounds how much of one page is read for a snippet.
	maxScanBytes = 256 << 10
)

// A marker finds a query's words in a text.
type marker struct {
	terms      []markerTerm
	longest    int               // words of a term
	prefixes   []string          // what the words in question begin with
	firstBytes [256]bool         // and the bytes that they may begin with in a text
	stems      map[string]string // of words that begin so
}

// A wanted term: words that must follow each other, each by its stem.
type markerTerm struct {
	stems  []string
	prefix string // the last word may be one that begins so
}

func newMarker(p parsedQuery) *marker {
	m := &marker{stems: map[string]string{}}
	for _, g := range p.groups {
		for _, t := range g {
			var w markerTerm
			for _, tok := range t.tokens {
				w.stems = append(w.stems, tok.stem())
				m.prefixes = append(m.prefixes, sharedPrefix(tok))
			}
			m.longest = max(m.longest, len(w.stems))
			if t.prefix {
				w.prefix = t.tokens[len(t.tokens)-1].word
			}
			m.terms = append(m.terms, w)
		}
	}
	for _, s := range m.prefixes {
		m.firstBytes[s[0]], m.firstBytes[strings.ToUpper(s[:1])[0]] = true, true
	}
	for c := utf8.RuneSelf; c < len(m.firstBytes); c++ { // what these fold to is not known
		m.firstBytes[c] = true
	}
	return m
}

// start is what all words of a token's stem begin with, and few others: stems
// are dear to work out. A stem has all of its words' beginning but for its last
// two letters at most, which may stand for others ("abl" for "abilities").
func sharedPrefix(t token) string {
	if s := t.stem(); len(s) > 3 && isASCII(s) {
		return s[:len(s)-2]
	}
	return t.word[:1]
}

// may reports whether a word can be one of those in question.
func (m *marker) mayMatch(word string) bool {
	for _, s := range m.prefixes {
		if strings.HasPrefix(word, s) {
			return true
		}
	}
	return false
}

// stem is that of a token, worked out once.
func (m *marker) stemOf(t token) string {
	s, ok := m.stems[t.word]
	if !ok {
		s = t.stem()
		m.stems[t.word] = s
	}
	return s
}

// A mark is a place in a text where a term stands.
type mark struct {
	start, end int
	term       int
}

// marks finds all places of the terms in a text, in order of their ends.
func (m *marker) findMarks(text string) []mark {
	if m.longest == 0 {
		return nil
	}
	type seen struct {
		token
		stem string // "" for a word of no term
	}
	var last []seen // this word and those before, as many as the longest term has
	var out []mark
	for r := range wordRuns(text) {
		var word seen
		if m.firstBytes[text[r.start]] {
			t, ok := r.tokenIn(text)
			if !ok {
				continue
			}
			if m.mayMatch(t.word) {
				word = seen{t, m.stemOf(t)}
			}
		}
		if word.stem == "" {
			last = last[:0] // no term goes over it
			continue
		}
		if len(last) == m.longest {
			last = last[:copy(last, last[1:])]
		}
		last = append(last, word)
		for i, w := range m.terms {
			n := len(w.stems)
			if n > len(last) {
				continue
			}
			run := last[len(last)-n:]
			fits := word.stem == w.stems[n-1] || w.prefix != "" && strings.HasPrefix(word.word, w.prefix)
			for j := range n - 1 {
				fits = fits && run[j].stem == w.stems[j]
			}
			if fits {
				out = append(out, mark{run[0].start, word.end, i})
				break
			}
		}
	}
	return out
}

// moreSections is how many of a page are shown besides the best.
const moreSections = 4

// sections chooses the sections that have most of the terms, and are nearest to
// what was asked where that is known; of each the piece that has most. Where
// nothing matches it is the beginning of the first section with a text.
func (m *marker) bestSections(list []section, meaning []passage) []Section {
	found := m.rankSections(list, meaning)
	if len(found) == 0 {
		first := slices.IndexFunc(list, func(s section) bool { return s.text != "" })
		if first = max(first, 0); first >= len(list) {
			return nil
		}
		return []Section{newSection(list[first], candidate{})}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	best := found[0]
	out := []Section{newSection(list[best.section], best)}
	passages := map[int]bool{best.passage: true}
	for _, c := range found[1:] {
		if len(out) > moreSections || c.score < .75*best.score || c.terms < best.terms {
			break
		}
		if list[c.section].line == 0 || len(c.marks) == 0 && passages[c.passage] {
			continue
		}
		passages[c.passage] = true
		out = append(out, newSection(list[c.section], c))
	}
	return out
}

// A candidate is a section that may be shown.
type candidate struct {
	section int
	marks   []mark
	terms   int // different ones that it has
	passage int // nearest one that it is in, from 1
	start   int // where that begins
	score   float64
}

func (m *marker) rankSections(list []section, meaning []passage) []candidate {
	nearest := 0.0
	for _, p := range meaning {
		nearest = max(nearest, p.cosine)
	}
	var found []candidate
	read, marked := 0, false
	for i, s := range list {
		c := candidate{section: i}
		if read += len(s.text); read <= maxScanBytes || !marked {
			c.marks = m.findMarks(truncate(s.text, maxScanBytes))
		}
		heads := m.findMarks(s.heading)
		c.terms = distinctTerms(append(heads[:len(heads):len(heads)], c.marks...))
		marked = marked || c.terms > 0
		// Different terms count most, then that the heading names them.
		c.score = float64(c.terms) + .2*float64(distinctTerms(heads)) + .001*float64(min(len(c.marks), 100))
		if s.line == 0 { // tags and attachments, if there is nothing else
			c.score = min(c.score, .001)
		}
		c.score /= float64(max(1, len(m.terms)))
		for n, p := range meaning {
			if like := p.cosine / nearest; i >= p.first && i <= p.last && s.line > 0 && p.cosine > 0 && (c.passage == 0 || p.cosine > meaning[c.passage-1].cosine) {
				if c.passage > 0 {
					c.score -= meaning[c.passage-1].cosine / nearest
				}
				c.passage, c.score = n+1, c.score+like
				if p.first == i {
					c.start = p.start
				}
			}
		}
		if c.score > 0 {
			found = append(found, c)
		}
	}
	return found
}

func newSection(s section, c candidate) Section {
	return Section{Heading: s.heading, Line: s.line, Snippet: excerpt(s.text, mergeOverlaps(c.marks), min(c.start, len(s.text)))}
}

// apart makes one of marks that overlap, as pairs of characters do.
func mergeOverlaps(marks []mark) []mark {
	slices.SortStableFunc(marks, func(a, b mark) int { return a.start - b.start })
	var out []mark
	for _, k := range marks {
		if n := len(out); n > 0 && k.start < out[n-1].end {
			out[n-1].end = max(out[n-1].end, k.end)
			continue
		}
		out = append(out, k)
	}
	return out
}

// distinct is how many terms are among the marks. There are fewer than 64; see
// maxTerms and maxPairs.
func distinctTerms(marks []mark) int {
	terms := uint64(0)
	for _, k := range marks {
		terms |= 1 << k.term
	}
	return bits.OnesCount64(terms)
}

// excerpt cuts about 200 characters out of a text around the marks, or from a
// place on where there are none.
func excerpt(text string, marks []mark, from int) []Span {
	if len(marks) > 0 {
		from = runesBack(text, densestMark(marks).start, leadIn)
	}
	to := runesForward(text, from, snippetChars)
	if to == len(text) && from > 0 { // the end of the text: show more before it
		from = min(from, runesBack(text, to, snippetChars))
	}
	from, to = wordEdges(text, from, to, marks)
	var out []Span
	add := func(s string, hit bool) {
		if s != "" {
			out = append(out, Span{s, hit})
		}
	}
	at := from
	if from > 0 {
		add("… ", false)
	}
	for _, k := range marks {
		if k.start < at || k.end > to {
			continue
		}
		add(text[at:k.start], false)
		add(text[k.start:k.end], true)
		at = k.end
	}
	add(text[at:to], false)
	if to < len(text) {
		add(" …", false)
	}
	return mergePlainSpans(out)
}

// join makes one of neighbours that are not marked.
func mergePlainSpans(spans []Span) []Span {
	var out []Span
	for _, s := range spans {
		if n := len(out); n > 0 && !s.Hit && !out[n-1].Hit {
			out[n-1].Text += s.Text
			continue
		}
		out = append(out, s)
	}
	return out
}

// densest is the mark from which on most different terms are within reach.
func densestMark(marks []mark) mark {
	best, top := marks[0], 0
	var within [64]int // marks of each term in reach
	terms, reach := 0, 0
	for i, k := range marks[:min(len(marks), 200)] {
		for reach < len(marks) && marks[reach].end-k.start < snippetChars-leadIn {
			if within[marks[reach].term]++; within[marks[reach].term] == 1 {
				terms++
			}
			reach++
		}
		if score := 100*terms + reach - i; score > top {
			best, top = k, score
		}
		if reach == i { // longer than the reach
			reach++
			continue
		}
		if within[k.term]--; within[k.term] == 0 {
			terms--
		}
	}
	return best
}

// back and forward go a number of characters from a place in a text.
func runesBack(text string, at, chars int) int {
	for ; chars > 0 && at > 0; chars-- {
		_, n := utf8.DecodeLastRuneInString(text[:at])
		at -= n
	}
	return at
}

func runesForward(text string, at, chars int) int {
	for ; chars > 0 && at < len(text); chars-- {
		_, n := utf8.DecodeRuneInString(text[at:])
		at += n
	}
	return at
}

// wordEdges moves the ends of a piece to the next blanks inside it, if there are
// any near, and never into a mark.
func wordEdges(text string, from, to int, marks []mark) (int, int) {
	first, last := to, from
	for _, k := range marks {
		if k.start >= from && k.end <= to {
			first, last = min(first, k.start), max(last, k.end)
		}
	}
	if from > 0 {
		if i := strings.IndexByte(text[from:first], ' '); i >= 0 && i < 30 {
			from += i + 1
		}
	}
	if to < len(text) {
		last = max(last, from)
		if i := strings.LastIndexByte(text[last:to], ' '); i >= 0 && to-last-i < 30 {
			to = last + i
		}
		to = from + len(strings.TrimRightFunc(text[from:to], unicode.IsSpace))
	}
	return from, to
}
