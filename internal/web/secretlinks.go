package web

import (
	"net/http"

	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

const (
	linksPath     = "/-/links"
	feedLinksPath = "/-/feed/"
)

// linksPage lists a member's secret links for a wiki.
type linksPage struct {
	Frame
	failure
	Feeds []shownLink
}

// A shownLink is a secret link with its address.
type shownLink struct {
	*tenant.SecretLink
	URL string
}

func (h *Handler) showLinks(v *visit) error {
	if v.a.Role() < wiki.Viewer {
		return errLinksForMembers
	}
	return h.renderLinks(v, http.StatusOK, &linksPage{})
}

var errLinksForMembers = wiki.Problemf(wiki.ErrDenied, "", "Only members can have secret links to this wiki.")

func (h *Handler) renderLinks(v *visit, status int, p *linksPage) error {
	links, err := h.o.Tenant.SecretLinks(v.ctx(), v.a)
	if err != nil {
		return err
	}
	for _, l := range links {
		p.Feeds = append(p.Feeds, shownLink{l, h.o.WikiOrigin(v.slug) + feedLinksPath + h.o.Tenant.Secret(l)})
	}
	p.Frame = h.frame(v, "Secret links")
	p.NoIndex = true
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "links", p)
}

// changeLinks creates or revokes a secret link.
func (h *Handler) changeLinks(v *visit) error {
	if v.a.Role() < wiki.Viewer {
		return errLinksForMembers
	}
	form, err := h.readForm(v, smallForm, "action")
	if form == nil {
		return err
	}
	notice := ""
	if err == nil {
		switch form.Get("action") {
		case "feed":
			_, err = h.o.Tenant.NewFeedLink(v.ctx(), v.a)
			notice = "linked"
		case "revoke":
			err = h.o.Tenant.RevokeSecretLink(v.ctx(), v.a, form.Get("id"))
			notice = "linkrevoked"
		default:
			err = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the page and try again from there.")
		}
	}
	if err == nil {
		return h.redirect(v, h.tell(v, linksPath, notice))
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	return h.renderLinks(v, wrong.Status, &linksPage{failure: wrong})
}

// setSecretHeaders sets the headers of what a secret link opens: neither caches nor
// search engines keep it, and the address isn't passed on.
func setSecretHeaders(header http.Header) {
	header["X-Robots-Tag"] = noIndex
	header["Referrer-Policy"] = []string{"no-referrer"}
	header["Cache-Control"] = []string{"private, no-store"}
}

// showSecretFeed serves the feed of a private wiki to readers with a secret address. They
// have no cookies, so the link says who they are.
func (h *Handler) showSecretFeed(v *visit) error {
	setSecretHeaders(v.w.Header())
	a, err := h.o.Tenant.OpenFeedLink(v.ctx(), v.slug, v.param("secret"))
	if err != nil {
		return err
	}
	v.a = a
	f, err := h.readFeed(v)
	if err != nil {
		return err
	}
	return h.writeXML(v, "application/atom+xml; charset=utf-8", h.atomOf(v, f, v.r.URL.Path))
}
