package budget

import (
	"container/heap"
	"container/list"
	"sync"
)

// A Cache keeps values in memory: at most total units of weight, and at most share
// of one owner, such as a wiki. When it is full, the owner that holds the most loses
// its least recently used value. So an owner that fills the cache takes nothing from
// one that holds less. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	total, share int64
	owner        func(K, V) string
	weigh        func(K, V) int64

	mu     sync.Mutex
	used   int64
	values map[K]*list.Element // of *cacheEntry[K, V]
	owners map[string]*cacheOwner
	ranked cacheRanking // all owners
}

// A cacheOwner holds the values of one owner, most recently used first.
type cacheOwner struct {
	used   int64
	values list.List
	rank   int // index in the ranking
}

// A cacheRanking is a heap of owners. The one that holds the most comes first.
type cacheRanking []*cacheOwner

type cacheEntry[K comparable, V any] struct {
	key    K
	value  V
	weight int64
	owner  string
}

// NewCache returns a Cache. owner returns the owner of a value, and weigh its weight.
func NewCache[K comparable, V any](total, share int64, owner func(K, V) string, weigh func(K, V) int64) *Cache[K, V] {
	return &Cache[K, V]{
		total: total, share: min(share, total), owner: owner, weigh: weigh,
		values: map[K]*list.Element{}, owners: map[string]*cacheOwner{},
	}
}

// GetIfPresent returns the value of a key, if the cache has it.
func (c *Cache[K, V]) GetIfPresent(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.values[key]
	if found == nil {
		return value, false
	}
	e := found.Value.(*cacheEntry[K, V])
	c.owners[e.owner].values.MoveToFront(found)
	return e.value, true
}

// Set caches a value, unless it is heavier than an owner's share.
func (c *Cache[K, V]) Set(key K, value V) {
	e := &cacheEntry[K, V]{key, value, c.weigh(key, value), c.owner(key, value)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.values[key]; old != nil {
		c.remove(old)
	}
	if e.weight > c.share {
		return
	}
	for o := c.owners[e.owner]; o != nil && o.used+e.weight > c.share; o = c.owners[e.owner] {
		c.remove(o.values.Back())
	}
	o := c.owners[e.owner]
	if o == nil {
		o = new(cacheOwner)
		c.owners[e.owner] = o
		heap.Push(&c.ranked, o)
	}
	c.values[key] = o.values.PushFront(e)
	c.add(o, e.weight)
	for c.used > c.total {
		c.remove(c.ranked[0].values.Back())
	}
}

// add changes how much an owner holds.
func (c *Cache[K, V]) add(o *cacheOwner, weight int64) {
	o.used += weight
	c.used += weight
	heap.Fix(&c.ranked, o.rank)
}

func (c *Cache[K, V]) remove(at *list.Element) {
	e := at.Value.(*cacheEntry[K, V])
	o := c.owners[e.owner]
	o.values.Remove(at)
	c.add(o, -e.weight)
	delete(c.values, e.key)
	if o.values.Len() == 0 {
		heap.Remove(&c.ranked, o.rank)
		delete(c.owners, e.owner)
	}
}

// InvalidateAll removes all values.
func (c *Cache[K, V]) InvalidateAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = 0
	clear(c.values)
	clear(c.owners)
	c.ranked = nil
}

// EstimatedSize returns the number of values.
func (c *Cache[K, V]) EstimatedSize() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.values)
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (r cacheRanking) Len() int           { return len(r) }
func (r cacheRanking) Less(i, j int) bool { return r[i].used > r[j].used }
func (r cacheRanking) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].rank, r[j].rank = i, j
}

func (r *cacheRanking) Push(o any) {
	added := o.(*cacheOwner)
	added.rank = len(*r)
	*r = append(*r, added)
}

func (r *cacheRanking) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}
