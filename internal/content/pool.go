package content

import (
	"container/list"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/budget"
	"robot.wtf/internal/durable"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations make a wiki's database. Programs that don't know the oldest schema would
// lose something in it.
var migrations = sqlite.Migrations{Files: sqlite.Sub(migrationFiles, "migrations"), Oldest: 21}

// Schema returns the newest schema of a wiki's database that this program knows.
func Schema() (sqlite.Schema, error) { return migrations.Schema() }

// A Pool opens wikis and keeps a bounded number of them open.
type Pool struct {
	o       Options
	compare *budget.Slots
	large   *budget.Slots
	texts   *textCache

	mu      sync.Mutex
	open    map[string]*entry
	idle    *list.List // of *entry, least recently used first
	closed  bool
	damaged map[string]Damage
	deleted map[string]bool  // wikis deleted since the start, by slug
	closing background.Group // wikis being closed
}

// An entry is an open wiki with its number of users.
type entry struct {
	wiki  *Wiki
	users int
	place *list.Element // in idle, if there are no users
	ready chan struct{} // closed once wiki or err is set
	err   error
	gone  bool // no longer in the pool: closed when the last user releases it
}

// NewPool makes a Pool. It removes what a killed process left in the scratch
// directory. On a disk that refuses that, wikis can be read.
func NewPool(o Options) (*Pool, error) {
	if o.MaxOpen == 0 {
		o.MaxOpen = 200
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Room == nil {
		o.Room = durable.Room
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pool{o: o, compare: newCompareSlots(), large: newLargeSlots(), texts: newTextCache(), open: map[string]*entry{}, idle: list.New(), damaged: map[string]Damage{}, deleted: map[string]bool{}}
	err := os.RemoveAll(p.scratch())
	if err := errors.Join(err, os.MkdirAll(p.scratch(), 0o700)); err != nil {
		if _, there := os.Stat(o.Dir); there != nil {
			return nil, fmt.Errorf("content: open pool: %w", err)
		}
		o.Log.Error("preparing the scratch directory failed: nothing can be created or imported", "dir", p.scratch(), "err", err)
	}
	return p, nil
}

// scratch is a directory for wikis that are being created or deleted. No slug
// begins with a dot.
func (p *Pool) scratch() string { return filepath.Join(p.o.Dir, ".scratch") }

// MkdirTemp creates a directory for temporary files beside the wikis. NewPool
// removes what a killed process left there.
func (p *Pool) MkdirTemp(pattern string) (string, error) { return os.MkdirTemp(p.scratch(), pattern) }

// ScratchRoom returns how many bytes of temporary files the wikis' disk has room
// for, besides the margin that is kept free for saves.
func (p *Pool) ScratchRoom() (int64, error) { return p.o.Room(p.scratch()) }

// template returns the bytes of an empty wiki's database. Running the migrations
// takes far longer than copying their result, so they run once per process.
var template = sync.OnceValues(func() ([]byte, error) {
	ctx := context.Background()
	return sqlite.Image(ctx, func(db *sql.DB) error { return migrations.Apply(ctx, db) })
})

func (p *Pool) dir(slug string) string  { return filepath.Join(p.o.Dir, slug) }
func (p *Pool) file(slug string) string { return filepath.Join(p.dir(slug), "wiki.db") }

// Copy writes the database of a wiki as of one moment to a new file, while others use
// it.
func (p *Pool) Copy(ctx context.Context, slug, to string) error {
	if err := wiki.CheckHost(slug); err != nil {
		return err
	}
	if err := sqlite.Copy(ctx, p.file(slug), to); err != nil {
		return fmt.Errorf("content: copy %s: %w", slug, err)
	}
	return nil
}

// Exists reports whether a wiki has a database, even a damaged one.
func (p *Pool) Exists(slug string) bool {
	if wiki.CheckHost(slug) != nil {
		return false
	}
	_, err := os.Stat(p.file(slug))
	return !errors.Is(err, fs.ErrNotExist)
}

// Create makes the database of a new, empty wiki, as a copy of a template; ErrExists
// if the wiki has one. A crash leaves a complete wiki or none.
func (p *Pool) Create(ctx context.Context, slug string) error {
	if err := wiki.CheckHost(slug); err != nil {
		return err
	}
	if err := p.create(ctx, slug); err != nil {
		return fmt.Errorf("content: create %s: %w", slug, sqlite.StorageError(err))
	}
	p.wrote(slug)
	return nil
}

func (p *Pool) create(ctx context.Context, slug string) error {
	dir, err := os.MkdirTemp(p.scratch(), slug+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // no effect after the rename
	if err := p.fillDatabase(ctx, slug, filepath.Join(dir, "wiki.db")); err != nil {
		return err
	}
	if err := durable.SyncDir(dir); err != nil {
		return err
	}
	syscall.Rmdir(p.dir(slug)) // an empty directory isn't a wiki
	err = durable.Rename(dir, p.dir(slug))
	if errors.Is(err, fs.ErrExist) {
		return wiki.ErrExists
	}
	if err == nil {
		p.forgetDamage(slug)
	}
	return err
}

func (p *Pool) fillDatabase(ctx context.Context, slug, file string) error {
	empty, err := template()
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, empty, 0o600); err != nil {
		return err
	}
	db, err := sqlite.Open(file, sqlite.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err = db.ExecContext(ctx, "INSERT INTO state (wiki, time, links) VALUES ($1, 0, $2)", slug, linksVersion); err != nil {
		return err
	}
	return db.Close() // syncs the file
}

// Renew gives a wiki an empty database, whatever it has. Its former directory is set
// aside as by Replace.
func (p *Pool) Renew(ctx context.Context, slug string) (aside string, err error) {
	if err := wiki.CheckHost(slug); err != nil {
		return "", err
	}
	making, err := os.MkdirTemp(p.scratch(), slug+"-")
	if err == nil {
		defer os.RemoveAll(making) // no effect after the rename
		err = p.fillDatabase(ctx, slug, filepath.Join(making, "wiki.db"))
	}
	if err == nil {
		err = durable.SyncDir(making)
	}
	if err == nil {
		err = p.moveAway(ctx, slug, func() error {
			aside, err = p.swapDirectory(slug, making)
			return err
		})
	}
	if err != nil {
		return "", fmt.Errorf("content: renew %s: %w", slug, sqlite.StorageError(err))
	}
	return aside, nil
}

// SetAside moves a wiki's directory away, to where Replace keeps former ones.
func (p *Pool) SetAside(ctx context.Context, slug string) (aside string, err error) {
	if err := wiki.CheckHost(slug); err != nil {
		return "", err
	}
	err = p.moveAway(ctx, slug, func() error {
		aside, err = p.setDirectoryAside(slug)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("content: set %s aside: %w", slug, sqlite.StorageError(err))
	}
	return aside, nil
}

// Recreate makes an empty database for a wiki that has lost its own; ErrExists if it
// has one. The remaining files of its directory are set aside until the caller calls
// settle: with well they are deleted, otherwise they are put back.
func (p *Pool) Recreate(ctx context.Context, slug string) (settle func(ctx context.Context, well bool) error, err error) {
	if err := wiki.CheckHost(slug); err != nil {
		return nil, err
	}
	if _, err := os.Stat(p.file(slug)); err == nil {
		return nil, fmt.Errorf("content: recreate %s: %w", slug, wiki.ErrExists)
	}
	// Not in scratch, which is emptied at the next start: this can be the last copy.
	aside, err := os.MkdirTemp(p.o.Dir, ".lost-"+slug+"-")
	if err != nil {
		return nil, fmt.Errorf("content: recreate %s: %w", slug, err)
	}
	kept := filepath.Join(aside, slug)
	if err := os.Rename(p.dir(slug), kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("content: recreate %s: %w", slug, err)
	}
	settle = func(ctx context.Context, well bool) error {
		if !well {
			err := p.moveAway(ctx, slug, func() error { return p.discardDirectory(slug) })
			if err == nil {
				err = durable.Rename(kept, p.dir(slug))
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("content: put the files of %s back from %s: %w", slug, kept, err)
			}
		}
		return os.RemoveAll(aside)
	}
	if err := p.Create(ctx, slug); err != nil {
		return nil, errors.Join(err, settle(context.WithoutCancel(ctx), false))
	}
	return settle, nil
}

// Open opens a wiki; ErrNotFound if it has no database. Call release when done: the
// wiki stays open until then.
func (p *Pool) Open(ctx context.Context, slug string) (*Wiki, func(), error) {
	if wiki.CheckHost(slug) != nil {
		return nil, nil, fmt.Errorf("content: open %q: %w", slug, wiki.ErrNotFound)
	}
	e, err := p.acquire(ctx, slug)
	if err != nil {
		return nil, nil, err
	}
	return e.wiki, sync.OnceFunc(func() { p.release(slug, e) }), nil
}

// Head returns the number and id of a wiki's newest commit, from memory. ok is false if
// the wiki isn't open.
func (p *Pool) Head(slug string) (seq int64, id string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.open[slug]
	if e == nil || p.closed {
		return 0, "", false
	}
	select {
	case <-e.ready:
	default:
		return 0, "", false
	}
	if e.wiki == nil {
		return 0, "", false
	}
	if e.place != nil {
		p.idle.MoveToBack(e.place)
	}
	seq, id = e.wiki.Head()
	return seq, id, true
}

// acquire opens a wiki if necessary and makes the caller a user of its entry, until
// they release it.
func (p *Pool) acquire(ctx context.Context, slug string) (*entry, error) {
	e, load, err := p.acquireEntry(slug)
	if err != nil {
		return nil, err
	}
	if load {
		// Others can be waiting, so this doesn't end with the caller's request.
		e.err = p.o.Background.Try(background.Job{Work: "open", Wiki: slug}, func() (err error) {
			e.wiki, err = p.load(context.WithoutCancel(ctx), slug)
			return err
		})
		close(e.ready)
	}
	select {
	case <-e.ready:
	case <-ctx.Done():
		p.o.Background.Go(background.Job{Work: "open", Wiki: slug}, func() { <-e.ready; p.release(slug, e) })
		return nil, ctx.Err()
	}
	if e.err != nil {
		p.release(slug, e)
		return nil, e.err
	}
	return e, nil
}

// acquireEntry makes the caller a user of the slug's entry. If load is true, the
// caller is the first user and has to load the wiki.
func (p *Pool) acquireEntry(slug string) (e *entry, load bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false, errClosed
	}
	e = p.open[slug]
	if e == nil {
		e = &entry{ready: make(chan struct{})}
		p.open[slug] = e
		load = true
	}
	e.users++
	if e.place != nil {
		p.idle.Remove(e.place)
		e.place = nil
	}
	p.closeExcess()
	return e, load, nil
}

func (p *Pool) release(slug string, e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.users--
	if e.err != nil && p.open[slug] == e {
		delete(p.open, slug) // the next caller tries again
	}
	switch {
	case e.users > 0 || e.wiki == nil:
	case p.closed:
		e.wiki.close()
	case e.gone:
		p.closeAsync(e)
	default:
		e.place = p.idle.PushBack(e)
		p.closeExcess()
	}
}

// closeExcess closes the least recently used idle wikis beyond the limit.
func (p *Pool) closeExcess() {
	for len(p.open) > p.o.MaxOpen && p.idle.Len() > 0 {
		e := p.idle.Remove(p.idle.Front()).(*entry)
		delete(p.open, e.wiki.slug)
		p.closeAsync(e)
	}
}

// CloseIdle closes all wikis that aren't in use, and returns once their files are
// closed.
func (p *Pool) CloseIdle() {
	p.mu.Lock()
	var idle []*entry
	for p.idle.Len() > 0 {
		e := p.idle.Remove(p.idle.Front()).(*entry)
		delete(p.open, e.wiki.slug)
		idle = append(idle, e)
	}
	p.mu.Unlock()
	for _, e := range idle {
		e.wiki.close()
	}
}

// closeAsync closes an unused wiki in the background, because that can copy its
// write-ahead log into the database. A caller that opens the wiki meanwhile gets
// another Wiki; SQLite's locks coordinate the two.
func (p *Pool) closeAsync(e *entry) {
	p.closing.Go(func() {
		_ = p.o.Background.Try(background.Job{Work: "close", Wiki: e.wiki.slug}, func() error { e.wiki.close(); return nil }) // reported
	})
}

func (p *Pool) load(ctx context.Context, slug string) (*Wiki, error) {
	if _, err := os.Stat(p.file(slug)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("content: open %s: %w", slug, wiki.ErrNotFound)
	}
	w, err := p.openFile(ctx, slug, p.file(slug))
	if err := p.noteOpened(slug, err); err != nil {
		return nil, fmt.Errorf("content: open %s: %w", slug, err)
	}
	return w, nil
}

func (p *Pool) openFile(ctx context.Context, slug, file string) (*Wiki, error) {
	db, err := sqlite.Open(file, sqlite.Options{MustExist: true, Relieve: p.o.Relieve, KeepLog: p.o.Wrote != nil})
	if err != nil {
		return nil, err
	}
	w := &Wiki{slug: slug, o: &p.o, pool: p, compare: p.compare, db: db, reads: sqlite.NewStatements(db, 0), writeLock: make(chan struct{}, 1)}
	if err := w.load(ctx); err != nil {
		w.close()
		return nil, err
	}
	if file == p.file(slug) {
		w.opened, _ = os.Stat(file) // nil if it has just vanished, which the next write notices
	}
	return w, nil
}

// Replace replaces a wiki's database, if it has one, with the file read from from,
// which must pass CheckFile. prepare can change the new database before it is
// visible. The wiki's old directory, with its derived files, is set aside in the
// directory aside ("" if there was none) until Delete. A *Wiki opened before returns
// ErrNotFound from then on. If Replace fails, nothing has changed.
func (p *Pool) Replace(ctx context.Context, slug string, from io.Reader, prepare func(*Wiki) error) (facts Facts, aside string, err error) {
	if err := wiki.CheckHost(slug); err != nil {
		return facts, "", err
	}
	making, err := os.MkdirTemp(p.scratch(), slug+"-")
	if err != nil {
		return facts, "", fmt.Errorf("content: replace %s: %w", slug, sqlite.StorageError(err))
	}
	defer os.RemoveAll(making) // no effect after the rename
	if facts, err = p.writeDatabase(ctx, slug, filepath.Join(making, "wiki.db"), from, prepare); err == nil {
		err = durable.SyncDir(making)
	}
	if err == nil {
		err = p.moveAway(ctx, slug, func() error {
			aside, err = p.swapDirectory(slug, making)
			return err
		})
	}
	if err != nil {
		return facts, "", fmt.Errorf("content: replace %s: %w", slug, sqlite.StorageError(err))
	}
	return facts, aside, nil
}

// writeDatabase writes a database file, checks it and calls prepare.
func (p *Pool) writeDatabase(ctx context.Context, slug, file string, from io.Reader, prepare func(*Wiki) error) (Facts, error) {
	err := durable.Create(file, func(out io.Writer) error {
		_, err := io.Copy(out, from)
		return err
	})
	if err != nil {
		return Facts{}, err
	}
	facts, err := CheckFile(ctx, file, slug)
	if err != nil {
		return facts, err
	}
	w, err := p.openFile(ctx, slug, file)
	if err != nil {
		return facts, err
	}
	defer w.close() // merges the write-ahead log into the file
	return facts, prepare(w)
}

// swapDirectory replaces a wiki's directory and sets the old one aside.
func (p *Pool) swapDirectory(slug, making string) (aside string, err error) {
	if aside, err = p.setDirectoryAside(slug); err != nil {
		return "", err
	}
	if err := os.Rename(making, p.dir(slug)); err != nil {
		if aside != "" {
			err = errors.Join(err, os.Rename(aside, p.dir(slug)))
		}
		return "", err
	}
	return aside, durable.SyncDir(p.o.Dir)
}

// setDirectoryAside moves a wiki's directory away, if there is one.
func (p *Pool) setDirectoryAside(slug string) (aside string, err error) {
	if err := os.MkdirAll(p.replacedDir(slug), 0o700); err != nil {
		return "", err
	}
	aside = filepath.Join(p.replacedDir(slug), p.o.Now().UTC().Format("20060102T150405.000000Z"))
	err = durable.Rename(p.dir(slug), aside)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return aside, err
}

// replacedDir is the directory for what Replace sets aside.
func (p *Pool) replacedDir(slug string) string { return filepath.Join(p.o.Dir, ".replaced", slug) }

// Delete removes a wiki's directory, with its derived files, and everything that
// Replace has set aside. It waits for a running write. A *Wiki opened before returns
// ErrNotFound from then on.
func (p *Pool) Delete(ctx context.Context, slug string) error {
	if wiki.CheckHost(slug) != nil {
		return fmt.Errorf("content: delete %q: %w", slug, wiki.ErrNotFound)
	}
	err := p.moveAway(ctx, slug, func() error { return p.discardDirectory(slug) })
	if err := errors.Join(err, os.RemoveAll(p.replacedDir(slug))); err != nil {
		return fmt.Errorf("content: delete %s: %w", slug, sqlite.StorageError(err))
	}
	p.noteDeleted(slug)
	return nil
}

// moveAway calls move, which moves a wiki's directory, while nobody writes. A *Wiki
// opened before returns ErrNotFound from then on.
func (p *Pool) moveAway(ctx context.Context, slug string, move func() error) error {
	e, err := p.acquire(ctx, slug)
	switch {
	case err == nil:
		defer p.release(slug, e)
		select {
		case e.wiki.writeLock <- struct{}{}:
			defer func() { <-e.wiki.writeLock }()
		case <-ctx.Done():
			return ctx.Err()
		}
		e.wiki.gone.Store(true)
	case ctx.Err() != nil:
		return err
	default: // missing or damaged: move what exists
	}
	if err := move(); err != nil {
		if e != nil {
			e.wiki.gone.Store(false)
		}
		return err
	}
	p.wrote(slug)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.damaged, slug)
	if e != nil && p.open[slug] == e {
		delete(p.open, slug)
		e.gone = true // its last user closes it
	}
	return nil
}

// discardDirectory moves a wiki's directory away atomically, then deletes it.
func (p *Pool) discardDirectory(slug string) error {
	into, err := os.MkdirTemp(p.scratch(), "deleted-")
	if err != nil {
		return err
	}
	err = os.Rename(p.dir(slug), filepath.Join(into, slug))
	if err == nil {
		err = durable.SyncDir(p.o.Dir)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(into))
}

// Close waits for running writes, rejects later ones, and closes all wikis. Wikis
// that are in use are closed when they are released.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	var used []*entry
	for _, e := range p.open {
		if e.place == nil {
			used = append(used, e)
			continue
		}
		p.idle.Remove(e.place)
		e.place = nil
		p.closeAsync(e)
	}
	p.mu.Unlock()
	for _, e := range used {
		if <-e.ready; e.wiki != nil {
			e.wiki.writeLock <- struct{}{}
			e.wiki.closed = true
			<-e.wiki.writeLock
		}
	}
	p.closing.Wait()
	return nil
}
