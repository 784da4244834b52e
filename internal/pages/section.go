package pages

import (
	"context"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// An EditSection is a part of a page that is edited on its own: the lines from a
// heading to the next one of its level, of one revision.
type EditSection struct {
	ID    string // of the heading, without its prefix
	Title string
	Lines string // in the revision's normalized text: "12-30"
	Text  string // without blank lines at the end
}

// SectionLinks returns rendered HTML with a link after each heading; see
// markdown.SectionLinks.
func SectionLinks(html template.HTML, link func(id string, label template.HTML) template.HTML) template.HTML {
	return markdown.SectionLinks(html, link)
}

// HeadingFragment returns the fragment, with its #, of a section's heading.
func HeadingFragment(id string) string { return markdown.HeadingFragment(id) }

// EditSection returns the section of a heading of the page that a form edits. Its
// text is the draft's if the draft differs from the page only there. ErrNotFound if
// the page has no such section, or if the draft changes other parts as well.
func (s *Service) EditSection(ctx context.Context, a wiki.Access, form *EditForm, id string) (*EditSection, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Edit)
	if err != nil {
		return nil, err
	}
	defer release()
	p, err := s.read(ctx, w, a, string(form.Name), "")
	if err != nil {
		return nil, err
	}
	missing := fmt.Errorf("pages: section %q of %s/%s: %w", id, w.Slug(), form.Name, wiki.ErrNotFound)
	rendered, _, err := s.rendered(ctx, w, d, p)
	if err != nil {
		return nil, err
	}
	if p.File.Blob != form.Base {
		return nil, missing
	}
	headings := rendered.page.Headings
	h := slices.IndexFunc(headings, func(h Heading) bool { return markdown.HeadingID(h) == id })
	if h < 0 {
		return nil, missing
	}
	section, ok := cutSection(form, headings[h])
	if !ok {
		return nil, missing
	}
	return section, nil
}

// cutSection returns the section of a heading, if the heading isn't in a quote or a
// list and the draft differs from the page only in the section.
func cutSection(form *EditForm, h Heading) (*EditSection, bool) {
	sections := markdown.Sections(form.Text)
	at := slices.IndexFunc(sections, func(s markdown.Section) bool { return s.Level > 0 && s.StartLine == h.Line })
	if at < 0 {
		return nil, false
	}
	first, last := sections[at].StartLine, sections[at].DeepEnd
	cut, ok := cutLines(string(form.Text), first, last)
	if form.Draft != nil {
		draft := edit.Normalize(form.Draft.Text)
		end := len(draft) - len(cut.after)
		if form.Draft.Base != form.Base || end < len(cut.before) || draft[:len(cut.before)] != cut.before || draft[end:] != cut.after {
			return nil, false
		}
		cut.part = draft[len(cut.before):end]
	}
	return &EditSection{
		ID: markdown.HeadingID(h), Title: h.Text, Lines: fmt.Sprintf("%d-%d", first, last),
		Text: strings.TrimRight(cut.part, "\n") + "\n",
	}, ok
}

// Fragment returns the fragment, with its #, of the section in the page.
func (s *EditSection) Fragment() string { return HeadingFragment(s.ID) }

// A lineCut is a text in three parts, cut between lines.
type lineCut struct{ before, part, after string }

// cutLines cuts out the lines first to last, counted from 1.
func cutLines(text string, first, last int) (lineCut, bool) {
	lines := strings.SplitAfter(text, "\n")
	if first < 1 || last < first || last > len(lines) {
		return lineCut{}, false
	}
	return lineCut{strings.Join(lines[:first-1], ""), strings.Join(lines[first-1:last], ""), strings.Join(lines[last:], "")}, true
}

// splice returns the text with another part. The blank lines after the part stay,
// unless the new part is empty.
func (c lineCut) splice(part string) string {
	part = strings.TrimRight(part, "\n")
	if part == "" {
		return c.before + c.after
	}
	return c.before + part + c.part[len(strings.TrimRight(c.part, "\n")):] + c.after
}

// WithSection returns the text of a page at a revision in which the lines of a
// section are replaced, ready for Save with that revision as its base.
func (s *Service) WithSection(ctx context.Context, a wiki.Access, name, revision, lines string, text []byte) ([]byte, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := checkText(text, a.Site().Limits); err != nil {
		return nil, err
	}
	path, _, _, err := openPage(ctx, w, name)
	if err != nil {
		return nil, err
	}
	_, stored, err := readRevision(ctx, w, path, revision)
	if err != nil {
		return nil, err
	}
	from, to, _ := strings.Cut(lines, "-")
	first, err1 := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	cut, ok := cutLines(edit.Normalize(stored), first, last)
	if !ok || err1 != nil || err2 != nil {
		return nil, wiki.Problemf(wiki.ErrInvalid, "lines", "This section isn't in the page's revision. Copy your text, and edit the section again.")
	}
	return []byte(cut.splice(edit.Normalize(text))), nil
}
