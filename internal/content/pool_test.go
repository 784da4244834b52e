package content

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

func open(t testing.TB, p *Pool, slug string) *Wiki {
	t.Helper()
	w, release, err := p.Open(t.Context(), slug)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return w
}

func create(t testing.TB, p *Pool, slugs ...string) {
	t.Helper()
	for _, slug := range slugs {
		if err := p.Create(t.Context(), slug); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeletedWiki: a *Wiki that is open when its wiki is deleted can neither read nor
// write, and doesn't harm a new wiki with the same slug.
func TestDeletedWiki(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	create(t, p, "ada")
	old := open(t, p, "ada")
	must(t, old, ada, add("Home.md", "old\n"))
	derived := filepath.Join(p.o.Dir, "ada", "index.db")
	if err := os.WriteFile(derived, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Delete(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	create(t, p, "ada")
	w := open(t, p, "ada")
	for range 2 {
		if _, err := do(old, ada, add("Home.md", "ghost\n")); !errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("a save to a deleted wiki: %v", err)
		}
		if _, _, err := old.Read(t.Context(), "Home.md"); !errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("reading a deleted wiki: %v", err)
		}
		must(t, w, ada, add("Home.md", "new\n"))
		must(t, w, ada, add("Home.md", "newer\n"))
	}
	if got := text(t, w, "Home.md"); got != "newer\n" {
		t.Errorf("the new wiki says %q", got)
	}
	if _, err := os.Stat(derived); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a derived file still exists: %v", err)
	}
	if err := p.Delete(t.Context(), "never-was"); err != nil {
		t.Errorf("deleting a wiki that doesn't exist: %v", err)
	}
	if err := p.Delete(t.Context(), ".scratch"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("deleting the scratch directory: %v", err)
	}
}

// TestReplacedWiki: a wiki's database is replaced atomically and set aside, and a
// *Wiki of the old one doesn't harm the new one. A damaged file changes nothing.
func TestReplacedWiki(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	create(t, p, "ada", "bob")
	before := open(t, p, "ada")
	must(t, before, ada, add("Home.md", "as it was\n"))
	must(t, before, ada, add("Secret.md", "not to be shown\n"))
	_, head := before.Head()
	must(t, open(t, p, "bob"), ada, add("Home.md", "bob's\n"))
	copied := filepath.Join(t.TempDir(), "copy.db")
	if _, err := before.db.Exec("VACUUM INTO $1", copied); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	must(t, before, ada, add("Home.md", "later\n"))

	replace := func(slug string, file []byte) (string, error) {
		facts, aside, err := p.Replace(t.Context(), slug, bytes.NewReader(file), func(w *Wiki) error {
			return w.TakeDown(t.Context(), "Secret.md", "a court")
		})
		if err == nil && facts.Head != head {
			t.Errorf("its head is %s, was %s", facts.Head, head)
		}
		return aside, err
	}
	for what, file := range map[string][]byte{"half a file": whole[:len(whole)/2], "no database": []byte("text"), "nothing": nil} {
		if _, err := replace("ada", file); err == nil {
			t.Errorf("%s replaced a wiki", what)
		}
	}
	if _, err := replace("bob", whole); err == nil {
		t.Error("ada's database replaced bob's")
	}
	if got := text(t, before, "Home.md"); got != "later\n" {
		t.Errorf("after failed replacements it has %q", got)
	}

	aside, err := replace("ada", whole)
	if err != nil {
		t.Fatal(err)
	}
	after := open(t, p, "ada")
	if _, err := do(before, ada, add("Home.md", "ghost\n")); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a save to the old wiki: %v", err)
	}
	if got := text(t, after, "Home.md"); got != "as it was\n" {
		t.Errorf("it has %q", got)
	}
	if _, _, err := after.Read(t.Context(), "Secret.md"); !errors.Is(err, wiki.ErrTakenDown) {
		t.Errorf("the page that prepare took down: %v", err)
	}
	must(t, after, ada, add("Next.md", "on it goes\n"))
	if facts, err := CheckFile(t.Context(), copied, "ada"); err != nil || facts.Head != head {
		t.Errorf("%+v, %v", facts, err)
	}
	if _, err := os.Stat(filepath.Join(aside, "wiki.db")); err != nil {
		t.Errorf("the old database: %v", err)
	}

	// If there is no directory, nothing is set aside. Delete removes anything set
	// aside before.
	if err := os.RemoveAll(p.dir("ada")); err != nil {
		t.Fatal(err)
	}
	if aside, err := replace("ada", whole); err != nil || aside != "" {
		t.Errorf("a lost wiki: %q, %v", aside, err)
	}
	if err := p.Delete(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(aside); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a deleted wiki's old directory: %v", err)
	}
}

