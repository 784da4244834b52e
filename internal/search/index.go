package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"robot.wtf/internal/background"
	"robot.wtf/internal/budget"
	"robot.wtf/internal/content"
	"robot.wtf/internal/sqlite"
)

// version covers the index's tables, the text that is taken from pages and the way
// words are split. Raise it when one of them changes: indexes of another version
// are rebuilt.
const version = 5

// Snippets are cut from texts, which holds each page as plain text.
// docs/adr/0007 describes the posting lists and why they replace FTS5.
const tables = `
CREATE TABLE meta (
	wiki TEXT NOT NULL,             -- the slug
	seq  INTEGER NOT NULL,          -- the last indexed commit, 0 for none
	head TEXT NOT NULL,             -- its id
	cut  TEXT NOT NULL              -- chunkScheme of the chunks; '' without a model
);
CREATE TABLE pages (
	id       INTEGER PRIMARY KEY,   -- the smallest unused id, which keeps ids dense
	key      TEXT NOT NULL UNIQUE,  -- wiki.Key of the file without ".md"
	path     TEXT NOT NULL,         -- the page's name
	blob     TEXT NOT NULL,
	files    TEXT NOT NULL,         -- names of its attachments
	size     INTEGER NOT NULL,      -- number of indexed words
	name     TEXT NOT NULL,         -- stems of the name
	last     TEXT NOT NULL,         -- stems of its last segment
	title    TEXT NOT NULL          -- stems of the title in the front matter
);
CREATE TABLE texts (                -- separate, so that scanning pages stays fast
	page     INTEGER PRIMARY KEY,
	sections TEXT NOT NULL          -- see packSections
);
CREATE TABLE tags (
	tag  TEXT NOT NULL,
	page INTEGER NOT NULL,
	PRIMARY KEY (tag, page)
) WITHOUT ROWID;
CREATE INDEX tags_page ON tags (page);
CREATE TABLE properties (           -- front matter; see package property
	key    TEXT NOT NULL,
	page   INTEGER NOT NULL,
	n      INTEGER NOT NULL,        -- index of the value, from 0
	name   TEXT NOT NULL,           -- the key as written
	form   INTEGER NOT NULL,        -- twice the property.Kind, plus 1 if the key has a list
	text   TEXT NOT NULL,           -- see property.Restore
	folded TEXT NOT NULL,           -- '' if the text is ASCII
	PRIMARY KEY (key, page, n)
) WITHOUT ROWID;
CREATE INDEX properties_page ON properties (page);
CREATE TABLE authors (              -- people and agents who edited a page, across moves
	key    TEXT NOT NULL,
	author TEXT NOT NULL,
	PRIMARY KEY (key, author)
) WITHOUT ROWID;
CREATE INDEX authors_author ON authors (author);
CREATE TABLE files (                -- attachments and their page
	page TEXT NOT NULL,             -- pages.key
	path TEXT NOT NULL,
	PRIMARY KEY (page, path)
) WITHOUT ROWID;
CREATE TABLE chunks (               -- parts of pages with one vector each
	id     INTEGER PRIMARY KEY,
	page   INTEGER NOT NULL,
	n      INTEGER NOT NULL,        -- its index on the page, from 0
	hash   BLOB NOT NULL,           -- of the embedded text
	first  INTEGER NOT NULL,        -- indexes of its sections
	last   INTEGER NOT NULL,
	start  INTEGER NOT NULL,        -- byte offset in the first section's text
	text   TEXT NOT NULL,           -- to embed; '' once it has a vector
	vector BLOB                     -- see packVector
);
CREATE INDEX chunks_page ON chunks (page, n);
CREATE INDEX chunks_waiting ON chunks (id) WHERE vector IS NULL;
CREATE TABLE postings (             -- positions of words; see packPosting
	stem  TEXT NOT NULL,
	block INTEGER NOT NULL,         -- pages.id / 64
	list  BLOB NOT NULL,
	PRIMARY KEY (stem, block)
) WITHOUT ROWID;
`

// A cursor is the last commit that an index contains.
type cursor struct {
	seq int64
	id  string
}

