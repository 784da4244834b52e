package site

import (
	"maps"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robot.wtf/internal/wiki"
)

func TestPortable(t *testing.T) {
	got := Portable([]string{
		"Home.md", "Straße/Größe.md", "100%_#1.md", // any system can hold these
		"What?.md", "What?/pic.png", "What-.md",
		"Con.md", "con/x.md", "aux.c", "COM1.tar.gz", "Console.md",
		"J._R._Jr..md", "Etc..md", "Etc./x.md", "dot.", "space ",
		`a\b:c.md`, "tab\there.md", "A:/B|/C*.md", ".md/x", "bad\xff.md",
	})
	maps.DeleteFunc(got, func(from, to string) bool { return from == to })
	want := map[string]string{
		"What?.md": "What--2.md", "What?/pic.png": "What--2/pic.png",
		"Con.md": "Con-.md", "con/x.md": "Con-/x.md", "aux.c": "aux-.c", "COM1.tar.gz": "COM1-.tar.gz",
		"Etc..md": "Etc-.md", "Etc./x.md": "Etc-/x.md", "dot.": "dot-", "space ": "space-",
		`a\b:c.md`: "a-b-c.md", "tab\there.md": "tab-here.md", "A:/B|/C*.md": "A-/B-/C-.md", "bad\xff.md": "bad-.md",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever the paths are, the new ones can be files of one folder on every system,
// and pages stay beside their folders.
func TestPortableLaws(t *testing.T) {
	segment := rapid.OneOf(
		rapid.SampledFrom([]string{"a", "A_", "a?", "a*", "con", "x.", "x", "é", "e\u0301", "a-2", "a_-2", " "}),
		rapid.StringN(1, 4, -1).Filter(func(s string) bool { return !strings.Contains(s, "/") && s != "." && s != ".." }),
	)
	file := rapid.Custom(func(t *rapid.T) string {
		return path.Join(rapid.SliceOfN(segment, 1, 3).Draw(t, "segments")...) + rapid.SampledFrom([]string{".md", ".png", ""}).Draw(t, "ext")
	})
	rapid.Check(t, func(t *rapid.T) {
		var paths []string
		keys := map[string]bool{}
		for _, p := range rapid.SliceOfN(file, 1, 12).Draw(t, "paths") {
			if !keys[wiki.Key(p)] {
				keys[wiki.Key(p)] = true
				paths = append(paths, p)
			}
		}
		seen := map[string]string{}
		for from, to := range Portable(paths) {
			if other, ok := seen[wiki.Key(to)]; ok {
				t.Fatalf("%q and %q both become %q", from, other, to)
			}
			seen[wiki.Key(to)] = from
			for s := range strings.SplitSeq(to, "/") {
				if s == "" || s == "." || s == ".." || cleanSegment(s, true) != s && path.Ext(s) != ".md" {
					t.Fatalf("%q becomes %q", from, to)
				}
			}
		}
	})
}

// Attack: many names that become the same one. Each search for a free number goes on
// where the last one ended.
func TestPortableIsLinear(t *testing.T) {
	var paths []string
	for i := range 20_000 {
		name := []byte("aaaaaaaa.txt")
		for digit := range 8 {
			name[digit] = `<>:|?*`[i%6]
			i /= 6
		}
		paths = append(paths, string(name))
	}
	began := time.Now()
	names := Portable(paths)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	keys := map[string]bool{}
	for _, to := range names {
		keys[wiki.Key(to)] = true
	}
	if len(keys) != len(paths) {
		t.Errorf("%d names for %d files", len(keys), len(paths))
	}
}
