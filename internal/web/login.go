package web

import (
	"errors"
	"net/http"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// signInPage asks who it is. In development that is choosing one of the people.
type signInPage struct {
	Frame
	People   []wiki.User
	Handle   string // as it was typed
	ReturnTo string
	Wrong    string
	Meant    string // the handle that they may have meant, or ""
}

func (h *Handler) showSignIn(v *visit) error {
	back := h.safeReturn(v.query("return_to"))
	if !v.caller.Anonymous() {
		return h.redirect(v, back)
	}
	return h.renderSignIn(v, http.StatusOK, signInPage{ReturnTo: back})
}

func (h *Handler) renderSignIn(v *visit, status int, p signInPage) error {
	p.Frame, p.People = h.frame(v, "Sign in"), h.o.People
	p.NoIndex = true
	v.w.Header().Set("Cache-Control", "no-store")
	if h.o.SignIn != nil {
		v.policy = h.headers.signInPolicy
	}
	return h.render(v, status, "signin", &p)
}

// beginSignIn sends a person to their own server.
func (h *Handler) beginSignIn(v *visit) error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, 64<<10)
	if err := parseForm(v.r); err != nil {
		return err
	}
	p := signInPage{Handle: v.r.PostForm.Get("handle"), ReturnTo: h.safeReturn(v.r.PostForm.Get("return_to"))}
	v.w.Header().Set("Cache-Control", "no-store")
	if err := h.o.Limits.SignIn(v.r.RemoteAddr); err != nil {
		return h.signInFailed(v, p, err)
	}
	to, err := h.o.SignIn.Begin(v.ctx(), v.w, v.r, p.Handle, p.ReturnTo)
	if err != nil {
		return h.signInFailed(v, p, err)
	}
	v.policy = h.headers.signInPolicy
	return h.redirect(v, to)
}

// finishSignIn is where the person's server sends the browser back to. Who has
// no wiki yet is asked for a name for it, unless they were on their way
// somewhere.
func (h *Handler) finishSignIn(v *visit) error {
	v.w.Header().Set("Cache-Control", "no-store")
	user, back, err := h.o.SignIn.Finish(v.ctx(), v.w, v.r)
	if err == nil {
		err = h.o.Session.SignIn(v.ctx(), v.w, v.r, user)
	}
	back = h.safeReturn(back)
	if err != nil {
		return h.signInFailed(v, signInPage{ReturnTo: back}, err)
	}
	if back == dashboardPath && user.Username == "" && h.mayCreate(user) {
		back = createWikiPath
	}
	return h.redirect(v, back)
}

// signInFailed shows the form again with what went wrong, never as an error of
// ours: the cause is nearly always another server, and goes to the log.
func (h *Handler) signInFailed(v *visit, p signInPage, err error) error {
	status := http.StatusUnprocessableEntity
	var tooFast *limit.Exceeded
	var problem *wiki.Problem
	cause := wiki.CauseOf(err)
	if errors.As(err, &tooFast) {
		cause = "too fast"
		p.Wrong, status = tooFast.Error(), http.StatusTooManyRequests
		v.w.Header().Set("Retry-After", tooFast.RetryAfter())
	} else if errors.As(err, &problem) {
		p.Wrong, p.Meant = problem.Message, problem.DidYouMean
		switch {
		case errors.Is(problem, wiki.ErrDenied):
			status = http.StatusForbidden
		case errors.Is(problem, wiki.ErrStorage):
			status = http.StatusInsufficientStorage
		}
	} else {
		p.Wrong = "Something broke on our side, and you are not signed in. Try again in a minute."
		status = http.StatusInternalServerError
	}
	if v.ctx().Err() == nil && err != error(problem) {
		h.o.Log.InfoContext(v.ctx(), "web: sign-in failed", "err", err)
	}
	h.o.SignInFailed(cause)
	v.failed(err)
	return h.renderSignIn(v, status, p)
}

// showClientMetadata tells other servers about this one as an OAuth client.
func (h *Handler) showClientMetadata(v *visit) error {
	document := h.o.SignIn.Metadata()
	v.w.Header().Set("Cache-Control", "public, max-age=300")
	if v.r.URL.Path == atproto.JWKSPath {
		document = h.o.SignIn.JWKS()
		v.w.Header().Set("Cache-Control", "no-cache") // a new key signs as soon as those who keep the former set must have read it
	}
	h.write(v, http.StatusOK, "application/json", document)
	return nil
}
