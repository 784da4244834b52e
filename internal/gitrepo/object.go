// Package gitrepo implements git's formats (object ids, trees, commits, packs,
// bundles) and runs the git program safely on bare repositories.
//
// It encodes objects byte for byte as git does, so ids computed here are git's
// ids. Parsing and re-encoding an object that git accepts doesn't change it. Git
// processes never see foreign configuration or hooks, and their time and memory
// are limited. The package knows nothing about wikis, pages or permissions.
package gitrepo

import (
	"crypto/sha1"
	"encoding/hex"
	"strconv"
)

// Zero is the null object id.
const Zero = "0000000000000000000000000000000000000000"

// ObjectID returns the SHA-1 id of an object, as 40 hex digits. kind is "blob",
// "tree", "commit" or "tag"; content excludes git's header.
func ObjectID(kind string, content []byte) string {
	h := sha1.New()
	h.Write([]byte(kind + " " + strconv.Itoa(len(content)) + "\x00"))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}
