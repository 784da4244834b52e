// Package server is the HTTP entry point. It routes hosts and paths to the front
// ends, rejects requests that no front end should see, and contains panics.
//
// It knows neither users nor pages. It sets what every response carries (request
// id, security headers); headers that depend on the content, such as the
// Content-Security-Policy, are set by the front ends.
//
// Invariants: paths are checked before any mux cleans them; the client's address
// comes from X-Forwarded-For only if the peer is a trusted proxy; only front
// ends that never read cookies skip the cross-origin check; logs and metrics
// contain no page, address or query.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/session"
	"robot.wtf/internal/timing"
	"robot.wtf/internal/wiki"
)

// Options configures a Server.
type Options struct {
	Host   string // the platform's host name without port; wikis are its subdomains
	Home   string // the platform's origin, linked from refusals of unknown hosts
	Secure bool   // the public origin is https
	// Single is the slug of the only wiki, which is served on Host itself, without a
	// platform. "" for wikis on subdomains.
	Single string
	// Callback is the path that is redirected from the loopback address to Home, or "".
	Callback string
	// Domain returns the slug of the wiki whose own domain a host is, or "". It is asked
	// about each host outside the service, and can be nil.
	Domain func(ctx context.Context, host string) string
	// Certify reports whether the proxy may get a certificate for a host outside the
	// service. If it is nil, the proxy can't ask.
	Certify func(ctx context.Context, host string) bool
	// PlainHTTP means that browsers reach the service over http on a network.
	PlainHTTP bool
	// Platform and Wiki are the browser front end, API that of programs. The slug
	// is valid, but the wiki might not exist.
	Platform http.HandlerFunc
	Wiki     func(w http.ResponseWriter, r *http.Request, slug string)
	API      func(w http.ResponseWriter, r *http.Request, slug string)
	// MCP is the front end for agents, including one-time upload addresses. If it
	// is nil, Wiki handles these paths.
	MCP func(w http.ResponseWriter, r *http.Request, slug string)
	// Git handles /repo.git. If it is nil, Wiki does.
	Git func(w http.ResponseWriter, r *http.Request, slug string)
	// Manage is the management API on the platform's host. If it is nil, Platform
	// handles its paths.
	Manage http.HandlerFunc
	// OAuth is the authorization server. It returns false for paths it doesn't
	// handle. The slug is "" on the platform's host.
	OAuth func(w http.ResponseWriter, r *http.Request, slug string) bool
	// Renew extends a browser's session before a page is served.
	Renew func(w http.ResponseWriter, r *http.Request)
	// Drain is called when the service stops, to end open-ended streams. It can be
	// nil.
	Drain func()
	Check func(ctx context.Context) error // fails if the service can't work
	// Proxies are the trusted proxies. For their requests, the front ends see the
	// client's address from X-Forwarded-For as RemoteAddr.
	Proxies []netip.Prefix
	Metrics *Metrics // can be nil
	// Slow is how long a request must take to be logged, with where the time was
	// spent; 0 for never. Streams of events don't count.
	Slow time.Duration
	// Access logs every request, AccessAddress also the client's address.
	Access, AccessAddress bool
	// Served is called after each request with the wiki's slug, or "", and the bytes
	// of the answer. It can be nil.
	Served func(slug string, sent int64)
	Log    *slog.Logger
}

// A Server serves all hosts. Use it as an http.Handler, or call Serve.
type Server struct {
	opts     Options
	suffix   string // "." and the platform's host
	headers  http.Header
	origins  *http.CrossOriginProtection
	asks     askLimit
	draining atomic.Bool
}

// New returns a Server.
func New(o Options) *Server {
	s := &Server{opts: o, suffix: "." + o.Host, origins: http.NewCrossOriginProtection()}
	s.headers = http.Header{
		"X-Content-Type-Options":       {"nosniff"},
		"Referrer-Policy":              {"same-origin"}, // don't reveal addresses of private wikis
		"Cross-Origin-Opener-Policy":   {"same-origin"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Permissions-Policy":           {"camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
	}
	if o.Secure {
		s.headers["Strict-Transport-Security"] = []string{"max-age=31536000; includeSubDomains"}
	}
	return s
}

// Limits of one connection and one request.
const (
	maxHeaderBytes = 32 << 10
	// maxBodyBytes fits the largest attachment as base64 in JSON. Front ends set
	// lower limits themselves.
	maxBodyBytes = 16 << 20
	// maxImportBytes fits an uploaded repository. Each wiki's own limit is
	// lower.
	maxImportBytes = 1 << 30
	importPath     = "/-/import"
	drainTimeout   = 10 * time.Second
)

// Serve handles connections of listener until ctx ends, then lets running
// requests finish.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),
	}
	fresh := &freshConns{conns: map[net.Conn]bool{}}
	server.ConnState = fresh.trackState
	serving := background.Start(func() error { return server.Serve(listener) })
	select {
	case <-serving.Done():
		return fmt.Errorf("server: serve %s: %w", listener.Addr(), serving.Wait())
	case <-ctx.Done():
	}
	s.draining.Store(true)
	if s.opts.Drain != nil {
		s.opts.Drain()
	}
	closed := listener.Close()
	<-serving.Done() // the server now knows every accepted connection
	server.SetKeepAlivesEnabled(false)
	fresh.waitForRequests()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(fmt.Errorf("server: drain: %w", err), server.Close())
	}
	return closed
}

