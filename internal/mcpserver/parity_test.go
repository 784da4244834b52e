package mcpserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFastPathMatchesSDK: calls answered before the SDK get the SDK's
// answer, in every revision; unusual ones go to the SDK, unless the reader
// refuses them.
func TestFastPathMatchesSDK(t *testing.T) {
	t.Parallel()
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}%s}`
	call := func(params string) string {
		return `{"jsonrpc":"2.0","id":"a1","method":"tools/call","params":{"name":"read_page"` + params + `}}`
	}
	home := `,"arguments":{"path":"Home"}`
	const before, bySDK, refused = "before the SDK", "by the SDK", "refused by the reader"
	modern := []string{"MCP-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "read_page"}
	for _, test := range []struct {
		name, body string
		headers    []string
		by         string
	}{
		{"2025-11-25", call(home), nil, before},
		{"2025-06-18", call(home), []string{"MCP-Protocol-Version", "2025-06-18"}, before},
		{"no version", call(home), []string{"MCP-Protocol-Version", ""}, before},
		{"a number as id", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_page"` + home + `}}`, nil, before},
		{"with progress token", call(home + `,"_meta":{"progressToken":1}`), nil, before},
		{"a failure", call(`,"arguments":{"path":"Nowhere"}`), nil, before},
		{"no arguments", call(``), nil, before},
		{"null arguments", call(`,"arguments":null`), nil, bySDK},
		{"JSON alone accepted", call(home), []string{"Accept", "application/json"}, before},
		{"anything accepted", call(home), []string{"Accept", "*/*"}, before},
		{"2026-07-28", call(home + "," + fmt.Sprintf(meta, "")), modern, before},
		{"2026-07-28 with a client", call(home + "," + fmt.Sprintf(meta, `,"io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"}`)), modern, before},
		{"2026-07-28, name in base64", call(home + "," + fmt.Sprintf(meta, "")), append(modern[:4:4], "Mcp-Name", "=?base64?cmVhZF9wYWdl?="), before},
		{"2026-07-28 without _meta", call(home), modern, bySDK},
		{"2026-07-28, another name", call(home + "," + fmt.Sprintf(meta, "")), append(modern[:4:4], "Mcp-Name", "search"), bySDK},
		{"2026-07-28 without headers", call(home + "," + fmt.Sprintf(meta, "")), modern[:2], bySDK},
		{"_meta of a newer revision than the header", call(home + "," + fmt.Sprintf(meta, "")), nil, bySDK},
		{"a revision of the future", call(home), []string{"MCP-Protocol-Version", "2099-01-01"}, bySDK},
		{"a bad revision", call(home), []string{"MCP-Protocol-Version", "1"}, bySDK},
		{"a batch", "[" + call(home) + "]", []string{"MCP-Protocol-Version", "2025-03-26"}, bySDK},
		{"a batch too late", "[" + call(home) + "]", nil, refused},
		{"no id", `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"read_page"}}`, nil, bySDK},
		{"a null id", `{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"read_page"}}`, nil, refused},
		{"no jsonrpc", `{"id":1,"method":"tools/call","params":{"name":"read_page"}}`, nil, refused},
		{"an unknown tool", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nothing"}}`, nil, bySDK},
		{"members in capitals", `{"jsonrpc":"2.0","id":1,"Method":"tools/call","params":{"name":"read_page"}}`, nil, refused},
		{"arguments in a list", call(`,"arguments":[1]`), nil, bySDK},
		{"text", call(home), []string{"Content-Type", "text/plain"}, bySDK},
		{"HTML accepted", call(home), []string{"Accept", "text/html"}, bySDK},
		{"a last event", call(home), []string{"Last-Event-ID", "1"}, bySDK},
		{"no JSON", `{`, nil, refused},
		{"nothing", ``, nil, refused},
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
			if used != (test.by != refused) {
				t.Fatalf("the SDK was asked: %v", used)
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
			head := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {"2025-11-25"}}
			for i := 0; i < len(test.headers); i += 2 {
				head.Set(test.headers[i], test.headers[i+1])
			}
			m, batch, err := readMessages([]byte(test.body), head.Get("Mcp-Protocol-Version"))
			if (err != nil) != (test.by == refused) {
				t.Fatalf("read: %v", err)
			}
			normalizeHeaders(head)
			if own := err == nil && !batch && m[0].tool == "read_page" && isStandardCall(head, &m[0]); own != (test.by == before) {
				t.Errorf("answered before the SDK: %v", own)
			}
		})
	}
}
