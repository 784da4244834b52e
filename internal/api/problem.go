package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

var (
	errToken    = errors.New("api: a token is needed")
	errPersonal = errors.New("api: a personal token is needed")
	errMethod   = errors.New("api: method not allowed")
	errBody     = errors.New("api: malformed body")
)

// A problem is what errors look like (RFC 9457). Code is stable and for
// programs; Detail is a sentence for whoever reads it.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Field  string `json:"field,omitempty"`
	Meant  string `json:"did_you_mean,omitempty"` // what the field should perhaps hold
	*conflict
}

// A conflict is what a 409 says besides, so that no second read is needed.
type conflict struct {
	Path     string      `json:"path"`
	Deleted  bool        `json:"deleted"`
	Revision string      `json:"revision"` // the current one: the base of the next try
	Base     string      `json:"base"`
	Theirs   string      `json:"theirs"`
	Hunks    []wiki.Hunk `json:"hunks"`
}

var kinds = []struct {
	kind   error
	status int
	code   string
	detail string // when the error is no Problem
}{
	{errToken, http.StatusUnauthorized, "token_needed", "Send a token of this wiki: Authorization: Bearer rwtf_…"},
	{errPersonal, http.StatusUnauthorized, "token_needed", "Send a personal token, from the account's page: Authorization: Bearer rwtp_…"},
	{errMethod, http.StatusMethodNotAllowed, "method", "This address does not take that method; see the Allow header."},
	{errBody, http.StatusBadRequest, "malformed", "The body could not be read."},
	{wiki.ErrConflict, http.StatusConflict, "conflict", "Somebody else changed the same lines. Merge your text with theirs and send it with the current revision."},
	{wiki.ErrExists, http.StatusConflict, "exists", "There is one of that name already."},
	{wiki.ErrPrecondition, http.StatusPreconditionFailed, "precondition_failed", "The page is not at the revision that you named. Read it again."},
	{wiki.ErrPreconditionRequired, http.StatusPreconditionRequired, "precondition_required", "Say which revision you read: If-Match, or \"revision\" in the body."},
	{wiki.ErrTooLarge, http.StatusRequestEntityTooLarge, "too_large", "That is too large."},
	{wiki.ErrQuota, http.StatusForbidden, "quota", "The wiki is full."},
	{wiki.ErrSuspended, http.StatusForbidden, "suspended", "This wiki was suspended by who runs this service."},
	{wiki.ErrTakenDown, http.StatusUnavailableForLegalReasons, "withheld", "This may not be shown, for legal reasons."},
	{wiki.ErrDenied, http.StatusForbidden, "denied", "You may not do that."},
	{wiki.ErrInvalid, http.StatusUnprocessableEntity, "invalid", "That cannot be."},
	{wiki.ErrStorage, http.StatusInsufficientStorage, "storage", "The disk refused this, so nothing was changed. Try again in a minute."},
	{wiki.ErrGone, http.StatusGone, "gone", "It is gone."},
	{wiki.ErrNotFound, http.StatusNotFound, "not_found", "There is no such thing in this wiki."},
}

// fail turns an error into a problem, and tells the server, which logs it. What
// is not a known kind is ours, and answered in general words.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problem{Type: "about:blank", Status: http.StatusInternalServerError, Code: "internal",
		Detail: "Something broke on our side; nothing was changed. Try again."}
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			p.Status, p.Code, p.Detail = k.status, k.code, k.detail
			break
		}
	}
	var tooFast *limit.Exceeded
	if errors.As(err, &tooFast) {
		w.Header().Set("Retry-After", tooFast.RetryAfter())
		p.Status, p.Code, p.Detail = http.StatusTooManyRequests, "too_fast", tooFast.Error()
	}
	var told *wiki.Problem
	if errors.As(err, &told) && p.Status != http.StatusUnauthorized {
		p.Detail, p.Field, p.Meant = told.Message, told.Field, told.DidYouMean
	}
	var met *wiki.ConflictError
	if errors.As(err, &met) {
		hunks := met.Hunks
		if hunks == nil {
			hunks = []wiki.Hunk{}
		}
		p.conflict = &conflict{met.Path, met.Deleted, met.TheirBlob, string(met.Base), string(met.Theirs), hunks}
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="robot.wtf"`)
		if r.Header.Get("Authorization") != "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="robot.wtf", error="invalid_token"`)
			p.Code, p.Detail = "token_refused", "This token does not open this wiki."
			if session.CauseOf(err) != "" && told != nil {
				p.Detail = told.Message
			}
			if errors.Is(err, errPersonal) {
				p.Detail = "This is no personal token (rwtp_…), or it is unknown or revoked."
			}
		}
	}
	if log, ok := w.(interface{ Failed(cause error) }); ok {
		log.Failed(err)
	}
	p.Title = http.StatusText(p.Status)
	body, _ := json.Marshal(p) // strings, numbers and booleans: cannot fail
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	if r.Method != "HEAD" {
		w.Write(append(body, '\n'))
	}
}
