package web

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// closeIndex makes a wiki's search index unavailable, as a read-only disk does that
// it isn't on yet.
func (w *testWiki) closeIndex(slug string) {
	w.T.Helper()
	w.Search.CloseIdle()
	index := filepath.Join(w.Dir, "wikis", slug, "index.db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.RemoveAll(index + suffix); err != nil {
			w.T.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(w.Dir, "missing", "index.db"), index); err != nil {
		w.T.Fatal(err)
	}
}

// Without a search index, only searching fails, with a sentence about the storage.
func TestPagesWithoutIndex(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.closeIndex("ada")
	ada := w.as("ada")
	ada.get(on("ada", "/-/search?q=frost")).want(http.StatusInsufficientStorage).has("storage isn&#39;t working")
	for _, path := range []string{"/Home", "/Home/edit", "/New_Page/edit", "/Home/history", "/-/index", "/-/changelog", "/-/connect", "/-/settings"} {
		ada.get(on("ada", path)).want(http.StatusOK)
	}
	ada.get(on("ada", "/-/health")).want(http.StatusOK).has("Pages can't be compared now")
	w.put("ada", "Home", "saved without an index\n")
	ada.get(on("ada", "/Home")).want(http.StatusOK).has("saved without an index")
}
