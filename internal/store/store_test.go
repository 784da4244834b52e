package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

func open(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestReopen(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "a b?#%.db")
	db := open(t, path)
	ada := wiki.User{DID: "did:plc:ada", Handle: "ada.test"}
	if err := db.CreateSite(ctx, ada, "ada", nil, 1); err != nil {
		t.Fatal(err)
	}
	if err := db.AddToken(ctx, "secret", &Token{ID: "1", Slug: "ada", DID: ada.DID, Name: "x"}, 20); err != nil {
		t.Fatal(err)
	}
	var mode, sync string
	if err := db.sql.QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal %q, %v", mode, err)
	}
	if err := db.sql.QueryRow(`PRAGMA synchronous`).Scan(&sync); err != nil || sync != "2" {
		t.Errorf("synchronous %q (2 is FULL), %v", sync, err)
	}
	db.Close()
	db = open(t, path)
	site, err := db.Site(ctx, "ada")
	if err != nil || site.OwnerName != "ada" || site.Roles[ada.DID] != wiki.Owner {
		t.Errorf("%+v, %v", site, err)
	}
	if token, err := db.Token(ctx, "secret"); err != nil || token.DID != ada.DID {
		t.Errorf("%+v, %v", token, err)
	}
}

func TestUsers(t *testing.T) {
	ctx, db := t.Context(), open(t, filepath.Join(t.TempDir(), "robot.db"))
	save := func(u wiki.User) error { return db.SaveUser(ctx, u) }
	if err := save(wiki.User{DID: "d1", Handle: "ada.test"}); err != nil {
		t.Fatal(err)
	}
	if err := save(wiki.User{DID: "d1", Username: "ada", Handle: "ada.new", Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	if err := save(wiki.User{DID: "d1", Username: "eve", Handle: "ada.newer", Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	want := wiki.User{DID: "d1", Username: "ada", Handle: "ada.newer", Name: "Ada"}
	if u, err := db.User(ctx, "d1"); err != nil || u != want {
		t.Errorf("the username changed, or the handle didn't: %+v, %v", u, err)
	}
	// A handle can pass to another person, who is a different user.
	if err := save(wiki.User{DID: "d2", Handle: "ada.newer"}); err != nil {
		t.Fatal(err)
	}
	if u, err := db.UserByName(ctx, "ada"); err != nil || u.DID != "d1" {
		t.Errorf("%+v, %v", u, err)
	}
	if err := save(wiki.User{DID: "d2", Username: "ada", Handle: "x"}); !errors.Is(err, wiki.ErrExists) {
		t.Errorf("a username twice: %v", err)
	}
	if _, err := db.User(ctx, "d3"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("an unknown user: %v", err)
	}
}

func TestTransactionRollsBack(t *testing.T) {
	ctx, db := t.Context(), open(t, filepath.Join(t.TempDir(), "robot.db"))
	insert := func(tx *sql.Tx) error { return db.saveUser(ctx, tx, wiki.User{DID: "d1", Handle: "h"}) }
	failure := errors.New("later")
	if err := db.tx(ctx, func(tx *sql.Tx) error { return errors.Join(insert(tx), failure) }); !errors.Is(err, failure) {
		t.Errorf("the error is %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.tx(ctx, func(tx *sql.Tx) error {
			if err := insert(tx); err != nil {
				t.Error(err)
			}
			panic("later")
		})
	}()
	if _, err := db.User(ctx, "d1"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("the row wasn't rolled back: %v", err)
	}
	if err := db.SaveUser(ctx, wiki.User{DID: "d1", Handle: "h"}); err != nil {
		t.Errorf("a write after a panic: %v", err)
	}
}

// TestCodeIsTakenOnce: of many concurrent calls with a code, one succeeds.
func TestCodeIsTakenOnce(t *testing.T) {
	ctx, db := t.Context(), open(t, filepath.Join(t.TempDir(), "robot.db"))
	if err := db.SaveUser(ctx, wiki.User{DID: "d1", Handle: "h"}); err != nil {
		t.Fatal(err)
	}
	if err := db.StartSession(ctx, Session{ID: "s1", DID: "d1", Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := db.AddCode(ctx, "code", Code{SID: "s1", Slug: "ada", Expires: time.Now().Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	taken := make(chan bool, 16)
	for range cap(taken) {
		all.Go(func() {
			if _, err := db.TakeCode(ctx, "code"); err == nil {
				taken <- true
			} else if !errors.Is(err, wiki.ErrNotFound) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(taken) != 1 {
		t.Errorf("taken %d times", len(taken))
	}
}

// A row that was read before a write must not be cached after it.
func TestCacheDropsOutdatedRows(t *testing.T) {
	c := newRowCache[string, int](10)
	row := 1
	got, err := c.get("k", func() (int, error) {
		old := row
		row = 2 // another transaction commits
		c.forget("k")
		return old, nil
	})
	if got != 1 || err != nil {
		t.Fatalf("%d, %v", got, err)
	}
	if got, _ := c.get("k", func() (int, error) { return row, nil }); got != 2 {
		t.Errorf("an outdated row was cached: %d", got)
	}
	if got, _ := c.get("k", func() (int, error) { return 3, nil }); got != 2 {
		t.Errorf("a cached row was read again: %d", got)
	}
	if _, err := c.get("bad", func() (int, error) { return 0, sql.ErrNoRows }); err == nil {
		t.Error("no error")
	}
	if got, _ := c.get("bad", func() (int, error) { return 7, nil }); got != 7 {
		t.Errorf("a failure was cached: %d", got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newRowCache[int, int](10)
	for i := range 1000 {
		if got, _ := c.get(i, func() (int, error) { return i, nil }); got != i {
			t.Fatalf("%d: %d", i, got)
		}
	}
	if len(c.rows) != 10 {
		t.Errorf("%d rows are cached", len(c.rows))
	}
	if _, ok := c.rows[999]; !ok {
		t.Error("the newest row isn't cached")
	}
}

// TestReadersSeeTheirWrites reads concurrently with changes: once a change has
// returned, no read returns the old row.
func TestReadersSeeTheirWrites(t *testing.T) {
	ctx, db := t.Context(), open(t, filepath.Join(t.TempDir(), "robot.db"))
	ada := wiki.User{DID: "did:plc:ada", Handle: "ada.test"}
	if err := db.CreateSite(ctx, ada, "ada", nil, 1); err != nil {
		t.Fatal(err)
	}
	reading, stop := context.WithCancel(ctx)
	var readers sync.WaitGroup
	read := make(chan bool, 4)
	for range 4 {
		readers.Go(func() {
			for reading.Err() == nil {
				if _, err := db.Site(reading, "ada"); err != nil && reading.Err() == nil {
					t.Error(err)
				}
				select {
				case read <- true:
				case <-reading.Done():
				}
			}
		})
	}
	for i := range 50 {
		for range 8 { // the readers go on during the change
			<-read
		}
		title := fmt.Sprint(i)
		if err := db.UpdateSite(ctx, ada.DID, wiki.Site{Slug: "ada", Title: title}); err != nil {
			t.Fatal(err)
		}
		if site, err := db.Site(ctx, "ada"); err != nil || site.Title != title {
			t.Fatalf("wrote %q, read %+v, %v", title, site, err)
		}
	}
	stop()
	readers.Wait()
}

func TestSessionsAreSwept(t *testing.T) {
	now := time.Now()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "robot.db"), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := t.Context()
	if err := db.SaveUser(ctx, wiki.User{DID: "d1", Handle: "h"}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := db.StartSession(ctx, Session{ID: fmt.Sprint(i), DID: "d1", Expires: now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(2 * time.Hour)
	}
	var n int
	if err := db.sql.QueryRow(`SELECT count(*) FROM sessions`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d sessions, %v", n, err)
	}
	if _, err := db.Session(ctx, "2"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("an expired session: %v", err)
	}
}

// Attack: reports about one wiki until the queue is full, so that nobody can report
// another wiki's pages. A wiki's reports have a share of it.
func TestOpenReportsAreShared(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "robot.db"))
	add := func(slug string, i int) error {
		return db.AddReport(t.Context(), Report{Slug: slug, Page: fmt.Sprint("/", i), Reason: "other"})
	}
	for i := range maxOpenWikiReports {
		if err := add("ada", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := add("ada", maxOpenWikiReports); !errors.Is(err, wiki.ErrQuota) {
		t.Errorf("one too many: %v", err)
	}
	if err := add("bob", 0); err != nil {
		t.Errorf("another wiki: %v", err)
	}
}
