package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const linearSignature = "func(x *%s, xStride uintptr, w *byte, groups uintptr, rowScale *float32, rowLeast *float32, scale *float32, sum *float32, bias *float32, y *float32, yStride uintptr)"

// vpdpbusd adds to each 32-bit lane the products of its four unsigned bytes of
// u and signed bytes of s. avo does not know it.
func vpdpbusd(s, u Op, lanes reg.VecVirtual) {
	Instruction(&ir.Instruction{Opcode: "VPDPBUSD", Operands: []Op{s, u, lanes}, Inputs: []Op{s, u, lanes}, Outputs: []Op{lanes}})
}

// linearVNNI: a panel of 32 outputs, which are two vectors of four-byte lanes.
func linearVNNI(rows int) {
	s := avx512
	name := fmt.Sprintf("linear%d", rows)
	s.begin(name, fmt.Sprintf(linearSignature, "uint8"),
		fmt.Sprintf("sets %d rows of y, 32 wide, from bytes x and a panel of weights w with that many\n// groups of inputs. Strides are in bytes.", rows))
	x, xStride, w, groups := param("x"), param("xStride"), param("w"), param("groups")
	sum := s.sums(rows)
	pointers := rowPointers(x, xStride, rows)
	w0, w1, v := s.vector(), s.vector(), s.vector()
	loop := name + s.suffix
	const unroll = 4 // groups; the model's layers have 96 and 384
	Label(loop)
	for g := range unroll {
		VMOVDQU32(s.at(w, 2*g), w0)
		VMOVDQU32(s.at(w, 2*g+1), w1)
		for i := range rows {
			VPBROADCASTD(row(pointers, xStride, i, 4*g), v)
			vpdpbusd(w0, v, sum[i][0])
			vpdpbusd(w1, v, sum[i][1])
		}
	}
	for _, p := range pointers {
		ADDQ(Imm(4*unroll), p)
	}
	ADDQ(U32(128*unroll), w)
	SUBQ(Imm(unroll), groups)
	JNZ(LabelRef(loop))
	for j := range 2 {
		column := make([]reg.VecVirtual, rows)
		for i := range column {
			column[i] = sum[i][j]
		}
		s.finish(column, j)
	}
	end()
}

// finish turns the integer sums of a vector of outputs into
// sum*rowScale*scale + rowLeast*weights + bias, and stores them.
func (s set) finish(column []reg.VecVirtual, j int) {
	rowScale, rowLeast, y, yStride := param("rowScale"), param("rowLeast"), param("y"), param("yStride")
	scale, weights, bias, v := s.vector(), s.vector(), s.vector(), s.vector()
	p := param("scale")
	VMOVUPS(s.at(p, j), scale)
	p = param("sum")
	VMOVUPS(s.at(p, j), weights)
	p = param("bias")
	VMOVUPS(s.at(p, j), bias)
	for i, sum := range column {
		VCVTDQ2PS(sum, sum)
		VBROADCASTSS(Mem{Base: rowScale, Disp: 4 * i}, v)
		VMULPS(scale, v, v)
		VFMADD213PS(bias, v, sum)
		VBROADCASTSS(Mem{Base: rowLeast, Disp: 4 * i}, v)
		VFMADD231PS(weights, v, sum)
		VMOVUPS(sum, s.at(y, j))
		if i < len(column)-1 {
			ADDQ(yStride, y)
		}
	}
}

// quantizeVNNI: bytes 0 to 255, so that x is about least + scale*q.
func quantizeVNNI() {
	s := avx512
	s.begin("quantize", "func(x *float32, q *uint8, n uintptr, scale *float32, least *float32)",
		"rounds n vectors at x to bytes, so that x is about least + scale*q.")
	x, q, n := param("x"), param("q"), param("n")
	low, high, v, p, left := s.vector(), s.vector(), s.vector(), GP64(), GP64()
	MOVQ(x, p)
	MOVQ(n, left)
	VMOVUPS(s.at(p, 0), low)
	VMOVUPS(low, high)
	Label("bounds" + s.suffix)
	VMOVUPS(s.at(p, 0), v)
	VMINPS(v, low, low)
	VMAXPS(v, high, high)
	ADDQ(Imm(64), p)
	DECQ(left)
	JNZ(LabelRef("bounds" + s.suffix))
	s.reduce(low, func(o ...Op) { VMINPS(o[0], o[1], o[2]) })
	s.reduce(high, func(o ...Op) { VMAXPS(o[0], o[1], o[2]) })
	p = param("least")
	VMOVSS(low.AsX(), Mem{Base: p})
	VSUBPS(low, high, high)
	VMAXPS(s.every(1e-20), high, high)
	VMULPS(s.every(1./255), high, high)
	p = param("scale")
	VMOVSS(high.AsX(), Mem{Base: p})
	inverse := s.every(1)
	VDIVPS(high, inverse, inverse)
	Label("round" + s.suffix)
	VMOVUPS(s.at(x, 0), v)
	VSUBPS(low, v, v)
	VMULPS(inverse, v, v)
	VCVTPS2DQ(v, v)
	VPMOVUSDB(v, Mem{Base: q})
	ADDQ(Imm(64), x)
	ADDQ(Imm(16), q)
	DECQ(n)
	JNZ(LabelRef("round" + s.suffix))
	end()
}

