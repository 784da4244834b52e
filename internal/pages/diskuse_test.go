package pages

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"robot.wtf/internal/await"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// manyRevisions makes a repository of pages of about 3 KB and of pictures that can't be
// compressed. Each page has revisions that change three of its lines.
func manyRevisions(t testing.TB, pages, revisions, pictures int) string {
	r := rand.New(rand.NewPCG(1, 2))
	var words []string
	for range 4000 {
		var w strings.Builder
		for range 2 + r.IntN(4) {
			w.WriteString([]string{"ta", "ren", "mo", "li", "ska", "ver", "un", "be", "dor", "cal", "ist", "pho"}[r.IntN(12)])
		}
		words = append(words, w.String())
	}
	line := func() string {
		var l strings.Builder
		for range 8 + r.IntN(12) {
			i := int(float64(len(words)) * r.Float64() * r.Float64() * r.Float64())
			l.WriteString(words[i] + " ")
		}
		return l.String() + "\n"
	}
	text := make([][]string, pages)
	for i := range text {
		for range 40 {
			text[i] = append(text[i], line())
		}
	}
	var in bytes.Buffer
	n := 0
	for rev := range revisions {
		for i := range text {
			if rev > 0 {
				for range 3 {
					text[i][r.IntN(len(text[i]))] = line()
				}
			}
			n++
			data := strings.Join(text[i], "")
			fmt.Fprintf(&in, "commit refs/heads/main\ncommitter Ann <ann@example.com> %d +0000\ndata 5\nEdit\n\nM 644 inline Page_%d.md\ndata %d\n%s\n", 1700000000+n*60, i, len(data), data)
		}
	}
	for i := range pictures {
		data := make([]byte, 200_000)
		for j := range data {
			data[j] = byte(r.Uint32())
		}
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter Ann <ann@example.com> %d +0000\ndata 5\nEdit\n\nM 644 inline Page_%d/p.png\ndata %d\n", 1800000000+i*60, i, len(data))
		in.Write(data)
		in.WriteString("\n")
	}
	repo := t.TempDir()
	runGit(t, repo, "init", "-q", "--bare", "-b", "main")
	feedGit(t, repo, in.String(), "fast-import", "--quiet")
	runGit(t, repo, "repack", "-adq", "--depth=50", "--window=50", "-f")
	return repo
}

// diskUse returns the bytes of the files below a directory; files with several names
// count once.
func diskUse(t *testing.T, dir string) (sum int64) {
	t.Helper()
	seen := map[uint64]bool{}
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(d.Name(), "-shm") { // which is there only while the wiki is open
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if inode := info.Sys().(*syscall.Stat_t).Ino; !seen[inode] {
			seen[inode] = true
			sum += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// What an imported wiki takes on disk, with its index and its repository, is a small
// multiple of a clone.
func TestDiskUse(t *testing.T) {
	slow.Test(t)
	limits := wiki.Limits{Pages: 1000, Files: 1000, CurrentBytes: 100 << 20, HistoryBytes: 100 << 20, PageBytes: 1 << 20, AttachmentBytes: 10 << 20}
	for _, c := range []struct {
		what                       string
		pages, revisions, pictures int
		most                       float64
	}{
		{"text", 100, 20, 0, 4.5},
		{"pictures", 20, 3, 40, 3},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			mirror := w.startMirror()
			other := w.another("eve", limits)
			bundle := bundleOf(t, manyRevisions(t, c.pages, c.revisions, c.pictures))
			clone, err := os.Stat(bundle)
			if err != nil {
				t.Fatal(err)
			}
			other.mustImport(bundle)
			if _, err := mirror.CatchUp(w.t.Context(), "eve"); err != nil {
				t.Fatal(err)
			}
			if c.pages*c.revisions >= 100 {
				await.Until(t, "the repository is repacked", 5*time.Minute, func() bool { return mirror.Stats().Repacks+mirror.Stats().Failures > 0 })
				if s := mirror.Stats(); s.Failures > 0 {
					t.Fatalf("the repository isn't repacked: %+v", s)
				}
			}
			if _, err := other.Search(w.t.Context(), other.owner, Query{Text: "taren"}); err != nil {
				t.Fatal(err)
			}
			used := float64(diskUse(t, filepath.Join(w.dir, "eve"))) / float64(clone.Size())
			t.Logf("%.2f times the clone of %d bytes", used, clone.Size())
			if used > c.most {
				t.Errorf("the wiki takes %.2f times the space of a clone, at most %.1f expected", used, c.most)
			}
			stats, err := other.Stats(w.t.Context(), other.owner)
			if err != nil || float64(stats.HistoryBytes) > 1.5*float64(clone.Size()) {
				t.Errorf("the history counts %d bytes, the clone has %d: %v", stats.HistoryBytes, clone.Size(), err)
			}
		})
	}
}
