package oauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"

	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

// AuthorizePath and ConsentPath are the platform's pages of package web.
const (
	AuthorizePath = "/auth/oauth/authorize"
	ConsentPath   = "/auth/oauth/consent"
)

const (
	tokenPath    = "/auth/oauth/token"
	registerPath = "/auth/oauth/register"
	revokePath   = "/auth/oauth/revoke"
	jwksPath     = "/auth/oauth/jwks"
	resourcePath = "/.well-known/oauth-protected-resource"
	serverPath   = "/.well-known/oauth-authorization-server" // RFC 8414, section 3
)

// A Route is one line of the site map.
type Route struct {
	Method         string
	Path           string
	Platform, Wiki bool // hosts that it is on
	serve          func(s *Service, w http.ResponseWriter, r *http.Request, slug string) error
}

// Routes is the site map. Clients guess /authorize, /token and /register on
// whatever host they were told of.
var Routes = []Route{
	{http.MethodPost, tokenPath, true, false, (*Service).token},
	{http.MethodPost, registerPath, true, false, (*Service).register},
	{http.MethodPost, revokePath, true, false, (*Service).revoke},
	{http.MethodGet, jwksPath, true, false, (*Service).showKeys},
	{http.MethodGet, "/.well-known/jwks.json", true, false, (*Service).showKeys},
	{http.MethodGet, "/authorize", true, true, (*Service).sendToAuthorize},
	{http.MethodPost, "/token", true, true, (*Service).token},
	{http.MethodPost, "/register", true, true, (*Service).register},
	{http.MethodGet, serverPath, true, true, (*Service).describeServer},
	{http.MethodGet, openIDPath, true, false, (*Service).describeServer},
	{http.MethodGet, resourcePath, false, true, (*Service).describeResource},
	{http.MethodGet, resourcePath + "/mcp", false, true, (*Service).describeResource},
}

// ServeHTTP answers an endpoint, on the host of the wiki of a slug, which may
// not exist, or of the platform (""). It reports false, and has done nothing,
// where the path is none of its own.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request, slug string) bool {
	route, ok := s.routes[r.URL.Path]
	if !ok || slug == "" && !route.Platform || slug != "" && !route.Wiki {
		return false
	}
	open(w.Header())
	methods := route.Method
	if methods == http.MethodGet {
		methods = "GET, HEAD"
	}
	switch {
	case r.Method == http.MethodOptions:
		preflight(w, methods)
		return true
	case r.Method != route.Method && !(route.Method == http.MethodGet && r.Method == http.MethodHead):
		w.Header().Set("Allow", methods+", OPTIONS")
		s.fail(w, r, slug, &Error{Code: "invalid_request", Text: "This endpoint takes " + methods + ".", status: http.StatusMethodNotAllowed})
		return true
	}
	if err := route.serve(s, w, r, slug); err != nil {
		s.fail(w, r, slug, err)
	}
	return true
}

// open lets browser clients of any origin call: nothing here reads a cookie.
func open(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
}

func preflight(w http.ResponseWriter, methods string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", methods+", OPTIONS")
	h.Set("Access-Control-Allow-Headers", "authorization, content-type, mcp-protocol-version, mcp-method, mcp-name, mcp-session-id")
	h.Set("Access-Control-Max-Age", "7200")
	w.WriteHeader(http.StatusNoContent)
}

// An Error is an answer of the protocol (RFC 6749, section 5.2).
type Error struct {
	Code   string // "invalid_grant"
	Text   string // printable ASCII without quotes and backslashes
	status int    // 400 when 0
	why    string // what monitors tell it from others of its code by, or ""
}

func (e *Error) Error() string { return e.Code + ": " + e.Text }

func fault(code, text string) *Error { return &Error{Code: code, Text: text} }

// because tells an Error from others of its code.
func (e *Error) because(why string) *Error {
	told := *e
	told.why = why
	return &told
}

// causeFor is what monitors count an error by.
func causeFor(err error) string {
	var told *Error
	var tooFast retrier
	switch {
	case errors.As(err, &told) && told.why != "":
		return told.Code + ": " + told.why
	case errors.As(err, &told):
		return told.Code
	case errors.As(err, &tooFast):
		return "too fast"
	}
	return wiki.CauseOf(err)
}

var errClient = &Error{Code: "invalid_client", Text: "This client is not known here, or did not prove who it is. Register again.", status: http.StatusUnauthorized}

// retrier is what a rate limit's error has.
type retrier interface {
	error
	RetryAfter() string
}

// fail answers an error, as JSON that holds no null.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, slug string, err error) {
	answer := &Error{Code: "server_error", Text: "Something broke on our side. Try again.", status: http.StatusInternalServerError}
	var told *Error
	var tooFast retrier
	switch {
	case errors.As(err, &told):
		answer = told
	case errors.As(err, &tooFast):
		w.Header().Set("Retry-After", tooFast.RetryAfter())
		answer = &Error{Code: "temporarily_unavailable", Text: "Too many requests. Try again in " + tooFast.RetryAfter() + " seconds.", status: http.StatusTooManyRequests}
	case r.Context().Err() == nil:
		s.o.Log.ErrorContext(r.Context(), "oauth: request failed", "path", r.URL.Path, "host", slug, "err", err)
	}
	s.o.Failed(path.Base(r.URL.Path), causeFor(err))
	status := answer.status
	if status == 0 {
		status = http.StatusBadRequest
	}
	if answer.Code == errClient.Code && r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="robot.wtf"`) // RFC 6749, section 5.2
	}
	if status < http.StatusInternalServerError {
		s.o.Log.InfoContext(r.Context(), "oauth: refused", "path", r.URL.Path, "host", slug, "agent", r.UserAgent(), "client", clip(r.PostForm.Get("client_id")), "cause", answer.Code, "detail", answer.Text)
	}
	writeJSON(w, r, status, struct {
		Error string `json:"error"`
		Text  string `json:"error_description"`
	}{answer.Code, answer.Text})
}

// clip shortens what a client sent before it is logged.
func clip(text string) string { return text[:min(len(text), 200)] }

func writeJSON(w http.ResponseWriter, r *http.Request, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil { // strings and numbers: cannot be
		status, body = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Pragma", "no-cache") // RFC 6749, section 5.1
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(body, '\n'))
	}
}

// writeDocument answers what is the same for everybody.
func writeDocument(w http.ResponseWriter, r *http.Request, text []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age=300")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(text, '\n'))
	}
}

// readForm reads a form that holds each parameter once (RFC 6749, section 3.2).
// What stands in the address is not looked at.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return nil, fault("invalid_request", "Send a form: Content-Type: application/x-www-form-urlencoded.")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			return nil, &Error{Code: "invalid_request", Text: "The form is too large.", status: http.StatusRequestEntityTooLarge}
		}
		return nil, fault("invalid_request", "The form could not be read.")
	}
	return r.PostForm, once(r.PostForm)
}

func once(form url.Values) error {
	for name, values := range form {
		if len(values) > 1 && name != "resource" {
			return fault("invalid_request", "A parameter was sent twice.")
		}
	}
	return nil
}

// note tells the members of a wiki what came, on the page where they connect
// their agents.
func (s *Service) note(r *http.Request, slug string, status int, cause session.Cause, agent, claims string) {
	if slug != "" {
		s.o.Session.Note(r.Context(), slug, session.Request{Method: r.Method, Path: r.URL.Path, Status: status, Cause: cause, Agent: agent, Claims: claims})
	}
}

// problem is an error for a page that people see.
func problem(kind error, format string, args ...any) error {
	return wiki.Problemf(kind, "", format, args...)
}
