package main

import (
	"fmt"
	"path/filepath"
	"testing"
)

// With many wikis, only the first ones get tokens when the service starts.
func TestDevFileListsFirstWikis(t *testing.T) {
	l := startLive(t)
	bob := people()[1]
	for i := range 20 {
		l.must(l.Store.CreateSite(t.Context(), bob, fmt.Sprint("a-copy-", i), nil, 100))
	}
	facts, err := writeDevFile(t.Context(), l.Service, l.origins, l.dir, false, 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(facts.Wikis) != 5 || !facts.more || facts.Wikis[0].Slug != "ada" || facts.Wikis[1].Slug != "bob" {
		t.Errorf("%d wikis, more %v: %+v", len(facts.Wikis), facts.more, facts.Wikis)
	}
	written, err := readDevFile(filepath.Join(l.dir, "dev.json"))
	if err != nil || len(written.Wikis) != 5 {
		t.Errorf("the file has %d wikis, %v", len(written.Wikis), err)
	}
	if facts, err = writeDevFile(t.Context(), l.Service, l.origins, l.dir, false, 0); err != nil || len(facts.Wikis) < 22 || facts.more {
		t.Errorf("all: %d wikis, more %v, %v", len(facts.Wikis), facts.more, err)
	}
}