// linearAVX2: eight outputs, a quarter of a panel. A vector has four inputs of
// four outputs in 16 bits; VPMADDWD leaves two sums for each output, which are
// added at the end.
func linearAVX2(rows int) {
	s := avx2
	name := fmt.Sprintf("linear%d", rows)
	s.begin(name, fmt.Sprintf(linearSignature, "int16"),
		fmt.Sprintf("sets %d rows of y, 8 wide, from x and a quarter of a panel of weights w with that many\n// groups of inputs. Strides are in bytes.", rows))
	x, xStride, w, groups := param("x"), param("xStride"), param("w"), param("groups")
	sum := s.sums(rows)
	pointers := rowPointers(x, xStride, rows)
	w0, w1, v, t := s.vector(), s.vector(), s.vector(), s.vector()
	loop := name + s.suffix
	const unroll = 2
	Label(loop)
	for g := range unroll {
		VPMOVSXBW(Mem{Base: w, Disp: 128 * g}, w0)
		VPMOVSXBW(Mem{Base: w, Disp: 128*g + 16}, w1)
		for i := range rows {
			VPBROADCASTQ(row(pointers, xStride, i, 8*g), v)
			VPMADDWD(v, w0, t)
			VPADDD(t, sum[i][0], sum[i][0])
			VPMADDWD(v, w1, v)
			VPADDD(v, sum[i][1], sum[i][1])
		}
	}
	for _, p := range pointers {
		ADDQ(Imm(8*unroll), p)
	}
	ADDQ(U32(128*unroll), w)
	SUBQ(Imm(unroll), groups)
	JNZ(LabelRef(loop))
	column := make([]reg.VecVirtual, rows)
	for i := range column {
		VPHADDD(sum[i][1], sum[i][0], sum[i][0])
		VPERMQ(Imm(0xd8), sum[i][0], sum[i][0])
		column[i] = sum[i][0]
	}
	s.finish(column, 0)
	end()
}

// quantizeAVX2: 14 bits with sign. At most 1,536 products with 127 are added
// in 32 bits: 8191*127*1536 is below 2^31.
func quantizeAVX2() {
	s := avx2
	s.begin("quantize", "func(x *float32, q *int16, n uintptr, scale *float32)",
		"rounds n pairs of vectors at x to 14 bits, so that x is about scale*q.")
	x, q, n := param("x"), param("q"), param("n")
	sign, largest, v, w, p, left := s.vector(), s.every(1e-20), s.vector(), s.vector(), GP64(), GP64()
	VBROADCASTSS(bits(0x7fffffff), sign)
	MOVQ(x, p)
	MOVQ(n, left)
	Label("bounds" + s.suffix)
	VANDPS(s.at(p, 0), sign, v)
	VMAXPS(v, largest, largest)
	VANDPS(s.at(p, 1), sign, v)
	VMAXPS(v, largest, largest)
	ADDQ(Imm(64), p)
	DECQ(left)
	JNZ(LabelRef("bounds" + s.suffix))
	s.reduce(largest, func(o ...Op) { VMAXPS(o[0], o[1], o[2]) })
	VMULPS(s.every(1./8191), largest, largest)
	p = param("scale")
	VMOVSS(largest.AsX(), Mem{Base: p})
	inverse := s.every(1)
	VDIVPS(largest, inverse, inverse)
	Label("round" + s.suffix)
	VMULPS(s.at(x, 0), inverse, v)
	VMULPS(s.at(x, 1), inverse, w)
	VCVTPS2DQ(v, v)
	VCVTPS2DQ(w, w)
	VPACKSSDW(w, v, v)
	VPERMQ(Imm(0xd8), v, v)
	VMOVDQU(v, Mem{Base: q})
	ADDQ(Imm(64), x)
	ADDQ(Imm(32), q)
	DECQ(n)
	JNZ(LabelRef("round" + s.suffix))
	end()
}
