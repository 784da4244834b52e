package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
)

// The shape of all-MiniLM-L6-v2, and of internal/minilm/model.bin
// (docs/adr/0009).
const (
	modelLayers, modelDim, modelInner, modelHeads = 6, 384, 1536, 12
	modelWords, modelPlaces                       = 30522, 256
)

// writeONNX writes the packed model as an ONNX file for onnxruntime: the same
// int8 weights and scales, in the operators that onnxruntime fuses such a
// model into (com.microsoft: DynamicQuantizeMatMul, MultiHeadAttention,
// SkipLayerNormalization, Gelu). Inputs are ids and places, int64 [1][tokens];
// the output is the vector, not yet of length 1.
func writeONNX(from, to string) error {
	packed, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	r := &packedReader{file: packed}
	r.part(8) // magic
	r.part(32)
	g := &graph{}
	g.embeddings(r)
	for i := range modelLayers {
		g.layer(r, fmt.Sprintf("layer%d.", i))
	}
	if r.at != len(packed) {
		return fmt.Errorf("%s: %d of %d bytes read", from, r.at, len(packed))
	}
	g.node("", "ReduceMean", []string{g.x}, "vector", attribute{name: "axes", integers: []int64{1}}, attribute{name: "keepdims", integer: 0})
	return os.WriteFile(to, g.model(), 0o644)
}

// packedReader reads the parts of model.bin.
type packedReader struct {
	file []byte
	at   int
}

func (r *packedReader) part(n int) []byte {
	r.at = (r.at + 63) / 64 * 64
	r.at += n
	return r.file[r.at-n : r.at]
}

// A graph is built node by node; x names the value passed from layer to layer.
type graph struct {
	nodes, initializers []byte
	x                   string
}

const (
	onnxFloat = 1
	onnxInt8  = 3
	onnxInt64 = 7
)

func (g *graph) embeddings(r *packedReader) {
	q, scale := r.part(modelWords*modelDim), floats(r.part(4*modelWords))
	words := make([]float32, len(q))
	for i, v := range q {
		words[i] = float32(int8(v)) * scale[i/modelDim]
	}
	g.tensor("words", onnxFloat, floatBytes(words), modelWords, modelDim)
	g.tensor("positions", onnxFloat, r.part(4*modelPlaces*modelDim), modelPlaces, modelDim)
	g.node("", "Gather", []string{"words", "ids"}, "word")
	g.node("", "Gather", []string{"positions", "places"}, "position")
	g.norm(r, "embedded.", "word", "position")
}

func (g *graph) layer(r *packedReader, name string) {
	x := g.x
	qkv := g.dense(r, name, modelDim, []string{"q", "k", "v"}, modelDim, x)
	g.node("com.microsoft", "MultiHeadAttention", qkv, name+"attended", attribute{name: "num_heads", integer: modelHeads})
	out := g.dense(r, name, modelDim, []string{"out"}, modelDim, name+"attended")
	g.norm(r, name+"norm1.", out[0], x)
	y := g.x
	up := g.dense(r, name, modelDim, []string{"up"}, modelInner, y)
	g.node("com.microsoft", "Gelu", up, name+"gelu")
	down := g.dense(r, name, modelInner, []string{"down"}, modelDim, name+"gelu")
	g.norm(r, name+"norm2.", down[0], y)
}

// norm adds the layer norm of a + b and makes it g.x.
func (g *graph) norm(r *packedReader, name, a, b string) {
	g.tensor(name+"gain", onnxFloat, r.part(4*modelDim), modelDim)
	g.tensor(name+"bias", onnxFloat, r.part(4*modelDim), modelDim)
	g.x = name + "y"
	g.node("com.microsoft", "SkipLayerNormalization", []string{a, b, name + "gain", name + "bias"}, g.x, attribute{name: "epsilon", float: 1e-12})
}

