package minilm

import "math"

// portable is the path in plain Go: int8 weights, float arithmetic.
type portable struct{}

func (portable) name() string { return "portable" }

// headScratch is what attend needs.
type headScratch struct {
	scores []float32 // [rows], of one query
}

// quantScratch is what linear needs.
type quantScratch struct {
	floats []float32 // a panel of weights as floats, [panel/lane][in][lane]
}

// lane is how many outputs of a panel the portable path computes at once.
const lane = 8

func (portable) linear(s *scratch, l *linear, x, y []float32, rows int) {
	if s.quant.floats == nil {
		s.quant.floats = make([]float32, inner*panel)
	}
	w := s.quant.floats[:l.in*panel]
	for p := 0; p < l.out; p += panel {
		expand(w, l.q[p*l.in:(p+panel)*l.in], l.in)
		for o := 0; o < panel; o += lane {
			columns := w[o*l.in : (o+lane)*l.in]
			scale, bias := l.scale[p+o:p+o+lane], l.bias[p+o:p+o+lane]
			for r := range rows {
				dot := dotLane(x[r*l.in:r*l.in+l.in], columns)
				row := y[r*l.out+p+o : r*l.out+p+o+lane]
				for i := range row {
					row[i] = dot[i]*scale[i] + bias[i]
				}
			}
		}
	}
}

// expand turns a panel of int8 weights into floats, lane by lane.
func expand(w []float32, q []byte, in int) {
	for i := range in {
		from := q[i/group*panel*group+i%group:]
		for o := range panel {
			w[o/lane*in*lane+i*lane+o%lane] = float32(int8(from[o*group]))
		}
	}
}

// dotLane is the products of x with lane columns, columns[len(x)][lane].
func dotLane(x, columns []float32) [lane]float32 {
	var a, b, c, d, e, f, g, h float32
	for _, v := range x {
		w := (*[lane]float32)(columns)
		a += v * w[0]
		b += v * w[1]
		c += v * w[2]
		d += v * w[3]
		e += v * w[4]
		f += v * w[5]
		g += v * w[6]
		h += v * w[7]
		columns = columns[lane:]
	}
	return [lane]float32{a, b, c, d, e, f, g, h}
}

func (portable) attend(s *scratch, rows int) {
	if s.head.scores == nil {
		s.head.scores = make([]float32, MaxTokens)
	}
	scores := s.head.scores[:rows]
	part := func(r, from int) []float32 { return s.qkv[r*3*Dim+from : r*3*Dim+from+head] }
	for h := 0; h < Dim; h += head {
		for r := range rows {
			query := part(r, h)
			for k := range scores {
				scores[k] = dot(query, part(k, Dim+h))
			}
			softmax(scores)
			sum := s.context[r*Dim+h : r*Dim+h+head]
			clear(sum)
			for k, weight := range scores {
				for i, v := range part(k, 2*Dim+h) {
					sum[i] += weight * v
				}
			}
		}
	}
}

func dot(a, b []float32) float32 {
	var s, t float32
	for i := 0; i+1 < len(a) && i+1 < len(b); i += 2 {
		s += a[i] * b[i]
		t += a[i+1] * b[i+1]
	}
	return s + t
}

// softmax makes positive shares of 1 out of scores.
func softmax(x []float32) {
	largest := x[0]
	for _, v := range x {
		largest = max(largest, v)
	}
	var sum float32
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v - largest)))
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}

func (portable) gelu(x []float32) {
	for i, v := range x {
		x[i] = v * float32(.5+.5*math.Erf(float64(v)*(1/math.Sqrt2)))
	}
}

func (portable) addNorm(n *layerNorm, x, y []float32, rows int) {
	const epsilon = 1e-12
	for r := range rows {
		row := y[r*Dim : r*Dim+Dim]
		var mean, variance float32
		for i, v := range x[r*Dim : r*Dim+Dim] {
			row[i] += v
			mean += row[i]
		}
		mean /= Dim
		for i := range row {
			row[i] -= mean
			variance += row[i] * row[i]
		}
		inverse := float32(1 / math.Sqrt(float64(variance/Dim)+epsilon))
		for i := range row {
			row[i] = row[i]*inverse*n.gain[i] + n.bias[i]
		}
	}
}
