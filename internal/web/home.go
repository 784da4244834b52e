package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/oauth"
	"robot.wtf/internal/passkey"
	"robot.wtf/internal/session"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// Pages of a service whose only wiki is at the root of its host ("robot home"). People
// have local identities there, and sign in by one-time links, passkeys or linked accounts.
const (
	homeSignInPath = "/-/login"
	// SignInLinkPath begins a sign-in link; the code follows.
	SignInLinkPath  = homeSignInPath + "/"
	joinPath        = "/-/join"
	homeAccountPath = "/-/account"
	passkeysPath    = "/-/passkeys"
)

// The code of a link is in the address of the first request only. From there it moves
// to a cookie, so that no referrer or history has it.
const (
	signInCookie = "__Host-signin-link"
	joinCookie   = "__Host-join"
	backCookie   = "__Host-back" // path to return to after signing in, escaped for a query
	backSeconds  = 60 * 60
)

// notAtHome are the routes of wikiRoutes that need a platform.
var notAtHome = []string{"GET /-/sso", "GET /-/login", "POST /-/delete", "GET /.well-known/atproto-did"}

// homeRoutes is the site map of the only wiki's host.
func homeRoutes() []route {
	routes := []route{
		{pattern: "GET " + homeSignInPath, handle: asCaller((*Handler).showHomeSignIn), open: true},
		{pattern: "GET " + SignInLinkPath + "{code}", handle: (*Handler).openSignInLink, open: true, once: true},
		{pattern: "POST " + homeSignInPath, handle: asCaller((*Handler).useSignInLink), open: true},
		{pattern: "POST " + homeSignInPath + "/challenge", handle: (*Handler).beginPasskeySignIn, open: true},
		{pattern: "POST " + homeSignInPath + "/passkey", handle: (*Handler).signInWithPasskey, open: true},
		{pattern: "GET " + joinPath + "/{code}", handle: (*Handler).openJoinLink, open: true, once: true},
		{pattern: "GET " + joinPath, handle: asCaller((*Handler).showJoin), open: true},
		{pattern: "POST " + joinPath, handle: asCaller((*Handler).join), open: true},
		{pattern: "POST /-/invitations", need: wiki.Configure, handle: (*Handler).changeJoinLinks},
		{pattern: "GET " + homeAccountPath, handle: asCaller((*Handler).showHomeAccount), open: true},
		{pattern: "POST " + homeAccountPath, handle: asCaller((*Handler).endHomeSessions), open: true},
		{pattern: "GET " + homeFeedPath, handle: asCaller((*Handler).showOwnFeedPage), open: true},
		{pattern: "POST " + homeFeedPath, handle: asCaller((*Handler).changeOwnFeed), open: true},
		{pattern: "GET " + homeFeedPath + "/{secret}", handle: (*Handler).showOwnFeed, open: true},
		{pattern: "POST " + passkeysPath + "/challenge", handle: asCaller((*Handler).beginAddPasskey), open: true},
		{pattern: "POST " + passkeysPath, handle: asCaller((*Handler).changePasskeys), open: true},
	}
	routes = append(routes, linkedRoutes()...)
	for _, rt := range consentRoutes() {
		method, path, _ := strings.Cut(rt.pattern, " ")
		routes = append(routes, route{pattern: method + " " + oauth.SinglePrefix + path, handle: asCaller(rt.handle), open: true})
	}
	for _, rt := range wikiRoutes() {
		if !slices.Contains(notAtHome, rt.pattern) {
			routes = append(routes, rt)
		}
	}
	return routes
}

// asCaller identifies the caller for a handler of an open route, as on the platform.
func asCaller(do handler) handler {
	return func(h *Handler, v *visit) error {
		v.caller = h.o.Session.Browser(v.r)
		return do(h, v)
	}
}

// A homeSignInPage signs in the person with a link, or says how to get one.
type homeSignInPage struct {
	Frame
	Person  wiki.User // of the link; zero without one
	Wrong   string
	Minutes int // lifetime of a link
	// Passkeys means that people can sign in with passkeys, or add them.
	Passkeys bool
	Accounts bool   // people can sign in with linked accounts
	Handle   string // of an account, as typed
}

