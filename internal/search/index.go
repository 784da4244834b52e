package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"robot.wtf/internal/content"
	"robot.wtf/internal/sqlite"
)

// version of the index: of its tables and of how words are cut. An index of
// another version is built anew, so raise it when either changes.
const version = 3

// Snippets come from texts, which holds each page as people read it. How words
// are listed in postings, and why not by FTS5, docs/adr/0007 says.
const tables = `
CREATE TABLE meta (
	wiki TEXT NOT NULL,             -- the slug
	seq  INTEGER NOT NULL,          -- the last commit that is in the index, 0 for none
	head TEXT NOT NULL,             -- and its id
	cut  TEXT NOT NULL              -- how chunks were cut, and for which model; '' for none
);
CREATE TABLE pages (
	id       INTEGER PRIMARY KEY,   -- the smallest that is free, so that they stay dense
	key      TEXT NOT NULL UNIQUE,  -- wiki.Key of the file without ".md"
	path     TEXT NOT NULL,         -- the page's name
	blob     TEXT NOT NULL,
	files    TEXT NOT NULL,         -- names of its attachments
	size     INTEGER NOT NULL,      -- words that are indexed
	name     TEXT NOT NULL,         -- indexed words of the name
	last     TEXT NOT NULL,         -- of its last segment
	title    TEXT NOT NULL          -- of the title in the front matter
);
CREATE TABLE texts (                -- apart from pages, so that those stay small to scan
	page     INTEGER PRIMARY KEY,
	sections TEXT NOT NULL          -- packed; see section
);
CREATE TABLE tags (
	tag  TEXT NOT NULL,
	page INTEGER NOT NULL,
	PRIMARY KEY (tag, page)
) WITHOUT ROWID;
CREATE INDEX tags_page ON tags (page);
CREATE TABLE authors (              -- people and agents who ever edited a page, moves followed
	key    TEXT NOT NULL,
	author TEXT NOT NULL,
	PRIMARY KEY (key, author)
) WITHOUT ROWID;
CREATE INDEX authors_author ON authors (author);
CREATE TABLE files (                -- attachments and the page they lie below
	page TEXT NOT NULL,             -- its key
	path TEXT NOT NULL,
	PRIMARY KEY (page, path)
) WITHOUT ROWID;
CREATE TABLE chunks (               -- pieces of pages that have a vector each
	id     INTEGER PRIMARY KEY,
	page   INTEGER NOT NULL,
	n      INTEGER NOT NULL,        -- its number on the page, from 0
	hash   BLOB NOT NULL,           -- of the text that is embedded
	first  INTEGER NOT NULL,        -- numbers of its sections
	last   INTEGER NOT NULL,
	start  INTEGER NOT NULL,        -- byte of the first section's text
	text   TEXT NOT NULL,           -- what is to be embedded, until it is
	vector BLOB                     -- packed; see packVector
);
CREATE INDEX chunks_page ON chunks (page, n);
CREATE INDEX chunks_waiting ON chunks (id) WHERE vector IS NULL;
CREATE TABLE postings (             -- where words stand; see packPosting
	stem  TEXT NOT NULL,
	block INTEGER NOT NULL,         -- pages.id / 64
	list  BLOB NOT NULL,
	PRIMARY KEY (stem, block)
) WITHOUT ROWID;
`

// A position is how far an index has followed its wiki.
type cursor struct {
	seq int64
	id  string
}

// An index is that of one wiki, opened when it is first used.
type index struct {
	slug, file string
	log        *slog.Logger

	inUse   int   // who use it now, and when it was last taken:
	lastUse int64 // both belong to the Service's lock

	// mu is held for reading by whoever uses db, for writing to replace it.
	mu         sync.RWMutex
	db         *sql.DB // nil when not open
	generation int     // how often the database was taken away to be built anew
	closed     bool    // for good
	verified   bool    // made or checked by this process, which takes 30 ms for 500 pages

	reads *sqlite.Statements // of db

	catchUpMu sync.Mutex // one catch-up at a time
	cursor    atomic.Pointer[cursor]
	names     atomic.Pointer[nameList]
	directory atomic.Pointer[directory]

	model         Model // nil for none
	queue         *embedQueue
	embedMu       sync.Mutex // one embedder at a time
	vectors       atomic.Pointer[vectors]
	vectorsUsedAt atomic.Int64 // when the vectors were last used, in unix nanoseconds

	// settled is held for reading by a query, so that its statements see one
	// state, and for writing at the moment when a catch-up commits.
	snapshotMu sync.RWMutex
}

