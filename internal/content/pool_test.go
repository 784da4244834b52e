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

// TestDeletedWiki: who holds a wiki that is deleted can neither read nor write
// it, and does no harm to one that is made in its place.
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
		t.Errorf("what was derived is still there: %v", err)
	}
	if err := p.Delete(t.Context(), "never-was"); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
	if err := p.Delete(t.Context(), ".scratch"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("deleting no wiki: %v", err)
	}
}

// TestReplacedWiki: another database takes the place of a wiki's own at once and
// whole, what was there is set aside, and who holds the old one does the new one
// no harm. A file that is not whole changes nothing.
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
			t.Errorf("%s took the place of a wiki", what)
		}
	}
	if _, err := replace("bob", whole); err == nil {
		t.Error("ada's database took the place of bob's")
	}
	if got := text(t, before, "Home.md"); got != "later\n" {
		t.Errorf("after what failed it says %q", got)
	}

	aside, err := replace("ada", whole)
	if err != nil {
		t.Fatal(err)
	}
	after := open(t, p, "ada")
	if _, err := do(before, ada, add("Home.md", "ghost\n")); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a save to the one before: %v", err)
	}
	if got := text(t, after, "Home.md"); got != "as it was\n" {
		t.Errorf("it says %q", got)
	}
	if _, _, err := after.Read(t.Context(), "Secret.md"); !errors.Is(err, wiki.ErrTakenDown) {
		t.Errorf("what was prepared: %v", err)
	}
	must(t, after, ada, add("Next.md", "on it goes\n"))
	if facts, err := CheckFile(t.Context(), copied, "ada"); err != nil || facts.Head != head {
		t.Errorf("%+v, %v", facts, err)
	}
	if _, err := os.Stat(filepath.Join(aside, "wiki.db")); err != nil {
		t.Errorf("what was there: %v", err)
	}

	// Where there is nothing, nothing is set aside; a wiki that is deleted leaves
	// nothing.
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
		t.Errorf("what was set aside of a deleted wiki: %v", err)
	}
}

// TestHalfMadeWikis: what a process left behind that was killed while it made or
// deleted a wiki is gone with the next start.
func TestHalfMadeWikis(t *testing.T) {
	dir := t.TempDir()
	p := openPool(t, dir, time.Now)
	half := filepath.Join(p.scratch(), "ada-1")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "wiki.db"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bob"), 0o700); err != nil { // as an older start left it
		t.Fatal(err)
	}
	p.Close()
	p = openPool(t, dir, time.Now)
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half-made wiki is still there: %v", err)
	}
	if _, _, err := p.Open(t.Context(), "bob"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("an empty directory opens: %v", err)
	}
	create(t, p, "ada", "bob")
	must(t, open(t, p, "bob"), ada, add("Home.md", "bob\n"))
}

// TestPoolUnderLoad: many users of more wikis than may be open.
func TestPoolUnderLoad(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	p.o.MaxOpen = 3
	const wikis, users, each = 8, 12, 30
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
					ctx = gone // whoever waits with this one must not suffer
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
		t.Errorf("%d wikis stay open", len(p.open))
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
		t.Error("a save after the pool was closed is acknowledged")
	}
	if _, _, err := p.Open(t.Context(), "ada"); err == nil {
		t.Error("a closed pool opens wikis")
	}
}

// TestDamagedStorage: damage is told apart from absence, and can be deleted.
func TestDamagedStorage(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	create(t, p, "ada", "bob")
	w := open(t, p, "ada")
	must(t, w, ada, add("Home.md", "a page of some length, so that it has something to lose\n"))
	blob, err := w.Lookup(t.Context(), "Home.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.Exec("UPDATE blobs SET data = substr(data, 1, 12) || x'ff' || substr(data, 14)"); err != nil {
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

// TestPanicRollsBack: a panic in the middle of a commit leaves nothing of it, and
// the next writer is not kept waiting.
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

// TestCancelledWriter: who gives up before their turn has written nothing.
func TestCancelledWriter(t *testing.T) {
	w := newWiki(t, time.Now)
	request := Request{Author: ada, Limits: wiki.DefaultLimits, Edits: []Edit{add("A.md", "a\n")}}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Commit(gone, request); !errors.Is(err, context.Canceled) {
		t.Errorf("a commit of somebody who is gone: %v", err)
	}
	w.writeLock <- struct{}{} // somebody writes
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

// TestStartOpensNothing: a start does not depend on how many wikis there are.
func TestStartOpensNothing(t *testing.T) {
	dir := t.TempDir()
	for n := range 1000 {
		if err := os.Mkdir(filepath.Join(dir, fmt.Sprintf("wiki-%d", n)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("wiki-%d", n), "wiki.db"), []byte("not a database: who opens it fails"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	p := openPool(t, dir, time.Now)
	took := time.Since(began)
	t.Logf("measured: a start beside 1,000 wikis takes %v", took)
	if len(p.open) != 0 || took > time.Second {
		t.Errorf("%d wikis are open after a start of %v", len(p.open), took)
	}
}

// The head of an open wiki is known without opening it, and who asks for it
// keeps the wiki open.
func TestHeadOfThePool(t *testing.T) {
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
		if got, ok := p.Head(slug); got != seq || ok != open {
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
	known("ada", 1, true) // so bob is the one that nobody asked for lately
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
