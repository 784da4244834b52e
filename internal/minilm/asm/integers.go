package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vpdpbusd adds to each 32-bit lane the products of its four unsigned bytes of
// u and signed bytes of s. avo does not know it.
func vpdpbusd(s, u Op, lanes reg.VecVirtual) {
	Instruction(&ir.Instruction{Opcode: "VPDPBUSD", Operands: []Op{s, u, lanes}, Inputs: []Op{s, u, lanes}, Outputs: []Op{lanes}})
}

// linearVNNI: a panel of 32 outputs, which are two vectors of four-byte lanes.
func linearVNNI(rows int) {
	s := avx512
	name := fmt.Sprintf("linear%d", rows)
	s.begin(name, "func(x *uint8, xStride uintptr, w *byte, groups uintptr, rowScale *float32, rowLeast *float32, scale *float32, sum *float32, bias *float32, y *float32, yStride uintptr)",
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

// part is how many inputs of a row share a scale on the AVX2 path.
const part = 64

// linearAVX2: a panel of 32 outputs, which are four vectors of four-byte
// lanes. VPMADDUBSW adds two products in 16 bits, so x has 7 bits, and to be
// as exact as 8 bits a row each part of 64 inputs has a scale of its own.
func linearAVX2(rows int) {
	s := avx2
	name := fmt.Sprintf("linear%d", rows)
	s.begin(name, "func(x *uint8, xStride uintptr, w *byte, parts uintptr, rowScale *float32, rowLeast *float32, rowStride uintptr, sum *float32, scale *float32, bias *float32, y *float32, yStride uintptr)",
		fmt.Sprintf("sets %d rows of y, 32 wide, from 7-bit x and a panel of weights w with that many parts\n// of 64 inputs. Strides are in bytes.", rows))
	x, xStride, w, parts, y, yStride := param("x"), param("xStride"), param("w"), param("parts"), param("y"), param("yStride")
	rowScale, rowLeast, rowStride, sum := param("rowScale"), param("rowLeast"), param("rowStride"), param("sum")
	at := func(p, stride reg.Register, i, disp int) Mem { return row([]reg.Register{p}, stride, i, disp) }
	acc := make([][4]reg.VecVirtual, rows)
	v, t, ones := s.vector(), s.vector(), s.vector()
	VPCMPEQW(ones, ones, ones)
	VPSRLW(Imm(15), ones, ones)
	VXORPS(v, v, v)
	for i := range acc {
		for j := range acc[i] {
			acc[i][j] = s.vector()
			VMOVUPS(v, at(y, yStride, i, 32*j))
		}
	}
	Label("part" + name)
	for i := range acc {
		for j := range acc[i] {
			VPXOR(acc[i][j], acc[i][j], acc[i][j])
		}
	}
	left := GP64()
	const unroll = 4 // groups of four inputs; a part has 16
	MOVQ(U32(part/4/unroll), left)
	Label(name)
	for g := range unroll {
		for i := range acc {
			VPBROADCASTD(at(x, xStride, i, 4*g), v)
			for j := range acc[i] {
				VPMADDUBSW(Mem{Base: w, Disp: 128*g + 32*j}, v, t)
				VPMADDWD(ones, t, t)
				VPADDD(t, acc[i][j], acc[i][j])
			}
		}
	}
	ADDQ(Imm(4*unroll), x)
	ADDQ(U32(128*unroll), w)
	DECQ(left)
	JNZ(LabelRef(name))
	for i := range acc {
		VBROADCASTSS(at(rowScale, rowStride, i, 0), v)
		VBROADCASTSS(at(rowLeast, rowStride, i, 0), t)
		for j, a := range acc[i] {
			VCVTDQ2PS(a, a)
			VFMADD213PS(at(y, yStride, i, 32*j), v, a)
			VFMADD231PS(s.at(sum, j), t, a)
			VMOVUPS(a, at(y, yStride, i, 32*j))
		}
	}
	ADDQ(Imm(4), rowScale)
	ADDQ(Imm(4), rowLeast)
	ADDQ(U32(128), sum)
	DECQ(parts)
	JNZ(LabelRef("part" + name))
	scale, bias := param("scale"), param("bias")
	for j := range 4 {
		VMOVUPS(s.at(scale, j), t)
		for i := range acc {
			VMOVUPS(at(y, yStride, i, 32*j), v)
			VFMADD213PS(s.at(bias, j), t, v)
			VMOVUPS(v, at(y, yStride, i, 32*j))
		}
	}
	end()
}

// quantizeAVX2: 7 bits, so that x is about least + scale*q within a part.
func quantizeAVX2() {
	s := avx2
	s.begin("quantize", "func(x *float32, q *uint8, parts uintptr, scale *float32, least *float32)",
		"rounds parts of 64 floats at x to 7 bits, so that x is about least + scale*q; each\n// part has its own scale and least.")
	x, q, parts, scale, least := param("x"), param("q"), param("parts"), param("scale"), param("least")
	order := GLOBL("order", RODATA|NOPTR)
	for i, lane := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, U32(lane))
	}
	var v [8]reg.VecVirtual
	for i := range v {
		v[i] = s.vector()
	}
	low, high, lanes, most := s.vector(), s.vector(), s.vector(), s.every(127)
	VMOVDQU(order, lanes)
	Label("quantize" + s.suffix)
	for i := range v {
		VMOVUPS(s.at(x, i), v[i])
		switch i {
		case 0:
		case 1:
			VMINPS(v[0], v[1], low)
			VMAXPS(v[0], v[1], high)
		default:
			VMINPS(v[i], low, low)
			VMAXPS(v[i], high, high)
		}
	}
	s.reduce(low, func(o ...Op) { VMINPS(o[0], o[1], o[2]) })
	s.reduce(high, func(o ...Op) { VMAXPS(o[0], o[1], o[2]) })
	VMOVSS(low.AsX(), Mem{Base: least})
	VSUBPS(low, high, high)
	VMAXPS(s.every(1e-20), high, high)
	w := s.vector()
	VDIVPS(most, high, w)
	VMOVSS(w.AsX(), Mem{Base: scale})
	VDIVPS(high, most, high)
	for i := range v {
		VSUBPS(low, v[i], v[i])
		VMULPS(high, v[i], v[i])
		VCVTPS2DQ(v[i], v[i])
	}
	for i := 0; i < len(v); i += 4 {
		VPACKSSDW(v[i+1], v[i], v[i])
		VPACKSSDW(v[i+3], v[i+2], v[i+2])
		VPACKUSWB(v[i+2], v[i], v[i])
		VPERMD(v[i], lanes, v[i])
		VMOVDQU(v[i], Mem{Base: q, Disp: 8 * i})
	}
	ADDQ(U32(256), x)
	ADDQ(Imm(64), q)
	ADDQ(Imm(4), scale)
	ADDQ(Imm(4), least)
	DECQ(parts)
	JNZ(LabelRef("quantize" + s.suffix))
	end()
}
