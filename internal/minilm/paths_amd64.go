package minilm

import "golang.org/x/sys/cpu"

// runnable returns the paths that this processor supports, fastest first.
func runnable() []arithmetic {
	var paths []arithmetic
	x := &cpu.X86
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VNNI {
		paths = append(paths, vnni{})
	}
	if x.HasAVX2 && x.HasFMA {
		paths = append(paths, avx2{})
	}
	return append(paths, portable{})
}

// vnni is the path for AVX-512 with VNNI, on 8-bit activations and weights.
type vnni struct{}

func (vnni) name() string { return "avx512vnni" }

func (vnni) prepare(*linear) {}

func (vnni) linear(s *scratch, l *linear, x, y []float32, rows int) {
	w := s.work()
	for r := range rows {
		quantizeAVX512(&x[r*l.in], &w.bytes[r*l.in], uintptr(l.in/16), &w.scale[r], &w.least[r])
	}
	for o := 0; o < l.out; o += panel {
		for r, n := 0, 0; r < rows; r += n {
			f := linear1AVX512
			switch n = block(rows-r, 12); n {
			case 12:
				f = linear12AVX512
			case 8:
				f = linear8AVX512
			case 4:
				f = linear4AVX512
			case 2:
				f = linear2AVX512
			}
			f(&w.bytes[r*l.in], uintptr(l.in), &l.q[o*l.in], uintptr(l.in/group), &w.scale[r], &w.least[r],
				&l.scale[o], &l.sum[o], &l.bias[o], &y[r*l.out+o], uintptr(4*l.out))
		}
	}
}

func (vnni) attend(s *scratch, rows int) {
	attention{lanes: 16, columns: 32, queries: 12, exponentials: exponentialsAVX512, transpose: transposeBlock, product: func(rows int) productKernel {
		switch rows {
		case 12:
			return product12AVX512
		case 8:
			return product8AVX512
		case 4:
			return product4AVX512
		case 2:
			return product2AVX512
		}
		return product1AVX512
	}}.compute(s, rows)
}

func transposeBlock(qkv, y []float32, stride int) {
	transpose8AVX2(&qkv[0], 4*3*Dim, &y[0], uintptr(4*stride))
}

func (vnni) gelu(x []float32) { geluAVX512(&x[0], uintptr(len(x)/16)) }

func (vnni) addNorm(n *layerNorm, x, y []float32, rows int) {
	for r := range rows {
		addNormAVX512(&x[r*Dim], &y[r*Dim], &n.gain[0], &n.bias[0], Dim/16, 1./Dim)
	}
}

// avx2 is the path for AVX2 with FMA, on 7-bit activations and 8-bit weights.
type avx2 struct{}

func (avx2) name() string { return "avx2" }

func (avx2) prepare(l *linear) {
	l.parts = make([]float32, l.out*l.in/part)
	for i, q := range l.q {
		l.parts[i/(panel*part)*panel+i/group%panel] += float32(int8(q))
	}
}

func (avx2) linear(s *scratch, l *linear, x, y []float32, rows int) {
	w := s.work()
	parts := l.in / part
	for r := range rows {
		quantizeAVX2(&x[r*l.in], &w.bytes[r*l.in], uintptr(parts), &w.scale[r*parts], &w.least[r*parts])
	}
	for o := 0; o < l.out; o += panel {
		for r, n := 0, 0; r < rows; r += n {
			f := linear3AVX2
			n = min(rows-r, 3)
			switch n {
			case 2:
				f = linear2AVX2
			case 1:
				f = linear1AVX2
			}
			f(&w.bytes[r*l.in], uintptr(l.in), &l.q[o*l.in], uintptr(parts), &w.scale[r*parts], &w.least[r*parts], uintptr(4*parts),
				&l.parts[o*parts], &l.scale[o], &l.bias[o], &y[r*l.out+o], uintptr(4*l.out))
		}
	}
}

func (avx2) attend(s *scratch, rows int) {
	attention{lanes: 8, columns: 16, queries: 6, exponentials: exponentialsAVX2, transpose: transposeBlock, product: func(rows int) productKernel {
		switch rows {
		case 6:
			return product6AVX2
		case 4:
			return product4AVX2
		case 2:
			return product2AVX2
		}
		return product1AVX2
	}}.compute(s, rows)
}

func (avx2) gelu(x []float32) { geluAVX2(&x[0], uintptr(len(x)/8)) }

func (avx2) addNorm(n *layerNorm, x, y []float32, rows int) {
	for r := range rows {
		addNormAVX2(&x[r*Dim], &y[r*Dim], &n.gain[0], &n.bias[0], Dim/8, 1./Dim)
	}
}
