package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

const (
	mcpPath = "/mcp"
	// maxBody fits a page of 1 MiB if JSON escapes every byte with six.
	maxBody = 8 << 20
)

// ServeWiki handles /mcp and one-time upload addresses on a wiki's host. The
// wiki might not exist.
func (h *Handler) ServeWiki(w http.ResponseWriter, r *http.Request, slug string) {
	head := w.Header()
	head.Set("Access-Control-Allow-Origin", "*")
	head.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After")
	head.Set("Cache-Control", "no-store")
	switch {
	case !isAllowedOrigin(r):
		writeError(w, http.StatusForbidden, "This origin is not allowed. Web clients must use https, run on this machine, or be an extension.")
	case strings.HasPrefix(r.URL.Path, uploadPath) && (r.Method == http.MethodPut || r.Method == http.MethodPost):
		h.serveUpload(w, r, slug)
	case strings.TrimSuffix(r.URL.Path, "/") != mcpPath:
		writeError(w, http.StatusNotFound, "The MCP endpoint of this wiki is "+h.o.Session.Origin(r, slug)+mcpPath+".")
	case r.Method == http.MethodOptions:
		head.Set("Access-Control-Allow-Methods", "POST, OPTIONS")
		head.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, Last-Event-ID")
		head.Set("Access-Control-Max-Age", "7200")
		w.WriteHeader(http.StatusNoContent)
	default:
		h.serve(w, r, slug)
	}
}

// extensionSchemes are those of browser extensions, editors and desktop apps. No
// web page has such an origin.
var extensionSchemes = []string{"chrome-extension", "moz-extension", "safari-web-extension", "vscode-webview", "vscode-file", "app", "tauri", "capacitor"}

// isAllowedOrigin reports whether a web page of a request's origin can send it:
// of this host, any https origin, the user's own machine, or an extension. We
// read no cookies, so a page has only the token its user gave it; the protocol
// requires the check against DNS rebinding (MCP 2026-07-28, transports). Sandboxed
// pages and files have the origin "null" and need a token.
func isAllowedOrigin(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return true
	}
	if len(origins) == 1 && origins[0] == "null" {
		asked := strings.ToLower(r.Header.Get("Access-Control-Request-Headers"))
		return strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") || r.Method == http.MethodOptions && strings.Contains(asked, "authorization")
	}
	u, err := url.Parse(origins[0])
	if len(origins) > 1 || err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" {
		return false
	}
	if u.Scheme == "https" || strings.EqualFold(u.Host, r.Host) || slices.Contains(extensionSchemes, u.Scheme) {
		return true
	}
	name := u.Hostname()
	ip := net.ParseIP(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || ip != nil && ip.IsLoopback()
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, slug string) {
	seen := &recordingWriter{ResponseWriter: w, Request: session.Request{Method: r.Method, Path: r.URL.Path}}
	defer func() {
		seen.Request.Status = seen.status
		h.o.Session.Note(r.Context(), slug, seen.Request)
	}()
	w = seen
	c, err := h.authenticate(r, slug)
	if err != nil {
		seen.Cause = session.CauseOf(err)
		h.refuseCaller(w, r, slug, err)
		return
	}
	seen.Agent = c.access.Caller().Agent
	if err := h.chargeLimit(c, slug, false); err != nil { // before the body is read
		seen.Cause = session.TooFast
		h.refuseMessage(w, c, message{}, err)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST, OPTIONS")
		writeError(w, http.StatusMethodNotAllowed, "MCP requests must use POST.")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if status := wiki.Status(err); status == http.StatusRequestEntityTooLarge {
			writeError(w, status, "The request is too large.")
		} else {
			writeError(w, http.StatusBadRequest, "The request is incomplete.")
		}
		return
	}
	parsing, err := h.o.Pages.AcquireLarge(r.Context(), c.access, len(body))
	if err != nil {
		return // the client is gone
	}
	messages, batch, err := readMessages(body, r.Header.Get("Mcp-Protocol-Version"))
	parsing()
	if err != nil {
		writeMessageError(w, err)
		return
	}
	if !batch {
		c.id = string(messages[0].id)
	}
	if !h.countMessages(w, seen, c, slug, messages) {
		return
	}
	normalizeHeaders(r.Header)
	if h.special[slug] == nil && !batch && h.answerToolCall(w, r, c, &messages[0]) {
		return
	}
	h.passOn(w, r, c, slug, body, messages, batch)
}

// countMessages takes the rate-limit tokens of a request's messages: the request's
// own token counts the first message, and each other one takes a token. Calls
// that change something take a write's token too. It reports whether all can be
// executed; if not, it has responded, and none is.
func (h *Handler) countMessages(w http.ResponseWriter, seen *recordingWriter, c *client, slug string, messages []message) bool {
	for i, m := range messages {
		t := h.tools[m.tool]
		if !m.isCall() {
			t = nil
		}
		if t != nil {
			seen.Tool = m.tool
		}
		var err error
		if i > 0 {
			err = h.chargeLimit(c, slug, false)
		}
		if err == nil && t != nil && t.action != wiki.Read {
			err = h.chargeLimit(c, slug, true)
		}
		if err != nil {
			seen.Cause = session.TooFast
			h.refuseMessage(w, c, m, err)
			return false
		}
		if t != nil && !c.access.Can(t.action) {
			seen.Cause = session.ReadOnly
			h.refuseMessage(w, c, m, c.access.Allow(t.action))
			return false
		}
		c.count(t)
	}
	return true
}

