package pages

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/incoming"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// cpuOfAll returns the processor time of this process and of those that it started.
func cpuOfAll(t testing.TB) time.Duration {
	t.Helper()
	var sum int64
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var used syscall.Rusage
		if err := syscall.Getrusage(who, &used); err != nil {
			t.Fatal(err)
		}
		sum += used.Utime.Nano() + used.Stime.Nano()
	}
	return time.Duration(sum)
}

// noise returns n bytes of letters, which compress by a quarter.
func noise(seed uint64, n int) []byte {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 \n"
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]byte, n)
	for i := 0; i < n; {
		for bits := r.Uint64(); i < n && bits > 0; bits >>= 6 {
			out[i] = letters[bits&63]
			i++
		}
	}
	return out
}

// bundleOfFiles makes a bundle whose commits have one version of the files each.
func bundleOfFiles(t testing.TB, versions ...map[string][]byte) []byte {
	t.Helper()
	pack := gitrepo.Pack{}
	var parents []string
	for _, files := range versions {
		parents = []string{addCommit(&pack, files, parents...)}
	}
	return bundleOfPack(t, &pack, parents[0])
}

// addCommit adds a commit with files to a pack, and returns its id.
func addCommit(pack *gitrepo.Pack, files map[string][]byte, parents ...string) string {
	var entries []gitrepo.TreeEntry
	for name, data := range files {
		id := gitrepo.ObjectID("blob", data)
		pack.Add("blob", id, data)
		entries = append(entries, gitrepo.TreeEntry{Mode: gitrepo.ModeFile, Name: name, ID: id})
	}
	tree := gitrepo.EncodeTree(entries)
	pack.Add("tree", gitrepo.ObjectID("tree", tree), tree)
	author := gitrepo.Signature{Name: "A", Email: "a@example.org", Time: time.Unix(1e9, 0).UTC()}
	commit := gitrepo.EncodeCommit(gitrepo.Commit{Tree: gitrepo.ObjectID("tree", tree), Parents: parents, Author: author, Committer: author, Message: "m\n"})
	pack.Add("commit", gitrepo.ObjectID("commit", commit), commit)
	return gitrepo.ObjectID("commit", commit)
}

