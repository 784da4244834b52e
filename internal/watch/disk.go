package watch

import (
	"context"
	"fmt"
	"syscall"
)

// DiskWarning is the used fraction of a disk that raises an alarm.
const DiskWarning = 0.8

// DiskUsage returns the used fraction (0 to 1) of the file system that holds dir,
// by bytes or by inodes, whichever is more, and the bytes available to us.
func DiskUsage(dir string) (used float64, free uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("watch: disk usage of %s: %w", dir, err)
	}
	fraction := func(total, free uint64) float64 {
		if total == 0 {
			return 0
		}
		return 1 - float64(free)/float64(total)
	}
	// Like df: blocks reserved for root aren't available to us.
	taken := s.Blocks - s.Bfree
	used = fraction(taken+s.Bavail, s.Bavail)
	return max(used, fraction(s.Files, s.Ffree)), s.Bavail * uint64(s.Bsize), nil
}

// DiskCheck returns a Check of the disk that holds dir; what names the directory's
// content in the text.
func DiskCheck(key, what, dir string, usage func(dir string) (used float64, free uint64, err error)) Check {
	return func(context.Context) []Condition {
		used, free, err := usage(dir)
		switch {
		case err != nil:
			return []Condition{{key, fmt.Sprintf("Can't check the disk that holds %s: %v.", what, err)}}
		case used >= DiskWarning:
			return []Condition{{key, fmt.Sprintf("The disk that holds %s is %d%% full; %d MB are free. When it is full, nobody can save.", what, int(used*100), free>>20)}}
		}
		return nil
	}
}
