package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// product: y[rows][2 vectors] = scale[row] * (x[rows][n] · w[n][2 vectors]).
func (s set) product(rows int) {
	s.begin(fmt.Sprintf("product%d", rows), "func(x *float32, xStride uintptr, w *float32, wStride uintptr, scale *float32, y *float32, yStride uintptr, n uintptr)",
		fmt.Sprintf("sets %d rows of y, each two vectors wide, to scale (one per row) times x·w;\n// x has n columns, w n rows. Strides are in bytes.", rows))
	x, xStride, w, wStride, n := param("x"), param("xStride"), param("w"), param("wStride"), param("n")
	sum := s.sums(rows)
	pointers := rowPointers(x, xStride, rows)
	w0, w1, v := s.vector(), s.vector(), s.vector()
	loop := fmt.Sprintf("product%d%s", rows, s.suffix)
	Label(loop)
	VMOVUPS(s.at(w, 0), w0)
	VMOVUPS(s.at(w, 1), w1)
	for i := range rows {
		VBROADCASTSS(row(pointers, xStride, i, 0), v)
		VFMADD231PS(w0, v, sum[i][0])
		VFMADD231PS(w1, v, sum[i][1])
	}
	for _, p := range pointers {
		ADDQ(Imm(4), p)
	}
	ADDQ(wStride, w)
	DECQ(n)
	JNZ(LabelRef(loop))
	scale, y, yStride := param("scale"), param("y"), param("yStride")
	for i := range rows {
		VBROADCASTSS(Mem{Base: scale, Disp: 4 * i}, v)
		for j := range 2 {
			VMULPS(v, sum[i][j], sum[i][j])
			VMOVUPS(sum[i][j], s.at(y, j))
		}
		if i < rows-1 {
			ADDQ(yStride, y)
		}
	}
	end()
}

// sums are two vectors of zeros for each row.
func (s set) sums(rows int) [][2]reg.VecVirtual {
	sum := make([][2]reg.VecVirtual, rows)
	for i := range sum {
		for j := range sum[i] {
			sum[i][j] = s.vector()
			VXORPS(sum[i][j], sum[i][j], sum[i][j])
		}
	}
	return sum
}

