package pages

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A respelling spells the links of a page so that each leads to the same file as
// before, while files move or the text gets another page's name.
type respelling struct {
	before, now   *names
	self, newSelf wiki.PageName
	moved         func(file string) string // where a file is now; "" if it is gone
	left          map[string]string        // key of a path that a file leaves -> where it goes; can be nil
	exact         bool                     // spell names as the files do, which other tools want

	heading func(file, fragment string) (heading, string) // where a heading is now, if not there
}

// link returns the link with a target or label, and a fragment, that leads where it
// should. It is the link itself if that does already, or if nothing would. A path stays
// a path, even if its end would be enough.
func (r *respelling) link(l wiki.Link, fragment string) (wiki.Link, string) {
	if l.Kind == "" {
		return l, fragment // within the page
	}
	was := r.before.lead(r.self, l)
	if was.file == "" {
		return r.missing(l, was), fragment
	}
	want, part := r.moved(was.file), fragment
	if was.swapped {
		part = was.fragment
	}
	newPart := part
	if r.heading != nil && part != "" {
		if now, next := r.heading(was.file, part); now.path != "" {
			want, newPart = now.path, next
		}
	}
	next := r.target(l, want, was)
	if !was.swapped {
		return next, newPart
	}
	if target, _, ok := strings.Cut(next.Label, "#"); ok && newPart != part {
		next.Label = target + "#" + newPart
	}
	return next, fragment
}

// target returns the link with a target or label that leads to a file.
func (r *respelling) target(l wiki.Link, want string, was lead) wiki.Link {
	if want == "" || r.leads(l, l, want, was) {
		return l
	}
	for _, next := range r.alternatives(l, want, was) {
		if r.leads(l, next, want, was) {
			return next
		}
	}
	return l
}

// alternatives lists links that may lead to a file, those most like the present one
// first.
func (r *respelling) alternatives(l wiki.Link, file string, was lead) []wiki.Link {
	var list []wiki.Link
	if !was.swapped {
		for _, target := range r.spellings(l, file, was) {
			next := l
			next.Target = target
			list = append(list, next)
		}
		return list
	}
	swapped, _, _ := l.Swapped()
	fragment := l.Label[strings.IndexByte(l.Label+"#", '#'):]
	targets := r.spellings(swapped, file, was)
	for _, target := range targets {
		next := l
		next.Label = target + fragment
		list = append(list, next)
	}
	for _, target := range targets { // a page has the name of the text now
		next := l
		next.Target, next.Label = target, l.Target
		list = append(list, next)
	}
	return list
}

// leads reports whether a link that was another one leads to a file now, and to no
// other one that is as near, and is still a path if it was one.
func (r *respelling) leads(old, l wiki.Link, file string, was lead) bool {
	to := r.now.lead(r.newSelf, l)
	isPath := !was.byName && !was.swapped && (l.Address || strings.Contains(old.Target, "/"))
	if to.file != file || isPath && (to.byName || to.choice > was.choice) || l != old && to.others > 0 {
		return false
	}
	if to.byName && r.followsOther(l, file) {
		return false
	}
	if !r.exact || to.folder || to.former {
		return true
	}
	target := l.Target
	if to.swapped {
		target, _, _ = strings.Cut(l.Label, "#")
	}
	base := path.Base(strings.TrimSuffix(strings.TrimSpace(target), ".md"))
	return base == path.Base(strings.TrimSuffix(file, ".md")) || slices.Contains(r.now.aliases[file], target)
}

// followsOther reports whether a link names a path that another file than this one
// leaves. It will lead to that file, before any that is found by its name alone.
func (r *respelling) followsOther(l wiki.Link, file string) bool {
	return slices.ContainsFunc(l.Paths(r.newSelf), func(p string) bool {
		to := cmp.Or(r.left[wiki.Key(p+".md")], r.left[wiki.Key(p)])
		return to != "" && wiki.Key(to) != wiki.Key(file)
	})
}

// spellings lists targets for a file, those most like the present one first.
func (r *respelling) spellings(l wiki.Link, file string, was lead) []string {
	to := strings.TrimSuffix(file, ".md")
	if l.Address && l.Kind == wiki.LinkFile && to != file {
		l.Target += ".md" // a table that became a page
	}
	var list []string
	if was.folder && path.Dir(to) != "." {
		list = l.Spellings(r.newSelf, path.Dir(to), was.byName)
	}
	return append(list, l.Spellings(r.newSelf, to, was.byName)...)
}

