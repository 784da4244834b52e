package web

import (
	"cmp"
	"net/http"
	"strings"

	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

// memberRoutes are the routes for a wiki's members, tokens and agents.
func memberRoutes() []route {
	return []route{
		{pattern: "POST /-/members", need: wiki.Configure, handle: (*Handler).changeMembers},
		{pattern: "POST /-/publication", need: wiki.Configure, handle: (*Handler).publish},
		{pattern: "POST /-/domain", need: wiki.Configure, handle: (*Handler).changeDomain},
		{pattern: "POST /-/handle", need: wiki.Configure, handle: (*Handler).checkHandle},
		{pattern: "POST /-/delete", need: wiki.Configure, handle: (*Handler).deleteWiki},
		{pattern: "GET " + erasePath, need: wiki.Configure, handle: (*Handler).showErase},
		{pattern: "POST " + erasePath, need: wiki.Configure, handle: (*Handler).eraseHistory},
		{pattern: "GET /-/tokens", handle: (*Handler).showTokens},
		{pattern: "POST /-/tokens", handle: (*Handler).changeTokens},
		{pattern: "GET " + linksPath, handle: (*Handler).showLinks},
		{pattern: "POST " + linksPath, handle: (*Handler).changeLinks},
		{pattern: "GET " + webhooksPath, need: wiki.Configure, handle: (*Handler).showWebhooks},
		{pattern: "POST " + webhooksPath, need: wiki.Configure, handle: (*Handler).changeWebhooks},
		{pattern: "GET " + watchedPath, handle: (*Handler).showWatched},
		{pattern: "POST " + watchedPath, handle: (*Handler).changeWatched},
		{pattern: "GET " + agentsPath, handle: (*Handler).showAgents},
		{pattern: "POST " + agentsPath, handle: (*Handler).disconnectAgent},
		{pattern: "GET " + welcomePath, need: wiki.Configure, handle: (*Handler).showWelcome},
		{pattern: "GET /-/connect", handle: (*Handler).showConnect},
		{pattern: "POST /-/connect", handle: (*Handler).reviewAgentCommit},
		{pattern: "GET " + reviewPath, handle: (*Handler).showNew},
		{pattern: "POST " + reviewPath, handle: (*Handler).decideReview},
		{pattern: "GET " + proposalsPath, need: wiki.Edit, handle: (*Handler).showProposals},
		{pattern: "GET " + proposalsPath + "/{grant}", need: wiki.Edit, handle: (*Handler).showProposal},
		{pattern: "POST " + proposalsPath + "/{grant}", need: wiki.Edit, handle: (*Handler).decideProposal},
		{pattern: "GET /-/connect/events", handle: (*Handler).streamConnect},
		{pattern: "GET /.well-known/atproto-did", handle: (*Handler).showHandleDID, open: true},
		{pattern: "GET /.well-known/site.standard.publication", handle: (*Handler).showPublication, open: true},
	}
}

// changeMembers adds a member, changes their role, removes them or offers them the wiki.
func (h *Handler) changeMembers(v *visit) error {
	form, err := h.readForm(v, smallForm, "action")
	if form == nil {
		return err
	}
	typed := strings.ToValidUTF8(form.Get("handle"), "")
	notice := "saved"
	if err == nil {
		switch form.Get("action") {
		case "invite":
			notice = "invited"
			_, err = h.o.Tenant.Invite(v.ctx(), v.a, typed, memberRole(form.Get("role")))
		case "role":
			err = h.o.Tenant.SetMember(v.ctx(), v.a, form.Get("did"), memberRole(form.Get("role")))
		case "remove":
			notice = "removed"
			err = h.o.Tenant.RemoveMember(v.ctx(), v.a, form.Get("did"))
		case "offer":
			notice = "offered"
			err = h.o.Tenant.Offer(v.ctx(), v.a, form.Get("did"))
		case "withdraw":
			notice = "withdrawn"
			err = h.o.Tenant.Offer(v.ctx(), v.a, "")
		default:
			err = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the settings and try again from there.")
		}
	}
	if err == nil {
		return h.redirect(v, h.tell(v, "/-/settings", notice)+"#members")
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	wrong.Field = "handle" // where the page shows it
	return h.renderSettings(v, wrong.Status, &settingsPage{failure: wrong, Settings: currentSettings(v), Invite: typed, InviteRole: form.Get("role")})
}

// memberRole parses the role in a form; NoRole if it is invalid.
func memberRole(name string) wiki.Role {
	role, err := wiki.ParseRole(name)
	if err != nil {
		return wiki.NoRole
	}
	return role
}

// deleteWiki closes the wiki; the dashboard offers to restore it.
func (h *Handler) deleteWiki(v *visit) error {
	form, err := h.readForm(v, smallForm, "confirm")
	if form == nil {
		return err
	}
	if err == nil {
		err = h.o.Tenant.DeleteWiki(v.ctx(), v.a, form.Get("confirm"))
	}
	if err == nil {
		return h.redirect(v, h.tell(v, h.o.Platform+dashboardPath, "ended"))
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	wrong.Field = "confirm"
	return h.renderSettings(v, wrong.Status, &settingsPage{failure: wrong, Settings: currentSettings(v)})
}

// tokensPage lists the member's own tokens for the wiki.
type tokensPage struct {
	Frame
	failure
	Tokens     []*session.Token
	Secret     string // of a new token, shown once
	Name       string // as typed
	CanWrite   bool
	CanPropose bool
}

// showTokens shows the member's own tokens. They aren't part of the settings because
// every member can have tokens, and only the owner sees the settings.
func (h *Handler) showTokens(v *visit) error {
	return h.renderTokens(v, http.StatusOK, &tokensPage{})
}

func (h *Handler) renderTokens(v *visit, status int, p *tokensPage) error {
	var err error
	if p.Tokens, err = h.o.Session.Tokens(v.ctx(), v.a); err != nil {
		return err
	}
	p.Frame = h.frame(v, "Tokens")
	p.NoIndex = true
	edits, site := v.a.Role() >= wiki.Editor, v.a.Site()
	p.CanWrite, p.CanPropose = edits && site.Allows(wiki.ModeEdit), edits && site.Allows(wiki.ModePropose)
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "tokens", p)
}

// changeTokens creates a token, showing its secret only in this response, or
// revokes one.
func (h *Handler) changeTokens(v *visit) error {
	if v.a.Role() < wiki.Viewer {
		return wiki.Problemf(wiki.ErrDenied, "", "Only members can create tokens for this wiki.")
	}
	form, err := h.readForm(v, smallForm, "action")
	if form == nil {
		return err
	}
	p := &tokensPage{Name: strings.ToValidUTF8(form.Get("name"), "")}
	if err == nil {
		switch form.Get("action") {
		case "make":
			if p.Secret, _, err = h.o.Session.NewToken(v.ctx(), v.a, p.Name, cmp.Or(wiki.ParseMode(form.Get("scope")), wiki.ModeRead)); err == nil {
				p.Name = ""
				return h.renderTokens(v, http.StatusOK, p)
			}
		case "revoke":
			if err = h.o.Session.RevokeToken(v.ctx(), v.a, form.Get("id")); err == nil {
				return h.redirect(v, h.tell(v, "/-/tokens", "revoked"))
			}
		default:
			err = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the page and try again from there.")
		}
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	p.failure = wrong
	return h.renderTokens(v, wrong.Status, p)
}

// showHandleDID proves that the wiki's host is its owner's handle, if they have
// switched that on. No page can have this address.
func (h *Handler) showHandleDID(v *visit) error {
	did, err := h.o.Tenant.HandleDID(v.ctx(), v.slug)
	return h.showProof(v, did, err)
}

// showPublication proves that the wiki belongs to a publication (standard.site).
func (h *Handler) showPublication(v *visit) error {
	uri, err := h.o.Tenant.Publication(v.ctx(), v.slug)
	return h.showProof(v, uri, err)
}

// showProof writes a text that other services compare with a record.
func (h *Handler) showProof(v *visit, text string, err error) error {
	if err != nil {
		return err
	}
	v.w.Header().Set("Access-Control-Allow-Origin", "*")
	v.w.Header().Set("Cache-Control", "no-cache")
	h.write(v, http.StatusOK, "text/plain; charset=utf-8", []byte(text))
	return nil
}
