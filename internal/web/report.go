package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"robot.wtf/internal/tenant"
)

// noIndexFor is how long a wiki that became public stays out of search engines: long
// enough for someone to notice and report spam.
const noIndexFor = 72 * time.Hour

// setRobotsHeader keeps search engines out of wikis that became public recently.
func (h *Handler) setRobotsHeader(v *visit) {
	if site := v.a.Site(); site.Public && h.o.Now().Sub(site.Published) < noIndexFor {
		v.w.Header()["X-Robots-Tag"] = noIndex
	}
}

var noIndex = []string{"noindex"}

// A reportPage is the form that reports a page to the operator.
type reportPage struct {
	Frame
	failure
	Page    string // path on this host
	Reason  string
	Words   string
	Reasons []tenant.Reason
	Sent    bool
}

func (h *Handler) showReport(v *visit) error {
	return h.renderReport(v, http.StatusOK, &reportPage{Page: v.query("page")})
}

func (h *Handler) renderReport(v *visit, status int, p *reportPage) error {
	p.Frame = h.frame(v, "Report a page")
	p.NoIndex, p.Sent = true, p.Told == "sent"
	p.Reasons = tenant.Reasons
	return h.render(v, status, "report", p)
}

// sendReport stores a report from anyone who can read the wiki.
func (h *Handler) sendReport(v *visit) error {
	form, err := h.readForm(v, smallForm, "page", "reason")
	if form == nil {
		return err
	}
	p := &reportPage{Page: strings.ToValidUTF8(form.Get("page"), ""), Reason: form.Get("reason"), Words: formText(form.Get("words"))}
	if err == nil {
		err = h.o.Limits.Report(v.r.RemoteAddr)
	}
	if err == nil {
		err = h.o.Tenant.Report(v.ctx(), v.a, tenant.Report{Page: p.Page, Reason: p.Reason, Words: p.Words})
	}
	if err != nil {
		p.failure, _ = h.formFailure(v, err)
		return h.renderReport(v, p.Status, p)
	}
	return h.redirect(v, h.tell(v, "/-/report?page="+url.QueryEscape(p.Page), "sent"))
}