// missing keeps the page or file to create for a link that leads nowhere.
func (r *respelling) missing(l wiki.Link, was lead) wiki.Link {
	if was.swapped {
		swapped, _, _ := l.Swapped()
		l.Label = r.missing(swapped, lead{}).Target + l.Label[strings.IndexByte(l.Label+"#", '#'):]
		return l
	}
	paths, now := l.Paths(r.self), l.Paths(r.newSelf)
	if r.self == r.newSelf || len(paths) == 0 || len(now) > 0 && wiki.Key(now[0]) == wiki.Key(paths[0]) {
		return l
	}
	for _, target := range l.Spellings(r.newSelf, paths[0], false) {
		next := l
		next.Target = target
		if now := next.Paths(r.newSelf); len(now) > 0 && now[0] == paths[0] {
			return next
		}
	}
	return l
}

// source returns a page's text with its links respelled.
func (r *respelling) source(text []byte) ([]byte, bool) {
	return markdown.RewriteLinks(r.self, text, r.link)
}

// after returns the names after the moves and deletions. Former paths lead where they
// led, but those that the moves leave behind (left) lead nowhere: links follow their
// files.
func (m *moves) after(created []string) *names {
	var c nameChange
	aliases := map[string][]string{}
	for from, to := range m.to {
		c.gone, c.come = append(c.gone, from), append(c.come, to)
		aliases[to] = m.names.aliases[from]
	}
	for p := range m.free {
		c.gone = append(c.gone, p)
	}
	for _, to := range m.leads { // which may be new
		c.come = append(c.come, to)
	}
	for _, moved := range m.headings {
		for _, h := range moved {
			c.come = append(c.come, h.path)
		}
	}
	c.come = append(c.come, created...)
	next := m.names.after([]nameChange{c}, aliases, nil)
	m.left = map[string]string{}
	for _, paths := range []map[string]string{m.to, m.leads} {
		for from, to := range paths {
			if key := wiki.Key(from); next.byKey[key] == "" {
				m.left[key] = to
			}
		}
	}
	for key, file := range m.names.former {
		if to := m.current(next, file); to != "" && next.byKey[key] == "" {
			next.former[key] = to
		}
	}
	return next
}

// current returns where a file is after the moves; "" if it is gone.
func (m *moves) current(now *names, file string) string {
	to := cmp.Or(m.newPath(file), file)
	return now.byKey[wiki.Key(to)]
}

// respelling returns how links of a page follow the moves.
func (m *moves) respelling(now *names, page string) *respelling {
	self, _ := wiki.PageOf(page)
	newSelf, _ := wiki.PageOf(cmp.Or(m.to[page], page))
	return &respelling{
		before: m.names.names, now: now, self: self, newSelf: newSelf, left: m.left,
		moved: func(file string) string { return m.current(now, file) },
		heading: func(file, fragment string) (heading, string) {
			to, ok := m.headings[file][markdown.FragmentAnchor(fragment)]
			if !ok {
				return heading{}, ""
			}
			return to, m.newFragment(file, fragment, to)
		},
	}
}

// pagesToRewrite lists the moved pages, and the others with links that the moves would
// change. It reads only links with keys of the names that change.
func (m *moves) pagesToRewrite(ctx context.Context, w *content.Wiki, now *names, keepLinks bool) ([]string, error) {
	var list, keys []string
	for _, from := range m.order {
		if isText(from) {
			list = append(list, from)
		}
		keys = append(keys, m.keys(from, m.to[from])...)
	}
	if keepLinks {
		return list, nil
	}
	seen := map[string]bool{}
	for page := range m.retarget {
		if seen[page] = true; m.to[page] == "" {
			list = append(list, page)
		}
	}
	for page := range m.headings {
		keys = append(keys, m.keys(page, page)...)
		for _, former := range m.names.was[page] {
			keys = append(keys, wiki.PageKeys(former, nil)...)
		}
	}
	for from, to := range m.leads {
		keys = append(keys, m.keys(from, to)...)
	}
	slices.Sort(keys)
	links, err := w.LinksByKey(ctx, slices.Compact(keys))
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		page, ok := m.names.page(l.From)
		if !ok || seen[page] || m.to[page] != "" {
			continue
		}
		r := m.respelling(now, page)
		if next, _ := r.link(l, ""); next != l || m.headings[m.names.lead(r.self, l).file] != nil {
			seen[page] = true
			list = append(list, page)
		}
	}
	return list, nil
}

// keys returns the keys of links that can lead to a file by its old or new path.
func (m *moves) keys(from, to string) []string {
	return append(wiki.PageKeys(from, m.names.aliases[from]), wiki.PageKeys(to, nil)...)
}
