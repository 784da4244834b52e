package web

import (
	"errors"
	"net/http"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

// kinds are the statuses and headings of errors. What a Problem says is shown
// to the caller; of other errors only the kind.
var kinds = []struct {
	kind    error
	status  int
	heading string
	words   string
}{
	{wiki.ErrNotFound, http.StatusNotFound, "Nothing here", "There is nothing at this address, or you may not see it."},
	{wiki.ErrSuspended, http.StatusForbidden, "Suspended", "This wiki was suspended by who runs this service."},
	{wiki.ErrTakenDown, http.StatusUnavailableForLegalReasons, "Withheld", "This may not be shown, for legal reasons."},
	{wiki.ErrDenied, http.StatusForbidden, "Not allowed", "You may not do that here."},
	{wiki.ErrConflict, http.StatusConflict, "Somebody was faster", "What you wanted to change has changed meanwhile. Nothing was saved; look at the newest version and try again."},
	{wiki.ErrExists, http.StatusConflict, "It exists already", "There is something of that name already. Choose another name."},
	{wiki.ErrGone, http.StatusGone, "Gone", "This was here, and is gone for good."},
	{wiki.ErrPrecondition, http.StatusPreconditionFailed, "It has changed", "It has changed since you looked. Nothing was saved; look at the newest version and try again."},
	{wiki.ErrPreconditionRequired, http.StatusPreconditionRequired, "Which version?", "Say which version you started from: open the page and try again from there."},
	{wiki.ErrTooLarge, http.StatusRequestEntityTooLarge, "Too large", "That is more than one page or file may hold."},
	{wiki.ErrQuota, http.StatusInsufficientStorage, "The wiki is full", "This wiki has reached its limit. Delete something, or ask its owner."},
	{wiki.ErrStorage, http.StatusInsufficientStorage, "Not saved", "The disk refused this, so nothing was changed. Keep your text and try again in a minute."},
	{wiki.ErrInvalid, http.StatusBadRequest, "That cannot be", "Something in this request is not as it should be."},
}

// problem is an error for those who caused it: status, heading and sentence.
func problem(err error) (status int, heading, message string) {
	var method methodError
	if errors.As(err, &method) {
		return http.StatusMethodNotAllowed, "Not like that", "This address answers other requests only (" + string(method) + ")."
	}
	var tooFast *limit.Exceeded
	if errors.As(err, &tooFast) {
		return http.StatusTooManyRequests, "Too fast", tooFast.Error()
	}
	if errors.Is(err, session.ErrWatched) {
		return http.StatusTooManyRequests, "Too many", "This page is open in too many places. Close some, or reload it to look again."
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = errors.Join(wiki.ErrTooLarge, err)
	}
	for _, k := range kinds {
		if !errors.Is(err, k.kind) {
			continue
		}
		var p *wiki.Problem
		if errors.As(err, &p) {
			return k.status, k.heading, p.Message
		}
		return k.status, k.heading, k.words
	}
	return http.StatusInternalServerError, "wtf.", "Something broke on our side. What you had saved is safe."
}

// An errorPage tells what went wrong and what to do.
type errorPage struct {
	Frame
	Status  int
	Heading string
	Message string
	SignIn  string // address, for whoever could do it after signing in
	Request string // id of the request, for what is our fault
}

// fail turns an error into its answer. A handler must not have written yet.
func (h *Handler) fail(v *visit, err error) {
	var moved *wiki.Redirect
	if errors.As(err, &moved) {
		h.follow(v, moved)
		return
	}
	status, heading, message := problem(err)
	var method methodError
	if errors.As(err, &method) {
		v.w.Header().Set("Allow", string(method))
	}
	var tooFast *limit.Exceeded
	if errors.As(err, &tooFast) {
		v.w.Header().Set("Retry-After", tooFast.RetryAfter())
	}
	// A private wiki is not there for somebody who was a member until just now.
	lost := status == http.StatusForbidden || status == http.StatusNotFound && !v.a.Can(wiki.Read) || tooFast != nil
	if lost && !reads(v.r) && v.slug != "" {
		if err := h.giveBack(v, status, message); err == nil {
			return
		}
	}
	page := &errorPage{Frame: h.frame(v, heading), Status: status, Heading: heading, Message: message}
	page.NoIndex = true
	if status == http.StatusForbidden && v.caller.Anonymous() && v.slug != "" {
		page.SignIn = h.signInPath(v)
	}
	if (status == http.StatusInternalServerError || errors.Is(err, wiki.ErrStorage)) && v.ctx().Err() == nil {
		page.Request = v.w.Header().Get("X-Request-Id")
	}
	v.failed(err)
	v.w.Header().Set("Cache-Control", "no-store")
	if err := h.render(v, status, "error", page); err != nil {
		h.o.Log.ErrorContext(v.ctx(), "web: error page failed", "error", err)
		http.Error(v.w, message, status)
	}
}

// failed tells the server why, which logs it.
func (v *visit) failed(err error) {
	if log, ok := v.w.(interface{ Failed(cause error) }); ok {
		log.Failed(err)
	}
}

// follow redirects to the name that a look-up gave, with the suffix and query
// that were asked for. A form that is sent to a former name stays a form (308).
func (h *Handler) follow(v *visit, moved *wiki.Redirect) {
	to := moved.To + v.suffix
	if v.r.URL.RawQuery != "" {
		to += "?" + v.r.URL.RawQuery
	}
	status := http.StatusFound
	switch {
	case !reads(v.r):
		status = http.StatusPermanentRedirect
	case moved.Permanent:
		status = http.StatusMovedPermanently
	}
	_ = h.redirectWith(v, status, to)
}
