package mcpserver

import (
	"context"
	"fmt"
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
	r.setHead("%s for %s%s", countNoun(found.Total, "page"), singleLine(query), looseningText(found.Loosened))
	for _, text := range found.Ignored {
		r.head += ". " + text
	}
	if a.text("mode") != "" && mode != string(found.Mode) {
		r.head += ", keyword search only"
	}
	if found.Waiting > 0 && found.Mode != pages.Keyword {
		r.head += fmt.Sprintf(" (%s not yet indexed for semantic search)", countNoun(found.Waiting, "section"))
	}
	for _, hit := range found.Hits {
		r.quotePage(hit.Page)
		r.body.WriteString(hitLine(hit) + "\n")
	}
	switch next := offset + len(found.Hits); {
	case found.Total == 0:
		r.addTail("No page has all these words. Try fewer or other words, or grep for part of a word.")
	case next < found.Total:
		r.addTail("%d more: cursor %q", found.Total-next, strconv.Itoa(next))
	}
	return r, nil
}

func cursorError(cursor string) error {
	return wiki.Problemf(wiki.ErrInvalid, "cursor", "%q is not a cursor of this tool. Send it exactly as returned, or omit it.", truncate(cursor, 60))
}

func looseningText(how any) string {
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
func hitLine(hit pages.Hit) string {
	line := string(hit.Page)
	if hit.Line > 0 {
		line += ":" + strconv.Itoa(hit.Line)
	}
	if hit.Heading != "" {
		line += " § " + truncate(singleLine(hit.Heading), 80)
	}
	line += " @" + shortID(hit.Blob) + rangeSuffix(0, 0)
	return line + " | " + snippet(hit.Snippet)
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
	r.setHead("%s of %s", countNoun(len(found.Matches), "line"), singleLine(pattern))
	var page wiki.PageName
	for _, m := range found.Matches {
		if around > 0 && r.body.Len() > 0 {
			r.addf("--\n")
		}
		if m.Page != page {
			page = m.Page
			r.quotePage(page)
		}
		for i, line := range m.Lines {
			sign := "-"
			if m.First+i == m.Line {
				sign = ":"
			}
			start := line[:min(len(line), maxLineBytes)]
			r.addf("%s%s%d%s %s\n", m.Page, sign, m.First+i, sign, truncate(strings.Map(visibleRune, start), lineChars))
		}
	}
	switch {
	case found.Skipped:
		r.addTail("Incomplete: the next line is too long for this expression and was skipped. Use a simpler one, or continue: cursor %q", found.More)
	case found.Cut:
		r.addTail("Timed out before the whole wiki was searched. Use path_prefix or a simpler pattern, or continue: cursor %q", found.More)
	case found.More != "":
		r.addTail("More: cursor %q", found.More)
	}
	return r, nil
}
