package pages

import (
	"errors"
	"path/filepath"
	"testing"

	"robot.wtf/internal/minilm"
	"robot.wtf/internal/search"
	"robot.wtf/internal/wiki"
)

// A blindModel finds all texts alike.
type blindModel struct{}

func (blindModel) Tokens(string) []minilm.Token { return nil }
func (blindModel) Embed(string) []float32       { return make([]float32, minilm.Dim) }

// While the search index is unavailable, pages can be read, edited, created and
// completed; what a page shows about similar pages is left out.
func TestWithoutIndex(t *testing.T) {
	w := newWorld(t)
	w.put("Frost", "frost on the window")
	index := search.New(search.Options{Dir: filepath.Join(w.dir, "missing"), Model: blindModel{}})
	t.Cleanup(func() { _ = index.Close() })
	w.search = index
	if _, err := w.Search(w.t.Context(), w.reader, Query{Text: "frost"}); !errors.Is(err, wiki.ErrStorage) {
		t.Errorf("search: %v", err)
	}
	if _, err := w.View(w.t.Context(), w.reader, "Frost", ""); err != nil {
		t.Errorf("read: %v", err)
	}
	for _, name := range []string{"Frost", "Froste"} {
		if _, err := w.Edit(w.t.Context(), w.editor, name, ""); err != nil {
			t.Errorf("edit %s: %v", name, err)
		}
	}
	if named, _, err := w.PossibleDuplicates(w.t.Context(), w.editor, "Froste", "frost", 5); err != nil || len(named) != 1 {
		t.Errorf("possible duplicates: %v, %v", named, err)
	}
	if health, err := w.Health(w.t.Context(), w.reader); err != nil || !health.Unsearched || health.Pages == 0 {
		t.Errorf("health: %+v, %v", health, err)
	}
	if names, err := w.Complete(w.t.Context(), w.reader, "fro", 5); err != nil || len(names) != 1 {
		t.Errorf("completion: %v, %v", names, err)
	}
	w.put("Ice", "saved without an index")
}
