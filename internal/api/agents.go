package api

import (
	"net/http"
	"time"

	"robot.wtf/internal/oauth"
)

// managedAgent is a program that a person has let into a wiki.
type managedAgent struct {
	ID       string    `json:"id"`
	Wiki     string    `json:"wiki"`
	DID      string    `json:"did"` // whom it acts for
	Name     string    `json:"name"`
	Client   string    `json:"client"` // OAuth client id
	Host     string    `json:"host"`   // that the client's answer went to
	ReadOnly bool      `json:"read_only"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"` // whatever is refreshed
	FirstUse time.Time `json:"first_use,omitzero"`
	LastUse  time.Time `json:"last_use,omitzero"` // to the hour
}

type agentList struct {
	Agents []managedAgent `json:"agents"`
}

func (m *errand) answerAgents(grants []*oauth.Grant, err error) error {
	if err != nil {
		return err
	}
	list := make([]managedAgent, len(grants))
	for i, g := range grants {
		list[i] = managedAgent{g.ID, g.Slug, g.DID, g.Name, g.Client, g.Host, g.ReadOnly, g.Created, g.Expires, g.FirstUse(), g.LastUse()}
	}
	return m.answer(http.StatusOK, agentList{list})
}

func (h *Handler) listAgents(m *errand) error {
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	return m.answerAgents(h.o.OAuth.Grants(m.Context(), a))
}

func (h *Handler) deleteAgent(m *errand) error {
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	if err := h.o.OAuth.Revoke(m.Context(), a, m.params["id"]); err != nil {
		return err
	}
	return m.answer(http.StatusOK, deletion{true})
}

func (h *Handler) listOwnAgents(m *errand) error {
	return m.answerAgents(h.o.OAuth.GrantsOf(m.Context(), m.caller))
}

func (h *Handler) deleteOwnAgent(m *errand) error {
	if err := h.o.OAuth.RevokeOwn(m.Context(), m.caller, m.params["id"]); err != nil {
		return err
	}
	return m.answer(http.StatusOK, deletion{true})
}
