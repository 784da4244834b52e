package pages

import (
	"context"
	"maps"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// A graph holds a wiki's links between pages and their tags, by file.
type graph struct {
	to        map[string][]string // page -> pages it links to, each once
	from      map[string][]string
	missing   map[string]*Wanted  // by key
	ambiguous []AmbiguousLink     // at most maxBroken
	tags      map[string][]string // sorted
	style     linkStyle
}

// pageEdges are where the links of one page lead, except to itself, and its tags.
type pageEdges struct {
	to        []string // files of pages, each once
	missing   []wiki.PageName
	ambiguous []AmbiguousLink // at most maxBroken
	tags      []string        // sorted, each once
	style     linkStyle
}

// A linkGraph is a cached graph, with its parts: a save changes only where the links of
// the saved page lead, and those that can lead to a name that it changes.
type linkGraph struct {
	*graph
	names *names
	seq   int64
	head  string
	edges map[string]pageEdges // by file
	links int
}

func (g *linkGraph) weight() uint32 { return uint32(min(200*len(g.edges)+150*g.links, 1<<30)) }

// graph returns the wiki's links. The result is cached and must not be changed.
func (s *Service) graph(ctx context.Context, w *content.Wiki, d *directory) (*graph, error) {
	key := cacheKey{"graph", w.Slug(), ""}
	next := &linkGraph{names: d.names, seq: d.seq, head: d.head}
	if c, ok := s.cache.GetIfPresent(key); ok {
		last := c.(*linkGraph)
		if last.head == d.head && last.names.order == d.order {
			return last.graph, nil
		}
		if last.names.order == d.order && last.seq < d.seq {
			if err := next.follow(ctx, w, last); err != nil {
				return nil, err
			}
		}
	}
	if next.edges == nil {
		links, err := w.AllLinks(ctx, wiki.LinkPage, wiki.LinkEmbed, wiki.LinkFile, wiki.LinkTag)
		if err != nil {
			return nil, err
		}
		next.edges = d.edges(links)
	}
	for _, e := range next.edges {
		next.links += len(e.to) + len(e.missing) + len(e.tags)
	}
	next.graph = d.join(next.edges)
	s.cache.Set(key, next)
	return next.graph, nil
}

// maxFollowed is the number of pages from which on it is cheaper to read all links.
const maxFollowed = 50

// follow sets the edges from those of an earlier head; it leaves them nil if all links
// have to be read. It resolves the links of changed pages, and those with a key of a
// name that changed.
func (g *linkGraph) follow(ctx context.Context, w *content.Wiki, last *linkGraph) error {
	changes, ok, err := w.NameChanges(ctx, last.seq, last.head)
	if err != nil || !ok {
		return err
	}
	changed := map[string]bool{}
	for _, c := range changes {
		if changed[c.Path] = true; c.From != "" {
			changed[c.From] = true
		}
	}
	if len(changed) > maxFollowed {
		return nil
	}
	if keys := g.changedKeys(last.names, changes); len(keys) > 0 {
		links, err := w.LinksByKey(ctx, keys)
		if err != nil {
			return err
		}
		for _, l := range links {
			if file, ok := g.names.page(l.From); ok {
				changed[file] = true
			}
		}
	}
	if len(changed) > maxFollowed {
		return nil
	}
	edges := maps.Clone(last.edges)
	for file := range changed {
		delete(edges, file)
		name, isPage := wiki.PageOf(file)
		if !isPage {
			continue
		}
		links, err := w.LinksFrom(ctx, name)
		if err != nil {
			return err
		}
		maps.Copy(edges, g.names.edges(links))
	}
	g.edges = edges
	return nil
}

// changedKeys returns the keys of links that can lead elsewhere since other names.
func (g *linkGraph) changedKeys(before *names, changes []content.NameChange) (keys []string) {
	if before == g.names {
		return nil
	}
	for _, c := range changes {
		for _, p := range []string{c.Path, c.From} {
			was, now := before.aliases[p], g.names.aliases[p]
			if p == "" || c.Kind == wiki.Modified && slices.Equal(was, now) {
				continue
			}
			keys = append(keys, wiki.PageKeys(p, slices.Concat(was, now))...)
			for _, former := range slices.Concat(before.was[p], g.names.was[p]) {
				keys = append(keys, wiki.PageKeys(former, nil)...)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// graph resolves links, which are in the order of their pages.
func (n *names) graph(links []wiki.Link) *graph { return n.join(n.edges(links)) }

// edges resolves links, which are in the order of their pages, by the page's file.
func (n *names) edges(links []wiki.Link) map[string]pageEdges {
	all := map[string]pageEdges{}
	for len(links) > 0 {
		count := 1
		for count < len(links) && links[count].From == links[0].From {
			count++
		}
		if page, ok := n.page(links[0].From); ok {
			all[page] = n.edgesOf(page, links[:count])
		}
		links = links[count:]
	}
	return all
}

// edgesOf resolves the links of one page.
func (n *names) edgesOf(page string, links []wiki.Link) (e pageEdges) {
	self, _ := wiki.PageOf(page)
	seen := map[string]bool{page: true}
	first := func(key string) bool {
		known := seen[key]
		seen[key] = true
		return !known
	}
	for _, l := range links {
		switch l.Kind {
		case wiki.LinkTag:
			e.tags = append(e.tags, l.Target)
			continue
		case wiki.LinkAlias:
			continue
		}
		to := n.lead(self, l)
		e.style.count(l, to)
		if to.others > 0 && len(e.ambiguous) < maxBroken {
			e.ambiguous = append(e.ambiguous, AmbiguousLink{From: self, Link: l, To: to.file, Others: to.others})
		}
		if to.file == "" {
			name, ok := n.missingPage(l, self)
			if ok && !wiki.IsFrame(name.File()) && first("\x00"+name.Key()) {
				e.missing = append(e.missing, name)
			}
			continue
		}
		if strings.HasSuffix(to.file, ".md") && first(to.file) {
			e.to = append(e.to, to.file)
		}
	}
	slices.Sort(e.tags)
	e.tags = slices.Compact(e.tags)
	return e
}

// join makes a graph of the pages' edges.
func (n *names) join(edges map[string]pageEdges) *graph {
	g := &graph{to: make(map[string][]string, len(edges)), from: make(map[string][]string, len(edges)), missing: map[string]*Wanted{}, tags: map[string][]string{}}
	for _, page := range n.paths {
		e, ok := edges[page]
		if !ok {
			continue
		}
		g.style.add(e.style)
		if len(e.to) > 0 {
			g.to[page] = e.to
		}
		if len(e.tags) > 0 {
			g.tags[page] = e.tags
		}
		for _, to := range e.to {
			g.from[to] = append(g.from[to], page)
		}
		self, _ := wiki.PageOf(page)
		for _, name := range e.missing {
			wanted := g.missing[name.Key()]
			if wanted == nil {
				wanted = &Wanted{Name: name}
				g.missing[name.Key()] = wanted
			}
			wanted.From = append(wanted.From, self)
		}
		g.ambiguous = append(g.ambiguous, e.ambiguous[:min(len(e.ambiguous), maxBroken-len(g.ambiguous))]...)
	}
	return g
}
