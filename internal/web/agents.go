package web

import (
	"errors"
	"net/http"
	"net/url"

	"robot.wtf/internal/oauth"
	"robot.wtf/internal/wiki"
)

// agentsPath is the address of a wiki's connected agents.
const agentsPath = "/-/agents"

// An agentRow is a connected agent in a list.
type agentRow struct {
	*oauth.Grant
	For   string // the person it acts for, in a list of several people's agents
	Edits int
}

// agentsPage lists the agents connected to a wiki: the caller's own or, for the
// owner, everyone's.
type agentsPage struct {
	Frame
	failure
	Agents []agentRow
	All    bool // the list has everyone's agents
}

func (h *Handler) showAgents(v *visit) error {
	return h.renderAgents(v, http.StatusOK, &agentsPage{})
}

func (h *Handler) renderAgents(v *visit, status int, p *agentsPage) error {
	grants, err := h.o.OAuth.Grants(v.ctx(), v.a)
	if err != nil {
		return err
	}
	members, err := h.o.Tenant.Members(v.ctx(), v.a)
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, m := range members {
		names[m.User.DID] = m.User.Display()
	}
	edits, err := h.o.Pages.CommitCounts(v.ctx(), v.a)
	if err != nil {
		return err
	}
	for _, g := range grants {
		p.Agents = append(p.Agents, agentRow{g, names[g.DID], edits[g.ID]})
	}
	p.Frame = h.frame(v, "Connected agents")
	p.NoIndex, p.All = true, v.a.Role() == wiki.Owner
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "agents", p)
}

// disconnectAgent revokes a grant.
func (h *Handler) disconnectAgent(v *visit) error {
	if v.a.Role() < wiki.Viewer {
		return wiki.Problemf(wiki.ErrDenied, "", "Only members can disconnect agents from this wiki.")
	}
	form, err := h.readForm(v, smallForm, "id")
	if form == nil {
		return err
	}
	if err == nil {
		err = h.o.OAuth.Revoke(v.ctx(), v.a, form.Get("id"))
	}
	if err == nil {
		return h.redirect(v, h.tell(v, agentsPath, "disconnected"))
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	return h.renderAgents(v, wrong.Status, &agentsPage{failure: wrong})
}

// ownAgents lists the person's agents in all wikis.
func (h *Handler) ownAgents(v *visit) ([]agentRow, error) {
	grants, err := h.o.OAuth.GrantsOf(v.ctx(), v.caller)
	if err != nil {
		return nil, err
	}
	edits := map[string]map[string]int{}
	var rows []agentRow
	for _, g := range grants {
		if _, counted := edits[g.Slug]; !counted {
			a, err := h.o.Tenant.Resolve(v.ctx(), g.Slug, v.caller)
			if errors.Is(err, wiki.ErrNotFound) {
				continue // removed since the list was read
			}
			if err == nil {
				edits[g.Slug], err = h.o.Pages.CommitCounts(v.ctx(), a)
			}
			if err != nil {
				return nil, err
			}
		}
		rows = append(rows, agentRow{Grant: g, Edits: edits[g.Slug][g.ID]})
	}
	return rows, nil
}

// disconnectOwnAgent revokes one of the person's grants, in any wiki.
func (h *Handler) disconnectOwnAgent(v *visit) error {
	return h.handleAccountForm(v, "id", func(form url.Values, p *accountPage) (bool, error) {
		if err := h.o.OAuth.RevokeOwn(v.ctx(), v.caller, form.Get("id")); err != nil {
			var problem *wiki.Problem
			if errors.As(err, &problem) {
				err = wiki.Problemf(problem.Kind, "agent", "%s", problem.Message)
			}
			return false, err
		}
		return true, h.redirect(v, h.tell(v, accountPath, "disconnected")+"#agents")
	})
}
