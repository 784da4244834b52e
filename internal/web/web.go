// Package web is the browser front end: the pages of the platform and of the wikis.
// Reading and editing work without JavaScript.
//
// How to add a page:
//
//  1. Add a line to wikiRoutes (a separate address such as "GET /-/index"),
//     pageActions (a suffix after a page's name) or platformRoutes.
//  2. Write a method (h *Handler) verbNoun(v *visit) error. It calls pages, tenant
//     or session with v.a, and ends with h.render, h.redirect or an error. Handlers
//     just return errors; fail renders them.
//  3. Beside the handler, declare a struct that embeds Frame (from h.frame or
//     h.pageFrame). Add templates/name.html, which defines "main".
//  4. If a form is invalid, render it again with the user's text and the Problem's
//     message. On success, use h.redirect (303).
//
// TestEveryTemplate and the role matrix find new pages and fail until the tests say
// what to expect.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/background"
	"robot.wtf/internal/budget"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/oauth"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/passkey"
	"robot.wtf/internal/session"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// Options of a Handler.
type Options struct {
	Pages    *pages.Service
	Tenant   *tenant.Service
	Session  *session.Service
	OAuth    *oauth.Service
	Platform string // origin of the platform, "https://robot.wtf", without a final slash
	Name     string // of the service; "" means robot.wtf
	// Operators are the DIDs of people with the operator's pages.
	Operators []string
	Contact   string // email or web address of the operator, or ""
	// Terms and Privacy are shown instead of ours, if they aren't empty.
	Terms, Privacy template.HTML
	// WikiOrigin returns the origin of a wiki's host.
	WikiOrigin func(slug string) string
	// Single means that Platform is the host of the only wiki: there are no pages of
	// a platform, and people sign in by links ("robot home").
	Single bool
	// PlainHTTP means that others on the network can read along; pages say so.
	PlainHTTP bool
	// SignIn signs people in through their own servers; nil in development.
	SignIn *atproto.Service
	// Webhooks deliver messages about changes.
	Webhooks Webhooks
	// Passkeys sign people in who have local identities; nil if the address allows none.
	Passkeys *passkey.Service
	// People are the test users offered for signing in, in development. If nil,
	// POST /auth/dev does not exist.
	People       []wiki.User
	Showcase     []string            // slugs of wikis shown on the landing page while they are public
	Limits       *limit.Limiter      // nil for none
	SignInFailed func(cause string)  // called for each failed sign-in, for metrics; may be nil
	CacheBytes   int64               // size of the page cache; 0 means 64 MiB
	Background   *background.Workers // runs imports; nil only recovers from panics
	Now          func() time.Time
	Log          *slog.Logger
}

// A Handler serves the platform's host and the hosts of wikis. The server has
// already determined the host, checked the raw path and set a request id.
type Handler struct {
	o         Options
	wiki      *http.ServeMux
	platform  *http.ServeMux
	actions   map[string]pageAction
	templates templates
	assets    *assets
	finished  *finishedPages
	accounts  *budget.Cache[accountData, *accountPart]
	headers   headers
	cards     linkCards
	stream    streamLimits
	ending    chan struct{} // closed when the service stops
	end       func()
	imports   importJobs
	editing   openEditors
}

