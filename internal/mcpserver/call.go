package mcpserver

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// normalizeHeaders fixes headers that clients send and the SDK rejects: an
// Accept of JSON only, and a base64 name (MCP 2026-07-28, transports, "Value
// encoding").
func normalizeHeaders(head http.Header) {
	accept := strings.Join(head.Values("Accept"), ",")
	if accept == "" || strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/event-stream") {
		head.Set("Accept", "application/json, text/event-stream")
	}
	if encoded, ok := strings.CutPrefix(head.Get("Mcp-Name"), "=?base64?"); ok {
		if name, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(encoded, "?=")); err == nil && strings.HasSuffix(encoded, "?=") {
			head.Set("Mcp-Name", string(name))
		}
	}
}

// Members of _meta that revision 2026-07-28 requires in each request.
const (
	metaVersion      = "io.modelcontextprotocol/protocolVersion"
	metaCapabilities = "io.modelcontextprotocol/clientCapabilities"
	metaClient       = "io.modelcontextprotocol/clientInfo"
	metaServer       = "io.modelcontextprotocol/serverInfo"
	stateless        = "2026-07-28" // the first revision that requires them
)

// answerToolCall answers a standard tool call and reports whether it did.
// The SDK would give the same answer, but allocates a 32 KiB decoder for
// each piece of JSON: 90 % of a call's allocations. Anything unusual is left
// to the SDK, which rejects it in its own words.
func (h *Handler) answerToolCall(w http.ResponseWriter, r *http.Request, c *client, m *message) bool {
	t := h.tools[m.tool]
	if t == nil || !c.canUse(t) || !isStandardCall(r.Header, m) {
		return false
	}
	result := h.execute(r.Context(), c, t, m.arguments)
	out := toolResult{Content: []any{textContent{"text", result.text()}}, IsError: result.failed}
	for _, other := range result.more {
		out.Content = append(out.Content, other)
	}
	if r.Header.Get("Mcp-Protocol-Version") >= stateless {
		out.ResultType, out.Meta = "complete", map[string]any{metaServer: h.implementation()}
	}
	writeJSON(w, http.StatusOK, response{"2.0", m.id, out})
	return true
}

type response struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  toolResult      `json:"result"`
}

type toolResult struct {
	Content    []any          `json:"content"`
	IsError    bool           `json:"isError,omitempty"`
	ResultType string         `json:"resultType,omitempty"`
	Meta       map[string]any `json:"_meta,omitempty"`
}

// textContent is mcp.TextContent without its encoder, which makes copies.
type textContent struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// isStandardCall reports whether a message is a tool call whose headers and _meta
// are as the revision requires.
func isStandardCall(head http.Header, m *message) bool {
	if !m.isCall() || m.id == nil || m.arguments != nil && m.arguments[0] != '{' {
		return false
	}
	if media, _, _ := strings.Cut(head.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return false
	}
	accept := head.Get("Accept")
	both := strings.Contains(accept, "application/json") && strings.Contains(accept, "text/event-stream")
	if !both && !strings.Contains(accept, "*/*") || len(head["Last-Event-Id"]) > 0 {
		return false
	}
	var meta map[string]json.RawMessage
	if m.meta != nil && json.Unmarshal(m.meta, &meta) != nil {
		return false
	}
	version := head.Get("Mcp-Protocol-Version")
	if version < stateless {
		return meta[metaVersion] == nil && (version == "" || slices.Contains(mcp.SupportedProtocolVersions(), version))
	}
	if version != stateless || string(meta[metaVersion]) != `"`+version+`"` {
		return false
	}
	var capabilities map[string]json.RawMessage
	if json.Unmarshal(meta[metaCapabilities], &capabilities) != nil || capabilities == nil {
		return false
	}
	if info := meta[metaClient]; info != nil {
		var known mcp.Implementation
		if json.Unmarshal(info, &known) != nil {
			return false
		}
	}
	return head.Get("Mcp-Method") == m.method && head.Get("Mcp-Name") == m.tool
}
