// Package api is the front end for programs: a wiki's REST API under /api/v1 on
// its host, and the management API for accounts and wikis under /api on the
// platform's host. Both speak JSON and share one OpenAPI document.
//
// It owns routes, JSON shapes, preconditions and problem details (RFC 9457).
// Package pages decides what a caller may do and stores content.
//
// Invariants: it ignores cookies, so any web page may call it with its user's
// token (CORS is open). A page's revision is its blob id, in responses, in bodies
// and as ETag. Unknown and duplicate members of a body are rejected.
package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/oauth"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/session"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// Options of a Handler.
type Options struct {
	Pages      *pages.Service
	Tenant     *tenant.Service
	Session    *session.Service
	OAuth      *oauth.Service
	WikiOrigin func(slug string) string
	Limits     *limit.Limiter // nil for none
	Now        func() time.Time
	Log        *slog.Logger
}

// A Handler serves both APIs. It is safe for concurrent use.
type Handler struct {
	o Options
}

// New returns a Handler.
func New(o Options) *Handler { return &Handler{o: o} }

// A call is one request with the caller's access.
type call struct {
	*http.Request
	w      http.ResponseWriter
	access wiki.Access
	page   string // page name between /pages/ and the action
	file   string // file name after /attachments/
	origin string // of the wiki's host
}

// A Route is one route. The pattern is written as in the OpenAPI document; {page}
// may contain slashes.
type Route struct {
	Method  string
	Pattern string
	Action  wiki.Action
	serve   func(h *Handler, c *call) error
}

// Routes lists the routes of a wiki's API, under /api/v1.
var Routes = []Route{
	{"GET", "/pages", wiki.Read, (*Handler).listPages},
	{"GET", "/pages/{page}", wiki.Read, (*Handler).getPage},
	{"PUT", "/pages/{page}", wiki.Edit, (*Handler).putPage},
	{"PATCH", "/pages/{page}", wiki.Edit, (*Handler).patchPage},
	{"DELETE", "/pages/{page}", wiki.Edit, (*Handler).deletePage},
	{"POST", "/pages/{page}/rename", wiki.Edit, (*Handler).renamePage},
	{"GET", "/pages/{page}/history", wiki.Read, (*Handler).pageHistory},
	{"GET", "/pages/{page}/diff", wiki.Read, (*Handler).pageDiff},
	{"GET", "/pages/{page}/attachments", wiki.Read, (*Handler).listAttachments},
	{"POST", "/pages/{page}/attachments", wiki.Edit, (*Handler).postAttachment},
	{"GET", "/pages/{page}/attachments/{file}", wiki.Read, (*Handler).getAttachment},
	{"DELETE", "/pages/{page}/attachments/{file}", wiki.Edit, (*Handler).deleteAttachment},
	{"POST", "/commits", wiki.Edit, (*Handler).postCommit},
	{"POST", "/revert", wiki.Edit, (*Handler).postRevert},
	{"GET", "/changelog", wiki.Read, (*Handler).changelog},
	{"GET", "/search", wiki.Read, (*Handler).search},
	{"GET", "/semantic-search", wiki.Read, (*Handler).formerSearch},
	{"GET", "/links", wiki.Read, (*Handler).graph},
	{"GET", "/links/{page}", wiki.Read, (*Handler).pageLinks},
}

const prefix = "/api/v1"

