package pages

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// exporting adds an Exporter to a world.
func (w *world) exporting() *Exporter {
	w.t.Helper()
	git, err := gitrepo.Find()
	if err != nil {
		w.t.Fatal(err)
	}
	w.exports = NewExporter(ExportOptions{Content: w.content, Git: git, Dir: w.dir, Log: slog.New(slog.DiscardHandler)})
	w.t.Cleanup(w.exports.Close)
	return w.exports
}

// git runs git as somebody at home would, and answers what it prints.
func runGit(t testing.TB, dir string, args ...string) string {
	t.Helper()
	return runGitFrom(t, dir, os.DevNull, args...)
}

// runGitFrom is runGit with a file as its input.
func runGitFrom(t testing.TB, dir, file string, args ...string) string {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command("git", args...)
	cmd.Stdin = in
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "HOME=/nonexistent", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func (w *world) repo() string { return filepath.Join(w.dir, w.site.Slug, "repo.git") }

// exported catches up, and wants the repository to be the wiki: its ids in order,
// its files, nothing for the strict check to say.
func (w *world) exported() {
	w.t.Helper()
	head, err := w.exports.CatchUp(w.ctx, w.site.Slug)
	if err != nil {
		w.t.Fatal(err)
	}
	name, leave := w.exports.use(w.site.Slug, w.exports.of(w.site.Slug)) // a repack may be under way
	defer leave()
	repo := w.exports.path(w.site.Slug, name)
	log, err := w.Changelog(w.ctx, w.owner, LogFilter{Limit: 100_000, Ascending: true})
	if err != nil {
		w.t.Fatal(err)
	}
	var want []string
	for _, c := range log {
		want = append(want, c.ID)
	}
	got := strings.Fields(runGit(w.t, repo, "rev-list", "--reverse", "--first-parent", "main"))
	if !slices.Equal(got, want) || head != want[len(want)-1] {
		w.t.Fatalf("the export has %d commits up to %s, the wiki %d up to %s", len(got), head, len(want), want[len(want)-1])
	}
	if said := runGit(w.t, repo, "fsck", "--strict", "--full"); said != "" {
		w.t.Fatalf("fsck: %s", said)
	}
	clone := filepath.Join(w.t.TempDir(), "clone")
	runGit(w.t, w.t.TempDir(), "clone", "-q", "--no-local", repo, clone)
	w.holdsAll(clone)
	files := map[string]string{}
	err = filepath.WalkDir(clone, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			data, err := os.ReadFile(file)
			page, _ := filepath.Rel(clone, file)
			files[page] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	tree := w.tree()
	if len(tree) != len(files) {
		w.t.Fatalf("the clone has %d files, the wiki %d", len(files), len(tree))
	}
	for name, text := range tree {
		if files[name] != text {
			w.t.Fatalf("%s differs in the clone", name)
		}
	}
}

// holdsAll wants a clone to lead to every commit whose id the service has ever
// shown and not replaced, and to no other. An import's side branches are in its
// pack and in no row: they are its source's, and what is not shown.
func (w *world) holdsAll(clone string) {
	w.t.Helper()
	got := strings.Fields(runGit(w.t, clone, "rev-list", "--all"))
	want := w.stored("SELECT oid FROM commits")
	imported := len(w.stored("SELECT part FROM packs")) > 0
	slices.Sort(got)
	slices.Sort(want)
	if !imported && !slices.Equal(got, want) || imported && !isSubset(want, got) {
		w.t.Fatalf("the clone has %d commits, the wiki shows %d, or they are others", len(got), len(want))
	}
	if gone := w.stored("SELECT oid FROM replaced"); slices.ContainsFunc(gone, func(id string) bool { return slices.Contains(got, id) }) {
		w.t.Fatalf("replaced commits are in the clone: %q", gone)
	}
}

// scribble makes random commits: pages of odd names, edits of old revisions that
// merge, renames, deletes, attachments. It answers the ids that it was shown, and
// how many of them were of merges.
func (w *world) scribble(r *rand.Rand, n int) (shown []string, merges int) {
	w.t.Helper()
	names := []string{"Home", "Design/VPS_Architecture", "Design", "Größe/Ü", "日本語/ページ", "emoji-🙂", "-dash", "semi;colon$(x)", "deep/er/and/deeper", "\"quoted\""}
	for range n {
		name := names[r.IntN(len(names))]
		p, err := w.Page(w.ctx, w.owner, name, "")
		var done, first Saved
		switch k := r.IntN(10); {
		case err != nil:
			done, err = w.Save(w.ctx, w.editor, SaveRequest{Name: name, Text: []byte("one\ntwo\nthree\nfour\nfive\n"), Exact: true})
		case k == 0:
			done, err = w.Delete(w.ctx, w.owner, DeleteRequest{Name: name, Precondition: Precondition{Base: p.File.Blob}})
		case k <= 2:
			done, err = w.Rename(w.ctx, w.owner, RenameRequest{Name: name, NewName: names[r.IntN(len(names))], Precondition: Precondition{Base: p.File.Blob}})
		case k == 3:
			done, err = w.Upload(w.ctx, w.editor, UploadRequest{Page: name, Name: "dot.png", Data: strings.NewReader(fmt.Sprint("\x00", r.IntN(9))), Replace: true})
		case k <= 6: // two people at once: the second started from what the first did not see
			if first, err = w.Save(w.ctx, w.owner, SaveRequest{Name: name, Text: fmt.Appendf(nil, "%s%d\n", p.Source, r.IntN(1000)), Precondition: Precondition{Base: p.File.Blob}}); err == nil {
				done, err = w.Save(w.ctx, w.editor, SaveRequest{Name: name, Text: append(fmt.Appendf(nil, "%d\n", r.IntN(1000)), p.Source...), Precondition: Precondition{Base: p.File.Blob}})
			}
		default:
			done, err = w.Save(w.ctx, w.owner, SaveRequest{Name: name, Text: fmt.Appendf(nil, "%s%d\n", p.Source, r.IntN(1000)), Precondition: Precondition{Base: p.File.Blob}})
		}
		var told *wiki.Problem
		if err != nil && !errors.As(err, &told) && !errors.Is(err, wiki.ErrConflict) {
			w.t.Fatalf("%s: %v", name, err)
		}
		for _, s := range []Saved{first, done} {
			if s.Commit != "" {
				shown = append(shown, s.Commit)
			}
			if s.Merged {
				merges++
			}
		}
	}
	return shown, merges
}

// Random histories, exported in stretches of random length, are what the wiki
// is.
func TestExportIsTheWiki(t *testing.T) {
	rounds := 2
	if os.Getenv("ROBOT_LONG") != "" {
		rounds = 20
	}
	for seed := range rounds {
		w := newWorld(t)
		x := w.exporting()
		r := rand.New(rand.NewPCG(uint64(seed), 6))
		var shown []string
		merges := 0
		for range 3 {
			ids, merged := w.scribble(r, 10+r.IntN(30))
			shown, merges = append(shown, ids...), merges+merged
			w.exported()
		}
		x.Close() // no repack puts another in its place
		if all := strings.Fields(runGit(t, w.repo(), "rev-list", "--all")); !isSubset(shown, all) || merges == 0 {
			t.Errorf("of %d ids that were shown, %d of merges, some are not in the %d of the clone", len(shown), merges, len(all))
		}
		if s := x.Stats(); s.Rebuilds != 0 || s.Mismatches != 0 || s.Failures != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// Whatever becomes of an export, the next who asks gets a whole one.
func TestExportRepairsItself(t *testing.T) {
	w := newWorld(t)
	x := w.exporting()
	w.scribble(rand.New(rand.NewPCG(1, 2)), 20)
	w.exported()
	packs := func() []string {
		files, err := filepath.Glob(filepath.Join(w.repo(), "objects", "pack", "*.pack"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		return files
	}
	damage := map[string]func() error{
		"gone":    func() error { return os.RemoveAll(filepath.Join(w.repo(), "objects")) },
		"no link": func() error { return os.Remove(w.repo()) },
		"a copy": func() error {
			return errors.Join(os.Remove(w.repo()), os.MkdirAll(filepath.Join(w.repo(), "refs"), 0o700))
		},
		"no pack":   func() error { return os.Remove(packs()[0]) },
		"no index":  func() error { return os.Remove(strings.TrimSuffix(packs()[0], "pack") + "idx") },
		"cut short": func() error { return errors.Join(os.Chmod(packs()[0], 0o600), os.Truncate(packs()[0], 30)) },
		"no ref":    func() error { return os.Remove(filepath.Join(w.repo(), "refs/heads/main")) },
		"bad ref":   func() error { return os.WriteFile(filepath.Join(w.repo(), "refs/heads/main"), []byte("x"), 0o600) },
		"other ref": func() error {
			return os.WriteFile(filepath.Join(w.repo(), "refs/heads/main"), []byte(strings.Repeat("a", 40)+"\n"), 0o600)
		},
		"stale": func() error { w.put("Home", "behind the export's back\n"); return nil },
		"bad head": func() error {
			return os.WriteFile(filepath.Join(w.repo(), "HEAD"), []byte("ref: refs/heads/x\n"), 0o600)
		},
		"bad config": func() error {
			return os.WriteFile(filepath.Join(w.repo(), "config"), []byte("[core]\nfsmonitor=evil\n"), 0o600)
		},
		"locks": func() error {
			return errors.Join(os.WriteFile(filepath.Join(w.repo(), "refs/heads/main.lock"), nil, 0o600),
				os.WriteFile(filepath.Join(w.repo(), "objects/pack/tmp_pack_abc"), []byte("half"), 0o600))
		},
		"a bit": func() error {
			data, err := os.ReadFile(packs()[0])
			data[len(data)/2] ^= 1
			return errors.Join(err, os.Chmod(packs()[0], 0o600), os.WriteFile(packs()[0], data, 0o600))
		},
	}
	for name, damage := range damage {
		for _, again := range []bool{false, true} { // as this process sees it, and one that has just begun
			if err := damage(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if again {
				x.Close()
				x = w.exporting()
			}
			w.exported()
			if left, _ := filepath.Glob(filepath.Join(w.dir, "ada", "repo-*")); len(left) != 1 {
				t.Errorf("%s: %v are left", name, left)
			}
		}
	}
}

// What is stored and does not give what its ids say is an alarm, and is served to
// nobody.
func TestExportMismatchIsAnAlarm(t *testing.T) {
	w := newWorld(t)
	x := w.exporting()
	w.put("Home", "one\n")
	w.exported()
	w.put("Home", "two\n")
	w.spoil("UPDATE changes SET path = 'Other.md' WHERE seq = 2")
	if _, err := x.CatchUp(w.ctx, "ada"); !errors.Is(err, content.ErrUnlike) {
		t.Errorf("got %v", err)
	}
	if x.Stats().Mismatches == 0 || x.Stats().Failures == 0 {
		t.Errorf("%+v", x.Stats())
	}
	if at := runGit(t, w.repo(), "rev-list", "--count", "main"); at != "1" {
		t.Errorf("the export has %s commits", at)
	}
}

// A repack changes nothing of what is served, and takes along what is saved
// meanwhile; who reads the former directory reads on.
func TestRepack(t *testing.T) {
	w := newWorld(t)
	x := w.exporting()
	for i := range 12 {
		w.put("Home", fmt.Sprint("text ", i, "\n"))
		if _, err := x.CatchUp(w.ctx, "ada"); err != nil {
			t.Fatal(err)
		}
	}
	repo, release, err := w.Repository(w.ctx, w.reader)
	if err != nil {
		t.Fatal(err)
	}
	before := filepath.Join(w.dir, "ada", repo.Name())
	stop := make(chan bool)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				close(stop)
				return
			default:
				w.put("Other", fmt.Sprint("text ", i, "\n"))
				x.CatchUp(w.ctx, "ada")
				time.Sleep(time.Millisecond)
			}
		}
	}()
	for range 3 {
		if err := x.Repack(w.ctx, "ada"); err != nil {
			t.Fatal(err)
		}
	}
	stop <- true
	<-stop
	if said := runGit(t, before, "fsck", "--strict"); said != "" {
		t.Errorf("the former directory: %s", said)
	}
	release(false)
	if _, err := os.Stat(before); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the former directory is still there: %v", err)
	}
	w.exported()
	if found, _ := filepath.Glob(filepath.Join(w.repo(), "objects", "pack", "*.bitmap")); len(found) == 0 {
		t.Error("no bitmap")
	}
	if s := x.Stats(); s.Repacks != 3 || s.Rebuilds != 0 || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
}

// A process reads a repository that it has not made as a whole, once: to do so
// for each fetch would cost more than the fetch.
func TestExportIsReadOnceAfterAStart(t *testing.T) {
	w := newWorld(t)
	x := w.exporting()
	w.put("Home", "text\n")
	w.exported()
	x.Close()
	x = w.exporting()
	var reads []time.Time
	for range 3 {
		if _, err := x.CatchUp(w.ctx, "ada"); err != nil {
			t.Fatal(err)
		}
		reads = append(reads, x.of("ada").read)
	}
	if reads[0].IsZero() || !reads[1].Equal(reads[0]) || !reads[2].Equal(reads[0]) {
		t.Errorf("read at %v", reads)
	}
}

// What waits to be exported is told for as long as it waits, also while exports
// fail.
func TestExportLag(t *testing.T) {
	w := newWorld(t)
	x := w.exporting()
	if x.Lag() != 0 {
		t.Errorf("nothing was saved: %s", x.Lag())
	}
	w.put("Home", "x")
	if _, err := x.CatchUp(w.ctx, w.site.Slug); err != nil {
		t.Fatal(err)
	}
	// A repository cannot be made where its wiki has no directory.
	dir := filepath.Join(w.dir, w.site.Slug)
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	x.Nudge(w.site.Slug)
	for failures := x.Stats().Failures; x.Stats().Failures == failures; time.Sleep(10 * time.Millisecond) {
	}
	if lag := x.Lag(); lag < exportDelay/2 {
		t.Errorf("after an export that failed: %s", lag)
	}
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	w.exported()
	if x.Lag() != 0 {
		t.Errorf("all is exported: %s", x.Lag())
	}
	x.Nudge(w.site.Slug)
	x.Forget(w.site.Slug)
	if x.Lag() != 0 {
		t.Errorf("a wiki that is gone: %s", x.Lag())
	}
}

// A long history that another process has exported, as a restore does, is
// repacked with bitmaps without waiting for saves; a short one is left alone, and
// neither is repacked again.
func TestExportOfAnotherProcessIsRepacked(t *testing.T) {
	w := newWorld(t)
	x := w.exporting()
	short := w.fresh("short")
	for i := range repackAfter {
		w.put("Home", fmt.Sprint("text ", i, "\n"))
	}
	for _, slug := range []string{w.site.Slug, short.site.Slug} {
		if _, err := x.CatchUp(w.ctx, slug); err != nil {
			t.Fatal(err)
		}
	}
	x.Close() // before it came to a repack
	for _, file := range []string{"*.bitmap", "multi-pack-index"} {
		found, err := filepath.Glob(filepath.Join(w.repo(), "objects", "pack", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	x = w.exporting()
	for end := time.Now().Add(time.Minute); x.Stats().Repacks == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, slug := range []string{w.site.Slug, short.site.Slug} {
			if _, err := x.CatchUp(w.ctx, slug); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 20 {
		for _, slug := range []string{w.site.Slug, short.site.Slug} {
			if _, err := x.CatchUp(w.ctx, slug); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	if found, _ := filepath.Glob(filepath.Join(w.repo(), "objects", "pack", "*.bitmap")); len(found) == 0 {
		t.Error("no bitmap")
	}
	if s := x.Stats(); s.Repacks != 1 || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
	w.exported()
}
