package server

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// checkPath judges a path as it came, before any mux cleans it up: what climbs,
// hides a separator or a control character is refused on every door, however
// often it is encoded. It answers the problem, or the path without its empty
// and "." segments where it has some.
func checkPath(raw string) (problem, clean string) {
	if plain(raw) {
		return "", ""
	}
	path, err := url.PathUnescape(raw)
	if err != nil || !utf8.ValidString(path) {
		return "This address is not valid: a percent sign stands before two hexadecimal digits, and the whole is UTF-8.", ""
	}
	// Encoded twice, as some proxies undo once: what is still an escape of a
	// dot, a slash or a backslash has no honest use.
	for text := path; ; {
		if problem := climbs(text); problem != "" {
			return problem, ""
		}
		again, err := url.PathUnescape(text)
		if err != nil || again == text {
			break
		}
		text = again
	}
	if tidy := tidyPath(raw); tidy != raw {
		return "", tidy
	}
	// Decoded, "/%2fevil.example" begins as the address of another host does.
	if strings.HasPrefix(path, "//") {
		return "This address begins with two slashes. A page's name begins with neither.", ""
	}
	return "", ""
}

// plain reports that a path has nothing to look at, which nearly all do not.
func plain(raw string) bool {
	if raw == "" || raw[0] != '/' {
		return false
	}
	for i := range len(raw) {
		switch c := raw[i]; {
		case c == '%', c == '\\', c < ' ', c >= 0x7f:
			return false
		case c == '/' && i+1 < len(raw) && (raw[i+1] == '/' || raw[i+1] == '.'):
			return false
		}
	}
	return true
}

func climbs(path string) string {
	for i := range len(path) {
		switch c := path[i]; {
		case c < ' ', c == 0x7f:
			return "This address holds a control character. Write the page's name without it."
		case c == '\\':
			return "This address holds a backslash. Folders are separated by “/”."
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == ".." {
			return "This address holds “..”, which no page's name can. Begin at the wiki's root."
		}
	}
	return ""
}

// tidyPath leaves out empty and "." segments; a final slash stays.
func tidyPath(raw string) string {
	segments := strings.Split(strings.TrimPrefix(raw, "/"), "/")
	kept := segments[:0]
	for i, segment := range segments {
		if last := i == len(segments)-1; segment != "." && (segment != "" || last) {
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// straighten answers a path with empty segments: readers are sent to the one
// without, a program is told.
func (s *Server) straighten(w http.ResponseWriter, r *http.Request, clean string) {
	if isAPI(r.URL.Path) || r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.refuse(w, r, http.StatusBadRequest, "This address has an empty or “.” part. It should be "+clean+".")
		return
	}
	if r.URL.RawQuery != "" {
		clean += "?" + r.URL.RawQuery
	}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Location", clean)
	w.WriteHeader(http.StatusMovedPermanently)
}