// Drain makes /ready fail, so that a proxy sends requests elsewhere, or ends that.
// Requests are answered all the same.
func (s *Server) Drain(on bool) { s.draining.Store(on) }

// ServeHTTP handles one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	recorder := &responseRecorder{ResponseWriter: w}
	header := w.Header()
	for name, value := range s.headers {
		header[name] = value
	}
	header["X-Request-Id"] = []string{strconv.FormatUint(rand.Uint64(), 36)}
	start := time.Now()
	r.RemoteAddr = s.clientAddr(r)
	to := s.addresseeOf(r)
	if to.domain && s.opts.Secure {
		header["Strict-Transport-Security"] = domainTransport
	}
	var times *timing.Times
	if s.opts.Slow > 0 {
		var ctx context.Context
		ctx, times = timing.With(r.Context())
		r = r.WithContext(ctx)
	}
	body := r.Body
	defer func() {
		if cause := recover(); cause != nil {
			s.handlePanic(recorder, r, cause)
		}
		s.recordRequest(recorder, r, to, time.Since(start), times)
	}()
	background.Attribute(to.slug, "request", func() { s.dispatch(recorder, r, to) })
	if r.Close && recorder.status >= 400 && body != nil {
		drainRefusedBody(w, body)
	}
}

// drainRefusedBody lets a client that is still sending read its refusal. If the
// connection closes after the response, it would be reset at once and a proxy
// couldn't show the refusal. net/http only waits if its own body limit was
// exceeded, so this reads with a limit of zero.
func drainRefusedBody(w http.ResponseWriter, body io.ReadCloser) {
	control := http.NewResponseController(w)
	if control.Flush() != nil || control.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	_, _ = http.MaxBytesReader(w, body, 0).Read(make([]byte, 1))
}

// dispatch calls the front end for a request's host and path.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, to addressee) {
	host, slug := to.host, to.slug
	below := slug != ""
	switch {
	case !to.ours && s.isLoopbackCallback(r, host):
		http.Redirect(w, r, s.opts.Home+r.URL.RequestURI(), http.StatusSeeOther)
		return
	case !to.ours:
		if !s.serveHealth(w, r) && !s.serveAsk(w, r) { // proxies and containers ask by address
			s.refuse(w, r, http.StatusMisdirectedRequest, "There is no wiki at “"+shortenForMessage(host)+"”. "+s.hostHint())
		}
		return
	case host != s.opts.Host && wiki.CheckHost(slug) != nil:
		s.refuse(w, r, http.StatusNotFound, "There is no wiki at “"+shortenForMessage(host)+"”, and there can't be one with that name.")
		return
	}
	if problem, clean := validatePath(r.URL.EscapedPath()); problem != "" {
		s.refuse(w, r, http.StatusBadRequest, problem)
		return
	} else if clean != "" {
		s.redirectToClean(w, r, clean)
		return
	}
	if r.Body != nil && r.Body != http.NoBody {
		limit := int64(maxBodyBytes)
		if below && r.URL.Path == importPath {
			limit = maxImportBytes
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
	}
	if s.opts.OAuth != nil && s.opts.OAuth(w, r, slug) {
		return
	}
	if below && (isMCP(r.URL.Path) || isUpload(r) || isLostMCP(r)) && s.opts.MCP != nil {
		s.opts.MCP(w, r, slug)
		return
	}
	if below && isAPI(r.URL.Path) {
		s.opts.API(w, r, slug)
		return
	}
	if git := withGitPath(r); below && isGit(git.URL.Path) && s.opts.Git != nil {
		s.opts.Git(w, git, slug)
		return
	}
	if !below && isAPI(r.URL.Path) && s.opts.Manage != nil {
		s.opts.Manage(w, r)
		return
	}
	if !below && s.serveHealth(w, r) {
		return
	}
	s.serveBrowser(w, r, slug)
}

