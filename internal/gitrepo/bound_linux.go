package gitrepo

import "golang.org/x/sys/unix"

// bulkPriority is the nice value of git processes. Clones and imports take as long as
// they need; requests for pages don't wait for them.
const bulkPriority = 10

// limitProcess limits a process that has just started, and its future children.
// It ignores errors: a process that already ended needs no limits.
func limitProcess(pid int, b bound) {
	set := func(resource int, n uint64) {
		_ = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: n, Max: n}, nil)
	}
	set(unix.RLIMIT_CPU, uint64(b.time.Seconds())+1)
	set(unix.RLIMIT_AS, b.memory)
	set(unix.RLIMIT_CORE, 0)
	_ = unix.Setpriority(unix.PRIO_PGRP, pid, bulkPriority)
	if b.file > 0 {
		set(unix.RLIMIT_FSIZE, b.file)
	}
}
