package gitrepo

import (
	"bufio"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const someID = "0123456789abcdef0123456789abcdef01234567"

// Headers of bundles that aren't read, each with its reason.
func TestBundleHeads(t *testing.T) {
	for text, want := range map[string]string{
		"":           "not a git bundle",
		"# Home\n\n": "not a git bundle",
		bundleMark + someID + " refs/heads/main\n":                    "truncated",
		bundleMark + "-" + someID + " older\n\n":                      "depends on commits",
		"# v3 git bundle\n@object-format=sha256\n\n":                  `requires "object-format=sha256"`,
		"# v3 git bundle\n@filter=blob:none\n\n":                      `requires "filter=blob:none"`,
		bundleMark + "main\n\n":                                       "damaged",
		bundleMark + someID + "\n\n":                                  "damaged",
		bundleMark + strings.Repeat("x", maxRefLine+1):                "damaged",
		bundleMark + manyRefs(maxRefs+1) + "\n":                       "more than 20000 branches",
		"# v3 git bundle\n@object-format=sha1\n" + manyRefs(2) + "\n": "",
		bundleMark + manyRefs(maxRefs) + "\n":                         "",
	} {
		refs, err := readBundleHead(bufio.NewReader(strings.NewReader(text)))
		if want == "" {
			if err != nil || len(refs) < 2 || refs["@object-format=sha1"] != "" || refs[""] != "" {
				t.Errorf("%.60q: %d refs, %v", text, len(refs), err)
			}
			continue
		}
		if !errors.As(err, new(*Refused)) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v; want %q", text, err, want)
		}
	}
	broken := errors.New("broken disk")
	if _, err := bundleLine(bufio.NewReader(failingReader{broken})); err != broken {
		t.Errorf("an error of the disk became %v", err)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func manyRefs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(someID + " refs/heads/b" + string(rune('a'+i%26)) + strings.Repeat("x", i/26%26) + strings.Repeat("y", i/676) + "\n")
	}
	return b.String()
}

// writeFiles writes files below a new directory.
func writeFiles(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Refs of repositories in all layouts, without git, and those that aren't read.
func TestReadRefs(t *testing.T) {
	other := strings.Repeat("a", 40)
	for name, c := range map[string]struct {
		files map[string]string
		want  string // refs, or a part of the error
	}{
		"packed":     {map[string]string{"HEAD": "ref: refs/heads/main\n", "objects/x": "", "packed-refs": "# pack-refs with: peeled\n" + someID + " refs/heads/main\n^" + other + "\nnot-an-id refs/heads/x\n"}, "HEAD=0123 refs/heads/main=0123"},
		"loose":      {map[string]string{"HEAD": "ref: refs/heads/main\n", "objects/x": "", "packed-refs": someID + " refs/heads/main\n", "refs/heads/main": other + "\n", "refs/heads/bad": "nothing\n", "refs/notes/n": other}, "HEAD=aaaa refs/heads/main=aaaa"},
		"detached":   {map[string]string{"HEAD": other + "\n", "objects/x": "", "refs/tags/v1": someID}, "HEAD=aaaa refs/tags/v1=0123"},
		"unborn":     {map[string]string{"HEAD": "ref: refs/heads/none\n", "objects/x": "", "refs/tags/v1": someID}, "refs/tags/v1=0123"},
		"in .git":    {map[string]string{".git/HEAD": other, ".git/objects/x": ""}, "HEAD=aaaa"},
		"linked":     {map[string]string{".git": "gitdir: real\n", "real/HEAD": other, "real/commondir": "../shared\n", "shared/objects/x": "", "shared/refs/tags/v1": someID}, "HEAD=aaaa refs/tags/v1=0123"},
		"empty":      {map[string]string{"HEAD": "ref: refs/heads/main\n", "objects/x": ""}, "no commits"},
		"SHA-256":    {map[string]string{"HEAD": "ref: refs/heads/main\n", "objects/x": "", "refs/heads/main": strings.Repeat("a", 64)}, "SHA-256"},
		"no git":     {map[string]string{"README.md": "text"}, "isn't a git repository"},
		"no objects": {map[string]string{"HEAD": other}, "isn't a git repository"},
		"dangerous":  {map[string]string{"HEAD": other, "objects/x": "", "packed-refs/x": ""}, "directory"},
	} {
		_, refs, err := readRefs(writeFiles(t, c.files))
		var list []string
		for _, ref := range []string{"HEAD", "refs/heads/main", "refs/tags/v1"} {
			if refs[ref] != "" {
				list = append(list, ref+"="+refs[ref][:4])
			}
		}
		got := strings.Join(list, " ")
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) || err == nil && len(refs) != len(list) {
			t.Errorf("%s: %q, %d refs; want %q", name, got, len(refs), c.want)
		}
	}
	dir := writeFiles(t, map[string]string{"HEAD": other, "objects/x": ""})
	link := writeFiles(t, map[string]string{".git": "gitdir: " + dir})
	if _, refs, err := readRefs(link); err != nil || refs["HEAD"] != other {
		t.Errorf("an absolute gitdir: %v, %v", refs, err)
	}
}

