package mcpserver

import (
	"context"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const (
	overviewTree    = 30 // top-level entries of the tree
	overviewTags    = 30
	overviewChanges = 5
	overviewOutline = 600 // tokens
)

func (h *Handler) overview(ctx context.Context, c *client, _ arguments) (*reply, error) {
	site := c.access.Site()
	index, err := h.o.Pages.Index(ctx, c.access)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.setHead("%s (%s), a wiki of %s. You can %s. %s%s.", owners(site.Name()), owners(c.origin), owners(site.OwnerName), constant(h.rights(c)), constant(visibility(site)), count(index.Pages, "page"))
	if site.Description != "" {
		r.add("%s\n", owners(site.Description))
	}
	r.add("\nTree:\n")
	for i, n := range index.Tree {
		if i == overviewTree {
			r.add("… %s more: list_pages\n", digits(len(index.Tree)-i))
			break
		}
		r.addLine(treeLine(n))
	}
	if err := h.outlineOfHome(ctx, c, r); err != nil {
		return nil, err
	}
	if len(index.Tags) > 0 {
		r.add("\nTags: ")
		r.addLine(topTags(index.Tags))
	}
	log, err := h.o.Pages.Changelog(ctx, c.access, pages.LogFilter{Limit: overviewChanges})
	if err != nil {
		return nil, err
	}
	r.add("\nLast changes:\n")
	for _, commit := range log {
		r.addLine(commitLine(commit))
	}
	if err := h.addProposals(ctx, c, r); err != nil {
		return nil, err
	}
	return r, h.addNews(ctx, c, r)
}

func visibility(s wiki.Site) ours {
	if s.Public {
		return "Public, "
	}
	return "Private, "
}

func (h *Handler) rights(c *client) ours {
	if c.access.Can(wiki.Edit) {
		return "read and edit"
	}
	if c.access.Can(wiki.Propose) {
		return "read, and propose changes that a person accepts or declines"
	}
	return "read"
}

func treeLine(n *pages.Node) line {
	l := line{called(n.Path)}
	switch {
	case n.Page == "":
		l.add("/ (%s)", count(n.Count, "page"))
	case n.Count > 0:
		l.add(" (and %s below)", number(n.Count))
	}
	return l
}

// outlineOfHome adds the headings of the home page.
func (h *Handler) outlineOfHome(ctx context.Context, c *client, r *reply) error {
	home, err := h.o.Pages.Home(ctx, c.access)
	if err != nil || strings.HasPrefix(home, "/") {
		return err
	}
	src, err := h.o.Pages.Source(ctx, c.access, home, "")
	if err != nil {
		return nil // the page may not exist
	}
	outline := outlineOf(src, overviewOutline)
	if outline == "" {
		return nil
	}
	r.add("\nOutline of %s:\n%s", called(src.Name), pageText(src.Name, src.Old, outline))
	return nil
}

// topTags returns the tags with the most pages.
func topTags(tags []pages.Tag) line {
	sorted := append([]pages.Tag(nil), tags...)
	sortBy(sorted, func(a, b pages.Tag) int { return len(b.Pages) - len(a.Pages) })
	var l line
	for i, t := range sorted {
		if i > 0 {
			l.add(", ")
		}
		if i == overviewTags {
			l.add("…")
			break
		}
		for _, page := range t.Pages {
			l = append(l, pageText(page, false, ""))
		}
		l.add("#%s %s", pageText(t.Pages[0], false, singleLine(t.Tag)), number(len(t.Pages)))
	}
	return l
}

// commitLine formats a commit on one line.
func commitLine(commit wiki.Commit) line {
	l := say("%s %s %s: %s [", minute(commit.Time), hash(commit.ID), by(commit.Author), saidBy(commit.Author, subjectLine(commit.Message)))
	for i, ch := range commit.Changes {
		if i > 0 {
			l.add(", ")
		}
		if i == 3 {
			l.add("…")
			break
		}
		l = append(l, changeLine(ch)...)
	}
	return append(l, constant("]"))
}

func changeLine(ch wiki.Change) line {
	path := called(pageOrFile(ch.Path))
	switch ch.Kind {
	case wiki.Deleted:
		return say("%s deleted", path)
	case wiki.Added:
		return say("%s new", path)
	case wiki.Moved:
		return say("%s -> %s", called(pageOrFile(ch.From)), path)
	}
	return line{path}
}

// pageOrFile formats a path for agents: pages have no ".md".
func pageOrFile(path string) string {
	if name, ok := wiki.PageOf(path); ok {
		return string(name)
	}
	return path
}
