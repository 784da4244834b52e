package web

import (
	"errors"
	"net/http"
	"net/url"

	"robot.wtf/internal/oauth"
	"robot.wtf/internal/wiki"
)

// consentRoutes are the routes where a person decides on an agent's request.
func consentRoutes() []route {
	return []route{
		{pattern: "GET " + oauth.AuthorizePath, handle: (*Handler).beginConsent},
		{pattern: "GET " + oauth.ConsentPath, handle: (*Handler).showConsent},
		{pattern: "POST " + oauth.ConsentPath, handle: (*Handler).decideConsent},
	}
}

// signInAddress is where people sign in who decide on an agent's request, and then
// return to an address.
func (h *Handler) signInAddress(back string) string {
	if h.o.Single {
		return homeSignInPath + "?to=" + url.QueryEscape(back)
	}
	return "/auth/login?return_to=" + url.QueryEscape(back)
}

// consentPage asks a person to let an agent into a wiki.
type consentPage struct {
	Frame
	failure
	*oauth.ConsentPrompt
	Person    wiki.User
	Action    string // address of the form
	MayCreate bool   // the person has no wiki yet and can create one
	Back      string
}

// beginConsent stores an agent's request and redirects to the consent page.
func (h *Handler) beginConsent(v *visit) error {
	v.w.Header().Set("Cache-Control", "no-store")
	to, err := h.o.OAuth.Authorize(v.w, v.r)
	if err != nil {
		return err
	}
	return h.redirect(v, to)
}

func (h *Handler) showConsent(v *visit) error {
	v.w.Header().Set("Cache-Control", "no-store")
	if v.caller.Anonymous() {
		return h.redirectWith(v, http.StatusFound, h.signInAddress(v.r.URL.RequestURI()))
	}
	return h.renderConsent(v, http.StatusOK, v.query("request"), failure{})
}

// renderConsent shows a request. People who can't approve it see the same page for
// every wiki, whether it exists or not.
func (h *Handler) renderConsent(v *visit, status int, request string, f failure) error {
	ask, err := h.o.OAuth.ConsentPrompt(v.r, request, v.caller)
	if err != nil {
		return err
	}
	p := &consentPage{Frame: h.frame(v, "Let "+ask.Name+" in?"), failure: f, ConsentPrompt: ask, Person: v.caller.User, Action: h.o.OAuth.Path(oauth.ConsentPath)}
	p.NoIndex = true
	if !ask.CanRead {
		slug := ask.Slug
		if ask.WikiHost != h.wikiHost(slug) {
			slug = "" // strangers don't learn which wiki an own domain shows
		}
		if p.MayCreate, err = h.canCreateFirstWiki(v); err != nil {
			return err
		}
		p.Back = createWikiPath + "?" + url.Values{"slug": {slug}, "return_to": {oauth.ConsentPath + "?request=" + url.QueryEscape(request)}}.Encode()
	}
	v.policy = h.headers.consentPolicy(ask.Policy)
	v.w.Header().Set("X-Frame-Options", "DENY") // for browsers without frame-ancestors
	return h.render(v, status, "consent", p)
}

// canCreateFirstWiki reports whether the person has no wiki and may create one.
func (h *Handler) canCreateFirstWiki(v *visit) (bool, error) {
	if h.o.Single || h.o.Tenant.CanCreate(v.ctx(), v.caller.User) != nil {
		return false, nil
	}
	sites, err := h.o.Tenant.Sites(v.ctx(), v.caller.User.DID)
	return len(sites) == 0 || sites[0].Role() != wiki.Owner, err
}

// decideConsent handles the person's decision. If they may not approve, the page
// says so, and the request stays pending.
func (h *Handler) decideConsent(v *visit) error {
	v.w.Header().Set("Cache-Control", "no-store")
	form, err := h.readForm(v, smallForm, "request", "person", "answer")
	if err != nil {
		return err
	}
	verdict := oauth.Decision{Secret: form.Get("request"), Person: form.Get("person"), Mode: wiki.ParseMode(form.Get("scope"))}
	switch form.Get("answer") {
	case "allow":
		verdict.Allow = true
	case "deny":
	default:
		return wiki.Problemf(wiki.ErrInvalid, "answer", "This form couldn't be read. Start again from your agent.")
	}
	if verdict.Allow && verdict.Mode == "" {
		return h.renderConsent(v, http.StatusUnprocessableEntity, verdict.Secret, failure{Field: "scope", Wrong: "Choose what the agent can do."})
	}
	if v.caller.Anonymous() {
		return h.redirect(v, h.signInAddress(h.o.OAuth.Path(oauth.ConsentPath)+"?request="+url.QueryEscape(verdict.Secret)))
	}
	to, err := h.o.OAuth.Decide(v.r, v.caller, verdict)
	if errors.Is(err, wiki.ErrDenied) {
		wrong, _ := h.formFailure(v, err)
		return h.renderConsent(v, wrong.Status, verdict.Secret, wrong)
	}
	if err != nil {
		return err
	}
	return h.redirect(v, to)
}
