package content

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"robot.wtf/internal/slow"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/wiki"
)

// The test binary is also the program that is killed or gets storage errors: a
// writer that prints acknowledged commits.
func TestMain(m *testing.M) {
	switch os.Getenv("ROBOT_TEST_WRITER") {
	case "endless":
		printSaves(1 << 30)
	case "once":
		printSaves(1)
	case "again":
		saveUntilRecovered()
	default:
		os.Exit(testdisk.Run(m))
	}
}

// printSaves saves pages in the wiki ada, three files per commit, and prints each
// acknowledged commit, or the error.
func printSaves(n int) {
	p, err := NewPool(Options{Dir: os.Getenv("ROBOT_TEST_DIR"), Now: time.Now})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	w, _, err := p.Open(context.Background(), "ada")
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	if n == 1 {
		runtime.LockOSThread() // strace counts the calls of each thread
		fmt.Println("open")
	}
	for i := range n {
		seq, _ := w.Head()
		var edits []Edit
		for k := range 3 {
			edits = append(edits, Edit{Path: fmt.Sprintf("Folder %d/Page %d.md", k, i%7), Base: BaseAny, Data: fmt.Appendf(nil, "%d %d %s\n", seq, k, strings.Repeat("text ", 500))})
		}
		r, err := do(w, ada, edits...)
		if err != nil {
			fmt.Println("error", errors.Is(err, wiki.ErrStorage), err)
			os.Exit(1)
		}
		fmt.Println("saved", r.Commit.Seq, r.Commit.ID)
	}
	os.Exit(0)
}

// saveUntilRecovered saves until a save fails, then until one succeeds again in the
// same process.
func saveUntilRecovered() {
	p, err := NewPool(Options{Dir: os.Getenv("ROBOT_TEST_DIR"), Now: time.Now})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	w, _, err := p.Open(context.Background(), "ada")
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	runtime.LockOSThread() // strace counts the calls of each thread
	fmt.Println("open")
	failed := false
	for i := 0; i < 4 || failed && i < 10; i++ {
		r, err := do(w, ada, Edit{Path: "Page.md", Base: BaseAny, Data: fmt.Appendf(nil, "%d %s\n", i, strings.Repeat("text ", 2000))})
		if err != nil {
			fmt.Println("error", errors.Is(err, wiki.ErrStorage), err)
			failed = true
			continue
		}
		fmt.Println("saved", r.Commit.Seq, r.Commit.ID)
		if failed {
			break
		}
	}
	os.Exit(0)
}

func writerCommand(dir, mode string, wrap ...string) *exec.Cmd {
	args := append(wrap, os.Args[0])
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "ROBOT_TEST_WRITER="+mode, "ROBOT_TEST_DIR="+dir)
	return cmd
}

