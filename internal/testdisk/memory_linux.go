package testdisk

import "syscall"

const (
	tmpfsMagic = 0x01021994 // statfs(2)
	stNoExec   = 0x8        // ST_NOEXEC
)

// inMemory reports whether dir is on a tmpfs that has enough space and allows
// running programs.
func inMemory(dir string) bool {
	var s syscall.Statfs_t
	return syscall.Statfs(dir, &s) == nil && s.Type == tmpfsMagic && s.Flags&stNoExec == 0 && s.Bavail*uint64(s.Bsize) >= minFree
}
