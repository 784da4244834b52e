package mcpserver

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// TestToolTokenBudget checks the token count in bench/mcp.md against its
// limits, and that it was counted for the current tools.
func TestToolTokenBudget(t *testing.T) {
	raw, err := os.ReadFile("../../bench/mcp.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`Tool list: ([\d,]+) tokens for all 16 \(name, description, schema; ([\d,]+) bytes\), ([\d,]+) for the 9 that only read`).FindStringSubmatch(string(raw))
	if m == nil {
		t.Fatal("bench/mcp.md has no count")
	}
	number := func(text string) int {
		n, err := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if all, reading := number(m[1]), number(m[3]); all > 2000 || reading > 1150 {
		t.Errorf("%d tokens, %d for reading", all, reading)
	}
	var list []string
	for i := range tools {
		if tools[i].client == "" {
			list = append(list, `{"name":`+jsonString(tools[i].name)+`,"description":`+jsonString(tools[i].description)+`,"inputSchema":`+string(tools[i].schema())+`}`)
		}
	}
	text := "[" + strings.Join(list, ",") + "]"
	if !json.Valid([]byte(text)) || runeCount(text) != number(m[2]) {
		t.Errorf("the list has %d bytes, but %s were counted: run e2e/mcp/cost.mjs --write", runeCount(text), m[2])
	}
}

// Some providers refuse the whole list if one enum has no type, and a model has to learn
// from the list how to remove a key.
func TestSchemasAreComplete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.post(posted{token: "ada/editor", slug: "ada", body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`})
	var list struct {
		Result struct{ Tools []struct{ InputSchema any } }
	}
	w.must(json.Unmarshal([]byte(a.text), &list))
	enums := 0
	var check func(any)
	check = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, v := range node {
				check(v)
			}
		case map[string]any:
			if _, isEnum := node["enum"].([]any); isEnum {
				if enums++; node["type"] != "string" {
					t.Errorf("an enum without a type: %v", node)
				}
			}
			for _, v := range node {
				check(v)
			}
		}
	}
	for _, tool := range list.Result.Tools {
		check(tool.InputSchema)
	}
	if enums != 4 {
		t.Errorf("%d enums: %s", enums, a.text)
	}
	if !strings.Contains(a.text, "no value removes the key") {
		t.Error("the schema doesn't say how to remove a key")
	}
}

func TestFetchIsForChatGPT(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	offered := func(id string) bool {
		caller := wiki.Caller{User: testworld.Person("bob"), Client: id, Grant: "g", Agent: "x", Wiki: "ada"}
		a, err := w.Tenant.Resolve(w.T.Context(), "ada", caller)
		w.must(err)
		for _, tool := range w.door.listedTools(&client{access: a}) {
			if tool.Name == "fetch" {
				r := w.door.call(w.T.Context(), &client{access: a}, w.door.tools["fetch"], []byte(`{"id":"Home"}`))
				return !r.failed && strings.HasPrefix(r.text(), "Home @")
			}
		}
		return false
	}
	if !offered("https://chatgpt.com/oauth/client.json") || offered("token") || offered("https://claude.ai/oauth/mcp-oauth-client-metadata") {
		t.Error("fetch is for ChatGPT alone")
	}
	a := w.post(posted{token: "ada/editor", slug: "ada", body: callBody(1, "fetch", "id", "Home")})
	if a.result.Error == nil || !strings.Contains(a.result.Error.Message, "unknown tool") {
		t.Errorf("%s %s", a.Status, a.text)
	}
}
