package web

import (
	"net/http"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const erasePath = "/-/erase"

// An erasePage is the form that erases a text or a revision from the history. It
// first shows what would change.
type erasePage struct {
	Frame
	failure
	Text     string
	Revision string               // commit id, to erase that revision instead of a text
	Plan     *pages.ErasureReport // what would change, once it is known
	Erased   bool
}

func (h *Handler) showErase(v *visit) error {
	return h.renderErase(v, http.StatusOK, &erasePage{Revision: v.query("revision")})
}

func (h *Handler) renderErase(v *visit, status int, p *erasePage) error {
	p.Frame = h.frame(v, "Erase from history")
	p.NoIndex, p.Erased = true, p.Told == "erased"
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "erase", p)
}

// eraseHistory shows what an erasure would change or, once the owner has confirmed,
// erases.
func (h *Handler) eraseHistory(v *visit) error {
	form, err := h.readForm(v, smallForm, "action")
	if form == nil {
		return err
	}
	p := &erasePage{Text: formText(form.Get("text")), Revision: strings.ToValidUTF8(form.Get("revision"), "")}
	e := pages.Erasure{Text: p.Text, Commit: p.Revision}
	if err == nil {
		switch form.Get("action") {
		case "check":
			var plan pages.ErasureReport
			if plan, err = h.o.Pages.PlanErasure(v.ctx(), v.a, e); err == nil {
				p.Plan = &plan
				return h.renderErase(v, http.StatusOK, p)
			}
		case "erase":
			if err = h.erase(v, e); err == nil {
				return h.redirect(v, h.tell(v, erasePath, "erased"))
			}
		default:
			err = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the page and try again from there.")
		}
	}
	p.failure, _ = h.formFailure(v, err)
	return h.renderErase(v, p.Status, p)
}

// erase erases from the history. The audit log gets the name of the person only.
func (h *Handler) erase(v *visit, e pages.Erasure) error {
	if _, err := h.o.Pages.Erase(v.ctx(), v.a, e); err != nil {
		return err
	}
	return h.o.Tenant.RecordErasure(v.ctx(), v.a)
}