// An index is the index of one wiki. Its database is opened when it is first
// used.
type index struct {
	slug, file string
	log        *slog.Logger
	background *background.Workers
	documents  *budget.Slots // Service.documents

	inUse   int   // number of current users; guarded by Service.mu
	lastUse int64 // Service.uses when it was last acquired; guarded by Service.mu

	// mu is read-locked while db is used and locked to replace db.
	mu         sync.RWMutex
	db         *sql.DB // nil if not open
	generation int     // counts rebuilds
	closed     bool    // permanently
	verified   bool    // created or checked by this process; a check takes 30 ms for 500 pages

	reads *sqlite.Statements // prepared on db

	catchUpMu sync.Mutex // allows one catch-up at a time
	cursor    atomic.Pointer[cursor]
	names     atomic.Pointer[nameList]
	directory atomic.Pointer[directory]

	relieve       func() // see Options.Relieve
	model         Model  // nil without semantic search
	queue         *embedQueue
	embedMu       sync.Mutex // allows one embedder at a time
	vectors       atomic.Pointer[vectors]
	vectorsUsedAt atomic.Int64  // unix nanoseconds
	vectorChanges vectorChanges // guarded by snapshotMu

	// snapshotMu is read-locked by a query, so that all its statements see the
	// same state, and locked while a catch-up or an embedder commits.
	snapshotMu sync.RWMutex
}

// errStale reports an index that doesn't match its wiki's history or this
// version, or is damaged. It is rebuilt.
var errStale = errors.New("stale index")

var errClosed = errors.New("index is closed")

// retryRebuilt calls do, and again on a rebuilt index if the index is damaged.
func (x *index) retryRebuilt(do func() error) error {
	x.mu.RLock()
	generation := x.generation
	x.mu.RUnlock()
	err := do()
	if !isDamaged(err) {
		return err
	}
	if err := x.rebuild(generation, err); err != nil {
		return err
	}
	return do()
}

// rebuild removes the index so that its next use rebuilds it, unless another
// caller has done so since the given generation.
func (x *index) rebuild(generation int, cause error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.generation != generation || x.closed {
		return nil
	}
	x.log.Warn("rebuilding damaged index", "wiki", x.slug, "err", cause)
	x.generation++
	return x.removeFiles()
}

// reset removes the index; its next use rebuilds it.
func (x *index) reset() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil
	}
	x.generation++
	return x.removeFiles()
}

// isDamaged reports whether a rebuild would fix err.
func isDamaged(err error) bool { return errors.Is(err, errStale) || sqlite.Damaged(err) }

// withCurrentDB catches up with the wiki's head, then calls do with the
// database. The database doesn't change during the call and contains everything
// that was committed before. If the disk can't be written or the catch-up panicked, do
// gets the last state instead.
func (x *index) withCurrentDB(ctx context.Context, w *content.Wiki, do func(*sql.DB) error) error {
	head, _ := w.Head()
	return x.retryRebuilt(func() error {
		for {
			writeErr := x.catchUp(ctx, w)
			if writeErr != nil && !sqlite.Unwritable(writeErr) && !isAside(writeErr) {
				return writeErr
			}
			behind := false
			err := x.withDB(ctx, func(db *sql.DB) error {
				x.snapshotMu.RLock()
				defer x.snapshotMu.RUnlock()
				if behind = writeErr == nil && x.cursor.Load().seq < head; behind { // rebuilt in between
					return nil
				}
				return do(db)
			})
			if err != nil || !behind {
				return err
			}
		}
	})
}

// withIndexedDB is withCurrentDB without catching up. It returns ErrBehind if the index
// lacks a commit.
func (x *index) withIndexedDB(ctx context.Context, since int64, do func(*sql.DB) error) error {
	return x.retryRebuilt(func() error {
		return x.withDB(ctx, func(db *sql.DB) error {
			x.snapshotMu.RLock()
			defer x.snapshotMu.RUnlock()
			if x.cursor.Load().seq < since {
				return ErrBehind
			}
			return do(db)
		})
	})
}

