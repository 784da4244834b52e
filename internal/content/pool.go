package content

import (
	"container/list"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver

	"robot.wtf/internal/wiki"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schema is the number of migrations, kept in each database as user_version,
// so that opening a wiki need not ask goose.
const schema = 1

// A Pool opens wikis and keeps a bounded number of them open.
type Pool struct {
	o        Options
	template func() ([]byte, error) // an empty wiki's database, made when first needed

	mu     sync.Mutex
	open   map[string]*entry
	idle   *list.List // of *entry, least recently used first
	closed bool
}

// An entry is an open wiki with the number of its users.
type entry struct {
	wiki  *Wiki
	users int
	place *list.Element // in idle, when nobody uses it
	ready chan struct{} // closed once wiki or err is set
	err   error
	gone  bool // deleted: closed when its last user is done
}

// NewPool makes a Pool.
func NewPool(o Options) (*Pool, error) {
	if o.MaxOpen == 0 {
		o.MaxOpen = 200
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("content: open pool: %w", err)
	}
	return &Pool{o: o, template: sync.OnceValues(makeTemplate), open: map[string]*entry{}, idle: list.New()}, nil
}

func makeTemplate() ([]byte, error) {
	dir, err := os.MkdirTemp("", "robot-template-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "wiki.db")
	db, err := openSQL(file)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if err := migrate(context.Background(), db); err != nil {
		return nil, err
	}
	if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
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

func (p *Pool) file(slug string) string { return filepath.Join(p.o.Dir, slug, "wiki.db") }

// Create makes the database of a new, empty wiki; ErrExists if there is one.
func (p *Pool) Create(ctx context.Context, slug string) error {
	if err := wiki.CheckSlug(slug); err != nil {
		return err
	}
	dir := filepath.Dir(p.file(slug))
	if err := os.Mkdir(dir, 0o700); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("content: create %s: %w", slug, wiki.ErrExists)
	} else if err != nil {
		return fmt.Errorf("content: create %s: %w", slug, err)
	}
	if err := p.fill(ctx, slug); err != nil {
		os.RemoveAll(dir)
		return fmt.Errorf("content: create %s: %w", slug, storageError(err))
	}
	return nil
}

func (p *Pool) fill(ctx context.Context, slug string) error {
	template, err := p.template()
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.file(slug), template, 0o600); err != nil {
		return err
	}
	db, err := openSQL(p.file(slug))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "INSERT INTO meta VALUES ($1, 0, '', 0, 0, 0, 0, 0)", slug)
	return err
}

// Open opens a wiki, ErrNotFound if it has no database. Call release when done;
// until then it is not closed.
func (p *Pool) Open(ctx context.Context, slug string) (*Wiki, func(), error) {
	if wiki.CheckSlug(slug) != nil {
		return nil, nil, fmt.Errorf("content: open %q: %w", slug, wiki.ErrNotFound)
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, nil, errors.New("content: the pool is closed")
	}
	e := p.open[slug]
	if e == nil {
		e = &entry{ready: make(chan struct{})}
		p.open[slug] = e
		e.users++
		p.shrink()
		p.mu.Unlock()
		e.wiki, e.err = p.load(ctx, slug)
		close(e.ready)
	} else {
		e.users++
		if e.place != nil {
			p.idle.Remove(e.place)
			e.place = nil
		}
		p.mu.Unlock()
		<-e.ready
	}
	if e.err != nil {
		p.forget(slug, e)
		return nil, nil, e.err
	}
	return e.wiki, sync.OnceFunc(func() { p.release(slug, e) }), nil
}

func (p *Pool) forget(slug string, e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[slug] == e {
		delete(p.open, slug)
	}
}

func (p *Pool) release(slug string, e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.users--; e.users > 0 {
		return
	}
	if e.gone || p.closed {
		e.wiki.close()
		return
	}
	e.place = p.idle.PushBack(e)
	p.shrink()
}

// shrink closes the least recently used idle wikis beyond the bound.
func (p *Pool) shrink() {
	for len(p.open) > p.o.MaxOpen && p.idle.Len() > 0 {
		e := p.idle.Remove(p.idle.Front()).(*entry)
		e.place = nil
		delete(p.open, e.wiki.slug)
		e.wiki.close()
	}
}

// Delete removes a wiki's directory, with all that is derived in it.
func (p *Pool) Delete(ctx context.Context, slug string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.open[slug]; e != nil {
		delete(p.open, slug)
		e.gone = true
		if e.place != nil {
			p.idle.Remove(e.place)
			e.wiki.close()
		}
	}
	if err := os.RemoveAll(filepath.Dir(p.file(slug))); err != nil {
		return fmt.Errorf("content: delete %s: %w", slug, err)
	}
	return nil
}

// Close waits for calls under way and closes all wikis.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for e := p.idle.Front(); e != nil; e = e.Next() {
		e.Value.(*entry).wiki.close()
	}
	p.idle.Init()
	return nil
}
