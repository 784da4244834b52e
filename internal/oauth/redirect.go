package oauth

import (
	"net/url"
	"slices"
	"strings"
)

// Limits on redirect URIs: bytes of one, and how many a client can have.
const (
	maxRedirect  = 1000
	maxRedirects = 20
)

// appSchemes are private schemes without a dot that popular editors use.
// Schemes with a dot are reversed domain names (RFC 8252, section 7.1) and
// always accepted; too many of the others belong to browsers.
var appSchemes = []string{"cursor", "vscode", "vscode-insiders", "vscodium", "windsurf", "zed", "claude", "raycast", "warp"}

// unknownApp is the problem with a redirect URI of an app that we don't know.
const unknownApp = "has the scheme of an unknown app"

// browserSchemes mean something to a browser, so no app has them.
var browserSchemes = []string{"ftp", "ws", "wss", "file", "blob", "data", "javascript", "view-source", "about", "filesystem", "chrome", "resource", "mailto", "intent"}

// checkRedirect returns the problem with a redirect URI, or "". The URI must
// be https, http to a loopback address, or an app's own scheme.
func (s *Service) checkRedirect(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || raw == "" || len(raw) > maxRedirect || strings.ContainsFunc(raw, isUnsafeRune):
		return "is not a valid URL"
	case strings.Contains(raw, "#"):
		return "has a fragment"
	case u.User != nil:
		return "has a user name"
	case u.Scheme == "https":
		if u.Hostname() == "" || u.Opaque != "" {
			return "has no host"
		}
		if strings.ContainsFunc(u.Hostname(), isNotHostRune) { // the host goes into a policy, where ";" and "*" have a meaning
			return "has an invalid host"
		}
		if s.isOwnHost(u.Hostname()) || strings.HasSuffix(u.Hostname(), ".") {
			return "points to this service"
		}
		return ""
	case u.Scheme == "http":
		if !isLoopback(u) {
			return "uses http to a remote host; use https"
		}
		if s.o.Single != "" && strings.EqualFold(u.Host, s.host) {
			return "points to this service"
		}
		return ""
	case !strings.Contains(u.Scheme, ".") && !slices.Contains(appSchemes, u.Scheme):
		if u.Host != "" && !slices.Contains(browserSchemes, u.Scheme) {
			return unknownApp
		}
		return "has an unsupported scheme"
	}
	return ""
}

// isUnsafeRune reports characters that browsers and parsers interpret
// differently.
func isUnsafeRune(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\\\"<>^`{|}", r) }

// isNotHostRune reports characters that no host name contains.
func isNotHostRune(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.')
}

// isLoopback reports whether a URL is on the browser's own computer (RFC
// 8252, section 7.3). It includes "localhost", which all clients use.
func isLoopback(u *url.URL) bool {
	host := u.Hostname()
	return u.Opaque == "" && (host == "localhost" || host == "127.0.0.1" || host == "::1")
}

// matchRedirect reports whether a redirect URI matches a registered one:
// byte for byte, except that the port of a loopback address can differ (RFC
// 8252, section 7.3).
func matchRedirect(registered, asked string) bool {
	if registered == asked {
		return true
	}
	a, errA := url.Parse(registered)
	b, errB := url.Parse(asked)
	if errA != nil || errB != nil || a.Scheme != "http" || b.Scheme != "http" || !isLoopback(a) || !isLoopback(b) {
		return false
	}
	return a.Hostname() == b.Hostname() && pathOrRoot(a) == pathOrRoot(b) && a.RawQuery == b.RawQuery
}

func pathOrRoot(u *url.URL) string {
	if p := u.EscapedPath(); p != "" {
		return p
	}
	return "/"
}

// redirectHost is the short form of a redirect URI for people: "claude.ai",
// "localhost", "cursor:".
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

// formAction returns the sources that the consent page's form-action needs
// for the redirect that answers its form (CSP3, section 6.4.2.1). Browsers
// check the whole redirect chain, so the targets of known relays are
// included.
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

// addParams adds parameters to the query of a redirect URI.
func addParams(redirect string, params url.Values) string {
	separator := "?"
	if strings.Contains(redirect, "?") {
		separator = "&"
	}
	return redirect + separator + params.Encode()
}
