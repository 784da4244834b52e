package pages

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// A changePlan is the state that the steps of a ChangeSet lead to from one head.
type changePlan struct {
	s        *Service
	w        *content.Wiki
	a        wiki.Access
	names    *directory
	moves    *moves
	byFile   map[string]*planned // by the path at the head
	byKey    map[string]*planned // created and moved pages, by their new key
	order    []*planned
	files    []string                          // attachments to delete
	headings map[plannedHeading]plannedHeading // of the pages at the head -> where they are now
	bytes    int
	relinked []wiki.PageName
}

// A planned is a page that steps name.
type planned struct {
	file    wiki.File // at the head; its Blob is "" if a step creates the page
	from    wiki.PageName
	name    wiki.PageName // after the steps
	stored  []byte
	before  *Source
	base    *Source // the first revision that a step named
	seen    *edit.Lines
	now     *edit.Document
	deleted bool
	into    *planned   // where a deleted page was merged
	sources []*planned // the pages that some of its text is from
	lost    []string
	moved   bool
	results []StepResult
	written []byte // the new content; nil if it stays
}

func newPlan(s *Service, w *content.Wiki, a wiki.Access, d *directory) *changePlan {
	return &changePlan{
		s: s, w: w, a: a, names: d, moves: newMoves(d),
		byFile: map[string]*planned{}, byKey: map[string]*planned{}, headings: map[plannedHeading]plannedHeading{},
	}
}

// makeSteps makes the steps. After a failure it leaves out further steps on the
// same page.
func (p *changePlan) makeSteps(ctx context.Context, steps []Step) error {
	var failed ChangeSetError
	broken := map[string]bool{}
	for i, step := range steps {
		key := wiki.Key(strings.TrimSuffix(step.Name, ".md"))
		if broken[key] {
			continue
		}
		err := p.make(ctx, i, step)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !isAboutPage(err):
			return err
		case err != nil:
			broken[key] = true
			failed.Steps = append(failed.Steps, StepError{i, step.Name, err})
		}
	}
	if len(failed.Steps) > 0 {
		return &failed
	}
	return nil
}

// isAboutPage reports whether an error is about the page of a step, so that others
// can still be looked at.
func isAboutPage(err error) bool {
	var problem *wiki.Problem
	var conflict *wiki.ConflictError
	var redirect *wiki.Redirect
	return !errors.Is(err, errPlanTooLarge) && (errors.As(err, &problem) || errors.As(err, &conflict) || errors.As(err, &redirect))
}

func (p *changePlan) make(ctx context.Context, i int, step Step) error {
	switch step.Kind {
	case StepCreate:
		return p.create(ctx, step)
	case StepEdit, StepMove, StepDelete, StepMerge, StepMoveSection:
	default:
		return wiki.Problemf(wiki.ErrInvalid, "op", "Unknown operation %q.", step.Kind)
	}
	pg, err := p.page(ctx, step.Name)
	if folder, ok := p.names.folderOnly(step.Name); ok && step.Kind == StepMove && errors.Is(err, wiki.ErrNotFound) {
		return p.moveFolder(folder, step.To)
	}
	if err != nil {
		return err
	}
	switch step.Kind {
	case StepMove:
		return p.move(ctx, pg, step)
	case StepDelete:
		return p.delete(ctx, pg, step)
	case StepMerge:
		return p.merge(ctx, pg, step)
	case StepMoveSection:
		return p.moveSection(ctx, pg, step)
	}
	return p.edit(ctx, pg, i, step)
}

// page finds a page by its name after the steps so far, or by a former name.
func (p *changePlan) page(ctx context.Context, asked string) (*planned, error) {
	if name, err := wiki.ParsePageName(asked); err == nil {
		if pg := p.byKey[name.Key()]; pg != nil {
			return pg, pg.mustExist()
		}
		if old := p.moves.source(name.File()); old != "" {
			asked = strings.TrimSuffix(old, ".md")
		}
	}
	name, file, err := p.s.lookupRenamed(ctx, p.w, p.a, asked)
	if err != nil {
		return nil, err
	}
	if pg := p.byFile[file.Path]; pg != nil {
		return pg, pg.mustExist()
	}
	return p.load(ctx, name, file)
}

func (pg *planned) mustExist() error {
	if pg.deleted {
		return wiki.Problemf(wiki.ErrInvalid, "path", "An earlier edit of this request deletes %q.", pg.name)
	}
	return nil
}

