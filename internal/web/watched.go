package web

import (
	"errors"
	"net/http"
	"net/url"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

const watchedPath = "/-/watched"

// watchedPage lists the pages that a member watches in a wiki.
type watchedPage struct {
	Frame
	failure
	Page     wiki.PageName // that was asked about, or ""
	Watching bool          // the member watches Page
	Rows     []watchedRow
	Feed     string // address of the page about the member's feed
}

// A watchedRow is a page in a list of watched ones.
type watchedRow struct {
	tenant.Watch
	Name wiki.PageName // present name of the page, "" if it is gone
}

func (h *Handler) showWatched(v *visit) error {
	return h.renderWatched(v, http.StatusOK, &watchedPage{}, v.query("page"))
}

// watchedBy returns the page that a watch is about.
func watchedBy(w tenant.Watch) pages.SharedPage {
	return pages.SharedPage{Name: wiki.PageName(w.Page), Seq: w.Seq, At: w.Created}
}

// renderWatched lists the watched pages. If page isn't "", it also says whether that one
// is among them.
func (h *Handler) renderWatched(v *visit, status int, p *watchedPage, page string) (err error) {
	if p.Rows, err = h.watchedRows(v); err != nil {
		return err
	}
	if page != "" {
		found, err := h.o.Pages.Find(v.ctx(), v.a, page)
		if err != nil {
			return err
		}
		p.Page = wiki.PageName(found.Path)
	}
	for _, row := range p.Rows {
		p.Watching = p.Watching || p.Page != "" && row.Name == p.Page
	}
	p.Frame = h.frame(v, "Watched pages")
	p.NoIndex, p.Feed = true, h.ownFeedAddress("")
	return h.render(v, status, "watched", p)
}

func (h *Handler) watchedRows(v *visit) ([]watchedRow, error) {
	list, err := h.o.Tenant.Watches(v.ctx(), v.a)
	if err != nil {
		return nil, err
	}
	rows := make([]watchedRow, len(list))
	for i, w := range list {
		name, err := h.o.Pages.SharedName(v.ctx(), v.a, watchedBy(w))
		if err != nil && !errors.Is(err, wiki.ErrNotFound) {
			return nil, err
		}
		rows[i] = watchedRow{w, name}
	}
	return rows, nil
}

// changeWatched starts or stops watching a page.
func (h *Handler) changeWatched(v *visit) error {
	if v.a.Role() < wiki.Viewer {
		return wiki.Problemf(wiki.ErrDenied, "", "Only members can watch pages of this wiki.")
	}
	form, err := h.readForm(v, smallForm, "action")
	if form == nil {
		return err
	}
	to, notice := watchedPath, ""
	if err == nil {
		switch form.Get("action") {
		case "watch":
			var name wiki.PageName
			name, err = h.watch(v, form.Get("page"))
			to, notice = watchedPath+"?"+url.Values{"page": {string(name)}}.Encode(), "watching"
		case "stop":
			notice, err = "unwatched", h.stopWatching(v, form.Get("page"))
		default:
			err = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the page and try again from there.")
		}
	}
	if err == nil {
		return h.redirect(v, h.tell(v, to, notice))
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	return h.renderWatched(v, wrong.Status, &watchedPage{failure: wrong}, "")
}

// watch makes the caller watch a page, unless they do already, maybe by a former name.
func (h *Handler) watch(v *visit, page string) (wiki.PageName, error) {
	name, seq, err := h.o.Pages.Shareable(v.ctx(), v.a, page)
	if err != nil {
		return "", err
	}
	rows, err := h.watchedRows(v)
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		if row.Name == name {
			return name, nil
		}
	}
	return name, h.o.Tenant.AddWatch(v.ctx(), v.a, name, seq)
}

// stopWatching ends the watch of a page by its present name, or by the name that a page
// had that is gone.
func (h *Handler) stopWatching(v *visit, page string) error {
	rows, err := h.watchedRows(v)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if string(row.Name) == page || row.Name == "" && row.Page == page {
			return h.o.Tenant.RemoveWatch(v.ctx(), v.a, row.Page)
		}
	}
	return wiki.Problemf(wiki.ErrNotFound, "page", "You don't watch this page any more.")
}