// Malformed packs and indexes are refused.
func TestDamagedPacks(t *testing.T) {
	head := func(version, objects uint32) string {
		b := binary.BigEndian.AppendUint32([]byte("PACK"), version)
		return string(binary.BigEndian.AppendUint32(b, objects))
	}
	sum := strings.Repeat("s", 20)
	for name, data := range map[string]string{
		"another file": "PANIC" + head(2, 1)[5:] + sum, "version 3": head(3, 1) + sum, "without a sum": head(2, 1), "empty": "",
	} {
		dir := writeFiles(t, map[string]string{"a.pack": data})
		p := &Packs{}
		if err := p.open(filepath.Join(dir, "a.pack")); err == nil {
			t.Errorf("%s: opened", name)
		}
		p.Close()
	}
	fanout := func(n uint32) string {
		return "\xfftOc\x00\x00\x00\x02" + strings.Repeat("\x00", 255*4) + string(binary.BigEndian.AppendUint32(nil, n))
	}
	id := strings.Repeat("i", 20)
	for name, c := range map[string]struct {
		index    string
		disjoint bool
		fails    bool
	}{
		"one each":  {fanout(1) + strings.Repeat("j", 20), true, false},
		"the same":  {fanout(1) + id, false, false},
		"version 1": {strings.Repeat("\x00", 2000), false, true},
		"short":     {"\xfftOc\x00\x00\x00\x02", false, true},
		"truncated": {fanout(2) + id, false, true},
	} {
		dir := writeFiles(t, map[string]string{"a.pack": head(2, 1) + sum, "a.idx": fanout(1) + id, "b.pack": head(2, 1) + sum, "b.idx": c.index})
		p := &Packs{}
		if err := errors.Join(p.open(filepath.Join(dir, "a.pack")), p.open(filepath.Join(dir, "b.pack"))); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Disjoint(); got != c.disjoint || (err != nil) != c.fails {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		p.Close()
	}
	dir := writeFiles(t, map[string]string{"a.pack": head(2, 1<<32-1) + sum, "b.pack": head(2, 2) + sum})
	p := &Packs{}
	if err := errors.Join(p.open(filepath.Join(dir, "a.pack")), p.open(filepath.Join(dir, "b.pack"))); err == nil {
		t.Error("more objects than a pack can count")
	}
	p.Close()
}

// Attack: names of refs that lead out of the repository.
func TestSetRefNames(t *testing.T) {
	r := &Repo{dir: t.TempDir()}
	for _, c := range [][2]string{{"refs/heads/../../x", someID}, {"HEAD", someID}, {"refs/heads/main", "x"}, {"refs/heads/main", ""}} {
		if err := r.SetRef(c[0], c[1]); err == nil || !strings.Contains(err.Error(), "invalid name or id") {
			t.Errorf("%q: %v", c, err)
		}
	}
}

// Trees that aren't well-formed aren't listed, and none is written.
func TestMalformedTrees(t *testing.T) {
	id := strings.Repeat("i", rawID)
	if list, err := parseTree([]byte("100644 a\x00" + id)); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	for _, text := range []string{"100644 a", "100644\x00" + id, "8 a\x00" + id, "100644 \x00" + id, "100644 a\x00" + id[:19]} {
		if list, err := parseTree([]byte(text)); err == nil {
			t.Errorf("%q: %v", text, list)
		}
	}
	for _, bad := range []string{"", "0123", strings.Repeat("x", 40)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a tree with the id %q was written", bad)
				}
			}()
			EncodeTree([]TreeEntry{{Mode: ModeFile, Name: "a", ID: bad}})
		}()
	}
	g := &glancer{}
	if err := g.hash(0, 1); err != errGlanced {
		t.Errorf("an object of no type: %v", err)
	}
	if err := g.hash(7, 1); err != errGlanced {
		t.Errorf("a delta's type: %v", err)
	}
}

// A copy of size zero in a delta copies 64 KB (gitformat-pack(5)).
func TestCopyOfSizeZero(t *testing.T) {
	base := make([]byte, 1<<16)
	if part, used, ok := copiedPart(base, 0x80, nil); !ok || used != 0 || len(part) != 1<<16 {
		t.Errorf("%d bytes, %d arguments, %v", len(part), used, ok)
	}
}

// Malformed commits are refused, and the error names the fault.
func TestMalformedCommits(t *testing.T) {
	const author, committer = "author A <a@b> 1 -0530\n", "committer A <a@b> 1 +0000\n"
	tree := "tree " + someID + "\n"
	for text, want := range map[string]string{
		author: "missing tree line",
		"tree " + someID[:39] + "\n" + author + committer + "\n":  "not an object id",
		"tree " + someID[:39] + "x\n" + author + committer + "\n": "not an object id",
		tree + "parent x\n" + author + committer + "\n":           `parent "x"`,
		tree + "author A\n" + committer + "\n":                    "not a name, address and date",
		tree + author:                                             "missing committer line",
		tree + author + committer + "gpgsig x":                    "unterminated headers",
		tree + author + committer + "\nMessage":                   "",
	} {
		c, err := ParseCommit([]byte(text))
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) || want == "" && err != nil {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
		if _, offset := c.Author.Time.Zone(); want == "" && offset != -(5*60+30)*60 {
			t.Errorf("%q: offset %d", text, offset)
		}
	}
}
