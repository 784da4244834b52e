package mcpserver

import (
	"strings"
	"testing"

	"robot.wtf/internal/pages"
)

// Each token has its own mark; only changes since "last" moves it.
func TestChangesSinceLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func(token string) string { w.T.Helper(); return w.ok(token, "changes", "since", "last") }
	if got := ask("ada/editor"); !strings.Contains(got, "you ask for the first time") {
		t.Error(got)
	}
	if got := ask("ada/editor"); !strings.HasPrefix(got, "0 changes by others since you last asked") {
		t.Error(got)
	}
	w.ok("ada/editor", "create_page", "path", "Mine", "content", "one", "message", "By me")
	w.save("ada", "ada", "Theirs", "x\n")
	w.save("ada", "ada", "Mine", "one\nmore\n")
	made := w.ok("ada/editor", "create_page", "path", "Undone", "content", "bad", "message", "To be undone")
	commit := strings.Fields(made[strings.Index(made, "commit "):])[1]
	_, err := w.Pages.Revert(t.Context(), w.Access("ada", "ada"), strings.TrimSuffix(commit, ","), pages.Write{})
	w.must(err)
	overview := w.ok("ada/editor", "wiki_overview")
	for _, want := range []string{"3 changes by others since you last asked", "To be undone", "Changed after you: Mine"} {
		if !strings.Contains(overview, want) {
			t.Errorf("the overview has no %q:\n%s", want, overview)
		}
	}
	got := ask("ada/editor")
	for _, want := range []string{"3 changes by others since you last asked", "Theirs new", "Of your changes, undone: ", "To be undone", "Changed after you: Mine"} {
		if !strings.Contains(got, want) {
			t.Errorf("the answer has no %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "By me") {
		t.Errorf("the agent's own change is listed:\n%s", got)
	}
	if got := ask("ada/editor"); !strings.HasPrefix(got, "0 changes by others") {
		t.Error(got)
	}
	if got := ask("ada/viewer"); !strings.Contains(got, "By me") {
		t.Errorf("another token has its own mark:\n%s", got)
	}
	w.save("ada", "ada", "A1", "x\n")
	w.save("ada", "ada", "A2", "x\n")
	if got := w.ok("ada/editor", "changes", "since", "last", "limit", 1); !strings.Contains(got, "A1 new") || !strings.Contains(got, "again.") {
		t.Errorf("cut: %s", got)
	}
	if got := ask("ada/editor"); !strings.Contains(got, "A2 new") || strings.Contains(got, "A1") {
		t.Errorf("the rest: %s", got)
	}
	w.fails("Leave out", "ada/editor", "changes", "since", "last", "path", "Mine")
}
