package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/wiki"
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
	for range rounds(300, 5000) {
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
		content := EncodeTree(entries)
		ours = append(ours, ObjectID("tree", content))
		parsed, err := ParseTree(content)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(entries, parsed); diff != "" && len(entries) > 0 {
			t.Fatalf("ParseTree(EncodeTree(entries)) (-want +got):\n%s", diff)
		}
	}
	git1 := strings.Fields(string(git(listing.Bytes(), nil, "mktree", "-z", "--missing", "--batch")))
	if diff := cmp.Diff(git1, ours); diff != "" {
		t.Errorf("tree ids (-git +ours):\n%s", diff)
	}
}

func TestParseTreeInvalid(t *testing.T) {
	id := strings.Repeat("\x01", 20)
	for name, content := range map[string]string{
		"no mode":           " a\x00" + id,
		"non-octal mode":    "100648 a\x00" + id,
		"padded mode":       "040000 a\x00" + id,
		"huge mode":         "77777777777777 a\x00" + id,
		"no name":           "100644 \x00" + id,
		"slash in name":     "100644 a/b\x00" + id,
		"unterminated name": "100644 a",
		"truncated id":      "100644 a\x00" + id[1:],
		"only a mode":       "100644",
	} {
		if entries, err := ParseTree([]byte(content)); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("%s: %v, %v", name, entries, err)
		}
	}
}

func FuzzParseTree(f *testing.F) {
	f.Add(EncodeTree([]TreeEntry{{ModeFile, "a.md", strings.Repeat("0a", 20)}, {ModeTree, "a", strings.Repeat("ff", 20)}}))
	f.Fuzz(func(t *testing.T, content []byte) {
		entries, err := ParseTree(content)
		if err != nil {
			return
		}
		if !slices.IsSortedFunc(entries, compareEntries) {
			return // git's strict check rejects unsorted trees
		}
		if got := EncodeTree(entries); !bytes.Equal(got, content) {
			t.Errorf("%q became %q", content, got)
		}
	})
}
