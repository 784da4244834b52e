package mcpserver

import (
	"context"
	"errors"
	"slices"
	"strings"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/tokens"
	"robot.wtf/internal/wiki"
)

// pageSteps are the operations of edit_page that concern whole pages, or two.
var pageSteps = []pages.StepKind{pages.StepCreate, pages.StepMove, pages.StepDelete, pages.StepMerge, pages.StepMoveSection}

// namesPages reports whether edits name pages or revisions of their own, or concern
// whole pages.
func namesPages(list []arguments) bool {
	return slices.ContainsFunc(list, func(e arguments) bool {
		return e["path"] != nil || e["revision"] != nil || slices.Contains(pageSteps, pages.StepKind(e.text("op")))
	})
}

// changePages makes edits of several pages in one commit.
func (h *Handler) changePages(ctx context.Context, c *client, a arguments) (*reply, error) {
	set := pages.ChangeSet{Write: newWrite(c, "edit_page", a), DryRun: a.boolean("dry_run")}
	for i, e := range a.objects("edits") {
		step, err := parseStep(a, e, i)
		if err != nil {
			return nil, err
		}
		set.Steps = append(set.Steps, step)
	}
	if c.proposes() {
		return h.proposeSteps(ctx, c, set.Steps, a)
	}
	done, err := h.o.Pages.Change(ctx, c.access, set)
	if err != nil {
		return nil, err
	}
	r := h.changeReply(ctx, c, done, set.DryRun)
	switch {
	case done.Unchanged:
	case set.DryRun:
		describePlannedDeletion(r, done.Deletion)
		addTaken(r, done.Taken, "Links would then lead to new pages instead of to: ")
	default:
		if set.Has(pages.StepDelete) {
			h.describeDeletion(ctx, c, r, done.Commit)
		}
		if set.Has(pages.StepCreate) || set.Has(pages.StepMoveSection) {
			h.describeCreation(ctx, c, r, done.Commit, "Links now lead to new pages instead of to: ")
		}
	}
	return r, nil
}

// parseStep returns the i-th edit. It applies to the call's page and revision unless
// it names its own.
func parseStep(a, e arguments, i int) (pages.Step, error) {
	step := pages.Step{Kind: pages.StepKind(e.text("op")), Name: e.text("path"), To: e.text("to")}
	version := e.text("revision")
	if step.Name == "" {
		step.Name = a.text("path")
	}
	if version == "" && step.Name == a.text("path") {
		version = a.text("revision")
	}
	if strings.TrimSpace(step.Name) == "" {
		return step, wiki.Problemf(wiki.ErrInvalid, "path", "Edit %d needs \"path\", the page to change. Nothing was changed.", i+1)
	}
	var err error
	if step.Base, step.Seen, err = parseRevision(version); err != nil {
		return step, err
	}
	switch step.Kind {
	case pages.StepMove, pages.StepMerge, pages.StepMoveSection:
		if step.To == "" {
			return step, wiki.Problemf(wiki.ErrInvalid, "to", "Edit %d (%s) needs \"to\". Nothing was changed.", i+1, wiki.Own(step.Kind))
		}
		step.Edit = edit.Edit{Section: e.text("section"), Text: e.text("text")}
		return step, nil
	case pages.StepDelete:
		return step, nil
	}
	change, err := parseEdit(e, i)
	if step.Kind == pages.StepCreate {
		step.Text = []byte(change.Text)
		return step, err
	}
	step.Kind, step.Edit = pages.StepEdit, change
	return step, err
}

// changeReply describes what edits did to several pages.
func (h *Handler) changeReply(ctx context.Context, c *client, done pages.ChangeSetResult, dryRun bool) *reply {
	r := &reply{}
	switch {
	case done.Replayed:
		r.setHead("Already applied by this request, commit %s:", hash(done.Commit))
	case done.Unchanged:
		r.setHead("Nothing changed, this is already there:")
	case dryRun:
		r.setHead("%s would change; nothing was saved:", count(done.Changed(), "page"))
	default:
		r.setHead("Changed %s in commit %s:", count(done.Changed(), "page"), hash(done.Commit))
	}
	left := editTokens
	for i, p := range done.Pages {
		left -= h.describePage(ctx, c, r, p, left/(len(done.Pages)-i), dryRun)
	}
	if done.Moved > 0 {
		r.addTail("Pages moved: %s. Their old paths lead to the new ones.", digits(done.Moved))
	}
	if len(done.Relinked) > 0 {
		r.addTailList("Links rewritten in: ", names(done.Relinked))
	}
	return r
}

