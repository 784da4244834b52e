package mcpserver

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const (
	wholeChars   = 6_000 // up to which "auto" shows all of a page
	standardRead = 16_000
	mostRead     = 60_000
	maxOutline   = 100 // headings
)

func sortBy[T any](list []T, compare func(a, b T) int) { slices.SortStableFunc(list, compare) }

// redirected is the page that a redirect leads to.
func redirected(r *wiki.Redirect) string {
	name, err := url.PathUnescape(strings.TrimPrefix(r.To, "/"))
	if err != nil {
		return r.To
	}
	return name
}

// source reads a page, under the name it has now and at a revision or date.
// Where a page of that name is not, the part after # may be a section of one.
func (h *Handler) source(ctx ctx, c *client, path, at string) (src *pages.Source, section, moved string, err error) {
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
		src, err = read(redirected(redirect))
	}
	return src, section, moved, err
}

// revision is what "at" says: a revision, or the one of a date.
func (h *Handler) revision(ctx ctx, c *client, path, at string) (string, error) {
	if at == "" {
		return "", nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.RFC3339} {
		if t, err := time.Parse(layout, at); err == nil {
			if layout == time.DateOnly {
				t = t.Add(24*time.Hour - time.Second) // by the end of that day
			}
			return h.o.Pages.RevisionAt(ctx, c.access, path, t)
		}
	}
	base, _, _, _, err := parseMark(at)
	return base, err
}

func (h *Handler) readPage(ctx ctx, c *client, a arguments) (*reply, error) {
	path, err := a.needed("path")
	if err != nil {
		return nil, err
	}
	view, err := a.choice("view", "auto", "outline", "full")
	if err != nil {
		return nil, err
	}
	most, err := a.number("max_chars", standardRead, 200, mostRead)
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
	part, err := partOf(src, view, section, a.text("lines"), most)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.head, r.past = part.header(), src.Old
	r.about(src.Name)
	if moved != "" {
		r.head += fmt.Sprintf(" (moved from %s)", moved)
	}
	r.body.WriteString(part.text())
	if next := part.next(); next != "" {
		r.then("%s", next)
	}
	return r, nil
}

// A part of a page is what a read shows of it.
type part struct {
	src      *pages.Source
	from, to int  // lines
	wanted   int  // the last line that was asked for
	outline  bool // before the text
}

// partOf finds what is to be shown, at most so many characters.
func partOf(src *pages.Source, view, section, lines string, most int) (*part, error) {
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
			return nil, wiki.Problemf(wiki.ErrInvalid, "lines", "The page has %s.", count(src.Lines(), "line"))
		}
		p.from, p.to = from, min(to, src.Lines())
	case view == "outline", view == "auto" && chars(src.Text) > wholeChars:
		if sections := src.Sections(); len(sections) > 1 {
			p.outline, p.to = true, lead(src, sections)
		}
	}
	p.wanted = p.to
	p.cut(most)
	return p, nil
}

// lead is the last line of what a page begins with: before its first heading, or
// below that where nothing but front matter stands before it.
func lead(src *pages.Source, sections []pages.Section) int {
	before := src.Slice(1, sections[0].EndLine)
	if strings.TrimSpace(before) == "" || strings.HasPrefix(before, "---\n") && strings.HasSuffix(strings.TrimSpace(before), "\n---") {
		return sections[1].EndLine
	}
	return sections[0].EndLine
}

