//go:build amd64 || arm64

package minilm

// part is the number of inputs in a row that share a scale on the AVX2 path.
const part = 64

// vectorScratch is the working memory of paths with vector kernels.
type vectorScratch struct {
	bytes  []uint8   // [rows][in], quantized activations
	scale  []float32 // [rows], or [rows][in/part] on the AVX2 path
	least  []float32 // like scale
	one    []float32 // [rows], ones
	keys   []float32 // [MaxTokens/columns][head][columns], transposed keys of one head
	values []float32 // [rows][head]
	scores []float32 // [block][MaxTokens]
}

func (s *scratch) work() *vectorScratch {
	if s.vector == nil {
		floats := func(n int) []float32 { return make([]float32, n) }
		const maxInputs = max(MaxTokens*Dim, band*inner) // inputs of a linear layer
		s.vector = &vectorScratch{
			bytes: make([]uint8, maxInputs), scale: floats(maxInputs / part), least: floats(maxInputs / part), one: floats(MaxTokens),
			keys: floats(MaxTokens * head), values: floats(MaxTokens * head), scores: floats(12 * MaxTokens),
		}
		for i := range s.vector.one {
			s.vector.one[i] = 1
		}
	}
	return s.vector
}

// block returns the number of rows for the next kernel: the largest of 8, 4, 2, 1
// and the kernels' maximum that fits the rows left.
func block(left, largest int) int {
	if left >= largest {
		return largest
	}
	for n := 8; ; n /= 2 {
		if n < largest && left >= n {
			return n
		}
	}
}

// productKernel sets rows of y, columns wide, to scale (one per row) times x·w; x
// has n columns, w n rows. Strides are in bytes.
type productKernel func(x *float32, xStride uintptr, w *float32, wStride uintptr, scale *float32, y *float32, yStride uintptr, n uintptr)

// attention computes attention with the kernels of a path.
type attention struct {
	lanes   int // floats in a vector
	columns int // width of a product
	queries int // maximum rows of a product
	product func(rows int) productKernel
	// exponentials sets n vectors to e^(x-max), inverse to 1 over their sum.
	exponentials func(x *float32, n uintptr, inverse *float32)
	// transpose sets 8 columns of y, stride floats apart, to 8 rows of qkv.
	transpose func(qkv, y []float32, stride int)
}

func (a attention) compute(s *scratch, rows int) {
	w := s.work()
	padded := (rows + a.columns - 1) / a.columns * a.columns
	vectors := (rows + a.lanes - 1) / a.lanes
	for h := 0; h < Dim; h += head {
		a.layOut(w, s.qkv, h, rows)
		for r, n := 0, 0; r < rows; r += n {
			n = block(rows-r, a.queries)
			multiply := a.product(n)
			for c := 0; c < padded; c += a.columns {
				multiply(&s.qkv[r*3*Dim+h], 4*3*Dim, &w.keys[c*head], uintptr(4*a.columns), &w.one[0], &w.scores[c], 4*MaxTokens, head)
			}
			for i := range n {
				scores := w.scores[i*MaxTokens : i*MaxTokens+padded]
				for c := rows; c < padded; c++ {
					scores[c] = -1e30
				}
				a.exponentials(&scores[0], uintptr(vectors), &w.scale[i])
			}
			for c := 0; c < head; c += a.columns {
				multiply(&w.scores[0], 4*MaxTokens, &w.values[c], 4*head, &w.scale[0], &s.context[r*Dim+h+c], 4*Dim, uintptr(rows))
			}
		}
	}
}

// layOut copies the keys of the head at h by columns, and its values by rows. It
// also transposes up to seven rows after the last one, whatever they contain,
// because their scores are ignored.
func (a attention) layOut(w *vectorScratch, qkv []float32, h, rows int) {
	for r := 0; r < rows; r += 8 {
		to := w.keys[r/a.columns*a.columns*head+r%a.columns:]
		for i := 0; i < head; i += 8 {
			a.transpose(qkv[r*3*Dim+Dim+h+i:], to[i*a.columns:], a.columns)
		}
	}
	for r := range rows {
		copy(w.values[r*head:r*head+head], qkv[r*3*Dim+2*Dim+h:])
	}
}
