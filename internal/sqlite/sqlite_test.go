package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

func openTest(t *testing.T, o Options) *sql.DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "a b?#%.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestOpenPragmas(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		want    map[string]string
	}{
		{"data", Options{}, map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000", "foreign_keys": "0", "soft_heap_limit": "8388608"}},
		{"foreign keys", Options{ForeignKeys: true}, map[string]string{"synchronous": "2", "foreign_keys": "1"}},
		{"derived", Options{Derived: true, CacheKB: 4000}, map[string]string{"journal_mode": "wal", "synchronous": "0", "trusted_schema": "0", "cache_size": "-4000"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			db := openTest(t, test.options)
			for pragma, want := range test.want {
				var got string
				if err := db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
					t.Errorf("%s is %q, want %q: %v", pragma, got, want, err)
				}
			}
		})
	}
}

func TestMustExist(t *testing.T) {
	file := filepath.Join(t.TempDir(), "missing.db")
	db, err := Open(file, Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.PingContext(t.Context()); err == nil {
		t.Error("a missing file was opened")
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file was created: %v", err)
	}
}

// A transaction that reads before it writes doesn't fail when another one commits
// in between: it has the write lock from the beginning.
func TestTransactionsAreImmediate(t *testing.T) {
	db := openTest(t, Options{})
	if _, err := db.Exec("CREATE TABLE counts (n INTEGER); INSERT INTO counts VALUES (0)"); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 20 {
				if err := increment(t.Context(), db); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	var n int
	if err := db.QueryRow("SELECT n FROM counts").Scan(&n); err != nil || n != 80 {
		t.Errorf("%d, want 80: %v", n, err)
	}
}

func increment(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT n FROM counts").Scan(&n); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE counts SET n = $1", n+1); err != nil {
		return err
	}
	return tx.Commit()
}

func TestCopy(t *testing.T) {
	ctx := t.Context()
	from, to := filepath.Join(t.TempDir(), "from.db"), filepath.Join(t.TempDir(), "to.db")
	db, err := Open(from, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE words (word TEXT); INSERT INTO words VALUES ('frost')"); err != nil {
		t.Fatal(err)
	}
	if err := Copy(ctx, from, to); err != nil { // while db is open
		t.Fatal(err)
	}
	copied, err := OpenCopy(to)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	var word string
	if err := copied.QueryRow("SELECT word FROM words").Scan(&word); err != nil || word != "frost" {
		t.Errorf("%q: %v", word, err)
	}
	if _, err := copied.Exec("DELETE FROM words"); !errors.Is(StorageError(err), wiki.ErrStorage) {
		t.Errorf("a copy was written: %v", err)
	}
}

func TestStatements(t *testing.T) {
	ctx, db := t.Context(), openTest(t, Options{})
	s := NewStatements(db, 3)
	if err := s.Exec(ctx, "CREATE TABLE words (word TEXT PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"frost", "ice"} {
		if n, err := s.ExecCount(ctx, "INSERT INTO words VALUES ($1)", word); err != nil || n != 1 {
			t.Errorf("%d rows: %v", n, err)
		}
	}
	for i := range 5 { // more texts than are kept
		var word string
		if err := s.Row(ctx, fmt.Sprintf("SELECT word FROM words WHERE word = $1 AND %d = %d", i, i), "ice").Scan(&word); err != nil || word != "ice" {
			t.Errorf("%q: %v", word, err)
		}
		rows, err := s.Rows(ctx, fmt.Sprintf("SELECT word FROM words WHERE %d = %d", i, i))
		if err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	if kept := s.Queries(); len(kept) != 3 {
		t.Errorf("keeps %q", kept)
	}
	var word string
	if err := s.Row(ctx, "SELECT word FROM words WHERE word = 'rain'").Scan(&word); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no row: %v", err)
	}
	if err := NewStatements(db, 0).Row(ctx, "SELEKT").Scan(&word); err == nil {
		t.Error("a wrong query reports no error")
	}
	if err := s.Close(); err != nil || len(s.Queries()) != 0 {
		t.Errorf("closed: %v, keeps %q", err, s.Queries())
	}
}

// Finding a statement by its text allocates nothing.
func TestPrepareAllocatesNothing(t *testing.T) {
	ctx, s := t.Context(), NewStatements(openTest(t, Options{}), 0)
	query := strings.Clone("SELECT 1")
	if _, err := s.prepare(ctx, query); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.prepare(ctx, query); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTranslateConstraints(t *testing.T) {
	db := openTest(t, Options{ForeignKeys: true})
	if _, err := db.Exec(`CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);
		CREATE TABLE b (a INTEGER REFERENCES a (id)); INSERT INTO a VALUES (1, 'x')`); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		query string
		want  error // nil for none of package wiki
	}{
		{"INSERT INTO a VALUES (1, 'y')", wiki.ErrExists},
		{"INSERT INTO a VALUES (2, 'x')", wiki.ErrExists},
		{"INSERT INTO b VALUES (2)", wiki.ErrNotFound},
		{"INSERT INTO a VALUES (2, NULL)", nil},
		{"SELEKT", nil},
	}
	for _, test := range tests {
		_, err := db.Exec(test.query)
		if err == nil {
			t.Fatalf("%s succeeded", test.query)
		}
		got := Translate(err)
		if test.want == nil && got != err || test.want != nil && !errors.Is(got, test.want) {
			t.Errorf("%s: %v, want %v", test.query, got, test.want)
		}
		if StorageError(err) != err {
			t.Errorf("%s is a storage error: %v", test.query, StorageError(err))
		}
	}
	if got := Translate(fmt.Errorf("read: %w", sql.ErrNoRows)); !errors.Is(got, wiki.ErrNotFound) {
		t.Errorf("no row: %v", got)
	}
	if got := Translate(nil); got != nil {
		t.Errorf("nil became %v", got)
	}
}

// What each kind of failure means to the callers that tell them apart.
func TestFailures(t *testing.T) {
	full := sqlError(t, "PRAGMA max_page_count = 1", "CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(100000))")
	readOnly := sqlError(t, "PRAGMA query_only = 1", "CREATE TABLE t (x)")
	wrong := sqlError(t, "SELECT 1", "SELEKT")
	notDatabase := notDatabaseError(t)
	tests := []struct {
		name                                string
		err                                 error
		storage, isFull, unwritable, damage bool
	}{
		{"full", full, true, true, true, false},
		{"read-only", readOnly, true, false, true, false},
		{"wrong statement", wrong, false, false, false, true},
		{"not a database", notDatabase, true, false, false, true},
		{"ENOSPC", &os.PathError{Err: syscall.ENOSPC}, true, true, true, false},
		{"EROFS", &os.PathError{Err: syscall.EROFS}, true, false, true, false},
		{"EMFILE", &os.PathError{Err: syscall.EMFILE}, true, false, false, false},
		{"ENOENT", &os.PathError{Err: syscall.ENOENT}, false, false, false, false},
		{"canceled", context.Canceled, false, false, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := fmt.Errorf("wrapped: %w", test.err)
			translated := Translate(err)
			if got := errors.Is(translated, wiki.ErrStorage); got != test.storage {
				t.Errorf("storage error %t: %v", got, translated)
			}
			if !errors.Is(translated, test.err) {
				t.Errorf("the cause is lost: %v", translated)
			}
			var told *wiki.Problem
			if test.storage && (!errors.As(translated, &told) || !strings.HasPrefix(told.Message, "The server's ") || !strings.Contains(told.Message, "Nothing was ")) {
				t.Errorf("no message for people: %v", translated)
			}
			if again := Translate(translated); again != translated {
				t.Errorf("translated twice: %v", again)
			}
			if Full(err) != test.isFull || Unwritable(err) != test.unwritable || Damaged(err) != test.damage {
				t.Errorf("full %t, unwritable %t, damaged %t", Full(err), Unwritable(err), Damaged(err))
			}
		})
	}
}

