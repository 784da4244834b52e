package main

import (
	"fmt"
	"math"
	"os"
	"strings"
)

// neon writes the kernels for arm64 with the dot product extension. avo knows
// amd64 only and Go's assembler few of these instructions, so vector
// instructions are written as words, encoded as in the Arm Architecture
// Reference Manual, C7.2.
type neon struct {
	code, stubs strings.Builder
	labels      int
}

// Registers v0 to v31, and x0 to x15, are numbers here.

type encoding uint32

// Three-operand instructions on four lanes: OP d, n, m.
const (
	fadd encoding = 0x4E20D400
	fsub encoding = 0x4EA0D400
	fmul encoding = 0x6E20DC00
	fdiv encoding = 0x6E20FC00
	fmax encoding = 0x4E20F400
	fmin encoding = 0x4EA0F400
	fmla encoding = 0x4E20CC00 // d += n*m
	fmls encoding = 0x4EA0CC00 // d -= n*m
	add4 encoding = 0x4EA08400
	eor  encoding = 0x6E201C00
	padd encoding = 0x6E20D400 // faddp
)

// Two-operand instructions: OP d, n.
const (
	fcvtns  encoding = 0x4E21A800 // to the nearest whole number, ties to even
	scvtf   encoding = 0x4E21D800
	fsqrt   encoding = 0x6EA1F800
	fmaxv   encoding = 0x6E30F800
	fminv   encoding = 0x6EB0F800
	shl23   encoding = 0x4F375400
	dup     encoding = 0x4E040400 // lane 0 into all
	sqxtn4  encoding = 0x0E614800 // 32 to 16 bits, the lower half of d
	sqxtn4b encoding = 0x4E614800 // the upper half
	sqxtn8  encoding = 0x0E214800 // 16 to 8 bits
	sqxtn8b encoding = 0x4E214800
)

// Memory, d at address [n].
const (
	load      encoding = 0x3DC00000 // ldr q, [x, #16*i]
	store     encoding = 0x3D800000
	loadNext  encoding = 0x3CC10400 // ldr q, [x], #16
	every     encoding = 0x4D40C800 // ld1r 4s, [x]
	everyNext encoding = 0x4DDFC800 // ld1r 4s, [x], #4
	store1    encoding = 0xBD000000 // str s, [x]
)

func (k *neon) line(format string, args ...any) { fmt.Fprintf(&k.code, "\t"+format+"\n", args...) }

func (k *neon) word(e encoding, name string) { k.line("WORD $0x%08X // %s", uint32(e), name) }

func (k *neon) op3(e encoding, d, n, m int) {
	k.word(e|encoding(m<<16|n<<5|d), fmt.Sprintf("%s v%d, v%d, v%d", names[e], d, n, m))
}

func (k *neon) op2(e encoding, d, n int) {
	k.word(e|encoding(n<<5|d), fmt.Sprintf("%s v%d, v%d", names[e], d, n))
}

func (k *neon) mem(e encoding, v, x, i int) {
	k.word(e|encoding(i<<10|x<<5|v), fmt.Sprintf("%s v%d, [x%d], %d", names[e], v, x, i))
}

// sdot adds to each lane of d the products of its four bytes of n with the
// four bytes i of m.
func (k *neon) sdot(d, n, m, i int) {
	k.word(encoding(0x4F80E000|(i&1)<<21|(i>>1)<<11|m<<16|n<<5|d), fmt.Sprintf("sdot v%d, v%d, v%d[%d]", d, n, m, i))
}

func (k *neon) constant(v int, f float64) {
	k.line("MOVW $0x%08X, R15", math.Float32bits(float32(f)))
	k.word(encoding(0x4E040C00|15<<5|v), fmt.Sprintf("dup v%d, w15 // %g", v, f))
}

var names = map[encoding]string{fadd: "fadd", fsub: "fsub", fmul: "fmul", fdiv: "fdiv", fmax: "fmax", fmin: "fmin", fmla: "fmla", fmls: "fmls", add4: "add", eor: "eor", padd: "faddp",
	fcvtns: "fcvtns", scvtf: "scvtf", fsqrt: "fsqrt", fmaxv: "fmaxv", fminv: "fminv", shl23: "shl 23", dup: "dup", sqxtn4: "sqxtn 4h", sqxtn4b: "sqxtn2 8h", sqxtn8: "sqxtn 8b", sqxtn8b: "sqxtn2 16b",
	load: "ldr", store: "str", loadNext: "ldr next", every: "ld1r", everyNext: "ld1r next", store1: "str s"}

