package gitrepo

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
)

// Modes of tree entries.
const (
	ModeFile    uint32 = 0o100644
	ModeExec    uint32 = 0o100755
	ModeSymlink uint32 = 0o120000
	ModeGitlink uint32 = 0o160000
	ModeTree    uint32 = 0o040000
)

// modeType masks the part of a mode that distinguishes files, trees and links.
const modeType uint32 = 0o170000

const rawID = 20 // length of a binary id

// A TreeEntry is one name in a tree.
type TreeEntry struct {
	Mode uint32
	Name string
	ID   string // 40 hex digits
}

// IsTree reports whether the entry is a directory.
func (e TreeEntry) IsTree() bool { return e.Mode&modeType == ModeTree }

// EncodeTree returns a tree's content. It sorts entries in place, in git's order.
// It panics if an id isn't 40 hex digits, which is a bug in the caller.
func EncodeTree(entries []TreeEntry) []byte {
	slices.SortFunc(entries, compareEntries)
	size := 0
	for _, e := range entries {
		size += len("100644 ") + len(e.Name) + 1 + rawID
	}
	out := make([]byte, 0, size)
	for _, e := range entries {
		out = strconv.AppendUint(out, uint64(e.Mode), 8)
		out = append(out, ' ')
		out = append(out, e.Name...)
		out = append(out, 0)
		var err error
		if out, err = hex.AppendDecode(out, []byte(e.ID)); err != nil || len(e.ID) != 2*rawID {
			panic(fmt.Sprintf("gitrepo: tree entry %q has invalid id %q", e.Name, e.ID))
		}
	}
	return out
}

// compareEntries is git's base_name_compare. It compares bytes, and a directory's
// name as if it ended in "/", so "a.md" sorts before the directory "a".
func compareEntries(a, b TreeEntry) int {
	n := min(len(a.Name), len(b.Name))
	if c := cmp.Compare(a.Name[:n], b.Name[:n]); c != 0 {
		return c
	}
	return cmp.Compare(a.byteAt(n), b.byteAt(n))
}

func (e TreeEntry) byteAt(i int) byte {
	switch {
	case i < len(e.Name):
		return e.Name[i]
	case e.IsTree():
		return '/'
	}
	return 0
}
