// Package minilm computes embeddings of text with the model all-MiniLM-L6-v2, a
// BERT encoder with 6 layers, in process and without cgo or a download.
//
// It owns the tokenizer, the weights (model.bin, which ./pack makes from the
// published weights) and the arithmetic. It knows nothing about pages, chunks or
// indexes.
//
// There are several implementations of the arithmetic, called paths. New selects
// the fastest path that the processor supports (docs/adr/0010). Paths round
// differently, so their vectors are close, but not equal.
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
	// MaxTokens is the maximum number of tokens in an embedding, including the
	// two that the model puts around a text. Tokens beyond it have no effect.
	MaxTokens = 256
	// TextTokens is the maximum number of tokens of the text itself.
	TextTokens = MaxTokens - 2
)

// PathVariable is the environment variable that selects a path by name, one of
// Paths.
const PathVariable = "ROBOT_MINILM_PATH"

// A Model is the loaded model. It is safe for concurrent use and needs about 3 MB
// of working memory per text being embedded.
type Model struct {
	vocabulary *vocabulary
	weights    *weights
	path       arithmetic
	idle       sync.Pool // of *scratch
}

// New loads the embedded model with the path named by ROBOT_MINILM_PATH, or else
// with the fastest path that this processor supports.
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
	return nil, fmt.Errorf("minilm: this processor doesn't support path %q, only %q (%s)", name, Paths(), PathVariable)
}

// Paths returns the names of the paths that this processor supports, fastest
// first. The last is always "portable".
func Paths() []string {
	var names []string
	for _, p := range runnable() {
		names = append(names, p.name())
	}
	return names
}

// Path returns the name of the model's path.
func (m *Model) Path() string { return m.path.name() }

// Embed returns a unit vector of length Dim for the first TextTokens tokens of
// text. The dot product of two vectors is the cosine of their angle: near 1 for
// texts with the same meaning, near 0 for unrelated texts.
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
	return meanPool(s.x, len(s.ids))
}

// meanPool averages rows vectors and normalizes the result to length 1.
func meanPool(x []float32, rows int) []float32 {
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
