// Package minilm turns text into a vector that stands for its meaning: the
// model all-MiniLM-L6-v2, a BERT encoder of 6 layers, in process and without
// cgo or a download.
//
// It owns the tokenizer, the weights (model.bin, made by ./pack from the
// published ones) and the arithmetic. It knows nothing of pages, chunks or
// indexes.
//
// The arithmetic has several paths, of which New takes the fastest that the
// processor can run (docs/adr/0010). They differ in rounding, so vectors of
// different paths are near each other, not equal.
package minilm

//go:generate go run ./asm -out kernels_amd64.s -stubs kernels_amd64.go -pkg minilm -arm64 kernels_arm64.s -arm64stubs kernels_arm64.go

import (
	"fmt"
	"math"
	"os"
	"sync"
)

const (
	// Dim is the length of a vector.
	Dim = 384
	// MaxTokens is how many tokens of a text a vector is made of, with the
	// two that the model puts around it; what is beyond them has no effect.
	MaxTokens = 256
	// TextTokens is how many tokens of the text itself fit.
	TextTokens = MaxTokens - 2
)

// PathVariable names the environment variable that forces a path of
// arithmetic, by one of the names that Paths returns.
const PathVariable = "ROBOT_MINILM_PATH"

// A Model is the loaded model. It is safe for concurrent use, and keeps about
// 3 MB of working memory for each text that is being embedded.
type Model struct {
	vocabulary *vocabulary
	weights    *weights
	path       arithmetic
	idle       sync.Pool // of *scratch
}

// New loads the embedded model with the fastest path that this processor can
// run, or with the one that ROBOT_MINILM_PATH names.
func New() (*Model, error) {
	name := os.Getenv(PathVariable)
	if name == "" {
		name = Paths()[0]
	}
	return NewPath(name)
}

// NewPath loads the embedded model with the named path, one of Paths.
func NewPath(name string) (*Model, error) {
	for _, p := range runnable() {
		if p.name() != name {
			continue
		}
		w, err := parseWeights(packed)
		if err != nil {
			return nil, err
		}
		for _, l := range w.linears() {
			p.prepare(l)
		}
		m := &Model{vocabulary: newVocabulary(vocabularyText), weights: w, path: p}
		m.idle.New = func() any { return newScratch() }
		return m, nil
	}
	return nil, fmt.Errorf("minilm: this processor has no path %q; it has %q (%s)", name, Paths(), PathVariable)
}

// Paths names the paths of arithmetic that this processor can run, the
// fastest first. The last is always "portable".
func Paths() []string {
	var names []string
	for _, p := range runnable() {
		names = append(names, p.name())
	}
	return names
}

// Path is the name of the model's path.
func (m *Model) Path() string { return m.path.name() }

// Embed returns the unit vector, Dim long, of the first TextTokens tokens of
// text. The dot product of two vectors is the cosine of their angle: near 1
// where the texts mean the same, near 0 where they have nothing in common.
func (m *Model) Embed(text string) []float32 {
	s := m.idle.Get().(*scratch)
	defer m.idle.Put(s)
	s.ids = append(s.ids[:0], idCLS)
	m.vocabulary.each(text, func(t Token) bool {
		s.ids = append(s.ids, t.ID)
		return len(s.ids) < MaxTokens-1
	})
	s.ids = append(s.ids, idSEP)
	m.encode(s)
	return mean(s.x, len(s.ids))
}

// mean pools rows vectors to one of length 1.
func mean(x []float32, rows int) []float32 {
	v := make([]float32, Dim)
	for r := range rows {
		for i, f := range x[r*Dim : r*Dim+Dim] {
			v[i] += f
		}
	}
	var square float64
	for _, f := range v {
		square += float64(f) * float64(f)
	}
	inverse := float32(1 / math.Sqrt(square))
	for i := range v {
		v[i] *= inverse
	}
	return v
}