// withDB calls do with the open database.
func (x *index) withDB(ctx context.Context, do func(*sql.DB) error) error {
	x.mu.RLock()
	if x.db == nil {
		x.mu.RUnlock()
		if err := x.openDB(ctx); err != nil {
			return err
		}
		x.mu.RLock()
	}
	defer x.mu.RUnlock()
	if x.db == nil {
		return errClosed
	}
	return do(x.db)
}

// keptStatements bounds the prepared statements; there are few common queries.
const keptStatements = 20

// openDB opens the database and creates its tables if it is new.
func (x *index) openDB(ctx context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return errClosed
	}
	if x.db != nil {
		return nil
	}
	if err := x.checkFile(); err != nil {
		return err
	}
	options := openOptions
	options.Relieve = x.relieve
	db, err := sqlite.Open(x.file, options)
	if err != nil {
		return err
	}
	current, err := x.checkOrCreate(ctx, db)
	if err != nil {
		db.Close()
		return err
	}
	x.db, x.reads = db, sqlite.NewStatements(db, keptStatements)
	x.cursor.Store(&current)
	return nil
}

// checkFile reports an index that SQLite couldn't even try to read.
func (x *index) checkFile() error {
	const readWrite = 4 | 2 // R_OK and W_OK (access(2))
	if info, err := os.Stat(x.file); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%w: not a file", errStale)
	}
	if err := syscall.Access(x.file, readWrite); errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("%w: %w", errStale, err)
	}
	return nil
}

// An index isn't synced: if a power failure corrupts it, it is rebuilt.
var openOptions = sqlite.Options{Derived: true, CacheKB: 4000}

// checkOrCreate returns the index's cursor, or creates an empty index. It checks
// an index from another process first: a power failure may have corrupted it.
func (x *index) checkOrCreate(ctx context.Context, db *sql.DB) (current cursor, err error) {
	var found int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found); err != nil {
		return current, err
	}
	var objects int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&objects); err != nil {
		return current, err
	}
	if objects == 0 {
		x.verified = true
		return current, x.createTables(ctx, db)
	}
	if found != version {
		return current, fmt.Errorf("%w: version %d, want %d", errStale, found, version)
	}
	if !x.verified {
		var verdict string
		if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
			return current, err
		}
		if verdict != "ok" {
			return current, fmt.Errorf("%w: %s", errStale, verdict)
		}
		x.verified = true
	}
	var slug, scheme string
	err = db.QueryRowContext(ctx, "SELECT wiki, seq, head, cut FROM meta").Scan(&slug, &current.seq, &current.id, &scheme)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && slug != x.slug:
		return current, fmt.Errorf("%w: it belongs to wiki %q", errStale, slug)
	case err != nil:
		return current, err
	case scheme != x.chunkScheme():
		return current, fmt.Errorf("%w: chunk scheme %q, want %q", errStale, scheme, x.chunkScheme())
	}
	left, err := countWaiting(ctx, db)
	if err == nil && left > 0 {
		x.recordBacklog(left)
	}
	return current, err
}

func (x *index) chunkScheme() string {
	if x.model == nil {
		return ""
	}
	return chunkScheme
}

func (x *index) createTables(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // no-op after Commit
	if _, err := tx.ExecContext(ctx, tables); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO meta (wiki, seq, head, cut) VALUES ($1, 0, '', $2)", x.slug, x.chunkScheme()); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}

// close closes the database permanently, once it is no longer used.
func (x *index) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	return x.closeDB()
}

// delete closes the database permanently and deletes its files.
func (x *index) delete() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	return x.removeFiles()
}

func (x *index) closeDB() error {
	x.cursor.Store(nil)
	x.directory.Store(nil)
	x.vectors.Store(nil)
	if x.db == nil {
		return nil
	}
	err := errors.Join(x.reads.Close(), x.db.Close())
	x.db, x.reads = nil, nil
	return err
}

func (x *index) removeFiles() error {
	if err := x.closeDB(); err != nil { // expected for a damaged file
		x.log.Debug("closing index failed", "wiki", x.slug, "err", err)
	}
	for _, file := range []string{x.file, x.file + "-wal", x.file + "-shm", x.file + "-journal", filepath.Join(filepath.Dir(x.file), pendingFile)} {
		if err := os.RemoveAll(file); err != nil {
			return err
		}
	}
	return nil
}
