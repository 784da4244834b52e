package gitrepo

import (
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Attack: clones and imports that take all processors. Their processes yield to the
// service.
func TestProcessesYield(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	limitProcess(cmd.Process.Pid, ownBound)
	const kernel = 20 // the system call returns 20 minus the nice value
	if got, err := unix.Getpriority(unix.PRIO_PROCESS, cmd.Process.Pid); err != nil || kernel-got < bulkPriority {
		t.Errorf("nice value %d, %v", kernel-got, err)
	}
}
