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

// The form of the packed file, as ./pack writes it.
const (
	magic = "MINILM 1" // the file's beginning; the number is the form's
	align = 64         // each part begins at a multiple of this

	// panel is how many outputs of a linear layer lie together, and group
	// how many inputs of each: the weight of input i for output o is byte
	// ((o/panel*(in/group) + i/group)*panel + o%panel)*group + i%group.
	panel = 32
	group = 4
)

// packed is model.bin. The large tables are used where they lie, and never
// written to. docs/adr/0009 says what the file has.
//
//go:embed model.bin
var packed []byte

// weights are the parts of a packed file.
type weights struct {
	source    [sha256.Size]byte // of the published file that it was made from
	word      []byte            // int8 [words][Dim]
	wordScale []float32         // [words]
	position  []float32         // [MaxTokens][Dim], with the embedding of the text's type added
	norm      layerNorm
	layer     [layers]layer
}

type layer struct {
	qkv, out, up, down linear
	attended, fed      layerNorm
}

// A linear is y = x·Wᵀ + bias: in inputs, out outputs. What it stands for is
// w[o][i] = q[o][i] * scale[o].
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
		return nil, fmt.Errorf("minilm: the packed file begins with %q, not %q", begin, magic)
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
		return nil, fmt.Errorf("minilm: the packed file has %d bytes, which is not its length", len(file))
	}
	return w, nil
}

// linears are all linear layers.
func (w *weights) linears() []*linear {
	var all []*linear
	for i := range w.layer {
		l := &w.layer[i]
		all = append(all, &l.qkv, &l.out, &l.up, &l.down)
	}
	return all
}

// scaleQueries puts the factor of attention, 1/√head, into the queries.
func (l *linear) scaleQueries() {
	factor := float32(1 / math.Sqrt(head))
	for i := range Dim {
		l.scale[i] *= factor
		l.bias[i] *= factor
		l.sum[i] *= factor
	}
}

// A reader takes a packed file apart.
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

// floats copies, because the file is little-endian and need not be aligned.
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
