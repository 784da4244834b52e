package web

import (
	"net/http"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// draftsPage lists a person's drafts in a wiki.
type draftsPage struct {
	Frame
	Drafts []pages.ListedDraft
}

func (h *Handler) showDrafts(v *visit) error {
	p := &draftsPage{Frame: h.frame(v, "Your drafts")}
	p.NoIndex = true
	var err error
	if p.Drafts, err = h.o.Pages.ListDrafts(v.ctx(), v.a); err != nil {
		return err
	}
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, http.StatusOK, "drafts", p)
}

// discardDraft discards a draft from the list.
func (h *Handler) discardDraft(v *visit) error {
	form, err := h.readForm(v, smallForm, "page")
	if err != nil {
		return err
	}
	if err := h.o.Pages.DropDraft(v.ctx(), v.a, form.Get("page")); err != nil {
		return err
	}
	return h.redirect(v, h.tell(v, "/-/drafts", "discarded"))
}

// draftHere returns the address of the caller's draft of the page that a visit reads,
// or "". It looks at the address alone, because the page may come from the cache.
func (h *Handler) draftHere(v *visit) string {
	if v.slug == "" || !reads(v.r) || !v.a.Can(wiki.Edit) || v.caller.Anonymous() {
		return ""
	}
	name := strings.Trim(v.r.URL.Path, "/")
	if strings.HasPrefix(name, "-/") {
		return ""
	}
	if name == "" {
		var err error
		if name, err = h.o.Pages.Home(v.ctx(), v.a); err != nil {
			return ""
		}
	}
	// The hint isn't worth failing the page.
	if has, err := h.o.Pages.HasDraft(v.ctx(), v.a, name); err != nil || !has {
		return ""
	}
	return wiki.PathURL(name + "/edit")
}
