package wiki

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// routedFirst are the first segments that lead to something else than a page or a
// file on a wiki's host. Other names that can't be created, such as a folder
// "static", have an address.
var routedFirst = slices.DeleteFunc(slices.Clone(reservedFirst), func(s string) bool { return s == "static" })

// ReachablePath is AddressablePath for files that come with a history, which keep
// their names as far as possible: it changes only names under which a reader would
// find nothing, another page or an action on one, and names of pages that don't end
// in ".md". why is "" if it changes nothing. Hidden files keep theirs.
func ReachablePath(file string) (to, why string) {
	if Hidden(file) || !utf8.ValidString(file) {
		return file, ""
	}
	segments := strings.Split(file, "/")
	for i, s := range segments {
		first, last := i == 0, i == len(segments)-1
		if reachableSegment(s, first, last) {
			continue
		}
		if fixed, cause := addressableSegment(s, first, last); fixed != s {
			segments[i], why = fixed, cause
		}
	}
	return strings.Join(segments, "/"), why
}

// reachableSegment reports whether addresses can have a part of a file's path.
func reachableSegment(s string, first, last bool) bool {
	stem, page := s, false
	if last {
		stem, page = strings.CutSuffix(s, ".md")
	}
	switch {
	case VisibleName(s) != s, strings.Contains(s, `\`), unreachable(s), stem == "":
		return false
	case page && strings.HasSuffix(stem, ".md"), last && !page && hasPageEnding(s):
		return false
	case first:
		return !slices.Contains(routedFirst, stem)
	}
	return !slices.Contains(Actions, stem)
}

// pageEndings are the endings of Markdown files that become ".md". They are compared
// without case.
var pageEndings = []string{".md", ".markdown"}

// CutPageEnding cuts ".md" or ".markdown" in any case from a name as other tools
// write it, and reports whether it had one.
func CutPageEnding(name string) (string, bool) {
	for _, ending := range pageEndings {
		if n := len(name) - len(ending); n > 0 && strings.EqualFold(name[n:], ending) {
			return name[:n], true
		}
	}
	return name, false
}

func hasPageEnding(name string) bool {
	_, ok := CutPageEnding(name)
	return ok
}
