package pages

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// merge adds a page's text and attachments to another page.
func (p *changePlan) merge(ctx context.Context, pg *planned, step Step) error {
	if pg.isNew() || pg.moved {
		return wiki.Problemf(wiki.ErrInvalid, "op", "An earlier edit of this request creates or moves %q. Leave one of the two out.", pg.name)
	}
	if err := mustBeCurrent(ctx, p.w, Precondition{Base: step.Base}, pg.file); err != nil {
		return err
	}
	to, err := p.page(ctx, step.To)
	if err != nil {
		return aboutField(err, "to")
	}
	if to == pg {
		return wiki.Problemf(wiki.ErrInvalid, "to", "A page can't be merged into itself.")
	}
	release, err := p.w.AcquireCompare(ctx, len(pg.now.Text)+len(to.now.Text))
	if err != nil {
		return err
	}
	defer release()
	for _, file := range p.names.attachments(pg.from) {
		if err := p.moveFile(file, string(to.name)+"/"+path.Base(file)); err != nil {
			return err
		}
	}
	text := p.rebase(pg.origin(), to.origin(), pg.now.Text)
	next, lost, err := edit.MergePage(to.now, pg.name.Title(), text)
	if err != nil {
		return err
	}
	h := edit.MergeHeadings(pg.now, to.now, next)
	if moved := p.followWithin(to.origin(), text, h.Moved, nil, nil); moved != text {
		if next, _, err = edit.MergePage(to.now, pg.name.Title(), moved); err != nil {
			return err
		}
	}
	if err := p.set(to, next); err != nil {
		return err
	}
	p.moveHeadings(pg, to, h)
	to.lost = append(to.lost, lost...)
	pg.deleted, pg.into = true, to
	to.addSources(pg)
	p.moves.free[pg.file.Path] = true
	return nil
}

// addSources records that the page has text of another one, and of all that are in that.
func (pg *planned) addSources(from *planned) {
	for _, source := range append([]*planned{from}, from.sources...) {
		if !slices.Contains(pg.sources, source) {
			pg.sources = append(pg.sources, source)
		}
	}
}

// takings lists the text that the plan moves between pages.
func (p *changePlan) takings() []content.Taking {
	var list []content.Taking
	for _, pg := range p.order {
		for _, from := range pg.sources {
			if !pg.deleted && !from.isNew() {
				list = append(list, content.Taking{Path: pg.name.File(), From: from.file.Path})
			}
		}
	}
	return list
}

// rebase spells the links in a text that moves to another page so that they lead where
// they led. Moves of files come later.
func (p *changePlan) rebase(from, to wiki.PageName, text string) string {
	return rebase(p.names.names, from, to, text)
}

// rebase spells the links in a page's text so that they lead where they led when it is
// another page's.
func rebase(n *names, from, to wiki.PageName, text string) string {
	r := respelling{before: n, now: n, self: from, newSelf: to, moved: func(file string) string { return file }}
	moved, _ := r.source([]byte(text))
	return string(moved)
}

// moveSection moves a section to another page.
func (p *changePlan) moveSection(ctx context.Context, pg *planned, step Step) error {
	base, seen, err := p.base(ctx, pg, step)
	if err != nil {
		return err
	}
	to, under, err := p.sectionTarget(ctx, step.To)
	if err != nil {
		return aboutField(err, "to")
	}
	if to == pg {
		return wiki.Problemf(wiki.ErrInvalid, "to", "The section already is on that page.")
	}
	release, err := p.w.AcquireCompare(ctx, 2*(len(pg.now.Text)+len(to.now.Text)))
	if err != nil {
		return err
	}
	defer release()
	var read *edit.Document
	if base != nil {
		read = base.Document
	}
	rest, taken, err := edit.TakeSection(pg.now, read, seen, step.Edit.Section, step.Edit.Text)
	if err != nil {
		return completeConflict(err, pg.before, base)
	}
	return p.placeSection(pg, rest, to, step.Edit.Section, under, taken)
}

// placeSection puts a section that was taken from a page below a section of another
// page, or at its end; rest is the first page without it. Links to headings follow.
func (p *changePlan) placeSection(pg *planned, rest *edit.Document, to *planned, section, under, taken string) error {
	taken = p.rebase(pg.origin(), to.origin(), taken)
	next, err := edit.AddSection(to.now, under, taken)
	if err != nil {
		return err
	}
	h := edit.MoveHeadings(pg.now, rest, to.now, next, section, under)
	taken = p.followWithin(to.origin(), taken, h.Moved, pg, h.From)
	target := edit.NewDocument(p.followWithin(to.origin(), to.now.Text, h.To, nil, nil))
	if next, err = edit.AddSection(target, under, taken); err != nil {
		return err
	}
	if err := p.set(to, next); err != nil {
		return err
	}
	to.addSources(pg)
	left := p.followWithin(pg.origin(), rest.Text, h.From, pg, h.Moved)
	p.moveHeadings(pg, to, h)
	return p.set(pg, edit.NewDocument(left))
}

// sectionTarget finds or creates the page that a section moves to.
func (p *changePlan) sectionTarget(ctx context.Context, asked string) (to *planned, under string, err error) {
	asked, under, _ = strings.Cut(asked, "#")
	to, err = p.page(ctx, asked)
	if !errors.Is(err, wiki.ErrNotFound) {
		return to, under, err
	}
	name, err := wiki.ParsePageName(asked)
	switch {
	case err != nil:
		return nil, "", err
	case under != "":
		return nil, "", noPage(name)
	}
	to, err = p.addNew(name, "")
	return to, "", err
}