// sqlError is the error of the last query on a new database.
func sqlError(t *testing.T, before, query string) error {
	t.Helper()
	db := openTest(t, Options{})
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(before); err != nil {
		t.Fatal(err)
	}
	_, err := db.Exec(query)
	if err == nil {
		t.Fatalf("%s succeeded", query)
	}
	return err
}

func notDatabaseError(t *testing.T) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := OpenCopy(file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec("SELECT * FROM sqlite_schema")
	if err == nil {
		t.Fatal("a text was opened as a database")
	}
	return err
}

// A lock held by another connection is temporary, unlike a full disk.
func TestBusy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "busy.db")
	var conns []*sql.Conn
	for range 2 {
		db, err := Open(file, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		c, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	if _, err := conns[0].ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if _, err := conns[1].ExecContext(t.Context(), "PRAGMA busy_timeout = 0"); err != nil {
		t.Fatal(err)
	}
	_, err := conns[1].ExecContext(t.Context(), "BEGIN IMMEDIATE")
	if err = StorageError(err); !errors.Is(err, wiki.ErrStorageBusy) || !errors.Is(err, wiki.ErrStorage) || wiki.Status(err) != 503 {
		t.Errorf("a locked database: %v", err)
	}
}

// StorageError counts each failure once, by its kind.
func TestFailuresAreCounted(t *testing.T) {
	before := Failed("full")
	err := Translate(syscall.ENOSPC)
	if Translate(err) != err {
		t.Error("translated twice")
	}
	if got := Failed("full") - before; got != 1 {
		t.Errorf("counted %d", got)
	}
	if got := Failures(); len(got) != len(failureNames) || got[0] != "busy" {
		t.Errorf("%q", got)
	}
}
