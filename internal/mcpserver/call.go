package mcpserver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A message is what we read of a JSON-RPC message before the SDK does.
type message struct {
	id     json.RawMessage
	method string
	params map[string]json.RawMessage
	tool   string // params.name
	plain  bool   // it has only the members of a request
}

// parseMessages parses the messages of a body, one or a batch. It returns
// none if the body isn't JSON. Member names are case-sensitive, as in the
// SDK.
func parseMessages(body []byte) []message {
	body = bytes.TrimSpace(body)
	var raw []json.RawMessage
	if len(body) > 0 && body[0] == '[' {
		if json.Unmarshal(body, &raw) != nil {
			return nil
		}
	} else {
		raw = []json.RawMessage{body}
	}
	var list []message
	for _, r := range raw {
		var members map[string]json.RawMessage
		if json.Unmarshal(r, &members) != nil {
			continue
		}
		m := message{id: members["id"], plain: len(raw) == 1 && body[0] == '{' && string(members["jsonrpc"]) == `"2.0"`}
		_ = json.Unmarshal(members["method"], &m.method)
		_ = json.Unmarshal(members["params"], &m.params)
		_ = json.Unmarshal(m.params["name"], &m.tool)
		list = append(list, m)
	}
	return list
}

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
	if t == nil || !c.canUse(t) || !m.plain || m.method != "tools/call" || !isID(m.id) || !isStandardCall(r.Header, m) {
		return false
	}
	arguments := m.params["arguments"]
	if len(arguments) > 0 && arguments[0] != '{' {
		return false
	}
	result := h.call(r.Context(), c, t, arguments)
	out := toolResult{Content: replyContents(result), IsError: result.failed}
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
	Content    []mcp.Content  `json:"content"`
	IsError    bool           `json:"isError,omitempty"`
	ResultType string         `json:"resultType,omitempty"`
	Meta       map[string]any `json:"_meta,omitempty"`
}

func isID(id json.RawMessage) bool {
	return len(id) > 0 && (id[0] == '"' || id[0] >= '0' && id[0] <= '9' && !bytes.ContainsAny(id, ".eE"))
}

// isStandardCall reports whether the headers and _meta are as the revision
// requires.
func isStandardCall(head http.Header, m *message) bool {
	if media, _, _ := strings.Cut(head.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return false
	}
	accept := head.Get("Accept")
	both := strings.Contains(accept, "application/json") && strings.Contains(accept, "text/event-stream")
	if !both && !strings.Contains(accept, "*/*") || len(head["Last-Event-Id"]) > 0 {
		return false
	}
	var meta map[string]json.RawMessage
	if raw := m.params["_meta"]; raw != nil && json.Unmarshal(raw, &meta) != nil {
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
