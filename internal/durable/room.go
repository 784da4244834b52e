package durable

import (
	"fmt"
	"syscall"
)

// maxMargin and marginPart define the part of a disk that is kept free for saves:
// a tenth of it, at most 1 GiB.
const (
	maxMargin  = 1 << 30
	marginPart = 10
)

// Room returns how many bytes of temporary files, such as uploads and spools, can
// be written to the disk that holds dir. It is 0 if only the margin for saves is
// left.
func Room(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("durable: free space of %s: %w", dir, err)
	}
	return room(int64(s.Bavail)*int64(s.Bsize), int64(s.Blocks)*int64(s.Bsize)), nil
}

func room(free, total int64) int64 { return max(0, free-min(maxMargin, total/marginPart)) }
