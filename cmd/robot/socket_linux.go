package main

import (
	"fmt"
	"os"
)

// socketAddress returns the address of the socket in an open directory. It goes
// through the directory's descriptor, because socket addresses have at most 108 bytes
// (unix(7)).
func socketAddress(dir *os.File) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socketName)
}
