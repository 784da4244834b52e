package pages

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// linkListing is the kind of the answer that lists pages. No link has it.
const linkListing wiki.LinkKind = "listing"

// ListPages implements markdown.PageLister. The list is an answer like those about
// links, so a cached body is valid while it would be the same.
func (r *resolver) ListPages(below wiki.PageName, pattern string) (list []markdown.Target, more bool) {
	list, more = r.names.matching(below, pattern)
	r.answers = append(r.answers, listingAnswer(below, pattern, list))
	return list, more
}

// listingAnswer is an answer with a hash of the listed names.
func listingAnswer(below wiki.PageName, pattern string, list []markdown.Target) answer {
	hash := sha256.New()
	for _, t := range list {
		hash.Write([]byte(t.URL + "\n"))
	}
	return answer{link: wiki.Link{Kind: linkListing, Target: string(below)}, fragment: pattern, blob: hex.EncodeToString(hash.Sum(nil))}
}

// matching returns the first pages below one whose titles, or their last parts,
// match a pattern in any case, and whether there are more. A pattern that is longer than
// any name matches none: trying it on each page would take too long.
func (n *names) matching(below wiki.PageName, pattern string) (list []markdown.Target, more bool) {
	if len(pattern) > wiki.MaxNameBytes {
		return nil, false
	}
	pattern = wiki.Key(pattern)
	for _, file := range n.below(string(below)) {
		name, ok := listedPage(file)
		if !ok {
			continue
		}
		title := wiki.Key(string(name)[min(len(below)+1, len(name)):])
		if !matches(pattern, title) && !matches(pattern, title[strings.LastIndexByte(title, '/')+1:]) {
			continue
		}
		if len(list) == markdown.MaxListed {
			return list, true
		}
		list = append(list, markdown.Target{URL: name.URL(), Exists: true, Name: name})
	}
	return list, false
}

// matches reports whether a title matches a pattern (path.Match). A * alone matches the
// titles of subpages, too.
func matches(pattern, title string) bool {
	if pattern == "*" {
		return true
	}
	ok, err := path.Match(pattern, title)
	return ok && err == nil
}
