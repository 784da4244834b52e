package pages

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

// A key that was committed to a repository on several branches, imported, and then
// erased, must not be in any object of a clone.
const leakedKey = "sk-ant-0123456789abcdef"

// objectsWith lists the objects of a repository whose content contains a text.
func objectsWith(t *testing.T, repo, text string) (found []string) {
	t.Helper()
	all := runGit(t, repo, "cat-file", "--batch-all-objects", "--batch")
	for all != "" { // each is a line "ID KIND SIZE", and the content with a newline after it
		var id, kind string
		var size int
		head, rest, _ := strings.Cut(all, "\n")
		if _, err := fmt.Sscan(head, &id, &kind, &size); err != nil {
			t.Fatalf("%q: %v", head, err)
		}
		content := rest[:min(size, len(rest))] // runGit trims the last one
		if strings.Contains(content, text) {
			found = append(found, kind+" "+id)
		}
		all = rest[min(size+1, len(rest)):]
	}
	return found
}

// leakyRepo makes a repository with the key in files, names, messages, authors and
// tags, on the main branch and on others, some of them merged.
func leakyRepo(t *testing.T) string {
	t.Helper()
	repo := t.TempDir()
	run := func(args ...string) {
		runGit(t, repo, append([]string{"-c", "user.name=Jane", "-c", "user.email=jane@example.com"}, args...)...)
	}
	write := func(name, text string) {
		file := filepath.Join(repo, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		run("add", "-A")
	}
	run("init", "-q", "-b", "main")
	write("Home.md", "# Home\n")
	run("commit", "-qm", "Start")
	run("tag", "-am", "a clean tag", "clean")
	run("switch", "-qc", "side")
	write("Setup.md", "key "+leakedKey+"\n")
	run("commit", "-qm", "Add "+leakedKey)
	write("docs/"+leakedKey+".md", "named\n")
	write("docs/deep/more.md", "more\n")
	run("commit", "-qm", "Names")
	run("tag", "-am", "tag of "+leakedKey, "leaky")
	write("Setup.md", "key removed\n")
	run("commit", "-qm", "Remove the key")
	run("switch", "-q", "main")
	write("Other.md", "other\n")
	run("commit", "-qm", "Other")
	run("merge", "-q", "--no-ff", "-m", "Merge side", "side")
	run("switch", "-qc", "empty", "main")
	run("switch", "-q", "main")
	write("Main.md", "on main: "+leakedKey+"\n")
	run("commit", "-qm", "Main")
	run("-c", "user.email="+leakedKey+"@example.com", "commit", "-q", "--allow-empty", "-m", "By another author")
	return repo
}

func TestEraseFromImportedHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	source := leakyRepo(t)
	fresh := w.fresh("leaky")
	fresh.mustImport(bundleOf(t, source))
	fresh.put("After", "written here: "+leakedKey+"\n")
	count := strings.Count(runGit(t, source, "rev-list", "main"), "\n")
	before, err := fresh.Changelog(w.t.Context(), fresh.owner, LogFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.PlanErasure(w.t.Context(), fresh.owner, Erasure{Text: leakedKey}); err != nil {
		t.Fatal(err)
	}
	report, err := fresh.Erase(w.t.Context(), fresh.owner, Erasure{Text: leakedKey})
	if err != nil || report.Versions < 3 {
		t.Fatalf("%+v, %v", report, err)
	}
	repo := fresh.repo()
	if found := objectsWith(t, repo, leakedKey); len(found) > 0 {
		t.Errorf("still in %v", found)
	}
	if out := runGit(t, repo, "fsck", "--strict", "--full", "--no-dangling"); strings.Contains(out, "error") {
		t.Errorf("fsck: %s", out)
	}
	if got := strings.Count(runGit(t, repo, "rev-list", "main"), "\n"); got != count+2 { // the save and the erasure
		t.Errorf("%d commits became %d", count, got)
	}
	if got := runGit(t, repo, "rev-parse", "clean^{commit}"); got != runGit(t, source, "rev-parse", "clean^{commit}") {
		t.Error("a tag from before the leak has moved")
	}
	if got := runGit(t, repo, "show", "leaky:Setup.md"); got != "key [erased]" {
		t.Errorf("Setup.md at the tag is %q", got)
	}
	if got := runGit(t, repo, "log", "--format=%ae", "-1", "--grep=By another", "main"); strings.Contains(got, "sk-ant") {
		t.Errorf("author %q", got)
	}
	for _, was := range before {
		_, _, err := fresh.Commit(w.t.Context(), fresh.owner, was.ID)
		var gone *wiki.Problem
		if err != nil && (!errors.As(err, &gone) || gone.Kind != wiki.ErrGone || gone.DidYouMean == "") {
			t.Errorf("commit %s: %v", was.ID, err)
		}
	}
	// A second erasure works on the rewritten pack.
	if _, err := fresh.Erase(w.t.Context(), fresh.owner, Erasure{Text: "[[Nothing"}); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("erasing something else: %v", err)
	}
	if _, err := fresh.Erase(w.t.Context(), fresh.owner, Erasure{Text: "key removed"}); err != nil {
		t.Error(err)
	}
	if found := objectsWith(t, fresh.repo(), "key removed"); len(found) > 0 {
		t.Errorf("still in %v", found)
	}
}