// New makes a Handler.
func New(o Options) (*Handler, error) {
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	o.Name = cmp.Or(o.Name, "robot.wtf")
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SignInFailed == nil {
		o.SignInFailed = func(string) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &Handler{o: o, actions: map[string]pageAction{}, stream: defaultStreamLimits, ending: make(chan struct{})}
	h.end = sync.OnceFunc(func() { close(h.ending) })
	var err error
	if h.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if h.templates, err = h.parseTemplates(); err != nil {
		return nil, err
	}
	h.finished, h.accounts = newFinishedPages(o.CacheBytes), newAccounts()
	h.headers, h.cards = makeHeaders(o), newLinkCards()
	for _, a := range pageActions() {
		h.actions[a.suffix] = a
	}
	h.wiki = newMux(h, h.routes())
	h.platform = newMux(h, platformRoutes(o.People != nil, o.SignIn != nil))
	return h, nil
}

// A visit is one request, with everything known about it before its handler runs.
type visit struct {
	w    http.ResponseWriter
	r    *http.Request
	slug string // the host's wiki, "" on the platform
	// a is the caller's access. On the platform and in open routes it allows
	// nothing.
	a      wiki.Access
	caller wiki.Caller
	name   string   // of the page or file as requested, without action suffix
	rest   []string // the segments after the suffix: diff/{a}/{b}
	suffix string   // "/history", escaped, with the rest: kept by redirects
	light  bool     // a POST that counts as a read
	policy []string // Content-Security-Policy instead of the host's default
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// param returns a path value of the route's pattern.
func (v *visit) param(name string) string { return v.r.PathValue(name) }

// query returns a query parameter.
func (v *visit) query(name string) string { return v.r.URL.Query().Get(name) }

type handler func(h *Handler, v *visit) error

// A route is one line of the site map.
type route struct {
	pattern string      // of http.ServeMux, with a method
	need    wiki.Action // required permission
	handle  handler
	open    bool // served without resolving the wiki or the caller's access
	free    bool // not counted by rate limits
	light   bool // a POST that changes no page, and counts as a read
	once    bool // a GET with a side effect, so it has no HEAD (RFC 9110, 9.2.1)
}

// wikiRoutes is the site map of a wiki's host. The last line serves the pages.
// Addresses are spelled as in An Otter Wiki, or redirect from there, so that links
// to a wiki that moved here keep working.
func wikiRoutes() []route {
	return append(memberRoutes(), []route{
		{pattern: "GET /-/static/{file}", handle: (*Handler).serveAsset, open: true, free: true},
		{pattern: "GET /-/diagram/{hash}", handle: (*Handler).serveDiagram, open: true},
		{pattern: "GET /-/avatar/{id}", handle: (*Handler).serveAvatar, open: true},
		{pattern: "GET /-/accent/{file}", handle: (*Handler).serveAccent, open: true, free: true},
		{pattern: "GET /-/icon/{id}", handle: (*Handler).serveIcon},
		{pattern: "GET /-/card/{page...}", handle: (*Handler).showCard},
		{pattern: "GET /-/sso", handle: (*Handler).finishSSO, open: true, once: true},
		{pattern: "GET /-/login", handle: (*Handler).startSSO, open: true},
		{pattern: "POST /-/logout", handle: (*Handler).signOutOfWiki, open: true},
		{pattern: "GET /-/healthz", handle: (*Handler).showAlive, open: true, free: true},

		{pattern: "GET /-/index", handle: (*Handler).showIndex},
		{pattern: "GET /-/changelog", handle: (*Handler).showChangelog},
		{pattern: "GET /-/changelog/{from}", handle: (*Handler).showChangelog},
		{pattern: "GET /-/changelog/feed.atom", handle: (*Handler).showAtom},
		{pattern: "GET /-/changelog/feed.rss", handle: (*Handler).showRSS},
		{pattern: "GET " + feedLinksPath + "{secret}", handle: (*Handler).showSecretFeed, open: true},
		{pattern: "GET " + pageLinksPath + "{secret}", handle: (*Handler).showShared, open: true},
		{pattern: "GET " + pageLinksPath + "{secret}/{file...}", handle: (*Handler).serveSharedPicture, open: true},
		{pattern: "GET /-/backlinks", handle: (*Handler).showBacklinks},
		{pattern: "GET /-/trash", handle: (*Handler).showTrash},
		{pattern: "GET /-/log", handle: (*Handler).redirectLog},
		{pattern: "GET /-/log/{from}", handle: (*Handler).redirectLog},
		{pattern: "GET /-/commit/{id}", handle: (*Handler).showCommit},
		{pattern: "GET /-/session/{id}", handle: (*Handler).showSession},
		{pattern: "GET /-/search", handle: (*Handler).showSearch},
		{pattern: "POST /-/search", handle: (*Handler).redirectSearch, light: true},
		{pattern: "GET /-/search/{query...}", handle: (*Handler).redirectSearch},
		{pattern: "GET /-/jump", handle: (*Handler).showJump},
		{pattern: "GET /-/tree", handle: (*Handler).showBranches},
		{pattern: "GET /-/suggest", handle: (*Handler).suggestPages},
		{pattern: "GET /-/suggest/{kind}", handle: (*Handler).suggestWords},
		{pattern: "GET /-/health", handle: (*Handler).showHealth},
		{pattern: "GET /-/housekeeping", handle: (*Handler).redirectHealth},
		{pattern: "GET /-/help", handle: (*Handler).showHelp},
		{pattern: "GET /-/help/{topic}", handle: (*Handler).showHelp},
		{pattern: "GET /-/syntax", handle: (*Handler).showHelp},
		{pattern: "GET /-/about", handle: (*Handler).redirectAbout},
		{pattern: "GET /-/admin", handle: (*Handler).redirectSettings},
		{pattern: "GET /-/admin/{rest...}", handle: (*Handler).redirectSettings},
		{pattern: "GET /-/user", handle: (*Handler).redirectSettings},
		{pattern: "GET /-/user/{rest...}", handle: (*Handler).redirectSettings},

		{pattern: "GET /-/report", handle: (*Handler).showReport},
		{pattern: "POST /-/report", handle: (*Handler).sendReport, light: true},
		{pattern: "GET /-/export", handle: (*Handler).showExport},
		{pattern: "GET /-/export/{format}", handle: (*Handler).downloadExport},
		{pattern: "GET /-/import", need: wiki.Configure, handle: (*Handler).showImport},
		{pattern: "POST /-/import", need: wiki.Configure, handle: (*Handler).startImport},
		{pattern: "POST /-/import/plan", need: wiki.Configure, handle: (*Handler).decideImport},
		{pattern: "GET /-/create", need: wiki.Edit, handle: (*Handler).showCreate},
		{pattern: "POST /-/create", need: wiki.Edit, handle: (*Handler).createPage},
		{pattern: "GET /-/drafts", need: wiki.Edit, handle: (*Handler).showDrafts},
		{pattern: "POST /-/drafts", need: wiki.Edit, handle: (*Handler).discardDraft, light: true},
		{pattern: "GET /-/editing", need: wiki.Edit, handle: (*Handler).streamOthers},
		{pattern: "POST /-/editing", need: wiki.Edit, handle: (*Handler).mergeOthers, light: true},
		{pattern: "GET /-/attachments", handle: (*Handler).showAllAttachments},
		{pattern: "POST /-/task", need: wiki.Edit, handle: (*Handler).tickTask},
		{pattern: "POST /-/upload", need: wiki.Edit, handle: receiving((*Handler).uploadFiles)},
		{pattern: "GET /-/revert/{id}", need: wiki.Edit, handle: (*Handler).showRevert},
		{pattern: "POST /-/revert/{id}", need: wiki.Edit, handle: (*Handler).revertCommit},
		{pattern: "GET /-/settings", need: wiki.Configure, handle: (*Handler).showSettings},
		{pattern: "POST /-/settings", need: wiki.Configure, handle: (*Handler).saveSettings},
		{pattern: "POST /-/icon", need: wiki.Configure, handle: receiving((*Handler).saveIcon)},
		{pattern: "POST /-/imports", need: wiki.Configure, handle: (*Handler).saveVouching},

		{pattern: "GET /robots.txt", handle: (*Handler).showRobots, open: true, free: true},
		{pattern: "GET /favicon.ico", handle: (*Handler).showFavicon, open: true, free: true},
		{pattern: "GET /sitemap.xml", handle: (*Handler).showSitemap},
		{pattern: "GET /llms.txt", handle: (*Handler).showLLMs},
		{pattern: "GET /llms-full.txt", handle: (*Handler).showLLMsFull},

		{pattern: "/{page...}", handle: (*Handler).dispatchPage},
	}...)
}

// routes is the site map of a wiki's host.
func (h *Handler) routes() []route {
	if h.o.Single {
		return homeRoutes()
	}
	return wikiRoutes()
}

// platformRoutes is the site map of the platform's host.
func platformRoutes(dev, signIn bool) []route {
	routes := []route{
		{pattern: "GET /-/static/{file}", handle: (*Handler).serveAsset, free: true},
		{pattern: "GET /-/avatar/{id}", handle: (*Handler).serveAvatar},
		{pattern: "GET /{$}", handle: (*Handler).showLanding},
		{pattern: "GET /limits", handle: (*Handler).showLimits},
		{pattern: "GET /privacy", handle: (*Handler).showPrivacy},
		{pattern: "GET /terms", handle: (*Handler).showTerms},
		{pattern: "GET /app/{$}", handle: (*Handler).showDashboard},
		{pattern: "GET /app", handle: (*Handler).showDashboard},
		{pattern: "GET /app/create", handle: (*Handler).showUsername},
		{pattern: "POST /app/create", handle: (*Handler).createWiki},
		{pattern: "GET /app/create/check", handle: (*Handler).checkUsername},
		{pattern: "GET /app/wiki/{slug}", handle: (*Handler).redirectFormerSettings},
		{pattern: "GET /app/wiki/{slug}/{rest...}", handle: (*Handler).redirectFormerSettings},
		{pattern: "GET /auth/login", handle: (*Handler).showSignIn},
		{pattern: "GET /auth/signup", handle: (*Handler).redirectFormerSignUp},
		{pattern: "POST /auth/logout", handle: (*Handler).signOut},
		{pattern: "GET /auth/sso", handle: (*Handler).grantSSO, once: true},
		{pattern: "POST /auth/sso", handle: (*Handler).confirmSSO},
		{pattern: "GET /robots.txt", handle: (*Handler).showPlatformRobots, free: true},
		{pattern: "GET /favicon.ico", handle: (*Handler).showFavicon, free: true},
		{pattern: "/{rest...}", handle: (*Handler).showNotFound},
	}
	routes = append(routes, accountRoutes()...)
	routes = append(routes, operatorRoutes()...)
	routes = append(routes, consentRoutes()...)
	routes = append(routes, invitationRoutes()...)
	if dev {
		routes = append(routes, route{pattern: "POST /auth/dev", handle: (*Handler).signInAs})
	}
	if signIn {
		routes = append(routes,
			route{pattern: "POST /auth/login", handle: (*Handler).beginSignIn},
			route{pattern: "GET " + completePath, handle: (*Handler).completeHandle},
			route{pattern: "GET " + atproto.CallbackPath, handle: (*Handler).finishSignIn, once: true},
			route{pattern: "GET " + atproto.MetadataPath, handle: (*Handler).showClientMetadata, free: true},
			route{pattern: "GET " + atproto.JWKSPath, handle: (*Handler).showClientMetadata, free: true},
		)
	}
	return routes
}

// A pageAction handles a suffix after a page's name, with min to max segments after
// it. get and post may be nil.
type pageAction struct {
	suffix    string
	min, max  int
	need      wiki.Action
	get, post handler
	postNeed  wiki.Action
	light     bool // its POST changes no page, and counts as a read
}

// pageActions is the table of suffixes after "/{page...}", which http.ServeMux
// patterns can't express. The suffixes are those in wiki.Actions.
func pageActions() []pageAction {
	return []pageAction{
		{suffix: "view", max: 1, get: (*Handler).redirectView},
		{suffix: "source", max: 1, get: (*Handler).showSource, postNeed: wiki.Edit, post: (*Handler).convertPage},
		{suffix: "history", get: (*Handler).showHistory, post: (*Handler).compareVersions, light: true},
		{suffix: "diff", max: 2, get: (*Handler).showDiff},
		{suffix: "blame", max: 1, get: (*Handler).showBlame},

		{suffix: "edit", max: 1, need: wiki.Edit, get: (*Handler).showEdit, postNeed: wiki.Edit, post: (*Handler).chooseDraft, light: true},
		{suffix: "save", postNeed: wiki.Edit, get: (*Handler).redirectToEdit, post: (*Handler).savePage},
		{suffix: "preview", postNeed: wiki.Edit, get: (*Handler).redirectToEdit, post: (*Handler).previewPage, light: true},
		{suffix: "draft", max: 1, postNeed: wiki.Edit, get: (*Handler).showDraft, post: (*Handler).saveDraft, light: true},
		{suffix: "rename", need: wiki.Edit, get: (*Handler).showRename, postNeed: wiki.Edit, post: (*Handler).renamePage},
		{suffix: "delete", need: wiki.Edit, get: (*Handler).showDelete, postNeed: wiki.Edit, post: (*Handler).deletePage},

		{suffix: "attachments", get: (*Handler).showAttachments, postNeed: wiki.Edit, post: receiving((*Handler).attachFiles)},
		{suffix: "inline_attachment", postNeed: wiki.Edit, get: (*Handler).redirectToAttachments, post: receiving((*Handler).attachInlineFile)},
		{suffix: "attachment", min: 1, max: 1, get: (*Handler).showAttachment, postNeed: wiki.Edit, post: receiving((*Handler).changeAttachment)},
		{suffix: "a", min: 1, max: 2, get: (*Handler).serveAttachment},
		{suffix: "t", min: 1, max: 2, get: (*Handler).serveThumbnail},
	}
}

type visitKey struct{}

// newMux builds the mux of a site map. Only between ServeWiki and here, the visit is
// passed in the context, because http.ServeMux offers no other way.
func newMux(h *Handler, routes []route) *http.ServeMux {
	mux := http.NewServeMux()
	for _, rt := range routes {
		mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) {
			v := r.Context().Value(visitKey{}).(*visit)
			v.r = r
			if err := h.runRoute(v, rt); err != nil {
				h.fail(v, err)
			}
		})
	}
	return mux
}

