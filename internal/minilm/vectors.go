//go:build amd64 || arm64

package minilm

// part is how many inputs of a row share a scale on the AVX2 path.
const part = 64

// vectorScratch is the working memory of the paths with vector kernels.
type vectorScratch struct {
	bytes  []uint8   // [rows][in], quantized activations
	scale  []float32 // [rows] of these, on the AVX2 path [rows][in/part]
	least  []float32 // the same
	one    []float32 // [rows], ones
	keys   []float32 // [MaxTokens/columns][head][columns], one head's, turned
	values []float32 // [rows][head]
	scores []float32 // [block][MaxTokens]
}

func (s *scratch) work() *vectorScratch {
	if s.vector == nil {
		floats := func(n int) []float32 { return make([]float32, n) }
		const most = max(MaxTokens*Dim, band*inner) // inputs of a linear layer
		s.vector = &vectorScratch{
			bytes: make([]uint8, most), scale: floats(most / part), least: floats(most / part), one: floats(MaxTokens),
			keys: floats(MaxTokens * head), values: floats(MaxTokens * head), scores: floats(12 * MaxTokens),
		}
		for i := range s.vector.one {
			s.vector.one[i] = 1
		}
	}
	return s.vector
}

// block is how many of the rows that are left the next kernel takes: the
// largest there is, or 8, 4, 2, 1.
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

// productKernel sets rows of y, columns wide, to scale (one a row) times x·w; x
// has n columns, w n rows. Strides are in bytes.
type productKernel func(x *float32, xStride uintptr, w *float32, wStride uintptr, scale *float32, y *float32, yStride uintptr, n uintptr)

// attention is what a path has for it.
type attention struct {
	lanes   int // floats in a vector
	columns int // of a product
	queries int // that a product takes at most
	product func(rows int) productKernel
	// exponentials sets n vectors to e^(x-max), inverse to 1 over their sum.
	exponentials func(x *float32, n uintptr, inverse *float32)
	// turn sets columns of y, stride floats apart, to 8 rows of qkv.
	turn func(qkv, y []float32, stride int)
}

func (a attention) compute(s *scratch, rows int) {
	w := s.work()
	padded := (rows + a.columns - 1) / a.columns * a.columns
	vectors := (rows + a.lanes - 1) / a.lanes
	for h := 0; h < Dim; h += head {
		a.lay(w, s.qkv, h, rows)
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

// lay puts the keys of the head at h down by columns, and its values by rows.
// Up to seven rows behind the last are turned too, whatever they have: the
// scores of theirs are not used.
func (a attention) lay(w *vectorScratch, qkv []float32, h, rows int) {
	for r := 0; r < rows; r += 8 {
		to := w.keys[r/a.columns*a.columns*head+r%a.columns:]
		for i := 0; i < head; i += 8 {
			a.turn(qkv[r*3*Dim+Dim+h+i:], to[i*a.columns:], a.columns)
		}
	}
	for r := range rows {
		copy(w.values[r*head:r*head+head], qkv[r*3*Dim+2*Dim+h:])
	}
}
