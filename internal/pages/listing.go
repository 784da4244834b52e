package pages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path"
	"strings"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// The kinds of the answers that list pages and files, and of a table's file. No link has
// them.
const (
	linkListing wiki.LinkKind = "listing"
	linkFiles   wiki.LinkKind = "files"
	linkTable   wiki.LinkKind = "table"
)

// ListPages implements markdown.PageLister. The list is an answer like those about
// links, so a cached body is valid while it would be the same.
func (r *resolver) ListPages(below wiki.PageName, pattern string) (list []markdown.Target, more bool) {
	list, more = r.names.matching(below, pattern)
	r.answers = append(r.answers, listingAnswer(linkListing, below, pattern, list))
	return list, more
}

// ListFiles implements markdown.PageLister, as ListPages does.
func (r *resolver) ListFiles(of wiki.PageName, pattern string) (list []markdown.Target, more bool) {
	list, more = r.names.matchingFiles(of, pattern)
	r.answers = append(r.answers, listingAnswer(linkFiles, of, pattern, list))
	return list, more
}

// ReadTable implements markdown.PageLister. A cached body is valid while the file is the
// same.
func (r *resolver) ReadTable(ctx context.Context, l wiki.Link) ([]byte, bool) {
	file := r.tableFile(ctx, l)
	l.Kind = linkTable
	r.answers = append(r.answers, answer{link: l, blob: file.Blob})
	if file.Blob == "" || file.Size > markdown.MaxTable {
		return nil, false
	}
	data, err := r.w.Blob(ctx, file.Blob)
	if err != nil && !errors.Is(err, wiki.ErrTakenDown) {
		r.fail(err)
	}
	text := pageText(data)
	return text, err == nil && !isBinary(text)
}

// tablePath returns the path of a table's file, "" if there is none.
func (r *resolver) tablePath(l wiki.Link) string {
	l.Kind = wiki.LinkFile
	to := r.names.lead(r.self, l)
	if _, page := wiki.PageOf(to.file); page {
		return ""
	}
	return to.file
}

// tableFile returns the file of a table, without a blob if there is none.
func (r *resolver) tableFile(ctx context.Context, l wiki.Link) wiki.File {
	at := r.tablePath(l)
	if at == "" {
		return wiki.File{}
	}
	file, err := r.w.Lookup(ctx, at)
	if err != nil {
		r.fail(err)
		return wiki.File{}
	}
	return file
}

// sameListing reports whether an answer that lists pages or files would be the same
// now.
func (n *names) sameListing(old answer) bool {
	of := wiki.PageName(old.link.Target)
	list, _ := n.matching(of, old.fragment)
	if old.link.Kind == linkFiles {
		list, _ = n.matchingFiles(of, old.fragment)
	}
	return listingAnswer(old.link.Kind, of, old.fragment, list) == old
}

// matchingFiles returns the first attachments of a page whose names match a pattern in
// any case, and whether there are more.
func (n *names) matchingFiles(of wiki.PageName, pattern string) (list []markdown.Target, more bool) {
	if len(pattern) > wiki.MaxNameBytes {
		return nil, false
	}
	pattern = wiki.Key(pattern)
	for _, file := range n.attachments(of) {
		if !matches(pattern, wiki.Key(path.Base(file))) {
			continue
		}
		if len(list) == markdown.MaxListed {
			return list, true
		}
		list = append(list, markdown.Target{URL: wiki.PathURL(file), Exists: true, Image: imageByName(file)})
	}
	return list, false
}

// listingAnswer is an answer with a hash of the listed names.
func listingAnswer(kind wiki.LinkKind, below wiki.PageName, pattern string, list []markdown.Target) answer {
	hash := sha256.New()
	for _, t := range list {
		hash.Write([]byte(t.URL + "\n"))
	}
	return answer{link: wiki.Link{Kind: kind, Target: string(below)}, fragment: pattern, blob: hex.EncodeToString(hash.Sum(nil))}
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
