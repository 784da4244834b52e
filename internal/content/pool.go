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
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"

	"robot.wtf/internal/durable"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schema is the number of the last migration, kept in each database as user_version,
// so that opening a wiki need not ask goose.
const schema = 10

// A Pool opens wikis and keeps a bounded number of them open.
type Pool struct {
	o        Options
	template func() ([]byte, error) // an empty wiki's database, made when first needed

	mu      sync.Mutex
	open    map[string]*entry
	idle    *list.List // of *entry, least recently used first
	closed  bool
	closing sync.WaitGroup // wikis being closed
}

// An entry is an open wiki with the number of its users.
type entry struct {
	wiki  *Wiki
	users int
	place *list.Element // in idle, when nobody uses it
	ready chan struct{} // closed once wiki or err is set
	err   error
	gone  bool // no longer in the pool: closed when its last user is done
}

// NewPool makes a Pool.
func NewPool(o Options) (*Pool, error) {
	if o.MaxOpen == 0 {
		o.MaxOpen = 200
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Pool{o: o, open: map[string]*entry{}, idle: list.New()}
	// What a killed process left half made or half deleted.
	if err := os.RemoveAll(p.scratch()); err != nil {
		return nil, fmt.Errorf("content: open pool: %w", err)
	}
	if err := os.MkdirAll(p.scratch(), 0o700); err != nil {
		return nil, fmt.Errorf("content: open pool: %w", err)
	}
	p.template = sync.OnceValues(p.makeTemplate)
	return p, nil
}

// scratch holds wikis that are being made or deleted. No slug begins with a dot.
func (p *Pool) scratch() string { return filepath.Join(p.o.Dir, ".scratch") }

// MkdirTemp creates a directory for temporary files beside the wikis. NewPool
// removes what a killed process left there.
func (p *Pool) MkdirTemp(pattern string) (string, error) { return os.MkdirTemp(p.scratch(), pattern) }

func (p *Pool) makeTemplate() ([]byte, error) {
	dir, err := os.MkdirTemp(p.scratch(), "template-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "wiki.db")
	db, err := sqlite.Open(file, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if err := migrate(context.Background(), db); err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil { // which leaves all in the one file
		return nil, err
	}
	return os.ReadFile(file)
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	steps, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	if _, err := steps.Up(ctx); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", schema))
	return err
}

func (p *Pool) dir(slug string) string  { return filepath.Join(p.o.Dir, slug) }
func (p *Pool) file(slug string) string { return filepath.Join(p.dir(slug), "wiki.db") }

// Exists reports whether a wiki has a database, sound or not.
func (p *Pool) Exists(slug string) bool {
	if wiki.CheckHost(slug) != nil {
		return false
	}
	_, err := os.Stat(p.file(slug))
	return !errors.Is(err, fs.ErrNotExist)
}

// Create makes the database of a new, empty wiki; ErrExists if there is one.
// The wiki is there as a whole or not at all, whenever the process ends.
func (p *Pool) Create(ctx context.Context, slug string) error {
	if err := wiki.CheckHost(slug); err != nil {
		return err
	}
	if err := p.create(ctx, slug); err != nil {
		return fmt.Errorf("content: create %s: %w", slug, sqlite.StorageError(err))
	}
	return nil
}

func (p *Pool) create(ctx context.Context, slug string) error {
	dir, err := os.MkdirTemp(p.scratch(), slug+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // nothing is there once it is renamed
	if err := p.fillDatabase(ctx, slug, filepath.Join(dir, "wiki.db")); err != nil {
		return err
	}
	if err := durable.SyncDir(dir); err != nil {
		return err
	}
	syscall.Rmdir(p.dir(slug)) // an empty one is no wiki
	err = durable.Rename(dir, p.dir(slug))
	if errors.Is(err, fs.ErrExist) {
		return wiki.ErrExists
	}
	return err
}

func (p *Pool) fillDatabase(ctx context.Context, slug, file string) error {
	template, err := p.template()
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, template, 0o600); err != nil {
		return err
	}
	db, err := sqlite.Open(file, sqlite.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err = db.ExecContext(ctx, "INSERT INTO meta VALUES ($1, 0, '', 0, 0, 0, 0, 0)", slug); err != nil {
		return err
	}
	return db.Close() // which syncs the file
}

// Revive makes an empty database for a wiki that has lost its own; ErrExists if
// it has one. What else is in its directory is set aside until settle: well says
// that it is needed no more, otherwise it is put back.
func (p *Pool) Recreate(ctx context.Context, slug string) (settle func(ctx context.Context, well bool) error, err error) {
	if err := wiki.CheckHost(slug); err != nil {
		return nil, err
	}
	if _, err := os.Stat(p.file(slug)); err == nil {
		return nil, fmt.Errorf("content: revive %s: %w", slug, wiki.ErrExists)
	}
	// Not in scratch, which is emptied at the next start: it may be the last copy.
	aside, err := os.MkdirTemp(p.o.Dir, ".lost-"+slug+"-")
	if err != nil {
		return nil, fmt.Errorf("content: revive %s: %w", slug, err)
	}
	kept := filepath.Join(aside, slug)
	if err := os.Rename(p.dir(slug), kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("content: revive %s: %w", slug, err)
	}
	settle = func(ctx context.Context, well bool) error {
		if !well {
			err := p.moveAway(ctx, slug, func() error { return p.discardDirectory(slug) })
			if err == nil {
				err = durable.Rename(kept, p.dir(slug))
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("content: what %s had is in %s: %w", slug, kept, err)
			}
		}
		return os.RemoveAll(aside)
	}
	if err := p.Create(ctx, slug); err != nil {
		return nil, errors.Join(err, settle(context.WithoutCancel(ctx), false))
	}
	return settle, nil
}

// Open opens a wiki, ErrNotFound if it has no database. Call release when done;
// until then it is not closed.
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

// Head is the number of a wiki's newest commit, if the wiki is open; ok is false
// when it has to be opened first. It reads memory.
func (p *Pool) Head(slug string) (seq int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.open[slug]
	if e == nil || p.closed {
		return 0, false
	}
	select {
	case <-e.ready:
	default:
		return 0, false
	}
	if e.wiki == nil {
		return 0, false
	}
	if e.place != nil {
		p.idle.MoveToBack(e.place)
	}
	seq, _ = e.wiki.Head()
	return seq, true
}

// use makes the caller a user of an open wiki's entry, until they leave it.
func (p *Pool) acquire(ctx context.Context, slug string) (*entry, error) {
	e, load, err := p.acquireEntry(slug)
	if err != nil {
		return nil, err
	}
	if load {
		// For whoever waits as well: not to end with this caller's request.
		e.wiki, e.err = p.load(context.WithoutCancel(ctx), slug)
		close(e.ready)
	}
	select {
	case <-e.ready:
	case <-ctx.Done():
		go func() { <-e.ready; p.release(slug, e) }()
		return nil, ctx.Err()
	}
	if e.err != nil {
		p.release(slug, e)
		return nil, e.err
	}
	return e, nil
}

// acquireEntry makes the caller a user of the slug's entry; load tells whoever comes
// first to fill it.
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
		delete(p.open, slug) // the next caller tries anew
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

// closeExcess closes the least recently used idle wikis beyond the bound.
func (p *Pool) closeExcess() {
	for len(p.open) > p.o.MaxOpen && p.idle.Len() > 0 {
		e := p.idle.Remove(p.idle.Front()).(*entry)
		delete(p.open, e.wiki.slug)
		p.closeAsync(e)
	}
}

// closeAsync closes a wiki that nobody uses, beside: it may have to copy its log into
// the database. Who opens it again meanwhile gets a Wiki of their own, which
// SQLite's locks keep apart from this one.
func (p *Pool) closeAsync(e *entry) { p.closing.Go(e.wiki.close) }

func (p *Pool) load(ctx context.Context, slug string) (*Wiki, error) {
	if _, err := os.Stat(p.file(slug)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("content: open %s: %w", slug, wiki.ErrNotFound)
	}
	w, err := p.openFile(ctx, slug, p.file(slug))
	if err != nil {
		return nil, fmt.Errorf("content: open %s: %w", slug, sqlite.StorageError(err))
	}
	return w, nil
}

func (p *Pool) openFile(ctx context.Context, slug, file string) (*Wiki, error) {
	db, err := sqlite.Open(file, sqlite.Options{MustExist: true})
	if err != nil {
		return nil, err
	}
	w := &Wiki{slug: slug, o: &p.o, db: db, reads: sqlite.NewStatements(db, 0), writeLock: make(chan struct{}, 1)}
	if err := w.load(ctx); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// Replace puts another database in the place of a wiki's own, whether or not it
// has one: from brings the file, which must pass CheckFile. prepare may change it
// before anybody sees it. What the wiki had, with all that was derived from it,
// is set aside in a directory that is named, "" if there was nothing, and stays
// until Delete. Whoever still holds the wiki gets ErrNotFound from then on.
// Nothing is changed when it fails.
func (p *Pool) Replace(ctx context.Context, slug string, from io.Reader, prepare func(*Wiki) error) (facts Facts, aside string, err error) {
	if err := wiki.CheckHost(slug); err != nil {
		return facts, "", err
	}
	making, err := os.MkdirTemp(p.scratch(), slug+"-")
	if err != nil {
		return facts, "", fmt.Errorf("content: replace %s: %w", slug, sqlite.StorageError(err))
	}
	defer os.RemoveAll(making) // nothing is there once it is renamed
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

// writeDatabase makes a database file of what comes in.
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
	defer w.close() // which leaves all in the one file
	return facts, prepare(w)
}

// swapDirectory sets a wiki's directory aside and puts another in its place.
func (p *Pool) swapDirectory(slug, making string) (aside string, err error) {
	if err := os.MkdirAll(p.replacedDir(slug), 0o700); err != nil {
		return "", err
	}
	aside = filepath.Join(p.replacedDir(slug), p.o.Now().UTC().Format("20060102T150405.000000Z"))
	if err := os.Rename(p.dir(slug), aside); errors.Is(err, fs.ErrNotExist) {
		aside = ""
	} else if err != nil {
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

// replaced holds what Replace took out of a wiki's place.
func (p *Pool) replacedDir(slug string) string { return filepath.Join(p.o.Dir, ".replaced", slug) }

// Delete removes a wiki's directory, with all that is derived in it, and what
// Replace has set aside of it. It waits for a write under way; whoever still
// holds the wiki gets ErrNotFound from then on.
func (p *Pool) Delete(ctx context.Context, slug string) error {
	if wiki.CheckHost(slug) != nil {
		return fmt.Errorf("content: delete %q: %w", slug, wiki.ErrNotFound)
	}
	err := p.moveAway(ctx, slug, func() error { return p.discardDirectory(slug) })
	if err := errors.Join(err, os.RemoveAll(p.replacedDir(slug))); err != nil {
		return fmt.Errorf("content: delete %s: %w", slug, sqlite.StorageError(err))
	}
	return nil
}

// moveAway has a wiki's directory moved while nobody writes; who holds the wiki
// has lost it then.
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
	default: // not there, or damaged: what there is goes
	}
	if err := move(); err != nil {
		if e != nil {
			e.wiki.gone.Store(false)
		}
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e != nil && p.open[slug] == e {
		delete(p.open, slug)
		e.gone = true // the last to leave closes it
	}
	return nil
}

// discardDirectory takes a wiki's directory away in one step, then removes it.
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

// Close waits for writes under way, refuses further ones, and closes all wikis;
// those that somebody still reads, when they are released.
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
