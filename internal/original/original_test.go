package original

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"robot.wtf/internal/replica"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/testdisk"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

func read(t *testing.T, d *replica.Disk) (*Disk, *Contents) {
	t.Helper()
	disk, err := Open(d.Dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := disk.Read(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return disk, c
}

func build(t *testing.T, o replica.Options) *replica.Disk {
	t.Helper()
	d, err := replica.Build(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func (c *Contents) wiki(slug string) Wiki {
	i := slices.IndexFunc(c.Wikis, func(w Wiki) bool { return w.Slug == slug })
	return c.Wikis[i]
}

// Every schema is read in the same way, while the original has its databases open.
func TestEverySchema(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]replica.Schema{"early": replica.Early, "middle": replica.Middle, "late": replica.Late} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := build(t, replica.Options{Schema: schema, Wikis: 2, Commits: 6, Odd: true})
			before := digestOf(t, d.Dir)
			disk, c := read(t, d)
			if after := digestOf(t, d.Dir); after != before {
				t.Error("reading changed the original's disk")
			}
			plain := c.wiki("plain-0")
			if plain.Owner != d.Owners["plain-0"] || !plain.Public || len(plain.Head) != 40 || plain.Token == "" || plain.Problem != "" || plain.Created.Year() != 2026 {
				t.Errorf("plain-0: %+v", plain)
			}
			if _, err := disk.Repository("plain-0"); err != nil {
				t.Error(err)
			}
			i := slices.IndexFunc(c.Clients, func(c Client) bool { return c.ID == d.Client })
			if i < 0 || c.Clients[i].Redirects[0] != "https://claude.ai/api/mcp/auth_callback" {
				t.Errorf("agents: %+v", c.Clients)
			}
			i = slices.IndexFunc(c.People, func(p Person) bool { return p.DID == replica.DID("ada") })
			if p := c.People[i]; p.Handle != "ada.example" || (p.Username == "ada") != (schema != replica.Late) {
				t.Errorf("ada: %+v", p)
			}
			if !strings.Contains(string(c.Key), d.KeyID) {
				t.Errorf("key: %q", c.Key)
			}
		})
	}
}

