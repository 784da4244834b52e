package minilm

// An arithmetic computes the model on one kind of processor. All slices are
// row-major, and rows is 1 to MaxTokens. Implementations must not access memory
// outside the slices they are given, and keep working memory in the scratch.
type arithmetic interface {
	name() string
	// prepare adds precomputed data to a layer.
	prepare(l *linear)
	// linear sets y[rows][l.out] to x[rows][l.in]·Wᵀ + bias.
	linear(s *scratch, l *linear, x, y []float32, rows int)
	// attend sets s.context[rows][Dim] to the attention, head by head, of
	// s.qkv[rows][3*Dim]; the queries are already scaled.
	attend(s *scratch, rows int)
	// gelu sets each x to x·Φ(x), where Φ is the standard normal distribution function.
	gelu(x []float32)
	// addNorm sets y[rows][Dim] to the layer norm of each row of x + y.
	addNorm(n *layerNorm, x, y []float32, rows int)
}

// A scratch is the working memory for one text: its tokens, and the vectors of the
// current layer, each with space for MaxTokens rows.
type scratch struct {
	ids     []int32
	x       []float32 // [rows][Dim], passed from layer to layer
	y       []float32 // [rows][Dim]
	qkv     []float32 // [rows][3*Dim]
	context []float32 // [rows][Dim]
	wide    []float32 // [band][inner]

	// Working memory of each path, allocated on first use.
	portable *portableScratch
	vector   *vectorScratch
}

func newScratch() *scratch {
	floats := func(width int) []float32 { return make([]float32, MaxTokens*width) }
	return &scratch{
		ids: make([]int32, 0, MaxTokens),
		x:   floats(Dim), y: floats(Dim), qkv: floats(3 * Dim), context: floats(Dim), wide: make([]float32, band*inner),
	}
}

// encode runs the tokens s.ids through the model and leaves their vectors in s.x.
func (m *Model) encode(s *scratch) {
	rows, p, w := len(s.ids), m.path, m.weights
	x, y := s.x[:rows*Dim], s.y[:rows*Dim]
	for r, id := range s.ids {
		w.wordVector(id, y[r*Dim:r*Dim+Dim])
	}
	copy(x, w.position)
	p.addNorm(&w.norm, y, x, rows)
	for i := range w.layer {
		l := &w.layer[i]
		p.linear(s, &l.qkv, x, s.qkv, rows)
		p.attend(s, rows)
		p.linear(s, &l.out, s.context, y, rows)
		p.addNorm(&l.attended, y, x, rows)
		for r := 0; r < rows; r += band {
			n := min(band, rows-r)
			p.linear(s, &l.up, x[r*Dim:], s.wide, n)
			p.gelu(s.wide[:n*inner])
			p.linear(s, &l.down, s.wide, y[r*Dim:], n)
		}
		p.addNorm(&l.fed, y, x, rows)
	}
}

// band is the number of rows that go through a feed-forward together, chosen so
// that the intermediate values stay in the processor's cache.
const band = 96

// wordVector sets v to the word embedding of a token.
func (w *weights) wordVector(id int32, v []float32) {
	scale := w.wordScale[id]
	for i, q := range w.word[int(id)*Dim : int(id)*Dim+Dim] {
		v[i] = scale * float32(int8(q))
	}
}
