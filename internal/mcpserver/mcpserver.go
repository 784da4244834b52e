// Package mcpserver is a wiki's front end for agents: the Model Context
// Protocol at /mcp on the wiki's host, revision 2026-07-28 and, at the same
// address, those since 2025-03-26, over streamable HTTP without sessions.
//
// Invariants: Every call has a bearer token of the wiki, even if the wiki is
// public. Tools only call package pages, with the token's access; nothing
// that an agent says about itself counts. A reply is text: a line that
// describes it, then the wiki's own text. Words by people who aren't members
// appear only inside a fence, wherever they are from (see words.go).
//
// The SDK implements the protocol. Standard tool calls, nearly all requests,
// are answered before it (see call.go).
package mcpserver

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"robot.wtf/internal/background"
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
	Limits     *limit.Limiter // nil for no limits
	Name       string         // of the service; "" means "robot.wtf"
	Version    string         // of the service; "" means "dev"
	Now        func() time.Time
	Background *background.Workers // reports panics; nil only recovers from them
	Log        *slog.Logger
}

// A Handler serves agents. It is safe for concurrent use.
type Handler struct {
	o     Options
	tools map[string]*tool
	sdk   *mcp.StreamableHTTPHandler

	uploads uploads
	// special maps wikis to other servers. Only tests use it: the
	// conformance suite requires tools that no wiki has.
	special map[string]http.Handler
}

// New returns a Handler.
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

// A client is the caller of a request, with the wiki's origin.
type client struct {
	access wiki.Access
	origin string // of the host of the wiki that the request was sent to
	home   string // origin where people read the wiki; the same unless it has an own domain
	id     string // of the JSON-RPC request; "" in a batch

	authorization string // the header, to authorize upload addresses

	endParsing func() // ends the turn in which the SDK parses a large request; idempotent

	// Messages and calls that were counted and not yet executed.
	messages, reads, writes atomic.Int32
}

// count adds a message that the rate limits counted, and the tool it calls or nil.
func (c *client) count(t *tool) {
	c.messages.Add(1)
	if t != nil {
		c.calls(t).Add(1)
	}
}

func (c *client) calls(t *tool) *atomic.Int32 {
	if t.action == wiki.Read {
		return &c.reads
	}
	return &c.writes
}

// errNotCounted means that the SDK found a message where readMessages found none.
var errNotCounted = errors.New("mcpserver: the message wasn't counted")

// canUse reports whether a client can use a tool.
func (c *client) canUse(t *tool) bool { return c.access.Can(t.action) && c.isForClient(t) }

// isForClient reports whether a tool is for the client's program.
func (c *client) isForClient(t *tool) bool {
	return strings.HasPrefix(c.access.Caller().Client, t.client)
}
