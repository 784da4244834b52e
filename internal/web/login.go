package web

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// signInPage asks for a handle or, in development, for one of the test users.
type signInPage struct {
	Frame
	People   []wiki.User
	Handle   string // as typed
	ReturnTo string
	Wrong    string
	Meant    string // suggested handle, or ""
	Brief    bool   // this isn't the person's device
	Invites  bool   // new people need an invitation, and this one didn't open one
	Server   string // name of the server for people who enter no account, or ""
	Complete string // address that completes handles, or ""
}

func (h *Handler) showSignIn(v *visit) error {
	back := h.safeReturn(v.query("return_to"))
	if v.query(refusedParam) != "" {
		if r, ok := h.takeRefusal(v); ok {
			return h.showRefusal(v, signInPage{ReturnTo: back}, r)
		}
	}
	if !v.caller.Anonymous() {
		return h.redirect(v, back)
	}
	return h.renderSignIn(v, http.StatusOK, signInPage{ReturnTo: back})
}

func (h *Handler) renderSignIn(v *visit, status int, p signInPage) error {
	p.Frame, p.People = h.frame(v, "Sign in"), h.o.People
	p.NoIndex = true
	p.Invites = h.o.Tenant.ByInvitation() && p.ReturnTo != InvitationPath
	v.w.Header().Set("Cache-Control", "no-store")
	if h.o.SignIn != nil {
		p.Server = h.o.SignIn.AccountServer()
		if h.o.SignIn.Completes() {
			p.Complete = completePath
		}
		v.policy = h.headers.signInPolicy
	}
	return h.render(v, status, "signin", &p)
}

// beginSignIn redirects to the person's own server.
func (h *Handler) beginSignIn(v *visit) error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, 64<<10)
	if err := parseForm(v.r); err != nil {
		return err
	}
	p := signInPage{Handle: v.r.PostForm.Get("handle"), ReturnTo: h.safeReturn(v.r.PostForm.Get("return_to")), Brief: v.r.PostForm.Get("brief") != ""}
	v.w.Header().Set("Cache-Control", "no-store")
	if err := h.o.Limits.SignIn(v.r.RemoteAddr); err != nil {
		return h.signInFailed(v, p, err)
	}
	at := v.r.PostForm.Get("at")
	to, err := h.o.SignIn.Begin(v.ctx(), v.w, v.r, atproto.Start{
		Typed: p.Handle, AtServer: at == "server", Create: at == "create", Back: p.ReturnTo, Invitation: invitationForSignIn(v.r, p.ReturnTo),
	})
	if err != nil {
		return h.signInFailed(v, p, err)
	}
	h.rememberBrief(v, p.Brief)
	v.policy = h.headers.signInPolicy
	return h.redirect(v, to)
}

// completePath is the address that completes handles on the form.
const completePath = "/auth/handles"

// completion is an account that a person may mean.
type completion struct {
	Handle string `json:"handle"`
	Name   string `json:"name"`
}

// completeHandle answers with accounts for what a person types, so that their browser
// asks no other host.
func (h *Handler) completeHandle(v *visit) error {
	found, err := h.o.SignIn.Complete(v.ctx(), v.r.RemoteAddr, v.query("q"))
	if err != nil {
		return err
	}
	list := make([]completion, len(found))
	for i, user := range found {
		list[i] = completion{user.Handle, user.Name}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	v.w.Header().Set("Cache-Control", "no-store")
	h.write(v, http.StatusOK, "application/json", text)
	return nil
}

// briefCookie remembers, during a sign-in, that this isn't the person's device.
const briefCookie = "__Host-brief"

func (h *Handler) rememberBrief(v *visit, brief bool) {
	switch {
	case brief:
		http.SetCookie(v.w, h.o.Session.Cookie(briefCookie, "1", int(atproto.Lifetime.Seconds())))
	case h.o.Session.CookieValue(v.r, briefCookie) != "":
		http.SetCookie(v.w, h.o.Session.Cookie(briefCookie, "", -1))
	}
}

// finishSignIn handles the redirect back from the person's server. A person
// without a wiki is asked to create one, unless they were on the way to a page.
func (h *Handler) finishSignIn(v *visit) error {
	v.w.Header().Set("Cache-Control", "no-store")
	user, back, err := h.o.SignIn.Finish(v.ctx(), v.w, v.r)
	if err == nil {
		brief := h.o.Session.CookieValue(v.r, briefCookie) != ""
		h.rememberBrief(v, false)
		err = h.o.Session.SignIn(v.ctx(), v.w, v.r, user, brief)
	}
	back = h.safeReturn(back)
	if err != nil {
		h.keepRefusal(v, h.explainFailure(v, err))
		return h.redirect(v, "/auth/login?"+refusedParam+"=1&return_to="+url.QueryEscape(back))
	}
	if back == dashboardPath && user.Username == "" {
		if err := h.o.Tenant.CanCreate(v.ctx(), user); err == nil || errors.As(err, new(*tenant.Later)) {
			back = createWikiPath
		}
	}
	return h.redirect(v, back)
}

// A refusal is why a person isn't signed in. It is kept in a cookie between a callback
// and the form that shows it, so that the callback's address isn't shown or reloaded.
type refusal struct {
	Cause, Wrong, Meant string
	Status              int
}

const (
	refusalCookie  = "__Host-refused"
	refusalSeconds = 60
)

func (h *Handler) keepRefusal(v *visit, r refusal) {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // it has only strings and a number
	}
	http.SetCookie(v.w, h.o.Session.Cookie(refusalCookie, base64.RawURLEncoding.EncodeToString(text), refusalSeconds))
}

