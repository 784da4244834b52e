//go:build unix && (amd64 || arm64)

package minilm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"robot.wtf/internal/slow"
)

// A guard allocates memory next to a page that must not be accessed: after the
// memory or before it.
type guard struct {
	t      testing.TB
	before bool
}

func (g guard) bytes(n int) []byte {
	g.t.Helper()
	page := unix.Getpagesize()
	size := (n + page - 1) / page * page
	all, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = unix.Munmap(all) })
	for _, wall := range [][]byte{all[:page], all[page+size:]} {
		if err := unix.Mprotect(wall, unix.PROT_NONE); err != nil {
			g.t.Fatal(err)
		}
	}
	if g.before {
		return all[page : page+n : page+n]
	}
	return all[page+size-n : page+size : page+size]
}

func (g guard) floats(n int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(g.bytes(4*n)))), n)
}

func (g guard) random(r *rand.Rand, n int) []float32 {
	f := g.floats(n)
	for i := range f {
		f[i] = float32(r.NormFloat64())
	}
	return f
}

// linear returns a random layer in guarded memory.
func (g guard) linear(r *rand.Rand, in, out int) *linear {
	l := &linear{in: in, out: out, q: g.bytes(in * out), scale: g.floats(out), bias: g.random(r, out), sum: g.floats(out)}
	for i := range l.q {
		l.q[i] = byte(int8(r.IntN(255) - 127))
		o := i/(panel*in)*panel + i/group%panel
		l.sum[o] += float32(int8(l.q[i]))
	}
	for o := range l.sum {
		l.scale[o] = 0.5 + r.Float32()/2
		l.sum[o] *= l.scale[o]
	}
	return l
}

// scratch returns a scratch in guarded memory.
func (g guard) scratch() *scratch {
	s := newScratch()
	s.qkv, s.context = g.floats(len(s.qkv)), g.floats(len(s.context))
	w := s.work()
	w.bytes = g.bytes(len(w.bytes))
	for _, f := range []*[]float32{&w.scale, &w.least, &w.keys, &w.values, &w.scores} {
		*f = g.floats(len(*f))
	}
	return s
}

// Every path computes the same as the portable one, for any number of rows, and
// accesses no memory outside its slices (that would crash the test).
func TestPathsStayWithinTheirSlices(t *testing.T) {
	some := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 25, 31, 32, 33, 47}
	if !slow.Enabled() {
		some = []int{1, 2, 3, 4, 7, 13, 17, 33}
	}
	for _, p := range runnable() {
		if p.name() == "portable" {
			continue
		}
		for _, before := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/before=%v", p.name(), before), func(t *testing.T) {
				g := guard{t, before}
				r := rand.New(rand.NewPCG(1, 2))
				s, plain := g.scratch(), newScratch()
				layers := []*linear{g.linear(r, Dim, 3*panel), g.linear(r, inner, panel)}
				for _, l := range layers {
					p.prepare(l)
				}
				for _, rows := range some {
					for _, l := range layers {
						x, y, want := g.random(r, rows*l.in), g.floats(rows*l.out), make([]float32, rows*l.out)
						p.linear(s, l, x, y, rows)
						portable{}.linear(plain, l, x, want, rows)
						near(t, fmt.Sprintf("linear, %d rows of %d", rows, l.in), y, want, 0.05*73*math.Sqrt(float64(l.in)))
					}
					checkAttend(t, p, s, plain, r, rows)
					checkRows(t, p, g, r, rows)
				}
				checkAttend(t, p, s, plain, r, MaxTokens)
			})
		}
	}
}

func checkAttend(t *testing.T, p arithmetic, s, plain *scratch, r *rand.Rand, rows int) {
	t.Helper()
	for i := range s.qkv {
		s.qkv[i] = float32(r.NormFloat64())
	}
	copy(plain.qkv, s.qkv)
	p.attend(s, rows)
	portable{}.attend(plain, rows)
	near(t, fmt.Sprintf("attend, %d rows", rows), s.context[:rows*Dim], plain.context[:rows*Dim], 1e-5)
}

func checkRows(t *testing.T, p arithmetic, g guard, r *rand.Rand, rows int) {
	t.Helper()
	n := &layerNorm{g.random(r, Dim), g.random(r, Dim)}
	x, y := g.random(r, rows*Dim), g.random(r, rows*Dim)
	want := append([]float32(nil), y...)
	p.addNorm(n, x, y, rows)
	portable{}.addNorm(n, x, want, rows)
	near(t, "addNorm", y, want, 1e-5)

	z := g.random(r, rows*inner)
	copy(z, []float32{0, -0.5, 5, -5, 60, -60, 1e30, -1e30, 1e-30})
	want = append([]float32(nil), z...)
	p.gelu(z)
	portable{}.gelu(want)
	want[7], z[7] = 0, z[7]*1e-30 // a tiny fraction of a huge number isn't tiny
	near(t, "gelu", z[:6], want[:6], 1e-5)
	near(t, "gelu", z[8:], want[8:], 1e-5)
}

// near fails if two values differ by more than tolerance.
func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	for i := range got {
		if d := math.Abs(float64(got[i]) - float64(want[i])); d > tolerance || math.IsNaN(d) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}
