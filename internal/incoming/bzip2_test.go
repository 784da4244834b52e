package incoming

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"robot.wtf/internal/wiki"
)

func packBzip2(t *testing.T, text []byte, level string) []byte {
	program, err := exec.LookPath("bzip2")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(program, level)
	cmd.Stdin = bytes.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// letters returns n bytes that compress well.
func letters(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]byte, n)
	for i := range out {
		out[i] = "aaabcd    \n"[r.IntN(11)]
	}
	return out
}

// The size of a bzip2 file is found without unpacking it, and never overestimated.
func TestBzip2Bytes(t *testing.T) {
	pack := func(text []byte, level string) []byte { return packBzip2(t, text, level) }
	words := letters(1900 << 10)
	runs := bytes.Repeat([]byte("aaaabbbbcccc"), 1<<16) // which take more space before they are sorted
	for _, c := range []struct {
		name   string
		packed []byte
		bytes  int
		least  float64
	}{
		{"one stream", pack(words, "-1"), len(words), 0.7},
		{"large blocks", pack(words, "-9"), len(words), 0.5},
		{"runs of four", pack(runs, "-1"), len(runs), 0.8},
		{"streams with one block", bytes.Repeat(pack(words[:50_000], "-1"), 20), 20 * 50_000, 0},
		{"streams with several blocks", bytes.Repeat(pack(words[:250_000], "-1"), 10), 10 * 250_000, 0.6},
		{"nothing", pack(nil, "-1"), 0, 0},
		{"a cut file", pack(words, "-1")[:100_000], len(words), 0},
		{"no bzip2", []byte("BZhx and more"), 0, 0},
	} {
		got, err := bzip2Bytes(bytes.NewReader(c.packed))
		if err != nil || got > int64(c.bytes) || float64(got) < c.least*float64(c.bytes) {
			t.Errorf("%s: at least %d of %d bytes, %v", c.name, got, c.bytes, err)
		}
	}
}

// An export with few pages and too many revisions is refused before it is unpacked,
// which takes half a minute for 500 MB.
func TestBzip2ExportTooLarge(t *testing.T) {
	text := []byte("<mediawiki><siteinfo></siteinfo><page><title>A</title>")
	for range 40 {
		text = append(text, "<revision><text>"...)
		text = append(append(text, letters(32_000)...), "</text></revision>"...)
	}
	text = append(text, "</page></mediawiki>"...)
	path := filepath.Join(t.TempDir(), "export")
	packed := packBzip2(t, text, "-1")
	if err := os.WriteFile(path, packed, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		max     int64
		tooMuch bool
	}{{int64(len(text)) / 2, true}, {int64(len(text)), false}} {
		dir := t.TempDir()
		e, err := OpenExport(f, int64(len(packed)), Options{Dir: dir, Max: c.max})
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.List(t.Context())
		if errors.Is(err, wiki.ErrTooLarge) != c.tooMuch || !c.tooMuch && err != nil {
			t.Errorf("at most %d bytes: %v", c.max, err)
		}
		if unpacked, _ := os.ReadDir(dir); c.tooMuch != (len(unpacked) == 0) {
			t.Errorf("at most %d bytes: unpacked %d files", c.max, len(unpacked))
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}