var errPlanTooLarge = wiki.Problemf(wiki.ErrTooLarge, "edits", "These edits change too much at once: the limits are %d pages and %s. Send fewer at a time. Nothing was changed.", maxChangedPages, formatBytes(maxChangeSetBytes))

// add adds a page to the plan.
func (p *changePlan) add(pg *planned) error {
	p.bytes += len(pg.stored)
	if len(p.order) >= maxChangedPages || p.bytes > maxChangeSetBytes {
		return errPlanTooLarge
	}
	p.order = append(p.order, pg)
	return nil
}

func (p *changePlan) load(ctx context.Context, name wiki.PageName, file wiki.File) (*planned, error) {
	stored, err := p.w.Blob(ctx, file.Blob)
	if err != nil {
		return nil, err
	}
	pg := &planned{file: file, from: name, name: name, stored: stored, before: newSource(name, file, stored)}
	pg.now = pg.before.Document
	if to := p.moves.to[file.Path]; to != "" { // with a page above it
		pg.name, _ = wiki.PageOf(to)
		pg.moved = true
	}
	if err := p.add(pg); err != nil {
		return nil, err
	}
	p.byFile[file.Path] = pg
	return pg, nil
}

func (p *changePlan) edit(ctx context.Context, pg *planned, i int, step Step) error {
	base, seen, err := p.base(ctx, pg, step)
	if err != nil {
		return err
	}
	release, err := p.w.AcquireCompare(ctx, 2*len(pg.now.Text))
	if err != nil {
		return err
	}
	defer release()
	next, err := applyEdit(ctx, p.w, pg.now, pg.before, base, seen, step.Edit)
	if err != nil {
		return err
	}
	pg.results = append(pg.results, StepResult{i, edit.Result{State: next.State, Ignored: next.Ignored}})
	return p.set(pg, next.Document)
}

// set gives a page its next text.
func (p *changePlan) set(pg *planned, next *edit.Document) error {
	limits := p.a.Site().Limits
	limits.PageBytes = max(limits.PageBytes, pg.file.Size)
	if err := checkText([]byte(next.Text), limits); err != nil {
		return err
	}
	pg.now = next
	return nil
}

// base reads the revision that a step names, with the lines of it that the writer has
// read; nil if it names none.
func (p *changePlan) base(ctx context.Context, pg *planned, step Step) (*Source, *edit.Lines, error) {
	if step.Base == "" {
		return nil, nil, nil
	}
	if pg.isNew() {
		return nil, nil, wiki.Problemf(wiki.ErrInvalid, "revision", "An earlier edit of this request creates %q, so it has no revision yet. Leave the revision out.", pg.name)
	}
	base, seen, err := readSeen(ctx, p.w, pg.from, pg.file, step.Base, step.Seen)
	if err == nil && pg.base == nil {
		pg.base, pg.seen = base, seen
	}
	return base, seen, err
}

func (p *changePlan) create(ctx context.Context, step Step) error {
	name, err := wiki.ParsePageName(step.Name)
	if err != nil {
		return err
	}
	text := edit.FormatNew(step.Text)
	if err := checkText(text, p.a.Site().Limits); err != nil {
		return err
	}
	file, exists := p.names.byKey[wiki.Key(name.File())]
	if p.byKey[name.Key()] != nil || p.moves.source(name.File()) != "" {
		return wiki.Problemf(wiki.ErrExists, "path", "An earlier edit of this request makes a page called %q.", name)
	}
	if exists && p.moves.to[file] == "" {
		if pg := p.byFile[file]; pg != nil && pg.deleted {
			pg.deleted, pg.now = false, edit.NewDocument(string(text))
			delete(p.moves.free, file)
			return nil
		}
		return wiki.Problemf(wiki.ErrExists, "path", "A page called %q already exists. Read it, then edit it, or choose another name.", name)
	}
	_, err = p.addNew(name, string(text))
	return err
}

// addNew adds a page that the commit creates.
func (p *changePlan) addNew(name wiki.PageName, text string) (*planned, error) {
	pg := &planned{name: name, file: wiki.File{Path: name.File()}, now: edit.NewDocument(text)}
	p.byKey[name.Key()] = pg
	return pg, p.add(pg)
}

