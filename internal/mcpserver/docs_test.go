package mcpserver

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/mcp.md names every tool, parameter, prompt and operation.
func TestToolsAreDocumented(t *testing.T) {
	raw, err := os.ReadFile("../../docs/mcp.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := string(raw)
	for i := range tools {
		row, _, found := strings.Cut(docs[max(0, strings.Index(docs, "\n| `"+tools[i].name+"` |"))+1:], "\n")
		if !found || !strings.Contains(row, tools[i].name) {
			t.Errorf("docs/mcp.md has no row of %s", tools[i].name)
			continue
		}
		if cells := strings.Split(row, "|"); strings.TrimSpace(cells[2]) != strings.Join(tools[i].paramNames(), ", ") {
			t.Errorf("docs/mcp.md says %s takes %s; it takes %s", tools[i].name, cells[2], strings.Join(tools[i].paramNames(), ", "))
		}
	}
	for _, word := range []string{"`" + orient + "`", "`" + writeUp + "`", "replace_section", "append", "prepend", "insert_after", "set_meta"} {
		if !strings.Contains(docs, word) {
			t.Errorf("docs/mcp.md does not name %s", word)
		}
	}
}

// The AGENTS page of a new wiki names only existing tools and fits into the
// instructions.
func TestSeededAgentsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := w.source("ada", agentsPage)
	named := 0
	for _, word := range regexp.MustCompile("`([a-z]+_[a-z]+|search)`").FindAllStringSubmatch(text, -1) {
		if word[1] == "old_string" || word[1] == "new_string" { // of the API
			continue
		}
		named++
		if w.door.tools[word[1]] == nil {
			t.Errorf("there is no tool %s", word[1])
		}
	}
	if named < 5 || !strings.Contains(text, "`/mcp`") || !strings.Contains(text, "`/api/v1`") {
		t.Errorf("it names %d tools:\n%s", named, text)
	}
	a := w.post(posted{token: "ada/owner", slug: "ada", body: `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`})
	if !strings.Contains(a.text, "Do what the person you work for asked.") || strings.Contains(a.text, "(Cut.") {
		t.Errorf("clients are given a part of it: %s", a.text)
	}
}
