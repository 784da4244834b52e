package mcpserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/tokens"
	"robot.wtf/internal/wiki"
)

const maxOutline = 100 // number of headings

func sortBy[T any](list []T, compare func(a, b T) int) { slices.SortStableFunc(list, compare) }

// redirectTarget is the page that a redirect leads to.
func redirectTarget(r *wiki.Redirect) string {
	name, err := url.PathUnescape(strings.TrimPrefix(r.To, "/"))
	if err != nil {
		return r.To
	}
	return name
}

// source reads a page under its current name, at a revision or date. If
// there is no page of that name, the part after # may be a section.
func (h *Handler) source(ctx context.Context, c *client, path, at string) (src *pages.Source, section, moved string, err error) {
	read := func(path string) (*pages.Source, error) {
		revision, err := h.revision(ctx, c, path, at)
		if err != nil {
			return nil, err
		}
		return h.o.Pages.Source(ctx, c.access, path, revision)
	}
	src, err = read(path)
	if page, after, ok := strings.Cut(path, "#"); ok && (errors.Is(err, wiki.ErrNotFound) || errors.Is(err, wiki.ErrInvalid)) && page != "" {
		path, section = page, after
		src, err = read(path)
	}
	var redirect *wiki.Redirect
	if errors.As(err, &redirect) {
		moved = path
		src, err = read(redirectTarget(redirect))
	}
	return src, section, moved, err
}

// revision resolves "at": a revision, or the last one on a date.
func (h *Handler) revision(ctx context.Context, c *client, path, at string) (string, error) {
	if at == "" {
		return "", nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.RFC3339} {
		if t, err := time.Parse(layout, at); err == nil {
			if layout == time.DateOnly {
				t = t.Add(24*time.Hour - time.Second) // until the end of that day
			}
			return h.o.Pages.RevisionAt(ctx, c.access, path, t)
		}
	}
	base, _, err := parseRevision(at)
	return base, err
}

func (h *Handler) readPage(ctx context.Context, c *client, a arguments) (*reply, error) {
	path, err := a.requiredText("path")
	if err != nil {
		return nil, err
	}
	view := a.enum("view", "auto")
	most, err := a.tokenBudget(defaultRead)
	if err != nil {
		return nil, err
	}
	src, section, moved, err := h.source(ctx, c, path, a.text("at"))
	if err != nil {
		return nil, err
	}
	if s := a.text("section"); s != "" {
		section = s
	}
	part, err := selectPart(src, view, section, a.text("lines"), textBudget(most, aroundPage, src))
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.head = part.header()
	if moved != "" {
		r.head.add(" (moved from %s)", called(moved))
	}
	r.add("%s", pageText(src.Name, src.Old, part.text()))
	r.tail = append(r.tail, part.next()...)
	return r, nil
}

// A part is the part of a page that a read shows.
type part struct {
	src      *pages.Source
	from, to int    // lines
	wanted   int    // the last requested line
	cutAt    int    // bytes to show of line from, the only one, if it is too long; else 0
	outline  string // before the text
}

// selectPart selects what to show, at most so many tokens.
func selectPart(src *pages.Source, view, section, lines string, most int) (*part, error) {
	p := &part{src: src, from: 1, to: src.Lines()}
	switch {
	case section != "":
		s, err := src.Section(section)
		if err != nil {
			return nil, err
		}
		p.from, p.to = s.StartLine, s.DeepEnd
	case lines != "":
		from, to, err := parseLines(lines)
		if err != nil {
			return nil, err
		}
		if from > src.Lines() {
			return nil, wiki.Problemf(wiki.ErrInvalid, "lines", "The page has %s.", wiki.Own(countNoun(src.Lines(), "line")))
		}
		p.from, p.to = from, min(to, src.Lines())
	case view == "outline", view == "auto" && !fits(src.Text, most):
		if sections := src.Sections(); len(sections) > 1 {
			p.outline, p.to = outlineOf(src, most*2/3), leadEnd(src, sections)
			most -= tokens.Estimate(p.outline)
		}
	}
	p.wanted = p.to
	p.shortenTo(most)
	return p, nil
}

// leadEnd is the last line of a page's lead: the text before the first
// heading or, if that is only front matter, below it.
func leadEnd(src *pages.Source, sections []pages.Section) int {
	before := src.Slice(1, sections[0].EndLine)
	if strings.TrimSpace(before) == "" || strings.HasPrefix(before, "---\n") && strings.HasSuffix(strings.TrimSpace(before), "\n---") {
		return sections[1].EndLine
	}
	return sections[0].EndLine
}

// shortenTo shortens the part: at a heading in its second half if there is
// one, else at a blank line, else at any line, or within the first one.
func (p *part) shortenTo(most int) {
	text := p.src.Slice(p.from, p.to)
	if len(text) <= most {
		return
	}
	n := tokens.Fit(text, most)
	if n == len(text) {
		return
	}
	last := p.from + strings.Count(text[:n], "\n") - 1
	if last < p.from {
		p.to, p.cutAt = p.from, n
		return
	}
	half := p.from + (last-p.from)/2
	p.to = last
	for line := last; line > half; line-- {
		if strings.TrimSpace(p.src.Slice(line, line)) == "" {
			p.to = line
			break
		}
	}
	for _, s := range p.src.Sections() {
		if s.Level > 0 && s.StartLine > half && s.StartLine <= last+1 && s.StartLine > p.from {
			p.to = s.StartLine - 1
		}
	}
}

