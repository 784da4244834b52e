package wiki

import (
	"bytes"
	"strconv"
)

// An LFSPointer is a file of Git LFS whose content isn't in the repository
// (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).
type LFSPointer struct {
	OID  string // "sha256:…"
	Size int64  // bytes of the content
}

// maxPointer bounds pointer files, in bytes.
const maxPointer = 1024

// ParseLFSPointer parses a file; false if it isn't a pointer.
func ParseLFSPointer(data []byte) (p LFSPointer, ok bool) {
	if len(data) > maxPointer || !bytes.HasPrefix(data, []byte("version https://git-lfs.github.com/spec/v1")) {
		return p, false
	}
	for line := range bytes.Lines(data) {
		key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		switch string(key) {
		case "oid":
			p.OID = string(value)
		case "size":
			n, err := strconv.ParseInt(string(value), 10, 64)
			if err != nil || n < 0 {
				return p, false
			}
			p.Size, ok = n, true
		}
	}
	return p, ok && p.OID != ""
}
