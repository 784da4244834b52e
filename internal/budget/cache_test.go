package budget

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// newTestCache has keys "owner/name" and values that are their own weight.
func newTestCache(total, share int64) *Cache[string, int64] {
	return NewCache(total, share, func(k string, _ int64) string { owner, _, _ := strings.Cut(k, "/"); return owner }, func(_ string, v int64) int64 { return v })
}

// Attack: one wiki fills the cache. Another's values stay, and it can add more.
func TestCacheIsShared(t *testing.T) {
	c := newTestCache(100, 60)
	c.Set("bob/1", 10)
	c.Set("bob/2", 10)
	for i := range 1000 {
		c.Set("ada/"+strings.Repeat("x", i), 5)
	}
	for _, key := range []string{"bob/1", "bob/2"} {
		if _, ok := c.GetIfPresent(key); !ok {
			t.Errorf("%s is gone", key)
		}
	}
	if got := c.owners["ada"].used; got != 60 {
		t.Errorf("one owner holds %d, want its share of 60", got)
	}
	c.Set("cleo/1", 40) // 120 in all: the heaviest owner makes room
	if got := c.owners["ada"].used; got != 40 {
		t.Errorf("the heaviest owner holds %d, want 40", got)
	}
	for _, key := range []string{"bob/1", "bob/2", "cleo/1"} {
		if _, ok := c.GetIfPresent(key); !ok {
			t.Errorf("%s is gone", key)
		}
	}
}

func TestCacheDropsLeastRecentlyUsed(t *testing.T) {
	c := newTestCache(30, 30)
	c.Set("a/1", 10)
	c.Set("a/2", 10)
	c.Set("a/3", 10)
	c.GetIfPresent("a/1")
	c.Set("a/4", 10)
	c.Set("a/5", 31) // heavier than the share
	for key, want := range map[string]bool{"a/1": true, "a/2": false, "a/3": true, "a/4": true, "a/5": false} {
		if _, ok := c.GetIfPresent(key); ok != want {
			t.Errorf("%s: %v", key, ok)
		}
	}
	c.Set("a/1", 30) // in place of all others
	if v, ok := c.GetIfPresent("a/1"); !ok || v != 30 || c.EstimatedSize() != 1 {
		t.Errorf("replaced: %d %v, %d values", v, ok, c.EstimatedSize())
	}
	if c.InvalidateAll(); c.EstimatedSize() != 0 || c.used != 0 {
		t.Error("something is left")
	}
}

// Whatever is set, the weights add up and stay within their bounds.
func TestCacheWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newTestCache(20, rapid.Int64Range(1, 25).Draw(t, "share"))
		for range rapid.IntRange(1, 60).Draw(t, "sets") {
			key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "owner") + "/" + rapid.SampledFrom([]string{"1", "2", "3", "4", "5"}).Draw(t, "name")
			weight := rapid.Int64Range(0, 12).Draw(t, "weight")
			c.Set(key, weight)
			if v, ok := c.GetIfPresent(key); ok && v != weight || ok && weight > c.share {
				t.Fatalf("%s: %d %v, want %d", key, v, ok, weight)
			}
			byOwner, total := map[string]int64{}, int64(0)
			for k, at := range c.values {
				w := at.Value.(*cacheEntry[string, int64]).weight
				byOwner[c.owner(k, w)] += w
				total += w
			}
			if total != c.used || total > c.total {
				t.Fatalf("used %d, counted %d of %d", c.used, total, c.total)
			}
			if len(c.ranked) != len(c.owners) {
				t.Fatalf("%d owners, %d ranked", len(c.owners), len(c.ranked))
			}
			for name, o := range c.owners {
				if c.ranked[o.rank] != o || c.ranked[0].used < o.used {
					t.Fatalf("%s isn't ranked by what it uses", name)
				}
				if o.used != byOwner[name] || o.used > c.share || o.values.Len() == 0 {
					t.Fatalf("%s uses %d, counted %d of %d", name, o.used, byOwner[name], c.share)
				}
			}
		}
	})
}
