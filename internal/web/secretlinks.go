package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

const (
	linksPath     = "/-/links"
	feedLinksPath = "/-/feed/"
	pageLinksPath = "/-/shared/"
)

// linksPage lists secret links to a wiki: the member's own to its feeds, and those to
// single pages, or to one of them.
type linksPage struct {
	Frame
	failure
	Page   wiki.PageName // whose links are listed, or ""
	Feeds  []shownLink
	Shared []shownLink
}

// A shownLink is a secret link in a list.
type shownLink struct {
	*tenant.SecretLink
	URL   string        // "" of other people's links
	Page  wiki.PageName // present name of the page, "" if it is gone
	Maker string        // "" for the reader
	// MayRevoke says whether the reader can revoke the link.
	MayRevoke bool
}

func (h *Handler) showLinks(v *visit) error {
	if v.a.Role() < wiki.Viewer {
		return errLinksForMembers
	}
	return h.renderLinks(v, http.StatusOK, &linksPage{}, v.query("page"))
}

var errLinksForMembers = wiki.Problemf(wiki.ErrDenied, "", "Only members can have secret links to this wiki.")

// renderLinks shows the links to a page or, if it is "", all links.
func (h *Handler) renderLinks(v *visit, status int, p *linksPage, page string) error {
	if page != "" {
		found, err := h.o.Pages.Find(v.ctx(), v.a, page)
		if err != nil {
			return err
		}
		p.Page = wiki.PageName(found.Path)
	}
	own, err := h.o.Tenant.SecretLinks(v.ctx(), v.a)
	if err != nil {
		return err
	}
	for _, l := range own {
		if l.Page == "" && p.Page == "" {
			p.Feeds = append(p.Feeds, shownLink{SecretLink: l, URL: h.home(v) + feedLinksPath + h.o.Tenant.Secret(l)})
		}
	}
	if p.Shared, err = h.pageLinks(v, p.Page); err != nil {
		return err
	}
	p.Frame = h.frame(v, "Secret links")
	p.NoIndex = true
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "links", p)
}

// pageLinks lists the links to one page or, if it is "", to all.
func (h *Handler) pageLinks(v *visit, page wiki.PageName) (list []shownLink, err error) {
	links, err := h.o.Tenant.PageLinks(v.ctx(), v.a)
	if err != nil || len(links) == 0 {
		return nil, err
	}
	members, err := h.o.Tenant.Members(v.ctx(), v.a)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, m := range members {
		names[m.User.DID] = m.User.Display()
	}
	for _, l := range links {
		name, err := h.o.Pages.SharedName(v.ctx(), v.a, sharedBy(l))
		if err != nil && !errors.Is(err, wiki.ErrNotFound) {
			return nil, err
		}
		if page != "" && name != page {
			continue
		}
		shown := shownLink{SecretLink: l, Page: name, Maker: names[l.DID], MayRevoke: v.a.Can(wiki.Configure)}
		if l.DID == v.caller.User.DID {
			shown.URL, shown.Maker, shown.MayRevoke = h.home(v)+pageLinksPath+h.o.Tenant.Secret(l), "", true
		}
		list = append(list, shown)
	}
	return list, nil
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
	page, notice := form.Get("page"), "linked"
	if err == nil {
		switch form.Get("action") {
		case "feed":
			_, err = h.o.Tenant.NewFeedLink(v.ctx(), v.a)
		case "share":
			err = h.sharePage(v, page)
		case "revoke":
			err = h.o.Tenant.RevokeSecretLink(v.ctx(), v.a, form.Get("id"))
			notice = "linkrevoked"
		default:
			err = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the page and try again from there.")
		}
	}
	if err == nil {
		to := linksPath
		if page != "" {
			to += "?" + url.Values{"page": {page}}.Encode()
		}
		return h.redirect(v, h.tell(v, to, notice))
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	return h.renderLinks(v, wrong.Status, &linksPage{failure: wrong}, "")
}

func (h *Handler) sharePage(v *visit, page string) error {
	if err := v.a.Allow(wiki.Edit); err != nil {
		return err
	}
	name, seq, err := h.o.Pages.Shareable(v.ctx(), v.a, page)
	if err != nil {
		return err
	}
	_, err = h.o.Tenant.NewPageLink(v.ctx(), v.a, name, seq)
	return err
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

// sharedPage is a page that its readers have a secret link to. Its frame knows nothing of
// the wiki.
type sharedPage struct {
	Frame
	View    *pages.View
	Heading template.HTML // the title, if the page begins with it
	Rest    template.HTML // the body without it
}

// sharedBy returns the page that a link is to.
func sharedBy(l *tenant.SecretLink) pages.SharedPage {
	return pages.SharedPage{Name: wiki.PageName(l.Page), Seq: l.Seq, At: l.Created}
}

// showShared shows one page to readers with a secret link to it. The visit keeps no
// access, so that nothing else is shown with the rights of the link's maker.
func (h *Handler) showShared(v *visit) error {
	setSecretHeaders(v.w.Header())
	secret := v.param("secret")
	l, a, err := h.o.Tenant.OpenPageLink(v.ctx(), v.slug, secret)
	if err != nil {
		return err
	}
	view, err := h.o.Pages.ViewShared(v.ctx(), a, sharedBy(l), pageLinksPath+secret+"/")
	if err != nil {
		return tenant.NoLink(err)
	}
	p := &sharedPage{View: view, Frame: Frame{Title: view.Title, NoIndex: true, Home: h.o.Platform, Single: h.o.Single}}
	p.Rest = view.Body
	if len(view.Headings) > 0 && view.Headings[0].Level == 1 {
		p.Heading, p.Rest = cutTitle(view.Body)
	}
	return h.render(v, http.StatusOK, "shared", p)
}

// serveSharedPicture serves a picture of a page to readers with a secret link to it.
func (h *Handler) serveSharedPicture(v *visit) error {
	setSecretHeaders(v.w.Header())
	l, a, err := h.o.Tenant.OpenPageLink(v.ctx(), v.slug, v.param("secret"))
	if err != nil {
		return err
	}
	file := v.param("file")
	if err := h.o.Pages.MayShowShared(v.ctx(), a, sharedBy(l), file); err != nil {
		return tenant.NoLink(err)
	}
	v.a = a
	if size, err := strconv.Atoi(v.query("size")); err == nil && size > 0 {
		return h.serveImage(v, file, "", size)
	}
	return h.serveBytes(v, file, "")
}
