package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// InvitationPath is the page of an invitation. A link adds "/" and the code.
const InvitationPath = "/invitation"

// An invitation's code is in the address of the first request only. From there it moves
// to this cookie, so that no link, referrer or history has it. A day is enough to get
// an ATProto account on the way.
const (
	invitationCookie  = "__Host-invitation"
	invitationSeconds = 24 * 60 * 60
	maxInvitationCode = 64
)

func invitationRoutes() []route {
	return []route{
		{pattern: "GET /invitation/{code}", handle: (*Handler).openInvitation},
		{pattern: "GET /invitation", handle: (*Handler).showInvitation},
		{pattern: "POST /invitation", handle: (*Handler).acceptInvitation},
		{pattern: "POST /app/invitations", handle: (*Handler).changeInvitations},
	}
}

// An invitationPage says who invites, and to where.
type invitationPage struct {
	Frame
	Caller  wiki.User // zero if anonymous
	Inviter wiki.User // zero for the operator
	Expires time.Time
	Service string // host
	SignIn  string // address
}

// An uninvitedPage refuses an account, a wiki or an invitation.
type uninvitedPage struct {
	Frame
	Caller  wiki.User // zero if anonymous
	Heading string
	Message string
	SignIn  string // address, if another account could help
}

// openInvitation moves the code of an invitation from the address to the cookie. The
// response is the same for every code.
func (h *Handler) openInvitation(v *visit) error {
	v.w.Header().Set("Referrer-Policy", "no-referrer")
	v.w.Header().Set("Cache-Control", "no-store")
	if !h.o.Tenant.ByInvitation() {
		return errNoInvitations
	}
	if code := v.param("code"); isLinkCode(code) {
		h.setInvitation(v, code, invitationSeconds)
	} else {
		h.setInvitation(v, "", -1)
	}
	return h.redirect(v, InvitationPath)
}

