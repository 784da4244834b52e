// Package mcpserver is the agents' door of a wiki: the Model Context Protocol
// at /mcp on the wiki's host, revision 2026-07-28 and, at the same address,
// those from 2025-03-26 on, by streamable HTTP without sessions.
//
// Every call names who makes it: a bearer token of the wiki, also where the
// wiki is public. Tools are uses of pages and nothing else, under the access of
// the token; what an agent says of itself counts for nothing. Answers are text,
// once: a line that says what it is, then the wiki's own text, which stands in a
// fence where people wrote it who are not members.
//
// The SDK speaks the protocol. Well-formed calls of tools, nearly all that comes,
// are answered before it (see call.go).
package mcpserver

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/session"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// Options of a Handler.
type Options struct {
	Pages      *pages.Service
	Tenant     *tenant.Service
	Session    *session.Service
	WikiOrigin func(slug string) string
	Limits     *limit.Limiter // nil for none
	Version    string         // of the service, "dev" when empty
	Now        func() time.Time
	Log        *slog.Logger
}

// A Handler serves agents. It is safe for concurrent use.
type Handler struct {
	o     Options
	tools map[string]*tool
	sdk   *mcp.StreamableHTTPHandler

	uploads uploads
	// special are wikis that another server answers for: none but in tests, where
	// the conformance suite wants tools that no wiki has.
	special map[string]http.Handler
}

// New makes a Handler.
func New(o Options) *Handler {
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	h := &Handler{o: o, tools: map[string]*tool{}}
	for i := range tools {
		h.tools[tools[i].name] = &tools[i]
	}
	server := h.newServer()
	h.sdk = newTransport(func(*http.Request) *mcp.Server { return server })
	return h
}

// A client is who is calling, and where.
type client struct {
	access wiki.Access
	origin string // of the wiki's host
	id     string // of the JSON-RPC request, "" in a batch

	authorization string // the header, for addresses that stand for it
}

// may reports whether a tool is there for the client.
func (c *client) may(t *tool) bool { return c.access.Can(t.action) && c.knows(t) }

// knows reports whether a tool is for the client's program.
func (c *client) knows(t *tool) bool { return strings.HasPrefix(c.access.Caller().Client, t.client) }
