package service

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"robot.wtf/internal/config"
)

// The caches leave room for the work itself.
func TestCachesFitInMemory(t *testing.T) {
	for _, mb := range []int{0, 64, 1000} {
		c := config.Config{MemoryMB: mb}
		s := cachesOf(c)
		if total := s.wikis + s.vectors + s.views + s.finished; total*5 > c.Memory()*3 || s.views < 1<<20 || s.finished < 1<<20 {
			t.Errorf("with %d MB of memory, the caches have %+v", mb, s)
		}
	}
}

// Released parts of the executable come back when they are used.
func TestReleasedExecutableWorks(t *testing.T) {
	releaseExecutable()
	if n, err := strconv.Atoi(strings.TrimPrefix("x12", "x")); err != nil || n != 12 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := os.Stat("."); err != nil {
		t.Error(err)
	}
}
