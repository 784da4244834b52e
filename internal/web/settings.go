package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// settingsPage shows the settings, members and usage of a wiki to its owner.
type settingsPage struct {
	Frame
	failure
	Settings tenant.Settings
	Members  []wiki.Member
	Stats    pages.Stats
	Offered  wiki.User // whom the owner wants to hand the wiki to; zero for nobody
	Waiting  int       // sections not yet indexed for search by meaning
	Limits   wiki.Limits
	Person   string // DID of the reader
	Imports  []shownImport
	// AllImports is the number of imports; Imports are the newest ones.
	AllImports int
	Invite     string // handle as typed
	// InviteRole is the role chosen for Invite.
	InviteRole string
	// JoinLinks are the open invitations, where members have local identities. Link
	// is a new one or, if LinkFor is the DID of a member, their sign-in link.
	JoinLinks     []tenant.JoinLink
	Link, LinkFor string
	Publication   string // AT-URI as typed or saved
	PageLinks     int    // secret links to single pages
	HasDomains    bool   // wikis can have own domains here
	Domain        tenant.Domain
	TypedDomain   string
}

// currentSettings returns the saved settings, for rendering after a failure of
// another form.
func currentSettings(v *visit) tenant.Settings { return tenant.SettingsOf(v.a.Site()) }

func (h *Handler) showSettings(v *visit) error {
	return h.renderSettings(v, http.StatusOK, &settingsPage{Settings: currentSettings(v)})
}

func (h *Handler) renderSettings(v *visit, status int, p *settingsPage) error {
	p.Frame = h.frame(v, "Settings")
	p.NoIndex = true
	p.Limits, p.Person = v.a.Site().Limits, v.caller.User.DID
	p.Publication = cmp.Or(p.Publication, v.a.Site().Publication)
	var err error
	if p.Members, err = h.o.Tenant.Members(v.ctx(), v.a); err != nil {
		return err
	}
	if p.Offered, err = h.o.Tenant.Offered(v.ctx(), v.a); err != nil {
		return err
	}
	if p.Imports, p.AllImports, err = h.shownImports(v); err != nil {
		return err
	}
	if h.o.Single {
		if p.JoinLinks, err = h.o.Tenant.JoinLinks(v.ctx(), v.a); err != nil {
			return err
		}
	}
	if err := h.addDomain(v, p); err != nil {
		return err
	}
	links, err := h.o.Tenant.PageLinks(v.ctx(), v.a)
	if err != nil {
		return err
	}
	p.PageLinks = len(links)
	if p.Stats, err = h.o.Pages.Stats(v.ctx(), v.a); err != nil {
		return err
	}
	if p.Waiting, err = h.o.Pages.UnembeddedSections(v.a); err != nil {
		return err
	}
	return h.render(v, status, "settings", p)
}

// saveSettings changes all settings at once. A form that lacks one is refused, so
// that it can't make a private wiki public or clear a title.
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
		err = wiki.Problemf(wiki.ErrInvalid, "visibility", "Choose who can read the wiki: private or public.")
	}
	set.Wikilinks, set.Lang = v.a.Site().Wikilinks, v.a.Site().Lang
	if form.Has("lang") {
		set.Lang = strings.ToValidUTF8(form.Get("lang"), "")
	}
	set.Agents = v.a.Site().Agents
	if form.Has("agents") {
		set.Agents = wiki.Mode(strings.ToValidUTF8(form.Get("agents"), ""))
	}
	h.readLooks(form, &set, v.a.Site())
	if err == nil && set.Footer != v.a.Site().Footer {
		err = h.o.Pages.CheckFooter(v.ctx(), v.a, set.Footer)
	}
	if order := form.Get("wikilinks"); err == nil && order != "" {
		set.Wikilinks, err = wiki.ParseLinkOrder(order)
	}
	if err == nil {
		err = h.o.Tenant.Configure(v.ctx(), v.a, set)
	}
	if err == nil {
		return h.redirect(v, h.tell(v, "/-/settings", "saved"))
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	set.Title, set.Description, set.Home = strings.ToValidUTF8(set.Title, ""), strings.ToValidUTF8(set.Description, ""), strings.ToValidUTF8(set.Home, "")
	return h.renderSettings(v, wrong.Status, &settingsPage{failure: wrong, Settings: set})
}

// checkHandle checks that the owner's account uses the wiki's host as its handle.
func (h *Handler) checkHandle(v *visit) error {
	form, err := h.readForm(v, smallForm)
	if form == nil {
		return err
	}
	if err == nil {
		err = h.o.Tenant.CheckHandle(v.ctx(), v.a, h.wikiHost(v.slug))
	}
	if err == nil {
		return h.redirect(v, h.tell(v, "/-/settings", "handle")+"#handle")
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	wrong.Field = "as_handle" // where the page shows it
	return h.renderSettings(v, wrong.Status, &settingsPage{failure: wrong, Settings: currentSettings(v)})
}

// publish connects the wiki with a publication of its owner, or disconnects it.
func (h *Handler) publish(v *visit) error {
	form, err := h.readForm(v, smallForm, "publication")
	if form == nil {
		return err
	}
	typed := strings.ToValidUTF8(form.Get("publication"), "")
	if err == nil {
		err = h.o.Tenant.Publish(v.ctx(), v.a, typed, h.home(v))
	}
	if err == nil {
		return h.redirect(v, h.tell(v, "/-/settings", "saved")+"#publication")
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	wrong.Field = "publication" // where the page shows it
	return h.renderSettings(v, wrong.Status, &settingsPage{failure: wrong, Settings: currentSettings(v), Publication: typed})
}

// wikiHost returns the host of a wiki.
func (h *Handler) wikiHost(slug string) string {
	_, host, _ := strings.Cut(h.o.WikiOrigin(slug), "://")
	return host
}

// namesake reports whether another member is shown with the same name, so that the
// names alone don't tell them apart. A DID is shown in place of an invalid handle anyway.
func namesake(members []wiki.Member, u wiki.User) bool {
	return u.Handle != wiki.InvalidHandle && slices.ContainsFunc(members, func(m wiki.Member) bool {
		return m.User.DID != u.DID && strings.EqualFold(m.User.Display(), u.Display())
	})
}
