package gitrepo

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The header of any bundle gives a branch of its own, or an error for people.
func FuzzBundle(f *testing.F) {
	id := strings.Repeat("1a", 20)
	for _, refs := range []string{
		"", id + " refs/tags/v1\n", id + " HEAD\n", id + " refs/heads/a\n" + id + " refs/heads/b\n", "@object-format=sha1\n" + id + " refs/heads/main\n", "-" + id + " x\n",
	} {
		f.Add([]byte(bundleMark + refs + "\nPACK\x00\x00\x00\x02\x00\x00\x00\x01"))
		f.Add([]byte("# v3 git bundle\n" + refs + "\nPACK\x00\x00\x00\x02\xff\xff\xff\xff"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bufio.NewReader(bytes.NewReader(data))
		refs, err := readBundleHead(in)
		if err == nil {
			var head string
			if head, _, err = mainBranch(refs); err == nil && !isID(head) {
				t.Errorf("head is %q", head)
			}
		}
		if err == nil {
			err = countObjects(in)
		}
		if err != nil && !errors.As(err, new(*Refused)) {
			t.Errorf("not a *Refused: %v", err)
		}
		for name := range refs {
			if validRef(name) && (strings.Contains(name, "..") || strings.HasPrefix(name, "/")) {
				t.Errorf("valid ref %q", name)
			}
		}
	})
}

// Any zip is unpacked inside its directory and within the limit, or rejected with
// an error for people.
func FuzzZip(f *testing.F) {
	add := func(names ...string) {
		var b bytes.Buffer
		out := zip.NewWriter(&b)
		for _, name := range names {
			entry, err := out.Create(name)
			if err == nil && !strings.HasSuffix(name, "/") {
				_, err = entry.Write([]byte("ref: refs/heads/main\n"))
			}
			if err != nil {
				f.Fatal(err)
			}
		}
		if err := out.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	add("HEAD", "objects/pack/pack-1.pack", "refs/heads/main")
	add("w/.git/HEAD", "w/.git/objects/00/"+strings.Repeat("1", 38), "w/.git/../../x")
	add("HEAD", "HEAD", "objects/", "refs/heads/../../../x", "/objects/x")
	const limit = 64 << 10
	f.Fuzz(func(t *testing.T, data []byte) {
		archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		parent := t.TempDir()
		dir := filepath.Join(parent, "in", "unzipped")
		if err := os.Mkdir(filepath.Dir(dir), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := Unzip(archive, dir, limit); err != nil && !errors.As(err, new(*Refused)) {
			t.Errorf("not a *Refused: %v", err)
		}
		size := int64(0)
		err = filepath.WalkDir(parent, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if !strings.HasPrefix(file, dir+"/") || !d.Type().IsRegular() {
				t.Errorf("wrote %s", file)
			}
			info, err := d.Info()
			if err == nil {
				size += info.Size()
			}
			return err
		})
		if err != nil || size > limit {
			t.Errorf("wrote %d bytes, %v", size, err)
		}
	})
}

// The output of git diff-tree holds paths of strangers.
func FuzzDiffTree(f *testing.F) {
	id := strings.Repeat("1a", 20)
	f.Add(id + "\x00:100644 100644 " + id + " " + id + " M\x00a.md\x00")
	f.Add(id + "\x00:100644 000000 " + id + " " + Zero + " D\x00a.md\x00:100644 100644 " + id + " " + id + " R100\x00a\x00b\x00")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = parseDiffs(text)
	})
}

// The output of git cat-file holds objects of strangers.
func FuzzObjects(f *testing.F) {
	id := strings.Repeat("1a", 20)
	f.Add([]byte(id+" blob 3\nabc\n"), 1)
	f.Add([]byte(id+" blob 0\n\n"+id+" missing\n"), 2)
	f.Add([]byte(id+" blob -1\n\n"), 1)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		total := 0
		err := eachObject(bufio.NewReader(bytes.NewReader(data)), n%100, func(_ string, content []byte) error {
			total += len(content)
			return nil
		})
		if total > len(data) {
			t.Errorf("%d bytes of %d, %v", total, len(data), err)
		}
	})
}
