package merge

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/testdisk"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

// rounds returns the number of rounds of a randomized test.
func rounds(few, many int) int {
	if os.Getenv("ROBOT_LONG") == "1" {
		return many
	}
	return few
}

// A gitRunner runs git and patch in its own directory, isolated from this
// machine's configuration.
type gitRunner struct {
	t   testing.TB
	dir string
	git string
}

func newGitRunner(t testing.TB) *gitRunner {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git not found")
	}
	return &gitRunner{t, t.TempDir(), git}
}

func (m *gitRunner) write(name string, content []byte) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), content, 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m *gitRunner) run(stdin []byte, program string, args ...string) (out []byte, code int) {
	m.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = m.dir
	cmd.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=/nonexistent", "LANG=C.UTF-8", "GIT_CEILING_DIRECTORIES=" + filepath.Dir(m.dir),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
	}
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if code = exit.ExitCode(); code < 0 || code == 255 {
			m.t.Fatalf("%s %q: %v\n%s", program, args, err, stderr.String())
		}
	} else if err != nil {
		m.t.Fatal(err)
	}
	return append(out, stderr.Bytes()...), code
}

// mergeFile merges three texts with git.
func (m *gitRunner) mergeFile(base, ours, theirs []byte) (text []byte, clean bool) {
	m.t.Helper()
	m.write("base", base)
	m.write("ours", ours)
	m.write("theirs", theirs)
	text, code := m.run(nil, m.git, "merge-file", "-p", "-q", "ours", "base", "theirs")
	return text, code == 0
}

// A writer generates texts and edits them the way people, scripts and attackers do.
type writer struct {
	*rand.Rand
	lines []string // vocabulary of lines; nil for unique lines
	fresh int
}

func (w *writer) line() string {
	if w.lines != nil && w.IntN(10) > 0 {
		return w.lines[w.IntN(len(w.lines))]
	}
	w.fresh++
	return fmt.Sprintf("unique line %d", w.fresh)
}

func (w *writer) text(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = w.line()
	}
	return lines
}

// edit changes lines in up to n places.
func (w *writer) edit(lines []string, n int) []string {
	lines = slices.Clone(lines)
	for range w.IntN(n + 1) {
		at := w.IntN(len(lines) + 1)
		end := min(len(lines), at+w.IntN(4))
		switch w.IntN(6) {
		case 0:
			lines = slices.Insert(lines, at, w.text(1+w.IntN(4))...)
		case 1:
			lines = slices.Delete(lines, at, end)
		case 2:
			lines = slices.Replace(lines, at, end, w.text(1+w.IntN(3))...)
		case 3:
			if at < len(lines) {
				lines[at] += " changed " + string(rune('a'+w.IntN(3)))
			}
		case 4: // move
			part := slices.Clone(lines[at:end])
			lines = slices.Delete(lines, at, end)
			lines = slices.Insert(lines, w.IntN(len(lines)+1), part...)
		case 5: // copy
			lines = slices.Insert(lines, w.IntN(len(lines)+1), slices.Clone(lines[at:end])...)
		}
	}
	return lines
}

// join joins lines into a file, sometimes with CRLF or without a final line
// ending.
func (w *writer) join(lines []string) []byte {
	end := "\n"
	if w.IntN(25) == 0 {
		end = "\r\n"
	}
	text := strings.Join(lines, end)
	if len(lines) > 0 && w.IntN(8) > 0 {
		text += end
	}
	return []byte(text)
}

// randomTriple returns a base text and two edits of it, with the kind of text.
func randomTriple(r *rand.Rand) (kind string, base, ours, theirs []byte) {
	kinds := []struct {
		name        string
		lines       []string
		size, edits int
	}{
		{"prose", nil, 60, 6},
		{"list", []string{"- a", "- b", "- c", "- d", "", "## Part", "* * *"}, 40, 5},
		{"two lines", []string{"a", "b"}, 25, 4},
		{"one line", []string{"a"}, 12, 3},
		{"rules", []string{"", "---", "* * *", "| | |", "---", ""}, 40, 4},
		{"short", []string{"a", "b", "c", "{", "}", ""}, 6, 3},
		{"long", []string{"", "x", "y", "| a | b |", "z", "```", "end"}, 500, 40},
		{"nothing in common", nil, 300, 200},
	}
	k := kinds[r.IntN(len(kinds))]
	w := &writer{Rand: r, lines: k.lines}
	start := w.text(w.IntN(k.size + 1))
	a, b := w.edit(start, k.edits), w.edit(start, k.edits)
	if w.IntN(4) == 0 { // both sides share some changes
		a, b = w.edit(a, 2), w.edit(a, 2)
	}
	return k.name, w.join(start), w.join(a), w.join(b)
}