// exponentials: the numerators of a softmax, and one over their sum. e^x is
// 2^k·e^r, k whole and |r| ≤ ln2/2; the polynomial for e^r is that of Cephes'
// expf.
func (s set) exponentials() {
	s.begin("exponentials", "func(x *float32, n uintptr, inverse *float32)",
		"sets n vectors at x to e^(x-max), where max is the largest value, and inverse to\n// 1 over their sum.")
	x, n, inverse := param("x"), param("n"), param("inverse")
	largest, p, left := s.vector(), GP64(), GP64()
	start := func() { MOVQ(x, p); MOVQ(n, left) }
	next := func(label string) { ADDQ(Imm(uint64(s.bytes)), p); DECQ(left); JNZ(LabelRef(label)) }

	start()
	VMOVUPS(s.at(p, 0), largest)
	Label("largest" + s.suffix)
	VMAXPS(s.at(p, 0), largest, largest)
	next("largest" + s.suffix)
	s.reduce(largest, func(o ...Op) { VMAXPS(o[0], o[1], o[2]) })

	log2e, ln2High, ln2Low, least := s.every(math.Log2E), s.every(0.693359375), s.every(-2.12194440e-4), s.every(-87)
	power := s.polynomial(1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
	one, sum, v, k, y, z := s.every(1), s.vector(), s.vector(), s.vector(), s.vector(), s.vector()
	VXORPS(sum, sum, sum)
	start()
	Label("exponential" + s.suffix)
	VMOVUPS(s.at(p, 0), v)
	VSUBPS(largest, v, v)
	VMAXPS(least, v, v)
	VMULPS(log2e, v, k)
	VCVTPS2DQ(k, k)
	VCVTDQ2PS(k, z)
	VFNMADD231PS(ln2High, z, v)
	VFNMADD231PS(ln2Low, z, v)
	VMULPS(v, v, z)
	power(y, v)
	VFMADD213PS(v, z, y)
	VADDPS(one, y, y)
	VPSLLD(Imm(23), k, k)
	VPADDD(k, y, y) // times 2^k, in the exponent's bits
	VMOVUPS(y, s.at(p, 0))
	VADDPS(y, sum, sum)
	next("exponential" + s.suffix)
	s.reduce(sum, func(o ...Op) { VADDPS(o[0], o[1], o[2]) })
	VDIVPS(sum, one, sum)
	VMOVSS(sum.AsX(), Mem{Base: inverse})
	end()
}

// polynomial returns a function that emits code which sets y to the polynomial
// of v, the coefficient of the highest power first. AVX-512 keeps them in
// registers; AVX2 has too few and reads them each time.
func (s set) polynomial(coefficients ...float32) func(y, v reg.VecVirtual) {
	var kept []reg.VecVirtual
	if s.bytes == 64 {
		for _, c := range coefficients {
			kept = append(kept, s.every(c))
		}
	}
	coefficient := func(i int) reg.VecVirtual {
		if kept != nil {
			return kept[i]
		}
		return s.every(coefficients[i])
	}
	return func(y, v reg.VecVirtual) {
		VMOVAPS(coefficient(0), y)
		for i := 1; i < len(coefficients); i++ {
			VFMADD213PS(coefficient(i), v, y)
		}
	}
}

// gelu: x·(1+erf(x/√2))/2. erf is the quotient of two polynomials on [-4, 4],
// as in Eigen's generic_fast_erf.
func (s set) gelu() {
	s.begin("gelu", "func(x *float32, n uintptr)", "sets n vectors at x to x·Φ(x).")
	x, n := param("x"), param("n")
	root, low, high, one, half := s.every(1/math.Sqrt2), s.every(-4), s.every(4), s.every(1), s.every(.5)
	numerator := s.polynomial(-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05, -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02)
	denominator := s.polynomial(-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02)
	v, t, square, p, q := s.vector(), s.vector(), s.vector(), s.vector(), s.vector()
	loop := "gelu" + s.suffix
	Label(loop)
	VMOVUPS(s.at(x, 0), v)
	VMULPS(root, v, t)
	VMAXPS(low, t, t)
	VMINPS(high, t, t)
	VMULPS(t, t, square)
	numerator(p, square)
	denominator(q, square)
	VMULPS(t, p, p)
	VDIVPS(q, p, p)
	VADDPS(one, p, p)
	VMULPS(half, v, v)
	VMULPS(p, v, v)
	VMOVUPS(v, s.at(x, 0))
	ADDQ(Imm(uint64(s.bytes)), x)
	DECQ(n)
	JNZ(LabelRef(loop))
	end()
}

// addNorm: the layer norm of x + y.
func (s set) addNorm() {
	s.begin("addNorm", "func(x *float32, y *float32, gain *float32, bias *float32, n uintptr, share float32)",
		"adds n vectors at x to those at y, and replaces y by its layer norm; share is 1 over the\n// number of values.")
	x, y, gain, bias, n := param("x"), param("y"), param("gain"), param("bias"), param("n")
	share := s.vector()
	lowest := XMM()
	Load(Param("share"), lowest)
	VBROADCASTSS(lowest, share)
	i, left := GP64(), GP64()
	mean, variance, v, w := s.vector(), s.vector(), s.vector(), s.vector()
	at := func(p reg.Register) Mem { return Mem{Base: p, Index: i, Scale: 1} }
	loop := func(name string, body func()) {
		XORQ(i, i)
		MOVQ(n, left)
		Label(name + s.suffix)
		body()
		ADDQ(Imm(uint64(s.bytes)), i)
		DECQ(left)
		JNZ(LabelRef(name + s.suffix))
	}
	add := func(o ...Op) { VADDPS(o[0], o[1], o[2]) }
	VXORPS(mean, mean, mean)
	loop("add", func() {
		VMOVUPS(at(x), v)
		VADDPS(at(y), v, v)
		VMOVUPS(v, at(y))
		VADDPS(v, mean, mean)
	})
	s.reduce(mean, add)
	VMULPS(share, mean, mean)
	VXORPS(variance, variance, variance)
	loop("centre", func() {
		VMOVUPS(at(y), v)
		VSUBPS(mean, v, v)
		VMOVUPS(v, at(y))
		VFMADD231PS(v, v, variance)
	})
	s.reduce(variance, add)
	VFMADD213PS(s.every(1e-12), share, variance)
	VSQRTPS(variance, variance)
	one := s.every(1)
	VDIVPS(variance, one, variance)
	loop("norm", func() {
		VMULPS(at(y), variance, v)
		VMOVUPS(at(gain), w)
		VFMADD213PS(at(bias), w, v)
		VMOVUPS(v, at(y))
	})
	end()
}

// transpose turns an 8×8 block, for both sets.
func transpose() {
	avx2.begin("transpose8", "func(x *float32, xStride uintptr, y *float32, yStride uintptr)",
		"sets an 8×8 block at y to the one at x with rows and columns exchanged. Strides are in\n// bytes.")
	x, xStride, y, yStride := param("x"), param("xStride"), param("y"), param("yStride")
	var a, b [8]reg.VecVirtual
	for i := range a {
		a[i], b[i] = YMM(), YMM()
		VMOVUPS(Mem{Base: x}, a[i])
		ADDQ(xStride, x)
	}
	for i := 0; i < 8; i += 2 {
		VUNPCKLPS(a[i+1], a[i], b[i])
		VUNPCKHPS(a[i+1], a[i], b[i+1])
	}
	for i := 0; i < 8; i += 4 {
		VSHUFPS(Imm(0x44), b[i+2], b[i], a[i])
		VSHUFPS(Imm(0xee), b[i+2], b[i], a[i+1])
		VSHUFPS(Imm(0x44), b[i+3], b[i+1], a[i+2])
		VSHUFPS(Imm(0xee), b[i+3], b[i+1], a[i+3])
	}
	for half := range 2 {
		for i := range 4 {
			VPERM2F128(Imm(uint64(0x20+0x11*half)), a[i+4], a[i], b[i])
			VMOVUPS(b[i], Mem{Base: y})
			ADDQ(yStride, y)
		}
	}
	end()
}
