package mcpserver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Text and expressions treat case alike.
func TestGrepCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Letters", "Needle one\nneedle two\n")
	for _, test := range []struct {
		arguments []any
		lines     int
	}{
		{[]any{"pattern", "NEEDLE"}, 2},
		{[]any{"pattern", "NEEDLE [ot]", "regex", true}, 2},
		{[]any{"pattern", "Needle", "case", true}, 1},
		{[]any{"pattern", "Needle|NEEDLE", "regex", true, "case", "true"}, 1},
		{[]any{"pattern", "NEEDLE", "case", false}, 2},
	} {
		text := w.ok("ada/viewer", "grep", append(test.arguments, "path_prefix", "Letters")...)
		if got := strings.Count(text, "\nLetters:"); got != test.lines {
			t.Errorf("%v: %d lines, want %d:\n%s", test.arguments, got, test.lines, text)
		}
	}
}

// The revision that a list shows for a page is enough to move or delete it.
func TestListedRevisionsAreUsable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	listed := func(text, page string) string {
		t.Helper()
		_, after, found := strings.Cut(text, page)
		if !found {
			t.Fatalf("no %s in %s", page, text)
		}
		return shownRevision(t, after)
	}
	lists := map[string][]any{
		"list_pages": {"path_prefix", "Shelf"}, "grep": {"pattern", "needle"}, "search": {"query", "needle"},
		"links": {"path", "Hub", "kind", "in"},
	}
	for tool, arguments := range lists {
		w.save("ada", "ada", "Hub", "x\n")
		w.save("ada", "ada", "Shelf/Book", "A needle, see [[Hub]].\n")
		w.ok("ada/editor", "move_page", "path", "Shelf/Book", "new_path", "Shelf/Tome", "revision", listed(w.ok("ada/editor", tool, arguments...), "Shelf/Book"))
		w.ok("ada/editor", "delete_page", "path", "Shelf/Tome", "revision", listed(w.ok("ada/editor", tool, arguments...), "Shelf/Tome"))
	}
}

// Numbers agree with their nouns.
func TestOneEntryAndMoreEntries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Hub", "x\n")
	for i := 1; i <= 21; i++ {
		w.save("ada", "ada", fmt.Sprint("Spoke ", i), "[[Hub]]\n")
		want := map[int]string{1: "in: 1 entry\n", 21: "in: 21 entries\n"}[i]
		if text := w.ok("ada/viewer", "links", "path", "Hub", "kind", "in"); !strings.HasPrefix(text, want) {
			t.Errorf("%d: %s", i, text)
		}
	}
}

// A tool without parameters ignores arguments.
func TestOverviewIgnoresArguments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, arguments := range []string{`{"wiki":"ada","verbose":true}`, `{"path":{}}`, `{}`} {
		if text := w.ok("ada/viewer", "wiki_overview", arguments); !strings.Contains(text, "page") {
			t.Errorf("%s: %s", arguments, text)
		}
	}
}

// The forms of base64 that clients send give the same file; anything else is
// refused with a way on.
func TestWriteAttachmentForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := []byte("\xfb\xff\xfe?>~ text\n")
	standard := base64.StdEncoding.EncodeToString(data)
	for i, form := range []string{
		standard, strings.TrimRight(standard, "="), base64.URLEncoding.EncodeToString(data), base64.RawURLEncoding.EncodeToString(data),
		standard[:5] + "\r\n " + standard[5:9] + "\t" + standard[9:] + "\n", "data:image/png;base64," + standard,
		"data:;base64," + base64.RawURLEncoding.EncodeToString(data), "DATA:text/plain;charset=utf-8;Base64,\n" + strings.NewReplacer("+", "%2B", "/", "%2f", "=", "%3D").Replace(standard),
	} {
		name := fmt.Sprintf("form%d.bin", i)
		w.ok("ada/editor", "write_attachment", "path", "Home", "name", name, "base64", form)
		_, got, err := w.Pages.OpenAttachment(t.Context(), w.Access("ada", "ada"), "Home/"+name, "")
		if err != nil || string(got) != string(data) {
			t.Errorf("%q: %q, %v", form, got, err)
		}
	}
	for form, says := range map[string]string{
		"data:text/plain,hello": "This data: URL has no base64", "data:image/png;base64": "This data: URL has no base64", "data:": "This data: URL has no base64",
		"eA==eA==": `"=" can't be character 3`, "na\u00efve": `"ï" can't be character 3`, "data:image/png;base64,a?b": `"?" can't be character 2`,
		"abcde": "its end is missing", "x": "its end is missing",
	} {
		w.fails(says, "ada/editor", "write_attachment", "path", "Home", "name", "bad.bin", "base64", form)
	}
}

