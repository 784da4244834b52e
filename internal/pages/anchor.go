package pages

import (
	"net/url"
	"strings"
	"unicode"
)

// anchor is the fragment of an address that leads to a heading, with its "#":
// the id that markdown gives a heading of that text (a test compares them).
func anchor(heading string) string {
	heading = strings.TrimSpace(heading)
	if heading == "" {
		return ""
	}
	id := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.M, r):
			return r
		}
		return -1
	}, strings.ToLower(heading))
	if id == "" {
		id = "section"
	}
	return "#" + (&url.URL{Fragment: "user-content-" + id}).EscapedFragment()
}