// isLoopbackCallback reports whether a browser was sent to the loopback address because
// the protocol allows no names for local clients (RFC 8252, section 7.3).
func (s *Server) isLoopbackCallback(r *http.Request, host string) bool {
	return s.opts.Callback != "" && host == "127.0.0.1" && r.Method == http.MethodGet && r.URL.Path == s.opts.Callback
}

// hostHint says under which names wikis are served.
func (s *Server) hostHint() string {
	if s.opts.Single != "" {
		return "The address of this wiki is " + s.opts.Home + "/."
	}
	return "Wikis of this service have names that end in " + s.suffix + "."
}

// serveBrowser calls the front ends that read cookies. It refuses forms from other
// origins, including those that one wiki's host sends to another or to the platform.
func (s *Server) serveBrowser(w http.ResponseWriter, r *http.Request, slug string) {
	if err := s.origins.Check(r); err != nil {
		s.refuse(w, r, http.StatusForbidden, "This form was sent from another site, so nothing was changed. Open the page here and try again.")
		return
	}
	if s.opts.Renew != nil && r.Header["Cookie"] != nil && s.isPageNavigation(r) {
		s.opts.Renew(w, r)
	}
	if slug == "" {
		s.opts.Platform(w, r)
		return
	}
	s.opts.Wiki(w, r, slug)
}

// isPageNavigation reports whether a browser requests a page rather than a part
// of one. Responses in shared caches must not carry a cookie, and an attacker
// can make a user open a part of a page by itself. Over plain http, browsers send no
// Sec-Fetch-Mode, but they accept HTML.
func (s *Server) isPageNavigation(r *http.Request) bool {
	shared := strings.HasPrefix(r.URL.Path, "/-/static/") || r.URL.Path == "/favicon.ico"
	mode := r.Header.Get("Sec-Fetch-Mode")
	navigates := mode == "navigate" || mode == "" && s.opts.PlainHTTP && strings.Contains(r.Header.Get("Accept"), "text/html")
	return r.Method == http.MethodGet && navigates && !shared
}

func isAPI(path string) bool { return path == "/api" || strings.HasPrefix(path, "/api/") }

func isMCP(path string) bool { return path == "/mcp" || strings.HasPrefix(path, "/mcp/") }

// isLostMCP reports a message of an MCP client to an address where others have
// their endpoint. The MCP front end answers with ours.
func isLostMCP(r *http.Request) bool {
	if r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return false
	}
	switch strings.TrimSuffix(r.URL.Path, "/") {
	case "", "/sse", "/message", "/messages", "/rpc", "/v1/mcp", "/api/mcp":
		return true
	}
	return false
}

// isUpload reports an upload to a one-time address, which needs no cookie.
func isUpload(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/-/upload/") && (r.Method == http.MethodPut || r.Method == http.MethodPost)
}

// domainTransport is Strict-Transport-Security for a wiki's own domain. Its subdomains
// aren't ours, and its owner can take it elsewhere.
var domainTransport = []string{"max-age=604800"}

// An addressee is whose host a request was sent to.
type addressee struct {
	host   string // in lowercase, without its port
	slug   string // of the wiki; "" for the platform and for hosts that aren't ours
	ours   bool
	domain bool // the host is the wiki's own domain
}

func (s *Server) addresseeOf(r *http.Request) addressee {
	host := hostWithoutPort(r.Host)
	if slug, ours := s.slugOf(host); ours {
		return addressee{host: host, slug: slug, ours: true}
	}
	if s.opts.Domain != nil && s.opts.Single == "" {
		if slug := s.opts.Domain(r.Context(), host); slug != "" {
			return addressee{host: host, slug: slug, ours: true, domain: true}
		}
	}
	return addressee{host: host}
}

// slugOf returns the slug of the wiki at a host, "" for the platform's. It reports
// false for hosts of others.
func (s *Server) slugOf(host string) (slug string, ours bool) {
	if s.opts.Single != "" || host == s.opts.Host {
		return s.opts.Single, host == s.opts.Host
	}
	return strings.CutSuffix(host, s.suffix)
}

// hostWithoutPort returns the host in lowercase, without its port.
func hostWithoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	for i := range len(host) {
		if 'A' <= host[i] && host[i] <= 'Z' {
			return strings.ToLower(host)
		}
	}
	return host
}

// serveHealth handles /health (the service works) and /ready (it also accepts
// requests).
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != "/health" && r.URL.Path != "/ready" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	status, text := http.StatusOK, `{"status":"ok"}`
	if err := s.opts.Check(ctx); err != nil {
		s.opts.Log.Error("health check failed", "err", err)
		status, text = http.StatusServiceUnavailable, `{"status":"failing"}`
	} else if r.URL.Path == "/ready" && s.draining.Load() {
		status, text = http.StatusServiceUnavailable, `{"status":"stopping"}`
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
	return true
}