// errStale says that an index is not one of this wiki's history.
var errStale = errors.New("the index does not belong to this history")

var errClosed = errors.New("the index was closed")

// healing runs do, and once more on a new index if the old one is damaged.
func (x *index) retryRebuilt(do func() error) error {
	x.mu.RLock()
	made := x.generation
	x.mu.RUnlock()
	err := do()
	if !isDamaged(err) {
		return err
	}
	if err := x.rebuild(made, err); err != nil {
		return err
	}
	return do()
}

// rebuild takes the index away, unless another caller did since it was made for
// the given time.
func (x *index) rebuild(made int, why error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.generation != made || x.closed {
		return nil
	}
	x.log.Warn("search: an index is built anew", "wiki", x.slug, "why", why)
	x.generation++
	return x.removeFiles()
}

// reset takes the index away, for whoever comes next to build it anew.
func (x *index) reset() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil
	}
	x.generation++
	return x.removeFiles()
}

// damaged reports errors that a new index wouldn't have.
func isDamaged(err error) bool { return errors.Is(err, errStale) || sqlite.Damaged(err) }

// current brings the index up to the wiki's head and calls do with the database
// in a state that has all of it, which does not change meanwhile. While the disk
// cannot be written, it is the state that there is.
func (x *index) withCurrentDB(ctx context.Context, w *content.Wiki, do func(*sql.DB) error) error {
	head, _ := w.Head()
	return x.retryRebuilt(func() error {
		for {
			stuck := x.catchUp(ctx, w)
			if stuck != nil && !sqlite.Unwritable(stuck) {
				return stuck
			}
			behind := false
			err := x.withDB(ctx, func(db *sql.DB) error {
				x.snapshotMu.RLock()
				defer x.snapshotMu.RUnlock()
				if behind = stuck == nil && x.cursor.Load().seq < head; behind { // built anew in between
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

// use calls do with the open database.
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

// keptStatements bounds how many are kept prepared; the common queries are few.
const keptStatements = 20

// start opens the database and makes its tables if there are none.
func (x *index) openDB(ctx context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return errClosed
	}
	if x.db != nil {
		return nil
	}
	db, err := sqlite.Open(x.file, openOptions)
	if err != nil {
		return err
	}
	at, err := x.checkOrCreate(ctx, db)
	if err != nil {
		db.Close()
		return err
	}
	x.db, x.reads = db, sqlite.NewStatements(db, keptStatements)
	x.cursor.Store(&at)
	return nil
}

// An index isn't synced: if a power failure tears it, it is rebuilt.
var openOptions = sqlite.Options{Derived: true, CacheKB: 4000}

// begin reads how far the index has come, or makes an empty one. What another
// process left, perhaps at a power failure, is checked first.
func (x *index) checkOrCreate(ctx context.Context, db *sql.DB) (at cursor, err error) {
	var found int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found); err != nil {
		return at, err
	}
	var objects int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&objects); err != nil {
		return at, err
	}
	if objects == 0 {
		x.verified = true
		return at, x.createTables(ctx, db)
	}
	if found != version {
		return at, fmt.Errorf("%w: it is of version %d, not %d", errStale, found, version)
	}
	if !x.verified {
		var verdict string
		if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
			return at, err
		}
		if verdict != "ok" {
			return at, fmt.Errorf("%w: %s", errStale, verdict)
		}
		x.verified = true
	}
	var slug, cut string
	err = db.QueryRowContext(ctx, "SELECT wiki, seq, head, cut FROM meta").Scan(&slug, &at.seq, &at.id, &cut)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && slug != x.slug:
		return at, fmt.Errorf("%w: it is that of %q", errStale, slug)
	case err != nil:
		return at, err
	case cut != x.chunkScheme():
		return at, fmt.Errorf("%w: its chunks are %q, not %q", errStale, cut, x.chunkScheme())
	}
	left, err := countWaiting(ctx, db)
	if err == nil && left > 0 {
		x.recordBacklog(left)
	}
	return at, err
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
	defer tx.Rollback() // does nothing after a commit
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

// close closes the database for good, once nobody reads it.
func (x *index) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	return x.closeDB()
}

// delete closes the database for good and deletes its files.
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
	if err := x.closeDB(); err != nil { // as that of a damaged file may
		x.log.Debug("search: close an index", "wiki", x.slug, "err", err)
	}
	for _, file := range []string{x.file, x.file + "-wal", x.file + "-shm", x.file + "-journal", filepath.Join(filepath.Dir(x.file), pendingFile)} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
