package content

import (
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// Attack: a small repository with many files whose names differ only in case. Each
// search for a free name goes on where the last one ended.
func TestImportOfManyFilesOfOneName(t *testing.T) {
	t.Parallel()
	p := &Import{head: map[string]headFile{}}
	for i := range 20_000 {
		name := []byte("abcdefghijklmnop.md")
		for bit := range 16 {
			if i>>bit&1 == 1 {
				name[bit] -= 'a' - 'A'
			}
		}
		p.head[string(name)] = headFile{}
	}
	began := time.Now()
	p.renames = p.findRenames()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	keys := map[string]bool{}
	for name := range p.head {
		keys[wiki.Key(p.finalName(name))] = true
	}
	if len(keys) != len(p.head) {
		t.Errorf("%d names of %d files", len(keys), len(p.head))
	}
}