func (h *Handler) runRoute(v *visit, rt route) error {
	v.light = rt.light
	if rt.once && v.r.Method == http.MethodHead {
		return methodError("GET")
	}
	if v.slug != "" && !rt.open {
		done, err := h.resolveAccess(v, rt)
		if done || err != nil {
			return err
		}
		// pages checks this again; checking here saves work.
		if err := v.a.Allow(rt.need); err != nil {
			return err
		}
	} else if !rt.free {
		if err := h.chargeRateLimit(v); err != nil {
			return err
		}
	}
	return rt.handle(h, v)
}

// ServePlatform serves the platform's host.
func (h *Handler) ServePlatform(w http.ResponseWriter, r *http.Request) {
	v := &visit{w: w, r: r, caller: h.o.Session.Browser(r)}
	h.serve(v, h.platform)
}

// ServeWiki serves the host of the wiki of a slug, which may not exist.
func (h *Handler) ServeWiki(w http.ResponseWriter, r *http.Request, slug string) {
	if h.serveFinished(w, r, slug) {
		return
	}
	h.serve(&visit{w: w, r: r, slug: slug}, h.wiki)
}

func (h *Handler) serve(v *visit, mux *http.ServeMux) {
	if !utf8.ValidString(v.r.URL.Path) || strings.ContainsRune(v.r.URL.Path, 0) {
		h.fail(v, wiki.Problemf(wiki.ErrInvalid, "path", "This address is not valid UTF-8."))
		return
	}
	r := v.r.WithContext(context.WithValue(v.r.Context(), visitKey{}, v))
	v.r = r
	mux.ServeHTTP(v.w, r)
}

