package watch

import (
	"context"
	"fmt"
	"syscall"
)

// DiskWarning is the part of a disk from whose use on it is an alarm.
const DiskWarning = 0.8

// Disk tells how much of a directory's file system is in use, of its bytes or of
// its files, whichever is more (0..1), and how many bytes are free for us.
func Disk(dir string) (used float64, free uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("watch: room of %s: %w", dir, err)
	}
	part := func(total, free uint64) float64 {
		if total == 0 {
			return 0
		}
		return 1 - float64(free)/float64(total)
	}
	// As df does: what is kept for root is not ours.
	taken := s.Blocks - s.Bfree
	used = part(taken+s.Bavail, s.Bavail)
	return max(used, part(s.Files, s.Ffree)), s.Bavail * uint64(s.Bsize), nil
}

// DiskCheck is the Check of a directory's disk; what names it in the text.
func DiskCheck(key, what, dir string, room func(dir string) (used float64, free uint64, err error)) Check {
	return func(context.Context) []Condition {
		used, free, err := room(dir)
		switch {
		case err != nil:
			return []Condition{{key, fmt.Sprintf("The disk of %s cannot be looked at: %v.", what, err)}}
		case used >= DiskWarning:
			return []Condition{{key, fmt.Sprintf("The disk of %s is %d %% full; %d MB are free. Above 100 %% nobody can save.", what, int(used*100), free>>20)}}
		}
		return nil
	}
}
