package tokens

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"robot.wtf/internal/hostile"
)

// fixtures returns texts as people write them, with their o200k counts, which
// e2e/mcp/tokens.mjs made.
func fixtures(t testing.TB) (texts map[string]string, counts map[string]int) {
	t.Helper()
	raw, err := os.ReadFile("testdata/o200k.json")
	if err != nil {
		t.Fatal(err)
	}
	var counted map[string]struct {
		Tokens int
		SHA256 string
	}
	if err := json.Unmarshal(raw, &counted); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.md")
	if err != nil || len(files) != len(counted) {
		t.Fatalf("%d fixtures, %d counts, %v: run e2e/mcp/tokens.mjs", len(files), len(counted), err)
	}
	texts, counts = map[string]string{}, map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != counted[name].SHA256 {
			t.Fatalf("%s has changed since it was counted: run e2e/mcp/tokens.mjs", name)
		}
		texts[name], counts[name] = string(text), counted[name].Tokens
	}
	return texts, counts
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	texts, counts := fixtures(t)
	if len(texts) < 12 {
		t.Errorf("only %d fixtures", len(texts))
	}
	for name, text := range texts {
		ratio := float64(Estimate(text)) / float64(counts[name])
		t.Logf("%-15s %5d tokens, estimated %.2f times as many", name, counts[name], ratio)
		if ratio < 1 || ratio > 1.4 {
			t.Errorf("%s: %d tokens, but estimated %d", name, counts[name], Estimate(text))
		}
	}
}

// TestEstimateIsLinear checks shapes that keep a word, a run or a mark open.
func TestEstimateIsLinear(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"a", "A", "aB", "aB3", "1", "1a", "-", "=-", " ", "\n", "\t", "é", "aé", "漢", "カ", "\u0301", "é\u0301", "і", "б", "\xff", "\U0001f600", "\U000e0041"} {
		hostile.Double(t, "estimate "+unit, 200_000, func(n int) int {
			return Estimate(strings.Repeat(unit, n/len(unit)))
		})
	}
}

func TestFit(t *testing.T) {
	t.Parallel()
	texts, _ := fixtures(t)
	for name, text := range texts {
		last := 0
		for most := range Estimate(text) + 2 {
			n := Fit(text, most)
			switch {
			case n < last:
				t.Fatalf("%s: %d tokens hold %d bytes, %d hold %d", name, most, n, most-1, last)
			case n < len(text) && !utf8.RuneStart(text[n]):
				t.Fatalf("%s: cut within a character at %d", name, n)
			case Estimate(text[:n]) > most:
				t.Fatalf("%s: %d bytes have %d tokens, not %d", name, n, Estimate(text[:n]), most)
			}
			last = n
		}
		if last != len(text) {
			t.Errorf("%s: the whole text doesn't fit into its own estimate", name)
		}
	}
}

func FuzzEstimate(f *testing.F) {
	texts, _ := fixtures(f)
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all := Estimate(text)
		if all < 0 || all > 4*len(text) {
			t.Fatalf("%d tokens in %d bytes", all, len(text))
		}
		if n := Fit(text, all/2); n > len(text) || Estimate(text[:n]) > all/2 && n > 0 {
			t.Fatalf("%d bytes fit into %d tokens, but cost %d", n, all/2, Estimate(text[:n]))
		}
	})
}

func BenchmarkEstimate(b *testing.B) {
	texts, _ := fixtures(b)
	for name, text := range texts {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				Estimate(text)
			}
		})
	}
}
