package session

import (
	"net/http"
	"strings"
)

// Names of the cookies. The prefix "__Host-" makes browsers require Secure,
// path / and no domain, so that no subdomain can set them (RFC 6265bis,
// section 4.1.3.2).
const (
	sessionCookieName = "__Host-session"
	nonceCookieName   = "__Host-sso"
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

// setCookies sets the session cookie of a host, and the hint cookie.
func (s *Service) setCookies(w http.ResponseWriter, host, did, sid string) error {
	now := s.now()
	token, err := s.keys().sign(claims{
		Subject: did, Session: sid, Audience: host,
		Issued: now.Unix(), Expires: now.Add(Lifetime).Unix(),
	})
	if err != nil {
		return err
	}
	seconds := int(Lifetime.Seconds())
	http.SetCookie(w, hostCookie(sessionCookieName, token, seconds))
	http.SetCookie(w, s.hintCookie("1", seconds))
	return nil
}

func (s *Service) clearCookies(w http.ResponseWriter) {
	http.SetCookie(w, hostCookie(sessionCookieName, "", -1))
	http.SetCookie(w, s.hintCookie("", -1))
}

func hostCookie(name, value string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, MaxAge: seconds, Path: "/",
		HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	}
}

func (s *Service) hintCookie(value string, seconds int) *http.Cookie {
	c := hostCookie(hintCookieName, value, seconds)
	c.Domain = s.host
	return c
}