// function opens one with parameters, loaded into x0 and on.
func (k *neon) function(name, doc string, params ...string) {
	var list []string
	for _, p := range params {
		list = append(list, strings.ReplaceAll(p, ":", " "))
	}
	fmt.Fprintf(&k.stubs, "\n// %s %s\n//\n//go:noescape\nfunc %s(%s)\n", name, doc, name, strings.Join(list, ", "))
	fmt.Fprintf(&k.code, "\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", name, strings.Join(list, ", "), name, 8*len(params))
	for i, p := range params {
		p, _, _ = strings.Cut(p, ":")
		k.line("MOVD %s+%d(FP), R%d", p, 8*i, i)
	}
}

// loop repeats body until x counts down to zero.
func (k *neon) loop(x int, body func()) {
	k.labels++
	label := fmt.Sprintf("loop%d", k.labels)
	fmt.Fprintf(&k.code, "%s:\n", label)
	body()
	k.line("SUBS $1, R%d, R%d", x, x)
	k.line("BNE %s", label)
}

func (k *neon) zero(v int) { k.op3(eor, v, v, v) }

// linear: a panel of 32 outputs is eight vectors, and rows of x.
func (k *neon) linear(rows int) {
	k.function(fmt.Sprintf("linear%dNEON", rows), fmt.Sprintf("sets %d rows of y, 32 wide, from signed bytes x and a panel of weights w with four\n// times that many groups of inputs. Strides are in bytes.", rows),
		"x:*uint8", "xStride:uintptr", "w:*byte", "fours:uintptr", "rowScale:*float32", "rowLeast:*float32", "scale:*float32", "sum:*float32", "bias:*float32", "y:*float32", "yStride:uintptr")
	acc := func(i, j int) int { return 8*i + j } // v0 to v23
	for v := range 8 * rows {
		k.zero(v)
	}
	row := []int{0, 11, 12}
	for i := 1; i < rows; i++ {
		k.line("ADD R1, R%d, R%d", row[i-1], row[i])
	}
	k.loop(3, func() {
		for i := range rows {
			k.mem(loadNext, 24+i, row[i], 0)
		}
		for g := range 4 {
			for j := range 8 {
				w := 27 + j%4
				k.mem(loadNext, w, 2, 0)
				for i := range rows {
					k.sdot(acc(i, j), w, 24+i, g)
				}
			}
		}
	})
	for i := range rows {
		k.mem(everyNext, 24, 4, 0)
		k.mem(everyNext, 25, 5, 0)
		for j := range 8 {
			a := acc(i, j)
			k.op2(scvtf, a, a)
			k.mem(load, 26, 6, j)
			k.op3(fmul, 26, 26, 24)
			k.mem(load, 27, 8, j)
			k.op3(fmla, 27, a, 26)
			k.mem(load, 28, 7, j)
			k.op3(fmla, 27, 28, 25)
			k.mem(store, 27, 9, j)
		}
		k.line("ADD R10, R9, R9")
	}
	k.line("RET")
}

