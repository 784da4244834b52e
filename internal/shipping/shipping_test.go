package shipping

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"robot.wtf/internal/await"
	"robot.wtf/internal/background"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/sqlite"
)

// A world is a data directory with one database, ada's, and a target.
type world struct {
	t      *testing.T
	data   string
	target Directory
	db     *sql.DB
	mu     sync.Mutex // held by writers
	s      *Shipper
	clock  time.Time
	sealed *age.X25519Identity
}

const ada = "wikis/ada/wiki.db"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, data: t.TempDir(), target: Directory(filepath.Join(t.TempDir(), "log")), clock: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)}
	w.must(os.MkdirAll(filepath.Join(w.data, "wikis", "ada"), 0o700))
	w.open()
	w.exec("CREATE TABLE pages (id INTEGER PRIMARY KEY, text TEXT)")
	w.start()
	t.Cleanup(func() {
		w.s.cancel()
		w.s.wait()
		w.db.Close()
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open() {
	w.t.Helper()
	db, err := sqlite.Open(filepath.Join(w.data, ada), sqlite.Options{KeepLog: true})
	w.must(err)
	w.db = db
}

// start starts a shipper that ships when the test says so.
func (w *world) start() {
	var recipients []age.Recipient
	if w.sealed != nil {
		recipients = append(recipients, w.sealed.Recipient())
	}
	w.s = Start(Options{
		Data: w.data, Target: w.target, Recipients: recipients, MaxHeld: 10, Gather: time.Hour,
		Hold:       func(context.Context, string) (Database, func(), error) { return w, func() {}, nil },
		Background: background.New(background.Options{}), Now: func() time.Time { return w.clock }, Log: slog.New(slog.DiscardHandler),
	})
}

// Checkpoint implements Database.
func (w *world) Checkpoint(ctx context.Context, ready func() bool) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !ready() {
		return false, nil
	}
	return sqlite.MoveLog(ctx, w.db)
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.db.Exec(query, args...)
	w.must(err)
	if w.s != nil {
		w.s.Wrote(ada)
	}
}

func (w *world) insert(bytes int) {
	w.t.Helper()
	w.exec("INSERT INTO pages (text) VALUES ($1)", strings.Repeat(fmt.Sprint(rand.Uint64()), bytes/20+1))
}

// ship ships a second later.
func (w *world) ship() {
	w.t.Helper()
	w.clock = w.clock.Add(time.Second)
	w.s.hold(context.Background())
	w.must(w.s.Ship(context.Background()))
}

// content returns a database's rows.
func content(t *testing.T, file string) string {
	t.Helper()
	db, err := sqlite.OpenCopy(file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var check, text string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
		t.Fatalf("integrity_check: %s, %v", check, err)
	}
	if err := db.QueryRow("SELECT coalesce(group_concat(id || text), '') FROM (SELECT * FROM pages ORDER BY id)").Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// now returns the rows of the live database.
func (w *world) now() string {
	w.t.Helper()
	return content(w.t, w.copy())
}

func (w *world) copy() string {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "copy.db")
	w.must(sqlite.Copy(context.Background(), filepath.Join(w.data, ada), file))
	return file
}

// restored applies the log after a number to a copy, "" for none.
func (w *world) restored(after uint64, until time.Time, file string) (string, error) {
	w.t.Helper()
	var identities []age.Identity
	if w.sealed != nil {
		identities = append(identities, w.sealed)
	}
	l, err := w.target.OpenLog(after, until, w.t.TempDir(), identities)
	w.must(err)
	defer l.Close()
	if file == "" {
		file = filepath.Join(w.t.TempDir(), "restored.db")
	}
	_, err = l.Apply(ada, file, time.Time{})
	return content(w.t, file), err
}

func (w *world) checkRestored() {
	w.t.Helper()
	got, err := w.restored(0, time.Time{}, "")
	w.must(err)
	if got != w.now() {
		w.t.Error("the restored database differs")
	}
}

// The shipped log leads to the live database: through commits, checkpoints, a log that
// others moved, a shrunken database, and restarts.
func TestShippedLogRestores(t *testing.T) {
	t.Parallel()
	for name, sealed := range map[string]bool{"plain": false, "encrypted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if sealed {
				identity, err := age.GenerateX25519Identity()
				w.must(err)
				w.s.cancel()
				w.sealed = identity
				w.start()
			}
			w.ship()
			steps := []func(){
				func() { w.insert(100) },
				func() { w.insert(5 << 20) }, // more than moveLog
				func() { w.insert(100) },
				func() { w.exec("DELETE FROM pages WHERE id % 2 = 0"); w.exec("VACUUM") },
				func() { w.must(sqlite.TruncateLog(context.Background(), w.db)) },
				func() { w.insert(100); w.must(sqlite.TruncateLog(context.Background(), w.db)); w.insert(100) },
				func() { w.must(w.db.Close()); w.open(); w.insert(100) },
				func() { w.insert(100); w.must(w.db.Close()); w.open(); w.insert(100) },
			}
			for i, step := range steps {
				step()
				w.ship()
				got, err := w.restored(0, time.Time{}, "")
				if err != nil || got != w.now() {
					t.Fatalf("step %d: it differs, %v", i, err)
				}
			}
			if bases := w.s.Stats().Bases; bases != 1 {
				t.Errorf("%d bases were shipped, want 1", bases)
			}
		})
	}
}

