package mcpserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFastPathMatchesSDK: calls answered before the SDK get the SDK's
// answer, in every revision; unusual ones go to the SDK.
func TestFastPathMatchesSDK(t *testing.T) {
	t.Parallel()
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}%s}`
	call := func(params string) string {
		return `{"jsonrpc":"2.0","id":"a1","method":"tools/call","params":{"name":"read_page"` + params + `}}`
	}
	home := `,"arguments":{"path":"Home"}`
	modern := []string{"MCP-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "read_page"}
	for _, test := range []struct {
		name, body string
		headers    []string
		before     bool // answered before the SDK
	}{
		{"2025-11-25", call(home), nil, true},
		{"2025-06-18", call(home), []string{"MCP-Protocol-Version", "2025-06-18"}, true},
		{"no version", call(home), []string{"MCP-Protocol-Version", ""}, true},
		{"a number as id", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_page"` + home + `}}`, nil, true},
		{"with progress token", call(home + `,"_meta":{"progressToken":1}`), nil, true},
		{"a failure", call(`,"arguments":{"path":"Nowhere"}`), nil, true},
		{"no arguments", call(``), nil, true},
		{"null arguments", call(`,"arguments":null`), nil, false},
		{"JSON alone accepted", call(home), []string{"Accept", "application/json"}, true},
		{"anything accepted", call(home), []string{"Accept", "*/*"}, true},
		{"2026-07-28", call(home + "," + fmt.Sprintf(meta, "")), modern, true},
		{"2026-07-28 with a client", call(home + "," + fmt.Sprintf(meta, `,"io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"}`)), modern, true},
		{"2026-07-28, name in base64", call(home + "," + fmt.Sprintf(meta, "")), append(modern[:4:4], "Mcp-Name", "=?base64?cmVhZF9wYWdl?="), true},
		{"2026-07-28 without _meta", call(home), modern, false},
		{"2026-07-28, another name", call(home + "," + fmt.Sprintf(meta, "")), append(modern[:4:4], "Mcp-Name", "search"), false},
		{"2026-07-28 without headers", call(home + "," + fmt.Sprintf(meta, "")), modern[:2], false},
		{"_meta of a newer revision than the header", call(home + "," + fmt.Sprintf(meta, "")), nil, false},
		{"a revision of the future", call(home), []string{"MCP-Protocol-Version", "2099-01-01"}, false},
		{"a bad revision", call(home), []string{"MCP-Protocol-Version", "1"}, false},
		{"a batch", "[" + call(home) + "]", []string{"MCP-Protocol-Version", "2025-03-26"}, false},
		{"a batch too late", "[" + call(home) + "]", nil, false},
		{"no id", `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"read_page"}}`, nil, false},
		{"a null id", `{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"read_page"}}`, nil, false},
		{"no jsonrpc", `{"id":1,"method":"tools/call","params":{"name":"read_page"}}`, nil, false},
		{"an unknown tool", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nothing"}}`, nil, false},
		{"members in capitals", `{"jsonrpc":"2.0","id":1,"Method":"tools/call","params":{"name":"read_page"}}`, nil, false},
		{"arguments in a list", call(`,"arguments":[1]`), nil, false},
		{"text", call(home), []string{"Content-Type", "text/plain"}, false},
		{"HTML accepted", call(home), []string{"Accept", "text/html"}, false},
		{"a last event", call(home), []string{"Last-Event-ID", "1"}, false},
		{"no JSON", `{`, nil, false},
		{"nothing", ``, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			p := posted{token: "ada/editor", slug: "ada", body: test.body, headers: test.headers}
			first := w.post(p)
			used := false
			w.door.special = map[string]http.Handler{"ada": http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				used = true
				w.door.sdk.ServeHTTP(rw, r)
			})}
			second := w.post(p)
			if !used {
				t.Fatal("the SDK was not asked")
			}
			if first.StatusCode != second.StatusCode || first.Header.Get("Content-Type") != second.Header.Get("Content-Type") {
				t.Errorf("%s %s, the SDK: %s %s", first.Status, first.Header.Get("Content-Type"), second.Status, second.Header.Get("Content-Type"))
			}
			var a, b any
			if json.Unmarshal([]byte(first.text), &a) != nil || json.Unmarshal([]byte(second.text), &b) != nil {
				a, b = first.text, second.text
			}
			if diff := cmp.Diff(b, a); diff != "" {
				t.Error(diff)
			}
			if m := parseMessages([]byte(test.body)); len(m) == 1 {
				head := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {"2025-11-25"}}
				for i := 0; i < len(test.headers); i += 2 {
					head.Set(test.headers[i], test.headers[i+1])
				}
				normalizeHeaders(head)
				if before := m[0].plain && isID(m[0].id) && m[0].tool == "read_page" && m[0].method == "tools/call" && isStandardCall(head, &m[0]) && (m[0].params["arguments"] == nil || m[0].params["arguments"][0] == '{'); before != test.before {
					t.Errorf("answered before the SDK: %v", before)
				}
			}
		})
	}
}
