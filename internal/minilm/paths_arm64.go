package minilm

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// runnable returns the paths that this processor supports, fastest first.
func runnable() []arithmetic {
	// All Apple processors that run Go have the dot product extension.
	if cpu.ARM64.HasASIMDDP || runtime.GOOS == "darwin" {
		return []arithmetic{neon{}, portable{}}
	}
	return []arithmetic{portable{}}
}

// neon is the path for arm64 with the dot product extension, on 8-bit activations
// and weights.
type neon struct{}

func (neon) name() string { return "neon" }

func (neon) prepare(*linear) {}

func (neon) linear(s *scratch, l *linear, x, y []float32, rows int) {
	w := s.work()
	for r := range rows {
		quantizeNEON(&x[r*l.in], &w.bytes[r*l.in], uintptr(l.in/16), &w.scale[r], &w.least[r])
	}
	for o := 0; o < l.out; o += panel {
		for r, n := 0, 0; r < rows; r += n {
			f := linear3NEON
			n = min(rows-r, 3)
			switch n {
			case 2:
				f = linear2NEON
			case 1:
				f = linear1NEON
			}
			f(&w.bytes[r*l.in], uintptr(l.in), &l.q[o*l.in], uintptr(l.in/group/4), &w.scale[r], &w.least[r],
				&l.scale[o], &l.sum[o], &l.bias[o], &y[r*l.out+o], uintptr(4*l.out))
		}
	}
}

func (neon) attend(s *scratch, rows int) {
	attention{lanes: 4, columns: 16, queries: 4, exponentials: exponentialsNEON, transpose: transposeBlock, product: func(rows int) productKernel {
		switch rows {
		case 4:
			return product4NEON
		case 2:
			return product2NEON
		}
		return product1NEON
	}}.compute(s, rows)
}

func transposeBlock(qkv, y []float32, stride int) {
	for r := range 8 {
		for i, v := range qkv[r*3*Dim : r*3*Dim+8] {
			y[i*stride+r] = v
		}
	}
}

func (neon) gelu(x []float32) { geluNEON(&x[0], uintptr(len(x)/4)) }

func (neon) addNorm(n *layerNorm, x, y []float32, rows int) {
	count := float32(Dim)
	for r := range rows {
		addNormNEON(&x[r*Dim], &y[r*Dim], &n.gain[0], &n.bias[0], Dim/4, &count)
	}
}