// A heading can be named as it is written, as it is shown, and by its anchor.
func TestSectionNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Plan", "Lead.\n\n## A **b** [[C|d]] ##\n\nInside.\n\n## Other\n\nOutside.\n")
	for _, name := range []string{"## A **b** [[C|d]] ##", "A **b** [[C|d]]", "A b d", "a b D", "#user-content-a-b-d", "a-b-d"} {
		text := w.ok("ada/viewer", "read_page", "path", "Plan", "section", name)
		if !strings.Contains(text, "Inside.") || strings.Contains(text, "Outside.") {
			t.Errorf("%q: %s", name, text)
		}
	}
	w.ok("ada/editor", "edit_page", "path", "Plan", "edits", edits(map[string]any{"op": "append", "section": "A **b** [[C|d]]", "text": "Added."}))
	if text := w.source("ada", "Plan"); !strings.Contains(text, "Inside.\n\nAdded.\n\n## Other") {
		t.Error(text)
	}
	w.fails("There is no section", "ada/viewer", "read_page", "path", "Plan", "section", "A **c**")
}

// An unknown method gets a JSON-RPC error with its id in every revision, also in a
// batch beside messages that are answered. Unknown notifications are ignored.
func TestUnknownMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, version := range []string{"", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"} {
		status := http.StatusOK
		if version == "2026-07-28" {
			status = http.StatusNotFound
		}
		for _, id := range []string{"1", `"a"`, "-0", "1.50", "1e3", "123456789012345678901234567890"} {
			a := w.post(posted{token: "ada/editor", slug: "ada", headers: []string{"MCP-Protocol-Version", version}, body: `{"id":` + id + `,"jsonrpc":"2.0","method":"tasks/list"}`})
			if a.StatusCode != status || string(a.result.ID) != id || a.result.Error == nil || a.result.Error.Code != -32601 || !strings.Contains(a.result.Error.Message, "tasks/list") {
				t.Errorf("%s, id %s: %s %s", version, id, a.Status, a.text)
			}
		}
		if a := w.post(posted{token: "ada/editor", slug: "ada", headers: []string{"MCP-Protocol-Version", version}, body: `{"jsonrpc":"2.0","method":"notifications/other"}`}); a.StatusCode != http.StatusAccepted || a.text != "" {
			t.Errorf("%s, a notification: %s %s", version, a.Status, a.text)
		}
	}
	for _, method := range methods {
		if a := w.post(posted{token: "ada/editor", slug: "ada", body: `{"jsonrpc":"2.0","id":1,"method":"` + method + `"}`}); strings.Contains(a.text, "This server has no method") {
			t.Errorf("%s: %s", method, a.text)
		}
	}
}

func TestUnknownMethodsInBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const other, ping, note = `{"jsonrpc":"2.0","id":9007199254740993,"method":"tasks/list"}`, ` {"jsonrpc":"2.0","id":9007199254740995,"method":"ping"} `, `{"jsonrpc":"2.0","method":"notifications/other"}`
	for body, want := range map[string]string{
		"[" + other + "]": "9007199254740993:-32601", "[" + other + "," + ping + "]": "9007199254740993:-32601 9007199254740995:0",
		"[" + ping + "," + note + "," + strings.Replace(ping, "995", "997", 1) + "]": "9007199254740995:0 9007199254740997:0",
		"[" + note + "]": "",
	} {
		a := w.post(posted{token: "ada/editor", slug: "ada", headers: []string{"MCP-Protocol-Version", "2025-03-26"}, body: body})
		var list []struct {
			ID    json.RawMessage
			Error struct{ Code int }
		}
		if want != "" && json.Unmarshal([]byte(a.text), &list) != nil {
			t.Errorf("%s: %s %s", body, a.Status, a.text)
		}
		got := map[string]bool{}
		for _, r := range list {
			got[fmt.Sprintf("%s:%d", r.ID, r.Error.Code)] = true
		}
		for _, one := range strings.Fields(want) {
			if !got[one] {
				t.Errorf("%s: no %s in %s", body, one, a.text)
			}
		}
		if len(got) != len(strings.Fields(want)) || want == "" && a.StatusCode != http.StatusAccepted {
			t.Errorf("%s: %s %s", body, a.Status, a.text)
		}
	}
}

// A client that looks for the endpoint where other services have theirs learns where
// ours is. The API's addresses stay the API's.
func TestLostClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/", "/sse", "/messages", "/v1/mcp", "/api/mcp", "/api/mcp/"} {
		if a := w.post(posted{token: "ada/editor", slug: "ada", path: path, body: `{}`}); a.StatusCode != 404 || !strings.Contains(a.text, "http://ada.robot.localhost/mcp") {
			t.Errorf("%s: %s %s", path, a.Status, a.text)
		}
	}
	for _, p := range []posted{{path: "/api/v1/pages"}, {path: "/api/mcp", method: "GET"}} {
		p.slug = "ada"
		if a := w.post(p); strings.Contains(a.text, "MCP") {
			t.Errorf("%s %s: %s", p.method, p.path, a.text)
		}
	}
}

// A refused move or deletion shows the changes by others and the call to repeat: there
// is no text to send again.
func TestOutdatedMovesAndDeletions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.save("ada", "ada", "Plan", "One.\n")
	w.save("ada", "bob", "Plan", "Two.\n")
	for tool, arguments := range map[string][]any{
		"move_page":   {"path", "Plan", "new_path", "Other", "revision", old},
		"delete_page": {"path", "Plan", "revision", old},
		"edit_page":   {"edits", edits(map[string]any{"op": "delete", "path": "Plan", "revision": old})},
	} {
		text := w.fails("If this is still right, call "+tool+" again with revision @", "ada/editor", tool, arguments...)
		if !strings.Contains(text, "Two.") || strings.Contains(text, "Send your text") {
			t.Errorf("%s: %s", tool, text)
		}
	}
	long := strings.Repeat("Another line of a long text that doesn't fit into an answer.\n", 2000)
	w.save("ada", "bob", "Plan", long)
	w.fails("Read it again", "ada/editor", "delete_page", "path", "Plan", "revision", old)

	file := w.ok("ada/editor", "write_attachment", "path", "Plan", "name", "a.txt", "base64", "eA==")
	w.ok("ada/editor", "write_attachment", "path", "Plan", "name", "a.txt", "base64", "eXk=")
	text := w.fails("the file Plan/a.txt was replaced", "ada/editor", "delete_page", "path", "Plan", "name", "a.txt", "revision", revisionIn(file))
	if strings.Contains(text, "Send your text") {
		t.Error(text)
	}
	w.ok("ada/editor", "delete_page", "path", "Plan", "name", "a.txt", "revision", aShownRevision.FindStringSubmatch(text)[1])
	src, err := w.Pages.Source(t.Context(), w.Access("ada", "ada"), "Plan", "")
	w.must(err)
	w.ok("ada/editor", "delete_page", "path", "Plan", "revision", src.File.Blob)
}