// quantize: signed bytes, so that x is about least + scale*q.
func (k *neon) quantize() {
	k.function("quantizeNEON", "rounds n sixteens of floats at x to signed bytes, so that x is about least + scale*q.",
		"x:*float32", "q:*uint8", "n:uintptr", "scale:*float32", "least:*float32")
	k.line("MOVD R0, R5")
	k.line("MOVD R2, R6")
	k.mem(load, 0, 0, 0)
	k.mem(load, 1, 0, 0)
	k.loop(6, func() {
		for i := range 4 {
			k.mem(loadNext, 2+i, 5, 0)
			k.op3(fmin, 0, 0, 2+i)
			k.op3(fmax, 1, 1, 2+i)
		}
	})
	k.op2(fminv, 0, 0)
	k.op2(dup, 0, 0)
	k.op2(fmaxv, 1, 1)
	k.op2(dup, 1, 1)
	k.op3(fsub, 1, 1, 0)
	k.constant(6, 1e-20)
	k.op3(fmax, 1, 1, 6)
	k.constant(6, 255)
	k.op3(fdiv, 7, 1, 6) // scale
	k.mem(store1, 7, 3, 0)
	k.op3(fdiv, 16, 6, 1) // its inverse
	k.constant(6, 128)
	k.op3(fmla, 0, 7, 6) // what q = 0 stands for
	k.mem(store1, 0, 4, 0)
	k.loop(2, func() {
		for i := range 4 {
			k.mem(loadNext, 2+i, 0, 0)
			k.op3(fsub, 2+i, 2+i, 0)
			k.op3(fmul, 2+i, 2+i, 16)
			k.op2(fcvtns, 2+i, 2+i)
		}
		k.op2(sqxtn4, 17, 2)
		k.op2(sqxtn4b, 17, 3)
		k.op2(sqxtn4, 18, 4)
		k.op2(sqxtn4b, 18, 5)
		k.op2(sqxtn8, 19, 17)
		k.op2(sqxtn8b, 19, 18)
		k.mem(store, 19, 1, 0)
		k.line("ADD $16, R1, R1")
	})
	k.line("RET")
}

// product: rows of y, 16 wide.
func (k *neon) product(rows int) {
	k.function(fmt.Sprintf("product%dNEON", rows), fmt.Sprintf("sets %d rows of y, each 16 wide, to scale (one per row) times x·w;\n// x has n columns, w n rows. Strides are in bytes.", rows),
		"x:*float32", "xStride:uintptr", "w:*float32", "wStride:uintptr", "scale:*float32", "y:*float32", "yStride:uintptr", "n:uintptr")
	row := []int{0, 8, 9, 10}
	for i := 1; i < rows; i++ {
		k.line("ADD R1, R%d, R%d", row[i-1], row[i])
	}
	for v := range 4 * rows {
		k.zero(v)
	}
	k.loop(7, func() {
		for j := range 4 {
			k.mem(load, 20+j, 2, j)
		}
		k.line("ADD R3, R2, R2")
		for i := range rows {
			k.mem(everyNext, 24+i, row[i], 0)
			for j := range 4 {
				k.op3(fmla, 4*i+j, 20+j, 24+i)
			}
		}
	})
	for i := range rows {
		k.mem(everyNext, 24, 4, 0)
		for j := range 4 {
			k.op3(fmul, 4*i+j, 4*i+j, 24)
			k.mem(store, 4*i+j, 5, j)
		}
		k.line("ADD R6, R5, R5")
	}
	k.line("RET")
}

// polynomial sets y to that of v, with t for coefficients in registers from c.
func (k *neon) polynomial(y, t, v, c, n int) {
	k.op3(fmul, y, v, c)
	k.op3(fadd, y, y, c+1)
	for i := 2; i < n; i++ {
		k.op3(fmul, t, y, v)
		k.op3(fadd, y, t, c+i)
	}
}

func (k *neon) constants(v int, f ...float64) {
	for i, c := range f {
		k.constant(v+i, c)
	}
}

