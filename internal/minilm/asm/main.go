// Asm writes the kernels of package minilm, with avo for amd64:
//
//	go generate ./internal/minilm
//
// There are two sets of kernels for amd64, for AVX-512 with VNNI and for AVX2
// with FMA. They share the code for floats, which is twice as wide for AVX-512.
// The set for arm64 is in arm64.go.
//
// All kernels read and write whole vectors. Widths are multiples of the vector
// size because the model's are. Where the number of rows matters, callers pad
// their buffers.
package main

import (
	"flag"
	"fmt"
	"math"
	"os"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A set is one instruction set.
type set struct {
	suffix string // of the kernels' names
	bytes  int    // in a vector
	vector func() reg.VecVirtual
	rows   []int // of the float product's variants, the largest first
}

var (
	avx512 = set{"AVX512", 64, ZMM, []int{12, 8, 4, 2, 1}}
	avx2   = set{"AVX2", 32, YMM, []int{6, 4, 2, 1}}
)

func main() {
	for _, s := range []set{avx512, avx2} {
		for _, rows := range s.rows {
			s.product(rows)
		}
		s.exponentials()
		s.gelu()
		s.addNorm()
	}
	for _, rows := range avx512.rows {
		linearVNNI(rows)
	}
	quantizeVNNI()
	for _, rows := range []int{3, 2, 1} {
		linearAVX2(rows)
	}
	quantizeAVX2()
	transpose()
	arm, armStubs := flag.String("arm64", "", "file for the kernels of arm64"), flag.String("arm64stubs", "", "file for their stubs")
	Generate() // parses the flags
	if err := writeNEON(*arm, *armStubs); err != nil {
		fmt.Fprintln(os.Stderr, "asm:", err)
		os.Exit(1)
	}
}

// begin opens a function.
func (s set) begin(name, signature, doc string) {
	TEXT(name+s.suffix, NOSPLIT, signature)
	Doc(name + s.suffix + " " + doc)
	Pragma("noescape")
}

func end() {
	VZEROUPPER()
	RET()
}

func param(name string) reg.GPVirtual {
	p := GP64()
	Load(Param(name), p)
	return p
}

// every returns a vector with v in each lane.
func (s set) every(v float32) reg.VecVirtual {
	r := s.vector()
	VBROADCASTSS(float(v), r)
	return r
}

// float returns a constant in memory, defined once per value.
func float(v float32) Mem { return bits(math.Float32bits(v)) }

var constants = map[uint32]Mem{}

func bits(b uint32) Mem {
	if _, ok := constants[b]; !ok {
		constants[b] = ConstData(fmt.Sprintf("c%08x", b), U32(b))
	}
	return constants[b]
}

// at returns vector i of those at p.
func (s set) at(p reg.Register, i int) Mem { return Mem{Base: p, Disp: i * s.bytes} }

// reduce sets each lane of x to the reduction of all lanes by op.
func (s set) reduce(x reg.VecVirtual, op func(...Op)) {
	t := s.vector()
	if s.bytes == 64 {
		VSHUFF32X4(Imm(0x4e), x, x, t)
		op(t, x, x)
		VSHUFF32X4(Imm(0xb1), x, x, t)
	} else {
		VPERM2F128(Imm(1), x, x, t)
	}
	op(t, x, x)
	VSHUFPS(Imm(0x4e), x, x, t)
	op(t, x, x)
	VSHUFPS(Imm(0xb1), x, x, t)
	op(t, x, x)
}

// rowPointers returns pointers to every third of n rows, stride bytes apart.
func rowPointers(first, stride reg.Register, n int) []reg.Register {
	pointers := []reg.Register{first}
	for len(pointers)*3 < n {
		p := GP64()
		LEAQ(Mem{Base: pointers[len(pointers)-1], Index: stride, Scale: 2}, p)
		ADDQ(stride, p)
		pointers = append(pointers, p)
	}
	return pointers
}

// row returns the address of row i of rowPointers, plus disp bytes.
func row(pointers []reg.Register, stride reg.Register, i, disp int) Mem {
	m := Mem{Base: pointers[i/3], Disp: disp}
	if i%3 > 0 {
		m.Index, m.Scale = stride, uint8(i%3)
	}
	return m
}
