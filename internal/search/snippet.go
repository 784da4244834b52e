package search

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

const (
	snippetChars = 200
	leadIn       = 60 // of these before the first mark
	// maxScanBytes bounds how much of a page is scanned for a snippet.
	maxScanBytes = 256 << 10
)

// A marker finds a query's words in texts.
type marker struct {
	terms      []markerTerm
	longest    int               // number of words in the longest term
	prefixes   []string          // shared prefixes of the words to find
	firstBytes [256]bool         // first bytes that these words can have in a text
	stems      map[string]string // by word; a cache
}

// A markerTerm is a term to mark: consecutive words, by stem.
type markerTerm struct {
	stems  []string
	prefix string // if not "", the last word also matches by this prefix
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
	for c := utf8.RuneSelf; c < len(m.firstBytes); c++ { // these can fold to anything
		m.firstBytes[c] = true
	}
	return m
}

// sharedPrefix returns a prefix that all words with a token's stem share, but
// few other words: computing stems is expensive. A stem differs from its words
// at most in its last two letters ("abl" for "abilities").
func sharedPrefix(t token) string {
	if s := t.stem(); len(s) > 3 && wiki.IsASCII(s) {
		return s[:len(s)-2]
	}
	return t.word[:1]
}

// mayMatch reports whether a word can be one of those to find.
func (m *marker) mayMatch(word string) bool {
	for _, s := range m.prefixes {
		if strings.HasPrefix(word, s) {
			return true
		}
	}
	return false
}

// stemOf returns a token's stem, computed once per word.
func (m *marker) stemOf(t token) string {
	s, ok := m.stems[t.word]
	if !ok {
		s = t.stem()
		m.stems[t.word] = s
	}
	return s
}

// A mark is an occurrence of a term in a text.
type mark struct {
	start, end int
	term       int
}

// findMarks returns all occurrences of the terms in a text, ordered by their
// ends.
func (m *marker) findMarks(text string) []mark {
	if m.longest == 0 {
		return nil
	}
	type stemmed struct {
		token
		stem string // "" if the word is in no term
	}
	var last []stemmed // the current word and those before it, up to the longest term
	var out []mark
	for r := range wordRuns(text) {
		var word stemmed
		if m.firstBytes[text[r.start]] {
			t, ok := r.tokenIn(text)
			if !ok {
				continue
			}
			if m.mayMatch(t.word) {
				word = stemmed{t, m.stemOf(t)}
			}
		}
		if word.stem == "" {
			last = last[:0] // no term spans this word
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

// moreSections is how many sections of a page are shown besides the best.
const moreSections = 4

// bestSections returns the sections with the most terms, and the nearest in
// meaning where that is known, each with its best excerpt. If nothing matches,
// it returns the start of the first section with text.
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
		if len(out) > moreSections || c.score < 0.75*best.score || c.terms < best.terms {
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

// A candidate is a section that could be shown.
type candidate struct {
	section int
	marks   []mark
	terms   int // number of different terms
	passage int // number of its nearest passage, from 1; 0 for none
	start   int // byte where that passage starts
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
		inHeading := m.findMarks(s.heading)
		c.terms = distinctTerms(append(inHeading[:len(inHeading):len(inHeading)], c.marks...))
		marked = marked || c.terms > 0
		// Different terms count most, then terms in the heading.
		c.score = float64(c.terms) + 0.2*float64(distinctTerms(inHeading)) + 0.001*float64(min(len(c.marks), 100))
		if s.line == 0 { // tags and attachments are a last resort
			c.score = min(c.score, 0.001)
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

// mergeOverlaps merges overlapping marks, such as those of character pairs.
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

// distinctTerms returns how many terms the marks cover. There are fewer than 64;
// see maxQueryTerms and maxAlternatives.
func distinctTerms(marks []mark) int {
	terms := uint64(0)
	for _, k := range marks {
		terms |= 1 << k.term
	}
	return bits.OnesCount64(terms)
}

// excerpt returns about 200 characters of a text around the densest mark, or
// from the given byte if there are no marks.
func excerpt(text string, marks []mark, from int) []Span {
	if len(marks) > 0 {
		from = runesBack(text, densestMark(marks).start, leadIn)
	}
	to := runesForward(text, from, snippetChars)
	if to == len(text) && from > 0 { // at the end of the text: show more before it
		from = min(from, runesBack(text, to, snippetChars))
	}
	from, to = wordEdges(text, from, to, marks)
	var out []Span
	add := func(s string, hit bool) {
		if s != "" {
			out = append(out, Span{s, hit})
		}
	}
	done := from
	if from > 0 {
		add("… ", false)
	}
	for _, k := range marks {
		if k.start < done || k.end > to {
			continue
		}
		add(text[done:k.start], false)
		add(text[k.start:k.end], true)
		done = k.end
	}
	add(text[done:to], false)
	if to < len(text) {
		add(" …", false)
	}
	return mergePlainSpans(out)
}

// mergePlainSpans merges adjacent spans that aren't hits.
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

// densestMark returns the mark that starts the stretch with the most different
// terms.
func densestMark(marks []mark) mark {
	best, top := marks[0], 0
	var within [64]int // by term, marks in reach
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
		if reach == i { // this mark alone exceeds the reach
			reach++
			continue
		}
		if within[k.term]--; within[k.term] == 0 {
			terms--
		}
	}
	return best
}

// runesBack returns the offset a number of characters before one in a text.
func runesBack(text string, offset, chars int) int {
	for ; chars > 0 && offset > 0; chars-- {
		_, n := utf8.DecodeLastRuneInString(text[:offset])
		offset -= n
	}
	return offset
}

// runesForward returns the offset a number of characters after one in a text.
func runesForward(text string, offset, chars int) int {
	for ; chars > 0 && offset < len(text); chars-- {
		_, n := utf8.DecodeRuneInString(text[offset:])
		offset += n
	}
	return offset
}

// wordEdges moves the ends of an excerpt inward to nearby spaces, but never past
// a mark.
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
