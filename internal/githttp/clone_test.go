package githttp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"robot.wtf/internal/slow"
)

// Clones, pulls, shallow and partial clones and single branches work in every
// protocol version, are complete, and have the ids that the service showed.
func TestClone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for i := range 5 {
		w.save("ada", "Größe/Ü", fmt.Sprint("text ", i, "\n"))
	}
	versions := []string{"2"}
	if slow.Enabled() {
		versions = append(versions, "1") // is answered as version 0
	}
	if os.Getenv("ROBOT_LONG") != "" {
		versions = append(versions, "0")
	}
	for _, version := range versions {
		dir := t.TempDir()
		git := func(args ...string) string {
			t.Helper()
			return w.must(dir, append([]string{"-c", "protocol.version=" + version}, args...)...)
		}
		count := func(clone string) string { return git("-C", clone, "rev-list", "--count", "HEAD") }
		last := w.save("ada", "Home", "before the clone, "+version+"\n")
		git("clone", "-q", w.url("ada", ""), "whole")
		if got := git("-C", "whole", "rev-parse", "HEAD"); got != last.Commit {
			t.Errorf("version %s: the clone is at %s, want %s", version, got, last.Commit)
		}
		git("clone", "-q", "--depth", "1", w.url("ada", ""), "shallow")
		if got := count("shallow"); got != "1" {
			t.Errorf("version %s: a shallow clone has %s commits", version, got)
		}
		git("clone", "-q", "--filter=blob:none", w.url("ada", ""), "partial")
		if got := git("-C", "partial", "rev-list", "--objects", "--missing=print", "HEAD"); !strings.Contains(got, "\n?") {
			t.Errorf("version %s: a partial clone has everything", version)
		}
		git("clone", "-q", "--single-branch", w.url("ada", ""), "single")

		// The next pull brings new saves, and what a shallow or partial clone left out.
		for i := range 3 {
			last = w.save("ada", "Home", fmt.Sprint("after the clone, ", version, i, "\n"))
		}
		for _, clone := range []string{"whole", "shallow", "partial", "single"} {
			git("-C", clone, "pull", "-q", "--ff-only")
			if got := git("-C", clone, "rev-parse", "HEAD"); got != last.Commit {
				t.Errorf("version %s: %s is at %s after a pull, want %s", version, clone, got, last.Commit)
			}
		}
		git("-C", "partial", "log", "-p")
		git("-C", "shallow", "fetch", "-q", "--unshallow")
		if count("shallow") != count("whole") {
			t.Errorf("version %s: %s commits and %s", version, count("shallow"), count("whole"))
		}
		for _, clone := range []string{"whole", "shallow", "single"} {
			if said := git("-C", clone, "fsck", "--strict"); said != "" {
				t.Errorf("version %s: fsck of %s: %s", version, clone, said)
			}
		}
	}
}

// A fetch whose request is so long that git compresses it and sends it in several
// rounds: commits that the server has never seen.
func TestFetchWithManyHaves(t *testing.T) {
	t.Parallel()
	commits := 1000
	if os.Getenv("ROBOT_LONG") != "" {
		commits = 3000
	}
	w := newWorld(t, nil)
	versions := []string{"2"}
	if slow.Enabled() {
		versions = append(versions, "0")
	}
	for _, version := range versions {
		dir := t.TempDir()
		w.must(dir, "clone", "-q", w.url("ada", ""), "clone")
		tip := w.must(filepath.Join(dir, "clone"), "rev-parse", "HEAD")
		var in strings.Builder
		for i := range commits {
			from := ""
			if i == 0 {
				from = "from " + tip + "\n"
			}
			fmt.Fprintf(&in, "commit refs/heads/main\ncommitter x <x> %d +0000\ndata 2\n%02d%s\n", 1_900_000_000+i, i%100, "\n"+from)
		}
		w.feed(filepath.Join(dir, "clone"), in.String(), "fast-import", "--quiet")
		last := w.save("ada", "Home", "another text for version "+version+"\n")
		w.must(filepath.Join(dir, "clone"), "-c", "protocol.version="+version, "fetch", "-q")
		if got := w.must(filepath.Join(dir, "clone"), "rev-parse", "origin/main"); got != last.Commit {
			t.Errorf("version %s: fetched %s, want %s", version, got, last.Commit)
		}
	}
}

// A peak holds the maxima of this process's heap and of the git processes in a
// directory.
type peak struct {
	heap, processes int64 // bytes
	count           int   // of upload-pack processes
}

