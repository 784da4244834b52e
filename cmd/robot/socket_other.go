//go:build !linux

package main

import (
	"os"
	"path/filepath"
)

// socketAddress returns the address of the socket in an open directory. Socket
// addresses have at most 104 bytes (unix(4) of macOS), so a data directory with a long
// path has no socket.
func socketAddress(dir *os.File) string { return filepath.Join(dir.Name(), socketName) }
