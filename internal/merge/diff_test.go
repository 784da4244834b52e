package merge

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// formatHunks formats hunks as text, with changed words in [brackets].
func formatHunks(hunks []Hunk) string {
	var b strings.Builder
	spans := func(spans []Span) string {
		var b strings.Builder
		for _, s := range spans {
			if s.Kind == Same {
				b.WriteString(s.Text)
			} else {
				b.WriteString("[" + s.Text + "]")
			}
		}
		return b.String()
	}
	for _, h := range hunks {
		fmt.Fprintf(&b, "@ %d,%d %d,%d\n", h.OldStart, h.OldLines, h.NewStart, h.NewLines)
		for _, r := range h.Rows {
			switch r.Kind {
			case Same:
				fmt.Fprintf(&b, "  %d %d %s\n", r.OldLine, r.NewLine, spans(r.Old))
			case Removed:
				fmt.Fprintf(&b, "- %d %s\n", r.OldLine, spans(r.Old))
			case Inserted:
				fmt.Fprintf(&b, "+ %d %s\n", r.NewLine, spans(r.New))
			case Changed:
				fmt.Fprintf(&b, "~ %d %s\n  %d %s\n", r.OldLine, spans(r.Old), r.NewLine, spans(r.New))
			}
		}
	}
	return b.String()
}

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		context        int
		want           string
	}{
		{"equal", "a\n", "a\n", 3, ""},
		{"both empty", "", "", 3, ""},
		{"from empty", "", "a\nb\n", 3, "@ 0,0 1,2\n+ 1 [a]\n+ 2 [b]\n"},
		{"to empty", "a\n", "", 3, "@ 1,1 0,0\n- 1 [a]\n"},
		{"words", "The quick brown fox\n", "The slow brown fox!\n", 0,
			"@ 1,1 1,1\n~ 1 The [quick] brown fox\n  1 The [slow] brown fox[!]\n"},
		{"adjacent changed words are joined", "say one two now here\n", "say three four now here\n", 0,
			"@ 1,1 1,1\n~ 1 say [one two] now here\n  1 say [three four] now here\n"},
		{"a blank beside an insertion is kept", "one two three here\n", "one, six three here\n", 0,
			"@ 1,1 1,1\n~ 1 one [two] three here\n  1 one[,] [six] three here\n"},
		{"combining marks and scripts without blanks", "cafe\u0301 日本語\n", "cafe\u0302 日本人\n", 0,
			"@ 1,1 1,1\n~ 1 [cafe\u0301] 日本[語]\n  1 [cafe\u0302] 日本[人]\n"},
		{"lines are paired by similarity, not index", "keep\nthe first line of old\nlast\n", "keep\nsomething else entirely came\nthe first line of new\nlast\n", 1,
			"@ 1,3 1,4\n  1 1 keep\n+ 2 [something else entirely came]\n~ 2 the first line of [old]\n  3 the first line of [new]\n  3 4 last\n"},
		{"dissimilar lines are not paired", "alpha\n", "omega\n", 0, "@ 1,1 1,1\n- 1 [alpha]\n+ 1 [omega]\n"},
		{"context", "1\n2\n3\n4\n5\n6\n7\n", "1\n2\n3\nx\n4\n5\n6\n7\n", 1, "@ 3,2 3,3\n  3 3 3\n+ 4 [x]\n  4 5 4\n"},
		{"one hunk if contexts touch", "1\na\n3\n4\nb\n6\n", "1\nA\n3\n4\nB\n6\n", 1,
			"@ 1,6 1,6\n  1 1 1\n- 2 [a]\n+ 2 [A]\n  3 3 3\n  4 4 4\n- 5 [b]\n+ 5 [B]\n  6 6 6\n"},
		{"two hunks if contexts don't touch", "a\n3\n4\n5\nb\n", "A\n3\n4\n5\nB\n", 1,
			"@ 1,2 1,2\n- 1 [a]\n+ 1 [A]\n  2 2 3\n@ 4,2 4,2\n  4 4 5\n- 5 [b]\n+ 5 [B]\n"},
		{"a negative context counts as 0", "1\na\n", "1\nA\n", -5, "@ 2,1 2,1\n- 2 [a]\n+ 2 [A]\n"},
		{"a paragraph begins after an empty line", "# T\n\none\n\ntwo\n", "# T\n\none\n\nnew\n\ntwo\n", 0, "@ 4,0 5,2\n+ 5 [new]\n+ 6 \n"},
		{"a section begins with its heading", "# T\n\n## A\n\ntext\n\n## B\n\ntext\n", "# T\n\n## A\n\ntext\n\n## N\n\ntext\n\n## B\n\ntext\n", 0,
			"@ 6,0 7,4\n+ 7 [## N]\n+ 8 \n+ 9 [text]\n+ 10 \n"},
		{"only line endings differ", "a\nb\n", "a\nb", 0, "@ 2,1 2,1\n~ 2 b\n  2 b\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, formatHunks(Diff([]byte(c.old), []byte(c.new), c.context))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if got := Diff([]byte("a"), []byte("a"), 3); got != nil {
		t.Errorf("Diff of equal texts = %v, want nil", got)
	}
	rows := Diff([]byte("a\r\nb"), []byte("a\nb"), 0)[0].Rows
	if rows[0].OldEnd != "\r\n" || rows[0].NewEnd != "\n" {
		t.Errorf("wrong line endings: %+v", rows[0])
	}
}

