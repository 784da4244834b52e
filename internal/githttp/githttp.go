// Package githttp is the door of git: whoever may read a wiki clones it from
// /repo.git on its host, by git's smart HTTP protocol (gitprotocol-http(5)) in
// versions 0 and 2. What refs there are and the whole of a wiki are told from here;
// whatever else clients ask for is answered by git upload-pack. Nothing is
// received.
//
// It reads no cookies: the credential is a wiki token, as Bearer or as the
// password of Basic, whatever the user name. A client that hangs holds a
// connection and nothing else: its request is read before a process starts, and
// what the process says is put aside for it.
package githttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

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
	WikiOrigin func(slug string) string
	Limits     *limit.Limiter // nil for none
	Spool      string         // directory for what clients are slow to take; the system's for temporary files when ""
	Log        *slog.Logger
}

// A Handler serves repositories.
type Handler struct {
	o        Options
	slots    *slots
	spools   *spools
	answers  atomic.Int64
	greeting greeting
	known    knownRefs
	disjoint disjoint
}

// New makes a Handler.
func New(o Options) *Handler {
	return &Handler{o: o, slots: newSlots(), spools: &spools{dir: o.Spool, bounds: usual}}
}

// A Route is one entry of the site map, below the wiki's host.
type Route struct {
	Method  string
	Pattern string
	Service string // git's name for it, where the pattern has several
	serve   func(h *Handler, c *call) error
}

// Routes is the site map of the door.
var Routes = []Route{
	{"GET", "/repo.git/info/refs", "git-upload-pack", (*Handler).advertise},
	{"POST", "/repo.git/git-upload-pack", "", (*Handler).uploadPack},
	{"GET", "/repo.git/info/refs", "git-receive-pack", (*Handler).refusePush},
	{"POST", "/repo.git/git-receive-pack", "", (*Handler).refusePush},
}

// A call is one request with the caller's standing.
type call struct {
	*http.Request
	w      http.ResponseWriter
	access wiki.Access
	origin string // of the wiki's host
}

// Prefix is where the door begins: itself, and what is below it.
const Prefix = "/repo.git"

// ServeWiki answers /repo.git/… on the host of the wiki of a slug, which may not
// exist.
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
	c := &call{Request: r, w: w, origin: h.o.WikiOrigin(slug)}
	if err := h.serve(c, slug); err != nil {
		h.fail(c, err)
	}
}

func (h *Handler) serve(c *call, slug string) (err error) {
	if c.access, err = h.admit(c.Request, slug); err != nil {
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
		return wiki.Problemf(wiki.ErrDenied, "", "There is no such service. This address serves git-upload-pack: clone and fetch.")
	}
	return wiki.Problemf(wiki.ErrNotFound, "", "Only git's smart protocol is spoken here (git 1.6.6 and later); no file of the repository has an address. Clone it with:\n\n    %s", CloneCommand(c.origin, slug))
}

// CloneCommand is what a person types to have a wiki: its folder is called as
// the wiki is, not as the repository.
func CloneCommand(origin, slug string) string {
	return "git clone " + origin + Prefix + " " + slug
}

// admit finds out who is calling. A private wiki and one that does not exist
// look alike to whoever has no right in it; both ask for a password, for one
// might help.
func (h *Handler) admit(r *http.Request, slug string) (wiki.Access, error) {
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
	if errors.Is(err, wiki.ErrSuspended) { // its members are told; to others there is no such wiki
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

// asBearer is a request whose Basic password, if it has one, stands as Bearer.
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

// advertise says what there is to fetch; in version 2 only what git understands,
// for a client asks for the refs then (gitprotocol-v2(5)).
func (h *Handler) advertise(c *call) error {
	if c.version2() {
		return h.greet(c)
	}
	return h.answer(c, "advertisement", "001e# service=git-upload-pack\n0000", nil) // pkt-lines (gitprotocol-common(5))
}

// A greeting is what git understands, in version 2. It is the same for all
// repositories, so a process is asked once.
type greeting struct {
	mu   sync.Mutex
	text []byte
}

func (h *Handler) greet(c *call) error {
	repo, leave, err := h.o.Pages.Repository(c.Context(), c.access)
	if err != nil {
		return err
	}
	defer leave(false)
	text, err := h.greeting.of(c.Context(), repo)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
	_, _ = c.w.Write(text) // a client that is gone needs none
	return nil
}

func (g *greeting) of(ctx context.Context, repo *gitrepo.Repo) ([]byte, error) {
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

// uploadPack answers what a client asks for.
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
			return h.tellRefs(c, asked, body.text)
		}
		if wants, ok := readWholeRequest(body.text); ok {
			if sent, err := h.sendWhole(c, wants); sent || err != nil {
				return err
			}
		}
	}
	return h.answer(c, "result", "", body.reader())
}