// A new shipper ships the changes since the last one, and no more.
func TestShippingContinuesAfterRestart(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world){
		"clean": func(w *world) {
			w.s.Stop()
			w.must(w.db.Close())
			w.s.Close()
		},
		"killed": func(w *world) {
			w.ship()
			w.s.keepStates()
			w.insert(100) // not shipped
			w.s.cancel()
			w.s.wait()
		},
		"offline": func(w *world) {
			w.s.Stop()
			w.must(w.db.Close())
			w.s.Close()
			w.open()
			w.s = nil
			w.insert(100) // the shipper doesn't know
			w.must(w.db.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.insert(100)
			w.ship()
			w.insert(100)
			end(w)
			if name != "killed" {
				w.open()
			}
			w.start()
			w.ship()
			w.checkRestored()
			want := uint64(0)
			if name == "offline" {
				want = 1
			}
			if bases := w.s.Stats().Bases; bases != want {
				t.Errorf("%d bases were shipped, want %d", bases, want)
			}
			before := w.s.Stats().Objects
			w.insert(100)
			w.ship()
			w.checkRestored()
			if got := w.s.Stats(); got.Objects != before+1 || got.Bases != want {
				t.Errorf("the next save isn't shipped alone: %+v", got)
			}
		})
	}
}

// A copy that a backup took while shipping is a base, whenever it was taken.
func TestLogAppliesToCopies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ship()
	type taken struct {
		file  string
		after uint64
	}
	var copies []taken
	contents := map[time.Time]string{}
	for range 6 {
		newest, err := w.target.Newest()
		w.must(err)
		w.exec("UPDATE pages SET text = 'x' || text") // changes no header
		copies = append(copies, taken{w.copy(), newest})
		w.insert(2000)
		w.ship()
		contents[w.clock] = w.now()
	}
	for i, c := range copies {
		got, err := w.restored(c.after, time.Time{}, c.file)
		if err != nil || got != w.now() {
			t.Errorf("copy %d: it differs, %v", i, err)
		}
	}
	for at, want := range contents {
		if got, err := w.restored(0, at, ""); err != nil || got != want {
			t.Errorf("as of %s: it differs, %v", at, err)
		}
	}
}