// TestIncompleteWikis: the next start removes what a process left behind that was
// killed while it created or deleted a wiki.
func TestIncompleteWikis(t *testing.T) {
	dir := t.TempDir()
	p := openPool(t, dir, time.Now)
	half := filepath.Join(p.scratch(), "ada-1")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "wiki.db"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bob"), 0o700); err != nil { // left by a killed process
		t.Fatal(err)
	}
	p.Close()
	p = openPool(t, dir, time.Now)
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the incomplete wiki still exists: %v", err)
	}
	if _, _, err := p.Open(t.Context(), "bob"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("an empty directory opens: %v", err)
	}
	create(t, p, "ada", "bob")
	must(t, open(t, p, "bob"), ada, add("Home.md", "bob\n"))
}

// TestPoolUnderLoad: many users of more wikis than can be open at once.
func TestPoolUnderLoad(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	p.o.MaxOpen = 3
	const wikis, users, each = 8, 12, 15
	for n := range wikis {
		create(t, p, fmt.Sprintf("wiki-%d", n))
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	var wg sync.WaitGroup
	saved := make([][wikis]int, users)
	for n := range users {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 3))
			for k := range each {
				at := r.IntN(wikis)
				ctx := context.Background()
				if r.IntN(10) == 0 {
					ctx = gone // must not affect others that wait for the same wiki
				}
				w, release, err := p.Open(ctx, fmt.Sprintf("wiki-%d", at))
				if errors.Is(err, context.Canceled) {
					continue
				}
				if err != nil {
					t.Error(err)
					continue
				}
				if _, err := do(w, ada, add(fmt.Sprintf("U%d_%d.md", n, k), "x\n")); err != nil {
					t.Error(err)
				} else {
					saved[n][at]++
				}
				release()
			}
		})
	}
	wg.Wait()
	p.mu.Lock()
	if len(p.open) > 3 {
		t.Errorf("%d wikis are open", len(p.open))
	}
	p.mu.Unlock()
	for at := range wikis {
		want := int64(0)
		for n := range users {
			want += int64(saved[n][at])
		}
		if seq, _ := open(t, p, fmt.Sprintf("wiki-%d", at)).Head(); seq != want {
			t.Errorf("wiki %d has %d commits, %d were acknowledged", at, seq, want)
		}
	}
}

func TestClosedPool(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	create(t, p, "ada")
	w := open(t, p, "ada")
	must(t, w, ada, add("Home.md", "x\n"))
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := do(w, ada, add("Home.md", "y\n")); err == nil {
		t.Error("a save succeeded after the pool was closed")
	}
	if _, _, err := p.Open(t.Context(), "ada"); err == nil {
		t.Error("a closed pool opens wikis")
	}
}

