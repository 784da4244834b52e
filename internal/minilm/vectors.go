//go:build amd64

package minilm

// vectorScratch is the working memory of the paths with vector kernels.
type vectorScratch struct {
	bytes  []uint8   // [rows][in], quantized activations
	scale  []float32 // [rows] of these, on the AVX2 path [rows][in/part]
	least  []float32 // the same
	one    []float32 // [rows], ones
	keys   []float32 // [columns/2 vectors][head][2 vectors], one head's, turned
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

type productKernel func(x *float32, xStride uintptr, w *float32, wStride uintptr, scale *float32, y *float32, yStride uintptr, n uintptr)

// attendVectors computes attention with kernels whose vectors have lanes
// floats, largest queries at a time.
func attendVectors(s *scratch, rows, lanes, largest int, exponentials func(*float32, uintptr, *float32), product func(rows int) productKernel) {
	w := s.work()
	columns := 2 * lanes
	padded := (rows + columns - 1) / columns * columns
	vectors := (rows + lanes - 1) / lanes
	for h := 0; h < Dim; h += head {
		w.turn(s.qkv, h, rows, columns)
		for r, n := 0, 0; r < rows; r += n {
			n = block(rows-r, largest)
			multiply := product(n)
			for c := 0; c < padded; c += columns {
				multiply(&s.qkv[r*3*Dim+h], 4*3*Dim, &w.keys[c*head], uintptr(4*columns), &w.one[0], &w.scores[c], 4*MaxTokens, head)
			}
			for i := range n {
				scores := w.scores[i*MaxTokens : i*MaxTokens+padded]
				for c := rows; c < padded; c++ {
					scores[c] = -1e30
				}
				exponentials(&scores[0], uintptr(vectors), &w.scale[i])
			}
			for c := 0; c < head; c += columns {
				multiply(&w.scores[0], 4*MaxTokens, &w.values[c], 4*head, &w.scale[0], &s.context[r*Dim+h+c], 4*Dim, uintptr(rows))
			}
		}
	}
}

// turn lays the keys of the head at h down by columns, and its values by rows.
// Up to seven rows behind the last are turned too, whatever they have: the
// scores of theirs are not used.
func (w *vectorScratch) turn(qkv []float32, h, rows, columns int) {
	for r := 0; r < rows; r += 8 {
		to := w.keys[r/columns*columns*head+r%columns:]
		for i := 0; i < head; i += 8 {
			transpose8AVX2(&qkv[r*3*Dim+Dim+h+i], 4*3*Dim, &to[i*columns], uintptr(4*columns))
		}
	}
	for r := range rows {
		copy(w.values[r*head:r*head+head], qkv[r*3*Dim+2*Dim+h:])
	}
}
