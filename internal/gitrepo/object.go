// Package gitrepo speaks git's formats: object ids, trees and commits.
package gitrepo

import "time"

// Zero is the id of nothing.
const Zero = "0000000000000000000000000000000000000000"

// Modes of tree entries.
const (
	ModeFile    uint32 = 0o100644
	ModeExec    uint32 = 0o100755
	ModeSymlink uint32 = 0o120000
	ModeGitlink uint32 = 0o160000
	ModeTree    uint32 = 0o040000
)

// ObjectID is the SHA-1 id, 40 hex digits, of an object: kind is "blob",
// "tree", "commit" or "tag", and content is without git's header.
func ObjectID(kind string, content []byte) string { panic("contract") }

// A TreeEntry is one name in a tree.
type TreeEntry struct {
	Mode uint32
	Name string
	ID   string // 40 hex digits
}

// EncodeTree gives a tree's content, entries sorted as git sorts them. The
// argument's order may change.
func EncodeTree(entries []TreeEntry) []byte { panic("contract") }

// ParseTree reads a tree's content.
func ParseTree(content []byte) ([]TreeEntry, error) { panic("contract") }

// A Signature is a person and a time in a commit.
type Signature struct {
	Name  string // without "<", ">" and line ends
	Email string
	Time  time.Time // whole seconds; its zone is written and read
}

// A Commit is a commit object. Headers keeps what we do not interpret
// (gpgsig, encoding, mergetag …), each as its raw lines with their end.
type Commit struct {
	Tree      string
	Parents   []string
	Author    Signature
	Committer Signature
	Headers   string
	Message   string
}

// EncodeCommit gives the commit's content, exactly as git writes it.
func EncodeCommit(c Commit) []byte { panic("contract") }

// ParseCommit reads a commit's content; encoding what it returns gives the
// same bytes for every commit that git's strict check accepts.
func ParseCommit(content []byte) (Commit, error) { panic("contract") }

// A Trailer is one "Key: value" line of a message's last paragraph.
type Trailer struct{ Key, Value string }

// AppendTrailers adds trailers to a message as git interpret-trailers does.
// Line ends in values become blanks.
func AppendTrailers(message string, trailers []Trailer) string { panic("contract") }

// CutTrailers splits a message from the trailers of its last paragraph.
func CutTrailers(message string) (body string, trailers []Trailer) { panic("contract") }
