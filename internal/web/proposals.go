package web

import (
	"net/http"
	"net/url"

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

// A proposalForm accepts or declines proposals, as the reader sees them.
type proposalForm struct{ Grant, Path, Version, Name string }

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

// decideProposal accepts or declines what an agent proposes, or one page of it.
func (h *Handler) decideProposal(v *visit) error {
	form, err := h.readForm(v, smallForm, "action", "version")
	if err != nil {
		return err
	}
	choice := pages.ProposalChoice{Grant: v.param("grant"), Path: form.Get("page"), Version: form.Get("version")}
	notice := "acceptedproposal"
	switch form.Get("action") {
	case "accept":
		_, err = h.o.Pages.AcceptProposals(v.ctx(), v.a, choice)
	case "decline":
		notice = "declinedproposal"
		err = h.o.Pages.DeclineProposals(v.ctx(), v.a, choice, form.Get("reason"))
	default:
		err = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the page and try again from there.")
	}
	if err != nil {
		if wrong, ok := h.formFailure(v, err); ok && wiki.Status(err) != http.StatusNotFound {
			return h.renderProposal(v, wrong.Status, choice.Grant, wrong)
		}
		return err
	}
	back := proposalsPath
	if _, err := h.o.Pages.Proposal(v.ctx(), v.a, choice.Grant); err == nil {
		back += "/" + url.PathEscape(choice.Grant)
	}
	return h.redirect(v, h.tell(v, back, notice))
}
