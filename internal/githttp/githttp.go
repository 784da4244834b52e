// Package githttp is the front end for git clients. It serves clones and fetches
// at /repo.git on a wiki's host with git's smart HTTP protocol
// (gitprotocol-http(5)), versions 0 and 2, to everyone who can read the wiki.
// It answers ref listings and full clones itself; git upload-pack answers all
// other requests. Pushes are refused.
//
// It ignores cookies. The credential is a wiki token, sent as Bearer or as the
// Basic password with any username. Repositories belong to package export,
// git's formats to package gitrepo.
//
// Invariant: a slow or hanging client holds a connection and nothing else. Its
// request is read before a process starts, and the process writes into a spool.
package githttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/budget"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/limit"
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
	Limits     *limit.Limiter      // nil for none
	Spool      string              // directory for output that waits for slow clients; os.TempDir() when ""
	Background *background.Workers // nil only recovers from panics
	Log        *slog.Logger
}

// A Handler serves all wikis' repositories. It is safe for concurrent use.
type Handler struct {
	o        Options
	slots    *budget.Slots // git processes
	spools   *spools
	answers  answers
	v2       capabilities
	refs     refsCache
	disjoint disjointCache
	erased   *erasedClients
}

// New returns a Handler.
func New(o Options) *Handler {
	return &Handler{
		o: o, slots: budget.NewSlots(allSlots, wikiSlots),
		spools: &spools{dir: o.Spool, room: o.Pages.ScratchRoom, bounds: defaultBounds, background: o.Background},
		erased: newErasedClients(),
	}
}

// A Route is one route on a wiki's host.
type Route struct {
	Method  string
	Pattern string
	Service string // git's service name, if several routes share the pattern
	serve   func(h *Handler, c *call) error
}

// Routes lists all routes of this front end.
var Routes = []Route{
	{"GET", "/repo.git/info/refs", "git-upload-pack", (*Handler).advertise},
	{"POST", "/repo.git/git-upload-pack", "", (*Handler).uploadPack},
	{"GET", "/repo.git/info/refs", "git-receive-pack", (*Handler).refusePush},
	{"POST", "/repo.git/git-receive-pack", "", (*Handler).refusePush},
}

// A call is one request with the caller's access.
type call struct {
	*http.Request
	w      http.ResponseWriter
	access wiki.Access
	origin string // of the wiki's host
}

// Prefix is the path of the repository; all routes are under it.
const Prefix = "/repo.git"

