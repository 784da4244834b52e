package gitrepo

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// commitFiles makes a repository with a commit for each map of files, and returns a
// bundle of it.
func commitFiles(t testing.TB, commits ...map[string]string) (dir string, bundle []byte) {
	t.Helper()
	dir = t.TempDir()
	git := func(args ...string) {
		t.Helper()
		args = append([]string{"-C", dir, "-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"}, args...)
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v: %s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main")
	for _, files := range commits {
		for name, text := range files {
			file := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if text == "" {
				os.Remove(file)
			}
		}
		git("add", "-A")
		git("commit", "-q", "-m", "c")
	}
	git("repack", "-q", "-a", "-d", "--depth=50")
	git("bundle", "create", "-q", filepath.Join(dir, "bundle"), "--all", "HEAD")
	bundle, err := os.ReadFile(filepath.Join(dir, "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, bundle
}

func TestGlance(t *testing.T) {
	long := strings.Repeat("the same line\n", 500)
	dir, bundle := commitFiles(t,
		map[string]string{"Home.md": long, "big.bin": strings.Repeat("x", 9000)},
		map[string]string{"Home.md": long + "more\n", "big.bin": "", "a/b/Deep.md": "deep"},
		map[string]string{"Home.md": long + "more\nand more\n"})
	fromBundle, err := GlanceAtBundle(bytes.NewReader(bundle))
	if err != nil {
		t.Fatal(err)
	}
	fromDirectory, err := GlanceAtDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, g := range map[string]Glance{"bundle": fromBundle, "directory": fromDirectory} {
		var files []string
		for _, f := range g.Files {
			files = append(files, f.Path)
		}
		if !slices.Equal(files, []string{"Home.md", "a/b/Deep.md"}) || g.Files[0].Size != int64(len(long)+len("more\nand more\n")) || !g.Complete || g.Commits != 3 || !g.Linear || g.Largest.Size != 9000 || g.Largest.Path != "big.bin" {
			t.Errorf("%s: %+v", name, g)
		}
	}

	// A damaged or shortened pack says less, and nothing wrong.
	for cut := len(bundle) - 1; cut > len(bundle)/2; cut -= 7 {
		g, err := GlanceAtBundle(bytes.NewReader(bundle[:cut]))
		if err == nil && (g.Commits > 3 || len(g.Files) > 2 || cut < len(bundle)-20 && g.Linear) {
			t.Fatalf("cut at %d: %+v", cut, g)
		}
	}
	if _, err := GlanceAtBundle(strings.NewReader("no bundle")); err == nil {
		t.Error("no bundle")
	}
}

// Attack: a pack made to crash its reader, or to keep it busy.
func FuzzGlance(f *testing.F) {
	pack := Pack{}
	blob := []byte("text")
	id := ObjectID("blob", blob)
	tree := EncodeTree([]TreeEntry{{Mode: ModeFile, Name: "a.md", ID: id}})
	commit := EncodeCommit(Commit{Tree: ObjectID("tree", tree), Message: "m"})
	head := ObjectID("commit", commit)
	pack.Add("commit", head, commit)
	pack.Add("tree", ObjectID("tree", tree), tree)
	pack.Add("blob", id, blob)
	var out bytes.Buffer
	if _, err := pack.WriteTo(&out); err != nil {
		f.Fatal(err)
	}
	before := bundleMark + head + " HEAD\n\n"
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, pack []byte) {
		g, err := GlanceAtBundle(strings.NewReader(before + string(pack)))
		if err == nil && (g.Commits > 1 || len(g.Files) > len(pack)) {
			t.Errorf("%+v", g)
		}
	})
}
