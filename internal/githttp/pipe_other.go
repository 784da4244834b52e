//go:build !linux

package githttp

import "os"

// enlarge does nothing: only Linux can change a pipe's capacity.
func enlarge(*os.File, int) {}
