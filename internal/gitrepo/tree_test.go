package gitrepo

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func randomID(r *rand.Rand) string {
	var b strings.Builder
	for range 5 {
		fmt.Fprintf(&b, "%08x", r.Uint32())
	}
	return b.String()
}

func randomEntries(r *rand.Rand) []TreeEntry {
	names := []string{"a", "a.md", "a-b", "a0", "ab", "A", "Ä", "a b", "a.", "b", "日本", ".x", "\xff", "z\"", "aa"}
	modes := []uint32{ModeFile, ModeExec, ModeSymlink, ModeGitlink, ModeTree, ModeTree}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var entries []TreeEntry
	for _, name := range names[:r.IntN(len(names)+1)] {
		entries = append(entries, TreeEntry{modes[r.IntN(len(modes))], name, randomID(r)})
	}
	return entries
}

func TestTreesMatchGit(t *testing.T) {
	git := newRepository(t)
	r := rand.New(rand.NewPCG(5, 6))
	var listing bytes.Buffer
	var ours []string
	for range rounds(150, 5000) {
		entries := randomEntries(r)
		for _, e := range entries {
			kind := "blob"
			switch {
			case e.IsTree():
				kind = "tree"
			case e.Mode == ModeGitlink:
				kind = "commit"
			}
			fmt.Fprintf(&listing, "%06o %s %s\t%s\x00", e.Mode, kind, e.ID, e.Name)
		}
		listing.WriteByte(0)
		ours = append(ours, ObjectID("tree", EncodeTree(entries)))
	}
	git1 := strings.Fields(string(git(listing.Bytes(), nil, "mktree", "-z", "--missing", "--batch")))
	if diff := cmp.Diff(git1, ours); diff != "" {
		t.Errorf("tree ids (-git +ours):\n%s", diff)
	}
}
