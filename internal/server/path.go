package server

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// validatePath checks a raw path before any mux cleans it. It rejects "..",
// backslashes and control characters, however often they are encoded. It returns
// the problem, or, if the path has empty or "." segments, the path without them.
func validatePath(raw string) (problem, clean string) {
	if isCleanPath(raw) {
		return "", ""
	}
	path, err := url.PathUnescape(raw)
	if err != nil || !utf8.ValidString(path) {
		return "This address isn't valid. It must be UTF-8, with two hexadecimal digits after each percent sign.", ""
	}
	// Some proxies decode once more, so check every level of encoding.
	for text := path; ; {
		if problem := findPathProblem(text); problem != "" {
			return problem, ""
		}
		again, err := url.PathUnescape(text)
		if err != nil || again == text {
			break
		}
		text = again
	}
	if cleaned := removeEmptySegments(raw); cleaned != raw {
		return "", cleaned
	}
	// Once decoded, "/%2fevil.example" would be an address on another host.
	if strings.HasPrefix(path, "//") {
		return "This address starts with two slashes. Page names don't start with a slash.", ""
	}
	return "", ""
}

// isCleanPath reports, cheaply, whether a path needs no further checks. Nearly
// all paths don't.
func isCleanPath(raw string) bool {
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

// findPathProblem returns why a decoded path is rejected, or "".
func findPathProblem(path string) string {
	for i := range len(path) {
		switch c := path[i]; {
		case c < ' ', c == 0x7f:
			return "This address contains a control character. Use the page's name without it."
		case c == '\\':
			return "This address contains a backslash. Separate folders with “/”."
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == ".." {
			return "This address contains “..”, which page names can't. Start from the wiki's root."
		}
	}
	return ""
}

// removeEmptySegments removes empty and "." segments. It keeps a final slash.
func removeEmptySegments(raw string) string {
	segments := strings.Split(strings.TrimPrefix(raw, "/"), "/")
	kept := segments[:0]
	for i, segment := range segments {
		if last := i == len(segments)-1; segment != "." && (segment != "" || last) {
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// redirectToClean answers a path with empty or "." segments: reads are
// redirected, other requests and the API get an error.
func (s *Server) redirectToClean(w http.ResponseWriter, r *http.Request, clean string) {
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
