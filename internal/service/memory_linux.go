package service

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// releaseExecutable unmaps the parts of the executable that this process only reads.
// Those in use come back with the next access, usually from the system's page cache;
// most of it is only needed to start.
func releaseExecutable() {
	self, err := os.Executable()
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uintptr
		var access string
		line := lines.Text()
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); err != nil || !strings.HasSuffix(line, " "+self) {
			continue
		}
		if access == "r-xp" || access == "r--p" { // a page that was written to would be lost
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
		}
	}
}