// ServeWiki answers /repo.git/… on a wiki's host. The wiki may not exist.
func (h *Handler) ServeWiki(w http.ResponseWriter, r *http.Request, slug string) {
	head := w.Header()
	head.Set("Access-Control-Allow-Origin", "*") // git in a browser
	head.Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
	head.Set("Pragma", "no-cache")
	head.Set("Expires", "Fri, 01 Jan 1980 00:00:00 GMT")
	if r.Method == http.MethodOptions {
		head.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
		head.Set("Access-Control-Allow-Headers", "Authorization, Content-Encoding, Content-Type, Git-Protocol")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	c := &call{Request: r, w: w, origin: h.o.Session.Origin(r, slug)}
	if err := h.serve(c, slug); err != nil {
		h.fail(c, err)
	}
}

func (h *Handler) serve(c *call, slug string) (err error) {
	if c.access, err = h.authorize(c.Request, slug); err != nil {
		return err
	}
	service := c.URL.Query().Get("service")
	var allowed []string
	for _, route := range Routes {
		if route.Pattern != c.URL.Path {
			continue
		}
		if route.Method != c.Method {
			allowed = append(allowed, route.Method)
			continue
		}
		if route.Service == "" || route.Service == service {
			return route.serve(h, c)
		}
	}
	switch {
	case len(allowed) > 0:
		c.w.Header().Set("Allow", allowed[0])
		return errMethod
	case c.URL.Path == Prefix+"/info/refs" && service != "":
		return wiki.Problemf(wiki.ErrDenied, "", "Unknown service. This address only serves git-upload-pack: clone and fetch.")
	}
	return wiki.Problemf(wiki.ErrNotFound, "", "This address only speaks git's smart protocol (git 1.6.6 and later) and doesn't serve single files. To clone the wiki:\n\n    %s", CloneCommand(c.origin, slug))
}

// CloneCommand returns the command that clones a wiki into a folder named after
// the wiki.
func CloneCommand(origin, slug string) string {
	return "git clone " + origin + Prefix + " " + slug
}

// authorize resolves the caller's access and applies the rate limit. To callers
// without rights, a private wiki and a missing one look the same: both ask for a
// password.
func (h *Handler) authorize(r *http.Request, slug string) (wiki.Access, error) {
	caller, err := h.o.Session.Bearer(asBearer(r), slug)
	var access wiki.Access
	if err == nil {
		access, err = h.o.Tenant.Resolve(r.Context(), slug, caller)
	}
	who := limit.Address(r.RemoteAddr)
	if caller.Grant != "" {
		who = limit.Token(caller.Grant)
	}
	if tooFast := h.o.Limits.Take(limit.Request{Wiki: slug, Caller: who, Member: access.Role() >= wiki.Viewer}); tooFast != nil {
		return wiki.Access{}, tooFast
	}
	if errors.Is(err, wiki.ErrSuspended) { // only members see this; for others the wiki doesn't exist
		return wiki.Access{}, err
	}
	if errors.Is(err, wiki.ErrDenied) || errors.Is(err, wiki.ErrNotFound) {
		return wiki.Access{}, errPassword
	}
	if err == nil {
		err = access.Allow(wiki.Read)
	}
	return access, err
}

// asBearer returns the request with its Basic password, if any, as Bearer token.
func asBearer(r *http.Request) *http.Request {
	_, password, ok := r.BasicAuth()
	if !ok || len(r.Header["Authorization"]) > 1 {
		return r
	}
	with := new(http.Request)
	*with = *r
	with.Header = http.Header{"Authorization": {"Bearer " + password}}
	return with
}

// advertise answers the first request of a clone or fetch: the refs in version
// 0, git's capabilities in version 2, where a client then requests the refs
// (gitprotocol-v2(5)).
func (h *Handler) advertise(c *call) error {
	if c.version2() {
		return h.advertiseCapabilities(c)
	}
	return h.runUploadPack(c, "advertisement", "001e# service=git-upload-pack\n0000", nil, "") // pkt-lines (gitprotocol-common(5))
}

// capabilities caches git's capability advertisement of version 2. It is the same
// for all repositories, so only one process is ever asked.
type capabilities struct {
	mu   sync.Mutex
	text []byte
}

func (h *Handler) advertiseCapabilities(c *call) error {
	repo, leave, err := h.o.Pages.Repository(c.Context(), c.access)
	if err != nil {
		return err
	}
	defer leave(false)
	text, err := h.v2.read(c.Context(), repo)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
	_, _ = c.w.Write(text) // the client may be gone
	return nil
}

func (g *capabilities) read(ctx context.Context, repo *gitrepo.Repo) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.text != nil {
		return g.text, nil
	}
	var out bytes.Buffer
	if err := repo.UploadPack(ctx, gitrepo.UploadPack{Version2: true, Advertise: true, Out: &out}); err != nil {
		return nil, err
	}
	g.text = out.Bytes()
	return g.text, nil
}

// uploadPack answers a ref listing or a fetch.
func (h *Handler) uploadPack(c *call) error {
	if t := c.Header.Get("Content-Type"); t != "application/x-git-upload-pack-request" {
		return errMedia
	}
	body, err := h.readBody(c)
	if err != nil {
		return err
	}
	defer body.close()
	if c.version2() && body.file == nil {
		if asked, ok := readRefsRequest(body.text); ok {
			return h.sendRefs(c, asked, body.text)
		}
		if wants, ok := readFullClone(body.text); ok {
			if sent, err := h.sendFullClone(c, wants); sent || err != nil {
				return err
			}
		}
	}
	note := ""
	if h.hasErased(c, body.text) {
		note = erasedNote
	}
	return h.runUploadPack(c, "result", "", body.reader(), note)
}

// version2 reports whether the client speaks protocol version 2. Nothing else in
// the Git-Protocol header reaches a process.
func (c *call) version2() bool { return c.Header.Get("Git-Protocol") == "version=2" }

// refusePush explains why pushing isn't supported, and what to do instead.
func (h *Handler) refusePush(c *call) error {
	return wiki.Problemf(wiki.ErrDenied, "", "This wiki doesn't accept pushes: edits are merged page by page,\nand each one names its author. Nothing was changed.\nTo contribute, edit pages at %[1]s/\nor through the API, PUT %[1]s/api/v1/pages/{page}, with a token of this wiki.", c.origin)
}

