package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/flate"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

// triedCookie records for a minute that this wiki's host already tried single
// sign-on, to prevent redirect loops. It carries no other information.
const triedCookie = "sso_tried"

// hintCookie is set by session for the whole domain: the browser is signed in on
// some host.
const hintCookie = "signed_in"

// accountData is all that is personal on a page: the avatar and its menu, or the
// way to sign in. It is comparable, and the template gets nothing else, so that it can
// be the key of the rendered account.
type accountData struct {
	User         wiki.User
	Slug         string // "" on the platform
	CanEdit      bool
	CanConfigure bool
	IsMember     bool
	SignIn       string // address for anonymous readers, "" for others
	Platform     string
	Single       bool
	Draft        string // address of the caller's draft of this page, or ""
	Waiting      string // number of changes that wait for the caller's review, or ""
	IsOperator   bool
}

// An accountPart is the content of the layout's slot.
type accountPart struct {
	html   []byte
	blocks []byte // html compressed by deflateBlocks
	tag    string // hash of html
}

// newAccounts returns a cache of accounts of signed-in people.
func newAccounts() *budget.Cache[accountData, *accountPart] {
	const total = 4 << 20
	return budget.NewCache(total, total/4,
		func(d accountData, _ *accountPart) string { return d.Slug },
		func(_ accountData, p *accountPart) int64 { return int64(len(p.html) + len(p.blocks) + 600) })
}

// account returns the content of the layout's slot for a visit.
func (h *Handler) account(v *visit) (*accountPart, error) {
	d := accountData{User: v.caller.User, Slug: v.a.Site().Slug, Platform: h.o.Platform, Single: h.o.Single}
	if v.caller.Anonymous() {
		d.SignIn = h.signInPath(v)
		return h.newAccount(d)
	}
	d.CanEdit, d.CanConfigure, d.IsMember = v.a.Can(wiki.Edit), v.a.Can(wiki.Configure), v.a.Role() >= wiki.Viewer
	d.Draft, d.IsOperator, d.Waiting = h.draftHere(v), h.isOperator(v.caller), h.waiting(v)
	if p, ok := h.accounts.GetIfPresent(d); ok {
		return p, nil
	}
	p, err := h.newAccount(d)
	if err == nil {
		h.accounts.Set(d, p)
	}
	return p, err
}

// waiting returns the number of changes that wait for the caller's review, as the bar
// shows it. A wiki that can't be read has none; its pages say why.
func (h *Handler) waiting(v *visit) string {
	if v.a.Role() < wiki.Viewer {
		return ""
	}
	n, err := h.o.Pages.CountWaiting(v.ctx(), v.a)
	return shownCount(n, err)
}

// shownCount writes a number of changes to review, "" for none.
func shownCount(n int, err error) string {
	switch {
	case err != nil || n == 0:
		return ""
	case n >= pages.MaxCounted:
		return strconv.Itoa(pages.MaxCounted-1) + "+"
	}
	return strconv.Itoa(n)
}

func (h *Handler) newAccount(d accountData) (*accountPart, error) {
	var buf bytes.Buffer
	if err := h.templates.execute(&buf, "error", "account", d); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(buf.Bytes())
	return &accountPart{buf.Bytes(), deflateBlocks(flate.BestCompression, buf.Bytes(), false), hex.EncodeToString(sum[:4])}, nil
}

// signInPath is the sign-in address that returns to the current page.
func (h *Handler) signInPath(v *visit) string {
	back := "/"
	if reads(v.r) {
		back = v.r.URL.RequestURI()
	} else if v.name != "" {
		back = wiki.PathURL(v.name)
	}
	switch {
	case v.slug != "":
		return "/-/login?to=" + url.QueryEscape(back)
	case back == "/" || strings.HasPrefix(back, "/auth/"):
		return "/auth/login"
	}
	return "/auth/login?return_to=" + url.QueryEscape(back)
}

