//go:build !amd64 && !arm64

package minilm

// runnable returns the paths that this processor supports, fastest first.
func runnable() []arithmetic { return []arithmetic{portable{}} }