// ServeWiki answers /api/… on a wiki's host. The wiki may not exist.
func (h *Handler) ServeWiki(w http.ResponseWriter, r *http.Request, slug string) {
	head := w.Header()
	head.Set("Access-Control-Allow-Origin", "*")
	head.Set("Access-Control-Expose-Headers", "ETag, Location, Retry-After, WWW-Authenticate, Idempotency-Replayed")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	if err := h.serve(w, r, slug); err != nil {
		h.fail(w, r, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, slug string) error {
	path, ok := strings.CutPrefix(r.URL.Path, prefix)
	if r.URL.Path == "/api" || r.URL.Path == "/api/" || path == "" || path == "/" {
		return wiki.Problemf(wiki.ErrNotFound, "", "The API is at %s/pages, /search, /changelog and /links.", prefix)
	}
	if !ok {
		return wiki.Problemf(wiki.ErrNotFound, "", "Unknown route. All routes of this API start with %s.", prefix)
	}
	if path == "/health" && (r.Method == "GET" || r.Method == "HEAD") {
		return writeJSON(w, r, http.StatusOK, map[string]string{"status": "ok"})
	}
	c := &call{Request: r, w: w, origin: h.o.Session.Origin(r, slug)}
	route, allowed := c.match(path)
	if r.Method == "OPTIONS" && len(allowed) > 0 {
		preflight(w, allowed)
		return nil
	}
	var err error
	if c.access, err = h.authorize(r, slug); err != nil {
		return err
	}
	switch {
	case len(allowed) == 0:
		return wiki.Problemf(wiki.ErrNotFound, "", "Unknown route. See %s/pages, /search, /changelog and /links.", prefix)
	case route == nil:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return errMethod
	}
	if err := c.access.Allow(route.Action); err != nil {
		if c.access.Caller().Anonymous() {
			h.recordRefusal(r, slug, http.StatusUnauthorized, session.NoToken, "")
			return errToken
		}
		h.recordRefusal(r, slug, http.StatusForbidden, session.ReadOnly, c.access.Caller().Agent)
		return err
	}
	err = route.serve(h, c)
	if met := (*wiki.ConflictError)(nil); errors.As(err, &met) {
		return h.failWithConflict(c, err, met)
	}
	return err
}

// failWithConflict is fail for a conflict, whose texts are encoded with their wiki's
// share of the time.
func (h *Handler) failWithConflict(c *call, err error, met *wiki.ConflictError) error {
	release, waited := h.o.Pages.AcquireLarge(c.Context(), c.access, len(met.Base)+len(met.Theirs))
	if waited != nil {
		return waited
	}
	defer release()
	h.fail(c.w, c.Request, err)
	return nil
}

// authorize resolves the caller's access and applies the rate limit. To callers
// without rights, a private wiki and a missing one look the same.
func (h *Handler) authorize(r *http.Request, slug string) (wiki.Access, error) {
	caller, err := h.o.Session.Bearer(r, slug)
	var access wiki.Access
	if err == nil {
		access, err = h.o.Tenant.Resolve(r.Context(), slug, caller)
	}
	if tooFast := h.takeToken(r, slug, caller, access); tooFast != nil {
		return wiki.Access{}, tooFast
	}
	if errors.Is(err, wiki.ErrSuspended) {
		return wiki.Access{}, err
	}
	if errors.Is(err, wiki.ErrDenied) || errors.Is(err, wiki.ErrNotFound) {
		cause := session.CauseOf(err)
		switch {
		case cause == "" && caller.Anonymous():
			cause = session.NoToken
		case cause == "":
			cause = session.NoMember
		}
		h.recordRefusal(r, slug, http.StatusUnauthorized, cause, caller.Agent)
		return wiki.Access{}, fmt.Errorf("%w: %w", errToken, err)
	}
	return access, err
}

// recordRefusal shows a refusal to the wiki's members on the connect page.
func (h *Handler) recordRefusal(r *http.Request, slug string, status int, cause session.Cause, agent string) {
	h.o.Session.Note(r.Context(), slug, session.Request{Method: r.Method, Path: r.URL.Path, Status: status, Cause: cause, Agent: agent})
}

// takeToken takes a rate limit token from the caller's bearer token, or from the
// address if there is no valid one.
func (h *Handler) takeToken(r *http.Request, slug string, caller wiki.Caller, a wiki.Access) error {
	who := limit.Address(r.RemoteAddr)
	if caller.Grant != "" {
		who = limit.Token(caller.Grant)
	}
	return h.o.Limits.Take(limit.Request{
		Wiki: slug, Caller: who, Member: a.Role() >= wiki.Viewer, Write: r.Method != "GET" && r.Method != "HEAD",
	})
}

// match returns the route for a path, and the methods that the path allows. Page
// names contain slashes, so the action is matched at the end of the path.
func (c *call) match(path string) (*Route, []string) {
	var found *Route
	var allowed []string
	pattern := c.pattern(path)
	for i := range Routes {
		route := &Routes[i]
		if route.Pattern != pattern {
			continue
		}
		allowed = append(allowed, route.Method)
		if route.Method == "GET" {
			allowed = append(allowed, "HEAD")
		}
		if route.Method == c.Method || route.Method == "GET" && c.Method == "HEAD" {
			found = route
		}
	}
	return found, allowed
}

var pageActions = []string{"/rename", "/history", "/diff", "/attachments"}

// pattern returns a path's pattern and stores its page and file in the call.
func (c *call) pattern(path string) string {
	for _, start := range []string{"/pages/", "/links/"} {
		rest, ok := strings.CutPrefix(path, start)
		if !ok || rest == "" {
			continue
		}
		if start == "/links/" {
			c.page = rest
			return "/links/{page}"
		}
		for _, action := range pageActions {
			if page, ok := strings.CutSuffix(rest, action); ok && page != "" {
				c.page = page
				return "/pages/{page}" + action
			}
		}
		if i := strings.LastIndex(rest, "/attachments/"); i > 0 && !strings.Contains(rest[i+len("/attachments/"):], "/") {
			c.page, c.file = rest[:i], rest[i+len("/attachments/"):]
			return "/pages/{page}/attachments/{file}"
		}
		c.page = rest
		return "/pages/{page}"
	}
	return strings.TrimSuffix(path, "/")
}

func preflight(w http.ResponseWriter, allowed []string) {
	head := w.Header()
	head.Set("Access-Control-Allow-Methods", strings.Join(slices.Concat(allowed, []string{"OPTIONS"}), ", "))
	head.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key")
	head.Set("Access-Control-Max-Age", "7200")
	w.WriteHeader(http.StatusNoContent)
}
