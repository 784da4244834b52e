package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

var (
	errToken    = errors.New("api: token required")
	errPersonal = errors.New("api: personal token required")
	errMethod   = errors.New("api: method not allowed")
)

// A problem is the body of an error response (RFC 9457). Code is stable and for
// programs; Detail is for people.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Field  string `json:"field,omitempty"`
	Meant  string `json:"did_you_mean,omitempty"` // a suggested value for Field
	*conflict
	Errors []failedEdit `json:"errors,omitempty"` // of a commit of several pages: all that failed
	Files  []string     `json:"files,omitempty"`  // that keep a session from being undone; the conflict is that of the first
}

// A conflict has the details of a 409, so that the client doesn't need to read again.
type conflict struct {
	Path     string      `json:"path"`
	Deleted  bool        `json:"deleted"`
	Revision string      `json:"revision"` // the current one: the base of the next attempt
	Base     string      `json:"base"`
	Theirs   string      `json:"theirs"`
	Places   int         `json:"places"` // regions that both sides changed
	Hunks    []wiki.Hunk `json:"hunks"`  // the regions; empty if there are more than wiki.MaxHunks
}

// An errorText describes a kind of error. The code is stable.
type errorText struct{ code, detail string }

// protocolErrors are this front end's own errors; those of wiki.KindOf are in
// errorTexts.
var protocolErrors = []struct {
	kind   error
	status int
	errorText
}{
	{errToken, http.StatusUnauthorized, errorText{"token_needed", "Send a token for this wiki: Authorization: Bearer rwtf_…"}},
	{errPersonal, http.StatusUnauthorized, errorText{"token_needed", "Send a personal token, which you create on your account page: Authorization: Bearer rwtp_…"}},
	{errMethod, http.StatusMethodNotAllowed, errorText{"method", "This address doesn't support that method; see the Allow header."}},
}

// errorTexts describe errors; the detail is for errors that aren't a wiki.Problem.
var errorTexts = map[error]errorText{
	wiki.ErrMalformed:            {"malformed", "The request couldn't be parsed."},
	wiki.ErrConflict:             {"conflict", "Somebody else changed the same lines. Merge your text with theirs and send it with the current revision."},
	wiki.ErrExists:               {"exists", "Something with that name already exists."},
	wiki.ErrPrecondition:         {"precondition_failed", "The page isn't at the revision you sent. Read it again."},
	wiki.ErrPreconditionRequired: {"precondition_required", "Send the revision you read: If-Match, or \"revision\" in the body."},
	wiki.ErrTooLarge:             {"too_large", "The request is too large."},
	wiki.ErrQuota:                {"quota", "The wiki is full. Delete something, or ask its owner." + wiki.RunItYourself},
	wiki.ErrSuspended:            {"suspended", "This wiki was suspended by the operator."},
	wiki.ErrTakenDown:            {"withheld", "This can't be shown, for legal reasons."},
	wiki.ErrDenied:               {"denied", "You aren't allowed to do that."},
	wiki.ErrInvalid:              {"invalid", "The request has an invalid value."},
	wiki.ErrTooMany:              {"too_fast", "Too many requests. Wait, then try again."},
	wiki.ErrUnavailable:          {"unavailable", "This isn't available at the moment. Try again later."},
	wiki.ErrStorageBusy:          {"storage", "The disk is busy, so nothing was changed. Try again in a moment."},
	wiki.ErrDamaged:              {"damaged", "Some of the stored data can't be read. Nothing was changed. The operator was notified and can restore it from a backup."},
	wiki.ErrStorage:              {"storage", "The disk didn't accept this, so nothing was changed. Try again in a minute."},
	wiki.ErrGone:                 {"gone", "This is gone for good."},
	wiki.ErrNotFound:             {"not_found", "There is no such thing in this wiki."},
}

// describe returns the status and text of an error. An error without a kind is a
// fault of the service and gets a general text.
func describe(err error) (int, errorText) {
	for _, e := range protocolErrors {
		if errors.Is(err, e.kind) {
			return e.status, e.errorText
		}
	}
	if text, ok := errorTexts[wiki.KindOf(err)]; ok {
		return wiki.Status(err), text
	}
	return http.StatusInternalServerError, errorText{"internal", "Something broke on our side. Nothing was changed. Try again."}
}

// describeProblem returns the problem for an error.
func describeProblem(err error) problem {
	status, text := describe(err)
	p := problem{Type: "about:blank", Status: status, Code: text.code, Detail: text.detail}
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
		p.conflict = &conflict{met.Path, met.Deleted, met.TheirBlob, string(met.Base), string(met.Theirs), met.Places, hunks}
		if met.TooMany() {
			p.Detail = fmt.Sprintf("Your text conflicts with theirs in %d places, too many to list. Merge it with theirs yourself and send it with the current revision.", met.Places)
		}
	}
	var undo *pages.UndoConflict
	if errors.As(err, &undo) {
		for _, f := range undo.Files {
			p.Files = append(p.Files, f.Path)
		}
		p.Detail = fmt.Sprintf("Nothing was undone: %d of the session's files were changed in the same places later. Undo the others with \"path\", and edit these.", len(p.Files))
	}
	return p
}

// fail responds with a problem, and passes the cause to the server, which logs it.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := describeProblem(err)
	if p.Errors = failedEdits(err); p.Errors != nil {
		p = describeFailedEdits(p.Errors)
	}
	var tooFast *limit.Exceeded
	if errors.As(err, &tooFast) {
		w.Header().Set("Retry-After", tooFast.RetryAfter())
		p.Detail = tooFast.Error()
	}
	var told *wiki.Problem
	errors.As(err, &told)
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="robot.wtf"`)
		if r.Header.Get("Authorization") != "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="robot.wtf", error="invalid_token"`)
			p.Code, p.Detail = "token_refused", "This token isn't valid for this wiki."
			if session.CauseOf(err) != "" && told != nil {
				p.Detail = told.Message
			}
			if errors.Is(err, errPersonal) {
				p.Detail = "This isn't a personal token (rwtp_…), or it is unknown or revoked."
			}
		}
	}
	if log, ok := w.(interface{ Failed(cause error) }); ok {
		log.Failed(err)
	}
	p.Title = http.StatusText(p.Status)
	body, _ := json.Marshal(p) // strings, numbers and booleans: can't fail
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	if r.Method != "HEAD" {
		w.Write(append(body, '\n'))
	}
}
