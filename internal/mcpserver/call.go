package mcpserver

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type ctx = context.Context

// A message is what can be seen of a JSON-RPC message without the SDK.
type message struct {
	id     json.RawMessage
	method string
	params map[string]json.RawMessage
	tool   string // params.name
	plain  bool   // there is nothing but what a request has
}

// peek reads the messages of a body, one or a batch; none where it is not JSON.
// Names of members count as they are written, as they do to the SDK.
func peek(body []byte) []message {
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

// normalise mends what clients send and the SDK does not take: an Accept of
// JSON alone, and a name in base64 (MCP 2026-07-28, transports, "Value
// encoding").
func normalise(head http.Header) {
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

// The members of _meta that revision 2026-07-28 wants in each request.
const (
	metaVersion      = "io.modelcontextprotocol/protocolVersion"
	metaCapabilities = "io.modelcontextprotocol/clientCapabilities"
	metaClient       = "io.modelcontextprotocol/clientInfo"
	metaServer       = "io.modelcontextprotocol/serverInfo"
	stateless        = "2026-07-28" // the revision from which these hold
)

// answer answers a well-formed call of a tool, and says whether it did. The SDK
// would do the same, but makes a decoder of 32 KiB for each piece of JSON that
// it looks at: nine tenths of all that such a call allocates. Whatever is odd in
// any way is left to it, so that it is refused in its words.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, c *client, m *message) bool {
	t := h.tools[m.tool]
	if t == nil || !c.may(t) || !m.plain || m.method != "tools/call" || !isID(m.id) || !sound(r.Header, m) {
		return false
	}
	arguments := m.params["arguments"]
	if len(arguments) > 0 && arguments[0] != '{' {
		return false
	}
	result := h.call(r.Context(), c, t, arguments)
	out := toolResult{Content: contents(result), IsError: result.failed}
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

// sound reports that headers and _meta are what a revision wants.
func sound(head http.Header, m *message) bool {
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
