package mcpserver

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var anyRevision = regexp.MustCompile(`@?\b[0-9a-f]{7,40}\b(?:~\d+(?:-\d+)?)?`)

// diary is a page of three sections, whose second no call of TestCredit shows.
func diary(first, last string) string {
	var b strings.Builder
	b.WriteString("# Diary\n\n## First\n\n" + first + "\n\n## Middle\n\n")
	for i := range 40 {
		fmt.Fprintf(&b, "Unread line %d.\n", i)
	}
	b.WriteString("\n## Last\n\n" + last + "\n")
	return b.String()
}

// A creditWalk calls tools about a page whose second section no answer shows.
type creditWalk struct {
	*world
	page   string
	called map[string]bool
}

// Attack: a refused undo named the page's revision, and with it an agent replaced
// a page that it had never read. Whatever an answer names, of any tool, in success,
// conflict or error, a text that no answer showed can't be replaced with it.
func TestCreditIsOnlyForWhatWasShown(t *testing.T) {
	t.Parallel()
	w := &creditWalk{newWorld(t), "Diary", map[string]bool{}}
	old := w.Save("ada", "ada", "Diary", diary("one", "end"))
	w.save("ada", "bob", "Links", "See [[Diary]].\n")
	second := w.Save("ada", "bob", "Diary", diary("two", "end"))
	w.ok("ada/owner", "write_attachment", "path", "Diary", "name", "notes.txt", "base64", "eA==")
	w.Save("ada", "ada", "Diary", diary("three", "end"))
	w.readings(old.Revision[:8], second.Revision[:8], second.Commit)
	w.editings(second.Commit)
	w.conflicts(second.Commit[:8])
	w.changings(old.Commit[:8], second.Commit[:8], old.Revision[:8], second.Revision[:8])
	for i := range tools {
		if tools[i].client == "" && !w.called[tools[i].name] {
			t.Errorf("no call of %s", tools[i].name)
		}
	}
}

// shown calls a tool, and tries to overwrite what wasn't shown with everything that
// the answer has and could be a revision.
func (w *creditWalk) shown(tool string, arguments ...any) string {
	w.T.Helper()
	w.called[tool] = true
	text, _ := w.call("ada/editor", tool, arguments...)
	if strings.Contains(text, "Unread line 2.") {
		w.T.Errorf("%s %v shows the text: %s", tool, arguments, text)
	}
	before := w.source("ada", w.page)
	for _, id := range slices.Compact(slices.Sorted(slices.Values(anyRevision.FindAllString(text, -1)))) {
		section := []any{map[string]any{"op": "replace_section", "section": "Middle", "text": "Overwritten."}}
		_, whole := w.call("ada/editor", "replace_page", "path", w.page, "revision", id, "content", "Overwritten.")
		_, part := w.call("ada/editor", "edit_page", "path", w.page, "revision", id, "edits", section)
		_, several := w.call("ada/editor", "edit_page", "edits", edits(
			map[string]any{"op": "replace_section", "path": w.page, "revision": id, "section": "Middle", "text": "Overwritten."},
		))
		_, moved := w.call("ada/editor", "edit_page", "edits", edits(
			map[string]any{"op": "move_section", "path": w.page, "revision": id, "section": "Middle", "to": "Elsewhere"},
		))
		if !whole || !part || !several || !moved || w.source("ada", w.page) != before {
			w.T.Fatalf("%s %v names %s, which allows to overwrite what wasn't shown:\n%s", tool, arguments, id, text)
		}
	}
	return text
}

func (w *creditWalk) current() string {
	w.T.Helper()
	src, err := w.Pages.Source(w.T.Context(), w.Access("ada", "ada"), "Diary", "")
	w.must(err)
	return src.File.Blob[:8]
}

func revisionIn(text string) string { return aRevision.FindStringSubmatch(text)[1] }

func edits(list ...map[string]any) []map[string]any { return list }

