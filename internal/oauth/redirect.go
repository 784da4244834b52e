package oauth

import (
	"net/url"
	"slices"
	"strings"
)

// maxRedirect bounds a redirect address, and maxRedirects how many a client has.
const (
	maxRedirect  = 1000
	maxRedirects = 20
)

// appSchemes are the private schemes without a dot that well-known editors have
// codes sent to. Those with a dot are reversed names of whoever made the program
// (RFC 8252, section 7.1); of the rest too many are a browser's own.
var appSchemes = []string{"cursor", "vscode", "vscode-insiders", "vscodium", "windsurf", "zed", "claude", "raycast", "warp"}

// checkRedirect says what is wrong with a redirect address; "" for nothing. It is
// https, http to this computer itself, or an app's own scheme.
func (s *Service) checkRedirect(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || raw == "" || len(raw) > maxRedirect || strings.ContainsFunc(raw, strange):
		return "is no address"
	case strings.Contains(raw, "#"):
		return "has a fragment"
	case u.User != nil:
		return "has a user name"
	case u.Scheme == "https":
		if u.Hostname() == "" || u.Opaque != "" {
			return "names no host"
		}
		if strings.ContainsFunc(u.Hostname(), noLetter) { // it will stand in a policy, where ";" and "*" mean something
			return "has a host that is no name"
		}
		if s.own(u.Hostname()) || strings.HasSuffix(u.Hostname(), ".") {
			return "is on this service"
		}
		return ""
	case u.Scheme == "http":
		if !loopback(u) {
			return "is http to another computer; use https"
		}
		return ""
	case !strings.Contains(u.Scheme, ".") && !slices.Contains(appSchemes, u.Scheme):
		return "has a scheme that is not accepted"
	}
	return ""
}

// strange are characters that browsers and parsers read differently.
func strange(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\\\"<>^`{|}", r) }

// noLetter is what no host name has.
func noLetter(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.')
}

// loopback reports whether an address is of the computer that the browser runs on
// (RFC 8252, section 7.3), and "localhost" as all clients use it.
func loopback(u *url.URL) bool {
	host := u.Hostname()
	return u.Opaque == "" && (host == "localhost" || host == "127.0.0.1" || host == "::1")
}

// matchRedirect reports whether a client that registered one address may have
// its answer sent to another: the same to the letter, except that a program on
// the person's own computer takes whatever port is free there.
func matchRedirect(registered, asked string) bool {
	if registered == asked {
		return true
	}
	a, errA := url.Parse(registered)
	b, errB := url.Parse(asked)
	if errA != nil || errB != nil || a.Scheme != "http" || b.Scheme != "http" || !loopback(a) || !loopback(b) {
		return false
	}
	return a.Hostname() == b.Hostname() && rooted(a) == rooted(b) && a.RawQuery == b.RawQuery
}

func rooted(u *url.URL) string {
	if p := u.EscapedPath(); p != "" {
		return p
	}
	return "/"
}

// redirectHost is what an address is called on the consent page and afterwards:
// "claude.ai", "localhost", "cursor:".
func redirectHost(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return ""
	case u.Scheme == "https":
		return strings.ToLower(u.Host)
	case u.Scheme == "http":
		return u.Hostname()
	}
	return u.Scheme + ":"
}

// formAction is what the consent page's policy names, so that its form may be
// answered by a redirect there (CSP3, section 6.4.2.1). Browsers hold the whole
// chain of redirects to it, so that where a relay is known to send on is named
// as well.
func formAction(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return ""
	case u.Scheme == "https" && (u.Host == "vscode.dev" || u.Host == "insiders.vscode.dev"):
		return "https://" + u.Host + " vscode: vscode-insiders: http://127.0.0.1:* http://localhost:*"
	case u.Scheme == "https":
		return "https://" + u.Host
	case u.Scheme == "http" && u.Hostname() == "::1":
		return "http:" // a policy cannot name an IPv6 address (CSP3, section 2.3.1)
	case u.Scheme == "http":
		return "http://" + u.Host
	}
	return u.Scheme + ":"
}

// withAnswer adds parameters to a redirect address, which keeps its own.
func withAnswer(redirect string, answer url.Values) string {
	separator := "?"
	if strings.Contains(redirect, "?") {
		separator = "&"
	}
	return redirect + separator + answer.Encode()
}