// openSignInLink moves the code from the address to a cookie. It uses nothing up,
// because programs that preview links open them, too. The response is the same for
// every code.
func (h *Handler) openSignInLink(v *visit) error {
	return h.openLink(v, signInCookie, homeSignInPath, tenant.SignInLinkLifetime)
}

func (h *Handler) openLink(v *visit, cookie, to string, lifetime time.Duration) error {
	v.w.Header().Set("Referrer-Policy", "no-referrer")
	v.w.Header().Set("Cache-Control", "no-store")
	code := v.param("code")
	if !isLinkCode(code) {
		code = "invalid"
	}
	http.SetCookie(v.w, h.o.Session.Cookie(cookie, code, int(lifetime.Seconds())))
	return h.redirect(v, to+"?"+openedParam+"=1")
}

// openedParam in an address means that a link was opened, so that its cookie is there
// unless the browser dropped it.
const openedParam = "opened"

var errNoCookie = wiki.Problemf(wiki.ErrInvalid, "", "This browser didn't keep the cookie that the link needs. Safari keeps none on http://localhost: open the link in another browser. Otherwise, allow cookies for this address and open the link again.")

// showHomeSignIn offers the button that uses the link up. Without a link it remembers
// where the person wanted to go.
func (h *Handler) showHomeSignIn(v *visit) error {
	if !v.caller.Anonymous() {
		return h.redirect(v, session.LocalPath(v.query("to")))
	}
	if to := session.LocalPath(v.query("to")); to != "/" {
		http.SetCookie(v.w, h.o.Session.Cookie(backCookie, url.QueryEscape(to), backSeconds))
	}
	code := h.o.Session.CookieValue(v.r, signInCookie)
	if code == "" && v.query(openedParam) != "" {
		return h.refuseSignInLink(v, errNoCookie)
	}
	if code == "" {
		refused := h.refusedProof(v)
		return h.renderHomeSignIn(v, refused.Status, homeSignInPage{Wrong: refused.Wrong})
	}
	person, err := h.o.Tenant.SignInLinkPerson(v.ctx(), code)
	if err != nil {
		return h.refuseSignInLink(v, err)
	}
	return h.renderHomeSignIn(v, http.StatusOK, homeSignInPage{Person: person})
}

// refuseSignInLink responds to a link that can't be used, and forgets it. It returns
// other errors.
func (h *Handler) refuseSignInLink(v *visit, err error) error {
	if errors.As(err, new(*wiki.Problem)) {
		http.SetCookie(v.w, h.o.Session.Cookie(signInCookie, "", -1))
	}
	return h.refuseSignIn(v, err)
}

// refuseSignIn shows why somebody isn't signed in. It returns errors that aren't
// problems.
func (h *Handler) refuseSignIn(v *visit, err error) error {
	var p *wiki.Problem
	if !errors.As(err, &p) {
		return err
	}
	v.failed(err)
	return h.renderHomeSignIn(v, wiki.Status(err), homeSignInPage{Wrong: p.Message})
}

func (h *Handler) renderHomeSignIn(v *visit, status int, p homeSignInPage) error {
	p.Frame, p.Minutes = h.frame(v, "Sign in"), int(tenant.SignInLinkLifetime.Minutes())
	p.NoIndex = true
	p.Passkeys = h.o.Passkeys != nil
	if p.Accounts = h.o.SignIn != nil; p.Accounts {
		v.policy = h.headers.signInPolicy
	}
	if p.Passkeys && p.Person.DID == "" {
		var err error
		if p.Passkeys, err = h.o.Passkeys.Offered(v.ctx()); err != nil {
			return err
		}
	}
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "homesignin", &p)
}

// useSignInLink signs in the person of the link, and uses it up.
func (h *Handler) useSignInLink(v *visit) error {
	if err := h.o.Limits.SignIn(v.r.RemoteAddr); err != nil {
		return err
	}
	person, err := h.o.Tenant.UseSignInLink(v.ctx(), h.o.Session.CookieValue(v.r, signInCookie))
	if err == nil {
		http.SetCookie(v.w, h.o.Session.Cookie(signInCookie, "", -1))
		err = h.o.Session.SignIn(v.ctx(), v.w, v.r, person, false)
	}
	if err != nil {
		return h.refuseSignInLink(v, err)
	}
	to, err := h.firstPage(v, person, h.takeBack(v))
	if err != nil {
		return err
	}
	return h.redirect(v, to)
}

