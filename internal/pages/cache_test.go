package pages

import (
	"fmt"
	"testing"

	"robot.wtf/internal/content"
	"robot.wtf/internal/raster"
)

// Attack: using every page of one wiki, to push cached data of other wikis out. A
// wiki has its share.
func TestCacheIsSharedByWiki(t *testing.T) {
	t.Parallel()
	cache := New(Options{Content: new(content.Pool), CacheBytes: 100_000}).cache
	bobs := cacheKey{"source", "bob", "Home"}
	cache.Set(bobs, &thumbnail{raster.Picture{Data: make([]byte, 5000)}})
	for i := range 1000 {
		cache.Set(cacheKey{"source", "ada", fmt.Sprint(i)}, &thumbnail{raster.Picture{Data: make([]byte, 5000)}})
	}
	if _, ok := cache.GetIfPresent(bobs); !ok {
		t.Error("another wiki's value is gone")
	}
	if n := cache.EstimatedSize(); n < 5 || n > 10 {
		t.Errorf("%d values are cached, want half of the room for one wiki", n)
	}
}