// randomPair returns two random texts and a random context.
func randomPair(r *rand.Rand) (old, new []byte, context int) {
	_, old, new, other := randomTriple(r)
	if r.IntN(2) == 0 {
		new = other
	}
	return old, new, r.IntN(5)
}

// Each side of the rows reproduces its text, and the lines omitted between hunks
// are equal.
func TestDiffRowsReproduceTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(37, 41))
	for range rounds(1000, 40_000) {
		old, new, context := randomPair(r)
		hunks := Diff(old, new, context)
		if (hunks == nil) != bytes.Equal(old, new) {
			t.Fatalf("%d hunks between %q and %q", len(hunks), old, new)
		}
		checkRows(t, hunks, old, new, context)
	}
}

func checkRows(t *testing.T, hunks []Hunk, old, new []byte, context int) {
	t.Helper()
	oldLines, newLines := splitLines(old), splitLines(new)
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%s\nold %q\nnew %q\n%s", fmt.Sprintf(format, args...), old, new, formatHunks(hunks))
	}
	i, j := 0, 0 // lines accounted for so far
	for _, h := range hunks {
		startOld, startNew := h.OldStart, h.NewStart
		if h.OldLines > 0 {
			startOld--
		}
		if h.NewLines > 0 {
			startNew--
		}
		if startOld < i || startNew-j != startOld-i || strings.Join(oldLines[i:startOld], "") != strings.Join(newLines[j:startNew], "") {
			fail("lines are missing before the hunk at %d, %d", h.OldStart, h.NewStart)
		}
		i, j = startOld, startNew
		run := 0
		for _, row := range h.Rows {
			if row.Kind != Inserted {
				if row.OldLine != i+1 || spanText(row.Old, Removed)+row.OldEnd != oldLines[i] {
					fail("row %+v is not old line %d", row, i+1)
				}
				i++
			}
			if row.Kind != Removed {
				if row.NewLine != j+1 || spanText(row.New, Inserted)+row.NewEnd != newLines[j] {
					fail("row %+v is not new line %d", row, j+1)
				}
				j++
			}
			if run++; row.Kind != Same {
				run = 0
			} else if run > 2*context {
				fail("%d unchanged rows in a hunk", run)
			}
		}
		if i-startOld != h.OldLines || j-startNew != h.NewLines {
			fail("the hunk has %d and %d lines, its rows %d and %d", h.OldLines, h.NewLines, i-startOld, j-startNew)
		}
	}
	if strings.Join(oldLines[i:], "") != strings.Join(newLines[j:], "") {
		fail("lines are missing after the last hunk")
	}
}

// spanText joins spans, or describes a span that doesn't belong there.
func spanText(spans []Span, kind Kind) string {
	var b strings.Builder
	for _, s := range spans {
		if s.Text == "" || s.Kind != Same && s.Kind != kind {
			return fmt.Sprintf("a wrong span %+v", s)
		}
		b.WriteString(s.Text)
	}
	return b.String()
}

