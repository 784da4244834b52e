package api

import (
	"net/http"
	"time"

	"robot.wtf/internal/oauth"
	"robot.wtf/internal/wiki"
)

// managedAgent is an agent that a person has connected to a wiki.
type managedAgent struct {
	ID       string    `json:"id"`
	Wiki     string    `json:"wiki"`
	DID      string    `json:"did"` // of the person it acts for
	Name     string    `json:"name"`
	Client   string    `json:"client"` // OAuth client id
	Host     string    `json:"host"`   // host of the redirect URI
	ReadOnly bool      `json:"read_only"`
	Mode     wiki.Mode `json:"mode"` // read, propose or edit
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"` // even if tokens are refreshed
	FirstUse time.Time `json:"first_use,omitzero"`
	LastUse  time.Time `json:"last_use,omitzero"` // rounded to the hour
}

type agentList struct {
	Agents []managedAgent `json:"agents"`
}

func (m *manageCall) answerAgents(grants []*oauth.Grant, err error) error {
	if err != nil {
		return err
	}
	list := make([]managedAgent, len(grants))
	for i, g := range grants {
		list[i] = managedAgent{g.ID, g.Slug, g.DID, g.Name, g.Client, g.Host, g.ReadOnly, g.Mode(), g.Created, g.Expires, g.FirstUse(), g.LastUse()}
	}
	return m.respond(http.StatusOK, agentList{list})
}

func (h *Handler) listAgents(m *manageCall) error {
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	return m.answerAgents(h.o.OAuth.Grants(m.Context(), a))
}

func (h *Handler) deleteAgent(m *manageCall) error {
	a, err := h.accessOf(m)
	if err != nil {
		return err
	}
	if err := h.o.OAuth.Revoke(m.Context(), a, m.params["id"]); err != nil {
		return err
	}
	return m.respond(http.StatusOK, deletion{true})
}

func (h *Handler) listOwnAgents(m *manageCall) error {
	return m.answerAgents(h.o.OAuth.GrantsOf(m.Context(), m.caller))
}

func (h *Handler) deleteOwnAgent(m *manageCall) error {
	if err := h.o.OAuth.RevokeOwn(m.Context(), m.caller, m.params["id"]); err != nil {
		return err
	}
	return m.respond(http.StatusOK, deletion{true})
}
