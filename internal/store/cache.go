package store

import "sync"

// A rowCache caches rows. A writer calls forget for the rows that it changed, after
// its transaction. A row that was being read meanwhile is returned but not cached,
// so no outdated row stays after a write.
type rowCache[K comparable, V any] struct {
	mu     sync.RWMutex
	rows   map[K]V
	max    int
	writes uint64
}

func newRowCache[K comparable, V any](max int) *rowCache[K, V] {
	return &rowCache[K, V]{rows: make(map[K]V), max: max}
}

func (c *rowCache[K, V]) get(key K, read func() (V, error)) (V, error) {
	c.mu.RLock()
	row, ok := c.rows[key]
	writes := c.writes
	c.mu.RUnlock()
	if ok {
		return row, nil
	}
	row, err := read()
	if err != nil {
		return row, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writes != writes {
		return row, nil
	}
	if len(c.rows) >= c.max {
		for other := range c.rows { // a random one, which is good enough here
			delete(c.rows, other)
			break
		}
	}
	c.rows[key] = row
	return row, nil
}

func (c *rowCache[K, V]) forget(keys ...K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	for _, key := range keys {
		delete(c.rows, key)
	}
}

func (c *rowCache[K, V]) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	clear(c.rows)
}
