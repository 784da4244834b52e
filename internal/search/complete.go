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

// names are the pages of a wiki at one head, ready to be completed.
type nameList struct {
	head string // commit id
	list []pageName
}

type pageName struct {
	name wiki.PageName
	foldedName
}

// typed is a name as it is compared: bare, blanks for underscores.
type foldedName string

func foldName(s string) foldedName {
	return foldedName(strings.Join(strings.Fields(strings.ReplaceAll(foldText(s), "_", " ")), " "))
}

// Complete lists page names as they are typed, 10 when limit is 0, at most 100;
// best first: the name or its last segment itself, then by prefix of the last
// segment or the whole, of another segment, of a word; then anywhere; then by
// letters in order. Upper and lower case, accents, blanks and underscores make
// no difference. Nothing typed lists the first names.
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

// rank is how well a name fits what was typed: 0 is best, -1 not at all.
func (n foldedName) matchRank(want foldedName) int {
	name, w := string(n), string(want)
	last := name[strings.LastIndexByte(name, '/')+1:]
	switch at := strings.Index(name, w); {
	case w == "":
		return 0
	case name == w || last == w:
		return 0
	case at == 0 || strings.HasPrefix(last, w):
		return 1
	case strings.Contains(name, "/"+w):
		return 2
	case strings.Contains(name, " "+w):
		return 3
	case at > 0:
		return 4
	case isSubsequence(name, w):
		return 5
	}
	return -1
}

// inOrder reports whether all letters of want stand in name in their order.
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

// pageNames reads the wiki's names, from memory when nothing changed.
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

// cut is the text up to a number of bytes, and no half character.
func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}