// Records that are missing or damaged end the log, and are reported.
func TestBrokenLogIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ship()
	var contents []string
	for range 4 {
		w.insert(2000)
		w.ship()
		contents = append(contents, w.now())
	}
	objects, err := w.target.List()
	w.must(err)
	w.must(os.Rename(objects[3].file, objects[3].file+".away"))
	got, err := w.restored(0, time.Time{}, "")
	if !errors.Is(err, ErrBroken) || got != contents[1] {
		t.Errorf("without an object: %v, as before it: %t", err, got == contents[1])
	}
	w.must(os.Rename(objects[3].file+".away", objects[3].file))
	w.checkRestored()
	text, err := os.ReadFile(objects[3].file)
	w.must(err)
	text[len(text)-100] ^= 1
	w.must(os.WriteFile(objects[3].file, text, 0o600))
	got, err = w.restored(0, time.Time{}, "")
	if !errors.Is(err, ErrBroken) || got != contents[1] {
		t.Errorf("with a damaged record: %v, as before it: %t", err, got == contents[1])
	}
	text[200] ^= 1
	w.must(os.WriteFile(objects[3].file, text, 0o600))
	if got, err := w.restored(0, time.Time{}, ""); !errors.Is(err, ErrBroken) || got != contents[1] {
		t.Errorf("with a damaged object: %v, as before it: %t", err, got == contents[1])
	}
	l, err := w.target.OpenLog(0, time.Time{}, t.TempDir(), nil)
	if err != nil || len(l.Damaged) != 1 {
		t.Errorf("damaged objects: %v, %v", l.Damaged, err)
	}
	w.must(l.Close())
}

// While the target is away, saves go on and the shipper is behind; then it catches up.
func TestTargetAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.insert(100)
	w.ship()
	away := string(w.target) + ".away"
	w.must(os.Rename(string(w.target), away))
	w.must(os.WriteFile(string(w.target), nil, 0o600))
	since := w.clock
	if slow.Enabled() {
		w.insert(70 << 20) // more than maxLog
	} else {
		w.insert(100)
	}
	w.clock = w.clock.Add(time.Minute)
	w.insert(100)
	for range 2 {
		w.s.hold(context.Background())
		if err := w.s.Ship(context.Background()); err == nil {
			t.Fatal("it shipped to nowhere")
		}
		w.insert(100)
	}
	if stats := w.s.Stats(); !stats.Behind.Equal(since) || stats.Err == nil {
		t.Errorf("behind since %s (%v), want %s", stats.Behind, stats.Err, since)
	}
	w.must(os.Remove(string(w.target)))
	w.must(os.Rename(away, string(w.target)))
	w.ship()
	w.checkRestored()
	if stats := w.s.Stats(); !stats.Behind.IsZero() || stats.Err != nil {
		t.Errorf("it is still behind: %+v", stats)
	}
}

// A replaced database begins with a base, and a deleted one is forgotten.
func TestReplacedDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.insert(100)
	w.ship()
	w.must(w.db.Close())
	w.must(os.Remove(filepath.Join(w.data, ada)))
	w.open()
	w.exec("CREATE TABLE pages (id INTEGER PRIMARY KEY, text TEXT)")
	w.insert(3000)
	w.ship()
	w.checkRestored()
	w.must(w.db.Close())
	w.must(os.Remove(filepath.Join(w.data, ada)))
	w.s.Wrote(ada)
	w.ship()
	if len(w.s.shipped) != 0 || !w.s.Stats().Behind.IsZero() {
		t.Error("the deleted database isn't forgotten")
	}
	w.open()
}

// Large logs are moved into the database once they are shipped.
func TestLogsStaySmall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ship()
	for range 12 {
		w.insert(1 << 20)
		w.ship()
	}
	info, err := os.Stat(filepath.Join(w.data, ada+"-wal"))
	w.must(err)
	if info.Size() > moveLog+3<<20 {
		t.Errorf("the log has %d bytes", info.Size())
	}
	w.checkRestored()
	if bases := w.s.Stats().Bases; bases != 1 {
		t.Errorf("%d bases were shipped, want 1", bases)
	}
}

