package web

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

// errorTexts are the headings of errors, and the messages of errors that aren't a
// wiki.Problem. The statuses are those of wiki.Status.
var errorTexts = map[error]struct{ heading, message string }{
	wiki.ErrNotFound:             {"Not found", "There is nothing at this address, or you aren't allowed to see it."},
	wiki.ErrSuspended:            {"Suspended", "This wiki was suspended by the operator."},
	wiki.ErrTakenDown:            {"Unavailable for legal reasons", "This can't be shown, for legal reasons."},
	wiki.ErrDenied:               {"Not allowed", "You aren't allowed to do that here."},
	wiki.ErrConflict:             {"Edit conflict", "This was changed while you were editing. Nothing was saved. Look at the current version and try again."},
	wiki.ErrExists:               {"Already exists", "Something with that name already exists. Choose another name."},
	wiki.ErrGone:                 {"Gone", "This was deleted for good."},
	wiki.ErrPrecondition:         {"Out of date", "This has changed since you opened it. Nothing was saved. Look at the current version and try again."},
	wiki.ErrPreconditionRequired: {"Version missing", "This form doesn't say which version you started from. Open the page again and retry from there."},
	wiki.ErrTooLarge:             {"Too large", "This is larger than a page or file can be."},
	wiki.ErrQuota:                {"Wiki is full", "This wiki has reached its limit. Delete something, or ask its owner." + wiki.RunItYourself},
	wiki.ErrTooMany:              {"Too many requests", "Wait a minute, then try again."},
	wiki.ErrDamaged:              {"Out of order", "Some of the data behind this address can't be read. Nothing was changed. The operator was notified and can restore it from a backup."},
	wiki.ErrStorage:              {"Not saved", "The disk didn't accept this, so nothing was changed. Keep your text and try again in a minute."},
	wiki.ErrStorageBusy:          {"Not saved", "The disk is busy, so nothing was changed. Try again in a moment."},
	wiki.ErrUnavailable:          {"Try again later", "This isn't available at the moment. Try again in a minute."},
	wiki.ErrMalformed:            {"Invalid request", "This request couldn't be read. Go back and send it again."},
	wiki.ErrInvalid:              {"Invalid request", "Something in this request isn't valid."},
}

// problem returns the status, heading and message to show for an error.
func problem(err error) (status int, heading, message string) {
	var method methodError
	var tooFast *limit.Exceeded
	switch {
	case errors.As(err, &method):
		return http.StatusMethodNotAllowed, "Method not allowed", "This address only accepts " + string(method) + " requests."
	case errors.As(err, &tooFast):
		return wiki.Status(err), errorTexts[wiki.ErrTooMany].heading, tooFast.Error()
	case errors.Is(err, session.ErrWatched):
		return wiki.Status(err), "Too many open pages", "This page is open in too many places. Close some, or reload to see what's new."
	}
	text, ok := errorTexts[wiki.KindOf(err)]
	if !ok {
		return http.StatusInternalServerError, "wtf.", "Something broke on our side. Whatever you had saved is safe."
	}
	var p *wiki.Problem
	if errors.As(err, &p) {
		text.message = p.Message
	}
	return wiki.Status(err), text.heading, text.message
}

// An errorPage says what went wrong and what to do.
type errorPage struct {
	Frame
	Status  int
	Heading string
	Message string
	SignIn  string // address, for visitors with access after signing in
	Newer   string // address of the successor of an erased revision
	Request string // id of the request, for faults of the service
}

// fail responds with an error. The handler must not have written yet.
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
	// To a former member, a private wiki doesn't exist.
	lost := errors.Is(err, wiki.ErrDenied) || status == http.StatusNotFound && !v.a.Can(wiki.Read) || tooFast != nil
	if lost && !reads(v.r) && v.slug != "" {
		if err := h.giveBack(v, status, message); err == nil {
			return
		}
	}
	page := &errorPage{Frame: h.frame(v, heading), Status: status, Heading: heading, Message: message}
	page.NoIndex = true
	if errors.Is(err, wiki.ErrDenied) && v.caller.Anonymous() && v.slug != "" {
		page.SignIn = h.signInPath(v)
	}
	if (status == http.StatusInternalServerError || errors.Is(err, wiki.ErrStorage)) && v.ctx().Err() == nil {
		page.Request = v.w.Header().Get("X-Request-Id")
	}
	page.Newer = newerAddress(v, err)
	v.failed(err)
	v.w.Header().Set("Cache-Control", "no-store")
	if err := h.render(v, status, "error", page); err != nil {
		h.o.Log.ErrorContext(v.ctx(), "rendering the error page failed", "err", err)
		http.Error(v.w, message, status)
	}
}

// newerAddress returns the requested address with the new id of a revision that an
// erasure rewrote, "" for other errors.
func newerAddress(v *visit, err error) string {
	var p *wiki.Problem
	if !errors.Is(err, wiki.ErrGone) || !errors.As(err, &p) || p.DidYouMean == "" || !reads(v.r) {
		return ""
	}
	address := *v.r.URL
	query := address.Query()
	if query.Get("revision") != "" {
		query.Set("revision", p.DidYouMean)
		return address.EscapedPath() + "?" + query.Encode()
	}
	segments := strings.Split(address.EscapedPath(), "/")
	last := len(segments) - 1
	if !hexID.MatchString(segments[last]) || hexID.MatchString(segments[last-1]) { // of two ids, either can be the former one
		return ""
	}
	segments[last] = p.DidYouMean
	return strings.Join(segments, "/")
}

var hexID = regexp.MustCompile(`^[0-9A-Fa-f]{7,40}$`)

// failed passes the cause to the server, which logs it.
func (v *visit) failed(err error) {
	if log, ok := v.w.(interface{ Failed(cause error) }); ok {
		log.Failed(err)
	}
}

// follow redirects to a page's current name and keeps suffix and query. A form sent
// to a former name stays a POST (308).
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
