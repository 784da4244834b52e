package pages

import (
	"context"
	"errors"
	"html/template"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// An Excerpt shows the parts of a page that differ between two versions, as they read,
// with the words that differ in ins and del elements.
type Excerpt struct {
	Section string          // heading above the first part, or ""
	Parts   []template.HTML // whole blocks of the page
	More    int             // number of parts not shown
	New     bool            // the page is new: the parts are its beginning, without marks
	// Note tells the reader why there are no parts.
	Note string
}

const (
	maxExcerptParts = 4
	maxExcerptBytes = 12 << 10
)

// Excerpt compares the versions of a page before and after a change. Attachments and
// pages that can't be compared get a note.
func (s *Service) Excerpt(ctx context.Context, a wiki.Access, ch wiki.Change) (Excerpt, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return Excerpt{}, err
	}
	defer release()
	name, isPage := wiki.PageOf(ch.Path)
	switch {
	case !isPage:
		return Excerpt{Note: "This is a file. Open it to see it."}, nil
	case ch.Old == ch.New:
		return Excerpt{Note: "The text is the same."}, nil
	}
	var texts [2][]byte
	for i, id := range []string{ch.Old, ch.New} {
		if texts[i], err = readBlobOrEmpty(ctx, w, id); err != nil {
			return Excerpt{}, err
		}
		texts[i] = pageText(texts[i])
	}
	if len(texts[0])+len(texts[1]) > maxDiffBytes/4 || isBinary(texts[0]) || isBinary(texts[1]) {
		return Excerpt{Note: "The page is too large to show its changes here. Open them instead."}, nil
	}
	var blocks [2][]block
	for i, text := range texts {
		if blocks[i], err = s.renderedBlocks(ctx, w, d, name, text); err != nil {
			return unreadableExcerpt(err)
		}
	}
	compared, err := w.AcquireCompare(ctx, len(texts[0])+len(texts[1]))
	if err != nil {
		return Excerpt{}, err
	}
	defer compared()
	e := makeExcerpt(blocks[0], blocks[1], markdown.Sections(texts[1]))
	e.New = ch.Old == ""
	switch {
	case len(e.Parts) > 0:
	case e.More > 0:
		e.Note = "What changed is too long to show here. Open it to see the changes."
	default:
		e.Note = "Only the properties or the layout of the source changed."
	}
	return e, nil
}

// unreadableExcerpt notes why a page can't be rendered, unless that is a failure of ours.
func unreadableExcerpt(err error) (Excerpt, error) {
	var p *wiki.Problem
	if errors.As(err, &p) {
		return Excerpt{Note: p.Message}, nil
	}
	return Excerpt{}, err
}

// A block is a piece of a rendered page, cut into tokens.
type block struct {
	tokens []token
	line   int // first line in the source
}

// renderedBlocks renders a text as a page's and cuts it into blocks.
func (s *Service) renderedBlocks(ctx context.Context, w *content.Wiki, d *directory, name wiki.PageName, text []byte) ([]block, error) {
	if len(text) == 0 {
		return nil, nil
	}
	page, err := s.render(ctx, name, text, s.newResolver(w, d, name))
	if err != nil {
		return nil, err
	}
	var blocks []block
	from := 0
	for _, b := range page.Blocks {
		if tokens := htmlTokens(string(page.HTML[from:b.End])); len(tokens) > 0 {
			blocks = append(blocks, block{tokens, b.First})
		}
		from = b.End
	}
	return blocks, nil
}

// key is a block as one line, for comparisons.
func (b block) key() string {
	var key strings.Builder
	for _, t := range b.tokens {
		key.WriteString(strings.ReplaceAll(t.text, "\n", " "))
	}
	return key.String() + "\n"
}

func blockKeys(blocks []block) []byte {
	var keys strings.Builder
	for _, b := range blocks {
		keys.WriteString(b.key())
	}
	return []byte(keys.String())
}

