package content

import (
	"fmt"
	"testing"
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