// firstPage returns where somebody who signed in with a link goes: the owner of a wiki that
// nobody has written in to its welcome page, unless they wanted to go elsewhere.
func (h *Handler) firstPage(v *visit, person wiki.User, back string) (string, error) {
	a, err := h.o.Tenant.Resolve(v.ctx(), v.slug, wiki.Caller{User: person})
	if err != nil || back != "/" || !a.Can(wiki.Configure) {
		return back, err
	}
	fresh, err := h.o.Pages.IsFresh(v.ctx(), a)
	if fresh {
		back = welcomePath
	}
	return back, err
}

// takeBack returns the path to return to after signing in.
func (h *Handler) takeBack(v *visit) string {
	back := h.o.Session.CookieValue(v.r, backCookie)
	if back != "" {
		http.SetCookie(v.w, h.o.Session.Cookie(backCookie, "", -1))
	}
	to, err := url.QueryUnescape(back)
	if err != nil {
		return "/"
	}
	return session.LocalPath(to)
}

// A joinPage shows an invitation to the wiki.
type joinPage struct {
	Frame
	failure
	Link     tenant.JoinLink
	WikiName string
	Caller   wiki.User // zero if anonymous
	Name     string    // as typed
	Gone     string    // why the invitation can't be used
}

func (h *Handler) openJoinLink(v *visit) error {
	return h.openLink(v, joinCookie, joinPath, 24*time.Hour)
}

func (h *Handler) showJoin(v *visit) error {
	if v.query(openedParam) != "" && h.o.Session.CookieValue(v.r, joinCookie) == "" {
		return h.renderJoin(v, wiki.Status(errNoCookie), joinPage{Gone: errNoCookie.Error()})
	}
	return h.renderJoin(v, http.StatusOK, joinPage{})
}

func (h *Handler) renderJoin(v *visit, status int, p joinPage) error {
	if p.Gone == "" {
		var err error
		p.Link, p.WikiName, err = h.o.Tenant.JoinLink(v.ctx(), h.o.Session.CookieValue(v.r, joinCookie))
		if errors.Is(err, tenant.ErrJoinLink) {
			status, p.Gone = wiki.Status(err), err.Error()
		} else if err != nil {
			return err
		}
	}
	p.Frame, p.Caller = h.frame(v, "Invitation"), v.caller.User
	p.NoIndex = true
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "join", &p)
}

// join makes the person a member and signs them in, and uses the invitation up.
func (h *Handler) join(v *visit) error {
	if err := h.o.Limits.Invitation(v.r.RemoteAddr); err != nil {
		return err
	}
	form, err := h.readForm(v, smallForm)
	if err != nil {
		return err
	}
	name := cleanSlug(form.Get("name"))
	person, err := h.o.Tenant.Join(v.ctx(), v.caller, h.o.Session.CookieValue(v.r, joinCookie), name)
	if errors.Is(err, tenant.ErrJoinLink) {
		v.failed(err)
		return h.renderJoin(v, wiki.Status(err), joinPage{Gone: err.Error()})
	}
	if err != nil {
		wrong, ok := h.formFailure(v, err)
		if !ok {
			return err
		}
		return h.renderJoin(v, wrong.Status, joinPage{failure: wrong, Name: name})
	}
	http.SetCookie(v.w, h.o.Session.Cookie(joinCookie, "", -1))
	if v.caller.Anonymous() {
		if err := h.o.Session.SignIn(v.ctx(), v.w, v.r, person, false); err != nil {
			return err
		}
	}
	return h.redirect(v, h.tell(v, h.takeBack(v), "joined"))
}

