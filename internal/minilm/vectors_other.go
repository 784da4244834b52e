//go:build !amd64 && !arm64

package minilm

// vectorScratch is empty: there are no vector kernels.
type vectorScratch struct{}