// takeRefusal returns the refusal of this browser's last callback, once.
func (h *Handler) takeRefusal(v *visit) (r refusal, ok bool) {
	value := h.o.Session.CookieValue(v.r, refusalCookie)
	if value == "" {
		return r, false
	}
	http.SetCookie(v.w, h.o.Session.Cookie(refusalCookie, "", -1))
	text, err := base64.RawURLEncoding.DecodeString(value)
	ok = err == nil && json.Unmarshal(text, &r) == nil && r.Status >= 400 && r.Status < 600
	return r, ok
}

// signInFailed shows the form again with the error.
func (h *Handler) signInFailed(v *visit, p signInPage, err error) error {
	return h.showRefusal(v, p, h.explainFailure(v, err))
}

func (h *Handler) showRefusal(v *visit, p signInPage, r refusal) error {
	switch {
	case r.Cause == atproto.NotAdmitted && h.o.Tenant.ByInvitation():
		return h.refuseUninvited(v, wiki.Problemf(wiki.ErrDenied, "", "%s", r.Wrong))
	case r.Cause == atproto.InvitationGone:
		return h.refuseInvitation(v, tenant.ErrInvitation)
	}
	p.Wrong, p.Meant = r.Wrong, r.Meant
	return h.renderSignIn(v, r.Status, p)
}

// explainFailure returns what the person is shown. The cause, nearly always another
// server, is logged and counted.
func (h *Handler) explainFailure(v *visit, err error) refusal {
	r := refusal{Cause: wiki.CauseOf(err), Status: http.StatusUnprocessableEntity}
	var tooFast *limit.Exceeded
	var problem *wiki.Problem
	if errors.As(err, &tooFast) {
		r.Cause = "too fast"
		r.Wrong, r.Status = tooFast.Error(), http.StatusTooManyRequests
		v.w.Header().Set("Retry-After", tooFast.RetryAfter())
	} else if errors.As(err, &problem) {
		r.Wrong, r.Meant = problem.Message, problem.DidYouMean
		switch {
		case errors.Is(problem, wiki.ErrDenied):
			r.Status = http.StatusForbidden
		case errors.Is(problem, wiki.ErrStorage):
			r.Status = http.StatusInsufficientStorage
		}
	} else {
		r.Wrong = "Something broke on our side, and you aren't signed in. Try again in a minute."
		r.Status = http.StatusInternalServerError
	}
	if v.ctx().Err() == nil && err != error(problem) {
		h.o.Log.InfoContext(v.ctx(), "sign-in failed", "err", err)
	}
	h.o.SignInFailed(r.Cause)
	v.failed(err)
	return r
}

// showClientMetadata serves the metadata and keys of this OAuth client.
func (h *Handler) showClientMetadata(v *visit) error {
	if h.o.SignIn == nil || h.o.SignIn.Metadata() == nil {
		return errNoAccounts
	}
	document := h.o.SignIn.Metadata()
	v.w.Header().Set("Cache-Control", "public, max-age=300")
	if v.r.URL.Path == atproto.JWKSPath || v.r.URL.Path == atproto.HomeJWKSPath {
		document = h.o.SignIn.JWKS()
		v.w.Header().Set("Cache-Control", "no-cache") // a new key signs once caches of the old set have expired
	}
	h.write(v, http.StatusOK, "application/json", document)
	return nil
}
