package mcpserver

import (
	"strings"
	"testing"
)

func TestEditPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Plan", "# Plan\n\n## Tasks\n\n- one\n\n## Notes\n\nA note.\n")
	got := w.ok("ada/editor", "edit_page", `{"path":"plan","edits":[{"op":"append","section":"Tasks","text":"- two"}]}`)
	if !strings.Contains(got, "Edited Plan @") || !strings.Contains(got, "+- two\n") || w.source("ada", "Plan") != "# Plan\n\n## Tasks\n\n- one\n- two\n\n## Notes\n\nA note.\n" {
		t.Errorf("%s\n%s", got, w.source("ada", "Plan"))
	}
	w.fails("requires the revision", "ada/editor", "edit_page", `{"path":"Plan","edits":[{"op":"replace_section","section":"Notes","text":"x"}]}`)
	w.fails(`already exists`, "ada/editor", "create_page", "path", "PLAN", "content", "x")
	w.fails("Similar: Plan", "ada/editor", "read_page", "path", "Plans")
}
