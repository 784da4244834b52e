package session

import (
	"net/http"
	"strings"
)

// The cookies. "__Host-" makes browsers insist on Secure, the path / and no
// domain, so that no subdomain can plant them (RFC 6265bis, section 4.1.3.2).
const (
	sessionCookie = "__Host-session"
	nonceCookie   = "__Host-sso"
	hintCookie    = "signed_in" // for the whole domain; names nobody
)

// cookieValue is the first cookie of a name, "" without one. Unlike
// http.Request.Cookie it looks at nothing else.
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

// setCookies gives the browser its token for a host, and the hint.
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
	http.SetCookie(w, hostCookie(sessionCookie, token, seconds))
	http.SetCookie(w, s.hint("1", seconds))
	return nil
}

func (s *Service) clearCookies(w http.ResponseWriter) {
	http.SetCookie(w, hostCookie(sessionCookie, "", -1))
	http.SetCookie(w, s.hint("", -1))
}

func hostCookie(name, value string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, MaxAge: seconds, Path: "/",
		HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	}
}

func (s *Service) hint(value string, seconds int) *http.Cookie {
	c := hostCookie(hintCookie, value, seconds)
	c.Domain = s.host
	return c
}
