package web

import (
	"net/http"
	"net/url"
	"strings"

	"robot.wtf/internal/wiki"
)

// home returns the origin where people read a wiki: of its own domain if it has one,
// otherwise of its subdomain.
func (h *Handler) home(v *visit) string { return h.o.Session.Home(v.ctx(), v.slug) }

// homeAddress returns where a page is read if the request was sent to the wiki's other
// host, otherwise "".
func (h *Handler) homeAddress(r *http.Request, slug string) string {
	if h.o.Single || !reads(r) {
		return ""
	}
	home := h.o.Session.Home(r.Context(), slug)
	if home == h.o.Session.Origin(r, slug) {
		return ""
	}
	return home + r.URL.RequestURI()
}

// redirectHome redirects a reader of a page to the wiki's other host, if people read it
// there, and reports whether it did. Nobody else learns from it that the two hosts
// belong together. The owner's pages stay, so that they work when the domain doesn't.
func (h *Handler) redirectHome(v *visit, rt route) (bool, error) {
	to := h.homeAddress(v.r, v.slug)
	if to == "" || rt.need == wiki.Configure {
		return false, nil
	}
	return true, h.redirectWith(v, http.StatusMovedPermanently, to)
}

// handoverPage asks a person whether to sign in on a wiki's own domain.
type handoverPage struct {
	Frame
	Domain string
	Person wiki.User
	Action string // address of the form
}

// handOver handles a request to sign in on a wiki's own domain. The people who run it
// could otherwise learn who visits them, so the person agrees first.
func (h *Handler) handOver(v *visit, domain string) error {
	if v.caller.Anonymous() {
		return h.redirectWith(v, http.StatusFound, h.signInAddress(v.r.URL.RequestURI()))
	}
	if v.r.Method == http.MethodPost {
		to, err := h.o.Session.SSOGrant(v.ctx(), v.caller, v.r)
		if err != nil {
			return err
		}
		return h.redirect(v, to)
	}
	p := &handoverPage{Frame: h.frame(v, "Continue to "+domain), Domain: domain, Person: v.caller.User, Action: v.r.URL.RequestURI()}
	p.NoIndex = true
	scheme, _, _ := strings.Cut(h.o.Platform, "://")
	v.policy = h.headers.consentPolicy(scheme + "://" + domain + portOf(h.o.Platform))
	v.w.Header().Set("X-Frame-Options", "DENY") // for browsers without frame-ancestors
	return h.render(v, http.StatusOK, "handover", p)
}

// portOf returns the port of an origin with its colon, or "".
func portOf(origin string) string {
	u, err := url.Parse(origin)
	if err != nil || u.Port() == "" {
		return ""
	}
	return ":" + u.Port()
}

// confirmSSO is the form of handoverPage.
func (h *Handler) confirmSSO(v *visit) error {
	v.w.Header().Set("Cache-Control", "no-store")
	domain, err := h.o.Session.SSODomain(v.r)
	if err != nil {
		return err
	}
	if domain == "" {
		return wiki.Problemf(wiki.ErrInvalid, "", "This form couldn't be read. Open the wiki again.")
	}
	return h.handOver(v, domain)
}

// changeDomain handles the forms about the wiki's own domain in the settings.
func (h *Handler) changeDomain(v *visit) error {
	form, err := h.readForm(v, smallForm, "action")
	if form == nil {
		return err
	}
	typed, notice := strings.ToValidUTF8(form.Get("domain"), ""), "domainnamed"
	if err == nil {
		switch form.Get("action") {
		case "name":
			err = h.o.Tenant.NameDomain(v.ctx(), v.a, typed)
		case "check":
			notice = "domainchecked"
			err = h.o.Tenant.CheckDomain(v.ctx(), v.a)
		case "disconnect":
			notice = "domaingone"
			err = h.o.Tenant.DisconnectDomain(v.ctx(), v.a)
		default:
			err = wiki.Problemf(wiki.ErrInvalid, "domain", "This form couldn't be read. Open the settings and try again from there.")
		}
	}
	if err == nil {
		return h.redirect(v, h.tell(v, "/-/settings", notice)+"#domain")
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	wrong.Field = "domain" // where the page shows it
	return h.renderSettings(v, wrong.Status, &settingsPage{failure: wrong, Settings: currentSettings(v), TypedDomain: typed})
}

// addDomain adds the wiki's own domain to the settings page.
func (h *Handler) addDomain(v *visit, p *settingsPage) (err error) {
	if h.o.Single {
		return nil
	}
	p.Domain, err = h.o.Tenant.Domain(v.ctx(), v.a)
	p.HasDomains = h.o.Tenant.OffersDomains() || p.Domain.State() != ""
	return err
}
