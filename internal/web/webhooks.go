package web

import (
	"context"
	"net/http"
	"net/url"

	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

const webhooksPath = "/-/webhooks"

// Webhooks deliver messages about a wiki's changes; see package webhook.
type Webhooks interface {
	// Changed notes that a wiki's webhooks were changed.
	Changed(ctx context.Context, slug string) error
	// Test delivers a test message at once.
	Test(ctx context.Context, a wiki.Access, id string) error
}

// A webhooksPage lists the wiki's webhooks.
type webhooksPage struct {
	Frame
	failure
	Webhooks []shownWebhook
	Address  string // as typed
	Bare     bool   // as chosen, and at first if the wiki is private
	Most     int
}

// A shownWebhook is a webhook with its secret, "" if its messages aren't signed.
type shownWebhook struct {
	tenant.Webhook
	Secret string
}

func (h *Handler) showWebhooks(v *visit) error {
	return h.renderWebhooks(v, http.StatusOK, &webhooksPage{Bare: !v.a.Site().Public})
}

func (h *Handler) renderWebhooks(v *visit, status int, p *webhooksPage) error {
	list, err := h.o.Tenant.Webhooks(v.ctx(), v.a)
	if err != nil {
		return err
	}
	for _, hook := range list {
		shown := shownWebhook{Webhook: hook}
		if hook.Form == tenant.StandardForm {
			shown.Secret = h.o.Tenant.WebhookSecret(hook)
		}
		p.Webhooks = append(p.Webhooks, shown)
	}
	p.Frame, p.Most = h.frame(v, "Webhooks"), tenant.MaxWebhooks
	p.NoIndex = true
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "webhooks", p)
}

// changeWebhooks adds, tests, resumes or removes a webhook.
func (h *Handler) changeWebhooks(v *visit) error {
	form, err := h.readForm(v, smallForm, "action")
	if form == nil {
		return err
	}
	notice := ""
	if err == nil {
		notice, err = h.changeWebhook(v, form)
	}
	if err == nil {
		return h.redirect(v, h.tell(v, webhooksPath, notice))
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	return h.renderWebhooks(v, wrong.Status, &webhooksPage{failure: wrong, Address: form.Get("address"), Bare: form.Get("detail") != "names"})
}

func (h *Handler) changeWebhook(v *visit, form url.Values) (notice string, err error) {
	id := form.Get("id")
	seq, err := h.o.Pages.Head(v.ctx(), v.a)
	if err != nil {
		return "", err
	}
	switch form.Get("action") {
	case "add":
		notice = "hookadded"
		_, err = h.o.Tenant.AddWebhook(v.ctx(), v.a, form.Get("address"), form.Get("detail") != "names", seq)
	case "test":
		return "hooktested", h.o.Webhooks.Test(v.ctx(), v.a, id)
	case "resume":
		notice = "hookresumed"
		err = h.o.Tenant.ResumeWebhook(v.ctx(), v.a, id, seq)
	case "remove":
		notice = "hookremoved"
		err = h.o.Tenant.RemoveWebhook(v.ctx(), v.a, id)
	default:
		err = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the page and try again from there.")
	}
	if err != nil {
		return "", err
	}
	return notice, h.o.Webhooks.Changed(v.ctx(), v.slug)
}