// dispatchPage serves pages, their actions and files. The first segment that is an
// action ends the page's name, because no folder can have such a name.
func (h *Handler) dispatchPage(v *visit) error {
	path := v.param("page")
	if first, _, _ := strings.Cut(path, "/"); first == "-" {
		return h.noSuchAddress(v)
	}
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")
	for i, s := range segments {
		a, ok := h.actions[s]
		if !ok || i == 0 {
			continue
		}
		v.name = strings.Join(segments[:i], "/")
		v.rest = segments[i+1:]
		if n := len(v.rest); n < a.min || n > a.max {
			return fmt.Errorf("web: %s with %d segments after it: %w", s, n, wiki.ErrNotFound)
		}
		v.suffix = wiki.PathURL(strings.Join(segments[i:], "/"))
		return h.runAction(v, a)
	}
	if !reads(v.r) {
		return methodError("GET, HEAD")
	}
	v.name = path
	return h.showPage(v)
}

func (h *Handler) runAction(v *visit, a pageAction) error {
	switch {
	case reads(v.r) && a.get != nil:
		if err := v.a.Allow(a.need); err != nil {
			return h.refuseAction(v, a, err)
		}
		return a.get(h, v)
	case v.r.Method == http.MethodPost && a.post != nil:
		if err := v.a.Allow(a.postNeed); err != nil {
			return err
		}
		return a.post(h, v)
	case a.post == nil:
		return methodError("GET, HEAD")
	case a.get == nil:
		return methodError("POST")
	}
	return methodError("GET, HEAD, POST")
}

