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
)

func (h *Handler) overview(ctx context.Context, c *client, _ arguments) (*reply, error) {
	site := c.access.Site()
	index, err := h.o.Pages.Index(ctx, c.access)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.setHead("%s (%s), a wiki of %s. You can %s. %s%s.", singleLine(site.Name()), c.origin, site.OwnerName, h.rights(c), visibility(site), countNoun(index.Pages, "page"))
	if site.Description != "" {
		r.addf("%s\n", singleLine(site.Description))
	}
	r.addf("\nTree:\n")
	for i, n := range index.Tree {
		if i == overviewTree {
			r.addf("… %d more: list_pages\n", len(index.Tree)-i)
			break
		}
		r.addf("%s\n", treeLine(n))
	}
	if err := h.outlineOfHome(ctx, c, r); err != nil {
		return nil, err
	}
	if len(index.Tags) > 0 {
		r.addf("\nTags: %s\n", topTags(r, index.Tags))
	}
	log, err := h.o.Pages.Changelog(ctx, c.access, pages.LogFilter{Limit: overviewChanges})
	if err != nil {
		return nil, err
	}
	r.addf("\nLast changes:\n")
	for _, commit := range log {
		r.addf("%s\n", commitLine(commit))
		r.quoteAuthor(commit.Author)
	}
	return r, nil
}

func visibility(s wiki.Site) string {
	if s.Public {
		return "Public, "
	}
	return "Private, "
}

func (h *Handler) rights(c *client) string {
	if c.access.Can(wiki.Edit) {
		return "read and edit"
	}
	return "read"
}

func treeLine(n *pages.Node) string {
	line := n.Path
	switch {
	case n.Page == "":
		line += "/ (" + countNoun(n.Count, "page") + ")"
	case n.Count > 0:
		line += " (and " + thousands(n.Count) + " below)"
	}
	return line
}

// outlineOfHome adds the headings of the home page.
func (h *Handler) outlineOfHome(ctx context.Context, c *client, r *reply) error {
	home := c.access.Site().HomePage()
	if strings.HasPrefix(home, "/") {
		return nil
	}
	src, err := h.o.Pages.Source(ctx, c.access, home, "")
	if err != nil {
		return nil // the page may not exist
	}
	outline := outlineOf(src)
	if outline == "" {
		return nil
	}
	r.quotePage(src.Name)
	r.addf("\nOutline of %s:\n%s", src.Name, outline)
	return nil
}

// topTags returns the tags with the most pages.
func topTags(r *reply, tags []pages.Tag) string {
	sorted := append([]pages.Tag(nil), tags...)
	sortBy(sorted, func(a, b pages.Tag) int { return len(b.Pages) - len(a.Pages) })
	var list []string
	for i, t := range sorted {
		if i == overviewTags {
			list = append(list, "…")
			break
		}
		for _, page := range t.Pages {
			r.quotePage(page)
		}
		list = append(list, "#"+singleLine(t.Tag)+" "+thousands(len(t.Pages)))
	}
	return strings.Join(list, ", ")
}

// commitLine formats a commit on one line.
func commitLine(commit wiki.Commit) string {
	subject, _, _ := strings.Cut(commit.Message, "\n")
	var names []string
	for i, ch := range commit.Changes {
		if i == 3 {
			names = append(names, "…")
			break
		}
		names = append(names, changeText(ch))
	}
	return formatMinute(commit.Time) + " " + shortID(commit.ID) + " " + authorText(commit.Author) + ": " + truncate(singleLine(subject), 100) + " [" + strings.Join(names, ", ") + "]"
}

func changeText(ch wiki.Change) string {
	name := pageOrFile(ch.Path)
	switch ch.Kind {
	case wiki.Deleted:
		return name + " deleted"
	case wiki.Added:
		return name + " new"
	case wiki.Moved:
		return pageOrFile(ch.From) + " -> " + name
	}
	return name
}

// pageOrFile formats a path for agents: pages have no ".md".
func pageOrFile(path string) string {
	if name, ok := wiki.PageOf(path); ok {
		return string(name)
	}
	return path
}
