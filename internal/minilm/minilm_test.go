package minilm_test

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"sync"
	"testing"

	"robot.wtf/internal/minilm"
	"robot.wtf/internal/slow"
)

// A sample is one line of testdata/reference.jsonl or testdata/tokens.jsonl.
type sample struct {
	Text   string
	IDs    []int32
	Vector []float32
}

func samples(t testing.TB, file string) []sample {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []sample
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func load(t testing.TB, path string) *minilm.Model {
	t.Helper()
	m, err := minilm.NewPath(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func cosine(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// Every path that this machine supports reproduces the vectors of the published
// weights. The bounds depend on the path: only weights are int8, or activations
// too.
func TestVectors(t *testing.T) {
	for _, path := range minilm.Paths() {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			worstBound, meanBound, least, every := 0.99, 0.997, 40, 1
			limit := minilm.MaxTokens
			if testing.Short() {
				limit = 10
			} else if !slow.Enabled() {
				limit = 40
			}
			if path == "portable" {
				worstBound, meanBound = 0.996, 0.999
				if os.Getenv("ROBOT_LONG") == "" {
					limit, least, every = 10, 20, 2 // the path is slow, so half of the texts with at most 10 tokens
				}
			}
			m := load(t, path)
			worst, sum, n := 2.0, 0.0, 0
			eligible := 0
			for _, s := range samples(t, "reference.jsonl") {
				if len(s.IDs) > limit {
					continue
				}
				if eligible++; eligible%every != 0 {
					continue
				}
				v := m.Embed(s.Text)
				if length := math.Sqrt(cosine(v, v)); math.Abs(length-1) > 1e-5 {
					t.Errorf("%q: length %v, want 1", s.Text, length)
				}
				c := cosine(v, s.Vector)
				if c < worstBound || math.IsNaN(c) {
					t.Errorf("%q: cosine %.4f, want at least %v", s.Text, c, worstBound)
				}
				worst, sum, n = min(worst, c), sum+c, n+1
			}
			t.Logf("%s: %d texts, cosine worst %.4f, mean %.4f", path, n, worst, sum/float64(n))
			if n < least || sum/float64(n) < meanBound {
				t.Errorf("mean cosine %.4f of %d texts, want at least %v of %d", sum/float64(n), n, meanBound, least)
			}
		})
	}
}

// Concurrent calls return the same vectors as a single call.
func TestConcurrentUse(t *testing.T) {
	m := load(t, minilm.Paths()[0])
	texts := []string{"", "a wiki", "How do I restore a wiki from a backup?", "東京大学"}
	var want [][]float32
	for _, text := range texts {
		want = append(want, m.Embed(text))
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range texts {
				k := (i + j) % len(texts)
				if got := m.Embed(texts[k]); cosine(got, want[k]) < 0.999999 {
					t.Errorf("%q: different vector under concurrency", texts[k])
				}
			}
		})
	}
	group.Wait()
}

// Tokens beyond MaxTokens have no effect.
func TestLongText(t *testing.T) {
	m := load(t, minilm.Paths()[0])
	head := ""
	for range minilm.TextTokens {
		head += "cat "
	}
	if n := m.CountTokens(head); n != minilm.TextTokens {
		t.Fatalf("%d tokens, want %d", n, minilm.TextTokens)
	}
	if c := cosine(m.Embed(head), m.Embed(head+"a completely different end")); c < 0.999999 {
		t.Errorf("the end of a long text changes its vector: cosine %v", c)
	}
	if c := cosine(m.Embed(head), m.Embed(head[:len(head)-len("cat ")]+"dog")); c > 0.999999 {
		t.Error("the last token within the limit doesn't change the vector")
	}
}

func TestUnknownPath(t *testing.T) {
	t.Setenv(minilm.PathVariable, "abacus")
	if _, err := minilm.New(); err == nil {
		t.Error("accepted an unknown path")
	}
	t.Setenv(minilm.PathVariable, "portable")
	if m, err := minilm.New(); err != nil || m.Path() != "portable" {
		t.Errorf("forcing the portable path: %v, %v", m, err)
	}
}
