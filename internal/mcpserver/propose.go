package mcpserver

import (
	"context"
	"errors"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// proposes reports whether the client's changes become proposals.
func (c *client) proposes() bool { return c.access.Caller().Proposes }

// proposePage proposes a new page.
func (h *Handler) proposePage(ctx context.Context, c *client, path string, a arguments) (*reply, error) {
	if a.text("template") != "" {
		return nil, wiki.Problemf(wiki.ErrInvalid, "template", "A proposal can't start from a template. Read the template and send the whole text as content.")
	}
	r, err := h.propose(ctx, c, a, []pages.ProposedChange{{Name: path, Create: true, Text: []byte(a.text("content"))}})
	if errors.Is(err, wiki.ErrPrecondition) {
		return nil, h.alreadyExistsError(ctx, c, path, a)
	}
	return r, err
}

// proposeText proposes the whole text of a page.
func (h *Handler) proposeText(ctx context.Context, c *client, path, base string, a arguments) (*reply, error) {
	return h.propose(ctx, c, a, []pages.ProposedChange{{Name: path, Base: base, Text: []byte(a.text("content"))}})
}

// proposeEdits proposes edits of one page.
func (h *Handler) proposeEdits(ctx context.Context, c *client, req pages.EditRequest, a arguments) (*reply, error) {
	return h.propose(ctx, c, a, []pages.ProposedChange{{Name: req.Name, Base: req.Base, Seen: req.Seen, Edits: req.Edits}})
}

// proposeSteps proposes edits of several pages.
func (h *Handler) proposeSteps(ctx context.Context, c *client, steps []pages.Step, a arguments) (*reply, error) {
	var list []pages.ProposedChange
	at := map[string]int{} // indexes in list, by page
	for i, step := range steps {
		n, known := at[wiki.Key(step.Name)]
		switch {
		case step.Kind == pages.StepCreate && !known:
			list = append(list, pages.ProposedChange{Name: step.Name, Create: true, Text: step.Text})
		case step.Kind != pages.StepEdit || known && list[n].Create:
			return nil, wiki.Problemf(wiki.ErrInvalid, "edits", "Edit %d (%s) can't be proposed. Propose edits of pages that are there, and whole new pages. Nothing was changed.", i+1, wiki.Own(step.Kind))
		case known:
			list[n].Edits = append(list[n].Edits, step.Edit)
			continue
		default:
			list = append(list, pages.ProposedChange{Name: step.Name, Base: step.Base, Seen: step.Seen, Edits: []edit.Edit{step.Edit}})
		}
		at[wiki.Key(step.Name)] = len(list) - 1
	}
	return h.propose(ctx, c, a, list)
}

// propose proposes changes and describes them.
func (h *Handler) propose(ctx context.Context, c *client, a arguments, list []pages.ProposedChange) (*reply, error) {
	dryRun := a.boolean("dry_run")
	done, err := h.o.Pages.Propose(ctx, c.access, pages.ProposeRequest{Message: a.text("message"), Changes: list, DryRun: dryRun})
	if err != nil {
		return nil, err
	}
	r := &reply{}
	switch {
	case dryRun:
		r.setHead("%s would be proposed; nothing was kept:", count(len(done), "change"))
	default:
		r.setHead("Proposed: only you see this until a person accepts it.")
	}
	left := editTokens
	for i, p := range done {
		left -= h.describeProposal(ctx, c, r, p, left/(len(done)-i), dryRun)
	}
	return r, nil
}

// describeProposal describes the proposal for a page, with a diff limited to most
// tokens, and returns how many tokens it has.
func (h *Handler) describeProposal(ctx context.Context, c *client, r *reply, p pages.ProposedPage, most int, dryRun bool) int {
	change := pages.ChangedPage{
		Kind: wiki.Modified, Name: p.Name, Revision: p.Revision, Before: p.Before, Now: p.Now, After: p.After,
		Base: p.Request.Base, Seen: p.Request.Seen, Sent: p.Created || p.Request.Text != nil, Edits: stepResults(p.Edits),
	}
	shown, known, cut := h.shownChange(ctx, c, change, most, dryRun)
	r.add("%s", called(p.Name))
	if !dryRun {
		r.add(" %s", revision(p.Revision, known))
	}
	switch {
	case p.Withdrawn:
		r.add(": the same as the present page, so nothing is proposed any more")
	case p.Unchanged:
		r.add(": nothing changed, this is already there")
	case p.Created:
		r.add(": new page")
	default:
		r.add(": changes")
	}
	for _, e := range change.Edits {
		describeEdit(&r.body, e.Step, e.Result)
	}
	text := pageText(p.Name, true, shown)
	r.add("\n%s", text)
	if cut {
		r.add("… Cut: read_page shows the rest.\n")
	}
	return len(shown)
}

func stepResults(list []edit.Result) []pages.StepResult {
	results := make([]pages.StepResult, len(list))
	for i, result := range list {
		results[i] = pages.StepResult{Step: i, Result: result}
	}
	return results
}

// addProposals says what the client proposes and what became of its proposals.
func (h *Handler) addProposals(ctx context.Context, c *client, r *reply) error {
	own, err := h.o.Pages.OwnProposals(ctx, c.access)
	if err != nil {
		return err
	}
	if len(own.Waiting) > 0 {
		r.addTailList("Your proposals that wait for a person: ", firstNames(own.Waiting))
	}
	for _, d := range own.Decisions {
		r.tail = append(r.tail, decisionLine(d))
	}
	return nil
}

func decisionLine(d pages.ProposalDecision) line {
	part := ours("")
	if d.Outcome == pages.AcceptedPart || d.Outcome == pages.DeclinedPart {
		part = "a part of "
	}
	l := say("%s: %syour proposal for %s ", minute(d.Time), constant(part), called(pageOrFile(d.Path)))
	switch d.Outcome {
	case pages.Expired:
		l.add("expired, because nobody decided on it")
		return l
	case pages.Accepted, pages.AcceptedPart:
		l.add("was accepted by %s", by(d.By))
	default:
		l.add("was declined by %s", by(d.By))
	}
	if d.Reason != "" {
		l.add(": %s", saidBy(d.By, singleLine(d.Reason)))
	}
	return l
}
