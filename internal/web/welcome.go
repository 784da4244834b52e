package web

import "net/http"

const welcomePath = "/-/welcome"

// welcomePage shows the owner of a new wiki three ways to begin.
type welcomePage struct {
	Frame
	Fresh bool // the wiki has only its initial pages
}

func (h *Handler) showWelcome(v *visit) error {
	p := &welcomePage{Frame: h.frame(v, "Begin")}
	p.NoIndex = true
	var err error
	if p.Fresh, err = h.o.Pages.IsFresh(v.ctx(), v.a); err != nil {
		return err
	}
	return h.renderWithTree(v, http.StatusOK, "welcome", p, "")
}
