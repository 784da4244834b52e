//go:build !race

package slow

// Race reports whether the race detector is on, which makes code many times slower.
const Race = false
