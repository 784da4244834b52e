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

	"robot.wtf/internal/export"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// startMirror adds a git mirror to a world.
func (w *world) startMirror() *export.Mirror {
	w.t.Helper()
	git, err := gitrepo.Find()
	if err != nil {
		w.t.Fatal(err)
	}
	w.mirror = export.New(export.Options{Content: w.content, Git: git, Dir: w.dir, Log: slog.New(slog.DiscardHandler)})
	w.t.Cleanup(w.mirror.Close)
	return w.mirror
}

// runGit runs git without configuration and returns its output.
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

// checkRepository opens the repository and checks that it equals the wiki: commit
// ids in order, files, and no complaint from a strict fsck.
func (w *world) checkRepository() {
	w.t.Helper()
	opened, release, err := w.Repository(w.t.Context(), w.owner)
	if err != nil {
		w.t.Fatal(err)
	}
	defer release(false)
	repo := filepath.Join(w.dir, w.site.Slug, opened.Name())
	head, err := opened.Ref(gitrepo.Main)
	if err != nil {
		w.t.Fatal(err)
	}
	log, err := w.Changelog(w.t.Context(), w.owner, LogFilter{Limit: 100_000, Ascending: true})
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
	if out := runGit(w.t, repo, "fsck", "--strict", "--full"); out != "" {
		w.t.Fatalf("fsck: %s", out)
	}
	clone := filepath.Join(w.t.TempDir(), "clone")
	runGit(w.t, w.t.TempDir(), "clone", "-q", "--no-local", repo, clone)
	w.checkAllCommits(clone)
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

// checkAllCommits checks that a clone holds every commit whose id the service has
// shown, except replaced ones, and no others. Side branches of an import are in
// its pack only: the service never shows them.
func (w *world) checkAllCommits(clone string) {
	w.t.Helper()
	got := strings.Fields(runGit(w.t, clone, "rev-list", "--all"))
	want := w.stored("SELECT oid FROM commits")
	imported := len(w.stored("SELECT part FROM packs")) > 0
	slices.Sort(got)
	slices.Sort(want)
	if !imported && !slices.Equal(got, want) || imported && !isSubset(want, got) {
		w.t.Fatalf("the clone has %d commits, the wiki %d, or they differ", len(got), len(want))
	}
	if gone := w.stored("SELECT oid FROM replaced"); slices.ContainsFunc(gone, func(id string) bool { return slices.Contains(got, id) }) {
		w.t.Fatalf("replaced commits are in the clone: %q", gone)
	}
}

// randomEdits makes random commits: odd page names, edits of old revisions that
// merge, renames, deletes, attachments. It returns the ids it was shown and the
// number of merges.
func (w *world) randomEdits(r *rand.Rand, n int) (shown []string, merges int) {
	w.t.Helper()
	names := []string{"Home", "Design/VPS_Architecture", "Design", "Größe/Ü", "日本語/ページ", "emoji-🙂", "-dash", "semi;colon$(x)", "deep/er/and/deeper", "\"quoted\""}
	for range n {
		name := names[r.IntN(len(names))]
		p, err := w.Page(w.t.Context(), w.owner, name, "")
		var done, first Saved
		switch k := r.IntN(10); {
		case err != nil:
			done, err = w.Save(w.t.Context(), w.editor, SaveRequest{Name: name, Text: []byte("one\ntwo\nthree\nfour\nfive\n"), Exact: true})
		case k == 0:
			done, err = w.Delete(w.t.Context(), w.owner, DeleteRequest{Name: name, Precondition: Precondition{Base: p.File.Blob}})
		case k <= 2:
			done, err = w.Rename(w.t.Context(), w.owner, RenameRequest{Name: name, NewName: names[r.IntN(len(names))], Precondition: Precondition{Base: p.File.Blob}})
		case k == 3:
			done, err = w.Upload(w.t.Context(), w.editor, UploadRequest{Page: name, Name: "dot.png", Data: strings.NewReader(fmt.Sprint("\x00", r.IntN(9))), Replace: true})
		case k <= 6: // two people at once: the second hasn't seen the first one's edit
			if first, err = w.Save(w.t.Context(), w.owner, SaveRequest{Name: name, Text: fmt.Appendf(nil, "%s%d\n", p.Source, r.IntN(1000)), Precondition: Precondition{Base: p.File.Blob}}); err == nil {
				done, err = w.Save(w.t.Context(), w.editor, SaveRequest{Name: name, Text: append(fmt.Appendf(nil, "%d\n", r.IntN(1000)), p.Source...), Precondition: Precondition{Base: p.File.Blob}})
			}
		default:
			done, err = w.Save(w.t.Context(), w.owner, SaveRequest{Name: name, Text: fmt.Appendf(nil, "%s%d\n", p.Source, r.IntN(1000)), Precondition: Precondition{Base: p.File.Blob}})
		}
		var problem *wiki.Problem
		if err != nil && !errors.As(err, &problem) && !errors.Is(err, wiki.ErrConflict) {
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

// A clone equals the wiki after any history.
func TestCloneEqualsWiki(t *testing.T) {
	t.Parallel()
	rounds := 1
	if slow.Enabled() {
		rounds = 2
	}
	if os.Getenv("ROBOT_LONG") != "" {
		rounds = 20
	}
	for seed := range rounds {
		w := newWorld(t)
		mirror := w.startMirror()
		r := rand.New(rand.NewPCG(uint64(seed), 6))
		var shown []string
		merges := 0
		for range 3 {
			ids, merged := w.randomEdits(r, 10+r.IntN(30))
			shown, merges = append(shown, ids...), merges+merged
			w.checkRepository()
		}
		mirror.Close() // no repack replaces the directory
		if all := strings.Fields(runGit(t, w.repo(), "rev-list", "--all")); !isSubset(shown, all) || merges == 0 {
			t.Errorf("some of the %d ids shown (%d of merges) aren't among the %d of the clone", len(shown), merges, len(all))
		}
		if s := mirror.Stats(); s.Rebuilds != 0 || s.Mismatches != 0 || s.Failures != 0 {
			t.Errorf("%+v", s)
		}
	}
}
