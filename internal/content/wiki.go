package content

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/timing"
	"robot.wtf/internal/wiki"
)

// A Wiki is one wiki's content. It is safe for concurrent use.
type Wiki struct {
	slug string
	o    *Options
	pool *Pool
	// compare is shared by all wikis of a pool.
	compare *budget.Slots
	db      *sql.DB
	// opened is the file that db has open; nil for one that isn't in place yet.
	opened fs.FileInfo
	gone   atomic.Bool // deleted or replaced: every method returns ErrNotFound

	head      atomic.Pointer[head]
	names     atomic.Pointer[names]
	recent    recentFiles
	writes    atomic.Int64                      // transactions that may have written something
	vouches   atomic.Int64                      // see Vouches
	takedowns atomic.Pointer[map[string]string] // reasons by blob
	// draftFiles says whether there are any; nil if not yet looked for. See hasDraftFiles.
	draftFiles atomic.Pointer[bool]
	drafted    draftAnswers
	proposed   atomic.Pointer[proposalCount]
	reads      *sqlite.Statements

	writeLock chan struct{} // a semaphore of one; its holder owns the fields below
	closed    bool          // the pool is closed: writes fail
	writer    *writeConn    // nil until the first write, and after a storage error
	trees     treeCache
}

type head struct {
	seq int64
	id  string
}

// names are the paths of the files at a head.
type names struct {
	seq   int64
	paths []string
}

// recentFiles caches the current state of recently saved files, so that a person
// who saves again doesn't wait for pages of the database that their last save
// changed.
type recentFiles struct {
	mu    sync.Mutex
	files map[string]wiki.File // by key
}

const maxRecent = 100

// update stores the files that a commit changed.
func (r *recentFiles) update(changed []*staged, seq int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil || len(r.files)+len(changed) > maxRecent {
		r.files = map[string]wiki.File{}
	}
	for _, f := range changed {
		delete(r.files, f.key)
		if f.path != "" && isRegular(f.mode) && f.blob != f.old.Blob && len(r.files) < maxRecent {
			r.files[f.key] = wiki.File{Path: f.path, Blob: f.blob, Mode: f.mode, Size: f.size, Seq: seq}
		}
	}
}

func (r *recentFiles) get(key string) (wiki.File, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, ok := r.files[key]
	return f, ok
}

func (r *recentFiles) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files = nil
}

// ReadStatements returns how many statements readers of the wiki have run since
// it was opened.
func (w *Wiki) ReadStatements() uint64 { return w.reads.Runs() }

// load reads what a wiki keeps in memory, after migrating an older database.
func (w *Wiki) load(ctx context.Context) error {
	if err := w.checkNotEmpty(ctx); err != nil {
		return err
	}
	if err := migrations.Apply(ctx, w.db); err != nil {
		return err
	}
	if err := w.loadTakedowns(ctx); err != nil {
		return err
	}
	if err := w.readHead(ctx); err != nil {
		return err
	}
	if err := w.loadVouches(ctx); err != nil {
		return err
	}
	return w.relink(ctx)
}

// checkNotEmpty refuses a file without tables, to SQLite a new database. Every
// database had tables when it was created, so this one was cut off.
func (w *Wiki) checkNotEmpty(ctx context.Context) error {
	var tables int
	if err := w.db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	if tables == 0 {
		return errors.New("the database is empty: its file was cut off")
	}
	return nil
}

func (w *Wiki) readHead(ctx context.Context) error {
	h := new(head)
	err := w.queryRow(ctx, "SELECT seq, head FROM meta WHERE wiki = $1", w.slug).Scan(&h.seq, &h.id)
	if errors.Is(err, wiki.ErrDamaged) { // reading doesn't need the rest of meta
		err = w.queryRow(ctx, "SELECT seq, oid FROM commits WHERE wiki = $1 ORDER BY seq DESC LIMIT 1", w.slug).Scan(&h.seq, &h.id)
	}
	if errors.Is(err, wiki.ErrDamaged) { // pages can be readable without the commits; the id is unknown
		h.id = strings.Repeat("0", 40)
		err = w.queryRow(ctx, "SELECT COALESCE(MAX(seq), 0) FROM files WHERE wiki = $1", w.slug).Scan(&h.seq)
	}
	if err != nil {
		return err
	}
	w.head.Store(h)
	w.recent.clear()
	return nil
}

func (w *Wiki) close() {
	w.dropWriter()
	w.reads.Close()
	w.db.Close()
}

// Slug returns the wiki's slug.
func (w *Wiki) Slug() string { return w.slug }

// Head returns the number and id of the newest commit, 0 and "" for an empty wiki.
// It reads memory, not the database.
func (w *Wiki) Head() (seq int64, id string) {
	h := w.head.Load()
	return h.seq, h.id
}

// A querier is a wiki, a snapshot of it, or a transaction on it.
type querier interface {
	queryRow(ctx context.Context, query string, args ...any) sqlite.Scanner
	queryRows(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	checkRead(err error) error
}

// A read checks its context before it starts and before each row, but not in
// between: it takes microseconds, and watching a context costs a goroutine per
// statement.
func (w *Wiki) queryRow(ctx context.Context, query string, args ...any) sqlite.Scanner {
	if err := w.checkReadable(ctx); err != nil {
		return failedRead{err}
	}
	defer timing.Measure(ctx, timing.Content)()
	return checkedRow{w, w.reads.Row(context.WithoutCancel(ctx), query, args...)}
}

func (w *Wiki) queryRows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := w.checkReadable(ctx); err != nil {
		return nil, err
	}
	defer timing.Measure(ctx, timing.Content)()
	rows, err := w.reads.Rows(context.WithoutCancel(ctx), query, args...)
	return rows, w.checkRead(err)
}

func (w *Wiki) checkReadable(ctx context.Context) error {
	if w.gone.Load() {
		return wiki.ErrNotFound
	}
	return ctx.Err()
}

type failedRead struct{ err error }

func (f failedRead) Scan(...any) error { return f.err }

// forEachRow calls scan for each row of a query.
func forEachRow(ctx context.Context, q querier, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.queryRows(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := scan(rows); err != nil {
			return err
		}
	}
	return q.checkRead(rows.Err())
}

// wrapError says in err which operation failed. sql.ErrNoRows becomes ErrNotFound,
// and driver errors are translated.
func wrapError(err error, what string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("content: %s: %w", fmt.Sprintf(what, args...), sqlite.Translate(err))
}
