package mcpserver

import (
	"context"
	"strconv"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// A line of text in a list has at most so many characters and tokens.
const (
	snippetChars  = 160
	snippetTokens = 60
)

func snippetLine(text string) string {
	return clip(truncate(singleLine(text), snippetChars), snippetTokens)
}

var searchModes = []string{string(pages.Hybrid), string(pages.Keyword), string(pages.Semantic)}

func (h *Handler) search(ctx context.Context, c *client, a arguments) (*reply, error) {
	query, err := a.requiredText("query")
	if err != nil {
		return nil, err
	}
	mode := a.enum("mode", searchModes[0])
	limit, err := a.integer("limit", 10, 1, 50)
	if err != nil {
		return nil, err
	}
	offset, err := a.offset()
	if err != nil {
		return nil, err
	}
	below := a.text("path_prefix")
	if below != "" {
		below += "*"
	}
	found, err := h.o.Pages.Search(ctx, c.access, pages.Query{Text: query, Tag: a.text("tag"), Path: below, Mode: pages.Mode(mode), Limit: limit, Offset: offset})
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.setHead("%s%s", count(found.Total, "page"), constant(looseningText(found.Loosened)))
	if found.Partial > 0 {
		r.head.add(" (%s with all words)", digits(found.Whole()))
	}
	for _, text := range found.Ignored {
		r.head.add(". %s", asked(text))
	}
	if a.text("mode") != "" && mode != string(found.Mode) {
		r.head.add(", keyword search only")
	}
	if found.Waiting > 0 && found.Mode != pages.Keyword {
		r.head.add(" (%s not yet indexed for semantic search)", count(found.Waiting, "section"))
	}
	if found.ByWords == 0 && found.Total > 0 && found.Mode == pages.Hybrid {
		r.head.add(". No page has these words; found by meaning")
	}
	meter := a.listMeter()
	next := offset
	for _, hit := range found.Hits {
		l := hitLine(hit)
		if !meter.takes(l) {
			break
		}
		r.addLine(l)
		next++
	}
	switch {
	case found.Total == 0:
		r.addTail("No page has all these words. Try fewer or other words, or grep for part of a word.")
	case next < found.Total:
		r.addTail("%s more: cursor %s", digits(found.Total-next), quoted(digits(next)))
	}
	return r, nil
}

func cursorError(cursor string) error {
	return wiki.Problemf(wiki.ErrInvalid, "cursor", "%q is not a cursor of this tool. Send it exactly as returned, or omit it.", truncate(cursor, 60))
}

func looseningText(how any) ours {
	switch how {
	case pages.Beginnings:
		return " (none has all these words; matched as prefixes)"
	case pages.AnyWord:
		return " (none has all these words; matched any of them)"
	}
	return ""
}

// hitLine formats a hit on one line. Its revision says that nothing of the
// page was read.
func hitLine(hit pages.Hit) line {
	l := line{called(hit.Page)}
	if hit.Line > 0 {
		l.add(":%s", digits(hit.Line))
	}
	if hit.Heading != "" {
		l.add(" § %s", pageText(hit.Page, false, clip(truncate(singleLine(hit.Heading), 80), headingTokens)))
	}
	if len(hit.Missing) > 0 {
		l.add(" (without %s)", asked(strings.Join(hit.Missing[:min(len(hit.Missing), 5)], ", ")))
	}
	l.add(" %s | %s", revision(hit.Blob, noCredit), pageText(hit.Page, false, snippet(hit.Snippet)))
	return l
}

// snippet is the part of a hit's text around the first match.
func snippet(spans []pages.Span) string {
	var text strings.Builder
	first := -1
	for _, span := range spans {
		if span.Hit && first < 0 {
			first = text.Len()
		}
		text.WriteString(span.Text)
	}
	const before = 40
	whole := text.String()
	if start := first - before; start > 0 && runeCount(whole) > snippetChars {
		start = min(start, len(whole)-snippetChars+2)
		whole = "…" + strings.TrimSpace(strings.ToValidUTF8(whole[start:], ""))
	}
	return snippetLine(whole)
}

// A line in grep's result has at most lineChars characters and lineTokens, taken
// from its first maxLineBytes.
const (
	lineChars    = 240
	lineTokens   = 100
	maxLineBytes = 16 * lineChars
)

func (h *Handler) grep(ctx context.Context, c *client, a arguments) (*reply, error) {
	pattern, err := a.requiredText("pattern")
	if err != nil {
		return nil, err
	}
	limit, err := a.integer("limit", 20, 1, 200)
	if err != nil {
		return nil, err
	}
	around, err := a.integer("context", 0, 0, 5)
	if err != nil {
		return nil, err
	}
	found, err := h.o.Pages.Grep(ctx, c.access, pages.GrepRequest{
		Pattern: pattern, Regex: a.boolean("regex"), Case: a.boolean("case"), Prefix: a.text("path_prefix"), Context: around, Limit: limit, After: a.text("cursor"),
	})
	if err != nil {
		return nil, err
	}
	r := &reply{}
	meter := a.listMeter()
	shown := 0
	for i, m := range found.Matches {
		l := matchLines(m, i == 0 || m.Page != found.Matches[i-1].Page, around > 0 && i > 0)
		if !meter.takes(l) {
			break
		}
		r.body = append(r.body, l...)
		shown++
	}
	r.setHead("%s", count(shown, "line"))
	switch {
	case shown < len(found.Matches):
		last := found.Matches[shown-1]
		r.addTail("More: cursor %s", grepCursor(string(last.Page)+":"+strconv.Itoa(last.Line)))
	case found.Skipped:
		r.addTail("Incomplete: the next line is too long for this expression and was skipped. Use a simpler one, or continue: cursor %s", grepCursor(found.More))
	case found.Cut:
		r.addTail("Timed out before the whole wiki was searched. Use path_prefix or a simpler pattern, or continue: cursor %s", grepCursor(found.More))
	case found.More != "":
		r.addTail("More: cursor %s", grepCursor(found.More))
	}
	return r, nil
}

// matchLines formats a match with the lines around it. The first match on a
// page has its revision, which says that nothing was read.
func matchLines(m pages.Match, first, separate bool) line {
	var l line
	if separate {
		l.add("--\n")
	}
	for i, text := range m.Lines {
		sign := ours("-")
		if m.First+i == m.Line {
			sign = ":"
		}
		l.add("%s%s%s", called(m.Page), constant(sign), digits(m.First+i))
		if first && sign == ":" {
			l.add(" %s", revision(m.Revision, noCredit))
		}
		start := text[:min(len(text), maxLineBytes)]
		l.add("%s %s\n", constant(sign), pageText(m.Page, false, clip(truncate(strings.Map(sourceRune, start), lineChars), lineTokens)))
	}
	return l
}

// sourceRune keeps a character of a line as it is, so that the line can be copied as
// the text of an edit, but shows control characters.
func sourceRune(r rune) rune {
	switch {
	case r < ' ' && r != '\t':
		return '\u2400' + r
	case r == 0x7f:
		return '\u2421'
	}
	return r
}

// grepCursor is a page and a line, "Home:12".
func grepCursor(text string) value {
	v := called(text[:max(0, strings.LastIndexByte(text, ':'))])
	v.text = text
	return quoted(v)
}
