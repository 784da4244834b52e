package mcpserver

import (
	"fmt"
	"strconv"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const snippetChars = 160

var searchModes = []string{string(pages.Hybrid), string(pages.Keyword), string(pages.Semantic)}

func (h *Handler) search(ctx ctx, c *client, a arguments) (*reply, error) {
	query, err := a.needed("query")
	if err != nil {
		return nil, err
	}
	mode, err := a.choice("mode", searchModes...)
	if err != nil {
		return nil, err
	}
	limit, err := a.number("limit", 10, 1, 50)
	if err != nil {
		return nil, err
	}
	offset := 0
	if cursor := a.text("cursor"); cursor != "" {
		if offset, err = strconv.Atoi(cursor); err != nil || offset < 0 {
			return nil, badCursor(cursor)
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
	r.headf("%s for %s%s", count(found.Total, "page"), oneLine(query), loosened(found.Loosened))
	for _, text := range found.Ignored {
		r.head += ". " + text
	}
	if a.text("mode") != "" && mode != string(found.Mode) {
		r.head += ", by words alone"
	}
	if found.Waiting > 0 && found.Mode != pages.Keyword {
		r.head += fmt.Sprintf(" (%s not yet found by meaning)", count(found.Waiting, "section"))
	}
	for _, hit := range found.Hits {
		r.about(hit.Page)
		r.body.WriteString(hitLine(hit) + "\n")
	}
	switch next := offset + len(found.Hits); {
	case found.Total == 0:
		r.then("Nothing has all these words. Try fewer or other words, or grep for a part of one.")
	case next < found.Total:
		r.then("%d more: cursor %q", found.Total-next, strconv.Itoa(next))
	}
	return r, nil
}

func badCursor(cursor string) error {
	return wiki.Problemf(wiki.ErrInvalid, "cursor", "%q is no cursor of this tool: send one as it was given, or none.", clip(cursor, 60))
}

func loosened(how any) string {
	switch how {
	case pages.Beginnings:
		return " (none has all these words, but words that begin so)"
	case pages.AnyWord:
		return " (none has all these words, but some)"
	}
	return ""
}

// hitLine is a page that was found, on one line. Its revision says that nothing
// of it was read.
func hitLine(hit pages.Hit) string {
	line := string(hit.Page)
	if hit.Line > 0 {
		line += ":" + strconv.Itoa(hit.Line)
	}
	if hit.Heading != "" {
		line += " § " + clip(oneLine(hit.Heading), 80)
	}
	line += " @" + short(hit.Blob) + mark(0, 0)
	return line + " | " + snippet(hit.Snippet)
}

// snippet is the part of a hit's text around the first word that was found.
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
	if start := first - before; start > 0 && chars(whole) > snippetChars {
		start = min(start, len(whole)-snippetChars+2)
		whole = "…" + strings.TrimSpace(strings.ToValidUTF8(whole[start:], ""))
	}
	return clip(oneLine(whole), snippetChars)
}

const lineChars = 240 // of a line that grep shows

func (h *Handler) grep(ctx ctx, c *client, a arguments) (*reply, error) {
	pattern, err := a.needed("pattern")
	if err != nil {
		return nil, err
	}
	limit, err := a.number("limit", 20, 1, 200)
	if err != nil {
		return nil, err
	}
	around, err := a.number("context", 0, 0, 5)
	if err != nil {
		return nil, err
	}
	found, err := h.o.Pages.Grep(ctx, c.access, pages.GrepRequest{
		Pattern: pattern, Regex: a.truth("regex"), Prefix: a.text("path_prefix"), Context: around, Limit: limit, After: a.text("cursor"),
	})
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.headf("%s of %s", count(len(found.Matches), "line"), oneLine(pattern))
	var page wiki.PageName
	for _, m := range found.Matches {
		if around > 0 && r.body.Len() > 0 {
			r.addf("--\n")
		}
		if m.Page != page {
			page = m.Page
			r.about(page)
		}
		for i, line := range m.Lines {
			sign := "-"
			if m.First+i == m.Line {
				sign = ":"
			}
			r.addf("%s%s%d%s %s\n", m.Page, sign, m.First+i, sign, clip(strings.Map(visible, line), lineChars))
		}
	}
	switch {
	case found.Cut:
		r.then("The time was up before the whole wiki was read. Go on: cursor %q", found.More)
	case found.More != "":
		r.then("More: cursor %q", found.More)
	}
	return r, nil
}