func bundleOfPack(t testing.TB, pack *gitrepo.Pack, head string) []byte {
	t.Helper()
	out := bytes.NewBufferString("# v2 git bundle\n" + head + " HEAD\n" + head + " refs/heads/main\n\n")
	if _, err := pack.WriteTo(out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A file that was too large in an older commit is found before the repository is
// verified, also in a history with merges. One that is only in a merged branch is no
// file of the wiki's history.
func TestOldFilesOfMergesAreFoundEarly(t *testing.T) {
	home, large := map[string][]byte{"Home.md": []byte("home")}, make([]byte, 10<<20+1)
	for name, c := range map[string]struct {
		first, branch map[string][]byte
		refused       bool
	}{
		"on the main line": {map[string][]byte{"old.bin": large}, home, true},
		"in a branch":      {home, map[string][]byte{"old.bin": large}, false},
	} {
		pack := gitrepo.Pack{}
		first := addCommit(&pack, c.first)
		second := addCommit(&pack, home, first)
		branch := addCommit(&pack, c.branch, first)
		head := addCommit(&pack, map[string][]byte{"Home.md": []byte("merged")}, second, branch)
		w := newWorld(t)
		w.startMirror()
		w = w.fresh("fresh")
		u := w.received(bundleOfPack(t, &pack, head))
		_, err := w.Examine(w.t.Context(), w.owner, u, ImportRequest{}, nil)
		reasons := strings.Join(ImportProblems(err), "\n")
		if c.refused && (!strings.Contains(reasons, "old.bin") || u.received == nil || u.verified) {
			t.Errorf("%s: verified %v; %v", name, u.verified, err)
		}
		if !c.refused && (err != nil || !u.verified) {
			t.Errorf("%s: verified %v; %v", name, u.verified, err)
		}
	}
}

// exportOfPages makes an export of MediaWiki with pages of a size.
func exportOfPages(pages, size int) string {
	var b strings.Builder
	b.WriteString("<mediawiki><siteinfo><sitename>A</sitename></siteinfo>\n")
	for n := range pages {
		fmt.Fprintf(&b, "<page><title>Page %d</title><revision><text>%s</text></revision></page>\n", n, noise(uint64(n), size))
	}
	return b.String() + "</mediawiki>"
}

// A limit that stops an import is found within 2 s of processor time for an upload of
// 60 MB, in every source.
func TestLimitsOfImportsAreFoundEarly(t *testing.T) {
	size, pages := 1<<20, 600
	if slow.Enabled() {
		size = 60 << 20
	}
	files, zipped := map[string][]byte{}, map[string]string{}
	for n := range pages {
		name, text := fmt.Sprintf("Page %d.md", n), noise(uint64(n), size*4/3/pages)
		files[name], zipped["folder/"+name] = text, string(text)
	}
	export := exportOfPages(pages, size*4/3/pages)
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if _, err := z.Write([]byte(export)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	few := map[string][]byte{"Home.md": []byte("home"), "old.bin": make([]byte, 11<<20)}
	if slow.Enabled() {
		few["old.bin"] = noise(1, size)
	}
	type upload struct {
		data []byte
		want string
	}
	uploads := map[string]upload{
		"folder":       {zipFiles(t, zipped), "limit is 500"},
		"bundle":       {bundleOfFiles(t, files), " 500"},
		"history":      {bundleOfFiles(t, few, map[string][]byte{"Home.md": []byte("home")}), "(old.bin); a file can be at most"},
		"mediawiki":    {[]byte(export), "limit is 500"},
		"mediawiki.gz": {packed.Bytes(), "limit"},
	}
	bundle := uploads["bundle"].data
	head := string(bundle[len("# v2 git bundle\n"):][:40])
	uploads["repository"] = upload{zipFiles(t, map[string]string{
		"a.git/HEAD": "ref: refs/heads/main\n", "a.git/packed-refs": head + " refs/heads/main\n",
		"a.git/objects/pack/pack-" + head + ".pack": string(bundle[bytes.Index(bundle, []byte("PACK")):]),
	}), " 500"}
	if bzip2, err := exec.LookPath("bzip2"); err == nil {
		run := exec.Command(bzip2, "-1")
		run.Stdin = strings.NewReader(exportOfPages(20*pages, size*4/60/pages))
		if data, err := run.Output(); err == nil {
			uploads["mediawiki.bz2"] = upload{data, "limit"}
		}
	}
	w := newWorld(t)
	w.startMirror()
	for name, upload := range uploads {
		t.Run(name, func(t *testing.T) {
			for _, request := range []ImportRequest{{}, {Into: "Folder"}} {
				if (name == "history" || name == "repository") && request.Into != "" {
					continue // its newest files fit, or have to be unpacked
				}
				w := w.fresh(strings.ReplaceAll(name, ".", "-") + strings.ToLower(request.Into))
				u := w.received(upload.data)
				begun := cpuOfAll(t)
				v, err := w.Examine(w.t.Context(), w.owner, u, request, nil)
				took := cpuOfAll(t) - begun
				reasons := strings.Join(ImportProblems(err), "\n")
				if err != nil && reasons == "" {
					reasons = err.Error()
				}
				if v != nil {
					reasons = strings.Join(v.Problems, "\n")
				}
				if !strings.Contains(reasons, upload.want) || errors.Is(err, errImportTime) {
					t.Errorf("%+v: %.300s", request, reasons)
				}
				if t.Logf("%s into %q: %v of CPU for %d MB", name, request.Into, took, len(upload.data)>>20); took > 2*time.Second && !slow.Race {
					t.Errorf("%s: %v of CPU", name, took)
				}
				w.must(u.Close())
			}
		})
	}
}

// The limit on a history counts compressed bytes, and so does the preview: what fits
// compressed isn't refused, and what doesn't fit is.
func TestPreviewCountsHistoryAsStored(t *testing.T) {
	t.Parallel()
	limits := wiki.DefaultLimits
	limits.HistoryBytes = 400 << 10
	text, picture := strings.Repeat("The same words again and again.\n", 20_000), string(noise(3, 700<<10))
	for name, c := range map[string]struct {
		data []byte
		fits bool
	}{
		"deflated text":    {zipFiles(t, map[string]string{"A.md": text, "B.md": text + "x", "c.bin": "c"}), true},
		"deflated picture": {zipFiles(t, map[string]string{"A.md": text, "c.bin": picture}), false},
	} {
		w := newWorld(t).another("small", limits)
		w.must(w.Seed(w.t.Context(), w.owner))
		u, err := w.Receive(w.t.Context(), w.owner, bytes.NewReader(c.data), nil)
		if !c.fits && err != nil {
			continue // larger than the limit before it is looked at
		}
		w.must(err)
		v := w.examined(u, ImportRequest{})
		if c.fits != (len(v.Problems) == 0) {
			t.Errorf("%s: %v", name, v.Problems)
		}
		if c.fits {
			w.imported(u, ImportRequest{})
			if stats, err := w.Stats(w.t.Context(), w.owner); err != nil || stats.HistoryBytes > limits.HistoryBytes || stats.HistoryBytes > 2*v.After.HistoryBytes+20_000 {
				t.Errorf("%s: %+v, expected %+v, %v", name, stats, v.After, err)
			}
		}
		w.must(u.Close())
	}
	f := arriving{File: incoming.File{Size: 800}, to: "a.md"}
	if got := f.stored(); got != 100 {
		t.Errorf("text: %d", got)
	}
	f.to = "a.PNG"
	if got := f.stored(); got != 800 {
		t.Errorf("picture: %d", got)
	}
	v := &ImportPreview{}
	v.checkLimits(Stats{}, Stats{HistoryBytes: 500 << 20}, wiki.Limits{Pages: 1, CurrentBytes: 1, HistoryBytes: 1 << 20})
	if len(v.Problems) != 1 || !strings.Contains(v.Problems[0], "about 500 MB") {
		t.Error(v.Problems)
	}
}
