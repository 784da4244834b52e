//go:build !linux

package gitrepo

// restrict does nothing: only Linux bounds another process.
func restrict(int, bound) {}