// peakOf measures while a function runs.
func peakOf(dir string, do func()) (p peak) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	done := make(chan bool)
	go func() {
		do()
		close(done)
	}()
	runtime.GC()
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		p.heap = max(p.heap, int64(m.HeapAlloc))
		bytes, count := gitsIn(dir)
		p.processes, p.count = max(p.processes, bytes), max(p.count, count)
		select {
		case <-done:
			return p
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// gitsIn finds git processes working below a directory. It returns their own
// memory (proc(5): resident minus shared, such as packs), and how many of them are
// upload-pack.
func gitsIn(dir string) (bytes int64, count int) {
	found, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, cwd := range found {
		at, err := os.Readlink(cwd)
		if err != nil || !strings.HasPrefix(at, dir) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(cwd), "cmdline"))
		statm, _ := os.ReadFile(filepath.Join(filepath.Dir(cwd), "statm"))
		var size, resident, shared int64
		fmt.Sscan(string(statm), &size, &resident, &shared)
		bytes += (resident - shared) * int64(os.Getpagesize())
		if strings.Contains(string(line), "\x00upload-pack\x00") {
			count++
		}
	}
	return bytes, count
}

// 16 concurrent clones need little more memory than one: a buffer each in the
// service, and no more processes than a wiki's slots and the children of those
// processes.
func TestManyClonesAtOnce(t *testing.T) {
	slow.Test(t)
	t.Parallel()
	w := newWorld(t, nil)
	pages := 12 // 2.3 MB a clone
	if os.Getenv("ROBOT_LONG") != "" {
		pages = 20
	}
	w.fill("ada", pages)
	for protocol, byGit := range map[string]bool{"0": true, "2": false} {
		t.Run("protocol "+protocol, func(t *testing.T) { manyClonesAtOnce(t, w, protocol, pages, byGit) })
	}
}

func manyClonesAtOnce(t *testing.T, w *world, protocol string, pages int, byGit bool) {
	dir := t.TempDir()
	w.must(dir, "clone", "-q", "--bare", w.url("ada", ""), "whole") // creates the export
	head := w.must(filepath.Join(dir, "whole"), "rev-parse", "HEAD")
	clones := func(n int) func() {
		return func() {
			var all sync.WaitGroup
			for range n {
				all.Go(func() { w.fetchAll(protocol, head, int64(pages)*190_000) })
			}
			all.Wait()
		}
	}
	one := peakOf(w.dir, func() {
		for range 8 { // one is over too soon to be seen for certain
			clones(1)()
		}
	})
	many := peakOf(w.dir, clones(16))
	t.Logf("one clone: %+v, 16: %+v", one, many)
	if seen := one.processes > 0 && one.count > 0; seen != byGit {
		t.Fatalf("saw a process: %v", seen)
	}
	if more := many.heap - one.heap; more > 24<<20 {
		t.Errorf("16 clones take %d bytes more in the service than one, which takes %d", more, one.heap)
	}
	if many.count > 2*wikiSlots { // some end and others start while we count
		t.Errorf("%d concurrent processes", many.count)
	}
	if many.processes > 2*wikiSlots*one.processes {
		t.Errorf("the processes take %d bytes, one clone's %d", many.processes, one.processes)
	}
}

// fetchAll requests a whole clone as git does, and expects a pack of at least some
// bytes. It costs less than git, which checks the pack, and keeps nothing in memory.
func (w *world) fetchAll(protocol, head string, atLeast int64) {
	request, gitProtocol := "0032want "+head+"\n00000009done\n", ""
	if protocol == "2" {
		request, gitProtocol = "0011command=fetch0001000dofs-delta0032want "+head+"\n0009done\n0000", "version=2"
	}
	r, err := http.NewRequest("POST", "http://127.0.0.1:"+w.port+"/repo.git/git-upload-pack", strings.NewReader(request))
	if err != nil {
		w.T.Error(err)
		return
	}
	r.Host = "ada.robot.localhost:" + w.port
	r.Header.Set("Content-Type", wantType)
	r.Header.Set("Git-Protocol", gitProtocol)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.T.Error(err)
		return
	}
	defer answer.Body.Close()
	start := make([]byte, 100)
	_, err = io.ReadFull(answer.Body, start)
	rest, err2 := io.Copy(io.Discard, answer.Body)
	if err := errors.Join(err, err2); err != nil || answer.StatusCode != 200 || !bytes.Contains(start, []byte("PACK")) || rest < atLeast {
		w.T.Errorf("protocol %s: %d, %d bytes, %v: %q", protocol, answer.StatusCode, rest, err, start)
	}
}

// A clone by a slow client continues while the repository is repacked and
// extended, and is complete.
func TestCloneDuringRepack(t *testing.T) {
	t.Parallel()
	for protocol, processes := range map[string]int{"0": 1, "2": 0} {
		if protocol == "0" && !slow.Enabled() {
			continue
		}
		t.Run("protocol "+protocol, func(t *testing.T) { cloneDuringRepack(t, protocol, processes) })
	}
}

