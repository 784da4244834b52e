package web

import (
	"errors"
	"html/template"
	"net/http"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// landingPage is the front page of the platform.
type landingPage struct {
	Frame
	SignIn string
	People []wiki.User // to sign in as, in development
	Public []wiki.Site // showcased wikis, chosen by the operator
	Limits wiki.Limits
	// MaxWikis is how many wikis a person can own.
	MaxWikis int
	Rates    limit.Rates
}

func (h *Handler) showLanding(v *visit) error {
	p := &landingPage{Frame: h.frame(v, h.o.Name), Rates: h.o.Limits.Rates(), People: h.o.People}
	p.Limits, p.MaxWikis = h.o.Tenant.Limits()
	p.Canonic = h.o.Platform + "/"
	if v.caller.Anonymous() {
		p.SignIn = "/auth/login"
	}
	for _, slug := range h.o.Showcase {
		a, err := h.o.Tenant.Resolve(v.ctx(), slug, wiki.Caller{})
		if errors.Is(err, wiki.ErrNotFound) {
			continue // now private or deleted
		}
		if err != nil {
			return err
		}
		p.Public = append(p.Public, a.Site())
	}
	return h.render(v, http.StatusOK, "landing", p)
}

// aboutPage is a page about the service: limits, privacy or terms.
type aboutPage struct {
	Frame
	Limits    wiki.Limits
	MaxWikis  int
	Rates     limit.Rates
	Policy    template.HTML // the operator's own terms or privacy policy, or ""
	Invites   bool          // sign-up is by invitation
	Completes bool          // handles are completed on the sign-in form
	// Invitations of one person.
	MaxInvitations, InvitationsPerDay int
}

func (h *Handler) showLimits(v *visit) error  { return h.showAbout(v, "limits", "Limits") }
func (h *Handler) showPrivacy(v *visit) error { return h.showAbout(v, "privacy", "Privacy") }
func (h *Handler) showTerms(v *visit) error   { return h.showAbout(v, "terms", "Terms") }

func (h *Handler) showAbout(v *visit, name, title string) error {
	p := &aboutPage{Frame: h.frame(v, title), Rates: h.o.Limits.Rates(), Invites: h.o.Tenant.ByInvitation(), Completes: h.o.SignIn != nil && h.o.SignIn.Completes(), MaxInvitations: tenant.MaxInvitations, InvitationsPerDay: tenant.InvitationsPerDay}
	p.Limits, p.MaxWikis = h.o.Tenant.Limits()
	p.Policy = map[string]template.HTML{"terms": h.o.Terms, "privacy": h.o.Privacy}[name]
	p.Canonic = h.o.Platform + "/" + name
	return h.render(v, http.StatusOK, name, p)
}