func (w *creditWalk) readings(first, second, commit string) {
	w.T.Helper()
	w.shown("wiki_overview")
	w.shown("search", "query", "diary")
	w.shown("grep", "pattern", "three", "context", 2)
	w.shown("list_pages")
	w.shown("list_pages", "depth", 3)
	for _, kind := range linkKinds {
		w.shown("links", "path", "Diary", "kind", kind)
	}
	w.shown("read_page", "path", "Diary", "view", "outline")
	w.shown("read_page", "path", "Diary", "section", "First")
	w.shown("read_page", "path", "Diary", "lines", "1-2", "at", first)
	w.shown("read_page", "path", "Diary", "lines", "999")
	w.shown("read_page", "path", "Dairy")
	w.shown("read_pages", "items", []string{"Diary#First", "Diary#Nothing", "Diary#Last"})
	w.shown("read_attachment", "path", "Diary")
	w.shown("read_attachment", "path", "Diary", "name", "notes.txt")
	w.shown("write_attachment", "path", "Diary", "name", "notes.txt", "base64", "eA==")
	w.shown("changes")
	w.shown("changes", "path", "Diary")
	w.shown("changes", "path", "Diary", "diff", first+".."+second)
	w.shown("changes", "diff", commit)
}

func (w *creditWalk) editings(commit string) {
	w.T.Helper()
	w.shown("create_page", "path", "Diary", "content", "x")
	w.shown("create_page", "path", "Diary 2", "content", "# Diary\n")
	partial := revisionIn(w.ok("ada/editor", "read_page", "path", "Diary", "section", "First"))
	for _, change := range []struct {
		revision string
		edits    []map[string]any
	}{
		{partial, edits(map[string]any{"op": "replace_section", "section": "Middle", "text": "x"})},
		{"", edits(map[string]any{"op": "append", "text": "Appended."})},
		{"", edits(map[string]any{"op": "append", "text": "Appended."})},
		// On both sides of the unread section.
		{partial, edits(map[string]any{"op": "append", "text": "Below."}, map[string]any{"op": "replace", "old": "three", "text": "four"})},
		{"", edits(map[string]any{"op": "append", "text": "Below again."}, map[string]any{"op": "prepend", "text": "Above."})},
		{commit, edits(map[string]any{"op": "append", "text": "With a commit."})},
		{w.current() + "~0", edits(map[string]any{"op": "set_meta", "text": "state: open"})},
		{partial, edits(map[string]any{"op": "set_meta", "text": "state: closed"})},
		{"", edits(map[string]any{"op": "replace", "old": "no such text", "text": "x"})},
	} {
		w.shown("edit_page", "path", "Diary", "revision", change.revision, "edits", change.edits, "dry_run", true)
		w.shown("edit_page", "path", "Diary", "revision", change.revision, "edits", change.edits)
	}
}

func (w *creditWalk) conflicts(commit string) {
	w.T.Helper()
	stale := revisionIn(w.ok("ada/editor", "read_page", "path", "Diary", "section", "First"))
	rewrite := edits(map[string]any{"op": "replace_section", "section": "First", "text": "six"})
	w.save("ada", "ada", "Diary", diary("five", "another end"))
	if text := w.shown("edit_page", "path", "Diary", "revision", stale, "edits", rewrite); !strings.Contains(text, "What they changed") {
		w.T.Errorf("no conflict: %s", text)
	}
	if text := w.shown("revert", "undo", commit); !strings.Contains(text, "Nothing was") {
		w.T.Errorf("the undo isn't refused: %s", text)
	}
	w.save("ada", "ada", "Diary", strings.Replace(diary("five", "another end"), "## First", "## Renamed", 1))
	w.shown("edit_page", "path", "Diary", "revision", stale, "edits", rewrite)
	w.shown("replace_page", "path", "Diary", "revision", stale, "content", "x")
	w.shown("replace_page", "path", "Diary", "revision", "a1b2c3d4", "content", "x")
	w.shown("replace_page", "path", "Diary", "revision", commit, "content", "x")
}

func (w *creditWalk) changings(firstCommit, secondCommit, first, second string) {
	w.T.Helper()
	current := w.current()
	w.shown("move_page", "path", "Diary", "new_path", "Links", "revision", current)
	w.shown("move_page", "path", "Diary", "new_path", "Moved", "revision", "a1b2c3d4")
	w.shown("move_page", "path", "Diary", "new_path", "Moved", "revision", first)
	w.page = "Moved"
	w.shown("move_page", "path", "Diary", "new_path", "Moved", "revision", current)
	w.page = "Diary"
	w.shown("move_page", "path", "Moved", "new_path", "Diary", "revision", current)
	w.shown("delete_page", "path", "Diary", "revision", first)
	w.shown("delete_page", "path", "Diary", "revision", "a1b2c3d4", "name", "notes.txt")
	w.shown("revert", "undo", secondCommit)
	w.shown("revert", "undo", firstCommit)
	w.shown("revert", "path", "Diary", "to", "a1b2c3d4")
	w.shown("revert", "path", "Diary", "to", second)
	w.shown("delete_page", "path", "Links", "revision", w.save("ada", "ada", "Links", "See [[Diary]] again.\n"))
}

