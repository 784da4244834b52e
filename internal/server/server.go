// Package server is the way in: it turns hosts and paths into doors, refuses
// what no door should see, and keeps one request's panic from the others.
//
// It knows neither people nor pages. What every answer carries (request id,
// security headers) is set here; what depends on the content, such as the
// Content-Security-Policy, by the doors.
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

	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

// Options of a Server.
type Options struct {
	Host   string // the platform's host name without port; wikis are its subdomains
	Home   string // the platform's origin, where the lost are sent
	Secure bool   // the public origin is https
	// Platform and Wiki are the browser's door, API the programs'. The slug is
	// a valid one; whether there is such a wiki, they find out.
	Platform http.HandlerFunc
	Wiki     func(w http.ResponseWriter, r *http.Request, slug string)
	API      func(w http.ResponseWriter, r *http.Request, slug string)
	// MCP is the agents' door of a wiki, with the one-time addresses that it gives
	// out; without one the browser's door answers there.
	MCP func(w http.ResponseWriter, r *http.Request, slug string)
	// Git is the door of git, below /repo.git; without one the browser's door
	// answers there.
	Git func(w http.ResponseWriter, r *http.Request, slug string)
	// Manage is the programs' door on the platform's host; without one the
	// browser's door answers there.
	Manage http.HandlerFunc
	// OAuth is the authorization server's door, for programs. It reports false
	// for a path that is none of its own. The slug is "" on the platform's host.
	OAuth func(w http.ResponseWriter, r *http.Request, slug string) bool
	// Renew keeps the session of a browser alive, before a page is answered.
	Renew func(w http.ResponseWriter, r *http.Request)
	// Drain is told when the service stops: what streams without an end of its
	// own has to end then. nil for nothing.
	Drain func()
	Check func(ctx context.Context) error // fails when the service cannot work
	// Proxies are whose X-Forwarded-For is believed; the doors then see the
	// client's address as RemoteAddr.
	Proxies []netip.Prefix
	Metrics *Metrics // nil for none
	Log     *slog.Logger
}

// A Server serves all hosts. It is an http.Handler, and Serve runs it.
type Server struct {
	o        Options
	suffix   string // "." and the platform's host
	headers  http.Header
	origins  *http.CrossOriginProtection
	draining atomic.Bool
}

// New makes a Server.
func New(o Options) *Server {
	s := &Server{o: o, suffix: "." + o.Host, origins: http.NewCrossOriginProtection()}
	s.headers = http.Header{
		"X-Content-Type-Options":       {"nosniff"},
		"Referrer-Policy":              {"same-origin"}, // the address of a private wiki is nobody's business
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
	maxHeader = 32 << 10
	// maxBody holds the largest attachment in base64 with its JSON around it.
	// Doors that take less say so themselves.
	maxBody = 16 << 20
	// maxImport holds a repository that is uploaded. Each wiki's own limit is less.
	maxImport    = 1 << 30
	importPath   = "/-/import"
	drainTimeout = 10 * time.Second
)

// Serve answers on a listener until ctx ends, then lets requests under way
// finish.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
	fresh := &freshConns{conns: map[net.Conn]bool{}}
	server.ConnState = fresh.note
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("server: serve %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	if s.o.Drain != nil {
		s.o.Drain()
	}
	closed := listener.Close()
	<-ended // now the server knows all connections that were accepted
	server.SetKeepAlivesEnabled(false)
	fresh.settle()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(fmt.Errorf("server: drain: %w", err), server.Close())
	}
	return closed
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := &answer{ResponseWriter: w}
	header := w.Header()
	for name, value := range s.headers {
		header[name] = value
	}
	header["X-Request-Id"] = []string{strconv.FormatUint(rand.Uint64(), 36)}
	start := time.Now()
	r.RemoteAddr = s.clientAddr(r)
	body := r.Body
	defer func() {
		if cause := recover(); cause != nil {
			s.recovered(answer, r, cause)
		}
		s.note(answer, r, time.Since(start))
	}()
	s.route(answer, r)
	if r.Close && answer.status >= 400 && body != nil {
		linger(w, body)
	}
}

// linger lets a client read a refusal while it still sends what nobody reads. A
// connection that is to end with the answer would be reset at once otherwise, and
// a proxy would have nothing to show but that. net/http waits by itself for its
// own limit of a body alone, so the rest is held against one of nothing.
func linger(w http.ResponseWriter, body io.ReadCloser) {
	control := http.NewResponseController(w)
	if control.Flush() != nil || control.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	_, _ = http.MaxBytesReader(w, body, 0).Read(make([]byte, 1))
}