func (p *changePlan) move(ctx context.Context, pg *planned, step Step) error {
	to, err := wiki.ParsePageName(step.To)
	switch {
	case err != nil:
		return aboutField(err, "to")
	case pg.isNew() || pg.moved:
		return wiki.Problemf(wiki.ErrInvalid, "to", "An earlier edit of this request creates or moves %q. Name the final place there.", pg.name)
	case to == pg.name:
		return wiki.Problemf(wiki.ErrInvalid, "to", "The page already has that name.")
	}
	if err := mustBeCurrent(ctx, p.w, Precondition{Base: step.Base}, pg.file); err != nil {
		return err
	}
	if err := p.moveFile(pg.file.Path, to.File()); err != nil {
		return err
	}
	return p.moveBelow(pg.from, to)
}

// moveFolder moves what a folder holds that isn't a page.
func (p *changePlan) moveFolder(folder wiki.PageName, to string) error {
	name, err := wiki.ParsePageName(to)
	if err != nil {
		return aboutField(err, "to")
	}
	return p.moveBelow(folder, name)
}

func (p *changePlan) moveBelow(from, to wiki.PageName) error {
	for _, path := range p.names.below(string(from)) {
		if err := p.moveFile(path, string(to)+"/"+pathBelow(path, from)); err != nil {
			return err
		}
	}
	return nil
}

// moveFile plans the move of a file to a path that must be free by then.
func (p *changePlan) moveFile(from, to string) error {
	there, taken := p.names.byKey[wiki.Key(to)]
	if taken && there != from && p.moves.to[there] == "" && !p.moves.free[there] || p.byKey[wiki.Key(to)] != nil {
		return wiki.Problemf(wiki.ErrExists, "to", "%q already exists.", strings.TrimSuffix(to, ".md"))
	}
	if pg := p.byFile[from]; pg != nil && pg.deleted {
		return nil
	}
	p.moves.add(from, to)
	if pg := p.byFile[from]; pg != nil {
		pg.name, _ = wiki.PageOf(to)
		pg.moved = true
	}
	return nil
}

func (p *changePlan) delete(ctx context.Context, pg *planned, step Step) error {
	if pg.isNew() || pg.moved || pg.now.Text != pg.before.Text {
		return wiki.Problemf(wiki.ErrInvalid, "op", "An earlier edit of this request changes %q. Leave one of the two out.", pg.name)
	}
	if err := mustBeCurrent(ctx, p.w, Precondition{Base: step.Base}, pg.file); err != nil {
		return err
	}
	pg.deleted = true
	p.moves.free[pg.file.Path] = true
	for _, path := range p.names.attachments(pg.from) {
		p.moves.free[path] = true
		p.files = append(p.files, path)
	}
	return nil
}

// edits returns the edits of the commit: deletions, moves, then texts.
func (p *changePlan) edits(ctx context.Context) ([]content.Edit, error) {
	var edits []content.Edit
	for _, pg := range p.order {
		if pg.deleted {
			e := content.Edit{Op: content.Delete, Path: pg.file.Path, Base: pg.file.Blob}
			if into := pg.successor(); into != nil {
				e.To = into.name.File()
				p.moves.leads[pg.file.Path] = e.To
			}
			edits = append(edits, e)
		}
	}
	for _, path := range p.files {
		edits = append(edits, content.Edit{Op: content.Delete, Path: path, Base: content.BaseAny})
	}
	for _, pg := range p.order {
		if err := p.write(ctx, pg); err != nil {
			return nil, err
		}
	}
	moved, err := p.moveEdits(ctx)
	if err != nil {
		return nil, err
	}
	edits = append(edits, moved...)
	for _, pg := range p.order {
		if pg.written != nil && p.moves.to[pg.file.Path] == "" || pg.isNew() {
			edits = append(edits, content.Edit{Op: content.Put, Path: pg.file.Path, Data: nonNil(pg.written), Base: pg.file.Blob, Strict: true})
		}
	}
	return edits, nil
}

// successor returns the page that has the text of one that was merged; nil if it
// wasn't.
func (pg *planned) successor() *planned {
	into := pg.into
	for into != nil && into.into != nil {
		into = into.into
	}
	return into
}

// isNew reports whether a step creates the page.
func (pg *planned) isNew() bool { return pg.file.Blob == "" }

