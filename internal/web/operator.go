package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

const operatorPath = "/app/operator"

// operatorRoutes are the pages of the people who run the service. For everyone else
// they don't exist; each handler begins with asOperator or operatedAccess.
func operatorRoutes() []route {
	return []route{
		{pattern: "GET " + operatorPath, handle: (*Handler).showOperator},
		{pattern: "POST " + operatorPath, handle: (*Handler).closeReport},
		{pattern: "GET " + operatorPath + "/{slug}", handle: (*Handler).showOperatedWiki},
		{pattern: "POST " + operatorPath + "/{slug}", handle: (*Handler).operateWiki},
	}
}

// isOperatorPath reports whether an address belongs to the operators' pages.
func isOperatorPath(path string) bool {
	return path == operatorPath || strings.HasPrefix(path, operatorPath+"/")
}

// isOperator reports whether a person in a browser is one of the operators.
func (h *Handler) isOperator(c wiki.Caller) bool {
	return c.Session != "" && c.Grant == "" && !c.User.Suspended && c.User.DID != "" && slices.Contains(h.o.Operators, c.User.DID)
}

// asOperator returns the caller with the rights of the operator. It is the only check
// of the operators' pages: for everyone else it fails like an unknown address.
func (h *Handler) asOperator(v *visit) (wiki.Caller, error) {
	if !h.isOperator(v.caller) {
		return wiki.Caller{}, h.noSuchAddress(v)
	}
	v.w.Header().Set("Cache-Control", "no-store")
	operator := v.caller
	operator.Operator = true
	return operator, nil
}

// operatorPage lists the open reports, or shows one wiki.
type operatorPage struct {
	Frame
	failure
	Reports []tenant.OpenReport
	Wiki    *operatedWiki
}

// operatedWiki is what operators see of a wiki: its state, but none of its pages.
type operatedWiki struct {
	Site      wiki.Site
	State     tenant.SiteState
	Own       wiki.Limits // 0 means the default
	Stats     pages.Stats
	Damaged   bool
	Takedowns []pages.Takedown
}

func (h *Handler) showOperator(v *visit) error {
	operator, err := h.asOperator(v)
	if err != nil {
		return err
	}
	if slug := cleanSlug(v.query("wiki")); slug != "" && wiki.CheckHost(slug) == nil {
		return h.redirect(v, operatorPath+"/"+slug)
	}
	p := &operatorPage{}
	if p.Reports, err = h.o.Tenant.OpenReports(v.ctx(), operator); err != nil {
		return err
	}
	return h.renderOperator(v, http.StatusOK, "Operator", p)
}

func (h *Handler) renderOperator(v *visit, status int, title string, p *operatorPage) error {
	p.Frame = h.frame(v, title)
	p.NoIndex = true
	return h.render(v, status, "operator", p)
}

func (h *Handler) closeReport(v *visit) error {
	operator, err := h.asOperator(v)
	if err != nil {
		return err
	}
	form, err := h.readForm(v, smallForm, "id")
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(form.Get("id"), 10, 64)
	if err != nil {
		return wiki.Problemf(wiki.ErrInvalid, "id", "This form couldn't be read. Open the page and try again from there.")
	}
	if err := h.o.Tenant.CloseReport(v.ctx(), operator, id); err != nil {
		return err
	}
	return h.redirect(v, h.tell(v, operatorPath, "reportclosed"))
}

// operatedAccess returns an operator's access to the wiki in the address.
func (h *Handler) operatedAccess(v *visit) (wiki.Access, error) {
	operator, err := h.asOperator(v)
	if err != nil {
		return wiki.Access{}, err
	}
	return h.o.Tenant.Resolve(v.ctx(), v.r.PathValue("slug"), operator)
}

func (h *Handler) showOperatedWiki(v *visit) error {
	a, err := h.operatedAccess(v)
	if err != nil {
		return err
	}
	return h.renderOperatedWiki(v, http.StatusOK, a, failure{})
}