// Trees that old programs wrote in a form of their own keep it unless they change.
func TestEraseBesideOddTrees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	fresh := w.fresh("odd")
	fresh.mustImport("testdata/odd.bundle")
	if _, err := w.mirror.CatchUp(w.t.Context(), "odd"); err != nil {
		t.Fatal(err)
	}
	shape := func() string { // of the history and its trees, without their ids
		return runGit(t, fresh.repo(), "log", "--all", "--topo-order", "--format=%an %ad %p", "--abbrev=0", "main") +
			runGit(t, fresh.repo(), "ls-tree", "-r", "-t", "--format=%(objectmode) %(path)", "main")
	}
	odd := "main~1" // the commit with an empty folder; each erasure adds a commit
	for _, text := range []string{"[[Guide]] and", "another repository", "Grüße", "Over the hedge"} {
		before := len(strings.Fields(shape()))
		_, err := fresh.Erase(w.t.Context(), fresh.owner, Erasure{Text: text})
		if err != nil && !errors.Is(err, wiki.ErrNotFound) {
			t.Fatalf("%s: %v", text, err)
		}
		if err == nil {
			odd += "~1"
		}
		if found := objectsWith(t, fresh.repo(), text); len(found) > 0 {
			t.Errorf("%q is still in %v", text, found)
		}
		if after := len(strings.Fields(shape())); after < before {
			t.Errorf("%q: the history has lost something:\n%s", text, shape())
		}
		if tree := runGit(t, fresh.repo(), "rev-parse", odd+":empty folder"); tree != "4b825dc642cb6eb9a060e54bf8d69288fbee4904" {
			t.Errorf("%q: the empty folder is %s", text, tree)
		}
	}
	runGit(t, fresh.repo(), "fsck", "--full", "--connectivity-only", "--no-dangling")
}

// Every way to read must lose the text: pages, history, search, drafts, clones.
func TestErasedTextCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	leaky := w.put("Setup", "The key is "+leakedKey+".\n")
	if _, err := w.Search(w.t.Context(), w.owner, Query{Text: "sk-ant"}); err != nil {
		t.Fatal(err)
	}
	for _, role := range []wiki.Access{w.editor, w.viewer, w.reader} {
		if _, err := w.Erase(w.t.Context(), role, Erasure{Text: leakedKey}); !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("%v can erase: %v", role.Role(), err)
		}
		if _, err := w.PlanErasure(w.t.Context(), role, Erasure{Text: leakedKey}); !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("%v can plan an erasure: %v", role.Role(), err)
		}
	}
	if _, err := w.View(w.t.Context(), w.owner, "Setup", ""); err != nil { // into the cache
		t.Fatal(err)
	}
	if _, err := w.Erase(w.t.Context(), w.owner, Erasure{Text: leakedKey}); err != nil {
		t.Fatal(err)
	}
	p, err := w.View(w.t.Context(), w.owner, "Setup", "")
	if err != nil || string(p.Source) != "The key is [erased].\n" || strings.Contains(string(p.Body), leakedKey) {
		t.Errorf("the page: %+v, %v", p, err)
	}
	found, err := w.Search(w.t.Context(), w.owner, Query{Text: "0123456789abcdef"})
	if err != nil || len(found.Hits) > 0 {
		t.Errorf("search: %+v, %v", found, err)
	}
	for _, former := range []string{leaky.Commit, leaky.Commit[:10], leaky.Revision, leaky.Revision[:10]} {
		if _, err := w.Page(w.t.Context(), w.owner, "Setup", former); !errors.Is(err, wiki.ErrGone) {
			t.Errorf("the former revision %s: %v", former, err)
		}
	}
	if found := objectsWith(t, w.repo(), leakedKey); len(found) > 0 {
		t.Errorf("the clone: %v", found)
	}
}

// One wiki's erasure doesn't block another's.
func TestErasuresAreBoundedPerWiki(t *testing.T) {
	w := newWorld(t)
	other := w.another("bob", wiki.DefaultLimits)
	release, ok := w.erasures.TryAcquire("ada")
	if !ok {
		t.Fatal("no slot")
	}
	defer release()
	if _, err := w.Erase(w.t.Context(), w.owner, Erasure{Text: leakedKey}); !errors.Is(err, wiki.ErrTooMany) {
		t.Errorf("a second erasure: %v", err)
	}
	if _, err := other.Erase(w.t.Context(), other.owner, Erasure{Text: leakedKey}); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("another wiki's erasure: %v", err)
	}
}
