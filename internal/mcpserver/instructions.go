package mcpserver

import (
	"fmt"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const (
	agentsPage = "AGENTS"
	// maxInstructions bounds what each client is given to read at its start;
	// some cut longer ones themselves.
	maxInstructions = 2000 // characters
)

// instructions are what a wiki tells each client that connects: what it is, and
// its AGENTS page.
func (h *Handler) instructions(ctx ctx, c *client) string {
	site := c.access.Site()
	head := fmt.Sprintf("The wiki %s at %s: Markdown pages with history. You may %s.", oneLine(site.Name()), c.origin, h.rights(c))
	src := h.agents(ctx, c)
	if src == nil {
		return head
	}
	text := fmt.Sprintf("%s Its members say on the page %s:\n\n%s", head, src.Name, strings.TrimSpace(src.Text))
	if chars(text) > maxInstructions {
		more := fmt.Sprintf("\n\n(Cut. The rest is on the page %s.)", src.Name)
		text = clip(text, maxInstructions-chars(more)) + more
	}
	return text
}

// agents is the wiki's AGENTS page, nil if there is none that members alone had
// a hand in.
func (h *Handler) agents(ctx ctx, c *client) *pages.Source {
	src, err := h.o.Pages.Source(ctx, c.access, agentsPage, "")
	if err != nil {
		return nil
	}
	member := func(did string) bool { return h.o.Tenant.IsMember(ctx, c.access, did) }
	foreign, err := h.o.Pages.WrittenByOthers(ctx, c.access, member, []wiki.PageName{src.Name}, nil, false)
	if err != nil || foreign || strings.TrimSpace(src.Text) == "" {
		return nil
	}
	return src
}
