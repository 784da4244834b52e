package web

import (
	"net/http"
	"net/url"
	"strconv"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const proposalsPath = "/-/proposals"

// proposalsPage lists the proposals of all agents, or shows those of one.
type proposalsPage struct {
	Frame
	failure
	Sets []proposalView
	One  bool // the only set, with its differences
}

// A proposalView has the proposals of one agent.
type proposalView struct {
	pages.ProposalSet
	Names []pages.ProposedFile // the first files, in a list
	Rest  int                  // number of files not named
	One   bool
}

// All is the form for all files.
func (p proposalView) All() proposalForm {
	return proposalForm{Grant: p.Grant, Version: p.Version(), Name: "all"}
}

// Form is the form for one file.
func (p proposalView) Form(f pages.ProposedFile) proposalForm {
	name := f.Path
	if f.Page != "" {
		name = f.Page.Title()
	}
	return proposalForm{Grant: p.Grant, Path: f.Path, Version: f.Blob, Name: name}
}

// Parts lists the changes of a file to decide on one by one; nil if there is only one.
func (p proposalView) Parts(f pages.ProposedFile) (list []proposedPart) {
	if f.Diff == nil || len(f.Diff.Hunks) < 2 || len(f.Diff.Hunks) > maxParts {
		return nil
	}
	for i, hunk := range f.Diff.Hunks {
		form := p.Form(f)
		form.Version, form.Hunk, form.Name = f.State, strconv.Itoa(i), "change "+strconv.Itoa(i+1)+" of "+form.Name
		list = append(list, proposedPart{&pages.FileDiff{Path: f.Path, Old: f.Diff.Old, New: f.Diff.New, Hunks: []pages.DiffHunk{hunk}}, form})
	}
	return list
}

// maxParts bounds the changes of a page that have forms of their own.
const maxParts = 100

// A proposedPart is one change of a proposed file.
type proposedPart struct {
	Diff *pages.FileDiff
	Form proposalForm
}

// A proposalForm accepts or declines proposals, as the reader sees them.
type proposalForm struct {
	Grant, Path, Version, Name string
	Hunk                       string // index of one change of the page, or ""
}

func (h *Handler) showProposals(v *visit) error {
	sets, err := h.o.Pages.Proposals(v.ctx(), v.a)
	if err != nil {
		return err
	}
	p := &proposalsPage{}
	for _, set := range sets {
		names := set.Files[:min(len(set.Files), filesNamed)]
		p.Sets = append(p.Sets, proposalView{ProposalSet: set, Names: names, Rest: len(set.Files) - len(names)})
	}
	return h.renderProposals(v, http.StatusOK, p)
}

func (h *Handler) showProposal(v *visit) error {
	if page := v.query("page"); page != "" {
		return h.editProposal(v, http.StatusOK, v.param("grant"), page, nil, failure{})
	}
	return h.renderProposal(v, http.StatusOK, v.param("grant"), failure{})
}

func (h *Handler) renderProposal(v *visit, status int, grant string, wrong failure) error {
	set, err := h.o.Pages.Proposal(v.ctx(), v.a, grant)
	if err != nil {
		return err
	}
	return h.renderProposals(v, status, &proposalsPage{failure: wrong, One: true, Sets: []proposalView{{ProposalSet: set, One: true}}})
}

func (h *Handler) renderProposals(v *visit, status int, p *proposalsPage) error {
	p.Frame = h.frame(v, "Proposals")
	p.NoIndex = true
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "proposals", p)
}

// proposalEditPage edits a proposal before it is accepted.
type proposalEditPage struct {
	Frame
	failure
	pages.ProposedFile
	Grant, Text string
}

func (h *Handler) editProposal(v *visit, status int, grant, path string, typed *string, wrong failure) error {
	file, text, err := h.o.Pages.ProposedText(v.ctx(), v.a, grant, path)
	if err != nil {
		return err
	}
	p := &proposalEditPage{Frame: h.frame(v, "Edit a proposal"), failure: wrong, ProposedFile: file, Grant: grant, Text: string(text)}
	if typed != nil {
		p.Text = *typed
	}
	p.NoIndex = true
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "proposaledit", p)
}

// decideProposal accepts or declines what an agent proposes, one page of it, or one change
// of a page. It redirects to the rest.
func (h *Handler) decideProposal(v *visit) error {
	form, err := h.readForm(v, maxTextForm(v), "action", "version")
	if err != nil {
		return err
	}
	grant, notice := v.param("grant"), "acceptedproposal"
	if form.Get("action") == "decline" {
		notice = "declinedproposal"
	}
	err = h.decide(v, grant, form)
	if err != nil {
		wrong, ok := h.formFailure(v, err)
		switch {
		case !ok || wiki.Status(err) == http.StatusNotFound:
			return err
		case form.Has("content"):
			typed := formText(form.Get("content"))
			return h.editProposal(v, wrong.Status, grant, form.Get("page"), &typed, wrong)
		}
		return h.renderProposal(v, wrong.Status, grant, wrong)
	}
	back := proposalsPath
	if _, err := h.o.Pages.Proposal(v.ctx(), v.a, grant); err == nil {
		back += "/" + url.PathEscape(grant)
	}
	return h.redirect(v, h.tell(v, back, notice))
}

func (h *Handler) decide(v *visit, grant string, form url.Values) error {
	choice := pages.ProposalChoice{Grant: grant, Path: form.Get("page"), Version: form.Get("version")}
	part := pages.ProposalPart{Grant: grant, Path: choice.Path, State: choice.Version}
	action := form.Get("action")
	if hunk := form.Get("hunk"); hunk != "" {
		n, err := strconv.Atoi(hunk)
		if err != nil {
			return errUnreadableForm
		}
		part.Hunk = n
		action += " part"
	}
	if form.Has("content") {
		action += " edited"
	}
	switch action {
	case "accept":
		_, err := h.o.Pages.AcceptProposals(v.ctx(), v.a, choice)
		return err
	case "accept part":
		_, err := h.o.Pages.AcceptPart(v.ctx(), v.a, part)
		return err
	case "accept edited":
		_, err := h.o.Pages.AcceptEdited(v.ctx(), v.a, pages.EditedProposal{Grant: grant, Path: part.Path, State: part.State, Text: []byte(formText(form.Get("content")))})
		return err
	case "decline":
		return h.o.Pages.DeclineProposals(v.ctx(), v.a, choice, form.Get("reason"))
	case "decline part":
		return h.o.Pages.DeclinePart(v.ctx(), v.a, part, form.Get("reason"))
	}
	return errUnreadableForm
}

var errUnreadableForm = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the page and try again from there.")
