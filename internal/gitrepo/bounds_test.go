package gitrepo

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"robot.wtf/internal/slow"
)

// packHead is the header of a pack with n objects (gitformat-pack(5)).
func packHead(n uint32) string {
	return "PACK\x00\x00\x00\x02" + string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// deflated returns a text as zlib compresses it.
func deflated(t testing.TB, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, err := io.WriteString(w, text)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Attack: a pack says that it has more objects than a repository can have.
func TestObjectsOfPacksAreCounted(t *testing.T) {
	for n, refused := range map[uint32]bool{0: false, 3_000_000: false, 3_000_001: true, 1<<32 - 1: true} {
		err := countObjects(bufio.NewReader(strings.NewReader(packHead(n))))
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "more than the limit of 3000000") {
			t.Errorf("%d objects: %v", n, err)
		}
	}
}

// Names of branches and tags become paths in the export.
func TestValidRefs(t *testing.T) {
	for name, valid := range map[string]bool{
		"refs/heads/main": true, "refs/tags/v1.0": true, "refs/heads/Ähre": true, "refs/heads/" + strings.Repeat("x", 180): true,
		"": false, "refs//main": false, "refs/heads/": false, "refs/heads/.hidden": false, "refs/heads/main.lock": false, "refs/heads/main.lock/x": false,
		"refs/heads/main.": false, "refs/heads/tmp_x": false, "refs/heads/a..b": false, "refs/heads/a@{1}": false, "refs/heads/../../x": false,
		"refs/heads/a b": false, "refs/heads/a\nb": false, "refs/heads/a~1": false, "refs/heads/a^": false, "refs/heads/a:b": false, "refs/heads/a?": false,
		"refs/heads/a*": false, "refs/heads/a[b": false, `refs/heads/a\b`: false, "refs/heads/a\x7f": false, "refs/heads/" + strings.Repeat("x", 200): false,
	} {
		if validRef(name) != valid {
			t.Errorf("%.40q: valid %t", name, !valid)
		}
	}
}

func TestChecksumOfPacks(t *testing.T) {
	content := packHead(0)
	sum := sha1.Sum([]byte(content))
	for name, text := range map[string]string{"right": content + string(sum[:]), "wrong": content + string(make([]byte, sha1.Size)), "short": "x"} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := verifyChecksum(file); (err == nil) != (name == "right") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Attack: objects that say to be larger or smaller than they are.
func TestGlanceAtLyingObjects(t *testing.T) {
	for text, read := range map[string]bool{
		"blob 3\x00abc": true, "blob 4\x00abc": false, "blob 2\x00abc": false, "blob -1\x00": false, "blob x\x00abc": false,
		"blob 9000000000000000000\x00abc": false, "spoon 3\x00abc": false,
	} {
		if err := newGlancer().readLoose(bufio.NewReader(strings.NewReader(deflated(t, text)))); (err == nil) != read {
			t.Errorf("%q: %v", text, err)
		}
	}
	blob := "\x33" + deflated(t, "abc") // type 3, size 3
	g := newGlancer()
	if err := g.readPack(bufio.NewReader(strings.NewReader(packHead(2) + blob + blob))); err != nil || g.counts[3] != 2 {
		t.Errorf("a pack: %v, %d blobs", err, g.counts[3])
	}
	g = newGlancer()
	g.budget = 100 // an object costs its size and 64 bytes
	if err := g.readPack(bufio.NewReader(strings.NewReader(packHead(2) + blob + blob))); err != errGlanced {
		t.Errorf("more than the budget: %v", err)
	}
	g.budget = 100
	if err := g.readLoose(bufio.NewReader(strings.NewReader(deflated(t, "blob 90\x00"+strings.Repeat("x", 90))))); err != errGlanced {
		t.Errorf("an object larger than the budget: %v", err)
	}
}

// A glance ends at a number of objects, files and folders within folders.
func TestGlanceIsBounded(t *testing.T) {
	one := "\x30" + deflated(t, "")
	g := newGlancer()
	if err := g.readPack(bufio.NewReader(strings.NewReader(packHead(300_001) + strings.Repeat(one, 300_001)))); err != errGlanced || g.counts[3] != 300_000 {
		t.Errorf("%d objects: %v", g.counts[3], err)
	}
	id := func(n int) (raw [rawID]byte) { return [rawID]byte(fmt.Appendf(nil, "%020d", n)) }
	tree := func(mode, name string, to int) string {
		raw := id(to)
		return mode + " " + name + "\x00" + string(raw[:])
	}
	list := func(deep, wide int) *Glance {
		g, out := newGlancer(), &Glance{Complete: true}
		for n := range deep {
			g.kept[id(n)] = []byte(tree("40000", "d", n+1))
		}
		var files strings.Builder
		for n := range wide {
			files.WriteString(tree("100644", fmt.Sprintf("f%07d", n), 1_000_000))
		}
		g.kept[id(deep)] = []byte(files.String())
		root := id(0)
		g.list(hex.EncodeToString(root[:]), "", 0, out)
		return out
	}
	if out := list(100, 1); len(out.Files) != 1 {
		t.Errorf("100 folders: %d files", len(out.Files))
	}
	if out := list(101, 1); out.Complete || len(out.Files) != 0 {
		t.Errorf("101 folders: complete %t, %d files", out.Complete, len(out.Files))
	}
	if out := list(0, 200_001); out.Complete || len(out.Files) != 200_000 {
		t.Errorf("too many files: complete %t, %d files", out.Complete, len(out.Files))
	}
}

// Attack: a zip with millions of empty files in a repository's folder.
func TestFilesOfZipsAreCounted(t *testing.T) {
	slow.Test(t)
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	add := func(name, text string) {
		t.Helper()
		entry, err := out.CreateHeader(&zip.FileHeader{Name: name})
		if err == nil {
			_, err = io.WriteString(entry, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add("HEAD", "ref: refs/heads/main\n")
	for n := range 200_001 {
		add(looseObject(n), "")
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if err := Unzip(archive, t.TempDir(), 1<<30); err == nil || !strings.Contains(err.Error(), "more than 200000 files") {
		t.Errorf("%v", err)
	}
}

// What a killed process left is removed, and nothing else.
func TestRemoveLeftovers(t *testing.T) {
	g, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	repo, err := g.Init(filepath.Join(t.TempDir(), "r.git"))
	if err != nil {
		t.Fatal(err)
	}
	left := []string{"HEAD.lock", "objects/pack/tmp_pack_1", "objects/pack/pack-1.keep", "refs/heads/main.lock"}
	kept := []string{"HEAD", "config", "objects/pack/pack-1.pack", "refs/heads/main"}
	for _, name := range append(left, kept[2:]...) {
		if err := os.WriteFile(filepath.Join(repo.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := repo.RemoveLeftovers(); err != nil {
		t.Fatal(err)
	}
	for _, name := range left {
		if _, err := os.Stat(filepath.Join(repo.dir, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range kept {
		if _, err := os.Stat(filepath.Join(repo.dir, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Paths that git would read in another way, and a branch that leads out of the
// repository.
func TestOddPathsAreRefused(t *testing.T) {
	g, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.run(t.Context(), process{dir: "relative", args: []string{"version"}, bound: ownBound}); err == nil || !strings.Contains(err.Error(), "not absolute") {
		t.Errorf("a relative path: %v", err)
	}
	dir, _ := commitFiles(t, map[string]string{"Home.md": "a"})
	odd := filepath.Join(t.TempDir(), "a\nb")
	if err := os.Rename(dir, odd); err != nil {
		t.Fatal(err)
	}
	if err := g.Bundle(t.Context(), odd, t.TempDir(), io.Discard); err == nil || !strings.Contains(err.Error(), "plain name") {
		t.Errorf("a path with a line break: %v", err)
	}
	if err := os.WriteFile(filepath.Join(odd, ".git", "HEAD"), []byte("ref: refs/heads/../../x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := g.FastForward(t.Context(), odd, "none"); err == nil || !strings.Contains(err.Error(), "isn't on a branch") {
		t.Errorf("a branch outside of the repository: %v", err)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	out := &tail{max: 5}
	for _, text := range []string{"abc", "defgh", "i"} {
		if n, err := io.WriteString(out, text); n != len(text) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if out.String() != "efghi" {
		t.Errorf("%q", out.String())
	}
}