func (h *Handler) renderOperatedWiki(v *visit, status int, a wiki.Access, wrong failure) error {
	w := &operatedWiki{Site: a.Site()}
	var err error
	if w.State, err = h.o.Tenant.State(v.ctx(), a); err != nil {
		return err
	}
	if w.Own, err = h.o.Tenant.OwnLimits(v.ctx(), a); err != nil {
		return err
	}
	w.Stats, err = h.o.Pages.Stats(v.ctx(), a)
	if err == nil {
		w.Takedowns, err = h.o.Pages.Takedowns(v.ctx(), a)
	}
	if w.Damaged = errors.Is(err, wiki.ErrDamaged) || errors.Is(err, wiki.ErrNotFound); err != nil && !w.Damaged {
		return err
	}
	return h.renderOperator(v, status, w.Site.Slug, &operatorPage{failure: wrong, Wiki: w})
}

// operateWiki suspends a wiki, takes a page down, sets limits, or undoes that. The audit
// log gets the operator's name first, so that no act is missing there.
func (h *Handler) operateWiki(v *visit) error {
	a, err := h.operatedAccess(v)
	if err != nil {
		return err
	}
	form, err := h.readForm(v, smallForm, "action")
	if form == nil {
		return err
	}
	if err == nil {
		act := operatorActs[form.Get("action")]
		if act == nil {
			err = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the page and try again from there.")
		} else if err = h.o.Tenant.RecordAct(v.ctx(), a, form.Get("action")); err == nil {
			err = act(h, v, a, form.Get)
		}
	}
	if err == nil {
		h.o.Session.Wake(a.Site().Slug)
		return h.redirect(v, h.tell(v, operatorPath+"/"+a.Site().Slug, "saved"))
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	return h.renderOperatedWiki(v, wrong.Status, a, wrong)
}

// operatorActs are what operators can do to a wiki, by the name in the form.
var operatorActs = map[string]func(h *Handler, v *visit, a wiki.Access, field func(string) string) error{
	"suspend": func(h *Handler, v *visit, a wiki.Access, field func(string) string) error {
		return h.o.Tenant.Suspend(v.ctx(), a, reasonField(field))
	},
	"resume": func(h *Handler, v *visit, a wiki.Access, _ func(string) string) error {
		return h.o.Tenant.Resume(v.ctx(), a)
	},
	"limits": (*Handler).setLimits,
	"takedown": func(h *Handler, v *visit, a wiki.Access, field func(string) string) error {
		why := reasonField(field)
		if why == "" {
			return wiki.Problemf(wiki.ErrInvalid, "page", "Give a reason. Readers see it in place of the page.")
		}
		file, err := h.o.Pages.TakeDown(v.ctx(), a, field("page"), why)
		if err != nil {
			return err
		}
		return h.o.Tenant.RecordTakedown(v.ctx(), a, file, why)
	},
	"putback": func(h *Handler, v *visit, a wiki.Access, field func(string) string) error {
		file, err := h.o.Pages.LiftTakedown(v.ctx(), a, field("page"))
		if err != nil {
			return err
		}
		return h.o.Tenant.RecordTakedown(v.ctx(), a, file, "")
	},
}

// reasonField returns the reason in a form, in one line of at most 300 bytes.
func reasonField(field func(string) string) string {
	why := strings.Join(strings.Fields(formText(field("reason"))), " ")
	return strings.ToValidUTF8(why[:min(len(why), 300)], "")
}

// setLimits sets the limits of one wiki; an empty field means the default.
func (h *Handler) setLimits(v *visit, a wiki.Access, field func(string) string) error {
	own, err := h.o.Tenant.OwnLimits(v.ctx(), a)
	if err != nil {
		return err
	}
	var pages, files, members int64
	for name, to := range map[string]struct {
		value *int64
		unit  int64
	}{"pages": {&pages, 1}, "files": {&files, 1}, "members": {&members, 1}, "current": {&own.CurrentBytes, 1 << 20}, "history": {&own.HistoryBytes, 1 << 20}} {
		n, err := strconv.ParseInt(cmp.Or(strings.TrimSpace(field(name)), "0"), 10, 64)
		if err != nil || n < 0 || n > 1_000_000 {
			return wiki.Problemf(wiki.ErrInvalid, "limits", "Limits are numbers between 0 and 1,000,000. Leave one empty for the default.")
		}
		*to.value = n * to.unit
	}
	own.Pages, own.Files, own.Members = int(pages), int(files), int(members)
	return h.o.Tenant.SetLimits(v.ctx(), a, own)
}