// describePage describes what edits did to a page, with a diff limited to most tokens,
// and returns how many tokens the diff has.
func (h *Handler) describePage(ctx context.Context, c *client, r *reply, p pages.ChangedPage, most int, dryRun bool) int {
	switch {
	case p.Into != "":
		r.add("%s: merged into %s\n", called(p.Name), called(p.Into))
		return 0
	case p.Kind == wiki.Deleted:
		r.add("%s: deleted\n", called(p.Name))
		return 0
	}
	shown, known, cut := h.shownChange(ctx, c, p, most, dryRun)
	r.add("%s", called(p.Name))
	if !dryRun {
		r.add(" %s", revision(p.Revision, known))
	}
	r.add(": %s", constant(changeVerb(p)))
	if p.Kind == wiki.Moved {
		r.add(" from %s", called(p.From))
	}
	if p.Merged {
		r.add(", merged with what others changed since")
	}
	for _, e := range p.Edits {
		describeEdit(&r.body, e.Step, e.Result)
	}
	if len(p.Lost) > 0 {
		r.add("; front matter that was different here stays: %s", anywhere(strings.Join(p.Lost, ", ")))
	}
	text := pageText(p.Name, true, shown)
	if dryRun && p.Taken { // nothing says yet that it is on this page
		text = anywhere(shown)
	}
	r.add("\n%s", text)
	if cut {
		r.add("… Cut: read_page shows the rest.\n")
	}
	return tokens.Estimate(shown)
}

// shownChange returns what an answer shows of a changed page, limited to most tokens, and
// which of its lines the writer then knows. For a new page, that is the text, unless the
// writer sent it; for others, the diff.
func (h *Handler) shownChange(ctx context.Context, c *client, p pages.ChangedPage, most int, dryRun bool) (shown string, known credit, cut bool) {
	switch {
	case p.After == nil:
		return "", noCredit, false
	case p.Sent:
		return "", fullCredit, false
	case p.Before == nil:
		shown, left := clipLines(p.After.Text, most)
		if left == 0 {
			return withNewline(shown), fullCredit, false
		}
		return withNewline(shown), creditFor(1, strings.Count(shown, "\n")), true // none for a line that is cut
	}
	change := pages.EditResult{Before: p.Before, Now: p.Now, After: p.After, Saved: pages.Saved{Merged: p.Merged}}
	diff, err := h.changeDiff(ctx, c, change, dryRun)
	shown, left := clipLines(diff, most)
	cut = err != nil || left > 0
	return withNewline(shown), h.creditForPage(ctx, c, p, cut), cut
}

// withNewline ends the last line of a text.
func withNewline(text string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

func changeVerb(p pages.ChangedPage) ours {
	switch p.Kind {
	case wiki.Added:
		return "created"
	case wiki.Moved:
		return "moved"
	case wiki.Modified:
		return "edited"
	}
	return "nothing changed"
}

// creditForPage says which lines of a changed page the writer knows.
func (h *Handler) creditForPage(ctx context.Context, c *client, p pages.ChangedPage, cut bool) credit {
	done := pages.EditResult{Before: p.Before, After: p.After, Saved: pages.Saved{Revision: p.Revision}}
	return h.creditAfter(ctx, c, done, pages.EditRequest{Base: p.Base, Seen: p.Seen}, cut)
}

// describeFailures describes all failures of edits of several pages.
func (h *Handler) describeFailures(ctx context.Context, c *client, t *tool, set *pages.ChangeSetError) *reply {
	r := &reply{failed: true}
	r.setHead("Nothing was changed. %s failed:", count(len(set.Steps), "edit"))
	for _, s := range set.Steps {
		one := h.errorReply(ctx, c, t, arguments{"path": {value: s.Name}}, s.Err)
		r.add("Edit %s, %s: ", digits(s.Step+1), called(s.Name))
		r.addLine(one.head)
		if len(one.body) > 0 {
			r.addLine(one.body)
		}
		for _, l := range one.tail {
			r.addLine(l)
		}
	}
	return r
}

// changeSetError returns the error of edits of several pages in err, or nil.
func changeSetError(err error) *pages.ChangeSetError {
	var set *pages.ChangeSetError
	errors.As(err, &set)
	return set
}
