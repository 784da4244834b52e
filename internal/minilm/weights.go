package minilm

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"fmt"
	"math"
)

// The shape of all-MiniLM-L6-v2.
const (
	layers = 6
	heads  = 12
	head   = Dim / heads // width of a head
	inner  = 1536        // width between the two halves of a feed-forward
	words  = 30522       // entries of the vocabulary
)

// Format of the packed file, as written by ./pack.
const (
	magic = "MINILM 1" // start of the file, with the format's version
	align = 64         // alignment of each part, in bytes

	// Weights of a linear layer are stored in panels of panel outputs, and
	// within them in groups of group inputs: the weight of input i for output o is byte
	// ((o/panel*(in/group) + i/group)*panel + o%panel)*group + i%group.
	panel = 32
	group = 4
)

// packed is model.bin. The large tables are used in place and never written to.
// docs/adr/0009 describes the file.
//
//go:embed model.bin
var packed []byte

// weights holds the parts of a packed file.
type weights struct {
	source    [sha256.Size]byte // hash of the published file
	word      []byte            // int8 [words][Dim]
	wordScale []float32         // [words]
	position  []float32         // [MaxTokens][Dim], including the token type embedding
	norm      layerNorm
	layer     [layers]layer
}

type layer struct {
	qkv, out, up, down linear
	attended, fed      layerNorm
}

// A linear is a layer y = x·Wᵀ + bias with in inputs and out outputs, where
// W[o][i] = q[o][i] * scale[o].
type linear struct {
	in, out int
	q       []byte    // int8, in panels
	scale   []float32 // [out]
	bias    []float32 // [out]
	sum     []float32 // [out], scale[o] times the sum of q[o]
	parts   []float32 // [out/panel][in/part][panel], sums of part inputs; AVX2's
}

// A layerNorm scales a vector to mean 0 and variance 1, then by gain and bias.
type layerNorm struct{ gain, bias []float32 } // [Dim] each

func parseWeights(file []byte) (*weights, error) {
	r := reader{rest: file}
	if begin := string(r.bytes(len(magic))); begin != magic {
		return nil, fmt.Errorf("minilm: packed file begins with %q, want %q", begin, magic)
	}
	w := &weights{}
	copy(w.source[:], r.bytes(sha256.Size))
	w.word = r.bytes(words * Dim)
	w.wordScale = r.floats(words)
	w.position = r.floats(MaxTokens * Dim)
	w.norm = r.layerNorm()
	for i := range w.layer {
		l := &w.layer[i]
		l.qkv = r.linear(Dim, 3*Dim)
		l.out = r.linear(Dim, Dim)
		l.attended = r.layerNorm()
		l.up = r.linear(Dim, inner)
		l.down = r.linear(inner, Dim)
		l.fed = r.layerNorm()
		l.qkv.scaleQueries()
	}
	if r.short || len(r.rest) != 0 {
		return nil, fmt.Errorf("minilm: packed file has the wrong length, %d bytes", len(file))
	}
	return w, nil
}

// linears returns all linear layers.
func (w *weights) linears() []*linear {
	var all []*linear
	for i := range w.layer {
		l := &w.layer[i]
		all = append(all, &l.qkv, &l.out, &l.up, &l.down)
	}
	return all
}

// scaleQueries multiplies the queries by attention's factor, 1/√head.
func (l *linear) scaleQueries() {
	factor := float32(1 / math.Sqrt(head))
	for i := range Dim {
		l.scale[i] *= factor
		l.bias[i] *= factor
		l.sum[i] *= factor
	}
}

// A reader reads the parts of a packed file.
type reader struct {
	rest  []byte
	at    int
	short bool
}

func (r *reader) bytes(n int) []byte {
	pad := (align - r.at%align) % align
	if len(r.rest) < pad+n {
		r.short, r.rest = true, nil
		return make([]byte, n)
	}
	b := r.rest[pad : pad+n : pad+n]
	r.rest = r.rest[pad+n:]
	r.at += pad + n
	return b
}

// floats copies, because the file is little-endian and may be unaligned.
func (r *reader) floats(n int) []float32 {
	b := r.bytes(4 * n)
	f := make([]float32, n)
	for i := range f {
		f[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return f
}

func (r *reader) layerNorm() layerNorm { return layerNorm{r.floats(Dim), r.floats(Dim)} }

func (r *reader) linear(in, out int) linear {
	return linear{in: in, out: out, q: r.bytes(in * out), scale: r.floats(out), bias: r.floats(out), sum: r.floats(out)}
}