// exponentials: as for amd64.
func (k *neon) exponentials() {
	k.function("exponentialsNEON", "sets n vectors at x to e^(x-max), where max is the largest value, and inverse to\n// 1 over their sum.",
		"x:*float32", "n:uintptr", "inverse:*float32")
	k.line("MOVD R0, R3")
	k.line("MOVD R1, R4")
	k.mem(load, 0, 0, 0)
	k.loop(4, func() {
		k.mem(loadNext, 1, 3, 0)
		k.op3(fmax, 0, 0, 1)
	})
	k.op2(fmaxv, 0, 0)
	k.op2(dup, 0, 0)
	k.constants(16, 1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
	k.constants(22, math.Log2E, 0.693359375, -2.12194440e-4, -87, 1)
	k.zero(7)
	k.loop(1, func() {
		k.mem(load, 1, 0, 0)
		k.op3(fsub, 1, 1, 0)
		k.op3(fmax, 1, 1, 25)
		k.op3(fmul, 2, 1, 22)
		k.op2(fcvtns, 2, 2)
		k.op2(scvtf, 3, 2)
		k.op3(fmls, 1, 3, 23)
		k.op3(fmls, 1, 3, 24)
		k.polynomial(4, 5, 1, 16, 6)
		k.op3(fmul, 3, 1, 1)
		k.op3(fmla, 1, 4, 3)
		k.op3(fadd, 1, 1, 26)
		k.op2(shl23, 2, 2)
		k.op3(add4, 1, 1, 2)
		k.mem(store, 1, 0, 0)
		k.line("ADD $16, R0, R0")
		k.op3(fadd, 7, 7, 1)
	})
	k.op3(padd, 7, 7, 7)
	k.op3(padd, 7, 7, 7)
	k.op3(fdiv, 7, 26, 7)
	k.mem(store1, 7, 2, 0)
	k.line("RET")
}

// gelu: as for amd64.
func (k *neon) gelu() {
	k.function("geluNEON", "sets n vectors at x to x·Φ(x).", "x:*float32", "n:uintptr")
	k.constants(16, -2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05, -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02)
	k.constants(23, -1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02)
	k.constants(28, -4, 4, 1, .5)
	k.constant(7, 1/math.Sqrt2)
	k.loop(1, func() {
		k.mem(load, 0, 0, 0)
		k.op3(fmul, 1, 0, 7)
		k.op3(fmax, 1, 1, 28)
		k.op3(fmin, 1, 1, 29)
		k.op3(fmul, 2, 1, 1)
		k.polynomial(3, 5, 2, 16, 7)
		k.polynomial(4, 5, 2, 23, 5)
		k.op3(fmul, 3, 3, 1)
		k.op3(fdiv, 3, 3, 4)
		k.op3(fadd, 3, 3, 30)
		k.op3(fmul, 0, 0, 31)
		k.op3(fmul, 0, 0, 3)
		k.mem(store, 0, 0, 0)
		k.line("ADD $16, R0, R0")
	})
	k.line("RET")
}

// addNorm: as for amd64.
func (k *neon) addNorm() {
	k.function("addNormNEON", "adds n vectors at x to those at y, and replaces y by its layer norm; count points to\n// the number of values.",
		"x:*float32", "y:*float32", "gain:*float32", "bias:*float32", "n:uintptr", "count:*float32")
	again := func(vector func()) {
		k.line("MOVD R1, R6")
		k.line("MOVD R4, R7")
		k.loop(7, func() {
			k.mem(load, 1, 6, 0)
			vector()
			k.mem(store, 1, 6, 0)
			k.line("ADD $16, R6, R6")
		})
	}
	k.mem(every, 4, 5, 0)
	k.zero(0)
	again(func() {
		k.mem(loadNext, 2, 0, 0)
		k.op3(fadd, 1, 1, 2)
		k.op3(fadd, 0, 0, 1)
	})
	k.op3(padd, 0, 0, 0)
	k.op3(padd, 0, 0, 0)
	k.op3(fdiv, 0, 0, 4) // mean
	k.zero(3)
	again(func() {
		k.op3(fsub, 1, 1, 0)
		k.op3(fmla, 3, 1, 1)
	})
	k.op3(padd, 3, 3, 3)
	k.op3(padd, 3, 3, 3)
	k.op3(fdiv, 3, 3, 4) // variance
	k.constant(2, 1e-12)
	k.op3(fadd, 3, 3, 2)
	k.op2(fsqrt, 3, 3)
	k.constant(2, 1)
	k.op3(fdiv, 3, 2, 3)
	again(func() {
		k.op3(fmul, 1, 1, 3)
		k.mem(loadNext, 5, 2, 0)
		k.op3(fmul, 1, 1, 5)
		k.mem(loadNext, 6, 3, 0)
		k.op3(fadd, 1, 1, 6)
	})
	k.line("RET")
}

// writeNEON writes the kernels and their stubs.
func writeNEON(file, stubs string) error {
	const made = "// Code generated by asm. DO NOT EDIT.\n\n"
	k := &neon{}
	k.code.WriteString(made + "#include \"textflag.h\"\n")
	k.stubs.WriteString(made + "package minilm\n")
	for _, rows := range []int{3, 2, 1} {
		k.linear(rows)
	}
	for _, rows := range []int{4, 2, 1} {
		k.product(rows)
	}
	k.quantize()
	k.exponentials()
	k.gelu()
	k.addNorm()
	if err := os.WriteFile(file, []byte(k.code.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(stubs, []byte(k.stubs.String()), 0o644)
}
