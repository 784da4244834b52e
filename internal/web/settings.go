package web

import (
	"net/http"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// settingsPage is what the owner of a wiki may change, and what it holds.
type settingsPage struct {
	Frame
	failure
	Settings tenant.Settings
	Members  []wiki.Member
	Stats    pages.Stats
	Waiting  int // sections that are not found by meaning yet
	Limits   wiki.Limits
	Fresh    bool   // it can take a repository
	Person   string // DID of who looks
	Invite   string // handle as typed
	// InviteRole is what was chosen for it.
	InviteRole string
}

// currentSettings are the settings as they are, for the forms beside them.
func currentSettings(v *visit) tenant.Settings { return tenant.SettingsOf(v.a.Site()) }

func (h *Handler) showSettings(v *visit) error {
	return h.renderSettings(v, http.StatusOK, &settingsPage{Settings: currentSettings(v)})
}

func (h *Handler) renderSettings(v *visit, status int, p *settingsPage) error {
	p.Frame = h.frame(v, "Settings")
	p.NoIndex = true
	p.Limits, p.Person = v.a.Site().Limits, v.caller.User.DID
	var err error
	if p.Members, err = h.o.Tenant.Members(v.ctx(), v.a); err != nil {
		return err
	}
	if p.Stats, err = h.o.Pages.Stats(v.ctx(), v.a); err != nil {
		return err
	}
	if p.Waiting, err = h.o.Pages.Waiting(v.a); err != nil {
		return err
	}
	if p.Fresh, err = h.o.Pages.Importable(v.ctx(), v.a); err != nil {
		return err
	}
	return h.render(v, status, "settings", p)
}

// saveSettings changes all settings at once: a form that lacks one must not
// make a private wiki public, or clear a title.
func (h *Handler) saveSettings(v *visit) error {
	form, err := h.readForm(v, smallForm, "title", "description", "visibility", "home")
	if form == nil {
		return err
	}
	set := tenant.Settings{
		Title: form.Get("title"), Description: form.Get("description"),
		Public: form.Get("visibility") == "public", Home: form.Get("home"), AsHandle: form.Get("as_handle") == "on",
	}
	if visibility := form.Get("visibility"); err == nil && visibility != "public" && visibility != "private" {
		err = wiki.Problemf(wiki.ErrInvalid, "visibility", "A wiki is public or private.")
	}
	if err == nil {
		err = h.o.Tenant.Configure(v.ctx(), v.a, set)
	}
	if err == nil {
		return h.redirect(v, withNotice("/-/settings", "saved"))
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	set.Title, set.Description, set.Home = strings.ToValidUTF8(set.Title, ""), strings.ToValidUTF8(set.Description, ""), strings.ToValidUTF8(set.Home, "")
	return h.renderSettings(v, wrong.Status, &settingsPage{failure: wrong, Settings: set})
}
