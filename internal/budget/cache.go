package budget

import (
	"container/list"
	"sync"
)

// A Cache keeps values in memory: at most total units of weight, and at most share
// of one owner, such as a wiki. When it is full, the owner that holds the most loses
// its least recently used value. So an owner that fills the cache takes nothing from
// one that holds less. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	total, share int64
	owner        func(K) string
	weigh        func(K, V) int64

	mu     sync.Mutex
	used   int64
	values map[K]*list.Element // of *cacheEntry[K, V]
	owners map[string]*cacheOwner
}

// A cacheOwner holds the values of one owner, most recently used first.
type cacheOwner struct {
	used   int64
	values list.List
}

type cacheEntry[K comparable, V any] struct {
	key    K
	value  V
	weight int64
	owner  string
}

// NewCache returns a Cache. owner returns the owner of a key, and weigh the weight
// of a value.
func NewCache[K comparable, V any](total, share int64, owner func(K) string, weigh func(K, V) int64) *Cache[K, V] {
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
	e := &cacheEntry[K, V]{key, value, c.weigh(key, value), c.owner(key)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.values[key]; old != nil {
		c.remove(old)
	}
	if e.weight > c.share {
		return
	}
	o := c.owners[e.owner]
	if o == nil {
		o = new(cacheOwner)
		c.owners[e.owner] = o
	}
	for o.used+e.weight > c.share {
		c.remove(o.values.Back())
	}
	c.owners[e.owner] = o // it may have lost all its values
	c.values[key] = o.values.PushFront(e)
	o.used += e.weight
	c.used += e.weight
	for c.used > c.total {
		c.remove(c.heaviest().values.Back())
	}
}

// heaviest returns the owner that holds the most.
func (c *Cache[K, V]) heaviest() (found *cacheOwner) {
	for _, o := range c.owners {
		if found == nil || o.used > found.used {
			found = o
		}
	}
	return found
}

func (c *Cache[K, V]) remove(at *list.Element) {
	e := at.Value.(*cacheEntry[K, V])
	o := c.owners[e.owner]
	o.values.Remove(at)
	o.used -= e.weight
	c.used -= e.weight
	delete(c.values, e.key)
	if o.values.Len() == 0 {
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
}

// EstimatedSize returns the number of values.
func (c *Cache[K, V]) EstimatedSize() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.values)
}
