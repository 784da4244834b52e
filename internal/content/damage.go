package content

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// A Damage is a wiki whose files are missing or can't all be read.
type Damage struct {
	Slug    string
	Missing bool // there is no database; otherwise it can't be opened, or parts of it can't be read
	Since   time.Time
	Err     error

	opening bool // noticed when the wiki was opened: over once that succeeds
}

// OpenWikis returns how many wikis are open.
func (p *Pool) OpenWikis() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

// Damaged returns the wikis with damage that was noticed since the start, sorted by
// slug. A wiki leaves the list when its database is replaced, restored or deleted.
func (p *Pool) Damaged() []Damage {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Damage, 0, len(p.damaged))
	for slug, d := range p.damaged {
		if _, err := os.Stat(p.file(slug)); d.Missing && err == nil { // it is back
			delete(p.damaged, slug)
			continue
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b Damage) int { return strings.Compare(a.Slug, b.Slug) })
	return list
}

// NoteMissing records that a wiki that exists has no database, and returns the error
// to answer with: ErrNotFound if the wiki was deleted meanwhile.
func (p *Pool) NoteMissing(slug string) error {
	p.mu.Lock()
	deleted := p.deleted[slug]
	p.mu.Unlock()
	if deleted {
		return wrapError(wiki.ErrNotFound, "open %s", slug)
	}
	p.note(Damage{Slug: slug, Missing: true, Err: fs.ErrNotExist, opening: true})
	return errMissing
}

var (
	errMissing = wiki.Problemf(wiki.ErrDamaged, "", "This wiki's data is missing from the server. The operator was notified and can restore it from a backup. Try again later.")
	errBroken  = wiki.Problemf(wiki.ErrDamaged, "", "This wiki's data on the server is damaged and can't be opened. Nothing was changed. The operator was notified and can restore it from a backup. Try again later.")
	errPart    = wiki.Problemf(wiki.ErrDamaged, "", "This part of the wiki's data on the server is damaged. Nothing was changed. Other pages may still be readable. The operator was notified and can restore it from a backup.")
)

// note records damage, and logs it when it is new.
func (p *Pool) note(d Damage) {
	p.mu.Lock()
	_, known := p.damaged[d.Slug]
	if !known {
		d.Since = p.o.Now()
		p.damaged[d.Slug] = d
	}
	p.mu.Unlock()
	if !known && p.o.Log != nil {
		p.o.Log.Error("wiki is damaged", "wiki", d.Slug, "missing", d.Missing, "err", d.Err)
	}
}

// noteOpened records the result of opening a wiki. An error that tells of damage is
// returned as a Problem of the kind ErrDamaged.
func (p *Pool) noteOpened(slug string, err error) error {
	switch {
	case err == nil:
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.damaged[slug].opening {
			delete(p.damaged, slug)
		}
		return nil
	case sqlite.Temporary(err):
		return sqlite.StorageError(err)
	}
	p.note(Damage{Slug: slug, Err: err, opening: true})
	return damageError{errBroken, err}
}

// forgetDamage removes a wiki from the list, because it has another database now.
func (p *Pool) forgetDamage(slug string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.damaged, slug)
	delete(p.deleted, slug)
}

// noteDeleted records that a wiki isn't missing but was deleted.
func (p *Pool) noteDeleted(slug string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.damaged, slug)
	p.deleted[slug] = true
}

// A damageError tells people about damage, and the log its cause. It doesn't wrap the
// cause, which can be of another kind.
type damageError struct{ told, cause error }

func (e damageError) Error() string { return e.cause.Error() }
func (e damageError) Unwrap() error { return e.told }

// checkRead records damage that a read has met. Other errors stay as they are.
func (w *Wiki) checkRead(err error) error {
	switch {
	case err == nil || errors.Is(err, wiki.ErrDamaged):
		return err
	case sqlite.Unavailable(err) && w.replacedFile():
		return w.pool.NoteMissing(w.slug)
	case !sqlite.Corrupt(err):
		return err
	}
	w.pool.note(Damage{Slug: w.slug, Err: err})
	return damageError{errPart, err}
}

// A checkedRow is a row of a wiki's database.
type checkedRow struct {
	w   *Wiki
	row sqlite.Scanner
}

func (r checkedRow) Scan(dest ...any) error {
	err := r.row.Scan(dest...)
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return r.w.checkRead(err)
}

// readableNames returns the paths that can still be read of a damaged table: those
// before and behind the damage, and those in the index of its keys.
func (w *Wiki) readableNames(ctx context.Context) []string {
	found := map[string]bool{}
	for _, query := range []string{
		"SELECT path FROM files WHERE wiki = $1 AND " + regularFiles + " ORDER BY path",
		"SELECT path FROM files WHERE wiki = $1 AND " + regularFiles + " ORDER BY path DESC",
		"SELECT path FROM files INDEXED BY files_key WHERE wiki = $1 ORDER BY key",
		"SELECT path FROM files INDEXED BY files_key WHERE wiki = $1 ORDER BY key DESC",
	} {
		_ = forEachRow(ctx, w, func(rows *sql.Rows) error { // as far as it goes
			var path string
			err := rows.Scan(&path)
			if err == nil && !wiki.Hidden(path) {
				found[path] = true
			}
			return err
		}, query, w.slug)
	}
	names := make([]string, 0, len(found))
	for path := range found {
		names = append(names, path)
	}
	slices.Sort(names)
	return names
}

// findInHistory finds a current file by its changes, for a damaged table of files.
func (w *Wiki) findInHistory(ctx context.Context, key string) (wiki.File, error) {
	var f wiki.File
	var kind string
	err := w.queryRow(ctx, "SELECT path, new, mode, size, seq, kind FROM changes WHERE wiki = $1 AND key = $2 ORDER BY seq DESC, n DESC LIMIT 1", w.slug, key).
		Scan(&f.Path, &f.Blob, &f.Mode, &f.Size, &f.Seq, &kind)
	if err != nil {
		return f, err
	}
	left, err := findDeparture(ctx, w, w.slug, key, f.Seq, maxSeq, true)
	if err == nil && (left.seq > 0 || kind == string(wiki.Deleted)) {
		err = sql.ErrNoRows
	}
	return f, err
}

// replacedFile reports whether a wiki's database is another file than the open one,
// or gone. A write to it would be lost.
func (w *Wiki) replacedFile() bool {
	now, err := os.Stat(filepath.Join(w.o.Dir, w.slug, "wiki.db"))
	return w.opened != nil && (err != nil || !os.SameFile(now, w.opened))
}
