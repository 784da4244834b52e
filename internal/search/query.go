package search

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/property"
	"robot.wtf/internal/wiki"
)

// Limits of a query's text; longer queries are truncated.
const (
	maxQueryChars    = 400
	maxQueryTerms    = 32
	minPrefixLetters = 2
)

// A parsedQuery matches pages that have one term of each group, pass all filters
// and have no term of not.
type parsedQuery struct {
	groups  [][]term
	not     []term
	filters []filter
	ignored []string

	isKey func(key string) bool // can be nil
}

// A term is a word, or a phrase of several.
type term struct {
	tokens []token
	prefix bool   // the last word matches as a prefix
	exact  bool   // typed in quotes or with a star: always required
	text   string // as typed
}

// A filter selects pages by tag, path, author or front matter: any of the values.
type filter struct {
	kind   string // "tag", "path", "author", or "=" and a key of the front matter
	values []string
	not    bool
}

// An item is one piece of a query before it is assembled.
type item struct {
	term
	filter
	not      bool
	operator string // "OR", "|" or "AND" as typed; an operator if between two items
}

// parseQuery parses a query. Every text is a valid query. isKey reports whether a
// page's front matter has a key; nil if none has any.
func parseQuery(text string, isKey func(key string) bool) parsedQuery {
	p := parsedQuery{isKey: isKey}
	text = strings.ToValidUTF8(text, " ")
	if utf8.RuneCountInString(text) > maxQueryChars {
		text = string([]rune(text)[:maxQueryChars])
		p.ignored = append(p.ignored, "Only the first 400 characters were read.")
	}
	items := p.splitItems(text)
	if len(items) > 2*maxQueryTerms {
		items = items[:2*maxQueryTerms]
	}
	terms := 0
	for i := 0; i < len(items); i++ {
		between := i > 0 && i+1 < len(items)
		afterOR := false
		if items[i].operator != "" && between {
			if items[i].operator == "AND" {
				continue
			}
			if items[i+1].operator == "|" {
				continue // "a | | b"
			}
			afterOR = true
			i++
		} else if items[i].operator == "|" {
			continue
		}
		if terms++; terms > maxQueryTerms {
			p.ignored = append(p.ignored, "Only the first 32 terms were read.")
			break
		}
		p.addItem(items[i], afterOR)
	}
	return p
}

// addItem adds an item. afterOR reports that it follows an OR.
func (p *parsedQuery) addItem(it item, afterOR bool) {
	switch {
	case it.kind != "":
		f := it.filter
		f.not = it.not
		if n := len(p.filters); afterOR && n > 0 && p.filters[n-1].kind == f.kind && p.filters[n-1].not == f.not {
			p.filters[n-1].values = append(p.filters[n-1].values, f.values...)
			return
		}
		if afterOR {
			p.ignored = append(p.ignored, "OR only works between words or between filters of the same kind.")
		}
		p.filters = append(p.filters, f)
	case it.not:
		p.not = append(p.not, it.term)
	case afterOR && len(p.groups) > 0:
		n := len(p.groups) - 1
		p.groups[n] = append(p.groups[n], it.term)
	default:
		p.groups = append(p.groups, []term{it.term})
	}
}

// addFilters adds the filter fields of q. They apply whatever the text is.
func (p *parsedQuery) addFilters(q Query) {
	for _, f := range []struct{ kind, value string }{{"tag", q.Tag}, {"path", q.Path}, {"author", q.Author}} {
		if value := filterValue(f.kind, strings.ToValidUTF8(f.value, "")); value != "" {
			p.filters = append(p.filters, filter{kind: f.kind, values: []string{value}})
		}
	}
}

var quoteReplacer = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "«", `"`, "»", `"`)

