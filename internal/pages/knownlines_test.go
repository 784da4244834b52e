package pages

import (
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/edit"
)

func TestKnownLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 100)
	for _, test := range []struct {
		name, old, now string
		seen, want     edit.Lines
	}{
		{"an addition", "a\nb\nc\n", "a\nb\nc\nd\n", edit.Lines{}, edit.Lines{From: 4, To: 4}},
		{"lines above", "a\nb\nc\n", "x\ny\na\nb\nc\n", edit.Lines{From: 2, To: 3}, edit.Lines{From: 4, To: 5}},
		{"inside", "a\nb\nc\nd\n", "a\nb\nx\nc\nd\n", edit.Lines{From: 2, To: 3}, edit.Lines{From: 2, To: 4}},
		{"on both sides of what is unknown", "a\nb\nc\nd\ne\n", "x\na\nb\nc\nd\ne\ny\n", edit.Lines{From: 1, To: 2}, edit.Lines{From: 1, To: 3}},
		{"a gap", "a\nb\nc\nd\ne\n", "a\nb\nc\nd\nx\n", edit.Lines{From: 1, To: 2}, edit.Lines{From: 1, To: 2}},
		{"a long line that was known", "a\n" + long + "\nc\n", "a\n" + long + "x\nc\n", edit.Lines{From: 1, To: 3}, edit.Lines{From: 1, To: 3}},
		{"a long line that wasn't", "a\n" + long + "\nc\n", "a\n" + long + "x\nc\n", edit.Lines{From: 1, To: 1}, edit.Lines{From: 1, To: 1}},
		{"a removal", "a\nb\nc\n", "a\nc\n", edit.Lines{From: 1, To: 3}, edit.Lines{From: 1, To: 2}},
		{"nothing", "a\n", "a\n", edit.Lines{}, edit.Lines{}},
	} {
		if got := knownLines(test.old, test.now, test.seen); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// FuzzKnownLines: each line that a reader is said to know was among the lines they
// had read, or the diff shows it, or they had read the lines that it replaces.
func FuzzKnownLines(f *testing.F) {
	f.Add("a\nb\nc\n", "a\nx\nc\nd\n", 1, 2)
	f.Add("a\na\nb\n", "b\na\na\n", 2, 3)
	f.Fuzz(func(t *testing.T, old, now string, from, to int) {
		if len(old)+len(now) > 2000 || from < 0 || to < from {
			return
		}
		known := knownLines(old, now, edit.Lines{From: from, To: to})
		was, is := slices.Collect(strings.Lines(old)), slices.Collect(strings.Lines(now))
		var read []string
		for i, l := range was {
			if from <= i+1 && i+1 <= to {
				read = append(read, l)
			}
		}
		shown := slices.Collect(strings.Lines(compactDiff(old, now, 0, 1, hideNone)))
		if known.From < 0 || known.To < known.From || known.To > len(is) || (known.From == 0) != (known.To == 0) {
			t.Fatalf("%v of %d lines", known, len(is))
		}
		for n := known.From; n > 0 && n <= known.To; n++ {
			l := is[n-1]
			if !slices.Contains(read, l) && !slices.ContainsFunc(shown, func(s string) bool { return strings.TrimRight(s[1:], "\r\n") == strings.TrimRight(l, "\r\n") }) && len(read) == 0 {
				t.Errorf("line %d, %q, is in neither", n, l)
			}
		}
	})
}
