package content

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func openFiles(dir string) (n int) {
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, dir) {
			n++
		}
	}
	return n
}

// A closed wiki leaves no file open, whatever it was used for.
func TestClosedWikisHoldNoFiles(t *testing.T) {
	for name, do := range map[string]func(w *Wiki){
		"read":  func(w *Wiki) { w.Lookup(t.Context(), "A.md") },
		"write": func(w *Wiki) { must(t, w, ada, Edit{Path: "A.md", Data: []byte("[[B]]\n")}) },
		"log":   func(w *Wiki) { w.Log(t.Context(), LogFilter{}) },
		"draft": func(w *Wiki) { w.SaveDraft(t.Context(), "d", Draft{Path: "A.md"}); w.Drafts(t.Context(), "d") },
	} {
		dir := t.TempDir()
		p := openPool(t, dir, time.Now)
		w, release := createWiki(t, p)
		do(w)
		release()
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if n := openFiles(dir); n > 0 {
			t.Errorf("%s: %d files are still open", name, n)
		}
	}
}
