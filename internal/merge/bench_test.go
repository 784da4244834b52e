package merge

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// benchmarkTexts returns about 6 KB of lines and two people's edits of them.
func benchmarkTexts() (base, ours, theirs []byte) {
	w := &writer{Rand: rand.New(rand.NewPCG(1, 1))}
	lines := w.text(150)
	for i := range lines {
		lines[i] += " with some words after it"
	}
	a := append(w.edit(lines[:75], 5), lines[75:]...)
	b := append(lines[:75:75], w.edit(lines[75:], 5)...)
	join := func(l []string) []byte { return []byte(strings.Join(l, "\n") + "\n") }
	return join(lines), join(a), join(b)
}

func BenchmarkThree(b *testing.B) {
	base, ours, theirs := benchmarkTexts()
	for b.Loop() {
		if !Three(base, ours, theirs).Clean() {
			b.Fatal("unexpected conflict")
		}
	}
}

func BenchmarkDiff(b *testing.B) {
	base, ours, _ := benchmarkTexts()
	for b.Loop() {
		Diff(base, ours, 3)
	}
}

func BenchmarkUnified(b *testing.B) {
	base, ours, _ := benchmarkTexts()
	for b.Loop() {
		Unified("a/Home.md", "b/Home.md", base, ours, 3)
	}
}

func BenchmarkHostileDiff(b *testing.B) {
	for name, pair := range hostilePairs(mib) {
		old, new := []byte(pair[0]), []byte(pair[1])
		b.Run(strings.ReplaceAll(name, ",", ""), func(b *testing.B) {
			for b.Loop() {
				Diff(old, new, 3)
			}
		})
	}
}