func cloneDuringRepack(t *testing.T, protocol string, processes int) {
	w := newWorld(t, nil)
	w.fill("ada", 10)                 // twice the size of the buffers in between
	w.door.spools.process = time.Hour // no spilling, so the process reads its packs after they were replaced
	held, goOn := make(chan bool), make(chan bool)
	port := w.slowly(256<<10, held, goOn)
	dir := t.TempDir()
	cloned := make(chan error, 1)
	go func() {
		out, err := w.git(dir, "-c", "protocol.version="+protocol, "clone", "-q", strings.Replace(w.url("ada", ""), w.port, port, 1), "clone")
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
		cloned <- err
	}()
	select {
	case <-held:
	case err := <-cloned:
		t.Fatalf("the clone was not held back: %v", err)
	}
	head := w.must(t.TempDir(), "ls-remote", w.url("ada", ""), "main")
	packs := func() []string {
		files, err := filepath.Glob(filepath.Join(w.dir, "ada", "repo.git", "objects", "pack", "*.pack"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	before := packs()
	for i := range 2 {
		w.save("ada", "Home", fmt.Sprint("meanwhile ", i, "\n"))
		if _, err := w.Mirror.CatchUp(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		if err := w.Mirror.Repack(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
	}
	if after := packs(); slices.ContainsFunc(after, func(name string) bool { return slices.Contains(before, name) }) {
		t.Errorf("packs are unchanged: %q", after)
	}
	if _, count := gitsIn(w.dir); count != processes {
		t.Errorf("%d processes are running after the repacks", count)
	}
	close(goOn)
	if err := <-cloned; err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(dir, "clone")
	if got := w.must(clone, "rev-parse", "HEAD"); !strings.HasPrefix(head, got) {
		t.Errorf("the clone is at %s, want %s", got, head)
	}
	if said := w.must(clone, "fsck", "--strict", "--full"); said != "" {
		t.Errorf("fsck: %s", said)
	}
	w.must(clone, "pull", "-q", "--ff-only", w.url("ada", ""), "main")
	if said := w.must(clone, "fsck", "--strict", "--full"); said != "" {
		t.Errorf("fsck after a pull: %s", said)
	}
}

// slowly returns a port that forwards to the server, but stops each response after
// some bytes until it is released.
func (w *world) slowly(after int64, held chan<- bool, goOn <-chan bool) (port string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.T.Fatal(err)
	}
	w.T.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", "127.0.0.1:"+w.port)
			if err != nil {
				client.Close()
				continue
			}
			server.(*net.TCPConn).SetReadBuffer(64 << 10)
			go func() {
				io.Copy(server, client)
				server.(*net.TCPConn).CloseWrite()
			}()
			go func() {
				defer client.Close()
				defer server.Close()
				if n, _ := io.CopyN(client, server, after); n == after {
					close(held)
					<-goOn
				}
				io.Copy(client, server)
			}()
		}
	}()
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port
}

// A private wiki accepts its members' tokens, as the password of any user or as
// Bearer. A public one never asks.
func TestWhoMayClone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, tt := range []struct {
		slug, token string
		ok          bool
	}{
		{"ada", "none", true},
		{"ada", "ada/viewer", true},
		{"bob", "none", false},
		{"bob", "wrong", false},
		{"bob", "ada/owner", false}, // of another wiki
		{"bob", "bob/owner", true},
		{"bob", "bob/viewer", true},
		{"missing", "none", false},
		{"missing", "bob/owner", false},
	} {
		token := w.Tokens[tt.token]
		ways := [][]string{{"clone", "-q", w.url(tt.slug, "")}}
		if token != "" {
			ways = [][]string{
				{"clone", "-q", w.url(tt.slug, "x:"+token+"@")},
				{"clone", "-q", w.url(tt.slug, "git:"+token+"@")},
				{"-c", "http.extraHeader=Authorization: Bearer " + token, "clone", "-q", w.url(tt.slug, "")},
			}
			if tt.slug != "bob" { // one way is enough
				ways = ways[:1]
			}
		}
		for i, way := range ways {
			out, err := w.git(t.TempDir(), append(way, "clone")...)
			if (err == nil) != tt.ok {
				t.Errorf("%s with %s, way %d: %v\n%s", tt.slug, tt.token, i, err, out)
			}
			if strings.Contains(out, canary) {
				t.Errorf("%s with %s: leaked the canary", tt.slug, tt.token)
			}
		}
	}
}

// A refused push shows why, in git's output.
func TestPushIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	dir := t.TempDir()
	for _, url := range []string{w.url("ada", ""), w.url("bob", "x:"+w.Tokens["bob/owner"]+"@")} {
		clone := filepath.Join(dir, "clone"+fmt.Sprint(len(url)))
		w.must(dir, "clone", "-q", url, clone)
		w.must(clone, "commit", "-q", "--allow-empty", "-m", "mine")
		out, err := w.git(clone, "push")
		if err == nil || !strings.Contains(out, "doesn't accept pushes") || !strings.Contains(out, "/api/v1/pages/{page}") {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// Git without the smart protocol, and people with a browser, get an explanation.
func TestDumbProtocol(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, path := range []string{"/repo.git", "/repo.git/", "/repo.git/HEAD", "/repo.git/info/refs", "/repo.git/objects/info/packs", "/repo.git/config", "/repo.git/objects/pack/pack-1234.pack"} {
		r := w.send("GET", "ada", path, nil)
		if r.status != 404 || !strings.Contains(r.text, "git clone "+w.url("ada", "")+" ada\n") || r.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %s", path, r.status, r.text)
		}
	}
}
