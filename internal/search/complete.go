package search

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// A nameList holds the page names of a wiki at one commit, prepared for
// completion.
type nameList struct {
	head string // commit id
	list []pageName
}

type pageName struct {
	name wiki.PageName
	foldedName
}

// A foldedName is a name as it is compared: folded, with spaces for underscores.
type foldedName string

func foldName(s string) foldedName {
	return foldedName(strings.Join(strings.Fields(strings.ReplaceAll(foldText(s), "_", " ")), " "))
}

// Complete returns page names that match text, best first: equal to the name or
// its last segment, then a prefix of either, then a prefix of another segment,
// then of a word, then anywhere in the name, and last its letters in order.
// Case, accents, spaces and underscores are ignored. Empty text matches every
// page. The limit is 10 if 0 and at most 100.
func (s *Service) Complete(ctx context.Context, w *content.Wiki, text string, limit int) ([]wiki.PageName, error) {
	if limit <= 0 {
		limit = 10
	}
	limit = min(limit, 100)
	x, release, err := s.acquireIndex(w.Slug())
	if err != nil {
		return nil, err
	}
	defer release()
	all, err := x.loadPageNames(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("search: complete %q in %s: %w", text, w.Slug(), err)
	}
	want := foldName(strings.TrimSuffix(strings.TrimPrefix(truncate(text, wiki.MaxNameBytes), "/"), ".md"))
	type match struct {
		rank int
		*pageName
	}
	var found []match
	for i := range all.list {
		if rank := all.list[i].matchRank(want); rank >= 0 {
			found = append(found, match{rank, &all.list[i]})
		}
	}
	slices.SortFunc(found, func(a, b match) int {
		if c := cmp.Compare(a.rank, b.rank); c != 0 || want == "" {
			return cmp.Or(c, cmp.Compare(a.name, b.name))
		}
		return cmp.Or(cmp.Compare(len(a.foldedName), len(b.foldedName)), cmp.Compare(a.name, b.name))
	})
	out := make([]wiki.PageName, 0, min(limit, len(found)))
	for _, m := range found[:cap(out)] {
		out = append(out, m.name)
	}
	return out, nil
}

// matchRank returns how well a name matches the typed text: 0 is best, -1 means
// no match.
func (n foldedName) matchRank(want foldedName) int {
	name, w := string(n), string(want)
	lastSegment := name[strings.LastIndexByte(name, '/')+1:]
	switch i := strings.Index(name, w); {
	case w == "":
		return 0
	case name == w || lastSegment == w:
		return 0
	case i == 0 || strings.HasPrefix(lastSegment, w):
		return 1
	case strings.Contains(name, "/"+w):
		return 2
	case strings.Contains(name, " "+w):
		return 3
	case i > 0:
		return 4
	case isSubsequence(name, w):
		return 5
	}
	return -1
}

// isSubsequence reports whether name contains all letters of want in order.
func isSubsequence(name, want string) bool {
	for _, r := range want {
		if r == ' ' {
			continue
		}
		i := strings.IndexRune(name, r)
		if i < 0 {
			return false
		}
		name = name[i+len(string(r)):]
	}
	return true
}

// loadPageNames returns the wiki's page names, cached until the next commit.
func (x *index) loadPageNames(ctx context.Context, w *content.Wiki) (*nameList, error) {
	_, head := w.Head()
	if n := x.names.Load(); n != nil && n.head == head {
		return n, nil
	}
	paths, err := w.Names(ctx)
	if err != nil {
		return nil, err
	}
	n := &nameList{head: head}
	for _, p := range paths {
		if name, ok := wiki.PageOf(p); ok && !wiki.Hidden(p) {
			n.list = append(n.list, pageName{name, foldName(string(name))})
		}
	}
	x.names.Store(n)
	return n, nil
}

// truncate cuts text to at most n bytes without splitting a character.
func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}