// version2 reports that the client speaks it; of what else it says nothing
// reaches a process.
func (c *call) version2() bool { return c.Header.Get("Git-Protocol") == "version=2" }

// refusePush says why nothing can be pushed, and what to do.
func (h *Handler) refusePush(c *call) error {
	return wiki.Problemf(wiki.ErrDenied, "", "This wiki takes no pushes: it merges what people and agents write, page by page,\nand says of each change who made it. Nothing was changed.\nTo contribute, edit its pages at %[1]s/\nor send them to its API, PUT %[1]s/api/v1/pages/{page}, with a token of this wiki.", c.origin)
}

var (
	errPassword = errors.New("githttp: a password is needed")
	errMethod   = errors.New("githttp: method not allowed")
	errMedia    = errors.New("githttp: not a request of git's")
	errBusy     = errors.New("githttp: too many at once")
)

var kinds = []struct {
	kind   error
	status int
	detail string
}{
	{errPassword, http.StatusUnauthorized, "This wiki is private, or there is none at this address, or the password does not open it.\nThe password is a token of this wiki (rwtf_…), which its members make at /-/tokens; the user name is any."},
	{errMethod, http.StatusMethodNotAllowed, "This address does not take that method."},
	{errMedia, http.StatusUnsupportedMediaType, "This is not what git sends: application/x-git-upload-pack-request, plain or gzip."},
	{errBusy, http.StatusServiceUnavailable, "Too many are cloning at the moment. Try again in some seconds."},
	{wiki.ErrTakenDown, http.StatusUnavailableForLegalReasons, "This may not be shown, for legal reasons."},
	{wiki.ErrSuspended, http.StatusForbidden, "This wiki is suspended."},
	{wiki.ErrTooLarge, http.StatusRequestEntityTooLarge, "That is too large."},
	{wiki.ErrInvalid, http.StatusBadRequest, "That cannot be."},
	{wiki.ErrDenied, http.StatusForbidden, "You may not do that."},
	{wiki.ErrNotFound, http.StatusNotFound, "There is no such thing in this wiki."},
	{wiki.ErrStorage, http.StatusServiceUnavailable, "The repository cannot be read at the moment. Try again later."},
}

// fail turns an error into an answer that git shows (it does of text/plain), and
// a log line where it is ours.
func (h *Handler) fail(c *call, err error) {
	status, detail := http.StatusInternalServerError, "Something broke on our side. Try again."
	known := false
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			status, detail, known = k.status, k.detail, true
			break
		}
	}
	var tooFast *limit.Exceeded
	if errors.As(err, &tooFast) {
		c.w.Header().Set("Retry-After", tooFast.RetryAfter())
		status, detail, known = http.StatusTooManyRequests, tooFast.Error(), true
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
	if (!known || errors.Is(err, wiki.ErrStorage)) && !errors.Is(err, context.Canceled) {
		h.o.Log.ErrorContext(c.Context(), "git request failed", "method", c.Method, "path", c.URL.Path, "error", err)
	}
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.WriteHeader(status)
	if c.Method != http.MethodHead {
		fmt.Fprintln(c.w, detail)
	}
}

// patience is how long a request waits for a process to be free.
const patience = 20 * time.Second