var (
	errPassword = errors.New("githttp: password required")
	errMethod   = errors.New("githttp: method not allowed")
	errMedia    = errors.New("githttp: unsupported media type")
	errBusy     = wiki.Problemf(wiki.ErrUnavailable, "", "Too many clones are running. Try again in a few seconds.")
)

// protocolErrors are this front end's own errors; those of wiki.KindOf are in
// errorTexts.
var protocolErrors = []struct {
	kind   error
	status int
	text   string
}{
	{errPassword, http.StatusUnauthorized, "This wiki is private, or it doesn't exist, or the password isn't valid for it.\nThe password is a token of this wiki (rwtf_…), which members create at /-/tokens; any username works."},
	{errMethod, http.StatusMethodNotAllowed, "This address doesn't support that method."},
	{errMedia, http.StatusUnsupportedMediaType, "This isn't a request from git: send application/x-git-upload-pack-request, plain or gzip."},
}

// errorTexts describe errors that aren't a wiki.Problem.
var errorTexts = map[error]string{
	wiki.ErrTakenDown:            "This can't be shown, for legal reasons.",
	wiki.ErrSuspended:            "This wiki was suspended by the operator.",
	wiki.ErrTooLarge:             "The request is too large.",
	wiki.ErrMalformed:            "The request couldn't be parsed.",
	wiki.ErrInvalid:              "The request has an invalid value.",
	wiki.ErrDenied:               "You aren't allowed to do that.",
	wiki.ErrNotFound:             "There is nothing by that name in this wiki.",
	wiki.ErrGone:                 "This is gone for good.",
	wiki.ErrConflict:             "This was changed at the same time. Try again.",
	wiki.ErrExists:               "Something with that name already exists.",
	wiki.ErrPrecondition:         "This was changed. Fetch again.",
	wiki.ErrPreconditionRequired: "The request must name a revision.",
	wiki.ErrQuota:                "The wiki is full. Delete something, or ask its owner." + wiki.RunItYourself,
	wiki.ErrTooMany:              "Too many requests. Wait, then try again.",
	wiki.ErrUnavailable:          "This isn't available at the moment. Try again later.",
	wiki.ErrStorageBusy:          "The disk is busy. Try again in a moment.",
	wiki.ErrDamaged:              "Some of the stored data can't be read. The operator was notified and can restore it from a backup.",
	wiki.ErrStorage:              "The repository can't be read at the moment. Try again later.",
}

// describe returns the status and text of an error. An error without a kind is a
// fault of the service and gets a general text.
func describe(err error) (status int, text string) {
	for _, e := range protocolErrors {
		if errors.Is(err, e.kind) {
			return e.status, e.text
		}
	}
	if text, ok := errorTexts[wiki.KindOf(err)]; ok {
		return wiki.Status(err), text
	}
	return http.StatusInternalServerError, "Something broke on our side. Try again."
}

// fail responds with plain text, which git shows, and logs faults of the service.
func (h *Handler) fail(c *call, err error) {
	status, detail := describe(err)
	var tooFast *limit.Exceeded
	if errors.As(err, &tooFast) {
		c.w.Header().Set("Retry-After", tooFast.RetryAfter())
		detail = tooFast.Error()
	}
	var told *wiki.Problem
	if errors.As(err, &told) && status != http.StatusUnauthorized {
		detail = told.Message
	}
	switch status {
	case http.StatusUnauthorized:
		c.w.Header().Set("WWW-Authenticate", `Basic realm="robot.wtf", charset="UTF-8"`)
	case http.StatusServiceUnavailable:
		c.w.Header().Set("Retry-After", "10")
	}
	if (status == http.StatusInternalServerError || errors.Is(err, wiki.ErrStorage)) && !errors.Is(err, context.Canceled) {
		h.o.Log.ErrorContext(c.Context(), "git request failed", "method", c.Method, "path", c.URL.Path, "err", err)
	}
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.WriteHeader(status)
	if c.Method != http.MethodHead {
		fmt.Fprintln(c.w, detail)
	}
}

// maxSlotWait is how long a request waits for a process slot.
const maxSlotWait = 20 * time.Second
