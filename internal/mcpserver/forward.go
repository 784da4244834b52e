package mcpserver

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// The SDK answers everything but tool calls, except where it fails clients:
//   - It stores a number as an int64 that it read as a float64. Ids that this
//     changes are replaced by a placeholder on the way to the SDK and put back on the
//     way to the client, who would not recognize its own id otherwise.
//   - Up to revision 2025-11-25 it answers an unknown method with plain text. It
//     doesn't receive those messages: we answer the requests, and ignore the
//     notifications (JSON-RPC 2.0, section 4.1).

// methods are those that the SDK handles.
var methods = []string{
	"completion/complete", "initialize", "logging/setLevel", "ping", "prompts/get", "prompts/list", "resources/list", "resources/read",
	"resources/subscribe", "resources/templates/list", "resources/unsubscribe", "server/discover", "subscriptions/listen", "tools/call", "tools/list",
	"notifications/cancelled", "notifications/initialized", "notifications/progress", "notifications/roots/list_changed",
}

// isKnown reports whether the SDK handles a message. Responses have no method.
func (m *message) isKnown() bool { return m.method == "" || slices.Contains(methods, m.method) }

// maxSafeID is the largest number up to which a float64 holds every integer.
const maxSafeID = 1<<53 - 1

// isSafeID reports whether the SDK returns an id unchanged.
func isSafeID(id json.RawMessage) bool {
	if id == nil || id[0] == '"' {
		return true
	}
	n, err := strconv.ParseInt(string(id), 10, 64)
	return err == nil && -maxSafeID <= n && n <= maxSafeID && string(id) != "-0"
}

// withID returns the message with another id.
func (m *message) withID(id string) []byte {
	return slices.Concat(m.raw[:m.idEnd-len(m.id)], []byte(id), m.raw[m.idEnd:])
}

// A forwarded request is the part of a request that the SDK gets, and what its
// response lacks.
type forwarded struct {
	messages [][]byte
	ids      []string   // placeholders, each followed by the original id
	refused  []rpcError // responses to unknown methods
}

// forward splits a request. It reports whether the SDK can get it as it is.
func forward(messages []message) (f forwarded, unchanged bool) {
	if !slices.ContainsFunc(messages, func(m message) bool { return !m.isKnown() || !isSafeID(m.id) }) {
		return f, true
	}
	for i := range messages {
		switch m := &messages[i]; {
		case !m.isKnown() && m.id != nil:
			f.refused = append(f.refused, newRPCError(m.id, jsonrpc.CodeMethodNotFound, fmt.Sprintf("This server has no method %q.", truncate(singleLine(m.method), 60))))
		case !m.isKnown():
		case isSafeID(m.id):
			f.messages = append(f.messages, m.raw)
		default:
			placeholder := `"` + rand.Text() + `"`
			f.ids = append(f.ids, placeholder, string(m.id))
			f.messages = append(f.messages, m.withID(placeholder))
		}
	}
	return f, false
}

// serveForwarded lets next answer its part of a request, and completes the response.
func serveForwarded(w http.ResponseWriter, r *http.Request, next http.Handler, f forwarded, batch bool) {
	held := &heldResponse{ResponseWriter: w, status: http.StatusAccepted}
	if len(f.messages) > 0 {
		body := bytes.Join(f.messages, []byte(","))
		if batch {
			body = slices.Concat([]byte("["), body, []byte("]"))
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		held.status = http.StatusOK
		next.ServeHTTP(held, r)
	}
	answered := strings.NewReplacer(f.ids...).Replace(held.body.String())
	if len(f.refused) == 0 || held.status >= http.StatusBadRequest {
		w.Header().Del("Content-Length")
		w.WriteHeader(held.status)
		_, _ = io.WriteString(w, answered)
		return
	}
	switch {
	case !batch && r.Header.Get("Mcp-Protocol-Version") >= stateless: // transports, "Sending Messages"
		writeJSON(w, http.StatusNotFound, f.refused[0])
	case !batch:
		writeJSON(w, http.StatusOK, f.refused[0])
	default:
		writeJSON(w, http.StatusOK, f.addRefused(answered))
	}
}

// addRefused adds the responses to unknown methods to what the SDK answered: an
// array, one response or nothing.
func (f *forwarded) addRefused(answered string) []json.RawMessage {
	var list []json.RawMessage
	if answered = strings.TrimSpace(answered); answered != "" && json.Unmarshal([]byte(answered), &list) != nil {
		list = []json.RawMessage{json.RawMessage(answered)}
	}
	for _, e := range f.refused {
		raw, _ := json.Marshal(e) // can't fail: texts, a number and raw JSON
		list = append(list, raw)
	}
	return list
}

// A heldResponse holds a response back.
type heldResponse struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (h *heldResponse) WriteHeader(status int)         { h.status = status }
func (h *heldResponse) Write(data []byte) (int, error) { return h.body.Write(data) }
func (h *heldResponse) Flush()                         {}
