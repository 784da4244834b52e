package export

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"robot.wtf/internal/await"
	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// A world is a pool of wikis and a Mirror of them.
type world struct {
	*Mirror
	t    testing.TB
	dir  string
	pool *content.Pool
}

// newWorld has a wiki called ada.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.openPool()
	w.create("ada")
	w.startMirror()
	return w
}

func (w *world) openPool() {
	w.t.Helper()
	pool, err := content.NewPool(content.Options{Dir: w.dir, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.pool = pool
	w.t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) startMirror() {
	w.t.Helper()
	git, err := gitrepo.Find()
	if err != nil {
		w.t.Fatal(err)
	}
	w.Mirror = New(Options{Content: w.pool, Git: git, Dir: w.dir, Log: slog.New(slog.DiscardHandler)})
	w.t.Cleanup(w.Close)
}

func (w *world) create(slug string) {
	w.t.Helper()
	if err := w.pool.Create(w.t.Context(), slug); err != nil {
		w.t.Fatal(err)
	}
}

// open opens ada.
func (w *world) open() (c *content.Wiki, release func()) {
	w.t.Helper()
	c, release, err := w.pool.Open(w.t.Context(), "ada")
	if err != nil {
		w.t.Fatal(err)
	}
	return c, release
}

// commit makes one commit in ada.
func (w *world) commit(edits ...content.Edit) (content.Result, error) {
	w.t.Helper()
	c, release := w.open()
	defer release()
	return c.Commit(w.t.Context(), content.Request{
		Author: wiki.Caller{User: wiki.User{DID: "did:plc:ada", Username: "ada"}}, Limits: wiki.DefaultLimits, Edits: edits,
	})
}

// put saves a page of ada, whatever it was before.
func (w *world) put(page, text string) {
	w.t.Helper()
	if _, err := w.commit(content.Edit{Path: page + ".md", Base: content.BaseAny, Data: []byte(text)}); err != nil {
		w.t.Fatalf("put %s: %v", page, err)
	}
}

// randomCommits makes n random commits: writes, moves, deletes, and edits of old
// versions that merge or conflict.
func (w *world) randomCommits(r *rand.Rand, n int) {
	w.t.Helper()
	names := []string{"Home.md", "Design/VPS_Architecture.md", "Design.md", "日本語/ページ.md", "emoji-🙂.md", "-dash.md", "deep/er/and/deeper.md", "\"quoted\".md", "Home/dot.png"}
	c, release := w.open()
	defer release()
	for range n {
		name := names[r.IntN(len(names))]
		f, text, err := c.Read(w.t.Context(), name)
		edit := content.Edit{Path: name, Base: f.Blob, Data: fmt.Appendf(nil, "%s%d\n", text, r.IntN(1000))}
		switch k := r.IntN(10); {
		case err != nil:
			edit.Data = []byte("one\ntwo\nthree\nfour\nfive\n")
		case k == 0:
			edit.Op = content.Delete
		case k <= 2:
			edit.Op, edit.To = content.Move, names[r.IntN(len(names))]
		case k <= 5:
			if _, err = w.commit(edit); err == nil {
				edit.Data = append(fmt.Appendf(nil, "%d\n", r.IntN(1000)), text...)
			}
		}
		var problem *wiki.Problem
		if _, err := w.commit(edit); err != nil && !errors.As(err, &problem) && !errors.Is(err, wiki.ErrConflict) {
			w.t.Fatalf("%s: %v", name, err)
		}
	}
}

// runGit runs git without configuration and returns its output.
func runGit(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
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

// repo is the link to ada's repository.
func (w *world) repo() string { return filepath.Join(w.dir, "ada", "repo.git") }

// checkRepository catches up and checks that a clone equals ada: commit ids in order,
// files, and no complaint from a strict fsck.
func (w *world) checkRepository() {
	w.t.Helper()
	w.checkExport(true)
}

// checkExport is checkRepository, with or without the clone, which takes most of the
// time.
func (w *world) checkExport(clone bool) {
	w.t.Helper()
	opened, release, err := w.Open(w.t.Context(), "ada")
	if err != nil {
		w.t.Fatal(err)
	}
	defer release(false)
	repo := filepath.Join(w.dir, "ada", opened.Name())
	got := strings.Fields(runGit(w.t, repo, "rev-list", "--reverse", "--first-parent", "main"))
	if want := w.query("SELECT oid FROM commits ORDER BY seq"); !slices.Equal(got, want) {
		w.t.Fatalf("the export has %d commits, the wiki %d, or they differ", len(got), len(want))
	}
	if out := runGit(w.t, repo, "fsck", "--strict", "--full"); out != "" {
		w.t.Fatalf("fsck: %s", out)
	}
	if !clone {
		return
	}
	dir := filepath.Join(w.t.TempDir(), "clone")
	runGit(w.t, w.t.TempDir(), "clone", "-q", "--no-local", repo, dir)
	if all := runGit(w.t, dir, "rev-list", "--all", "--count"); all != fmt.Sprint(len(got)) {
		w.t.Fatalf("the clone has %s commits, not %d", all, len(got))
	}
	if files, want := readFiles(w.t, dir), w.files(); !maps.Equal(files, want) {
		w.t.Fatalf("the clone's %d files differ from the wiki's %d", len(files), len(want))
	}
}

// files returns ada's files.
func (w *world) files() map[string]string {
	w.t.Helper()
	c, release := w.open()
	defer release()
	files := map[string]string{}
	names, err := c.Names(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range names {
		_, data, err := c.Read(w.t.Context(), name)
		if err != nil {
			w.t.Fatalf("read %s: %v", name, err)
		}
		files[name] = string(data)
	}
	return files
}

// readFiles returns the files of a clone.
func readFiles(t testing.TB, clone string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(clone, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return filepath.SkipDir
		case d.Type().IsRegular():
			name, _ := filepath.Rel(clone, file)
			data, err := os.ReadFile(file)
			files[name] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func (w *world) database() *sql.DB {
	w.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.dir, "ada", "wiki.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	return db
}

// query returns the values of a query of one column of ada's database.
func (w *world) query(query string) (values []string) {
	w.t.Helper()
	rows, err := w.database().Query(query)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			w.t.Fatal(err)
		}
		values = append(values, value)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return values
}

func TestContextEndsWithMirror(t *testing.T) {
	w := newWorld(t)
	ended, cancel := w.Context(w.t.Context())
	cancel()
	if ended.Err() == nil {
		t.Error("cancel has no effect")
	}
	running, cancel := w.Context(w.t.Context())
	defer cancel()
	if running.Err() != nil {
		t.Error("canceled too early")
	}
	w.Close()
	if running.Err() == nil {
		t.Error("Close doesn't cancel it")
	}
	late, cancel := w.Context(w.t.Context())
	defer cancel()
	if late.Err() == nil {
		t.Error("a closed Mirror returns a context that isn't canceled")
	}
}

// Any damage is repaired by the next catch-up.
func TestDamageIsRepaired(t *testing.T) {
	w := newWorld(t)
	w.randomCommits(rand.New(rand.NewPCG(1, 2)), 20)
	w.checkRepository()
	packs := func() []string {
		files, err := filepath.Glob(filepath.Join(w.repo(), "objects", "pack", "*.pack"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		return files
	}
	write := func(file, text string) error {
		return os.WriteFile(filepath.Join(w.repo(), file), []byte(text), 0o600)
	}
	damage := map[string]func() error{
		"no objects": func() error { return os.RemoveAll(filepath.Join(w.repo(), "objects")) },
		"no link":    func() error { return os.Remove(w.repo()) },
		"a directory instead of the link": func() error {
			return errors.Join(os.Remove(w.repo()), os.MkdirAll(filepath.Join(w.repo(), "refs"), 0o700))
		},
		"no pack":        func() error { return os.Remove(packs()[0]) },
		"no index":       func() error { return os.Remove(strings.TrimSuffix(packs()[0], "pack") + "idx") },
		"truncated pack": func() error { return errors.Join(os.Chmod(packs()[0], 0o600), os.Truncate(packs()[0], 30)) },
		"no ref":         func() error { return os.Remove(filepath.Join(w.repo(), "refs/heads/main")) },
		"invalid ref":    func() error { return write("refs/heads/main", "x") },
		"unknown ref":    func() error { return write("refs/heads/main", strings.Repeat("a", 40)+"\n") },
		"stale":          func() error { w.put("Home", "not marked as pending\n"); return nil },
		"wrong HEAD":     func() error { return write("HEAD", "ref: refs/heads/x\n") },
		"bad config":     func() error { return write("config", "[core]\nfsmonitor=evil\n") },
		"leftover locks": func() error {
			return errors.Join(write("refs/heads/main.lock", ""), write("objects/pack/tmp_pack_abc", "half"))
		},
		"a flipped bit": func() error {
			data, err := os.ReadFile(packs()[0])
			data[len(data)/2] ^= 1
			return errors.Join(err, os.Chmod(packs()[0], 0o600), os.WriteFile(packs()[0], data, 0o600))
		},
	}
	for name, damage := range damage {
		for _, restart := range []bool{false, true} {
			if !restart && !slow.Enabled() {
				continue
			}
			if err := damage(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if restart {
				w.Close()
				w.startMirror()
			}
			w.checkExport(restart)
			if left, _ := filepath.Glob(filepath.Join(w.dir, "ada", "repo-*")); len(left) != 1 {
				t.Errorf("%s: left over: %v", name, left)
			}
		}
	}
}

// Stored data that doesn't produce its ids raises the alarm and isn't exported.
func TestMismatchRaisesAlarm(t *testing.T) {
	w := newWorld(t)
	w.put("Home", "one\n")
	w.checkRepository()
	w.put("Home", "two\n")
	if _, err := w.database().Exec("UPDATE changes SET path = 'Other.md' WHERE seq = 2"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CatchUp(w.t.Context(), "ada"); !errors.Is(err, content.ErrMismatch) {
		t.Errorf("got %v", err)
	}
	if s := w.Stats(); s.Mismatches == 0 || s.Failures == 0 {
		t.Errorf("%+v", s)
	}
	if n := runGit(t, w.repo(), "rev-list", "--count", "main"); n != "1" {
		t.Errorf("the export has %s commits", n)
	}
}

// A repack changes nothing that is served and includes concurrent saves.
// Readers of the old directory aren't disturbed.
func TestRepack(t *testing.T) {
	w := newWorld(t)
	for i := range 12 {
		w.put("Home", fmt.Sprint("text ", i, "\n"))
		if _, err := w.CatchUp(w.t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
	}
	repo, release, err := w.Open(w.t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	before := filepath.Join(w.dir, "ada", repo.Name())
	ctx, cancel := context.WithCancel(w.t.Context())
	var saves sync.WaitGroup
	saved := make(chan bool)
	saves.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			w.put("Other", fmt.Sprint("text ", i, "\n"))
			w.CatchUp(w.t.Context(), "ada")
			if i%5 == 4 {
				select {
				case saved <- true:
				case <-ctx.Done():
				}
			}
		}
	})
	for range 3 {
		<-saved // five times; the next five are beside the repack
		if err := w.Repack(w.t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	saves.Wait()
	if out := runGit(t, before, "fsck", "--strict"); out != "" {
		t.Errorf("old directory: %s", out)
	}
	release(false)
	if _, err := os.Stat(before); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old directory is still there: %v", err)
	}
	w.checkRepository()
	if !w.hasBitmap() {
		t.Error("no bitmap")
	}
	if s := w.Stats(); s.Repacks != 3 || s.Rebuilds != 0 || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
}

func (w *world) hasBitmap() bool {
	found, _ := filepath.Glob(filepath.Join(w.repo(), "objects", "pack", "*.bitmap"))
	return len(found) > 0
}

// A new process verifies an existing repository once. Verifying before every
// fetch would cost more than the fetch.
func TestVerifiedOnceAfterStart(t *testing.T) {
	w := newWorld(t)
	w.put("Home", "text\n")
	w.checkRepository()
	w.Close()
	w.startMirror()
	var verified []time.Time
	for range 3 {
		if _, err := w.CatchUp(w.t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		verified = append(verified, w.repository("ada").verified)
	}
	if verified[0].IsZero() || !verified[1].Equal(verified[0]) || !verified[2].Equal(verified[0]) {
		t.Errorf("verified at %v", verified)
	}
}

// Lag grows until an export succeeds.
func TestLag(t *testing.T) {
	w := newWorld(t)
	if w.Lag() != 0 {
		t.Errorf("before the first save: %s", w.Lag())
	}
	w.put("Home", "x")
	if _, err := w.CatchUp(w.t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	// Without the wiki's directory an export fails.
	dir := filepath.Join(w.dir, "ada")
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	failures := w.Stats().Failures
	w.MarkPending("ada")
	await.Until(t, "an export fails", await.Long, func() bool { return w.Stats().Failures > failures })
	if lag := w.Lag(); lag < exportDelay/2 {
		t.Errorf("after a failed export: %s", lag)
	}
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	w.checkRepository()
	if w.Lag() != 0 {
		t.Errorf("after the export: %s", w.Lag())
	}
	w.MarkPending("ada")
	w.Forget("ada")
	if w.Lag() != 0 {
		t.Errorf("after the wiki was deleted: %s", w.Lag())
	}
}

// A long history that another process exported, as a restore does, is repacked
// with bitmaps once, without waiting for saves. A short one isn't.
func TestExportOfAnotherProcessIsRepacked(t *testing.T) {
	w := newWorld(t)
	w.create("short")
	for i := range repackAfter {
		w.put("Home", fmt.Sprint("text ", i, "\n"))
	}
	catchUpBoth := func() {
		t.Helper()
		for _, slug := range []string{"ada", "short"} {
			if _, err := w.CatchUp(w.t.Context(), slug); err != nil {
				t.Fatal(err)
			}
		}
	}
	catchUpBoth()
	w.Close() // before a repack
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
	w.startMirror()
	await.Until(t, "the repository is repacked", await.Long, func() bool { catchUpBoth(); return w.Stats().Repacks > 0 })
	for range 20 { // more repacks would have time to begin, though on a busy machine less
		catchUpBoth()
		time.Sleep(5 * time.Millisecond)
	}
	if !w.hasBitmap() {
		t.Error("no bitmap")
	}
	if s := w.Stats(); s.Repacks != 1 || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
	w.checkRepository()
}

// Attack: after a start, clones of many wikis at once. Each wiki's first clone
// verifies its whole repository. A few are verified or exported at a time; wikis that
// are up to date don't wait.
func TestExportsTakeTurns(t *testing.T) {
	w := newWorld(t)
	w.put("Home", "text\n")
	hold := func() (release func()) {
		var releases []func()
		for i := range maxExports {
			r, err := w.slots.Acquire(t.Context(), fmt.Sprint("other", i))
			if err != nil {
				t.Fatal(err)
			}
			releases = append(releases, r)
		}
		return func() {
			for _, r := range releases {
				r()
			}
		}
	}
	catchUp := func(within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		_, err := w.CatchUp(ctx, "ada")
		return err
	}
	release := hold()
	if err := catchUp(100 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside %d exports of others: %v", maxExports, err)
	}
	release()
	if _, err := w.CatchUp(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	release = hold()
	if err := catchUp(time.Minute); err != nil {
		t.Errorf("with nothing to do: %v", err)
	}
	w.repository("ada").setSuspect(true)
	if err := catchUp(100 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("to verify a suspect repository: %v", err)
	}
	release()
}