// write sets the content that a page will have, before links follow moves.
func (p *changePlan) write(ctx context.Context, pg *planned) error {
	switch {
	case pg.deleted || pg.before != nil && pg.now.Text == pg.before.Text:
		return nil
	case pg.isNew():
		pg.written = []byte(pg.now.Text)
		return nil
	}
	styled, err := keepStyle(ctx, p.w, pg.stored, []byte(pg.now.Text))
	pg.written = nonNil(styled)
	return err
}

// moveEdits returns the moves, and edits of pages that no step names whose links
// follow them.
func (p *changePlan) moveEdits(ctx context.Context) ([]content.Edit, error) {
	p.planHeadings()
	if p.moves.isEmpty() {
		return nil, nil
	}
	known := make(map[string][]byte, len(p.byFile))
	for path, pg := range p.byFile {
		known[path] = pg.written
	}
	edits, err := p.moves.edits(ctx, p.w, false, known)
	if err != nil {
		return nil, err
	}
	for path, pg := range p.byFile {
		pg.written = known[path]
	}
	for _, e := range edits {
		if name, ok := wiki.PageOf(e.Path); ok && e.Op == content.Put {
			p.relinked = append(p.relinked, name)
		}
	}
	return edits, p.relinkNew(ctx)
}

// relinkNew updates the links in text that new pages got from others.
func (p *changePlan) relinkNew(ctx context.Context) error {
	var now *names
	for _, pg := range p.order {
		if !pg.isNew() || len(pg.sources) == 0 {
			continue
		}
		if now == nil {
			now = p.namesAfter()
		}
		var err error
		if pg.written, _, err = p.moves.rewrite(ctx, p.w, now, pg.file.Path, "", nonNil(pg.written)); err != nil {
			return err
		}
	}
	return nil
}

// changedPages describes what the plan does to the pages that steps name.
func (p *changePlan) changedPages() []ChangedPage {
	list := make([]ChangedPage, len(p.order))
	for i, pg := range p.order {
		list[i] = pg.changed()
	}
	return list
}

// kind is how the plan changes a page; "" if it doesn't.
func (pg *planned) kind() wiki.ChangeKind {
	switch {
	case pg.deleted:
		return wiki.Deleted
	case pg.isNew():
		return wiki.Added
	case pg.moved:
		return wiki.Moved
	case pg.written != nil && !bytes.Equal(pg.written, pg.stored):
		return wiki.Modified
	}
	return ""
}

func (pg *planned) changed() ChangedPage {
	c := ChangedPage{Name: pg.name, From: pg.from, Before: pg.before, Now: pg.before, Edits: pg.results, Revision: pg.file.Blob, Seen: pg.seen, Lost: pg.lost}
	c.Sent = pg.isNew() && len(pg.sources) == 0
	c.Taken = len(pg.sources) > 0
	if into := pg.successor(); into != nil {
		c.Into = into.name
	}
	if pg.base != nil {
		c.Before, c.Base = pg.base, pg.base.File.Blob
		c.Merged = pg.base.File.Blob != pg.file.Blob
	}
	if c.Kind = pg.kind(); c.Kind == wiki.Deleted {
		c.Revision = ""
		return c
	}
	file := pg.file
	if pg.written != nil {
		file.Blob = gitrepo.ObjectID("blob", pg.written)
		c.Revision = file.Blob
	}
	file.Path = pg.name.File()
	c.After = &Source{Document: pg.now, Name: pg.name, File: file}
	if pg.written != nil {
		c.After.Document = edit.NewDocument(edit.Normalize(pg.written)) // with its links
	}
	return c
}

// movedPages counts the pages that move, with those below others.
func (p *changePlan) movedPages() (n int) {
	for _, path := range p.moves.order {
		if isText(path) {
			n++
		}
	}
	return n
}

// saved is the result for a page that stays as it is.
func (pg *planned) saved() Saved {
	return Saved{Name: pg.name, Path: pg.file.Path, Revision: pg.file.Blob, Commit: pg.file.Commit, Unchanged: true}
}

// message is the default commit message.
func (p *changePlan) message() string {
	if len(p.order) == 0 {
		return fmt.Sprintf("Rename %d pages", p.movedPages())
	}
	verbs := map[wiki.ChangeKind]string{wiki.Added: "Create", wiki.Moved: "Rename", wiki.Deleted: "Delete"}
	first := p.order[0]
	text := fmt.Sprintf("%s %s", cmp.Or(verbs[first.kind()], "Update"), wiki.Title(string(first.name)))
	if n := len(p.order) - 1; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}