// cut ends the part where it would be too long: at a heading if there is one in
// its second half, else at a blank line, else after some line.
func (p *part) cut(most int) {
	if chars(p.src.Slice(p.from, p.to)) <= most {
		return
	}
	n, last := 0, p.from
	for line := p.from; line <= p.to; line++ {
		if n += chars(p.src.Slice(line, line)); n > most && line > p.from {
			break
		}
		last = line
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

func (p *part) whole() bool { return p.from <= 1 && p.to >= p.src.Lines() }

// text is what is shown. A line of megabytes is cut.
func (p *part) text() string {
	text := p.src.Slice(p.from, p.to)
	if r := []rune(text); len(r) > mostRead {
		text = string(r[:mostRead]) + "…"
	}
	if p.outline {
		return "Outline:\n" + outlineOf(p.src) + "\nLead:\n" + text
	}
	return text
}

// header is the first line of a read: what it is, how much, and of when. The
// revision of a part says which.
func (p *part) header() string {
	f := p.src.File
	rev := short(f.Blob)
	where := count(p.src.Lines(), "line")
	if !p.whole() {
		rev += mark(p.from, p.to)
		where = fmt.Sprintf("lines %d-%d of %d", p.from, p.to, p.src.Lines())
	}
	head := fmt.Sprintf("%s @%s %s chars, %s, updated %s by %s", p.src.Name, rev, thousands(chars(p.src.Text)), where, day(f.Modified), by(f.Author))
	switch {
	case p.src.Old && p.src.Current == "":
		head += " (an old revision; the page is deleted)"
	case p.src.Old:
		head += " (an old revision; the newest is @" + short(p.src.Current) + "~0)"
	}
	return head
}

// next names the call that goes on, where something was cut.
func (p *part) next() string {
	switch {
	case p.to < p.wanted:
		return fmt.Sprintf(`Cut. The rest: read_page with lines "%d-%d".`, p.to+1, p.wanted)
	case p.outline:
		return `More: read_page with section "…", or view "full".`
	}
	return ""
}

// outlineOf are the headings of a page: lines, title, characters.
func outlineOf(src *pages.Source) string {
	var b strings.Builder
	n := 0
	for _, s := range src.Sections() {
		if s.Level == 0 {
			continue
		}
		if n++; n > maxOutline {
			b.WriteString("…\n")
			break
		}
		fmt.Fprintf(&b, "%s%s (lines %d-%d, %s chars)\n", strings.Repeat("  ", len(s.Path)-1), clip(oneLine(s.Path[len(s.Path)-1]), 120), s.StartLine, s.DeepEnd, thousands(chars(src.Slice(s.StartLine, s.DeepEnd))))
	}
	return b.String()
}

const (
	maxItems      = 20
	standardReads = 24_000
)

// readPages reads several pages or sections in one budget. What does not fit is
// shown as its outline and lead, or named.
func (h *Handler) readPages(ctx ctx, c *client, a arguments) (*reply, error) {
	items, err := a.list("items")
	if err != nil {
		return nil, err
	}
	if len(items) == 0 || len(items) > maxItems {
		return nil, wiki.Problemf(wiki.ErrInvalid, "items", `"items" names 1 to %d pages, as "path" or "path#Heading".`, maxItems)
	}
	left, err := a.number("max_chars", standardReads, 200, mostRead)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	for i, item := range items {
		// Each may use its share of what is left: short ones leave more.
		used, err := h.readItem(ctx, c, r, item, left/(len(items)-i))
		if err != nil {
			return nil, err
		}
		left = max(0, left-used)
	}
	return r, nil
}

func (h *Handler) readItem(ctx ctx, c *client, r *reply, item string, most int) (int, error) {
	if r.body.Len() > 0 {
		r.addf("\n")
	}
	src, section, _, err := h.source(ctx, c, item, "")
	var p *part
	if err == nil {
		p, err = partOf(src, "full", section, "", max(most, 200))
	}
	var told *wiki.Problem
	switch {
	case errors.As(err, &told):
		r.addf("=== %s: %s\n", oneLine(item), told.Message)
		return 0, nil
	case err != nil:
		return 0, err
	}
	r.about(src.Name)
	text := strings.TrimRight(p.text(), "\n")
	r.addf("=== %s\n%s\n", p.header(), text)
	if p.to < p.wanted {
		r.then(`Cut: %s. The rest: read_page with lines "%d-%d".`, p.src.Name, p.to+1, p.wanted)
	}
	return chars(text), nil
}
