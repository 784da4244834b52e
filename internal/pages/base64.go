package pages

import (
	"encoding/base64"
	"net/url"
	"strings"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

// DecodeBase64 decodes the base64 of a file in a field, in both alphabets (RFC
// 4648, sections 4 and 5), with or without padding and line breaks, or in a data: URL
// (RFC 2397), whose media type is ignored: a file's name decides. ErrInvalid for
// anything else.
func DecodeBase64(field, text string) ([]byte, error) {
	text = standardBase64.Replace(text)
	if len(text) >= 5 && strings.EqualFold(text[:5], "data:") {
		head, body, found := strings.Cut(text[5:], ",")
		if at := len(head) - len(";base64"); !found || at < 0 || !strings.EqualFold(head[at:], ";base64") {
			return nil, wiki.Problemf(wiki.ErrInvalid, field, "This data: URL has no base64. Send it as \"data:image/png;base64,iVBO…\", or only the base64.")
		}
		if unescaped, err := url.PathUnescape(body); err == nil {
			body = standardBase64.Replace(unescaped)
		}
		text = body
	}
	text = strings.TrimRight(text, "=")
	if at := strings.IndexFunc(text, isNotBase64); at >= 0 {
		r, _ := utf8.DecodeRuneInString(text[at:])
		return nil, wiki.Problemf(wiki.ErrInvalid, field, "This is not valid base64 (RFC 4648): %q can't be character %d. Send the file's bytes as base64.", wiki.Own(string(r)), at+1)
	}
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, wiki.Problemf(wiki.ErrInvalid, field, "This base64 is incomplete: its end is missing. Send all of it.")
	}
	return data, nil
}

// standardBase64 converts to the alphabet of section 4, without blanks. A text of
// blanks takes no more memory than any other.
var standardBase64 = strings.NewReplacer("-", "+", "_", "/", " ", "", "\t", "", "\r", "", "\n", "")

func isNotBase64(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '+' && r != '/'
}
