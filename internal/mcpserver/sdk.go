package mcpserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"robot.wtf/internal/background"
	"robot.wtf/internal/wiki"
)

func newTransport(server func(*http.Request) *mcp.Server) *mcp.StreamableHTTPHandler {
	return mcp.NewStreamableHTTPHandler(server, &mcp.StreamableHTTPOptions{
		Stateless:                    true,
		JSONResponse:                 true,
		DisableLocalhostProtection:   true, // checked before
		MaxRequestBodyBytes:          maxBody,
		PropagateRequestCancellation: true,
	})
}

func (h *Handler) implementation() *mcp.Implementation {
	return &mcp.Implementation{Name: "robot.wtf", Title: cmp.Or(h.o.Name, "robot.wtf") + " wiki", Version: h.o.Version}
}

// newServer returns the one server for all wikis. Each request carries its
// wiki and its client.
func (h *Handler) newServer() *mcp.Server {
	s := mcp.NewServer(h.implementation(), &mcp.ServerOptions{
		Capabilities: &mcp.ServerCapabilities{
			Tools: &mcp.ToolCapabilities{}, Prompts: &mcp.PromptCapabilities{}, Resources: &mcp.ResourceCapabilities{}, Completions: &mcp.CompletionCapabilities{},
		},
		CompletionHandler: h.complete,
		SetCacheable: func(_ context.Context, _ mcp.Request, c *mcp.Cacheable) {
			c.CacheScope = "private" // the result depends on the token
		},
	})
	h.addPrompts(s)
	h.addResources(s)
	for i := range tools {
		name := tools[i].name
		s.AddTool(tools[i].mcpTool(), func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			reply := h.execute(ctx, clientOf(r), h.tools[name], r.Params.Arguments)
			return &mcp.CallToolResult{Content: replyContents(reply), IsError: reply.failed}, nil
		})
	}
	s.AddReceivingMiddleware(h.recoverPanics, h.filterByClient)
	return s
}

// A member of a tool's _meta. It lets Claude Code show results of up to so many
// characters, which its limit of tokens would cut.
const (
	metaResultSize = "anthropic/maxResultSizeChars"
	maxResultChars = 200_000
)

// mcpTool describes a tool to clients.
func (t *tool) mcpTool() *mcp.Tool {
	no := false
	var meta mcp.Meta
	if t.long {
		meta = mcp.Meta{metaResultSize: maxResultChars}
	}
	return &mcp.Tool{
		Meta: meta, Name: t.name, Title: t.title, Description: t.description, InputSchema: t.schema(),
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
	return &client{} // has no rights
}

// successors are the tools that replace those of the Python robot.wtf, which agents
// may remember.
var successors = map[string]string{
	"read_note": "read_page", "list_notes": "list_pages", "search_notes": "search", "semantic_search": "search",
	"get_links": "links", "find_orphaned_notes": "links", "get_recent_changes": "changes", "get_history": "changes",
	"write_note": "create_page or replace_page", "edit_note": "edit_page", "rename_note": "move_page", "delete_note": "delete_page",
	"list_attachments": "read_attachment", "download_attachment": "read_attachment", "upload_attachment": "write_attachment", "delete_attachment": "delete_page",
}

// filterByClient adapts results to the client: the tools it can use and its
// wiki's instructions.
func (h *Handler) filterByClient(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, r mcp.Request) (mcp.Result, error) {
		c := clientOf(r)
		if c.endParsing != nil {
			c.endParsing()
		}
		if c.messages.Add(-1) < 0 {
			h.o.Log.ErrorContext(ctx, "refused a message that wasn't counted", "method", truncate(singleLine(method), 60))
			return nil, errNotCounted
		}
		if call, ok := r.(*mcp.CallToolRequest); ok {
			if successor := successors[call.Params.Name]; successor != "" {
				return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf("unknown tool %q: this wiki has moved to another service, where it is %s. List the tools again.", call.Params.Name, successor)}
			}
			if t := h.tools[call.Params.Name]; t != nil {
				if err := c.access.Allow(t.action); err != nil {
					return nil, err
				}
				if !c.isForClient(t) {
					return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf("unknown tool %q", t.name)}
				}
			}
		}
		uri := ""
		if read, ok := r.(*mcp.ReadResourceRequest); ok && read.Params != nil {
			uri = read.Params.URI
			read.Params.URI = escapeURI(uri)
		}
		result, err := next(ctx, method, r)
		if err != nil {
			return result, err
		}
		switch result := result.(type) {
		case *mcp.ListToolsResult:
			result.Tools = h.listedTools(c)
		case *mcp.ListPromptsResult:
			result.Prompts = slices.DeleteFunc(slices.Clone(result.Prompts), func(p *mcp.Prompt) bool {
				return p.Name == writeUp && !c.access.Can(wiki.Edit)
			})
		case *mcp.ListResourcesResult:
			result.Resources, err = h.listedResources(ctx, c)
		case *mcp.ReadResourceResult:
			for _, content := range result.Contents {
				content.URI = uri // as the client wrote it
			}
		case *mcp.InitializeResult:
			result.Instructions = h.instructions(ctx, c)
		case *mcp.DiscoverResult:
			result.Instructions = h.instructions(ctx, c)
		}
		return result, err
	}
}

// recoverPanics makes a panic that request's error. The SDK calls handlers on
// goroutines of its own, where a panic would end the process.
func (h *Handler) recoverPanics(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, r mcp.Request) (result mcp.Result, err error) {
		err = h.o.Background.Try(background.Job{Work: "mcp"}, func() (err error) {
			result, err = next(ctx, method, r)
			return err
		})
		if errors.As(err, new(*background.Panic)) {
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Something broke on our side. Try again."}
		}
		return result, err
	}
}

// listedTools returns the tools that a client can use, in order.
func (h *Handler) listedTools(c *client) []*mcp.Tool {
	list := []*mcp.Tool{}
	for i := range tools {
		if c.canUse(&tools[i]) {
			list = append(list, tools[i].mcpTool())
		}
	}
	return list
}

// replyContents converts a reply to the protocol's form.
func replyContents(r *reply) []mcp.Content {
	list := []mcp.Content{&mcp.TextContent{Text: r.text()}}
	return append(list, r.more...)
}
