package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/oauth"
	"robot.wtf/internal/session"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

const (
	dashboardPath  = "/app/"
	createWikiPath = "/app/create"
)

// usernamePage asks for the name of a person and their wiki.
type usernamePage struct {
	Frame
	Caller wiki.User
	Slug   string
	Suffix string // ".robot.wtf", the host after the name
	Fixed  bool   // the person already has a username
	Free   bool
	Wrong  string
	Back   string // address of a pending consent request, or ""
}

// pendingConsent returns the address of the consent request that a person creates
// the wiki for, or "" if there is none.
func pendingConsent(returnTo string) string {
	if to := session.LocalPath(returnTo); strings.HasPrefix(to, oauth.ConsentPath+"?") {
		return to
	}
	return ""
}

// A waitingPage says why and until when a person can't create their wiki. They stay
// signed in, and their way to a pending consent request is kept.
type waitingPage struct {
	Frame
	Caller  wiki.User
	Message string
	Again   string // address to try again
}

// refuseCreate responds to a person who the sign-up policy doesn't let create a wiki
// now. It returns the error unless they need an invitation, or there is a time at which
// they can.
func (h *Handler) refuseCreate(v *visit, back string, err error) error {
	if errors.Is(err, tenant.ErrUninvited) {
		return h.refuseUninvited(v, err)
	}
	var later *tenant.Later
	if !errors.As(err, &later) {
		return err
	}
	p := &waitingPage{Frame: h.frame(v, "Your wiki has to wait"), Caller: v.caller.User, Message: later.Error(), Again: createWikiPath}
	p.NoIndex = true
	if back != "" {
		p.Again += "?return_to=" + url.QueryEscape(back)
	}
	v.w.Header().Set("Cache-Control", "no-store")
	seconds := math.Ceil(later.At.Sub(h.o.Now()).Seconds())
	v.w.Header().Set("Retry-After", strconv.Itoa(max(1, int(seconds))))
	return h.render(v, wiki.Status(err), "waiting", p)
}

// beginCreate checks that the caller can create a wiki. Otherwise it responds, and
// reports true: anonymous callers must sign in first, and owners already have a
// wiki.
func (h *Handler) beginCreate(v *visit) (bool, error) {
	if v.caller.Anonymous() {
		back := createWikiPath
		if reads(v.r) {
			back = v.r.URL.RequestURI()
		}
		return true, h.redirectWith(v, http.StatusFound, "/auth/login?return_to="+url.QueryEscape(back))
	}
	sites, err := h.o.Tenant.Sites(v.ctx(), v.caller.User.DID)
	if err != nil {
		return true, err
	}
	if _, max := h.o.Tenant.Limits(); ownedBy(sites) >= max {
		return true, h.redirect(v, cmp.Or(pendingConsent(v.query("return_to")), dashboardPath))
	}
	if err := h.o.Tenant.CanCreate(v.ctx(), v.caller.User); err != nil && reads(v.r) {
		return true, h.refuseCreate(v, pendingConsent(v.query("return_to")), err)
	}
	return false, nil
}

// ownedBy counts the wikis among a person's that they own.
func ownedBy(sites []wiki.Access) (n int) {
	for _, a := range sites {
		if a.Role() == wiki.Owner {
			n++
		}
	}
	return n
}

func (h *Handler) showUsername(v *visit) error {
	if done, err := h.beginCreate(v); done || err != nil {
		return err
	}
	slug, err := h.o.Tenant.ProposeUsername(v.ctx(), v.caller.User)
	if err != nil {
		return err
	}
	// The pending consent request names a wiki.
	if asked := cleanSlug(v.query("slug")); asked != "" && h.o.Tenant.CheckUsername(v.ctx(), v.caller.User, asked) == nil {
		slug = asked
	}
	return h.renderUsername(v, http.StatusOK, usernamePage{Slug: slug, Free: slug != "", Back: pendingConsent(v.query("return_to"))})
}

func (h *Handler) renderUsername(v *visit, status int, p usernamePage) error {
	p.Frame, p.Caller = h.frame(v, "Choose your address"), v.caller.User
	p.Fixed = p.Caller.Username != "" && p.Slug == p.Caller.Username
	p.NoIndex = true
	_, host, _ := strings.Cut(h.o.WikiOrigin("-"), "://-")
	p.Suffix = host
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "username", &p)
}

// usernameStatus is the response to the form's live check.
type usernameStatus struct {
	Free    bool   `json:"free"`
	Message string `json:"message"`
}

// checkUsername reports whether a name is available, while it is being typed.
func (h *Handler) checkUsername(v *visit) error {
	if v.caller.Anonymous() {
		return wiki.Problemf(wiki.ErrDenied, "", "Sign in first.")
	}
	slug := cleanSlug(v.query("slug"))
	_, host, _ := strings.Cut(h.o.WikiOrigin(slug), "://")
	status := usernameStatus{Free: true, Message: host + " is available"}
	if err := h.o.Tenant.CheckUsername(v.ctx(), v.caller.User, slug); err != nil {
		var problem *wiki.Problem
		if !errors.As(err, &problem) {
			return err
		}
		status = usernameStatus{Message: problem.Message}
	}
	text, err := json.Marshal(status)
	if err != nil {
		return err
	}
	v.w.Header().Set("Cache-Control", "no-store")
	h.write(v, http.StatusOK, "application/json", text)
	return nil
}

// cleanSlug normalizes a typed name.
func cleanSlug(typed string) string { return strings.ToLower(strings.TrimSpace(typed)) }

// finishWiki completes a wiki whose creation failed halfway, when its owner visits:
// it creates the files and the initial pages. A wiki that has commits stays as it is.
// An older wiki without files has lost them, which must not be covered up.
func (h *Handler) finishWiki(v *visit, a wiki.Access) error {
	if a.Role() != wiki.Owner {
		return nil
	}
	if h.o.Now().Sub(a.Site().Created) < 24*time.Hour && !h.o.Pages.Exists(a) { // an older one has lost its files
		if _, err := h.o.Tenant.Create(v.ctx(), a.Caller().User, a.Site().Slug); err != nil {
			return err
		}
	}
	if seq, err := h.o.Pages.Head(v.ctx(), a); err != nil || seq > 0 {
		return err
	}
	return h.o.Pages.Seed(v.ctx(), a)
}

// createWiki creates the wiki with its initial pages and redirects to its welcome
// page.
func (h *Handler) createWiki(v *visit) error {
	if done, err := h.beginCreate(v); done || err != nil {
		return err
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, 64<<10)
	if err := parseForm(v.r); err != nil {
		return err
	}
	slug, back := cleanSlug(v.r.PostForm.Get("slug")), pendingConsent(v.r.PostForm.Get("return_to"))
	site, err := h.o.Tenant.Create(v.ctx(), v.caller.User, slug)
	var problem *wiki.Problem
	if errors.As(err, &problem) && problem.Field == "" {
		return h.refuseCreate(v, back, err)
	}
	if problem != nil {
		return h.renderUsername(v, http.StatusUnprocessableEntity, usernamePage{Slug: slug, Wrong: problem.Message, Back: back})
	}
	if err != nil {
		return err
	}
	caller := v.caller
	caller.User.Username = cmp.Or(caller.User.Username, site.Slug)
	a, err := h.o.Tenant.Resolve(v.ctx(), site.Slug, caller)
	if err != nil {
		return err
	}
	if err := h.o.Pages.Seed(v.ctx(), a); err != nil {
		return err
	}
	return h.redirect(v, cmp.Or(back, h.o.WikiOrigin(site.Slug)+welcomePath))
}
