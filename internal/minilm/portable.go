package minilm

import "math"

// portable is the path in plain Go, with int8 weights and float arithmetic.
type portable struct{}

func (portable) name() string { return "portable" }

func (portable) prepare(*linear) {}

// portableScratch is the working memory of the portable path.
type portableScratch struct {
	weights []float32 // a panel of weights as floats, [panel/lane][in][lane]
	scores  []float32 // [rows], for one query
}

func (portable) work(s *scratch) *portableScratch {
	if s.portable == nil {
		s.portable = &portableScratch{make([]float32, inner*panel), make([]float32, MaxTokens)}
	}
	return s.portable
}

// lane is the number of outputs that the portable path computes at once.
const lane = 8

func (p portable) linear(s *scratch, l *linear, x, y []float32, rows int) {
	w := p.work(s).weights[:l.in*panel]
	for from := 0; from < l.out; from += panel {
		expand(w, l.q[from*l.in:(from+panel)*l.in], l.in)
		for o := from; o < from+panel; o += lane {
			columns := w[(o-from)*l.in : (o-from+lane)*l.in]
			scale, bias := l.scale[o:o+lane], l.bias[o:o+lane]
			for r := range rows {
				dot := dotLane(x[r*l.in:r*l.in+l.in], columns)
				row := y[r*l.out+o : r*l.out+o+lane]
				for i := range row {
					row[i] = dot[i]*scale[i] + bias[i]
				}
			}
		}
	}
}

// expand converts a panel of int8 weights to floats, lane by lane.
func expand(w []float32, q []byte, in int) {
	for i := range in {
		from := q[i/group*panel*group+i%group:]
		for o := range panel {
			w[o/lane*in*lane+i*lane+o%lane] = float32(int8(from[o*group]))
		}
	}
}

// dotLane returns the dot products of x with lane columns, columns[len(x)][lane].
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

func (p portable) attend(s *scratch, rows int) {
	scores := p.work(s).scores[:rows]
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

// softmax replaces scores by their softmax.
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
		x[i] = v * float32(0.5+0.5*math.Erf(float64(v)*(1/math.Sqrt2)))
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