// refuseAction responds to callers without permission. Red links lead to the editor
// of a missing page: readers see that it is missing instead of an error.
func (h *Handler) refuseAction(v *visit, a pageAction, denied error) error {
	if a.suffix != "edit" {
		return denied
	}
	if _, err := h.o.Pages.Find(v.ctx(), v.a, v.name); errors.Is(err, wiki.ErrNotFound) {
		return h.showMissing(v, v.name)
	}
	return denied
}

func reads(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// A methodError means that the address doesn't support the method. Its text is the
// value of Allow.
type methodError string

func (m methodError) Error() string { return "method not allowed; allowed are " + string(m) }

// noSuchAddress returns a 405 if the address has another method, else a 404.
func (h *Handler) noSuchAddress(v *visit) error {
	hidden := v.slug == "" && isOperatorPath(v.r.URL.Path) && !h.isOperator(v.caller)
	if allow := h.allowedMethods(v); allow != "" && !hidden {
		return methodError(allow)
	}
	return fmt.Errorf("web: no address %q: %w", v.r.URL.Path, wiki.ErrNotFound)
}

// allowedMethods lists the methods that have a route at the address.
func (h *Handler) allowedMethods(v *visit) string {
	mux := h.platform
	if v.slug != "" {
		mux = h.wiki
	}
	var methods []string
	for _, m := range []string{http.MethodGet, http.MethodPost} {
		probe := &http.Request{Method: m, URL: v.r.URL, Host: v.r.Host}
		if _, pattern := mux.Handler(probe); strings.HasPrefix(pattern, m+" ") {
			methods = append(methods, m)
			if m == http.MethodGet {
				methods = append(methods, http.MethodHead)
			}
		}
	}
	return strings.Join(methods, ", ")
}

// showNotFound serves unknown addresses on the platform.
func (h *Handler) showNotFound(v *visit) error { return h.noSuchAddress(v) }

// resolveAccess resolves the caller's access to the visit's wiki. It reports true if
// it has redirected to signing in or to the wiki's other host.
func (h *Handler) resolveAccess(v *visit, rt route) (bool, error) {
	v.caller = h.o.Session.Browser(v.r)
	a, err := h.o.Tenant.Resolve(v.ctx(), v.slug, v.caller)
	v.a = a
	h.setRobotsHeader(v)
	if tooFast := h.chargeRateLimit(v); tooFast != nil {
		return false, tooFast
	}
	if err == nil {
		if done, err := h.redirectHome(v, rt); done {
			return done, err
		}
		return h.trySignIn(v)
	}
	if !errors.Is(err, wiki.ErrNotFound) || !v.caller.Anonymous() {
		return false, err
	}
	// Private or nonexistent: the same response for both.
	return h.askToSignIn(v)
}