// changeJoinLinks creates an invitation or a member's sign-in link, which the settings
// then show once, or revokes an invitation.
func (h *Handler) changeJoinLinks(v *visit) error {
	form, err := h.readForm(v, smallForm, "action")
	if form == nil {
		return err
	}
	p := &settingsPage{Settings: currentSettings(v), InviteRole: form.Get("role")}
	if err == nil {
		var code string
		switch form.Get("action") {
		case "invite":
			if code, err = h.o.Tenant.NewJoinLink(v.ctx(), v.a, memberRole(form.Get("role"))); err == nil {
				p.Link = h.o.Platform + joinPath + "/" + code
				return h.renderNewLink(v, p)
			}
		case "signin":
			if code, err = h.o.Tenant.NewSignInLink(v.ctx(), v.a, form.Get("did")); err == nil {
				p.Link, p.LinkFor = h.o.Platform+SignInLinkPath+code, form.Get("did")
				return h.renderNewLink(v, p)
			}
		case "revoke":
			if err = h.o.Tenant.RevokeJoinLink(v.ctx(), v.a, form.Get("id")); err == nil {
				return h.redirect(v, h.tell(v, "/-/settings", "unlinked")+"#members")
			}
		default:
			err = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the settings and try again from there.")
		}
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	wrong.Field = "handle" // where the page shows it
	p.failure = wrong
	return h.renderSettings(v, wrong.Status, p)
}

func (h *Handler) renderNewLink(v *visit, p *settingsPage) error {
	v.w.Header().Set("Cache-Control", "no-store")
	return h.renderSettings(v, http.StatusOK, p)
}

// A homeAccountPage lists a person's sessions, passkeys and linked account.
type homeAccountPage struct {
	Frame
	failure
	Person   wiki.User
	Logins   []session.Login
	Host     string // where new passkeys work, "" if none can be added here
	Passkeys []passkey.Passkey
	Accounts bool                  // accounts can be linked
	Linked   *tenant.LinkedAccount // nil without one
}

func (h *Handler) showHomeAccount(v *visit) error {
	if v.caller.Anonymous() {
		return h.redirectToSSO(v, homeAccountPath, true)
	}
	refused := h.refusedProof(v)
	return h.renderHomeAccount(v, refused.Status, refused)
}

func (h *Handler) renderHomeAccount(v *visit, status int, f failure) error {
	p := &homeAccountPage{Frame: h.frame(v, "Account"), failure: f, Person: v.caller.User}
	p.NoIndex = true
	var err error
	if p.Logins, err = h.o.Session.Sessions(v.ctx(), v.caller); err != nil {
		return err
	}
	if h.o.Passkeys != nil {
		p.Host = h.o.Passkeys.Host()
		if p.Passkeys, err = h.o.Passkeys.List(v.ctx(), v.caller); err != nil {
			return err
		}
	}
	if p.Linked, err = h.linkedAccount(v); err != nil {
		return err
	}
	if p.Accounts = h.o.SignIn != nil; p.Accounts {
		v.policy = h.headers.signInPolicy
	}
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "homeaccount", p)
}

// endHomeSessions ends one session, or all of them with the id "all".
func (h *Handler) endHomeSessions(v *visit) error {
	if v.caller.Anonymous() {
		return wiki.Problemf(wiki.ErrDenied, "", "You're no longer signed in, so nothing was changed. Sign in and try again.")
	}
	form, err := h.readForm(v, smallForm, "id")
	if form == nil {
		return err
	}
	if err == nil {
		var to string
		if to, err = h.endSession(v, form.Get("id")); err == nil {
			return h.redirect(v, to)
		}
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	return h.renderHomeAccount(v, wrong.Status, wrong)
}

// endSession ends the caller's session with an id, or all of them with the id "all".
// It returns the address to go on at.
func (h *Handler) endSession(v *visit, id string) (to string, err error) {
	if id == "" {
		return "", wiki.Problemf(wiki.ErrInvalid, "id", "Choose the session to sign out.")
	}
	all := id == "all"
	if all {
		id = ""
	}
	if err := h.o.Session.EndSession(v.ctx(), v.caller, id); err != nil {
		return "", err
	}
	if all || id == v.caller.Session {
		h.o.Session.ClearCookies(v.w)
		return "/", nil
	}
	return h.tell(v, h.accountPath(), "sessionended"), nil
}

// accountPath is the page that lists a person's sessions.
func (h *Handler) accountPath() string {
	if h.o.Single {
		return homeAccountPath
	}
	return accountPath
}
