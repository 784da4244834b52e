package export

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/await"
	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/wiki"
)

// The test binary is also the process to kill: it saves, exports and repacks
// until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("ROBOT_TEST_EXPORTER"); dir != "" {
		fmt.Println("failed:", exportForever(dir))
		os.Exit(1)
	}
	os.Exit(testdisk.Run(m))
}

func exportForever(dir string) error {
	ctx := context.Background()
	pool, err := content.NewPool(content.Options{Dir: dir, Now: time.Now})
	if err != nil {
		return err
	}
	w, _, err := pool.Open(ctx, "ada")
	if err != nil {
		return err
	}
	git, err := gitrepo.Find()
	if err != nil {
		return err
	}
	m := New(Options{Content: pool, Git: git, Dir: dir, Log: slog.New(slog.DiscardHandler)})
	for i := 0; ; i++ {
		for k := range 3 {
			_, err := w.Commit(ctx, content.Request{
				Author: wiki.Caller{User: wiki.User{DID: "did:plc:ada", Username: "ada"}}, Limits: wiki.DefaultLimits,
				Edits: []content.Edit{{Path: fmt.Sprintf("Folder %d/Page.md", (i+k)%5), Base: content.BaseAny, Data: fmt.Appendf(nil, "%d %d\n", time.Now().UnixNano(), k)}},
			})
			if err != nil {
				return err
			}
		}
		if _, err := m.CatchUp(ctx, "ada"); err != nil {
			return err
		}
		if i == 0 {
			fmt.Println("started")
		}
		if i%2 == 1 {
			if err := m.Repack(ctx, "ada"); err != nil {
				return err
			}
		}
	}
}

// After kill -9 at any moment of an export or a repack, the next process has a
// correct export and removes the leftovers.
func TestExportSurvivesKill(t *testing.T) {
	kills := 2
	if os.Getenv("ROBOT_LONG") != "" && !testing.Short() {
		kills = 100
	} else if slow.Enabled() {
		kills = 5
	}
	w := newWorld(t)
	w.put("Home", "one\n")
	w.Close()
	r := rand.New(rand.NewPCG(9, uint64(time.Now().UnixNano())))
	for n := range kills {
		if err := w.pool.Close(); err != nil { // the other process opens it
			t.Fatal(err)
		}
		killExporter(t, w.dir, time.Duration(r.IntN(150))*time.Millisecond)
		w.waitForGit()
		w.openPool()
		w.startMirror()
		w.checkAfterKill(n%4 == 0 || n == kills-1)
	}
	t.Logf("measured: %d kills, each followed by a complete export", kills)
}

// killExporter starts exportForever in another process and kills it after a
// delay.
func killExporter(t testing.TB, dir string, delay time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ROBOT_TEST_EXPORTER="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if lines.Scan(); lines.Text() != "started" {
		t.Fatalf("the exporter printed %q", lines.Text())
	}
	time.Sleep(delay)
	cmd.Process.Kill()
	if lines.Scan() {
		t.Fatalf("the exporter printed %q", lines.Text())
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the exporter wasn't killed")
	}
}

// waitForGit waits for git processes that the killed process left running:
// files that they write after the next process has tidied up would stay.
func (w *world) waitForGit() {
	w.t.Helper()
	running := ""
	ended := await.Within(20*time.Second, func() bool {
		running = ""
		programs, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil || len(programs) == 0 {
			w.t.Fatalf("listing processes: %v", err)
		}
		for _, p := range programs {
			args, _ := os.ReadFile(p) // the process can be gone
			if strings.Contains(string(args), "git") && strings.Contains(string(args), w.dir) {
				running = strings.ReplaceAll(string(args), "\x00", " ")
			} else if cwd, _ := os.Readlink(filepath.Join(filepath.Dir(p), "cwd")); strings.HasPrefix(cwd, w.dir+"/") {
				running = cwd
			}
		}
		return running == ""
	})
	if !ended {
		w.t.Fatalf("still running: %s", running)
	}
}

// checkAfterKill checks the export in the next process. With full set it also
// compares a clone.
func (w *world) checkAfterKill(full bool) {
	w.t.Helper()
	if full {
		w.checkRepository()
	} else if _, err := w.CatchUp(w.t.Context(), "ada"); err != nil {
		w.t.Fatal(err)
	}
	c, release := w.open()
	defer release()
	if _, head := c.Head(); head != runGit(w.t, w.repo(), "rev-parse", "main") {
		w.t.Errorf("the export isn't at %s", head)
	}
	if s := w.Stats(); s.Mismatches > 0 || s.Failures > 0 {
		w.t.Errorf("%+v", s)
	}
	w.Close() // a running repack has a directory of its own
	left, err := filepath.Glob(filepath.Join(w.dir, "ada", "repo-*"))
	if err != nil || len(left) != 1 {
		w.t.Errorf("left over: %v, %v", left, err)
	}
}
