package mcpserver

import (
	"os"
	"strings"
	"testing"
)

// Every tool, parameter, prompt and operation is named in docs/mcp.md.
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
		if cells := strings.Split(row, "|"); strings.TrimSpace(cells[2]) != strings.Join(tools[i].names(), ", ") {
			t.Errorf("docs/mcp.md says %s takes %s; it takes %s", tools[i].name, cells[2], strings.Join(tools[i].names(), ", "))
		}
	}
	for _, word := range []string{"`" + orient + "`", "`" + writeUp + "`", "replace_section", "append", "prepend", "insert_after", "set_meta"} {
		if !strings.Contains(docs, word) {
			t.Errorf("docs/mcp.md does not name %s", word)
		}
	}
}
