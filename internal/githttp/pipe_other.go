//go:build !linux

package githttp

import "os"

// enlarge does nothing: only Linux has a say in what a pipe holds.
func enlarge(*os.File, int) {}