// Attack: a symbolic link, or a slug that is a path, leads the operator's command to
// a file outside of the original's directory.
func TestNothingOutsideIsRead(t *testing.T) {
	t.Parallel()
	d := build(t, replica.Options{Schema: replica.Late, Wikis: 1, Commits: 1, Odd: true})
	if err := os.Symlink("/etc/passwd", filepath.Join(d.Dir, "wikis", replica.Second, "wiki.db-wal")); err == nil {
		t.Fatal("the log is expected to exist")
	}
	for _, file := range []string{"wiki.db-wal", "wiki.db"} {
		name := filepath.Join(d.Dir, "wikis", "plain-0", file)
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(d.Dir, "wikis", replica.Shared, file), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(d.Dir, "client_jwk.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(d.Dir, "client_jwk.json")); err != nil {
		t.Fatal(err)
	}
	disk, c := read(t, d)
	for _, slug := range []string{replica.Linked, replica.Hostile, "plain-0"} {
		if w := c.wiki(slug); w.Problem == "" || w.Head != "" && slug != "plain-0" || len(w.Members) > 0 {
			t.Errorf("%s is read: %+v", slug, w)
		}
	}
	for _, slug := range []string{replica.Linked, replica.Inside, replica.Hostile, "..", "", "a/b", "plain-0/../linked"} {
		if dir, err := disk.Repository(slug); err == nil {
			t.Errorf("the repository of %q is %s", slug, dir)
		}
	}
	if c.Key != nil || len(c.Left) == 0 {
		t.Errorf("a linked key: %q, %q", c.Key, c.Left)
	}
}

// Members keep the rights that they had, and nobody gets more.
// A repository's files are opened only after all of them were found to be regular:
// opening a pipe would wait forever.
func TestPipeInRepository(t *testing.T) {
	t.Parallel()
	d := build(t, replica.Options{Schema: replica.Late, Wikis: 1, Commits: 1})
	_, gitDir, err := (&Disk{d.Dir}).findRepository("plain-0")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(gitDir, "refs", "heads")); err != nil {
		t.Fatal(err)
	}
	packed := filepath.Join(gitDir, "packed-refs")
	if err := errors.Join(os.RemoveAll(packed), syscall.Mkfifo(packed, 0o600)); err != nil {
		t.Fatal(err)
	}
	scratch, done := t.TempDir(), make(chan string, 1)
	go func() {
		disk, err := Open(d.Dir)
		if err != nil {
			done <- err.Error()
			return
		}
		c, err := disk.Read(context.Background(), scratch)
		if err != nil {
			done <- err.Error()
			return
		}
		done <- c.wiki("plain-0").Problem
	}()
	select {
	case problem := <-done:
		if !strings.Contains(problem, "special file") {
			t.Errorf("a pipe in a repository: %q", problem)
		}
	case <-time.After(20 * time.Second):
		t.Error("reading waits for a pipe")
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	d := build(t, replica.Options{Schema: replica.Late, Wikis: 1, Commits: 1, Odd: true})
	_, c := read(t, d)
	want := map[string]string{
		"ben.example": "editor", "cleo.example": "viewer", "gus.example": "editor", "dee.example": "editor", "eve.example": "editor",
		"fay.example": "editor", "hal.example": "none", `@"><script>alert(1)</script>`: "none", "@../../etc/passwd": "none", "@new\nline.example": "none",
	}
	w := c.wiki(replica.Shared)
	for _, m := range w.Members {
		role := "viewer"
		switch {
		case m.Problem != "":
			role = "none"
		case m.Editor:
			role = "editor"
		}
		if want[m.Handle] != role {
			t.Errorf("%q: %s, want %s", m.Handle, role, want[m.Handle])
		}
		delete(want, m.Handle)
		if m.Handle == "eve.example" && m.DID != replica.DID("eve") {
			t.Errorf("eve is %q", m.DID)
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	if w.Home != "Notes_1" || w.TextFirst || len(w.Drafts) != 1 || w.Drafts[0].DID != replica.DID("ada") {
		t.Errorf("%+v", w)
	}
	if second := c.wiki(replica.Second); second.Public || !second.TextFirst || len(second.Changes) != 2 {
		t.Errorf("%+v", second)
	}
}

// digestOf is a digest of every file with its time.
func digestOf(t *testing.T, dir string) string {
	t.Helper()
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		sum.Write([]byte(path + info.ModTime().String() + info.Mode().String()))
		sum.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// The original writes all the time while it is read, and its logs begin again. The
// copy is of one moment: both rows of each transaction, or neither.
func TestReadWhileWriting(t *testing.T) {
	t.Parallel()
	d := build(t, replica.Options{Schema: replica.Late, Wikis: 1, Commits: 1})
	db, err := sqlite.Open(filepath.Join(d.Dir, "robot.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				stopped <- nil
				return
			case <-time.After(2 * time.Millisecond):
			}
			pair := fmt.Sprintf("w%06d", n)
			_, err := db.Exec(`INSERT INTO users (did, handle, created_at) VALUES ($1, 'x', ''), ($2, 'x', '')`, replica.DID("first"+pair), replica.DID("second"+pair))
			if err == nil && n%40 == 39 {
				_, err = db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
			}
			if err != nil {
				stopped <- err
				return
			}
		}
	}()
	last := 0
	deadline := time.Now().Add(30 * time.Second)
	for n := 0; n < 10 || last == 0 && time.Now().Before(deadline); n++ {
		disk, err := Open(d.Dir)
		if err != nil {
			t.Fatal(err)
		}
		c, err := disk.Read(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		first, second := 0, 0
		for _, p := range c.People {
			first += strings.Count(p.DID, "first")
			second += strings.Count(p.DID, "second")
		}
		if last = first; first != second {
			t.Errorf("%d first and %d second rows", first, second)
		}
	}
	close(stop)
	if err := <-stopped; err != nil || last == 0 {
		t.Fatalf("%d rows read while they were written, %v", last, err)
	}
}
