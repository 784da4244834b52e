package mcpserver

import (
	"context"
	"strconv"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const snippetChars = 160

var searchModes = []string{string(pages.Hybrid), string(pages.Keyword), string(pages.Semantic)}

func (h *Handler) search(ctx context.Context, c *client, a arguments) (*reply, error) {
	query, err := a.requiredText("query")
	if err != nil {
		return nil, err
	}
	mode, err := a.enum("mode", searchModes...)
	if err != nil {
		return nil, err
	}
	limit, err := a.integer("limit", 10, 1, 50)
	if err != nil {
		return nil, err
	}
	offset := 0
	if cursor := a.text("cursor"); cursor != "" {
		if offset, err = strconv.Atoi(cursor); err != nil || offset < 0 {
			return nil, cursorError(cursor)
		}
		offset = min(offset, 1<<30) // more than any wiki has pages
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
	for _, text := range found.Ignored {
		r.head.add(". %s", asked(text))
	}
	if a.text("mode") != "" && mode != string(found.Mode) {
		r.head.add(", keyword search only")
	}
	if found.Waiting > 0 && found.Mode != pages.Keyword {
		r.head.add(" (%s not yet indexed for semantic search)", count(found.Waiting, "section"))
	}
	for _, hit := range found.Hits {
		r.body = append(append(r.body, hitLine(hit)...), constant("\n"))
	}
	switch next := offset + len(found.Hits); {
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
		l.add(" § %s", pageText(hit.Page, false, truncate(singleLine(hit.Heading), 80)))
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
	return truncate(singleLine(whole), snippetChars)
}

// A line in grep's result has at most lineChars characters, taken from its first
// maxLineBytes.
const (
	lineChars    = 240
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
		Pattern: pattern, Regex: a.boolean("regex"), Prefix: a.text("path_prefix"), Context: around, Limit: limit, After: a.text("cursor"),
	})
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.setHead("%s", count(len(found.Matches), "line"))
	for _, m := range found.Matches {
		if around > 0 && len(r.body) > 0 {
			r.add("--\n")
		}
		for i, text := range m.Lines {
			sign := ours("-")
			if m.First+i == m.Line {
				sign = ":"
			}
			start := text[:min(len(text), maxLineBytes)]
			r.add("%s%s%s%s %s\n", called(m.Page), constant(sign), digits(m.First+i), constant(sign), pageText(m.Page, false, truncate(strings.Map(sourceRune, start), lineChars)))
		}
	}
	switch {
	case found.Skipped:
		r.addTail("Incomplete: the next line is too long for this expression and was skipped. Use a simpler one, or continue: cursor %s", grepCursor(found.More))
	case found.Cut:
		r.addTail("Timed out before the whole wiki was searched. Use path_prefix or a simpler pattern, or continue: cursor %s", grepCursor(found.More))
	case found.More != "":
		r.addTail("More: cursor %s", grepCursor(found.More))
	}
	return r, nil
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
