package githttp

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Every version of the protocol clones, fetches what was saved since, shallow,
// partial and one branch; what comes is whole and has the ids that were shown.
func TestClone(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 5 {
		w.save("ada", "Größe/Ü", fmt.Sprint("text ", i, "\n"))
	}
	versions := []string{"0", "1", "2"}
	if testing.Short() {
		versions = versions[1:2] // which is answered as 0
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
			t.Errorf("version %s: the clone is at %s, not at %s", version, got, last.Commit)
		}
		git("clone", "-q", "--depth", "1", w.url("ada", ""), "shallow")
		if got := count("shallow"); got != "1" {
			t.Errorf("version %s: a shallow clone has %s commits", version, got)
		}
		git("clone", "-q", "--filter=blob:none", w.url("ada", ""), "partial")
		if got := git("-C", "partial", "rev-list", "--objects", "--missing=print", "HEAD"); !strings.Contains(got, "\n?") {
			t.Errorf("version %s: nothing is left out of a partial clone", version)
		}
		git("clone", "-q", "--single-branch", w.url("ada", ""), "single")

		// Saves come with the next pull, and with what was left out.
		for i := range 3 {
			last = w.save("ada", "Home", fmt.Sprint("after the clone, ", version, i, "\n"))
		}
		for _, clone := range []string{"whole", "shallow", "partial", "single"} {
			git("-C", clone, "pull", "-q", "--ff-only")
			if got := git("-C", clone, "rev-parse", "HEAD"); got != last.Commit {
				t.Errorf("version %s: %s is at %s after a pull, not at %s", version, clone, got, last.Commit)
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

// A fetch whose request is so long that git sends it compressed and in several
// rounds: 3,000 commits that the server has never seen.
func TestFetchWithManyHaves(t *testing.T) {
	w := newWorld(t, nil)
	for _, version := range []string{"0", "2"} {
		dir := t.TempDir()
		w.must(dir, "clone", "-q", w.url("ada", ""), "clone")
		tip := w.must(filepath.Join(dir, "clone"), "rev-parse", "HEAD")
		var in strings.Builder
		for i := range 3000 {
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
			t.Errorf("version %s: fetched %s, not %s", version, got, last.Commit)
		}
	}
}

// A peak is the most that was seen at one time, of this process's heap and of the
// git processes in a directory.
type peak struct {
	heap, processes int64 // bytes
	count           int   // of processes that answer
}

// peakOf measures while something is done.
func peakOf(dir string, do func()) (p peak) {
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

// gitsIn are the git processes that work below a directory: the memory that is
// their own (proc(5): resident without what is shared, as packs are), and how
// many are an upload-pack.
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

// 16 clones at once of some 6 MB need little more than one does: of the service
// a buffer each, and no more processes than a wiki may have, together with those
// that they start.
func TestManyClonesAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.fill("ada", 20)
	for protocol, byGit := range map[string]bool{"0": true, "2": false} {
		t.Run("protocol "+protocol, func(t *testing.T) { manyClonesAtOnce(t, w, protocol, byGit) })
	}
}

func manyClonesAtOnce(t *testing.T, w *world, protocol string, byGit bool) {
	dir := t.TempDir()
	clones := func(from, n int) func() {
		return func() {
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() {
					if out, err := w.git(dir, "-c", "protocol.version="+protocol, "clone", "-q", "--bare", w.url("ada", ""), fmt.Sprint(from+i)); err != nil {
						t.Errorf("%v\n%s", err, out)
					}
				})
			}
			all.Wait()
		}
	}
	clones(0, 1)() // the export is made
	one := peakOf(w.dir, clones(1, 1))
	many := peakOf(w.dir, clones(2, 16))
	t.Logf("one clone: %+v, 16: %+v", one, many)
	if seen := one.processes > 0 && one.count > 0; seen != byGit {
		t.Fatalf("a process was seen: %v", seen)
	}
	if more := many.heap - one.heap; more > 24<<20 {
		t.Errorf("16 clones take %d bytes more of the service than one, of %d", more, one.heap)
	}
	if many.count > 2*wikiSlots { // some end and others begin while they are counted
		t.Errorf("%d processes at once", many.count)
	}
	if many.processes > 2*wikiSlots*one.processes {
		t.Errorf("the processes take %d bytes, one clone's %d", many.processes, one.processes)
	}
}

// A clone whose client is slow goes on while the repository is repacked and
// extended, and is whole.
func TestCloneDuringRepack(t *testing.T) {
	for protocol, processes := range map[string]int{"0": 1, "2": 0} {
		t.Run("protocol "+protocol, func(t *testing.T) { cloneDuringRepack(t, protocol, processes) })
	}
}

func cloneDuringRepack(t *testing.T, protocol string, processes int) {
	w := newWorld(t, nil)
	w.fill("ada", 10)                 // twice what the buffers on the way hold
	w.door.spools.process = time.Hour // the process has all the time, so it reads its packs after they are replaced
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
		t.Fatalf("the clone was not held: %v", err)
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
	for i := range 3 {
		w.save("ada", "Home", fmt.Sprint("meanwhile ", i, "\n"))
		if _, err := w.export.CatchUp(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		if err := w.export.Repack(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
	}
	if after := packs(); slices.ContainsFunc(after, func(name string) bool { return slices.Contains(before, name) }) {
		t.Errorf("packs are as before: %q", after)
	}
	if _, count := gitsIn(w.dir); count != processes {
		t.Errorf("%d processes answer at the end of the repacks", count)
	}
	close(goOn)
	if err := <-cloned; err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(dir, "clone")
	if got := w.must(clone, "rev-parse", "HEAD"); !strings.HasPrefix(head, got) {
		t.Errorf("the clone is at %s, not at %s", got, head)
	}
	if said := w.must(clone, "fsck", "--strict", "--full"); said != "" {
		t.Errorf("fsck: %s", said)
	}
	w.must(clone, "pull", "-q", "--ff-only", w.url("ada", ""), "main")
	if said := w.must(clone, "fsck", "--strict", "--full"); said != "" {
		t.Errorf("fsck after a pull: %s", said)
	}
}

// slowly is a port that leads to the server, but holds what a connection is sent
// after some bytes until it is told to go on.
func (w *world) slowly(after int64, held chan<- bool, goOn <-chan bool) (port string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { listener.Close() })
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

// A private wiki opens for its members' tokens, as password of any user or as
// Bearer; a public one never asks.
func TestWhoMayClone(t *testing.T) {
	w := newWorld(t, nil)
	for _, tt := range []struct {
		slug, token string
		ok          bool
	}{
		{"ada", "none", true},
		{"ada", "ada/viewer", true},
		{"bob", "none", false},
		{"bob", "wrong", false},
		{"bob", "ada/owner", false}, // another wiki's
		{"bob", "bob/owner", true},
		{"bob", "bob/viewer", true},
		{"missing", "none", false},
		{"missing", "bob/owner", false},
	} {
		token := w.tokens[tt.token]
		ways := [][]string{{"clone", "-q", w.url(tt.slug, "")}}
		if token != "" {
			ways = [][]string{
				{"clone", "-q", w.url(tt.slug, "x:"+token+"@")},
				{"clone", "-q", w.url(tt.slug, "git:"+token+"@")},
				{"-c", "http.extraHeader=Authorization: Bearer " + token, "clone", "-q", w.url(tt.slug, "")},
			}
		}
		for i, way := range ways {
			out, err := w.git(t.TempDir(), append(way, "clone")...)
			if (err == nil) != tt.ok {
				t.Errorf("%s with %s, way %d: %v\n%s", tt.slug, tt.token, i, err, out)
			}
			if strings.Contains(out, canary) {
				t.Errorf("%s with %s: the canary sings", tt.slug, tt.token)
			}
		}
	}
}

// A push is told why it is refused, in git's own words.
func TestPushIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	dir := t.TempDir()
	for _, url := range []string{w.url("ada", ""), w.url("bob", "x:"+w.tokens["bob/owner"]+"@")} {
		clone := filepath.Join(dir, "clone"+fmt.Sprint(len(url)))
		w.must(dir, "clone", "-q", url, clone)
		w.must(clone, "commit", "-q", "--allow-empty", "-m", "mine")
		out, err := w.git(clone, "push")
		if err == nil || !strings.Contains(out, "takes no pushes") || !strings.Contains(out, "/api/v1/pages/{page}") {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// Git without its smart protocol, and people with a browser, are told.
func TestDumbProtocol(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"/repo.git", "/repo.git/", "/repo.git/HEAD", "/repo.git/info/refs", "/repo.git/objects/info/packs", "/repo.git/config", "/repo.git/objects/pack/pack-1234.pack"} {
		r := w.send("GET", "ada", path, nil)
		if r.status != 404 || !strings.Contains(r.text, "git clone "+w.url("ada", "")+" ada\n") || r.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %s", path, r.status, r.text)
		}
	}
}
