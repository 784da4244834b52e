package session

import (
	"net/http"
	"strings"

	"robot.wtf/internal/store"
)

// Names of the cookies. The prefix "__Host-" makes browsers require Secure,
// path / and no domain, so that no subdomain can set them (RFC 6265bis,
// section 4.1.3.2).
const (
	hostPrefix        = "__Host-"
	sessionCookieName = hostPrefix + "session"
	nonceCookieName   = hostPrefix + "sso"
	hintCookieName    = "signed_in" // for the whole domain; identifies nobody
)

// cookieValue returns the first cookie of a name, or "". Unlike
// http.Request.Cookie, it doesn't parse the others.
func cookieValue(r *http.Request, name string) string {
	for _, line := range r.Header["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			if key, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok && key == name {
				return value
			}
		}
	}
	return ""
}

// setCookies sets the session cookie of a host, and the hint cookie. They last as long
// as the session; those of a brief one end with the browser, too.
func (s *Service) setCookies(w http.ResponseWriter, host string, session store.Session) error {
	now := s.now()
	token, err := s.keys().sign(claims{
		Subject: session.DID, Session: session.ID, Audience: host,
		Issued: now.Unix(), Expires: session.Expires.Unix(),
	})
	if err != nil {
		return err
	}
	seconds := 0
	if !session.Brief {
		seconds = int(session.Expires.Sub(now).Seconds())
	}
	http.SetCookie(w, s.Cookie(sessionCookieName, token, seconds))
	s.setHint(w, host, "1", seconds)
	return nil
}

func (s *Service) clearCookies(w http.ResponseWriter, host string) {
	http.SetCookie(w, s.Cookie(sessionCookieName, "", -1))
	s.setHint(w, host, "", -1)
}

// Cookie returns a cookie for one host that scripts can't read. seconds is its
// lifetime; 0 ends it with the browser, and a negative one deletes it. Over plain http it isn't Secure, because
// browsers would drop it, and its name loses the prefix "__Host-".
func (s *Service) Cookie(name, value string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name: s.CookieName(name), Value: value, MaxAge: seconds, Path: "/",
		HttpOnly: true, Secure: !s.plainHTTP, SameSite: http.SameSiteLaxMode,
	}
}

// CookieName returns the name under which Cookie sets a cookie. Browsers share the
// cookies of all ports of a host, so a service with one host adds its port, and several
// on one machine don't sign people out of each other.
func (s *Service) CookieName(name string) string {
	if s.plainHTTP {
		name = strings.TrimPrefix(name, hostPrefix)
	}
	if s.single && s.port != "" {
		name += "-" + s.port
	}
	return name
}

// CookieValue returns the value of a cookie that Cookie set, or "".
func (s *Service) CookieValue(r *http.Request, name string) string {
	return cookieValue(r, s.CookieName(name))
}

// setHint sets the hint cookie for the service's whole domain. A service with one host
// needs none, and a host outside the service can't set it.
func (s *Service) setHint(w http.ResponseWriter, host, value string, seconds int) {
	if s.single || !s.isOwnHost(host) {
		return
	}
	c := s.Cookie(hintCookieName, value, seconds)
	c.Domain = s.host
	http.SetCookie(w, c)
}