func TestThreeMatchesGitMergeFile(t *testing.T) {
	m := newGitRunner(t)
	r := rand.New(rand.NewPCG(7, 11))
	n, clean := rounds(150, 10_000), 0
	differ := map[string]int{}
	for range n {
		kind, base, ours, theirs := randomTriple(r)
		if m.sameMerge(differ, kind, base, ours, theirs) {
			clean++
		}
	}
	t.Logf("measured: %d triples, %d clean in git; differences: %v", n, clean, differ)
	if clean < n/5 || clean > n*4/5 {
		t.Errorf("%d of %d merges are clean, want a mix of clean and conflicting", clean, n)
	}
	for _, class := range slices.Sorted(maps.Keys(differ)) {
		t.Errorf("%d merges differ from git in %s", differ[class], class)
	}
}

// Long texts with little in common make the search end early, and it then follows
// long unchanged runs. Frequent lines among many without a counterpart are set
// aside before the search.
func TestLongMergesMatchGit(t *testing.T) {
	m := newGitRunner(t)
	r := rand.New(rand.NewPCG(19, 23))
	differ := map[string]int{}
	n := rounds(4, 200)
	for i := range n {
		w := &writer{Rand: r}
		w.lines = make([]string, 2<<r.IntN(12))
		for i := range w.lines {
			w.lines[i] = fmt.Sprint(i)
		}
		kinds := []struct {
			name   string
			change func(base []string) []string
		}{
			{"edits", func(base []string) []string { return w.edit(base, 600) }},
			{"other texts", func([]string) []string { return w.text(1000 + r.IntN(5000)) }},
			{"unchanged runs", func(base []string) []string {
				return w.keepStretches(base, func() string { return w.lines[r.IntN(len(w.lines))] })
			}},
			{"unmatched lines", func(base []string) []string {
				return w.keepStretches(base, func() string {
					if r.IntN(5) == 0 {
						return w.lines[r.IntN(min(3, len(w.lines)))]
					}
					w.fresh++
					return fmt.Sprint("unmatched ", w.fresh)
				})
			}},
		}
		k := kinds[i%len(kinds)]
		size := 2000 + r.IntN(5000)
		if i%12 == 6 {
			size = 70_000 // from 65,536 lines on, a good path is taken before the search ends
		}
		base := w.text(size)
		m.sameMerge(differ, k.name, w.join(base), w.join(k.change(base)), w.join(k.change(base)))
	}
	t.Logf("measured: %d merges of thousands of lines; differences: %v", n, differ)
	for _, class := range slices.Sorted(maps.Keys(differ)) {
		t.Errorf("%d of %d merges differ from git in %s", differ[class], n, class)
	}
}

// keepStretches keeps some runs of lines and replaces the rest.
func (w *writer) keepStretches(lines []string, other func() string) []string {
	var out []string
	for len(lines) > 0 {
		kept := min(len(lines), w.IntN(20<<w.IntN(6)))
		out = append(out, lines[:kept]...)
		lines = lines[kept:]
		for range w.IntN(20 << w.IntN(6)) {
			out = append(out, other())
		}
		lines = lines[min(len(lines), w.IntN(20<<w.IntN(6))):]
	}
	return out
}

// sameMerge compares a merge with git's, counts differences in differ, and
// reports whether git's merge is clean.
func (m *gitRunner) sameMerge(differ map[string]int, kind string, base, ours, theirs []byte) (clean bool) {
	m.t.Helper()
	want, clean := m.mergeFile(base, ours, theirs)
	got := three(base, ours, theirs, math.MaxInt) // git has no budget
	class := ""
	switch {
	case got.Clean() != clean:
		class = "verdict, "
	case clean && !bytes.Equal(got.Text, want):
		class = "bytes, "
	case !clean && !bytes.ContainsRune(want, '\r') && !bytes.Equal(withMarkers(got), want):
		class = "conflicts, "
	default:
		return clean
	}
	if differ[class+kind]++; differ[class+kind] == 1 {
		m.t.Logf("%s%s:\nbase %.2000q\nours %.2000q\ntheirs %.2000q\ngit  %.2000q (clean %t)\nhere %.2000q", class, kind, base, ours, theirs, want, clean, withMarkers(got))
	}
	return clean
}

// withMarkers formats a merge as git does, with markers around conflicts.
func withMarkers(r Result) []byte {
	var out bytes.Buffer
	lines, done := splitLines(r.Text), 0
	complete := func(text string) {
		out.WriteString(text)
		if text != "" && !strings.HasSuffix(text, "\n") {
			out.WriteByte('\n')
		}
	}
	for _, c := range r.Conflicts {
		complete(strings.Join(lines[done:c.Merged.Start], ""))
		out.WriteString("<<<<<<< ours\n")
		complete(c.OursText)
		out.WriteString("=======\n")
		complete(c.TheirsText)
		out.WriteString(">>>>>>> theirs\n")
		done = c.Merged.End
	}
	out.WriteString(strings.Join(lines[done:], ""))
	return out.Bytes()
}