// makeExcerpt marks the differences of two lists of blocks.
func makeExcerpt(old, now []block, sections []markdown.Section) Excerpt {
	var e Excerpt
	size := 0
	add := func(part string, line int) {
		size += len(part)
		if len(e.Parts) == maxExcerptParts || size > maxExcerptBytes {
			e.More++
			return
		}
		if len(e.Parts) == 0 && line > 0 {
			e.Section = headingAbove(sections, line)
		}
		e.Parts = append(e.Parts, template.HTML(part))
	}
	for _, h := range merge.Diff(blockKeys(old), blockKeys(now), 0) {
		for _, r := range h.Rows {
			switch {
			case r.NewLine == 0:
				add(markAll(old[r.OldLine-1].tokens, "del"), 0)
			case r.OldLine == 0 && len(old) == 0:
				add(joinTokens(now[r.NewLine-1].tokens), 0)
			case r.OldLine == 0:
				add(markAll(now[r.NewLine-1].tokens, "ins"), now[r.NewLine-1].line)
			default:
				add(onlyMarked(markWords(old[r.OldLine-1].tokens, now[r.NewLine-1].tokens)), now[r.NewLine-1].line)
			}
		}
	}
	return e
}

// A token of HTML is a tag, a word or space. Images and formulas count as words.
type token struct {
	text  string
	kind  tokenKind
	space bool // of a word: space precedes it
}

type tokenKind int

const (
	tagToken tokenKind = iota
	wordToken
	spaceToken
)

var (
	// ownAttributes are attributes that must be unique on a page, or that only make
	// sense in a whole one.
	ownAttributes = regexp.MustCompile(` (?:id|role|value|aria-[a-z]+)="[^"]*"`)
	anchorTag     = regexp.MustCompile(`^<a class="anchor"`)
	wholeTag      = regexp.MustCompile(`^<(math|svg|figure class="diagram|select|form)\b`)
	wordTag       = regexp.MustCompile(`^<(?:img|input|video|audio)\b`)
)

// htmlTokens cuts HTML that the renderer wrote into tokens.
func htmlTokens(html string) []token {
	var list []token
	space := false
	for html != "" {
		var t token
		switch {
		case html[0] == '<':
			t, html = cutTag(html)
		default:
			t, html = cutText(html)
		}
		if t.text == "" {
			continue
		}
		if t.space = space && t.kind == wordToken; t.kind != tagToken {
			space = t.kind == spaceToken
		}
		list = append(list, t)
	}
	for len(list) > 0 && list[len(list)-1].kind == spaceToken {
		list = list[:len(list)-1]
	}
	return list
}

// cutTag cuts the tag at the beginning of html, or the whole element if its inside
// can't be marked. Links to headings are left out.
func cutTag(html string) (t token, rest string) {
	end := strings.IndexByte(html, '>') + 1
	if end == 0 {
		return token{text: "&lt;", kind: wordToken}, html[1:]
	}
	if anchorTag.MatchString(html) {
		return token{}, afterElement(html, "a")
	}
	if m := wholeTag.FindStringSubmatch(html); m != nil {
		name, _, _ := strings.Cut(m[1], " ")
		rest = afterElement(html, name)
		return token{text: html[:len(html)-len(rest)], kind: wordToken}, rest
	}
	t = token{text: ownAttributes.ReplaceAllString(html[:end], "")}
	if wordTag.MatchString(html) {
		t.kind = wordToken
	}
	return t, html[end:]
}

// afterElement returns the HTML after an element without elements of the same name.
func afterElement(html, name string) string {
	closing := "</" + name + ">"
	if i := strings.Index(html, closing); i >= 0 {
		return html[i+len(closing):]
	}
	return ""
}

// cutText cuts a word, an entity, a run of space or another character.
func cutText(html string) (t token, rest string) {
	first, n := utf8.DecodeRuneInString(html)
	isWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
	same := func(rune) bool { return false }
	t.kind = wordToken
	switch {
	case first == '&':
		if end := strings.IndexByte(html[:min(len(html), 12)], ';'); end > 0 {
			n = end + 1
		}
	case unicode.IsSpace(first):
		t.kind, same = spaceToken, unicode.IsSpace
	case isWord(first):
		same = isWord
	}
	for n < len(html) {
		r, size := utf8.DecodeRuneInString(html[n:])
		if !same(r) && !isDecimalPoint(html, n) {
			break
		}
		n += size
	}
	t.text = html[:n]
	return t, html[n:]
}

