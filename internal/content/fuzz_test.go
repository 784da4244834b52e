package content

import (
	"bytes"
	"strings"
	"testing"

	"robot.wtf/internal/gitrepo"
)

// A tree that can be parsed can be written again; one of an imported repository can
// have any bytes.
func FuzzParseTree(f *testing.F) {
	id := strings.Repeat("1a", 20)
	f.Add(gitrepo.EncodeTree([]gitrepo.TreeEntry{{Mode: gitrepo.ModeFile, Name: "Home.md", ID: id}, {Mode: gitrepo.ModeTree, Name: "img", ID: id}}))
	f.Add([]byte("100644 a\x00short"))
	f.Add([]byte("x y\x00" + strings.Repeat("z", 20)))
	f.Add([]byte("100644\x00" + strings.Repeat("z", 20)))
	f.Fuzz(func(t *testing.T, content []byte) {
		entries, err := parseTree(content)
		if err != nil {
			return
		}
		again, err := parseTree(gitrepo.EncodeTree(entries))
		if err != nil || len(again) != len(entries) {
			t.Errorf("%d entries became %d: %v", len(entries), len(again), err)
		}
		if len(bytes.TrimSpace(content)) > 0 && len(entries) == 0 {
			t.Error("no entries")
		}
	})
}
