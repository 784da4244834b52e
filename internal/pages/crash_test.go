package pages

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// The test binary is also the program that is killed: it saves, exports and
// repacks without end.
func TestMain(m *testing.M) {
	if dir := os.Getenv("ROBOT_TEST_EXPORTER"); dir != "" {
		fmt.Println("failed:", exportWithoutEnd(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func exportWithoutEnd(dir string) error {
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
	x := NewExporter(ExportOptions{Content: pool, Git: git, Dir: dir, Log: slog.New(slog.DiscardHandler)})
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
		if _, err := x.CatchUp(ctx, "ada"); err != nil {
			return err
		}
		if i == 0 {
			fmt.Println("begun")
		}
		if i%2 == 1 {
			if err := x.Repack(ctx, "ada"); err != nil {
				return err
			}
		}
	}
}

// TestKilledExporter: a crash (kill -9) during an export or a repack, at any
// moment, ends in a correct export with the next process, and what the killed one
// left is gone.
func TestKilledExporter(t *testing.T) {
	kills := 8
	if os.Getenv("ROBOT_LONG") != "" {
		kills = 100
	}
	if testing.Short() {
		kills = 2
	}
	w := newWorld(t)
	w.put("Home", "one\n")
	if err := w.content.Close(); err != nil { // the other process has it now
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(9, uint64(time.Now().UnixNano())))
	for n := range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "ROBOT_TEST_EXPORTER="+w.dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if lines.Scan(); lines.Text() != "begun" {
			t.Fatalf("the exporter says %q", lines.Text())
		}
		time.Sleep(time.Duration(r.IntN(150)) * time.Millisecond)
		cmd.Process.Kill()
		if lines.Scan() {
			t.Fatalf("the exporter says %q", lines.Text())
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it was not killed")
		}
		w.orphansEnd()
		w.revived(n%4 == 0 || n == kills-1)
	}
	t.Logf("measured: %d kills, each followed by a whole export", kills)
}

// orphansEnd waits for the git that a killed process leaves at work: what it
// writes after the next process has tidied up stays until the one after that.
func (w *world) orphansEnd() {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		at := ""
		programs, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil || len(programs) == 0 {
			w.t.Fatalf("no list of processes: %v", err)
		}
		for _, p := range programs {
			words, _ := os.ReadFile(p) // it may have ended meanwhile
			if strings.Contains(string(words), "git") && strings.Contains(string(words), w.dir) {
				at = strings.ReplaceAll(string(words), "\x00", " ")
			} else if cwd, _ := os.Readlink(filepath.Join(filepath.Dir(p), "cwd")); strings.HasPrefix(cwd, w.dir+"/") {
				at = cwd
			}
		}
		if at == "" {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("still at work: %s", at)
		}
	}
}

// revived opens the directory as the next process does, and wants a whole
// export; closely, it compares a clone as well.
func (w *world) revived(closely bool) {
	w.t.Helper()
	pool, err := content.NewPool(content.Options{Dir: w.dir, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	git, err := gitrepo.Find()
	if err != nil {
		w.t.Fatal(err)
	}
	next := *w
	service := *w.Service
	next.Service, service.content = &service, pool
	service.exports = NewExporter(ExportOptions{Content: pool, Git: git, Dir: w.dir, Log: slog.New(slog.DiscardHandler)})
	defer func() {
		service.exports.Close()
		if err := pool.Close(); err != nil {
			w.t.Error(err)
		}
	}()
	if closely {
		next.exported()
	} else if _, err := service.exports.CatchUp(w.ctx, "ada"); err != nil {
		w.t.Fatal(err)
	}
	c, release, err := pool.Open(w.ctx, "ada")
	if err != nil {
		w.t.Fatal(err)
	}
	defer release()
	if _, head := c.Head(); head != runGit(w.t, next.repo(), "rev-parse", "main") {
		w.t.Errorf("the export is not at %s", head)
	}
	if s := service.exports.Stats(); s.Mismatches > 0 || s.Failures > 0 {
		w.t.Errorf("%+v", s)
	}
	service.exports.Close() // a repack that is due makes a directory of its own meanwhile
	left, err := filepath.Glob(filepath.Join(w.dir, "ada", "repo-*"))
	if err = errors.Join(err); err != nil || len(left) != 1 {
		w.t.Errorf("%v are left: %v", left, err)
	}
}
