package minilm_test

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"robot.wtf/internal/minilm"
)

func ids(tokens []minilm.Token) []int32 {
	out := []int32{}
	for _, t := range tokens {
		out = append(out, t.ID)
	}
	return out
}

// Compares with the reference tokenizer on the texts of the reference vectors and
// on many unusual texts.
func TestTokens(t *testing.T) {
	m := load(t, "portable")
	for _, s := range samples(t, "reference.jsonl") {
		got := append([]int32{101}, ids(m.Tokens(s.Text))...)
		got = append(got[:min(len(got), minilm.MaxTokens-1)], 102)
		if !slices.Equal(got, s.IDs) {
			t.Errorf("%.80q: %v, want %v", s.Text, got, s.IDs)
		}
	}
	for _, s := range samples(t, "tokens.jsonl") {
		if got := ids(m.Tokens(s.Text)); !slices.Equal(got, s.IDs) {
			t.Errorf("%+q: %v, want %v", s.Text, got, s.IDs)
		}
	}
}

// testdata/codepoints.txt has the reference's tokens of "a", any character, "b", for
// runs of characters with the same tokens.
func TestEveryCharacter(t *testing.T) {
	m := load(t, "portable")
	f, err := os.Open("testdata/codepoints.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	runs := 0
	for ; lines.Scan(); runs++ {
		var first, last rune
		if _, err := fmt.Sscanf(lines.Text(), "%x %x", &first, &last); err != nil {
			t.Fatal(err)
		}
		want := strings.Fields(lines.Text())[2:]
		step := max(1, (last-first)/2) // both ends of the run and its middle
		if os.Getenv("ROBOT_LONG") != "" {
			step = 1
		}
		for r := first; r <= last; r += step {
			if !utf8.ValidRune(r) {
				continue // runs can include surrogates
			}
			var got []string
			for _, id := range ids(m.Tokens("a" + string(r) + "b")) {
				got = append(got, strconv.Itoa(int(id)))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%U: %v, want %v", r, got, want)
			}
		}
	}
	if runs != 5379 {
		t.Errorf("%d runs, want 5379", runs)
	}
}

func TestTokenPositions(t *testing.T) {
	m := load(t, "portable")
	for text, want := range map[string][]string{
		"Unaffable Café!":   {"Una", "+ffa", "+ble", "Café", "!"},
		"e\u0301te\x00 x":   {"e\u0301t", "+e", "x"},
		"東京 [SEP]\xff.":     {"東", "京", "[SEP]", "."},
		"각":                 {"각", "+각", "+각"},
		"a\u200bb\n\n\tc  ": {"a\u200bb", "c"},
	} {
		var got []string
		for _, token := range m.Tokens(text) {
			piece := text[token.Start:token.End]
			if token.Inner {
				piece = "+" + piece
			}
			got = append(got, piece)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// For any text: no panic, positions in range and in order, and splitting before a
// token that isn't Inner changes no tokens.
func FuzzTokens(f *testing.F) {
	m := load(f, "portable")
	for _, s := range samples(f, "tokens.jsonl")[:50] {
		f.Add(s.Text, uint(len(s.Text)/8))
	}
	f.Add("\xff\xfe[SEP[CLS]]\xc3", uint(2))
	f.Add(strings.Repeat("x", 300)+" y", uint(1))
	f.Fuzz(func(t *testing.T, text string, n uint) {
		tokens := m.Tokens(text)
		from := 0
		for i, token := range tokens {
			if token.Start < from || token.End < token.Start || token.End > len(text) || token.ID < 0 || token.ID >= 30522 {
				t.Fatalf("%+q: token %d is %+v, after %d", text, i, token, from)
			}
			if token.Inner && i == 0 {
				t.Fatalf("%+q: the first token is inner", text)
			}
			from = token.Start
		}
		if got := m.CountTokens(text); got != len(tokens) {
			t.Fatalf("%+q: %d tokens counted, %d listed", text, got, len(tokens))
		}
		if len(tokens) == 0 {
			return
		}
		i := int(n % uint(len(tokens)))
		if tokens[i].Inner {
			return
		}
		split := tokens[i].Start
		parts := append(ids(m.Tokens(text[:split])), ids(m.Tokens(text[split:]))...)
		if !slices.Equal(parts, ids(tokens)) {
			t.Fatalf("%+q split at %d: %v, want %v", text, split, parts, ids(tokens))
		}
	})
}
