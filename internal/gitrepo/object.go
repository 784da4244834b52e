// Package gitrepo speaks git's formats: object ids, trees and commits.
//
// What it encodes is what the git program would have written, byte for byte,
// so ids computed here are git's ids. What it parses it can encode again
// without a change. It reads and writes no files.
package gitrepo

import (
	"crypto/sha1"
	"encoding/hex"
	"strconv"
)

// Zero is the id of nothing.
const Zero = "0000000000000000000000000000000000000000"

// ObjectID is the SHA-1 id, 40 hex digits, of an object: kind is "blob",
// "tree", "commit" or "tag", and content is without git's header.
func ObjectID(kind string, content []byte) string {
	h := sha1.New()
	h.Write([]byte(kind + " " + strconv.Itoa(len(content)) + "\x00"))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}
