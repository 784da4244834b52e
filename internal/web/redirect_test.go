package web

import (
	"html"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// elsewhere are addresses that lead to another host, at least in some browser. Each
// must be replaced by the default. Browsers drop tabs and line ends, treat \ as /,
// and need no // after a scheme (url.spec.whatwg.org, "URL parsing").
var elsewhere = []string{
	// Without a scheme.
	"//evil.test", "//evil.test/", "//evil.test/app/", "///evil.test", "////evil.test", "/////evil.test/%2e%2e",
	"//evil.test:8080/", "//robot.localhost.evil.test/", "//robot.localhost@evil.test/", "//robot.localhost:8080@evil.test/",
	"//evil.test\\@robot.localhost:8080/", "//①②⑦.0.0.1/", "//evil。test/", "//%65vil.test/",
	// Backslashes.
	`/\evil.test`, `\/evil.test`, `\\evil.test`, `/\/evil.test`, `\/\/evil.test`, `/\\evil.test`, `/a\..\..\evil.test`, `/app/\evil.test`,
	// Characters that are dropped, or that end a header line.
	"/\t/evil.test", "/\n/evil.test", "/\r/evil.test", "\t//evil.test", "\n//evil.test", " //evil.test", "/ /evil.test", "/\x00/evil.test",
	"/\x0b/evil.test", "/\x7f/evil.test", "/app/\r\nLocation: //evil.test", "/app/\r\nSet-Cookie: __Host-session=x", "//evil.test\x00.robot.localhost:8080/",
	// With a scheme.
	"https://evil.test", "http://evil.test/", "HTTP://EVIL.TEST/", "http:evil.test", "http:/evil.test", "http:///evil.test", `http:\\evil.test`,
	"h\tttp://evil.test/", "ftp://robot.localhost:8080/", "https://robot.localhost:8080/", "https://ada.robot.localhost:8080/",
	"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "javascript://ada.robot.localhost:8080/%0aalert(1)",
	"data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd", "blob:http://ada.robot.localhost:8080/x", "view-source:http://ada.robot.localhost:8080/",
	// Our host names, with additions.
	"http://robot.localhost/", "http://ada.robot.localhost/", "http://ada.robot.localhost:80/", "http://ada.robot.localhost:8081/", "http://ada.robot.localhost:08080/",
	"http://ada.robot.localhost:8080.evil.test/", "http://ada.robot.localhost.evil.test:8080/", "http://evil-robot.localhost:8080/", "http://adarobot.localhost:8080/",
	"http://ada.robot.localhost:8080@evil.test/", "http://x@ada.robot.localhost:8080/", "http://x:y@ada.robot.localhost:8080/", "http://@ada.robot.localhost:8080/",
	"http://evil.test#@ada.robot.localhost:8080/", "http://evil.test?ada.robot.localhost:8080/", `http://evil.test\.ada.robot.localhost:8080/`, `http://ada.robot.localhost:8080\@evil.test/`,
	"http://a.ada.robot.localhost:8080/", "http://.robot.localhost:8080/", "http://ada..robot.localhost:8080/", "http://-.robot.localhost:8080/", "http://admin.robot.localhost:8080/",
	"http://ada%2erobot.localhost:8080/", "http://ada.robot.localhost%3a8080/", "http://ada.robot.localhost:8080%2f@evil.test/", "http://[::1]:8080/",
	// Encoded: must not be decoded a second time.
	"%2f%2fevil.test", "%2F%2Fevil.test", "http%3a//evil.test", "%68ttp://evil.test/", "evil.test", "?//evil.test", "#//evil.test", ".//evil.test", "..//evil.test",
	"", strings.Repeat("/a", 3000),
}

// here are accepted addresses. Without them, rejecting every address would pass.
var here = []string{"/app/account", "/app/create?x=1", "/Home", "/Design/VPS?revision=abc#end", "/a//evil.test", "/%2f%2fevil.test", "/?to=//evil.test", "/@evil.test", "/a:b"}

// staysHere reports whether an address stays on the hosts of the service.
func staysHere(to string) bool {
	if strings.HasPrefix(to, "/") {
		return !strings.HasPrefix(to, "//") && !strings.ContainsAny(to, "\\\t\r\n\x00")
	}
	u, err := url.Parse(to)
	if err != nil || u.User != nil || strings.ContainsAny(to, "\\\t\r\n\x00") {
		return false
	}
	origin := u.Scheme + "://" + u.Host
	return origin == testPlatform || origin == testOrigin("ada")
}

var returnField = regexp.MustCompile(`name="return_to" value="([^"]*)"`)

// TestOpenRedirects sends each address through every handler that redirects to an
// address from the request: signing in with and without a session, by form and by
// query, signing in on a wiki's host, and single sign-on with its one-time code.
func TestOpenRedirects(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada := w.as("ada")
	location := func(a *answer) string { return a.header.Get("Location") }
	ways := map[string]func(back string) string{
		"GET /auth/login, signed in": func(back string) string {
			return location(ada.get(testPlatform + "/auth/login?return_to=" + url.QueryEscape(back)).want(http.StatusSeeOther))
		},
		"GET /auth/login, what its form sends": func(back string) string {
			page := w.anonymous().get(testPlatform + "/auth/login?return_to=" + url.QueryEscape(back)).want(http.StatusOK)
			return html.UnescapeString(returnField.FindStringSubmatch(page.body)[1])
		},
		"POST /auth/dev": func(back string) string {
			return location(w.anonymous().post(testPlatform+"/auth/dev", url.Values{"username": {"ada"}, "return_to": {back}}).want(http.StatusSeeOther))
		},
		"POST /auth/login, what its form sends again": func(back string) string {
			page := w.anonymous().post(testPlatform+"/auth/login", url.Values{"handle": {"a b"}, "return_to": {back}}).want(http.StatusUnprocessableEntity)
			return html.UnescapeString(returnField.FindStringSubmatch(page.body)[1])
		},
		"GET /-/login, signed in": func(back string) string {
			return location(ada.get(on("ada", "/-/login?to="+url.QueryEscape(back))).want(http.StatusFound))
		},
		"GET /-/login, by single sign-on": func(back string) string {
			b := w.anonymous()
			b.cookies["robot.localhost:8080"] = ada.cookies["robot.localhost:8080"]
			asked := b.get(on("ada", "/-/login?to="+url.QueryEscape(back))).want(http.StatusFound)
			granted := b.get(location(asked)).want(http.StatusFound)
			return location(b.get(location(granted)).want(http.StatusFound))
		},
		"GET /auth/sso, asked by a stranger's page": func(back string) string {
			b := w.anonymous()
			return location(b.get(testPlatform + "/auth/sso?wiki=ada&nonce=" + strings.Repeat("0", 64) + "&back=" + url.QueryEscape(back)).want(http.StatusFound))
		},
	}
	every := map[string]int{"POST /auth/dev": 4, "GET /-/login, by single sign-on": 4} // each signs a cookie, which takes time
	if os.Getenv("ROBOT_LONG") != "" {
		clear(every)
	}
	for way, follow := range ways {
		for i, back := range elsewhere {
			if i%max(1, every[way]) != 0 {
				continue
			}
			if to := follow(back); !staysHere(to) || strings.Contains(to, "evil") {
				t.Errorf("%s: %q leads to %q", way, back, to)
			}
		}
		for _, back := range here {
			if to := follow(back); !strings.HasSuffix(to, back) || !staysHere(to) {
				t.Errorf("%s: %q leads to %q", way, back, to)
			}
		}
	}
	for _, back := range []string{on("ada", "/Home?x=1"), on("ada", "/")} { // from the platform, to a wiki
		if to := ways["GET /auth/login, signed in"](back); to != back {
			t.Errorf("%q leads to %q", back, to)
		}
	}
	t.Logf("measured: %d forms by %d ways", len(elsewhere), len(ways))
	if len(elsewhere) < 60 {
		t.Error("forms are missing")
	}
}

// HEAD requests, as sent by link checkers and previews, must not consume the code.
func TestHeadKeepsCode(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b := w.anonymous()
	b.cookies["robot.localhost:8080"] = w.as("ada").cookies["robot.localhost:8080"]
	next := func(a *answer) string {
		to := a.want(http.StatusFound).header.Get("Location")
		before := len(b.cookies)
		head := b.send(http.MethodHead, to, nil).want(http.StatusMethodNotAllowed)
		if head.header.Get("Allow") != "GET" || head.header.Values("Set-Cookie") != nil || len(b.cookies) != before {
			t.Errorf("%s: %v", head.asked, head.header)
		}
		return to
	}
	asked := next(b.get(on("ada", "/-/login?to=/Home")))
	granted := next(b.get(asked))
	b.get(granted).want(http.StatusFound)
	b.get(on("ada", "/Home/edit")).want(http.StatusOK)
}
