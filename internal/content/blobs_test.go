package content

import (
	"fmt"
	"testing"
	"time"
)

// Attack: reading one wiki's large texts fills the cache of texts. The wiki has a share.
func TestCachedTextsAreShared(t *testing.T) {
	t.Parallel()
	cache := newTextCache()
	text := make([]byte, 400_000)
	bobs := textKey{"bob", "1"}
	cache.Set(bobs, text)
	for i := range 100 {
		cache.Set(textKey{"ada", fmt.Sprint(i)}, text)
	}
	if _, ok := cache.GetIfPresent(bobs); !ok {
		t.Error("another wiki's text is gone")
	}
	if n := cache.EstimatedSize(); n < 3 || n > 6 {
		t.Errorf("%d texts are cached, want an eighth of the room for one wiki", n)
	}
}

// Files of one commit with the same content are stored, and counted, once.
func TestSameContentInOneCommit(t *testing.T) {
	t.Parallel()
	w := newWiki(t, time.Now)
	before, err := w.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data := []byte("the same\n")
	must(t, w, ada, Edit{Path: "A.md", Data: data}, Edit{Path: "B.md", Data: data}, Edit{Path: "C.md", Data: data})
	after, err := w.Stats(t.Context())
	if n := after.HistoryBytes - before.HistoryBytes; err != nil || n != int64(len(deflate(data))) {
		t.Errorf("the history grew by %d bytes, want %d: %v", n, len(deflate(data)), err)
	}
	for _, path := range []string{"A.md", "B.md", "C.md"} {
		if got := text(t, w, path); got != string(data) {
			t.Errorf("%s: %q", path, got)
		}
	}
}
