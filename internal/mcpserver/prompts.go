package mcpserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const (
	orient  = "orient"
	writeUp = "write_up"
)

func (h *Handler) addPrompts(s *mcp.Server) {
	s.AddPrompt(&mcp.Prompt{
		Name: orient, Title: "Get to know this wiki",
		Description: "What the wiki is about, how it is organized and what its members ask of agents.",
	}, h.orient)
	s.AddPrompt(&mcp.Prompt{
		Name: writeUp, Title: "Write this up in the wiki",
		Description: "Add the findings of this conversation to the right place in the wiki.",
		Arguments:   []*mcp.PromptArgument{{Name: "topic", Title: "Topic", Description: "What to write up; default: all findings."}},
	}, h.writeUp)
}

func prompt(description, text string) *mcp.GetPromptResult {
	return &mcp.GetPromptResult{
		Description: description,
		Messages:    []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: text}}},
	}
}

func (h *Handler) orient(ctx context.Context, r *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	c := clientOf(r)
	overview := h.call(ctx, c, h.tools["wiki_overview"], nil)
	if overview.failed {
		return nil, errors.New(overview.text())
	}
	text := "Get to know this wiki before you work in it. This is its overview:\n\n" + overview.text() +
		"\n\nRead the pages that seem most important (read_pages takes several), then tell me in a few sentences what the wiki is about, how it is organized, and where new things belong."
	if src := h.agentsSource(ctx, c); src != nil {
		text += "\n\nIts members ask this of agents:\n\n" + agentsText(src)
	}
	return prompt("Get to know this wiki", text), nil
}

// agentsText is the AGENTS page, cut if it is very long.
func agentsText(src *pages.Source) string {
	shown, left := clipLines(src.Text, agentsTokens)
	if left > 0 {
		shown += fmt.Sprintf("\n(Cut. The rest is on the page %s.)", src.Name)
	}
	return shown
}

func (h *Handler) writeUp(ctx context.Context, r *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	c := clientOf(r)
	if err := c.access.Allow(wiki.Edit); err != nil {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: err.Error()}
	}
	topic := strings.TrimSpace(r.Params.Arguments["topic"])
	what := "what we found out in this conversation"
	if topic != "" {
		what = fmt.Sprintf("what we found out about “%s”", truncate(singleLine(topic), 200))
	}
	text := "Write up " + what + " in the wiki. Search for the page where it belongs and add to it; create a new page only if there is none. " +
		"Change as little as needed, link to related pages, say where each fact comes from, and give each edit a message. Then show me what you changed."
	if src := h.agentsSource(ctx, c); src != nil {
		text += "\n\nThe wiki's members ask this of agents:\n\n" + agentsText(src)
	}
	return prompt("Write this up in the wiki", text), nil
}
