package githttp

import (
	"os"

	"golang.org/x/sys/unix"
)

// enlarge requests a larger pipe buffer. A smaller one works too.
func enlarge(pipe *os.File, bytes int) {
	if raw, err := pipe.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, bytes) })
	}
}