// checkWiki checks the wiki's database, its counters, and that it has all
// acknowledged commits. It returns the seq of the head.
func checkWiki(t *testing.T, dir string, acknowledged map[int64]string) int64 {
	t.Helper()
	p, err := NewPool(Options{Dir: dir, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	w, release, err := p.Open(context.Background(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	var verdict string
	if err := w.db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity: %q, %v", verdict, err)
	}
	log, err := w.Log(t.Context(), LogFilter{Ascending: true, Limit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	head, _ := w.Head()
	if int64(len(log)) != head {
		t.Fatalf("%d commits, but the head is %d", len(log), head)
	}
	for i, c := range log {
		if id, ok := acknowledged[c.Seq]; ok && id != c.ID {
			t.Fatalf("commit %d is %s, but %s was acknowledged", c.Seq, c.ID, id)
		}
		if i > 0 && c.Parents[0] != log[i-1].ID {
			t.Fatalf("commit %d does not follow commit %d", c.Seq, log[i-1].Seq)
		}
		delete(acknowledged, c.Seq)
	}
	if len(acknowledged) > 0 {
		t.Fatalf("acknowledged saves are lost: %v", acknowledged)
	}
	files, err := w.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var counted Stats
	for _, f := range files {
		data, err := w.Blob(t.Context(), f.Blob)
		if err != nil || int64(len(data)) != f.Size {
			t.Fatalf("blob of %s: %v", f.Path, err)
		}
		counted.Files++
		counted.Pages++
		counted.CurrentBytes += f.Size
	}
	stats, err := w.Stats(t.Context())
	counted.HistoryBytes = stats.HistoryBytes
	if err != nil || stats != counted {
		t.Fatalf("counters %+v, counted %+v, %v", stats, counted, err)
	}
	return head
}

func newWikiDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	p, err := NewPool(Options{Dir: dir, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Create(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestKilledWriterLosesNothing: kill -9 at a random moment loses no acknowledged
// save, and the next start works without repair.
func TestKilledWriterLosesNothing(t *testing.T) {
	t.Parallel()
	kills := 8
	if longTests() {
		kills = 200
	}
	if testing.Short() {
		kills = 5
	}
	dir := newWikiDir(t)
	r := rand.New(rand.NewPCG(7, uint64(time.Now().UnixNano())))
	total := 0
	for range kills {
		cmd := writerCommand(dir, "endless")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged := map[int64]string{}
		lines := bufio.NewScanner(out)
		lines.Scan() // the first save
		parseSaved(t, acknowledged, lines.Text())
		time.AfterFunc(time.Duration(r.IntN(40_000))*time.Microsecond, func() { cmd.Process.Kill() })
		for lines.Scan() {
			parseSaved(t, acknowledged, lines.Text())
		}
		cmd.Wait()
		total += len(acknowledged)
		checkWiki(t, dir, acknowledged)
	}
	t.Logf("measured: %d kills, %d acknowledged saves, none lost", kills, total)
}

func parseSaved(t *testing.T, acknowledged map[int64]string, line string) {
	t.Helper()
	var seq int64
	var id string
	if n, _ := fmt.Sscanf(line, "saved %d %40s", &seq, &id); n != 2 || len(id) != 40 {
		t.Fatalf("the writer printed %q", line)
	}
	acknowledged[seq] = id
}

// TestFailingStorage makes the Nth write or sync of a save fail, for every N until
// the save succeeds (every fifth write without ROBOT_LONG). Each failure is a
// storage error and leaves an intact wiki.
func TestFailingStorage(t *testing.T) {
	t.Parallel()
	slow.Test(t)
	strace := findStrace(t)
	for _, call := range []struct {
		names, fault string
		first, step  int
	}{{"pwrite64", "ENOSPC", 1, 5}, {"pwrite64", "EIO", 3, 5}, {"fsync,fdatasync", "EIO", 1, 1}} {
		if longTests() {
			call.first, call.step = 1, 1
		}
		t.Run(call.names+" "+call.fault, func(t *testing.T) {
			t.Parallel()
			dir := newWikiDir(t)
			want := checkWiki(t, dir, nil)
			failures := 0
			for n := call.first; ; n += call.step {
				if n > 400 {
					t.Fatal("the save never succeeds")
				}
				cmd := writerCommand(dir, "once", strace, "-f", "-qq", "-o", os.DevNull, "-e", "trace="+call.names,
					"-e", fmt.Sprintf("inject=%s:error=%s:when=%d+", call.names, call.fault, n))
				out, _ := cmd.Output()
				got := string(out)
				saved := strings.Contains(got, "saved ")
				if saved {
					acknowledged := map[int64]string{}
					parseSaved(t, acknowledged, got[strings.Index(got, "saved "):])
					checkWiki(t, dir, acknowledged)
					break
				}
				if !strings.Contains(got, "error ") {
					t.Fatalf("fault %d: the writer printed %q", n, got)
				}
				if strings.HasPrefix(got, "open\n") {
					failures++
					if !strings.Contains(got, "error true ") {
						t.Errorf("fault %d: not a storage error: %q", n, got)
					}
				}
				if head := checkWiki(t, dir, map[int64]string{}); head != want {
					// The commit reached the disk although its acknowledgement
					// failed. That's allowed if the commit is complete.
					want = head
				}
			}
			if failures == 0 {
				t.Error("no save failed")
			}
			t.Logf("measured: %d failed saves", failures)
		})
	}
}

func findStrace(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("short")
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("strace is missing: apt-get install strace")
		}
		t.Skip("strace is missing: apt-get install strace")
	}
	return strace
}

// TestStorageThatRecovers makes a single write or sync fail: the writer continues in
// the same process, based on the acknowledged saves.
func TestStorageThatRecovers(t *testing.T) {
	t.Parallel()
	strace := findStrace(t)
	for _, call := range []struct {
		names      string
		last, step int
	}{{"pwrite64", 60, 23}, {"fsync,fdatasync", 8, 3}} {
		switch {
		case longTests():
			call.step = 1
		case slow.Enabled():
			call.step = min(call.step, max(1, call.last/7))
		}
		t.Run(call.names, func(t *testing.T) {
			t.Parallel()
			dir := newWikiDir(t)
			acknowledged := map[int64]string{}
			failures := 0
			for n := 1; n <= call.last; n += call.step {
				cmd := writerCommand(dir, "again", strace, "-f", "-qq", "-o", os.DevNull, "-e", "trace="+call.names,
					"-e", fmt.Sprintf("inject=%s:error=EIO:when=%d", call.names, n))
				out, _ := cmd.Output()
				failed := false
				lines := strings.Split(strings.TrimSpace(string(out)), "\n")
				for i, line := range lines {
					switch {
					case line == "open" && i == 0:
					case strings.HasPrefix(line, "error true "):
						failed = true
						failures++
					case strings.HasPrefix(line, "saved "):
						parseSaved(t, acknowledged, line)
						failed = false
					default:
						if i > 0 || !strings.HasPrefix(line, "error ") { // opening the wiki can fail
							t.Fatalf("fault %d: the writer printed %q", n, out)
						}
					}
				}
				if failed {
					t.Fatalf("fault %d: no save worked after it: %q", n, out)
				}
				checkWiki(t, dir, maps.Clone(acknowledged))
			}
			if failures == 0 {
				t.Error("no save failed")
			}
			t.Logf("measured: %d failed saves, each followed by one that worked", failures)
		})
	}
}

// TestWritersLoseNothing: concurrent writers on the same pages lose no acknowledged
// line.
func TestWritersLoseNothing(t *testing.T) {
	const writers, pages = 8, 20
	each := 30
	if longTests() {
		each = 1000
	}
	w := newWiki(t, time.Now)
	var start []string
	for n := range writers {
		start = append(start, fmt.Sprintf("## Writer %d\n\nlast %d\n\n", n, n))
	}
	for n := range pages {
		must(t, w, ada, Edit{Path: fmt.Sprintf("P%d.md", n), Data: []byte(strings.Join(start, ""))})
	}
	var wg sync.WaitGroup
	lines := make([][][]string, writers) // by writer and page
	for n := range writers {
		lines[n] = make([][]string, pages)
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 2))
			for k := range each {
				page := r.IntN(pages)
				line := fmt.Sprintf("edit %d of writer %d", k, n)
				if err := addLine(w, fmt.Sprintf("P%d.md", page), n, line); err != nil {
					t.Errorf("writer %d: %v", n, err)
					return
				}
				lines[n][page] = append(lines[n][page], line)
			}
		})
	}
	wg.Wait()
	for page := range pages {
		got := text(t, w, fmt.Sprintf("P%d.md", page))
		for n := range writers {
			for _, line := range lines[n][page] {
				if strings.Count(got, line+"\n") != 1 {
					t.Fatalf("page %d has %d times %q", page, strings.Count(got, line+"\n"), line)
				}
			}
		}
	}
	if head, _ := w.Head(); head != int64(pages+writers*each) {
		t.Errorf("head %d, want %d", head, pages+writers*each)
	}
}

// addLine adds a line to a writer's section, based on a revision that can be outdated
// by the time of the save. After a conflict it makes the same edit on the newer text.
func addLine(w *Wiki, path string, n int, line string) error {
	for {
		f, data, err := w.Read(context.Background(), path)
		if err != nil {
			return err
		}
		mark := fmt.Sprintf("last %d\n", n)
		edited := strings.Replace(string(data), mark, line+"\n"+mark, 1)
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond) // a person types: others save meanwhile
		_, err = do(w, wiki.Caller{User: wiki.User{DID: fmt.Sprintf("did:plc:%d", n), Username: fmt.Sprintf("w%d", n)}}, Edit{Path: path, Base: f.Blob, Data: []byte(edited)})
		if !errors.Is(err, wiki.ErrConflict) {
			return err
		}
	}
}
