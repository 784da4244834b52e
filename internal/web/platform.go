package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

// signInAs signs in as one of the test users of a development service.
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
		if err := h.o.Session.SignIn(v.ctx(), v.w, v.r, person, false); err != nil {
			return err
		}
		return h.redirect(v, back)
	}
	return h.renderSignIn(v, http.StatusUnprocessableEntity, signInPage{ReturnTo: back, Wrong: "Nobody here has that name. Choose one of the people below."})
}

// safeReturn returns the address if it is a path on the platform or an address on
// the host of one of its wikis, otherwise the dashboard.
func (h *Handler) safeReturn(back string) string {
	const fallback = dashboardPath
	if strings.HasPrefix(back, "/") {
		if p := session.LocalPath(back); p == back && p != "/" {
			return p
		}
		return fallback
	}
	u, err := url.Parse(back)
	if err != nil || u.User != nil {
		return fallback
	}
	slug, _, _ := strings.Cut(u.Host, ".")
	path := session.LocalPath(u.RequestURI())
	if wiki.CheckHost(slug) != nil || u.Scheme+"://"+u.Host != h.o.WikiOrigin(slug) {
		return fallback
	}
	return h.o.WikiOrigin(slug) + path
}

func (h *Handler) signOut(v *visit) error {
	if err := h.o.Session.SignOut(v.ctx(), v.w, v.r); err != nil {
		return err
	}
	return h.redirect(v, "/")
}

// grantSSO redirects back to the wiki that asked, with a one-time code if the
// browser is signed in here. Otherwise it redirects to signing in, if requested,
// and from there to the wiki to start over, because people can take longer than a
// code and its nonce live. A wiki's own domain is handed over to by a click.
func (h *Handler) grantSSO(v *visit) error {
	v.w.Header().Set("Cache-Control", "no-store")
	domain, err := h.o.Session.SSODomain(v.r)
	if err != nil {
		return err
	}
	if domain != "" {
		return h.handOver(v, domain)
	}
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
	h.write(v, http.StatusOK, "text/plain; charset=utf-8", []byte("User-agent: *\nDisallow: /app/\nDisallow: /auth/\nDisallow: /invitation\n"))
	return nil
}
