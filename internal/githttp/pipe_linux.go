package githttp

import (
	"os"

	"golang.org/x/sys/unix"
)

// enlarge asks that a pipe hold so many bytes. One that does not works as well.
func enlarge(pipe *os.File, bytes int) {
	if raw, err := pipe.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, bytes) })
	}
}