// Commits are shipped soon after, all together.
func TestShipsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.s.cancel()
	w.s.wait()
	w.s.o.Gather = 10 * time.Millisecond
	w.s = Start(w.s.o)
	w.insert(100)
	await.Until(t, "the save is shipped", 30*time.Second, func() bool {
		stats := w.s.Stats()
		return stats.Behind.IsZero() && !stats.Last.IsZero()
	})
	w.checkRestored()
}

// Copies that are taken at any moment, while others write and ship, can be brought to
// the end of the log.
func TestCopiesWhileShipping(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ship()
	rounds := 3
	if slow.Enabled() {
		rounds = 50
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			query := []string{"INSERT INTO pages (text) VALUES (hex(randomblob(abs(random() % 9000))))", "DELETE FROM pages WHERE id % 7 = abs(random() % 7)", "UPDATE pages SET text = hex(randomblob(900)) WHERE id % 5 = abs(random() % 5)"}[rand.IntN(3)]
			w.mu.Lock()
			_, err := w.db.Exec(query)
			w.mu.Unlock()
			if err != nil {
				done <- err
				return
			}
			w.s.Wrote(ada)
		}
	}()
	type taken struct {
		file  string
		after uint64
	}
	copies := make([]taken, rounds)
	copied := background.Start(func() error {
		for i := range copies {
			newest, err := w.target.Newest()
			if err != nil {
				return err
			}
			copies[i] = taken{filepath.Join(w.data, fmt.Sprint("copy", i)), newest}
			if err := sqlite.Copy(context.Background(), filepath.Join(w.data, ada), copies[i].file); err != nil {
				return err
			}
		}
		return nil
	})
	for range rounds {
		w.s.hold(context.Background())
		w.must(w.s.Ship(context.Background()))
	}
	w.must(copied.Wait())
	close(stop)
	w.must(<-done)
	w.ship()
	for i, c := range copies {
		got, err := w.restored(c.after, time.Time{}, c.file)
		if err != nil || got != w.now() {
			t.Errorf("copy %d, after object %d: it differs, %v", i, c.after, err)
		}
	}
	w.checkRestored()
}

// Following a database that was opened again keeps SQLite's locks on its file, without
// which another process would take it for closed, and remove its log.
func TestLocksStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.insert(100)
	w.ship()
	locked := func() bool {
		info, err := os.Stat(filepath.Join(w.data, ada))
		w.must(err)
		stat, ok := info.Sys().(*syscall.Stat_t)
		locks, err := os.ReadFile("/proc/locks") // proc(5)
		if err != nil || !ok {
			t.Skip("needs /proc/locks")
		}
		return strings.Contains(string(locks), fmt.Sprintf(":%d ", stat.Ino))
	}
	w.insert(100)
	if !locked() {
		t.Skip("locks aren't visible here")
	}
	w.s.shipped[ada].attached = false
	w.ship()
	if !w.s.shipped[ada].attached || w.s.Stats().Bases != 1 {
		t.Fatal("it wasn't followed")
	}
	if !locked() {
		t.Error("the locks are gone")
	}
}

// Numbers grow through restarts, even if all earlier objects are deleted: otherwise a
// restore would take new objects for those that its snapshot contains.
func TestNumbersGrow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	last := uint64(0)
	for _, prune := range []func(){
		func() {},
		func() { _, err := w.target.Prune(last); w.must(err) },
		func() { w.must(os.RemoveAll(string(w.target))) },
	} {
		prune()
		w.s.Stop()
		w.start()
		w.insert(100)
		w.ship()
		newest, err := w.target.Newest()
		w.must(err)
		if newest <= last {
			t.Errorf("object %d follows object %d", newest, last)
		}
		last = newest
	}
	if removed, err := w.target.Prune(last + 1); err != nil || removed != 0 {
		t.Errorf("the newest object was removed: %d, %v", removed, err)
	}
}
