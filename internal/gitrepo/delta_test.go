package gitrepo

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestDeltaMakesTheTarget(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	text := func(n int) []byte {
		out := make([]byte, n)
		for i := range out {
			out[i] = "abcdefgh \n"[r.IntN(10)]
		}
		return out
	}
	long := bytes.Repeat(text(1000), 20_000) // more than one copy instruction holds
	for _, c := range []struct {
		name         string
		base, target []byte
		most         int // bytes of the delta
	}{
		{"both empty", nil, nil, 2},
		{"empty base", nil, text(1000), 1020},
		{"empty target", text(1000), nil, 4},
		{"shorter than a block", []byte("abc"), []byte("abd"), 8},
		{"equal", text(1 << 16), nil, 20},
		{"nothing in common", text(5000), bytes.Repeat([]byte("#"), 5000), 5100},
		{"long", long, append([]byte("start"), long...), 60},
	} {
		if c.name == "equal" {
			c.target = c.base
		}
		delta := Delta(c.base, c.target)
		if got, err := ApplyDelta(c.base, delta, int64(len(c.target))); err != nil || !bytes.Equal(got, c.target) {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(delta) > c.most {
			t.Errorf("%s: the delta has %d bytes, at most %d expected", c.name, len(delta), c.most)
		}
	}
}

func TestDeltaOfAnEditIsSmall(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	lines := strings.SplitAfter(strings.Repeat("The bearing of the north mast was replaced in May.\n", 200), "\n")
	for i := range lines {
		lines[i] = string(rune('a'+r.IntN(26))) + string(rune('a'+r.IntN(26))) + lines[i]
	}
	base := []byte(strings.Join(lines, ""))
	for range 200 {
		edited := append([]string(nil), lines...)
		for range 1 + r.IntN(3) {
			i := r.IntN(len(edited))
			switch r.IntN(3) {
			case 0:
				edited[i] = "A new line.\n"
			case 1:
				edited[i] = ""
			case 2:
				j := r.IntN(len(edited))
				edited[i], edited[j] = edited[j], edited[i]
			}
		}
		target := []byte(strings.Join(edited, ""))
		delta := Delta(base, target)
		if got, err := ApplyDelta(base, delta, int64(len(target))); err != nil || !bytes.Equal(got, target) {
			t.Fatal(err)
		}
		if len(delta) > len(target)/10 {
			t.Errorf("the delta has %d bytes, the text %d", len(delta), len(target))
		}
	}
}

// The deltas are git's: git reads a pack that has them.
func TestGitReadsDeltas(t *testing.T) {
	base := []byte(strings.Repeat("one line of text\n", 300) + "end\n")
	target := []byte("start\n" + strings.Repeat("one line of text\n", 200) + "changed\n" + strings.Repeat("one line of text\n", 100) + "end\n")
	targetID := ObjectID("blob", target)
	var pack Pack
	if err := pack.AddDelta(targetID, ObjectID("blob", base), Delta(base, target)); err == nil {
		t.Error("a delta against an object that isn't in the pack is accepted")
	}
	pack.Add("blob", ObjectID("blob", base), base)
	for range 2 {
		if err := pack.AddDelta(targetID, ObjectID("blob", base), Delta(base, target)); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if _, err := pack.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	git := newRepository(t)
	git(file.Bytes(), nil, "index-pack", "--strict", "--stdin")
	if got := git(nil, nil, "cat-file", "blob", targetID); !bytes.Equal(got, target) {
		t.Errorf("git reads %d bytes, want %d", len(got), len(target))
	}
}

func TestApplyDeltaRejects(t *testing.T) {
	base := []byte("0123456789abcdef")
	for name, delta := range map[string]string{
		"empty":                    "",
		"another base":             "\x0f\x01\x01a",
		"another size":             "\x10\x02\x01a",
		"no instruction":           "\x10\x01\x00",
		"too short an insert":      "\x10\x01\x02a",
		"too long a result":        "\x10\x01\x02ab",
		"too short a result":       "\x10\x01",
		"a copy without arguments": "\x10\x01\x91",
		"a copy after the end":     "\x10\x01\x91\x10\x01",
		"a copy that is too long":  "\x10\x11\x90\x11",
		"a huge copy":              "\x10\x01\x80",
		"endless varint":           strings.Repeat("\x80", 20),
	} {
		if out, err := ApplyDelta(base, []byte(delta), 1); err == nil {
			t.Errorf("%s: makes %q", name, out)
		}
	}
	if _, err := ApplyDelta(base, []byte("\x10\x01\x01a"), -1); err == nil {
		t.Error("a negative size is accepted")
	}
}

func FuzzDelta(f *testing.F) {
	f.Add([]byte("The first text, which has some length."), []byte("Of the first text, which has some length."))
	f.Add([]byte(strings.Repeat("ab", 500)), []byte(strings.Repeat("ba", 400)+"c"))
	f.Fuzz(func(t *testing.T, base, target []byte) {
		delta := Delta(base, target)
		if got, err := ApplyDelta(base, delta, int64(len(target))); err != nil || !bytes.Equal(got, target) {
			t.Fatalf("%v: %q from %q is %q", err, target, base, got)
		}
		if len(delta) > len(target)+len(target)/deltaInsert+25 {
			t.Errorf("a delta of %d bytes for %d", len(delta), len(target))
		}
	})
}

func FuzzApplyDelta(f *testing.F) {
	base := []byte("The first text, which has some length.")
	f.Add(Delta(base, []byte("Of the first text")), int64(17))
	f.Fuzz(func(t *testing.T, delta []byte, size int64) {
		if size > 1<<20 {
			return
		}
		if out, err := ApplyDelta(base, delta, size); err == nil && int64(len(out)) != size {
			t.Errorf("%d bytes, want %d", len(out), size)
		}
	})
}
