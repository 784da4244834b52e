// Pack makes model.bin of package minilm from the published weights of
// sentence-transformers/all-MiniLM-L6-v2:
//
//	go run ./internal/minilm/pack model.safetensors internal/minilm/model.bin
//
// Weights of linear layers become int8 with one scale per output, words int8
// with one scale per word; everything else stays float32. The file has, each at
// a multiple of 64 bytes, in this order:
//
//	"MINILM 1", SHA-256 of the source
//	words int8 [30522][384], their scales, positions float32 [256][384], norm
//	six times: qkv, out, norm, up, down, norm
//
// where a norm is gain and bias, float32 [384] each, and a linear layer is its
// int8 weights in panels, then scales, biases, and scale times
// sum of the weights, float32 [outputs] each.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
)

// The model's shape and the format of the file. They repeat package minilm's
// constants, because that package doesn't compile without the file.
const (
	layers    = 6
	dim       = 384
	words     = 30522
	inner     = 1536
	positions = 256 // of 512

	magic = "MINILM 1"
	align = 64
	panel = 32
	group = 4
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pack model.safetensors model.bin")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(from, to string) error {
	file, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	t, err := readTensors(file)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	var w writer
	w.add([]byte(magic))
	sum := sha256.Sum256(file)
	w.add(sum[:])
	w.embeddings(t)
	for i := range layers {
		w.layer(t, fmt.Sprintf("encoder.layer.%d.", i))
	}
	if t.err != nil {
		return fmt.Errorf("%s: %w", from, t.err)
	}
	return os.WriteFile(to, w.out.Bytes(), 0o644)
}

// tensors is a safetensors file: 8 bytes of length, a JSON header, the data
// (https://github.com/huggingface/safetensors#format).
type tensors struct {
	header map[string]struct {
		Type    string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	data []byte
	err  error // the first
}

func readTensors(file []byte) (*tensors, error) {
	if len(file) < 8 {
		return nil, fmt.Errorf("%d bytes are no safetensors file", len(file))
	}
	n := binary.LittleEndian.Uint64(file)
	if n > uint64(len(file)-8) {
		return nil, fmt.Errorf("a header of %d bytes is longer than the file", n)
	}
	t := &tensors{data: file[8+n:]}
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(file[8:8+n], &raw); err != nil {
		return nil, err
	}
	delete(raw, "__metadata__")
	rest, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	return t, json.Unmarshal(rest, &t.header)
}

// get returns a float32 tensor of exactly that shape.
func (t *tensors) get(name string, shape ...int) []float32 {
	n := 1
	for _, d := range shape {
		n *= d
	}
	out := make([]float32, n)
	h, ok := t.header[name]
	switch {
	case t.err != nil:
		return out
	case !ok:
		t.err = fmt.Errorf("no tensor %q", name)
		return out
	case h.Type != "F32" || fmt.Sprint(h.Shape) != fmt.Sprint(shape) || h.Offsets[1]-h.Offsets[0] != 4*n || h.Offsets[0] < 0 || h.Offsets[1] > len(t.data):
		t.err = fmt.Errorf("tensor %q is %s %v, not F32 %v", name, h.Type, h.Shape, shape)
		return out
	}
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.data[h.Offsets[0]+4*i:]))
	}
	return out
}

// A writer writes the parts of the packed file.
type writer struct{ out bytes.Buffer }

func (w *writer) add(part []byte) {
	w.out.Write(make([]byte, (align-w.out.Len()%align)%align))
	w.out.Write(part)
}

func (w *writer) floats(f []float32) {
	b := make([]byte, 0, 4*len(f))
	for _, v := range f {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	w.add(b)
}

func (w *writer) embeddings(t *tensors) {
	const prefix = "embeddings."
	word := t.get(prefix+"word_embeddings.weight", words, dim)
	position := t.get(prefix+"position_embeddings.weight", 512, dim)[:positions*dim]
	kind := t.get(prefix+"token_type_embeddings.weight", 2, dim)
	q, scale := quantize(word, dim)
	w.add(q)
	w.floats(scale)
	for i := range position { // a single text has only token type 0
		position[i] += kind[i%dim]
	}
	w.floats(position)
	w.norm(t, prefix+"LayerNorm.")
}

func (w *writer) layer(t *tensors, prefix string) {
	var weight, bias []float32
	for _, part := range []string{"query", "key", "value"} {
		weight = append(weight, t.get(prefix+"attention.self."+part+".weight", dim, dim)...)
		bias = append(bias, t.get(prefix+"attention.self."+part+".bias", dim)...)
	}
	w.linear(weight, bias)
	w.dense(t, prefix+"attention.output.dense.", dim, dim)
	w.norm(t, prefix+"attention.output.LayerNorm.")
	w.dense(t, prefix+"intermediate.dense.", dim, inner)
	w.dense(t, prefix+"output.dense.", inner, dim)
	w.norm(t, prefix+"output.LayerNorm.")
}

func (w *writer) norm(t *tensors, prefix string) {
	w.floats(t.get(prefix+"weight", dim))
	w.floats(t.get(prefix+"bias", dim))
}

func (w *writer) dense(t *tensors, prefix string, in, out int) {
	w.linear(t.get(prefix+"weight", out, in), t.get(prefix+"bias", out))
}

// linear writes weight [out][in] in panels.
func (w *writer) linear(weight, bias []float32) {
	out := len(bias)
	in := len(weight) / out
	q, scale := quantize(weight, in)
	panels := make([]byte, len(q))
	sum := make([]float32, out)
	for o := range out {
		for i := range in {
			v := q[o*in+i]
			panels[((o/panel*(in/group)+i/group)*panel+o%panel)*group+i%group] = v
			sum[o] += float32(int8(v)) // whole numbers below 2^24: exact
		}
		sum[o] *= scale[o]
	}
	w.add(panels)
	w.floats(scale)
	w.floats(bias)
	w.floats(sum)
}

// quantize turns each row of width values into int8 and a scale: the largest
// of the row becomes 127 or -127.
func quantize(values []float32, width int) (q []byte, scale []float32) {
	q = make([]byte, len(values))
	for from := 0; from < len(values); from += width {
		row := values[from : from+width]
		var largest float64
		for _, v := range row {
			largest = max(largest, math.Abs(float64(v)))
		}
		s := float32(max(largest, 1e-20) / 127)
		for i, v := range row {
			q[from+i] = byte(int8(math.RoundToEven(float64(v) / float64(s))))
		}
		scale = append(scale, s)
	}
	return q, scale
}
