package mcpserver

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"robot.wtf/internal/wiki"
)

func newTransport(server func(*http.Request) *mcp.Server) *mcp.StreamableHTTPHandler {
	return mcp.NewStreamableHTTPHandler(server, &mcp.StreamableHTTPOptions{
		Stateless:                    true,
		JSONResponse:                 true,
		DisableLocalhostProtection:   true, // hosts and origins are checked before
		MaxRequestBodyBytes:          maxBody,
		PropagateRequestCancellation: true,
	})
}

func (h *Handler) implementation() *mcp.Implementation {
	return &mcp.Implementation{Name: "robot.wtf", Title: "robot.wtf wiki", Version: h.o.Version}
}

// newServer makes the one server of all wikis. Which wiki is meant, and who is
// calling, comes with each request.
func (h *Handler) newServer() *mcp.Server {
	s := mcp.NewServer(h.implementation(), &mcp.ServerOptions{
		Capabilities: &mcp.ServerCapabilities{
			Tools: &mcp.ToolCapabilities{}, Prompts: &mcp.PromptCapabilities{}, Resources: &mcp.ResourceCapabilities{}, Completions: &mcp.CompletionCapabilities{},
		},
		CompletionHandler: h.complete,
		SetCacheable: func(_ ctx, _ mcp.Request, c *mcp.Cacheable) {
			c.CacheScope = "private" // what there is depends on the token
		},
	})
	h.addPrompts(s)
	h.addResources(s)
	for i := range tools {
		t := &tools[i]
		s.AddTool(t.described(), func(ctx ctx, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			reply := h.call(ctx, clientOf(r), t, r.Params.Arguments)
			return &mcp.CallToolResult{Content: contents(reply), IsError: reply.failed}, nil
		})
	}
	s.AddReceivingMiddleware(h.fit)
	return s
}

// described is what clients are told of a tool.
func (t *tool) described() *mcp.Tool {
	no := false
	return &mcp.Tool{
		Name: t.name, Title: t.title, Description: t.description, InputSchema: t.schema(),
		Annotations: &mcp.ToolAnnotations{
			Title: t.title, ReadOnlyHint: t.action == wiki.Read, DestructiveHint: &t.destructive,
			IdempotentHint: t.idempotent, OpenWorldHint: &no,
		},
	}
}

func clientOf(r mcp.Request) *client {
	if extra := r.GetExtra(); extra != nil && extra.TokenInfo != nil {
		if c, ok := extra.TokenInfo.Extra[clientKey].(*client); ok {
			return c
		}
	}
	return &client{} // may do nothing
}

// fit makes answers fit who asks: the tools that there are for them, and their
// wiki's instructions.
func (h *Handler) fit(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx ctx, method string, r mcp.Request) (mcp.Result, error) {
		c := clientOf(r)
		if call, ok := r.(*mcp.CallToolRequest); ok {
			if t := h.tools[call.Params.Name]; t != nil {
				if err := c.access.Allow(t.action); err != nil {
					return nil, err
				}
				if !c.knows(t) {
					return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf("unknown tool %q", t.name)}
				}
			}
		}
		result, err := next(ctx, method, r)
		if err != nil {
			return result, err
		}
		switch result := result.(type) {
		case *mcp.ListToolsResult:
			result.Tools = h.listed(c)
		case *mcp.ListPromptsResult:
			result.Prompts = slices.DeleteFunc(slices.Clone(result.Prompts), func(p *mcp.Prompt) bool {
				return p.Name == writeUp && !c.access.Can(wiki.Edit)
			})
		case *mcp.InitializeResult:
			result.Instructions = h.instructions(ctx, c)
		case *mcp.DiscoverResult:
			result.Instructions = h.instructions(ctx, c)
		}
		return result, nil
	}
}

// listed are the tools that there are for a client, in their order.
func (h *Handler) listed(c *client) []*mcp.Tool {
	list := []*mcp.Tool{}
	for i := range tools {
		if c.may(&tools[i]) {
			list = append(list, tools[i].described())
		}
	}
	return list
}

// contents are a reply's, as the protocol has them.
func contents(r *reply) []mcp.Content {
	list := []mcp.Content{&mcp.TextContent{Text: r.text()}}
	return append(list, r.more...)
}