func (p *part) whole() bool { return p.from <= 1 && p.to >= p.src.Lines() && p.cutAt == 0 }

// credit says which lines text shows to their end.
func (p *part) credit() credit {
	switch {
	case p.cutAt > 0:
		return noCredit
	case p.whole():
		return fullCredit
	}
	return creditFor(p.from, p.to)
}

// text is the text to show.
func (p *part) text() string {
	text := p.src.Slice(p.from, p.to)
	if p.cutAt > 0 {
		text = text[:p.cutAt] + "…"
	}
	if p.outline != "" {
		return "Outline:\n" + p.outline + "\nLead:\n" + text
	}
	return text
}

// header is the first line of a read: page, revision, size and date. The
// suffix of the revision says which lines were read.
func (p *part) header() line {
	f := p.src.File
	head := say("%s %s %s chars, ", called(p.src.Name), revision(f.Blob, p.credit()), number(runeCount(p.src.Text)))
	if p.whole() {
		head = append(head, count(p.src.Lines(), "line"))
	} else {
		head.add("lines %s-%s of %s", digits(p.from), digits(p.to), digits(p.src.Lines()))
	}
	head.add(", updated %s by %s", day(f.Modified), by(f.Author))
	if p.src.Stored != "" {
		head.add(", not stored in UTF-8: editing it converts it")
	}
	switch {
	case p.src.Outdated:
		head.add(" (your proposal; others changed the same places since, so it can't be accepted as it is)")
	case p.src.Proposed:
		head.add(" (your proposal, not accepted yet)")
	case p.src.Old && p.src.Current == "":
		head.add(" (an old revision; the page is deleted)")
	case p.src.Old:
		head.add(" (an old revision; the newest is %s)", revision(p.src.Current, noCredit))
	}
	return head
}

// next names the calls that show the rest.
func (p *part) next() []line {
	var list []line
	if p.cutAt > 0 {
		list = append(list, say("Line %s is cut after %s of %s bytes; max_tokens, at most %s, shows more of it.", digits(p.from), number(p.cutAt), number(len(p.src.Slice(p.from, p.from))), digits(maxRead)))
	}
	switch {
	case p.to < p.wanted:
		list = append(list, say(`Cut. The rest: read_page with lines "%s-%s".`, digits(p.to+1), digits(p.wanted)))
	case p.outline != "":
		list = append(list, say(`More: read_page with section "…", or view "full".`))
	}
	return list
}

// outlineOf lists the headings of a page within some tokens: title, lines,
// characters.
func outlineOf(src *pages.Source, most int) string {
	var b strings.Builder
	n := 0
	for _, s := range src.Sections() {
		if s.Level == 0 {
			continue
		}
		entry := fmt.Sprintf("%s%s (lines %d-%d, %s chars)\n", strings.Repeat("  ", len(s.Path)-1), clip(truncate(singleLine(s.Path[len(s.Path)-1]), 120), headingTokens), s.StartLine, s.DeepEnd, thousands(runeCount(src.Slice(s.StartLine, s.DeepEnd))))
		most -= tokens.Estimate(entry)
		if n++; n > maxOutline || most < 0 {
			b.WriteString("…\n")
			break
		}
		b.WriteString(entry)
	}
	return b.String()
}

const (
	maxItems      = 20
	headingTokens = 40
)

// readPages reads several pages or sections within one budget. A page that
// doesn't fit is shortened.
func (h *Handler) readPages(ctx context.Context, c *client, a arguments) (*reply, error) {
	items := a.texts("items")
	if len(items) == 0 || len(items) > maxItems {
		return nil, wiki.Problemf(wiki.ErrInvalid, "items", `"items" names 1 to %d pages, as "path" or "path#Heading".`, maxItems)
	}
	left, err := a.tokenBudget(defaultReads)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	for i, item := range items {
		// Each item can use its share of the rest; short ones leave more.
		body, tail := len(r.body), len(r.tail)
		if err := h.readItem(ctx, c, r, item, left/(len(items)-i)); err != nil {
			return nil, err
		}
		left -= tokens.Estimate(r.body[body:].text())
		for _, l := range r.tail[tail:] {
			left -= tokens.Estimate(l.text())
		}
		left = max(0, left)
	}
	return r, nil
}

func (h *Handler) readItem(ctx context.Context, c *client, r *reply, item string, most int) error {
	if len(r.body) > 0 {
		r.add("\n")
	}
	src, section, _, err := h.source(ctx, c, item, "")
	var p *part
	if err == nil {
		p, err = selectPart(src, "full", section, "", textBudget(most, aroundItem, src))
	}
	var problem *wiki.Problem
	switch {
	case errors.As(err, &problem):
		r.add("=== %s: ", asked(singleLine(item)))
		r.addLine(problemLine(problem))
		return nil
	case err != nil:
		return err
	}
	text := strings.TrimRight(p.text(), "\n")
	r.add("=== ")
	r.body = append(r.body, p.header()...)
	r.add("\n%s\n", pageText(src.Name, src.Old, text))
	if p.to < p.wanted || p.cutAt > 0 {
		r.addTail(`Cut: %s. The rest: read_page with lines "%s-%s".`, called(p.src.Name), digits(p.to+min(1, p.wanted-p.to)), digits(p.wanted))
	}
	return nil
}