// route finds the door.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	host := hostname(r.Host)
	slug, below := strings.CutSuffix(host, s.suffix)
	if !below {
		slug = ""
	}
	switch {
	case host != s.o.Host && !below:
		if !s.serveHealth(w, r) { // asked by address: how a proxy or container finds out
			s.refuse(w, r, http.StatusMisdirectedRequest, "There is no wiki at “"+clip(host)+"”. The wikis of this service are at names that end in "+s.suffix+".")
		}
		return
	case below && wiki.CheckHost(slug) != nil:
		s.refuse(w, r, http.StatusNotFound, "There is no wiki at “"+clip(host)+"”, and there cannot be one of that name.")
		return
	}
	if problem, clean := checkPath(r.URL.EscapedPath()); problem != "" {
		s.refuse(w, r, http.StatusBadRequest, problem)
		return
	} else if clean != "" {
		s.straighten(w, r, clean)
		return
	}
	if r.Body != nil && r.Body != http.NoBody {
		limit := int64(maxBody)
		if below && r.URL.Path == importPath {
			limit = maxImport
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
	}
	if s.o.OAuth != nil && s.o.OAuth(w, r, slug) {
		return
	}
	if below && isAPI(r.URL.Path) {
		s.o.API(w, r, slug)
		return
	}
	if below && (isMCP(r.URL.Path) || isUpload(r)) && s.o.MCP != nil {
		s.o.MCP(w, r, slug)
		return
	}
	if below && isGit(r.URL.Path) && s.o.Git != nil {
		s.o.Git(w, r, slug)
		return
	}
	if !below && isAPI(r.URL.Path) && s.o.Manage != nil {
		s.o.Manage(w, r)
		return
	}
	if !below && s.serveHealth(w, r) {
		return
	}
	s.serveBrowser(w, r, slug)
}

// serveBrowser is for the doors that take cookies.
func (s *Server) serveBrowser(w http.ResponseWriter, r *http.Request, slug string) {
	if err := s.origins.Check(r); err != nil {
		s.refuse(w, r, http.StatusForbidden, "This form was sent from another site, so nothing was changed. Open the page here and try again.")
		return
	}
	if s.o.Renew != nil && r.Header["Cookie"] != nil && navigates(r) {
		s.o.Renew(w, r)
	}
	if slug == "" {
		s.o.Platform(w, r)
		return
	}
	s.o.Wiki(w, r, slug)
}

// navigates reports whether a browser asks for a page, rather than for a part
// of one. Answers that others may share must not carry a cookie, and somebody
// may be led to open a part of a page by itself.
func navigates(r *http.Request) bool {
	shared := strings.HasPrefix(r.URL.Path, "/-/static/") || r.URL.Path == "/favicon.ico"
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && !shared
}

func isAPI(path string) bool { return path == "/api" || strings.HasPrefix(path, "/api/") }

func isMCP(path string) bool { return path == "/mcp" || strings.HasPrefix(path, "/mcp/") }

// isUpload reports a file for a one-time address, which needs no cookie.
func isUpload(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/-/upload/") && (r.Method == http.MethodPut || r.Method == http.MethodPost)
}

// hostname is the host without port, in small letters.
func hostname(host string) string {
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

// serveHealth answers /health (it works) and /ready (and takes requests).
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != "/health" && r.URL.Path != "/ready" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	status, text := http.StatusOK, `{"status":"ok"}`
	if err := s.o.Check(ctx); err != nil {
		s.o.Log.Error("health", "err", err)
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

// recovered turns a panic into a logged 500, and nothing more: the process and
// other requests go on.
func (s *Server) recovered(w *answer, r *http.Request, cause any) {
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	s.o.Log.Error("panic", "id", w.Header().Get("X-Request-Id"), "method", r.Method, "host", r.Host,
		"cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler) // part of an answer is out: let the client see that it is cut off
	}
	w.Header().Del("Set-Cookie")
	w.Header().Del("Etag")
	s.refuse(w, r, http.StatusInternalServerError, "Something broke on our side; what was saved before is safe. Try again, and if it stays, report the number "+w.Header().Get("X-Request-Id")+".")
}

// note measures an answer and logs it: what is our fault always, the rest when
// that is asked for. A line names no page, no address and no query.
func (s *Server) note(a *answer, r *http.Request, took time.Duration) {
	_, onWiki := strings.CutSuffix(hostname(r.Host), s.suffix)
	class := classify(r, onWiki)
	s.o.Metrics.answered(class, a.status, took)
	if a.cause != nil && class == routeAuth {
		s.o.Metrics.Refused(class.String() + ": " + causeOf(a.cause, min(a.status, 499)))
	}
	level := slog.LevelDebug
	if a.status >= 500 && r.Context().Err() == nil {
		level = slog.LevelError
	}
	if !s.o.Log.Enabled(r.Context(), level) {
		return
	}
	line := []any{"id", a.Header().Get("X-Request-Id"), "method", r.Method, "host", clip(r.Host),
		"route", class.String(), "status", a.status, "took_ms", took.Milliseconds()}
	if a.cause != nil {
		line = append(line, "cause", causeOf(a.cause, a.status))
	}
	s.o.Log.Log(context.Background(), level, "request", line...)
}

// causeOf is an error as a log tells it: whole where it is our fault, its kind
// where somebody was refused, for what they sent may stand in it.
func causeOf(err error, status int) string {
	if status >= 500 {
		return err.Error()
	}
	for _, kind := range []error{wiki.ErrSuspended, wiki.ErrTakenDown, wiki.ErrNotFound, wiki.ErrDenied, wiki.ErrConflict, wiki.ErrInvalid, wiki.ErrTooLarge, wiki.ErrQuota,
		wiki.ErrExists, wiki.ErrPrecondition, wiki.ErrPreconditionRequired, wiki.ErrGone, wiki.ErrStorage} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	if cause := session.CauseOf(err); cause != "" {
		return string(cause)
	}
	return "refused"
}

// An answer remembers whether it was begun, and why it failed if it did.
type answer struct {
	http.ResponseWriter
	status int
	cause  error
}

// Failed is told by the doors why they refuse or fail a request.
func (a *answer) Failed(cause error) { a.cause = cause }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 { // 1xx come before the answer
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(data []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(data)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