// navigates reports whether a browser is loading a page, as opposed to an image, a
// script's request or a request by another program.
func navigates(r *http.Request) bool {
	if !reads(r) {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// askToSignIn responds to an anonymous request for a wiki that is private or does
// not exist. The response is the same for both.
func (h *Handler) askToSignIn(v *visit) (bool, error) {
	if !reads(v.r) {
		return true, h.giveBack(v, http.StatusForbidden, "Sign in to continue.")
	}
	if mode := v.r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return false, wiki.ErrNotFound
	}
	return true, h.redirectToSSO(v, v.r.URL.RequestURI(), true)
}

// trySignIn redirects an anonymous browser through single sign-on once, if a hint
// says that it is signed in on another host. A wiki's own domain has no hint.
func (h *Handler) trySignIn(v *visit) (bool, error) {
	if !v.caller.Anonymous() || !navigates(v.r) || !mayBeSignedIn(v.r) || h.o.Session.Domain(v.r) != "" {
		return false, nil
	}
	http.SetCookie(v.w, &http.Cookie{Name: triedCookie, Value: "1", Path: "/", MaxAge: 60, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return true, h.redirectToSSO(v, v.r.URL.RequestURI(), false)
}

func mayBeSignedIn(r *http.Request) bool {
	if _, err := r.Cookie(hintCookie); err != nil {
		return false
	}
	_, err := r.Cookie(triedCookie)
	return err != nil
}

// mustParam in a request to /auth/sso means that the person wants to sign in.
// Without it, anonymous visitors are redirected back.
const mustParam = "must"

func (h *Handler) redirectToSSO(v *visit, back string, must bool) error {
	if h.o.Single {
		v.w.Header().Set("Cache-Control", "no-store")
		return h.redirectWith(v, http.StatusFound, homeSignInPath+"?to="+url.QueryEscape(back))
	}
	to, err := h.o.Session.SSOStart(v.w, v.r, v.slug, back)
	if err != nil {
		return err
	}
	if must {
		to += "&" + mustParam + "=1"
	}
	v.w.Header().Set("Cache-Control", "no-store")
	return h.redirectWith(v, http.StatusFound, to)
}

// startSSO starts signing in on a wiki's host.
func (h *Handler) startSSO(v *visit) error {
	to := session.LocalPath(v.query("to"))
	if !h.o.Session.Browser(v.r).Anonymous() {
		return h.redirectWith(v, http.StatusFound, to)
	}
	return h.redirectToSSO(v, to, true)
}

// finishSSO redeems the one-time code.
func (h *Handler) finishSSO(v *visit) error {
	v.w.Header().Set("Cache-Control", "no-store")
	back, err := h.o.Session.SSOFinish(v.ctx(), v.w, v.r, v.slug)
	if err != nil {
		return err
	}
	return h.redirectWith(v, http.StatusFound, back)
}

func (h *Handler) signOutOfWiki(v *visit) error {
	v.caller = h.o.Session.Browser(v.r)
	if err := h.o.Session.SignOut(v.ctx(), v.w, v.r); err != nil {
		return err
	}
	return h.redirect(v, h.o.Platform+"/")
}

// giveBackPage returns the content of a refused form, to send again after signing
// in.
type giveBackPage struct {
	Frame
	Message string
	Action  string
	Fields  []field
	SignIn  string // "" if the sender is signed in but lacks permission
}

type field struct {
	Name, Value string
	Long        bool
}

// giveBack responds to a form that its sender may not send, usually because their
// session has ended, so that nothing they wrote is lost. It reads at most the size
// of a page and reveals nothing about the wiki.
func (h *Handler) giveBack(v *visit, status int, message string) error {
	if v.r.PostForm == nil {
		v.r.Body = http.MaxBytesReader(v.w, v.r.Body, 5<<20)
		if err := h.parseText(v); err != nil {
			return err
		}
	}
	page := &giveBackPage{Frame: h.frame(v, "Not saved"), Message: message, Action: v.r.URL.RequestURI()}
	page.NoIndex = true
	if v.caller.Anonymous() {
		page.SignIn = h.signInPath(v)
	}
	for _, name := range slices.Sorted(maps.Keys(v.r.PostForm)) {
		for _, value := range v.r.PostForm[name] {
			page.Fields = append(page.Fields, field{name, value, name == "content" || len(value) > 80 || strings.Contains(value, "\n")})
		}
	}
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, status, "giveback", page)
}

// parseForm reads a form of either encoding into r.PostForm. The caller must limit
// the body.
func parseForm(r *http.Request) error {
	// ParseMultipartForm drops the error of a form that isn't multipart.
	err := r.ParseForm()
	if err == nil {
		if err = r.ParseMultipartForm(1 << 20); errors.Is(err, http.ErrNotMultipart) {
			err = nil
		}
	}
	return formProblem(err)
}

// formProblem returns the problem of a form that can't be read, nil without an error.
func formProblem(err error) error {
	if err != nil && !errors.As(err, new(*http.MaxBytesError)) {
		return wiki.Problemf(wiki.ErrMalformed, "", "This form couldn't be read. Go back and send it again.")
	}
	return err
}
