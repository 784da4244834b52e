package githttp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"robot.wtf/internal/gitrepo"
)

// A pull with nothing to fetch starts no process; one after a save sees it.
func TestRefsAreKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	clone := t.TempDir()
	w.must("", "clone", "-q", w.url("ada", ""), clone)
	before := w.must(clone, "rev-parse", "HEAD")

	take := func() (release []func()) { // takes all of the wiki's slots
		for range wikiSlots {
			r, err := w.door.acquireProcess(t.Context(), "ada")
			if err != nil {
				t.Fatal(err)
			}
			release = append(release, r)
		}
		return release
	}
	release := take()
	w.must(clone, "pull", "-q")
	if out := w.must("", "ls-remote", w.url("ada", ""), "HEAD"); !strings.HasPrefix(out, before) {
		t.Errorf("HEAD is %q, want %s", out, before)
	}
	for _, r := range release {
		r()
	}

	w.save("ada", "Later", "text\n")
	w.must(clone, "pull", "-q")
	_, head := w.head("ada")
	if got := w.must(clone, "rev-parse", "HEAD"); got != head || got == before {
		t.Errorf("after a save, pull leads to %s, want %s", got, head)
	}
}

// Our answers match git's for every request, for a wiki with tags and an empty
// one.
func TestRefsMatchGit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.must("", "clone", "-q", w.url("ada", ""), t.TempDir()) // creates the repository
	_, head := w.head("ada")
	repo, leave, err := w.Pages.Repository(t.Context(), w.Access("ada", "ada"))
	if err != nil {
		t.Fatal(err)
	}
	defer leave(false)
	dir := filepath.Join(w.dir, "ada", repo.Name())
	w.must(dir, "tag", "light", head)
	w.must(dir, "tag", "-a", "-m", "x", "heavy", head)

	empty := t.TempDir()
	w.must("", "init", "-q", "--bare", "-b", "main", empty)
	git, err := gitrepo.Find()
	if err != nil {
		t.Fatal(err)
	}
	asGit := func(repo *gitrepo.Repo, request string) string {
		var out strings.Builder
		if err := repo.UploadPack(t.Context(), gitrepo.UploadPack{Version2: true, In: strings.NewReader(request), Out: &out}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	const begin, end = "0014command=ls-refs\n0014agent=git/2.39.50016object-format=sha10001", "0000"
	arguments := []string{"0009peel\n", "000csymrefs\n", "000bunborn\n", "001bref-prefix refs/heads/\n", "0014ref-prefix HEAD\n", "001cref-prefix refs/tags/he\n", "0012ref-prefix no\n"}
	for _, of := range []*gitrepo.Repo{repo, git.Open(empty)} {
		refs, err := parseRefs([]byte(asGit(of, allRefs)))
		if err != nil {
			t.Fatal(err)
		}
		for choice := range 1 << len(arguments) {
			request := begin
			for i, argument := range arguments {
				if choice>>i&1 == 1 {
					request += argument
				}
			}
			request += end
			asked, ok := readRefsRequest([]byte(request))
			if !ok {
				t.Fatalf("%q was not understood", request)
			}
			if os.Getenv("ROBOT_LONG") != "" || choice%13 == 0 {
				if got, want := string(asked.format(refs)), asGit(of, request); got != want {
					t.Fatalf("%q: git answers\n%s\nand we answer\n%s", request, want, got)
				}
			}
		}
	}

	for _, request := range []string{"", "0000", "0014command=ls-refs\n", "0014command=ls-refs\n0000x", "0012command=fetch\n0000", "0014command=ls-refs\n0007x=y00010000",
		"0014command=ls-refs\n0001000bforeign0000", "0014command=ls-refs\n0002", "0014command=ls-refs\nfffe", "zzzz", "0014command=ls-refs\n000100040000", begin + strings.Repeat("0009peel\n", maxRequest/9) + end} {
		if _, ok := readRefsRequest([]byte(request)); ok {
			t.Errorf("%.60q was understood", request)
		}
	}
}

// The number of cached wikis is bounded, and none is evicted without need.
func TestKnownRefs(t *testing.T) {
	var k refsCache
	for i := range 2 * maxCacheWikis {
		k.put(fmt.Sprint("wiki-", i), refsAt{head: "x"})
		if n := len(k.wikis); n != min(i+1, maxCacheWikis) {
			t.Fatalf("%d of %d wikis are cached", n, i+1)
		}
	}
}

// git's answer to ls-refs is read as refs only if every line is one.
func TestUnreadableRefs(t *testing.T) {
	for _, answer := range []string{"", "0000x", "0008ERR\n", "0009a b\n", "0005x0000", "zzzz0000"} {
		if refs, err := parseRefs([]byte(answer)); err == nil {
			t.Errorf("%q was read as %v", answer, refs)
		}
	}
}

// Attack: a wiki with many tags, for which the service keeps many refs in memory. An
// answer too large to cache is still sent, and not cached.
func TestManyRefs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, head := w.head("ada")
	repo, leave, err := w.Pages.Repository(t.Context(), w.Access("ada", "ada"))
	if err != nil {
		t.Fatal(err)
	}
	defer leave(false)
	for i := range maxRefs / 40 {
		if err := repo.SetRef(fmt.Sprint("refs/tags/", i), head); err != nil {
			t.Fatal(err)
		}
	}
	if out := w.must("", "ls-remote", "--tags", w.url("ada", "")); strings.Count(out, head) != maxRefs/40 {
		t.Errorf("%d tags are listed", strings.Count(out, head))
	}
	if n := len(w.door.refs.get("ada").refs); n > 0 {
		t.Errorf("%d refs are cached", n)
	}
	var b boundedBuffer
	if _, err := io.Copy(&b, bytes.NewReader(make([]byte, maxRefs+1))); !errors.Is(err, errManyRefs) || len(b.text) > 0 {
		t.Errorf("%v, %d bytes", err, len(b.text))
	}
}

// head returns the number and id of a wiki's newest commit.
func (w *world) head(slug string) (int64, string) {
	w.T.Helper()
	c, release, err := w.Content.Open(w.T.Context(), slug)
	if err != nil {
		w.T.Fatal(err)
	}
	defer release()
	return c.Head()
}
