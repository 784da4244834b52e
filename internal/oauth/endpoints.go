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

// AuthorizePath and ConsentPath are pages of package web on the platform
// host.
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

// SinglePrefix begins the paths of AuthorizePath, ConsentPath and the endpoints below
// /auth on a host that a wiki shares with this server.
const SinglePrefix = "/-"

// A Route is one endpoint.
type Route struct {
	Method         string
	Path           string
	Platform, Wiki bool // the hosts that serve it
	serve          func(s *Service, w http.ResponseWriter, r *http.Request, slug string) error
}

// Routes lists all endpoints. Clients guess /authorize, /token and /register
// on any host they know, so both kinds of host serve them.
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

// onSingleHost returns the route as a wiki's host serves it that is also the
// platform's.
func (r Route) onSingleHost() Route {
	if strings.HasPrefix(r.Path, "/auth/") {
		r.Path = SinglePrefix + r.Path
	}
	r.Wiki = true
	return r
}

// ServeHTTP serves an endpoint on the host of the wiki slug, which might not
// exist, or on the platform host (""). It returns false, having written
// nothing, if the path isn't one of its endpoints.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request, slug string) bool {
	route, ok := s.routes[r.URL.Path]
	if !ok || slug == "" && !route.Platform || slug != "" && !route.Wiki {
		return false
	}
	setCommonHeaders(w.Header())
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
		s.fail(w, r, slug, &Error{Code: "invalid_request", Text: "This endpoint accepts only " + methods + ".", status: http.StatusMethodNotAllowed})
		return true
	}
	if err := route.serve(s, w, r, slug); err != nil {
		s.fail(w, r, slug, err)
	}
	return true
}

// setCommonHeaders allows browser clients of any origin: no endpoint reads a
// cookie.
func setCommonHeaders(h http.Header) {
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

// An Error is an error response of the protocol (RFC 6749, section 5.2).
type Error struct {
	Code   string // "invalid_grant"
	Text   string // printable ASCII without quotes and backslashes
	status int    // 400 when 0
	cause  string // distinguishes errors of one code in the metrics, or ""
}

func (e *Error) Error() string { return e.Code + ": " + e.Text }

func newError(code, text string) *Error { return &Error{Code: code, Text: text} }

// withCause returns a copy of the error with a cause for the metrics.
func (e *Error) withCause(why string) *Error {
	protocolErr := *e
	protocolErr.cause = why
	return &protocolErr
}

// failureCause is the label that the metrics count an error by.
func failureCause(err error) string {
	var protocolErr *Error
	var tooFast rateLimitError
	switch {
	case errors.As(err, &protocolErr) && protocolErr.cause != "":
		return protocolErr.Code + ": " + protocolErr.cause
	case errors.As(err, &protocolErr):
		return protocolErr.Code
	case errors.As(err, &tooFast):
		return "too fast"
	}
	return wiki.CauseOf(err)
}

var errClient = &Error{Code: "invalid_client", Text: "The client is unknown or its authentication failed. Register again.", status: http.StatusUnauthorized}

// A rateLimitError says when to try again.
type rateLimitError interface {
	error
	RetryAfter() string
}

// fail writes an error response and logs it.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, slug string, err error) {
	reply := &Error{Code: "server_error", Text: "Internal error. Try again.", status: http.StatusInternalServerError}
	var protocolErr *Error
	var tooFast rateLimitError
	switch {
	case errors.As(err, &protocolErr):
		reply = protocolErr
	case errors.As(err, &tooFast):
		w.Header().Set("Retry-After", tooFast.RetryAfter())
		reply = &Error{Code: "temporarily_unavailable", Text: "Too many requests. Try again in " + tooFast.RetryAfter() + " seconds.", status: http.StatusTooManyRequests}
	case r.Context().Err() == nil:
		s.o.Log.ErrorContext(r.Context(), "oauth: request failed", "path", r.URL.Path, "host", slug, "err", err)
	}
	s.o.Failed(path.Base(r.URL.Path), failureCause(err))
	status := reply.status
	if status == 0 {
		status = http.StatusBadRequest
	}
	if reply.Code == errClient.Code && r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="robot.wtf"`) // RFC 6749, section 5.2
	}
	if status < http.StatusInternalServerError {
		s.o.Log.InfoContext(r.Context(), "oauth request refused", "path", r.URL.Path, "host", slug, "agent", r.UserAgent(), "client", truncate(r.PostForm.Get("client_id")), "cause", reply.Code, "detail", reply.Text)
	}
	writeJSON(w, r, status, struct {
		Error string `json:"error"`
		Text  string `json:"error_description"`
	}{reply.Code, reply.Text})
}

// truncate shortens a client's input for the log.
func truncate(text string) string { return text[:min(len(text), 200)] }

// writeJSON writes a response. Values omit absent members: clients reject null.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil { // can't happen: only strings and numbers
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

// writeDocument writes a cacheable JSON document that is the same for all
// callers.
func writeDocument(w http.ResponseWriter, r *http.Request, text []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age=300")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(text, '\n'))
	}
}

// readForm reads a form in which no parameter repeats (RFC 6749, section
// 3.2). It ignores the query.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return nil, newError("invalid_request", "Content-Type must be application/x-www-form-urlencoded.")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			return nil, &Error{Code: "invalid_request", Text: "The request body is too large.", status: http.StatusRequestEntityTooLarge}
		}
		return nil, newError("invalid_request", "The request body is not a valid form.")
	}
	return r.PostForm, checkNoDuplicates(r.PostForm)
}

func checkNoDuplicates(form url.Values) error {
	for name, values := range form {
		if len(values) > 1 && name != "resource" {
			return newError("invalid_request", "A parameter is repeated.")
		}
	}
	return nil
}

// recordRequest records a request for the wiki's connect page, where members
// watch their agents connect.
func (s *Service) recordRequest(r *http.Request, slug string, status int, cause session.Cause, agent, claims string) {
	if slug != "" {
		s.o.Session.Note(r.Context(), slug, session.Request{Method: r.Method, Path: r.URL.Path, Status: status, Cause: cause, Agent: agent, Claims: claims})
	}
}

// problem returns an error with a text for people.
func problem(kind error, format string, args ...any) error {
	return wiki.Problemf(kind, "", format, args...)
}
