//go:build !linux

package gitrepo

// limitProcess does nothing: only Linux can limit another process.
func limitProcess(int, bound) {}