// splitItems splits a query into items.
func (p *parsedQuery) splitItems(text string) []item {
	var items []item
	rest := quoteReplacer.Replace(text)
	for {
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		if rest == "" {
			return items
		}
		var it item
		if len(rest) > 1 && rest[0] == '-' && rest[1] != '-' && !startsWithSpace(rest[1:]) {
			it.not, rest = true, rest[1:]
		}
		var word string
		var quoted bool
		word, quoted, rest = nextWord(rest)
		if kind, value, ok := p.parseFilter(word, rest); ok && !quoted {
			if value == "" && strings.HasPrefix(rest, `"`) {
				value, _, rest = nextWord(rest)
			}
			if value = filterValue(kind, value); value == "" {
				if example := filterExamples[kind]; example != "" {
					p.ignored = append(p.ignored, `"`+kind+`:" needs a value, such as `+example+`.`)
				}
				continue
			}
			it.filter = filter{kind: kind, values: []string{value}}
			items = append(items, it)
			continue
		}
		if !it.not && !quoted && (word == "OR" || word == "AND" || word == "|") {
			it.operator = word
		}
		for _, part := range splitWord(word, quoted) {
			if quoted {
				it.term = newTerm(part, strings.HasPrefix(rest, "*"))
				it.exact = true
			} else {
				it.term = newTerm(part, strings.HasSuffix(part, "*"))
				it.exact = it.prefix
			}
			if len(it.tokens) > 0 || it.operator == "|" {
				items = append(items, it)
			}
		}
	}
}

func startsWithSpace(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsSpace(r)
}

// nextWord returns the next quoted text, or the text before the next space or
// quote. rest must not be empty or start with a space.
func nextWord(rest string) (word string, quoted bool, after string) {
	if rest[0] == '"' {
		word, after, _ = strings.Cut(rest[1:], `"`)
		return word, true, after
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsSpace(r) || r == '"' })
	if end < 0 {
		end = len(rest)
	}
	return rest[:end], false, rest[end:]
}

var filterExamples = map[string]string{"tag": "tag:garden", "path": "path:Design/", "author": "author:ada"}

// propertyFilter starts the kind of a filter by front matter; its key follows.
const propertyFilter = "="

// parseFilter splits a word into the kind and value of a filter. rest is the text
// after the word. "status:draft" is one if status is a key of the front matter.
func (p *parsedQuery) parseFilter(word, rest string) (kind, value string, ok bool) {
	name, value, ok := strings.Cut(word, ":")
	if kind = strings.ToLower(name); !ok || filterExamples[kind] != "" {
		return kind, value, ok
	}
	if name == "" || value == "" && !strings.HasPrefix(rest, `"`) || strings.HasPrefix(value, "/") || p.isKey == nil {
		return "", "", false
	}
	key := property.Key(name)
	return propertyFilter + key, value, p.isKey(key)
}

// filterValue converts a filter's value to the form stored in the index.
func filterValue(kind, value string) string {
	value = strings.TrimSpace(value)
	if strings.HasPrefix(kind, propertyFilter) {
		return value
	}
	switch kind {
	case "tag":
		return foldText(strings.TrimPrefix(value, "#"))
	case "author":
		return foldText(strings.TrimPrefix(value, "@"))
	}
	key := wiki.Key(strings.TrimLeft(value, "/"))
	if page, ok := strings.CutSuffix(key, ".md"); ok {
		return page
	}
	return key
}

// splitWord returns the terms of a word. A word with the form of a filter that
// isn't one becomes two words: pages rarely contain "error:timeout" as such.
// Addresses and other words joined by punctuation are phrases.
func splitWord(word string, quoted bool) []string {
	before, after, ok := strings.Cut(word, ":")
	if quoted || !ok || before == "" || after == "" || strings.ContainsAny(after[:1], ":/") || strings.ContainsFunc(before, func(r rune) bool { return !unicode.IsLetter(r) }) {
		return []string{word}
	}
	return []string{before, after}
}

func newTerm(text string, prefix bool) term {
	t := term{tokens: slices.Collect(tokenize(text)), text: strings.TrimSpace(strings.TrimSuffix(text, "*"))}
	if n := len(t.tokens); n > 0 {
		last := t.tokens[n-1]
		t.prefix = prefix && !last.whole && utf8.RuneCountInString(last.word) >= minPrefixLetters
	}
	return t
}