// passOn lets the SDK answer a request, from the same bytes if it can. The SDK parses a
// large one in its wiki's turn, which ends before the first message is executed.
func (h *Handler) passOn(w http.ResponseWriter, r *http.Request, c *client, slug string, body []byte, messages []message, batch bool) {
	parsing, err := h.o.Pages.AcquireLarge(r.Context(), c.access, len(body))
	if err != nil {
		return // the client is gone
	}
	c.endParsing = sync.OnceFunc(parsing)
	defer c.endParsing()
	next := h.withClient(c)(h.transport(slug))
	f, unchanged := forward(messages)
	if !unchanged {
		serveForwarded(w, r, next, f, batch)
		return
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	next.ServeHTTP(w, r)
}

func (h *Handler) transport(slug string) http.Handler {
	if other := h.special[slug]; other != nil {
		return other
	}
	return h.sdk
}

// A recordingWriter records a request and its status for the connect page.
type recordingWriter struct {
	http.ResponseWriter
	session.Request
	status int
}

func (n *recordingWriter) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

func (n *recordingWriter) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// withClient passes the client to the SDK's handlers as token info, which is
// the only way the SDK provides.
func (h *Handler) withClient(c *client) func(http.Handler) http.Handler {
	verified := &auth.TokenInfo{Extra: map[string]any{clientKey: c}}
	return auth.RequireBearerToken(func(_ context.Context, _ string, _ *http.Request) (*auth.TokenInfo, error) {
		return verified, nil
	}, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})
}

const clientKey = "client"

// authenticate returns the client of a request. Public wikis require a token
// too: clients start to sign in only after a 401.
func (h *Handler) authenticate(r *http.Request, slug string) (*client, error) {
	caller, err := h.o.Session.Bearer(r, slug)
	if err == nil && caller.Anonymous() {
		err = session.Refuse(session.NoToken, errNoToken)
	}
	var access wiki.Access
	if err == nil {
		if access, err = h.o.Tenant.Resolve(r.Context(), slug, caller); errors.Is(err, wiki.ErrNotFound) {
			err = session.Refuse(session.NoMember, err)
		}
	}
	if err != nil {
		if tooFast := h.o.Limits.Take(limit.Request{Wiki: slug, Caller: limit.Address(r.RemoteAddr)}); tooFast != nil {
			return nil, tooFast
		}
		return nil, err
	}
	return &client{access: access, origin: h.o.Session.Origin(r, slug), home: h.o.Session.Home(r.Context(), slug), authorization: r.Header.Get("Authorization")}, nil
}

var errNoToken = wiki.Problemf(wiki.ErrDenied, "", "This wiki requires a token: sign in, or send Authorization: Bearer rwtf_….")

// chargeLimit charges a request, or a call that writes, to the token's rate
// limit.
func (h *Handler) chargeLimit(c *client, slug string, write bool) error {
	caller := c.access.Caller()
	return h.o.Limits.Take(limit.Request{
		Wiki: slug, Caller: limit.Token(caller.Grant), Member: c.access.Role() >= wiki.Viewer, Write: write,
	})
}

// refuseCaller responds to a caller that wasn't authenticated.
func (h *Handler) refuseCaller(w http.ResponseWriter, r *http.Request, slug string, err error) {
	var tooFast *limit.Exceeded
	switch {
	case errors.As(err, &tooFast):
		w.Header().Set("Retry-After", tooFast.RetryAfter())
		writeError(w, wiki.Status(err), tooFast.Error())
	case errors.Is(err, wiki.ErrDenied), errors.Is(err, wiki.ErrNotFound):
		// A private wiki looks the same as a missing one.
		says := errNoToken.Error()
		var token error
		if r.Header.Get("Authorization") != "" {
			token, says = err, "This token is not valid for this wiki: "+err.Error()
		}
		w.Header().Set("WWW-Authenticate", h.o.Session.Challenge(h.o.Session.Origin(r, slug), token))
		writeError(w, http.StatusUnauthorized, says)
	default:
		h.o.Log.ErrorContext(r.Context(), "authenticating an agent failed", "wiki", slug, "err", err)
		writeError(w, wiki.Status(err), internalErrorText)
	}
}

// refuseMessage responds to a message that the caller can't send, or not
// yet.
func (h *Handler) refuseMessage(w http.ResponseWriter, c *client, m message, err error) {
	status, code := wiki.Status(err), codeDenied
	var tooFast *limit.Exceeded
	if errors.As(err, &tooFast) {
		w.Header().Set("Retry-After", tooFast.RetryAfter())
		code = codeTooFast
	} else { // RFC 6750, section 3.1
		w.Header().Set("WWW-Authenticate", h.o.Session.Challenge(c.origin, nil)+`, error="insufficient_scope"`)
	}
	writeRPCError(w, status, m.id, code, err.Error())
}

// writeRPCError writes a JSON-RPC error. The id is null if it isn't known
// (JSON-RPC 2.0, section 5).
func writeRPCError(w http.ResponseWriter, status int, id json.RawMessage, code int, says string) {
	writeJSON(w, status, newRPCError(id, code, says))
}

// An rpcError is a JSON-RPC response with an error.
type rpcError struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"` // null if it isn't known
	Error   rpcFault        `json:"error"`
}

type rpcFault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func newRPCError(id json.RawMessage, code int, says string) rpcError {
	return rpcError{Version: "2.0", ID: id, Error: rpcFault{code, says}}
}

// Our own codes, outside the range that JSON-RPC reserves (section 5.1).
const (
	codeDenied  = 403
	codeTooFast = 429
)

// writeError writes an error outside JSON-RPC.
func writeError(w http.ResponseWriter, status int, says string) {
	writeJSON(w, status, map[string]string{"error": http.StatusText(status), "error_description": says})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // can't fail: strings, numbers and raw JSON
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}
