package session

import (
	"net/http"
	"strings"
	"testing"
)

// Only tokens that this service signed are valid, and only for the use that they
// were signed for.
func FuzzToken(f *testing.F) {
	private, err := generateKey()
	if err != nil {
		f.Fatal(err)
	}
	k, err := newKeys(private)
	if err != nil {
		f.Fatal(err)
	}
	cookie, err := k.sign(claims{Subject: "did:plc:ada", Session: "s", Audience: "ada.robot.localhost"})
	if err != nil {
		f.Fatal(err)
	}
	access, err := k.access.sign(accessClaims{})
	if err != nil {
		f.Fatal(err)
	}
	header, rest, _ := strings.Cut(cookie, ".")
	for _, token := range []string{"", ".", "..", "eyJhbGciOiJub25lIn0.e30.", cookie[:len(cookie)-4], header + "." + rest + "." + rest, access + " ", strings.Repeat(".", 3000)} {
		f.Add(token)
	}
	signature := func(token string) string { return token[strings.LastIndexByte(token, '.')+1:] }
	f.Fuzz(func(t *testing.T, token string) {
		_, asCookie := k.verify(token)
		_, asAccess := k.access.verify(token)
		if asCookie == nil && !strings.Contains(token, signature(cookie)[:300]) || asAccess == nil && !strings.Contains(token, signature(access)[:300]) {
			t.Errorf("%q is valid", token)
		}
	})
}

// A cookie's value is a part of the header, whatever else browsers and others send.
func FuzzCookie(f *testing.F) {
	for _, header := range []string{"", "a=b", "robot=x; robot=y", " robot = x", "robot", "=;;=", "a=\"b;robot=c\""} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		value := cookieValue(r, "robot")
		if !strings.Contains(header, value) || strings.Contains(value, ";") {
			t.Errorf("value %q of %q", value, header)
		}
	})
}
