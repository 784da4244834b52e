package gitrepo

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// zipOf makes a zip of files with their contents.
func zipOf(t *testing.T, files ...[2]string) *zip.Reader {
	t.Helper()
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range files {
		entry, err := out.Create(f[0])
		if err == nil {
			_, err = entry.Write([]byte(f[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

func looseObject(n int) string { return fmt.Sprintf("objects/%02x/%038x", n%256, n) }

// diskUse returns the sum of the sizes of all files below a directory.
func diskUse(t *testing.T, dir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// Attack: a zip of a few kilobytes unpacks to more than the disk holds, as one
// file or as many that are each within the limit.
func TestUnzipTotalSize(t *testing.T) {
	const max = 10_000
	head := [2]string{"HEAD", "ref: refs/heads/main\n"}
	files := func(n, size int) [][2]string {
		all := [][2]string{head}
		for i := range n {
			all = append(all, [2]string{looseObject(i), strings.Repeat("x", size)})
		}
		return all
	}
	for _, tt := range []struct {
		what    string
		files   [][2]string
		refused bool
	}{
		{"one at the limit", files(1, max-len(head[1])), false},
		{"one beyond it", files(1, max-len(head[1])+1), true},
		{"one far beyond it", files(1, 100*max), true},
		{"many that fit", files(20, 400), false},
		{"many that are too large together", files(20, 600), true},
		{"many, far beyond the limit", files(100, max-len(head[1])), true},
	} {
		dir := t.TempDir()
		err := Unzip(zipOf(t, tt.files...), dir, max)
		var refused *Refused
		if tt.refused != errors.As(err, &refused) || !tt.refused && err != nil {
			t.Errorf("%s: %v", tt.what, err)
		}
		if use := diskUse(t, dir); use > max+1 {
			t.Errorf("%s: %d bytes were written, %d may be", tt.what, use, max)
		}
	}
}

// Attack: a zip of a repository brings files that git would run or follow, or
// that lie outside of the directory.
func TestUnzipIgnoresOtherFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "in")
	err := Unzip(zipOf(t,
		[2]string{"site/.git/HEAD", "ref: refs/heads/main\n"},
		[2]string{"site/.git/" + looseObject(1), "x"},
		[2]string{"site/.git/config", "[core]\n\tfsmonitor = touch /tmp/x\n"},
		[2]string{"site/.git/hooks/post-checkout", "#!/bin/sh\n"},
		[2]string{"site/.git/objects/info/alternates", "/etc\n"},
		[2]string{"site/.git/refs/heads/../../../../out", "x"},
		[2]string{"site/.git/refs/heads//../../out", "x"},
		[2]string{"site/Home.md", "x"},
	), dir, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	err = filepath.WalkDir(filepath.Dir(dir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(filepath.Dir(dir), path)
			found = append(found, filepath.ToSlash(rel))
		}
		return err
	})
	if want := "in/HEAD in/" + looseObject(1); err != nil || strings.Join(found, " ") != want {
		t.Errorf("unpacked %q, want %q, %v", found, want, err)
	}
}

// A zip cannot make Unzip write a file twice, or in place of a folder.
func TestUnzipNamesOnce(t *testing.T) {
	for _, names := range [][2]string{{looseObject(1), looseObject(1)}, {"refs/heads/a", "refs/heads/a/b"}, {"refs/heads/a/b", "refs/heads/a"}} {
		dir := t.TempDir()
		err := Unzip(zipOf(t, [2]string{"HEAD", "x"}, [2]string{looseObject(9), "x"}, [2]string{names[0], "one"}, [2]string{names[1], "two"}), dir, 1000)
		var refused *Refused
		if !errors.As(err, &refused) {
			t.Errorf("%q: %v", names, err)
		}
		if data, err := os.ReadFile(filepath.Join(dir, names[0])); err != nil || string(data) != "one" {
			t.Errorf("%q: the first is %q, %v", names, data, err)
		}
	}
}
