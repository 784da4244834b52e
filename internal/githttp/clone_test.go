package githttp

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
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

func TestManyClonesAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 20 {
		w.save("ada", "Home", strings.Repeat(fmt.Sprint(i, " "), 5000))
	}
	dir := t.TempDir()
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if out, err := w.git(dir, "clone", "-q", w.url("ada", ""), fmt.Sprint(i)); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	all.Wait()
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