// typedTerms returns the search terms as typed.
func (p parsedQuery) typedTerms() []string {
	var list []string
	for _, g := range p.groups {
		for _, t := range g {
			list = append(list, cleanText(t.text))
		}
	}
	return list
}

// withPrefixes returns the query with each single word as a prefix, or false if
// that changes nothing.
func (p parsedQuery) withPrefixes() (parsedQuery, bool) {
	changed := false
	groups := make([][]term, len(p.groups))
	for i, g := range p.groups {
		groups[i] = slices.Clone(g)
		for j := range groups[i] {
			t := &groups[i][j]
			if last := t.tokens[len(t.tokens)-1]; len(t.tokens) == 1 && !t.prefix && !last.whole && utf8.RuneCountInString(last.word) >= minPrefixLetters {
				t.prefix, changed = true, true
			}
		}
	}
	p.groups = groups
	return p, changed
}

// maxAlternatives bounds the terms of withAnyWord, because a sentence without
// spaces is split into many pairs of characters.
const maxAlternatives = 40

// withAnyWord returns a query that any one of the words satisfies, or false if
// that changes nothing.
func (p parsedQuery) withAnyWord() (parsedQuery, bool) {
	each := p.withEachWord()
	if len(each.groups) < 2 {
		return p, false
	}
	p.groups = [][]term{slices.Concat(each.groups...)}
	return p, true
}

// withEachWord returns the query with a group for each word. Phrases are split into
// words. In scripts without spaces, where word boundaries aren't known, each pair of
// characters is a word, without a text.
func (p parsedQuery) withEachWord() parsedQuery {
	var groups [][]term
	for _, g := range p.groups {
		for _, t := range g {
			for i, tok := range t.tokens {
				word := term{tokens: t.tokens[i : i+1]}
				switch {
				case !tok.whole:
					if word.text = t.text; len(t.tokens) > 1 {
						word.text = tok.word
					}
					word.prefix = utf8.RuneCountInString(tok.word) > minPrefixLetters
				case i+1 < len(t.tokens) && t.tokens[i+1].whole:
					word.tokens = t.tokens[i : i+2]
				case i > 0 && t.tokens[i-1].whole:
					continue // part of the previous pair
				}
				if len(groups) < maxAlternatives {
					groups = append(groups, []term{word})
				}
			}
		}
	}
	p.groups = groups
	return p
}

// maxGroups is how many groups fit in the bits of scoreGroups.
const maxGroups = 64

// withSingleWords returns the query with each part of an unquoted word such as
// "well-known" as a group, if there is room for them.
func (p parsedQuery) withSingleWords() parsedQuery {
	var groups [][]term
	for _, g := range p.groups {
		if len(g) > 1 || isRequired(g) || slices.ContainsFunc(g[0].tokens, func(t token) bool { return t.whole }) {
			groups = append(groups, g)
			continue
		}
		for i, tok := range g[0].tokens {
			text := g[0].text
			if len(g[0].tokens) > 1 {
				text = tok.word
			}
			groups = append(groups, []term{{tokens: g[0].tokens[i : i+1], prefix: g[0].prefix && i == len(g[0].tokens)-1, text: text}})
		}
	}
	if len(groups) <= maxGroups {
		p.groups = groups
	}
	return p
}

// prefixEndings are endings that can follow a prefix; see prefixStems.
var prefixEndings = strings.Fields(`s es d ed g ng ing y ty ity ies ied l al nal onal ly lly e te ate ation tion ion on n
	ations ions ness ess ss ment ent nt t ments able ble le er r ers rs or ism ist ive ize ized izing ance ence ent ous ful
	ning ned ting ted ping ped ming med ling led ring red ging ged bing bed ding ded`)

// prefixStems returns the stems of words with a prefix that don't have the
// prefix themselves. A prefix can reach into the ending that stemming removes:
// "runni" of "running", "universi" of "university".
func prefixStems(prefix string) []string {
	var list []string
	addStem := func(word string) {
		if s := porterStem(word); !strings.HasPrefix(s, prefix) && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	addStem(prefix)
	if len(prefix) > 3 {
		for _, ending := range prefixEndings {
			addStem(prefix + ending)
		}
	}
	return list
}