// isLinkCode reports whether a text has the form of a code that rand.Text made, so
// that a cookie can hold it.
func isLinkCode(code string) bool {
	return len(code) <= maxInvitationCode && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// errNoInvitations hides the addresses of invitations unless sign-up is by invitation.
var errNoInvitations = fmt.Errorf("web: sign-up isn't by invitation: %w", wiki.ErrNotFound)

// checkInvitations precedes every look at a code, and counts it.
func (h *Handler) checkInvitations(v *visit) error {
	v.w.Header().Set("Cache-Control", "no-store")
	if !h.o.Tenant.ByInvitation() {
		return errNoInvitations
	}
	return h.o.Limits.Invitation(v.r.RemoteAddr)
}

func (h *Handler) setInvitation(v *visit, code string, seconds int) {
	http.SetCookie(v.w, h.o.Session.Cookie(invitationCookie, code, seconds))
}

// invitationCode returns the code of the invitation that this browser opened, or "".
func invitationCode(r *http.Request) string {
	cookie, err := r.Cookie(invitationCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// invitationForSignIn returns the code that goes with a sign-in, or "". It goes only with
// one that starts on the invitation's page and returns there, because the next person
// to sign in at this browser can be another one.
func invitationForSignIn(r *http.Request, returnTo string) string {
	if returnTo != InvitationPath {
		return ""
	}
	return invitationCode(r)
}

// showInvitation shows the invitation that this browser opened. People who don't need
// one go on without it.
func (h *Handler) showInvitation(v *visit) error {
	if err := h.checkInvitations(v); err != nil {
		return err
	}
	if to, err := h.pastInvitation(v); err != nil {
		return err
	} else if to != "" {
		h.setInvitation(v, "", -1)
		return h.redirect(v, to)
	}
	i, err := h.o.Tenant.Invitation(v.ctx(), invitationCode(v.r))
	if err != nil {
		return h.refuseInvitation(v, err)
	}
	p := &invitationPage{
		Frame: h.frame(v, "Invitation"), Caller: v.caller.User, Inviter: i.Inviter, Expires: i.Expires,
		Service: strings.TrimPrefix(strings.TrimPrefix(h.o.Platform, "https://"), "http://"),
		SignIn:  "/auth/login?return_to=" + url.QueryEscape(InvitationPath),
	}
	p.NoIndex = true
	return h.render(v, http.StatusOK, "invitation", p)
}

// pastInvitation returns the address to continue at for people who don't need an
// invitation, "" for others.
func (h *Handler) pastInvitation(v *visit) (string, error) {
	if v.caller.Anonymous() {
		return "", nil
	}
	sites, err := h.o.Tenant.Sites(v.ctx(), v.caller.User.DID)
	if err != nil {
		return "", err
	}
	if len(sites) > 0 && sites[0].Role() == wiki.Owner {
		return h.tell(v, dashboardPath, "invitationkept"), nil
	}
	err = h.o.Tenant.CanCreate(v.ctx(), v.caller.User)
	switch {
	case errors.Is(err, tenant.ErrUninvited):
		return "", nil
	case err == nil, errors.As(err, new(*wiki.Problem)): // that page says what to wait for
		return createWikiPath, nil
	}
	return "", err
}

// acceptInvitation uses up the invitation for a person who is signed in. Signing in for
// the first time does it for others.
func (h *Handler) acceptInvitation(v *visit) error {
	if err := h.checkInvitations(v); err != nil {
		return err
	}
	if v.caller.Anonymous() {
		return h.redirect(v, InvitationPath)
	}
	if err := h.o.Tenant.AcceptInvitation(v.ctx(), v.caller, invitationCode(v.r)); err != nil {
		return h.refuseInvitation(v, err)
	}
	h.setInvitation(v, "", -1)
	return h.redirect(v, createWikiPath)
}

// refuseInvitation responds to an invitation that can't be used. It returns other
// errors.
func (h *Handler) refuseInvitation(v *visit, err error) error {
	if !errors.Is(err, tenant.ErrInvitation) {
		return err
	}
	h.setInvitation(v, "", -1)
	return h.renderUninvited(v, err, uninvitedPage{Heading: "This invitation can’t be used", Message: err.Error()})
}

// refuseUninvited responds to a person who needs an invitation.
func (h *Handler) refuseUninvited(v *visit, err error) error {
	var problem *wiki.Problem
	errors.As(err, &problem)
	return h.renderUninvited(v, err, uninvitedPage{Heading: "You need an invitation", Message: problem.Message})
}

func (h *Handler) renderUninvited(v *visit, err error, p uninvitedPage) error {
	p.Frame, p.Caller = h.frame(v, p.Heading), v.caller.User
	p.NoIndex = true
	if v.caller.Anonymous() {
		p.SignIn = "/auth/login"
	}
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, wiki.Status(err), "uninvited", &p)
}

// invitationList is the account page's part about invitations. Template "account" shows
// it if the person can invite others, or has invited some.
type invitationList struct {
	CanInvite               bool
	Rows                    []invitationRow
	Link                    string // of a new invitation
	Days, MaxOpen, MaxDaily int
}

type invitationRow struct {
	tenant.Invitation
	Expired bool
}

// fill reads the caller's invitations. It does nothing unless sign-up is by invitation.
func (l *invitationList) fill(h *Handler, v *visit) error {
	if !h.o.Tenant.ByInvitation() {
		return nil
	}
	l.Days, l.MaxOpen, l.MaxDaily = int(tenant.InvitationLifetime.Hours()/24), tenant.MaxInvitations, tenant.InvitationsPerDay
	list, err := h.o.Tenant.Invitations(v.ctx(), v.caller)
	if err != nil {
		return err
	}
	for _, i := range list {
		l.Rows = append(l.Rows, invitationRow{i, !h.o.Now().Before(i.Expires)})
	}
	l.CanInvite, err = h.o.Tenant.CanInvite(v.ctx(), v.caller)
	return err
}

// changeInvitations creates an invitation, whose link the account page then shows once,
// or revokes one.
func (h *Handler) changeInvitations(v *visit) error {
	if !h.o.Tenant.ByInvitation() {
		return errNoInvitations
	}
	return h.handleAccountForm(v, "invitation", func(form url.Values, p *accountPage) (bool, error) {
		switch form.Get("invitation") {
		case "create":
			code, err := h.o.Tenant.NewInvitation(v.ctx(), v.caller)
			if err != nil {
				return false, err
			}
			p.Invitations.Link = h.o.Platform + InvitationPath + "/" + code
			return true, h.renderAccount(v, http.StatusOK, p)
		case "revoke":
			if err := h.o.Tenant.RevokeInvitation(v.ctx(), v.caller, form.Get("id")); err != nil {
				return false, err
			}
			return true, h.redirect(v, h.tell(v, accountPath, "invitationrevoked"))
		}
		return false, wiki.Problemf(wiki.ErrInvalid, "invitation", "This form couldn't be read. Open the page and try again from there.")
	})
}