// handlePanic logs a panic and answers 500. Other requests are unaffected.
func (s *Server) handlePanic(w *responseRecorder, r *http.Request, cause any) {
	stack := debug.Stack()
	if p, ok := cause.(*background.Panic); ok { // of a goroutine that the request waited for
		cause, stack = p.Value, p.Stack
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	s.opts.Metrics.Panicked("request")
	s.opts.Log.Error("request panicked", "id", w.Header().Get("X-Request-Id"), "method", r.Method, "host", r.Host,
		"cause", fmt.Sprint(cause), "stack", string(stack))
	if w.status != 0 {
		panic(http.ErrAbortHandler) // the response has started: abort it, so that the client notices
	}
	w.Header().Del("Set-Cookie")
	w.Header().Del("Etag")
	s.refuse(w, r, http.StatusInternalServerError, "Something broke on our side. Everything you saved before is safe. Try again; if it keeps happening, report the number "+w.Header().Get("X-Request-Id")+".")
}

// recordRequest records a request's metrics and logs it: errors of ours at level
// error, slow requests as warnings, others if the operator wants them. It never logs a
// page or query.
func (s *Server) recordRequest(recorder *responseRecorder, r *http.Request, to addressee, took time.Duration, times *timing.Times) {
	class := classify(r, to.ours && to.slug != "")
	s.opts.Metrics.observeRequest(class, recorder.status, took)
	if s.opts.Served != nil {
		s.opts.Served(to.slug, recorder.sent)
	}
	if recorder.cause != nil && class == routeAuth {
		s.opts.Metrics.Refused(class.String() + ": " + causeForLog(recorder.cause, min(recorder.status, 499)))
	}
	slow := times != nil && took >= s.opts.Slow && recorder.Header().Get("Content-Type") != "text/event-stream"
	level := s.logLevel(recorder, r, slow)
	if !s.opts.Log.Enabled(r.Context(), level) {
		return
	}
	line := []any{"id", recorder.Header().Get("X-Request-Id"), "method", r.Method, "host", shortenForMessage(r.Host),
		"route", class.String(), "status", recorder.status, "bytes", recorder.sent, "took_ms", took.Milliseconds()}
	if slow {
		for _, part := range []struct {
			name string
			part timing.Part
		}{{"store_ms", timing.Store}, {"content_ms", timing.Content}, {"index_ms", timing.Index}, {"git_ms", timing.Git}} {
			line = append(line, part.name, times.Spent(part.part).Milliseconds())
		}
	}
	if s.opts.AccessAddress {
		line = append(line, "address", hostOfAddress(r.RemoteAddr))
	}
	if recorder.cause != nil {
		line = append(line, "cause", causeForLog(recorder.cause, recorder.status))
	}
	message := "request"
	if slow {
		message = "slow request"
	}
	s.opts.Log.Log(context.Background(), level, message, line...)
}

// logLevel returns the level at which a request is logged.
func (s *Server) logLevel(recorder *responseRecorder, r *http.Request, slow bool) slog.Level {
	switch {
	case recorder.status >= 500 && r.Context().Err() == nil:
		return slog.LevelError
	case slow:
		return slog.LevelWarn
	case s.opts.Access:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// hostOfAddress returns the address of a client without its port.
func hostOfAddress(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}

// causeForLog returns how a log describes an error: its message for statuses
// from 500, otherwise only its kind, because the message could contain input.
func causeForLog(err error, status int) string {
	if status >= 500 {
		return err.Error()
	}
	if kind := wiki.KindOf(err); kind != nil {
		return kind.Error()
	}
	if cause := session.CauseOf(err); cause != "" {
		return string(cause)
	}
	return "refused"
}

// A responseRecorder records a response's status and the cause of its failure.
type responseRecorder struct {
	http.ResponseWriter
	status int
	sent   int64 // bytes of the body
	cause  error
}

// Failed records the cause of a failure. Front ends call it.
func (a *responseRecorder) Failed(cause error) { a.cause = cause }

func (a *responseRecorder) WriteHeader(status int) {
	if a.status == 0 && status >= 200 { // not for interim 1xx responses
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *responseRecorder) Write(data []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(data)
	a.sent += int64(n)
	return n, err
}

// Unwrap supports http.ResponseController.
func (a *responseRecorder) Unwrap() http.ResponseWriter { return a.ResponseWriter }
