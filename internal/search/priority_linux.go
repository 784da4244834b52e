package search

import "syscall"

// yieldToAll gives the calling thread the lowest priority: on Linux, unlike what
// POSIX says, each thread has its own (setpriority(2), NOTES).
func yieldToAll() error {
	const lowest = 19
	return syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), lowest)
}
