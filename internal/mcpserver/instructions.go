package mcpserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const (
	agentsPage = "AGENTS"
	// formerAgentsPage is what the Python robot.wtf called it. It counts in wikis
	// without an AGENTS page.
	formerAgentsPage = "Agent_Guide"
	// maxInstructions limits the text that each client reads at the start;
	// some clients truncate longer ones themselves.
	maxInstructions = 2000 // characters
)

// instructions is the text for each client that connects: what the wiki is,
// and its AGENTS page.
func (h *Handler) instructions(ctx context.Context, c *client) string {
	site := c.access.Site()
	head := say("The wiki %s at %s: Markdown pages with history. You can %s.", owners(site.Name()), owners(c.origin), constant(h.rights(c))).text()
	src := h.agentsSource(ctx, c)
	if src == nil {
		return head
	}
	text := fmt.Sprintf("%s From its members, on the page %s:\n\n%s", head, src.Name, strings.TrimSpace(src.Text))
	if runeCount(text) > maxInstructions {
		more := fmt.Sprintf("\n\n(Cut. The rest is on the page %s.)", src.Name)
		text = truncate(text, maxInstructions-runeCount(more)) + more
	}
	return text
}

// agentsSource returns the wiki's AGENTS page. It returns nil if there is
// none or if anyone but members has contributed to it.
func (h *Handler) agentsSource(ctx context.Context, c *client) *pages.Source {
	src, err := h.o.Pages.Source(ctx, c.access, agentsPage, "")
	if errors.Is(err, wiki.ErrNotFound) {
		src, err = h.o.Pages.Source(ctx, c.access, formerAgentsPage, "")
	}
	if err != nil || src.Proposed { // not the members' words yet
		return nil
	}
	foreign, err := h.foreign(ctx, c, &pages.Words{Page: src.Name})
	if err != nil || foreign[0] || strings.TrimSpace(src.Text) == "" {
		return nil
	}
	return src
}

// foreign reports which texts are by people who aren't members.
func (h *Handler) foreign(ctx context.Context, c *client, words ...*pages.Words) ([]bool, error) {
	return h.o.Pages.Foreign(ctx, c.access, h.isMember(ctx, c), words)
}

// isMember returns a function that tells members from strangers.
func (h *Handler) isMember(ctx context.Context, c *client) func(did string) bool {
	return func(did string) bool { return h.o.Tenant.IsMember(ctx, c.access, did) }
}
