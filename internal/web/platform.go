package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

// signInAs signs in as one of the people of a development service.
func (h *Handler) signInAs(v *visit) error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, 64<<10)
	if err := parseForm(v.r); err != nil {
		return err
	}
	back := h.safeReturn(v.r.PostForm.Get("return_to"))
	if err := h.o.Limits.SignIn(v.r.RemoteAddr); err != nil {
		return h.signInFailed(v, signInPage{ReturnTo: back}, err)
	}
	username := strings.TrimSpace(v.r.PostForm.Get("username"))
	for _, person := range h.o.People {
		if person.Username != username {
			continue
		}
		if err := h.o.Session.SignIn(v.ctx(), v.w, v.r, person); err != nil {
			return err
		}
		return h.redirect(v, back)
	}
	return h.renderSignIn(v, http.StatusUnprocessableEntity, signInPage{ReturnTo: back, Wrong: "Nobody here is called that. Choose one of the people below."})
}

// safeReturn is a return address if it is a path of the platform or an address
// of one of its wikis' hosts, else the dashboard.
func (h *Handler) safeReturn(back string) string {
	const otherwise = dashboardPath
	if strings.HasPrefix(back, "/") {
		if p := session.LocalPath(back); p == back && p != "/" {
			return p
		}
		return otherwise
	}
	u, err := url.Parse(back)
	if err != nil || u.User != nil {
		return otherwise
	}
	slug, _, _ := strings.Cut(u.Host, ".")
	path := session.LocalPath(u.RequestURI())
	if wiki.CheckHost(slug) != nil || u.Scheme+"://"+u.Host != h.o.WikiOrigin(slug) {
		return otherwise
	}
	return h.o.WikiOrigin(slug) + path
}

func (h *Handler) signOut(v *visit) error {
	if err := h.o.Session.SignOut(v.ctx(), v.w, v.r); err != nil {
		return err
	}
	return h.redirect(v, "/")
}

// grantSSO sends a browser back to the wiki that asked: with a one-time code
// when somebody is signed in here. Otherwise to signing in, if that was wanted,
// and from there to the wiki to begin again: a code and its nonce do not live
// as long as people take.
func (h *Handler) grantSSO(v *visit) error {
	v.w.Header().Set("Cache-Control", "no-store")
	to, err := h.o.Session.SSOGrant(v.ctx(), v.caller, v.r)
	if err == nil {
		return h.redirectWith(v, http.StatusFound, to)
	}
	if !errors.Is(err, wiki.ErrDenied) {
		return err
	}
	if to, err = h.o.Session.SSOReturn(v.w, v.r); err != nil {
		return err
	}
	if v.query(mustParam) == "" {
		return h.redirectWith(v, http.StatusFound, to)
	}
	page, err := url.Parse(to)
	if err != nil {
		return err
	}
	again := page.Scheme + "://" + page.Host + "/-/login?to=" + url.QueryEscape(page.RequestURI())
	return h.redirectWith(v, http.StatusFound, "/auth/login?return_to="+url.QueryEscape(again))
}

func (h *Handler) showPlatformRobots(v *visit) error {
	h.write(v, http.StatusOK, "text/plain; charset=utf-8", []byte("User-agent: *\nDisallow: /app/\nDisallow: /auth/\n"))
	return nil
}