// TestDamagedStorage: a damaged wiki isn't reported as missing, and can be deleted.
func TestDamagedStorage(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	create(t, p, "ada", "bob")
	w := open(t, p, "ada")
	must(t, w, ada, add("Home.md", "a page of some length, so that it has something to lose\n"))
	blob, err := w.Lookup(t.Context(), "Home.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.Exec("UPDATE commits SET data = substr(data, 1, 12) || x'ff' || substr(data, 14)"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Blob(t.Context(), blob.Blob); !errors.Is(err, wiki.ErrStorage) {
		t.Errorf("a damaged blob: %v", err)
	}
	if err := os.WriteFile(p.file("bob"), []byte("this is no database, though it is long enough to be one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Open(t.Context(), "bob"); !errors.Is(err, wiki.ErrStorage) {
		t.Errorf("a damaged database: %v", err)
	}
	if err := p.Delete(t.Context(), "bob"); err != nil {
		t.Errorf("deleting a damaged wiki: %v", err)
	}
	create(t, p, "bob")
}

// TestPanicRollsBack: a panic during a commit leaves no trace of it and releases the
// write lock.
func TestPanicRollsBack(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	create(t, p, "ada")
	w := open(t, p, "ada")
	must(t, w, ada, add("A.md", "a\n"))
	find := p.o.Links
	p.o.Links = func(page wiki.PageName, source []byte) []wiki.Link {
		if page == "B" {
			panic("links")
		}
		return find(page, source)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		do(w, ada, add("New.md", "n\n"), move("A.md", "B.md"))
	}()
	if names, err := w.Names(t.Context()); err != nil || len(names) != 1 {
		t.Errorf("after a panic: %q, %v", names, err)
	}
	r := must(t, w, ada, add("C.md", "c\n"))
	if r.Commit.Seq != 2 {
		t.Errorf("the next commit is number %d", r.Commit.Seq)
	}
	compareWithGit(t, w)
}

// TestCancelledWriter: a writer whose context ends before it gets the write lock
// writes nothing.
func TestCancelledWriter(t *testing.T) {
	w := newWiki(t, time.Now)
	request := Request{Author: ada, Limits: wiki.DefaultLimits, Edits: []Edit{add("A.md", "a\n")}}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Commit(gone, request); !errors.Is(err, context.Canceled) {
		t.Errorf("a commit with a canceled context: %v", err)
	}
	w.writeLock <- struct{}{} // another writer
	brief, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := w.Commit(brief, request); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a commit that waits too long: %v", err)
	}
	<-w.writeLock
	if seq, _ := w.Head(); seq != 0 {
		t.Errorf("the head is %d", seq)
	}
	must(t, w, ada, request.Edits...)
}

// TestStartOpensNothing: the time to start doesn't depend on the number of wikis.
func TestStartOpensNothing(t *testing.T) {
	dir := t.TempDir()
	for n := range 1000 {
		if err := os.Mkdir(filepath.Join(dir, fmt.Sprintf("wiki-%d", n)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("wiki-%d", n), "wiki.db"), []byte("not a database: opening it fails"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	p := openPool(t, dir, time.Now)
	t.Logf("measured: a start beside 1,000 wikis takes %v", time.Since(began))
	if len(p.open) != 0 {
		t.Errorf("%d wikis are open after a start", len(p.open))
	}
}

// Pool.Head knows the head of an open wiki without opening it, and counts as a use
// of the wiki.
func TestPoolHead(t *testing.T) {
	p, err := NewPool(Options{Dir: t.TempDir(), MaxOpen: 2})
	if err != nil {
		t.Fatal(err)
	}
	use := func(slug string, with func(*Wiki)) {
		t.Helper()
		w, release, err := p.Open(t.Context(), slug)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		with(w)
	}
	known := func(slug string, seq int64, open bool) {
		t.Helper()
		if got, _, ok := p.Head(slug); got != seq || ok != open {
			t.Errorf("%s is at %d, open %v; want %d, %v", slug, got, ok, seq, open)
		}
	}
	for _, slug := range []string{"ada", "bob", "cleo"} {
		if err := p.Create(t.Context(), slug); err != nil {
			t.Fatal(err)
		}
		known(slug, 0, false)
	}
	use("ada", func(w *Wiki) {
		known("ada", 0, true)
		must(t, w, ada, Edit{Op: Put, Path: "A.md", Data: []byte("a"), Base: BaseNone})
		known("ada", 1, true)
	})
	use("bob", func(*Wiki) {})
	known("ada", 1, true) // so bob is the least recently used
	use("cleo", func(*Wiki) {})
	known("ada", 1, true)
	known("bob", 0, false)
	if err := p.Delete(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	known("ada", 0, false)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	known("cleo", 0, false)
}
