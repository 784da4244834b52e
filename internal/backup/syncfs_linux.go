package backup

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFileSystemOf syncs the file system that holds an open directory (syncfs(2)).
func syncFileSystemOf(dir *os.File) error { return unix.Syncfs(int(dir.Fd())) }