// isDecimalPoint reports whether a separator between two digits is at a position.
func isDecimalPoint(text string, at int) bool {
	isDigit := func(i int) bool { return i < len(text) && '0' <= text[i] && text[i] <= '9' }
	return at > 0 && (text[at] == '.' || text[at] == ',') && isDigit(at-1) && isDigit(at+1)
}

func joinTokens(tokens []token) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString(t.text)
	}
	return b.String()
}

// A marker writes tokens with marks around words. Marks never contain tags of the page,
// so elements stay nested.
type marker struct {
	b     strings.Builder
	mark  string // the open mark: "ins", "del" or ""
	space string // not yet written
}

func (m *marker) set(mark string) {
	if mark == m.mark {
		m.b.WriteString(m.space)
		m.space = ""
		return
	}
	if m.mark != "" {
		m.b.WriteString("</" + m.mark + ">")
	}
	m.b.WriteString(m.space)
	m.space = ""
	if m.mark = mark; mark != "" {
		m.b.WriteString("<" + mark + ">")
	}
}

func (m *marker) write(t token, mark string) {
	switch t.kind {
	case spaceToken:
		m.space += t.text
		return
	case tagToken:
		mark = ""
	}
	m.set(mark)
	m.b.WriteString(t.text)
}

// markAll marks all words.
func markAll(tokens []token, mark string) string {
	var m marker
	for _, t := range tokens {
		m.write(t, mark)
	}
	m.set("")
	return m.b.String()
}

func wordsOf(tokens []token) (words []token, lines []byte) {
	for _, t := range tokens {
		if t.kind == wordToken {
			words = append(words, t)
			lines = append(append(lines, strings.ReplaceAll(t.text, "\n", " ")...), '\n')
		}
	}
	return words, lines
}

// markWords marks the words of the new tokens that the old ones lack, and inserts those
// that only the old ones have.
func markWords(old, now []token) string {
	before, oldLines := wordsOf(old)
	after, newLines := wordsOf(now)
	if len(after) == 0 {
		return markAll(old, "del")
	}
	from := merge.Origins(oldLines, newLines)
	var m marker
	used, n := 0, 0 // old and new words written
	gone := func(until int) {
		if until <= used {
			return
		}
		for i, t := range before[used:until] {
			if i > 0 && t.space {
				m.space = " "
			}
			m.write(token{text: t.text, kind: wordToken}, "del")
		}
		if until < len(before) && before[until].space || n < len(after) && from[n] == 0 {
			m.set("")
			m.space = " "
		}
		used = until
	}
	for _, t := range now {
		if t.kind != wordToken {
			m.write(t, "")
			continue
		}
		gone(nextOrigin(from, n, len(before)) - 1)
		if from[n] == 0 {
			m.write(t, "ins")
		} else {
			m.write(t, "")
			used = from[n]
		}
		if n++; n == len(after) {
			if used < len(before) && before[used].space {
				m.set("")
				m.space = " "
			}
			gone(len(before))
		}
	}
	m.set("")
	return m.b.String()
}

// nextOrigin returns the number, from 1, of the old word that the first new word from n
// on came from, or last+1 if none came from an old word.
func nextOrigin(from []int, n, last int) int {
	for ; n < len(from); n++ {
		if from[n] > 0 {
			return from[n]
		}
	}
	return last + 1
}

var (
	tableRow = regexp.MustCompile(`(?s)<tr>.*?</tr>\n?`)
	listItem = regexp.MustCompile(`(?s)<li[^>]*>.*?</li>\n?`)
)

// maxUnmarked is the number of rows or items of a table or list up to which all are shown.
const maxUnmarked = 6

// onlyMarked leaves out the unchanged rows of a long table and the unchanged items of a
// long list without lists in it.
func onlyMarked(part string) string {
	for _, item := range []*regexp.Regexp{tableRow, listItem} {
		if item == listItem && strings.Count(part, "<ul")+strings.Count(part, "<ol") != 1 || len(item.FindAllStringIndex(part, maxUnmarked+1)) <= maxUnmarked {
			continue
		}
		part = item.ReplaceAllStringFunc(part, func(row string) string {
			if strings.Contains(row, "<th") || strings.Contains(row, "<ins>") || strings.Contains(row, "<del>") {
				return row
			}
			return ""
		})
	}
	return part
}
