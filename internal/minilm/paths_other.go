//go:build !amd64 && !arm64

package minilm

// runnable are the paths that this processor can run, the fastest first.
func runnable() []arithmetic { return []arithmetic{portable{}} }
