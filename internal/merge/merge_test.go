package merge

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestThree(t *testing.T) {
	for _, c := range []struct {
		name, base, ours, theirs string
		want                     string
		conflicts                int
	}{
		{"all empty", "", "", "", "", 0},
		{"only ours", "a\n", "b\n", "a\n", "b\n", 0},
		{"only theirs", "a\n", "a\n", "b\n", "b\n", 0},
		{"both the same", "a\n", "b\n", "b\n", "b\n", 0},
		{"far apart", "a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n", "A\nb\nC\n", 0},
		{"touching", "a\nb\n", "A\nb\n", "a\nB\n", "A\nb\n", 1},
		{"one changes, one deletes", "a\nb\nc\n", "a\nB\nc\n", "a\nc\n", "a\nB\nc\n", 1},
		{"both append", "a\n", "a\nb\n", "a\nc\n", "a\nb\n", 1},
		{"both append, first line the same", "a\n", "a\nx\nb\n", "a\nx\nc\n", "a\nx\nb\n", 1},
		{"both fill an empty text", "", "a\n", "b\n", "a\n", 1},
		{"ours deletes everything", "a\nb\nc\n", "", "a\nb\nc\n", "", 0},
		{"both delete everything", "a\n", "", "", "", 0},
		{"final line ending added, first line changed", "a\nb\nc", "a\nb\nc\n", "A\nb\nc", "A\nb\nc\n", 0},
		{"final line ending added, same line changed", "a", "a\n", "b", "a\n", 1},
		{"line endings changed, word changed", "a\nb\n", "a\r\nb\r\n", "a\nB\n", "a\r\nb\r\n", 1},
		{"line endings changed on both sides", "a\nb\n", "a\r\nb\r\n", "a\r\nb\r\n", "a\r\nb\r\n", 0},
		{"one line moved, another changed", "a\nb\nc\nd\ne\n", "b\nc\na\nd\ne\n", "a\nb\nc\nd\nE\n", "b\nc\na\nd\nE\n", 0},
		{"NUL and invalid UTF-8", "\x00\n\xff\nz\n", "\x00\x01\n\xff\nz\n", "\x00\n\xff\n\xfe\n", "\x00\x01\n\xff\n\xfe\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Three([]byte(c.base), []byte(c.ours), []byte(c.theirs))
			if diff := cmp.Diff(c.want, string(got.Text)); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if len(got.Conflicts) != c.conflicts || got.Clean() != (c.conflicts == 0) {
				t.Errorf("%d conflicts, clean %t, want %d: %v", len(got.Conflicts), got.Clean(), c.conflicts, got.Conflicts)
			}
		})
	}
}

func TestConflictRegions(t *testing.T) {
	lines := func(s string) []byte { return []byte(strings.ReplaceAll(s, " ", "\n") + "\n") }
	got := Three(lines("a b c d e f g h i j k"), lines("A b c d1 e f g h i j k l"), lines("a b c d2 d3 e f g h i j K k"))
	want := []Conflict{{
		Base: Region{3, 4}, Ours: Region{3, 4}, Theirs: Region{3, 5},
		BaseText: "d\n", OursText: "d1\n", TheirsText: "d2\nd3\n", Merged: Region{3, 4},
	}}
	if diff := cmp.Diff(want, got.Conflicts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := string(got.Text), string(lines("A b c d1 e f g h i j K k l")); got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

func TestSeveralEditsMakeOneConflict(t *testing.T) {
	got := Three([]byte("a\nb\nc\nd\ne\n"), []byte("a\nB\nc\nD\ne\n"), []byte("a\nx\ny\ne\n"))
	want := []Conflict{{
		Base: Region{1, 4}, Ours: Region{1, 4}, Theirs: Region{1, 3},
		BaseText: "b\nc\nd\n", OursText: "B\nc\nD\n", TheirsText: "x\ny\n", Merged: Region{1, 4},
	}}
	if diff := cmp.Diff(want, got.Conflicts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A clean merge loses nothing: it has each line that a side added, at least as
// often, and no line that neither side has.
func TestCleanMergesLoseNoLine(t *testing.T) {
	r := rand.New(rand.NewPCG(29, 31))
	clean := 0
	for range rounds(2000, 100_000) {
		_, base, ours, theirs := randomTriple(r)
		got := Three(base, ours, theirs)
		checkRegions(t, base, ours, theirs, got)
		if !got.Clean() {
			continue
		}
		clean++
		in := func(b []byte) map[string]int { return countLines(splitLines(b)) }
		inBase, inOurs, inTheirs, inMerge := in(base), in(ours), in(theirs), in(got.Text)
		for _, side := range []map[string]int{inOurs, inTheirs} {
			for line, n := range side {
				if inBase[line] == 0 && inMerge[line] < n {
					t.Fatalf("line %q is in one side %d times but in the merge %d times\nbase %q\nours %q\ntheirs %q\nmerge %q", line, n, inMerge[line], base, ours, theirs, got.Text)
				}
			}
		}
		for line := range inMerge {
			if inOurs[line]+inTheirs[line] == 0 {
				t.Fatalf("line %q of the merge is in neither side\nbase %q\nours %q\ntheirs %q\nmerge %q", line, base, ours, theirs, got.Text)
			}
		}
	}
	if clean == 0 {
		t.Error("no merge was clean")
	}
}

func countLines(lines []string) map[string]int {
	n := map[string]int{}
	for _, l := range lines {
		n[l]++
	}
	return n
}

// checkRegions compares the regions of a result's conflicts with the texts.
func checkRegions(t *testing.T, base, ours, theirs []byte, r Result) {
	t.Helper()
	merged := Region{}
	for _, c := range r.Conflicts {
		for _, p := range []struct {
			whole []byte
			at    Region
			text  string
		}{{base, c.Base, c.BaseText}, {ours, c.Ours, c.OursText}, {theirs, c.Theirs, c.TheirsText}, {r.Text, c.Merged, c.OursText}} {
			lines := splitLines(p.whole)
			if p.at.Start < 0 || p.at.Start > p.at.End || p.at.End > len(lines) || strings.Join(lines[p.at.Start:p.at.End], "") != p.text {
				t.Fatalf("region %v is not %q in %q\nbase %q\nours %q\ntheirs %q", p.at, p.text, p.whole, base, ours, theirs)
			}
		}
		if c.Merged.Start < merged.End {
			t.Fatalf("conflicts overlap: %v", r.Conflicts)
		}
		merged = c.Merged
	}
}

func TestMergeLaws(t *testing.T) {
	lines := rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "", "long line", "é"}), 0, 12), func(l []string) []byte {
		return []byte(strings.Join(l, "\n"))
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := lines.Draw(t, "a"), lines.Draw(t, "b")
		for _, c := range []struct{ base, ours, theirs, want []byte }{{a, a, b, b}, {a, b, a, b}, {a, b, b, b}} {
			if r := Three(c.base, c.ours, c.theirs); !r.Clean() || !bytes.Equal(r.Text, c.want) {
				t.Errorf("Three(%q, %q, %q) = %q, %v", c.base, c.ours, c.theirs, r.Text, r.Conflicts)
			}
		}
	})
}

func FuzzThree(f *testing.F) {
	f.Add([]byte("a\nb\nc\n"), []byte("A\nb\nc\n"), []byte("a\nb\nC"))
	f.Add([]byte("a\n\n\n"), []byte("\n\r\n"), []byte(""))
	f.Fuzz(func(t *testing.T, base, ours, theirs []byte) {
		checkRegions(t, base, ours, theirs, Three(base, ours, theirs))
	})
}