// git apply and patch turn the old text into the new one, and git counts the
// same added and removed lines.
func TestUnifiedApplies(t *testing.T) {
	m := newGitRunner(t)
	r := rand.New(rand.NewPCG(43, 47))
	programs := [][]string{{m.git, "apply", "--whitespace=nowarn", "-"}}
	if _, err := os.Stat("/usr/bin/patch"); err == nil {
		programs = append(programs, []string{"/usr/bin/patch", "-s", "-p1", "--binary", "--posix", "-i", "-"})
	}
	const name = `Design/A page's "name"`
	if err := os.Mkdir(filepath.Join(m.dir, "Design"), 0o700); err != nil {
		t.Fatal(err)
	}
	for n := range rounds(80, 2000) {
		old, new, context := randomPair(r)
		if len(old) == 0 || len(new) == 0 || bytes.Equal(old, new) {
			continue // creating and removing the file is tested below
		}
		program := programs[n%len(programs)]
		if program[0] == m.git && context == 0 {
			context = 1 // without context, git apply looks for deletions one line too early
		}
		m.write(name, old)
		patch := Unified("a/"+name, "b/"+name, old, new, context)
		if out, code := m.run([]byte(patch), program[0], program[1:]...); code != 0 {
			t.Fatalf("%v: %s\n%s", program, out, patch)
		}
		got, err := os.ReadFile(filepath.Join(m.dir, name))
		if err != nil || !bytes.Equal(got, new) {
			t.Fatalf("%v turned %q into %q, want %q (%v)\n%s", program, old, got, new, err, patch)
		}
		m.write("old", old)
		out, _ := m.run(nil, m.git, "diff", "--no-index", "--numstat", "old", name)
		added, removed := Stat(old, new)
		if want := fmt.Sprintf("%d\t%d\t", added, removed); !strings.HasPrefix(string(out), want) {
			t.Fatalf("Stat = %q, git says %q\nold %q\nnew %q", want, out, old, new)
		}
	}
	m.run([]byte(Unified("/dev/null", "b/new file", nil, []byte("a\nb"), 3)), m.git, "apply", "-")
	if got, err := os.ReadFile(filepath.Join(m.dir, "new file")); string(got) != "a\nb" {
		t.Errorf("git apply wrote %q (%v)", got, err)
	}
	m.run([]byte(Unified("a/new file", "/dev/null", []byte("a\nb"), nil, 3)), m.git, "apply", "-")
	if _, err := os.Stat(filepath.Join(m.dir, "new file")); !os.IsNotExist(err) {
		t.Errorf("git apply did not remove the file: %v", err)
	}
}

func TestUnified(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"equal", "a", "a", ""},
		{"binary", "a\x00", "b", "Binary files a/f and b/f differ\n"},
		{"no final line ending", "a\nb", "a\nc\n", "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"},
		{"one line", "a\n", "b\n", "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n"},
		{"line endings are kept", "a\r\n", "", "--- a/f\n+++ b/f\n@@ -1 +0,0 @@\n-a\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Unified("a/f", "b/f", []byte(c.old), []byte(c.new), 3)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	// A name can't add lines to the header.
	if got := Unified("a/x\n+++ y", "b/a b", nil, []byte("\n"), 3); !strings.HasPrefix(got, "--- \"a/x\\012+++ y\"\n+++ b/a b\t\n@@") {
		t.Errorf("header of hostile names: %q", got)
	}
}

func FuzzDiff(f *testing.F) {
	f.Add([]byte("a b\nc\n"), []byte("a  d\r\nc"), 1)
	f.Add([]byte("\xff\xfe e\u0301\n\n"), []byte("\xff e\u0301\u0302 日本\n"), 0)
	f.Fuzz(func(t *testing.T, old, new []byte, context int) {
		context = min(max(context, 0), 100)
		checkRows(t, Diff(old, new, context), old, new, context)
		Unified("a", "b", old, new, context)
	})
}

func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		old, new string
		want     []int
	}{
		{"", "", []int{}},
		{"a\nb\n", "a\nb\n", []int{1, 2}},
		{"a\nb\nc\n", "x\na\nB\nc\ny", []int{0, 1, 0, 3, 0}},
		{"a\nb\nc\n", "c\n", []int{3}},
		{"a\nb", "a\nb\n", []int{1, 0}},
		{"a\n", "", []int{}},
	} {
		if diff := cmp.Diff(c.want, Origins([]byte(c.old), []byte(c.new))); diff != "" {
			t.Errorf("%q to %q: %s", c.old, c.new, diff)
		}
	}
}
