package mcpserver

import (
	"encoding/json"
	"hash/fnv"
	"log/slog"
	"strings"
	"testing"

	"robot.wtf/internal/minilm"
	"robot.wtf/internal/testworld"
)

// A vagueModel finds different texts somewhat alike, with a cosine of 0.64.
type vagueModel struct{}

func (vagueModel) Tokens(text string) (list []minilm.Token) {
	at := 0
	for word := range strings.FieldsSeq(text) {
		start := at + strings.Index(text[at:], word)
		at = start + len(word)
		list = append(list, minilm.Token{Start: start, End: at, ID: 2000})
	}
	return list
}

func (vagueModel) Embed(text string) []float32 {
	sum := fnv.New32a()
	sum.Write([]byte(text))
	v := make([]float32, minilm.Dim)
	v[0], v[1+sum.Sum32()%(minilm.Dim-1)] = 0.8, 0.6
	return v
}

// newVagueWorld is a world with a model, in which ada's pages have vectors.
func newVagueWorld(t *testing.T, pages ...string) *world {
	t.Helper()
	clock := new(testworld.Clock)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	w := serveWorld(testworld.New(t, testworld.Options{Now: clock.Tick, Log: log, Model: vagueModel{}}), clock.Tick, nil, log)
	for i := 0; i+1 < len(pages); i += 2 {
		w.save("ada", "ada", pages[i], pages[i+1])
	}
	w.ok("ada/editor", "search", "query", "anything") // catches up
	if _, err := w.Search.EmbedAll(t.Context(), "ada", 1); err != nil {
		t.Fatal(err)
	}
	return w
}

// "Pages with similar names" are not those that only share a folder with the new
// page, and those about the same aren't its relatives.
func TestSimilarPagesLeaveOutRelatives(t *testing.T) {
	t.Parallel()
	w := newVagueWorld(t,
		"Backup Plans", "Tapes in a vault.\n", "Backup Plans/Restore", "From the tapes.\n", "Backup Plans/Schedule", "Each night.\n",
		"Backup Plans/Database/Old", "An old one.\n", "Sailing", "Boats on a lake.\n", "Sailing/Winches", "They turn.\n", "Databases", "Rows and columns.\n")
	created := func(path, text string) string {
		return w.ok("ada/editor", "create_page", "path", path, "content", text)
	}
	text := created("Backup Plans/Database", "The tables are copied.\n")
	for _, line := range []string{"Pages with similar names: Databases\n", "Sailing, Sailing/Winches"} {
		if !strings.Contains(text+"\n", line) {
			t.Errorf("no %q in %s", line, text)
		}
	}
	if _, after, _ := strings.Cut(text, "\n"); strings.Contains(after, "Backup_Plans") {
		t.Errorf("lists relatives: %s", after)
	}
	if text := created("Backup Plans/Schedules", "Once a week.\n"); !strings.Contains(text, "similar names: Backup_Plans/Schedule") {
		t.Errorf("a sibling with nearly the same name is similar: %s", text)
	}
}

// Search says that no page has the words if it found all of them by meaning.
func TestSearchSaysThatItFoundByMeaning(t *testing.T) {
	t.Parallel()
	w := newVagueWorld(t, "Boats", "Sails and ropes.\n")
	const says = "No page has these words; found by meaning"
	if text := w.ok("ada/editor", "search", "query", "vessel"); !strings.Contains(text, says) || !strings.Contains(text, "\nBoats") {
		t.Error(text)
	}
	if text := w.ok("ada/editor", "search", "query", "ropes"); strings.Contains(text, says) || !strings.Contains(text, "\nBoats") {
		t.Error(text)
	}
}

// The model knows English only: a text in another language is neither found by meaning
// nor finds others, in search and among similar pages.
func TestOtherLanguagesAreComparedByWords(t *testing.T) {
	t.Parallel()
	w := newVagueWorld(t, "Boats", "Sails and ropes.\n", "Boote", "Das ist ein Boot und der Kahn ist nicht mit dem Boot auf dem See.\n")
	const german = "Und wenn der Wind mit dem Regen auf dem See ist und sich nicht dreht, wird es auch für uns nichts."
	for query, found := range map[string]string{"vessel": "\nBoats", "der Kahn und ein Boot mit dem": "\nBoote"} {
		text := w.ok("ada/editor", "search", "query", query)
		if strings.Contains(text, "\nBoats") != (found == "\nBoats") || strings.Contains(text, "\nBoote") != (found == "\nBoote") {
			t.Errorf("%q: %s", query, text)
		}
	}
	if text := w.ok("ada/editor", "create_page", "path", "Hafen", "content", german); strings.Contains(text, "Boats") || strings.Contains(text, "Boote") {
		t.Errorf("similar to a German page: %s", text)
	}
	if text := w.ok("ada/editor", "create_page", "path", "Harbour", "content", "Wind and waves."); !strings.Contains(text, "Boats") || strings.Contains(text, "Boote") {
		t.Errorf("similar to an English page: %s", text)
	}
}

// links in also works for a page that doesn't exist yet.
func TestLinksToWantedPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Plan", "First [[Some day]].\n")
	text := w.ok("ada/editor", "links", "path", "some day", "kind", "in")
	if !strings.HasPrefix(text, "in: 1 entry\nPlan @") || !strings.Contains(text, "| First Some day.") {
		t.Error(text)
	}
	w.fails("There's no page", "ada/editor", "links", "path", "Never linked", "kind", "in")
}

// Tools with long results tell Claude Code that it can show them.
func TestLongResultsAreAnnounced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.post(posted{token: "ada/editor", slug: "ada", body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`})
	var list struct {
		Result struct {
			Tools []struct {
				Name string
				Meta map[string]any `json:"_meta"`
			}
		}
	}
	w.must(json.Unmarshal([]byte(a.text), &list))
	long := map[string]bool{"read_page": true, "read_pages": true, "changes": true}
	for _, tool := range list.Result.Tools {
		switch size := tool.Meta["anthropic/maxResultSizeChars"]; {
		case long[tool.Name] && size != 200_000.0, !long[tool.Name] && size != nil:
			t.Errorf("%s: %v", tool.Name, size)
		}
		delete(long, tool.Name)
	}
	if len(long) > 0 {
		t.Errorf("not in the list: %v", long)
	}
}
