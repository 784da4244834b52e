package gitrepo

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// Hashes what each save of a wiki with 500 pages hashes: its root tree and commit.
func BenchmarkSave(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	entries := make([]TreeEntry, 500)
	for i := range entries {
		entries[i] = TreeEntry{ModeFile, fmt.Sprintf("Page_%03d.md", i), randomID(r)}
	}
	blob := make([]byte, 6000)
	author := Signature{"ada", "did:plc:ada", time.Unix(1700000000, 0).UTC()}
	for b.Loop() {
		entries[7].ID = ObjectID("blob", blob)
		tree := ObjectID("tree", EncodeTree(entries))
		commit := Commit{Tree: tree, Parents: []string{Zero}, Author: author, Committer: author, Message: AppendTrailers("Edit Page_007\n", []Trailer{{"Agent", "Claude"}})}
		ObjectID("commit", EncodeCommit(commit))
	}
}

func BenchmarkParseCommit(b *testing.B) {
	author := Signature{"ada", "did:plc:ada", time.Unix(1700000000, 0).UTC()}
	content := EncodeCommit(Commit{Tree: Zero, Parents: []string{Zero}, Author: author, Committer: author, Message: "Edit\n\nAgent: Claude\n"})
	for b.Loop() {
		if _, err := ParseCommit(content); err != nil {
			b.Fatal(err)
		}
	}
}