// What an answer did show can be replaced with its revision, without another read.
func TestCreditCoversWhatWasShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := diary("one", "end")
	w.save("ada", "ada", "Diary", text)
	section := func(name, text string) []map[string]any {
		return []map[string]any{{"op": "replace_section", "section": name, "text": text}}
	}
	rev := revisionIn(w.ok("ada/editor", "read_page", "path", "Diary", "section", "First"))
	rev = revisionIn(w.ok("ada/editor", "edit_page", "path", "Diary", "revision", rev, "edits", []map[string]any{{"op": "prepend", "text": "Above."}}))
	rev = revisionIn(w.ok("ada/editor", "edit_page", "path", "Diary", "revision", rev, "edits", section("First", "Two.\n\nThree. "+strings.Repeat("long ", 100))))
	rev = revisionIn(w.ok("ada/editor", "edit_page", "path", "Diary", "revision", rev, "edits", []map[string]any{{"op": "replace", "old": "Three.", "text": "Four."}}))
	w.ok("ada/editor", "edit_page", "path", "Diary", "revision", rev, "edits", section("First", "Five."))

	full := revisionIn(w.ok("ada/editor", "read_page", "path", "Diary", "view", "full"))
	w.save("ada", "ada", "Diary", strings.Replace(w.source("ada", "Diary"), "Five.", "Six.", 1))
	refusal := w.fails("What they changed", "ada/editor", "replace_page", "path", "Diary", "revision", full, "content", "# Diary\n\nSeven.\n")
	rev = revisionIn(w.ok("ada/editor", "replace_page", "path", "Diary", "revision", revisionIn(refusal), "content", "# Diary\n\nSeven.\n"))
	rev = revisionIn(w.ok("ada/editor", "edit_page", "path", "Diary", "revision", rev, "edits", []map[string]any{{"op": "append", "text": "Eight."}}))
	w.ok("ada/editor", "replace_page", "path", "Diary", "revision", rev, "content", "# Diary\n")

	made := revisionIn(w.ok("ada/editor", "create_page", "path", "Made", "content", "one\n"))
	again := revisionIn(w.fails("exactly this text", "ada/editor", "create_page", "path", "Made", "content", "one"))
	if again != made {
		t.Errorf("@%s, then @%s", made, again)
	}
	w.ok("ada/editor", "replace_page", "path", "Made", "revision", again, "content", "two\n")
}

// Revisions in answers are made by revision and revisionArg only, and full credit is
// given where the answer shows a page's whole text or the caller sent it.
func TestRevisionsHaveCredit(t *testing.T) {
	t.Parallel()
	allowed := map[string]bool{
		"part.credit": true, "createPage": true, "addCreatedText": true, "shownChange": true, "alreadyExistsError": true, // shown, or sent
		"baseCredit": true, "unchangedCredit": true, "creditAfter": true, "describeConflict": true, // read before, and the changes since are shown
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "words.go" {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			name := ""
			if f, ok := d.(*ast.FuncDecl); ok {
				if name = f.Name.Name; name == "credit" {
					name = "part.credit"
				}
			}
			ast.Inspect(d, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.Ident:
					if n.Name == "fullCredit" && !allowed[name] {
						t.Errorf("%s gives full credit", set.Position(n.Pos()))
					}
				case *ast.CompositeLit:
					if id, ok := n.Type.(*ast.Ident); ok && id.Name == "credit" {
						t.Errorf("%s makes a credit", set.Position(n.Pos()))
					}
				case *ast.BasicLit:
					if text, _ := strconv.Unquote(n.Value); strings.Contains(text, "@%s") {
						t.Errorf("%s formats a revision", set.Position(n.Pos()))
					}
				}
				return true
			})
		}
	}
}
