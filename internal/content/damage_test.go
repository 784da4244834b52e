package content

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

const damagedPages = 40

// damagedPool makes a wiki with some pages, destroys a part of its database, and
// opens it again.
func damagedPool(t *testing.T, whole []byte, page int64, size int) *Pool {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "ada", "wiki.db")
	text := bytes.Clone(whole)
	copy(text[(page-1)*int64(size):], bytes.Repeat([]byte{0xd1}, size))
	err := os.Mkdir(filepath.Dir(file), 0o700)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return openPool(t, dir, time.Now)
}

// wholeDatabase returns the bytes of a wiki's database, and the root page of each of
// its tables and indexes.
func wholeDatabase(t *testing.T) (whole []byte, roots map[string]int64, pageSize int) {
	t.Helper()
	dir := t.TempDir()
	p := openPool(t, dir, time.Now)
	w, release := createWiki(t, p)
	for i := range damagedPages {
		must(t, w, ada, Edit{Path: fmt.Sprintf("Page_%d.md", i), Data: fmt.Appendf(nil, "[[Page 0]] text %d\n", i)})
	}
	must(t, w, ada, Edit{Op: Move, Path: "Page_39.md", To: "Moved.md", Base: BaseAny}, Edit{Op: Delete, Path: "Page_38.md", Base: BaseAny})
	release()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ada", "wiki.db")
	db, err := sqlite.OpenCopy(file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	roots = map[string]int64{}
	for rows.Next() {
		var name string
		var root int64
		if err := rows.Scan(&name, &root); err != nil {
			t.Fatal(err)
		}
		roots[name] = root
	}
	if err := errors.Join(rows.Err(), db.QueryRow("PRAGMA page_size").Scan(&pageSize)); err != nil {
		t.Fatal(err)
	}
	if whole, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	return whole, roots, pageSize
}

// Damage to any one table or index hides nothing that can be read without it, and is
// reported as damage, never as absence.
func TestDamageHidesOnlyWhatItHit(t *testing.T) {
	whole, roots, size := wholeDatabase(t)
	if len(roots) < 20 {
		t.Fatalf("%d tables and indexes", len(roots))
	}
	for name, root := range roots {
		t.Run(name, func(t *testing.T) {
			p := damagedPool(t, whole, root, size)
			w, release, err := p.Open(t.Context(), "ada")
			if name == "withheld" { // without it, nobody knows what mustn't be shown
				if !errors.Is(err, wiki.ErrDamaged) || wiki.Status(err) != 503 || len(p.Damaged()) != 1 {
					t.Errorf("opened without its takedowns: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer release()
			if seq, id := w.Head(); seq != damagedPages+1 || len(id) != 40 {
				t.Errorf("head %d %q", seq, id)
			}
			names, err := w.Names(t.Context())
			if err != nil || len(names) != damagedPages-1 {
				t.Errorf("%d names: %v", len(names), err)
			}
			for i := range damagedPages - 2 {
				path, want := fmt.Sprintf("Page_%d.md", i), fmt.Sprintf("[[Page 0]] text %d\n", i)
				f, data, err := w.Read(t.Context(), path)
				if name == "commits" { // they have small texts
					if !errors.Is(err, wiki.ErrDamaged) {
						t.Errorf("%s: %q, %v", path, data, err)
					}
				} else if err != nil || string(data) != want || f.Path != path {
					t.Errorf("%s: %+v %q, %v", path, f, data, err)
				}
			}
			for _, path := range []string{"Page_38.md", "Page_39.md", "Never.md"} {
				if _, err := w.Find(t.Context(), path); !errors.Is(err, wiki.ErrNotFound) {
					t.Errorf("%s: %v", path, err)
				}
			}
			if _, err := w.LinksByKey(t.Context(), wiki.PageKeys("Page_0.md", nil)); err != nil {
				t.Errorf("links: %v", err)
			}
		})
	}
}

// Damage is listed until the wiki has an intact database.
func TestDamagedList(t *testing.T) {
	whole, roots, size := wholeDatabase(t)
	p := damagedPool(t, whole, roots["files"], size)
	if got := p.Damaged(); len(got) != 0 {
		t.Errorf("before anything was read: %v", got)
	}
	w, release, err := p.Open(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Names(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := do(w, ada, Edit{Path: "New.md", Data: []byte("x")}); !errors.Is(err, wiki.ErrDamaged) {
		t.Errorf("a save to a damaged table: %v", err)
	}
	release()
	if got := p.Damaged(); len(got) != 1 || got[0].Slug != "ada" || got[0].Missing || got[0].Err == nil {
		t.Errorf("%+v", got)
	}
	if _, _, err := p.Replace(t.Context(), "ada", bytes.NewReader(whole), func(*Wiki) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := p.Damaged(); len(got) != 0 {
		t.Errorf("after it was restored: %v", got)
	}
}

// A database that was cut off to nothing is damaged. To SQLite it is a new one, so
// migrations would succeed on it.
func TestEmptiedDatabase(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	if err := p.Create(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(p.file("ada"), 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Open(t.Context(), "ada"); !errors.Is(err, wiki.ErrDamaged) {
		t.Errorf("it was opened: %v", err)
	}
	if info, err := os.Stat(p.file("ada")); err != nil || info.Size() != 0 {
		t.Errorf("it was written to: %v", err)
	}
}

// A wiki whose files vanish while it is open is reported as damaged, and accepts no
// save, which would be lost with the open file.
func TestVanishedWhileOpen(t *testing.T) {
	dir := t.TempDir()
	p := openPool(t, dir, time.Now)
	w, release := createWiki(t, p)
	defer release()
	must(t, w, ada, Edit{Path: "Home.md", Data: []byte("kept")})
	if err := os.Rename(filepath.Join(dir, "ada"), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	if _, err := do(w, ada, Edit{Path: "Home.md", Data: []byte("lost"), Base: BaseAny}); !errors.Is(err, wiki.ErrDamaged) {
		t.Errorf("a save was acknowledged: %v", err)
	}
	if _, data, err := w.Read(t.Context(), "Home.md"); string(data) != "kept" && !errors.Is(err, wiki.ErrDamaged) {
		t.Errorf("read %q, %v", data, err)
	}
	if got := p.Damaged(); len(got) != 1 || !got[0].Missing {
		t.Errorf("%+v", got)
	}
	if err := os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, "ada")); err != nil {
		t.Fatal(err)
	}
	must(t, w, ada, Edit{Path: "Home.md", Data: []byte("again"), Base: BaseAny})
}

// CloseIdle closes the files of wikis that aren't in use, and only those.
func TestCloseIdle(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	for _, slug := range []string{"ada", "bob"} {
		if err := p.Create(t.Context(), slug); err != nil {
			t.Fatal(err)
		}
	}
	w, release, err := p.Open(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	_, leave, err := p.Open(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	leave()
	p.CloseIdle()
	if _, _, ok := p.Head("bob"); ok {
		t.Error("an unused wiki is open")
	}
	if _, _, ok := p.Head("ada"); !ok {
		t.Error("a wiki in use was closed")
	}
	must(t, w, ada, Edit{Path: "Home.md", Data: []byte("x")})
}