// dense adds a packed linear layer as one ONNX layer per name, each with width
// outputs, and returns the names of their outputs.
func (g *graph) dense(r *packedReader, prefix string, in int, names []string, width int, x string) []string {
	const panel, group = 32, 4
	out := width * len(names)
	q, scale, bias := r.part(in*out), r.part(4*out), r.part(4*out)
	r.part(4 * out) // sums
	var results []string
	for n, name := range names {
		name = prefix + name
		w := make([]byte, in*width)
		for i := range in {
			for o := range width {
				from := n*width + o
				w[i*width+o] = q[((from/panel*(in/group)+i/group)*panel+from%panel)*group+i%group]
			}
		}
		part := func(f []byte) []byte { return f[4*n*width : 4*(n+1)*width] }
		g.tensor(name+".w", onnxInt8, w, int64(in), int64(width))
		g.tensor(name+".scale", onnxFloat, part(scale), int64(width))
		g.tensor(name+".zero", onnxInt8, make([]byte, width), int64(width))
		g.tensor(name+".bias", onnxFloat, part(bias), int64(width))
		g.node("com.microsoft", "DynamicQuantizeMatMul", []string{x, name + ".w", name + ".scale", name + ".zero", name + ".bias"}, name)
		results = append(results, name)
	}
	return results
}

// The messages below follow onnx.proto (onnx/onnx), version 3.

type attribute struct {
	name     string
	integer  int64
	integers []int64
	float    float32
}

func (g *graph) node(domain, operator string, inputs []string, output string, attributes ...attribute) {
	var n []byte
	for _, in := range inputs {
		n = textField(n, 1, in)
	}
	n = textField(n, 2, output)
	n = textField(n, 4, operator)
	for _, a := range attributes {
		m := textField(nil, 1, a.name)
		switch {
		case a.float != 0:
			m = binary.LittleEndian.AppendUint32(append(m, 2<<3|5), math.Float32bits(a.float))
			m = numberField(m, 20, 1)
		case a.integers != nil:
			for _, i := range a.integers {
				m = numberField(m, 8, i)
			}
			m = numberField(m, 20, 7)
		default:
			m = numberField(numberField(m, 3, a.integer), 20, 2)
		}
		n = bytesField(n, 5, m)
	}
	g.nodes = bytesField(g.nodes, 1, textField(n, 7, domain))
}

func (g *graph) tensor(name string, kind int64, data []byte, shape ...int64) {
	var t []byte
	for _, d := range shape {
		t = numberField(t, 1, d)
	}
	t = bytesField(textField(numberField(t, 2, kind), 8, name), 9, data)
	g.initializers = bytesField(g.initializers, 5, t)
}

// model returns the complete file.
func (g *graph) model() []byte {
	value := func(name string, kind int64, shape ...any) []byte {
		var dims []byte
		for _, d := range shape {
			var m []byte
			switch d := d.(type) {
			case int:
				m = numberField(m, 1, int64(d))
			case string:
				m = textField(m, 2, d)
			}
			dims = bytesField(dims, 1, m)
		}
		tensor := bytesField(numberField(nil, 1, kind), 2, dims)
		return bytesField(textField(nil, 1, name), 2, bytesField(nil, 1, tensor))
	}
	body := textField(append(append([]byte(nil), g.nodes...), g.initializers...), 2, "minilm")
	body = bytesField(body, 11, value("ids", onnxInt64, 1, "tokens"))
	body = bytesField(body, 11, value("places", onnxInt64, 1, "tokens"))
	body = bytesField(body, 12, value("vector", onnxFloat, 1, modelDim))
	m := bytesField(numberField(nil, 1, 8), 7, body)
	m = bytesField(m, 8, numberField(textField(nil, 1, ""), 2, 17))
	return bytesField(m, 8, numberField(textField(nil, 1, "com.microsoft"), 2, 1))
}

func numberField(b []byte, field uint64, n int64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, field<<3), uint64(n))
}

func bytesField(b []byte, field uint64, data []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, field<<3|2), uint64(len(data)))
	return append(b, data...)
}

func textField(b []byte, field uint64, s string) []byte { return bytesField(b, field, []byte(s)) }

func floats(b []byte) []float32 {
	f := make([]float32, len(b)/4)
	for i := range f {
		f[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return f
}

func floatBytes(f []float32) []byte {
	b := make([]byte, 0, 4*len(f))
	for _, v := range f {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}
