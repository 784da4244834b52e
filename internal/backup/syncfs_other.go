//go:build !linux

package backup

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFileSystemOf syncs the file system that holds an open directory. sync(2) only
// starts the writes on some systems; Sync then has the drive write its cache
// (F_FULLFSYNC on macOS).
func syncFileSystemOf(dir *os.File) error {
	if err := unix.Sync(); err != nil {
		return err
	}
	return dir.Sync()
}
