package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"robot.wtf/internal/background"
	"robot.wtf/internal/budget"
	"robot.wtf/internal/content"
	"robot.wtf/internal/property"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// commitsPerStep bounds how many commits one transaction indexes.
const commitsPerStep = 1000

// maxLookups is how many files of a batch are looked up one by one. For more,
// the wiki's whole file list is read.
const maxLookups = 20

// catchUp indexes commits up to the wiki's current head. It doesn't stop when
// the caller's context is canceled, because the next caller needs the result
// too.
func (x *index) catchUp(ctx context.Context, w *content.Wiki) error {
	var head cursor
	head.seq, head.id = w.Head()
	if current := x.cursor.Load(); current != nil && *current == head {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	x.catchUpMu.Lock()
	defer x.catchUpMu.Unlock()
	return x.background.Try(background.Job{Work: "index", Wiki: x.slug, Item: fmt.Sprint("commit ", head.seq)}, func() error {
		steps := 0
		for done := false; !done; steps++ {
			err := x.withDB(ctx, func(db *sql.DB) (err error) {
				done, err = x.indexNextCommits(ctx, db, w)
				return err
			})
			if err != nil {
				return err
			}
		}
		if steps <= 2 { // one, and the one that finds nothing left
			return nil
		}
		err := x.withDB(ctx, func(db *sql.DB) error { return sqlite.TruncateLog(ctx, db) })
		if errors.Is(err, sqlite.ErrBusy) {
			return nil // the next large catch-up empties the log
		}
		return err
	})
}

// isAside reports whether err is that of work that panicked, now or before.
func isAside(err error) bool {
	return errors.Is(err, background.ErrSetAside) || errors.As(err, new(*background.Panic))
}

// indexNextCommits indexes the next commits in one transaction. It reports
// whether the index had already reached the head.
func (x *index) indexNextCommits(ctx context.Context, db *sql.DB, w *content.Wiki) (done bool, err error) {
	current := *x.cursor.Load()
	var head cursor
	head.seq, head.id = w.Head()
	switch {
	case current == head:
		return true, nil
	case current.seq >= head.seq:
		return false, fmt.Errorf("%w: index is at commit %d, wiki at %d", errStale, current.seq, head.seq)
	}
	commits, err := w.Log(ctx, content.LogFilter{After: current.seq, Ascending: true, Limit: commitsPerStep})
	if err != nil {
		return false, err
	}
	if len(commits) == 0 {
		return false, fmt.Errorf("no commits after %d although the head is %d", current.seq, head.seq)
	}
	if first := commits[0]; current.seq > 0 && (len(first.Parents) == 0 || first.Parents[0] != current.id) {
		return false, fmt.Errorf("%w: commit %d doesn't follow the indexed one", errStale, first.Seq)
	}
	last := commits[len(commits)-1]
	next := cursor{last.Seq, last.ID}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() // no-op after Commit
	b := batch{tx: sqlite.NewStatements(tx, 0), w: w, authors: map[string]map[string]bool{}, dirty: map[string]bool{}, rechunked: map[int64]bool{}, postings: newPostings(), model: x.model, background: x.background, documents: x.documents}
	if err := b.applyCommits(ctx, commits); err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE meta SET seq = $1, head = $2", next.seq, next.id); err != nil {
		return false, err
	}
	left, err := countWaiting(ctx, tx)
	if err != nil {
		return false, err
	}
	x.snapshotMu.Lock()
	defer x.snapshotMu.Unlock()
	if err := tx.Commit(); err != nil {
		return false, err
	}
	x.cursor.Store(&next)
	x.outdateVectors(b.rechunked)
	x.recordBacklog(left)
	return false, nil
}

// A batch indexes commits in one transaction. Pages are indexed as they are now,
// which can be newer than the batch's last commit; later batches then find
// nothing to do.
type batch struct {
	tx         *sqlite.Statements // closed with the transaction
	w          *content.Wiki
	authors    map[string]map[string]bool // by key of each page the batch touches
	dirty      map[string]bool            // keys of pages to index
	postings   *postings
	model      Model
	background *background.Workers
	documents  *budget.Slots
	rechunked  map[int64]bool // pages whose chunks changed
	usedIDs    []bool         // by page id; read when the first new page is added
}

// pageKey returns the lookup key of a page's file, without ".md". It returns
// false for other files and for files that are never served.
func pageKey(file string) (string, bool) {
	name, ok := wiki.PageOf(file)
	if !ok || wiki.Hidden(file) {
		return "", false
	}
	return wiki.Key(string(name)), true
}

func (b *batch) applyCommits(ctx context.Context, commits []wiki.Commit) error {
	for _, c := range commits {
		if err := b.recordCommit(ctx, c); err != nil {
			return err
		}
	}
	for key, names := range b.authors {
		if err := b.saveAuthors(ctx, key, names); err != nil {
			return err
		}
	}
	files, err := b.currentFiles(ctx)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(b.dirty)) {
		if err := b.indexPage(ctx, key, files[key]); err != nil {
			return fmt.Errorf("index %s: %w", key, err)
		}
		if b.postings.bytes > maxPostingBytes {
			if err := b.postings.flush(ctx, b.tx); err != nil {
				return err
			}
		}
	}
	return b.postings.flush(ctx, b.tx)
}

// recordCommit records the changes of one commit. It reads all moves before it
// applies any, because two pages can swap names.
func (b *batch) recordCommit(ctx context.Context, c wiki.Commit) error {
	moved := map[string]map[string]bool{}
	for _, ch := range c.Changes {
		if ch.Kind == wiki.Moved {
			if key, ok := pageKey(ch.From); ok {
				names, err := b.authorsOf(ctx, key)
				if err != nil {
					return err
				}
				moved[key] = maps.Clone(names)
			}
		}
	}
	for key := range moved {
		b.authors[key], b.dirty[key] = map[string]bool{}, true
	}
	for _, ch := range c.Changes {
		if ch.Kind == wiki.Moved {
			if err := b.recordAttachment(ctx, ch.From, false); err != nil {
				return err
			}
		}
	}
	for _, ch := range c.Changes {
		key, ok := pageKey(ch.Path)
		if !ok {
			if err := b.recordAttachment(ctx, ch.Path, ch.Kind != wiki.Deleted); err != nil {
				return err
			}
			continue
		}
		b.dirty[key] = true
		from, wasPage := pageKey(ch.From)
		switch {
		case ch.Kind == wiki.Deleted:
			b.authors[key] = map[string]bool{}
			continue
		case ch.Kind == wiki.Moved && wasPage:
			b.authors[key] = moved[from]
		}
		names, err := b.authorsOf(ctx, key)
		if err != nil {
			return err
		}
		if c.Author.Username != "" && !c.Author.Imported { // imported names aren't verified
			names[foldText(c.Author.Username)] = true
			if c.Author.Agent != "" {
				names[foldText(c.Author.Agent)] = true
			}
		}
	}
	return nil
}

// recordAttachment records that a file is attached to its page, or no longer is.
func (b *batch) recordAttachment(ctx context.Context, file string, exists bool) error {
	dir := path.Dir(file)
	if _, page := pageKey(file); page || dir == "." || wiki.Hidden(file) {
		return nil
	}
	key := wiki.Key(dir)
	b.dirty[key] = true
	query := "DELETE FROM files WHERE page = $1 AND path = $2"
	if exists {
		query = "INSERT INTO files (page, path) VALUES ($1, $2) ON CONFLICT DO NOTHING"
	}
	return b.tx.Exec(ctx, query, key, file)
}

func (b *batch) authorsOf(ctx context.Context, key string) (map[string]bool, error) {
	if names, ok := b.authors[key]; ok {
		return names, nil
	}
	stored, err := queryColumn[string](ctx, b.tx, "SELECT author FROM authors WHERE key = $1", key)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, name := range stored {
		names[name] = true
	}
	b.authors[key] = names
	return names, nil
}

func (b *batch) saveAuthors(ctx context.Context, key string, names map[string]bool) error {
	if err := b.tx.Exec(ctx, "DELETE FROM authors WHERE key = $1", key); err != nil {
		return err
	}
	for name := range names {
		if err := b.tx.Exec(ctx, "INSERT INTO authors (key, author) VALUES ($1, $2)", key, name); err != nil {
			return err
		}
	}
	return nil
}

// currentFiles returns the existing files of the dirty pages by key.
func (b *batch) currentFiles(ctx context.Context) (map[string]wiki.File, error) {
	files := map[string]wiki.File{}
	if len(b.dirty) > maxLookups {
		list, err := b.w.List(ctx, "")
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			if key, ok := pageKey(f.Path); ok {
				files[key] = f
			}
		}
		return files, nil
	}
	for key := range b.dirty {
		f, err := b.w.Lookup(ctx, key+".md")
		if errors.Is(err, wiki.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if _, ok := pageKey(f.Path); ok {
			files[key] = f
		}
	}
	return files, nil
}

// indexPage updates a page's rows to match its file. The zero File removes them.
func (b *batch) indexPage(ctx context.Context, key string, f wiki.File) error {
	attached, err := queryColumn[string](ctx, b.tx, "SELECT path FROM files WHERE page = $1 ORDER BY path", key)
	if err != nil {
		return err
	}
	for i := range attached {
		attached[i] = path.Base(attached[i])
	}
	files := strings.Join(attached, "\n")
	has, err := b.loadRow(ctx, key)
	if err != nil {
		return err
	}
	name, _ := wiki.PageOf(f.Path)
	exists := f.Path != ""
	if has.id > 0 && exists && has.path == string(name) && has.blob == f.Blob && has.files == files {
		return nil
	}
	if has.id > 0 {
		if err := b.deletePage(ctx, has.id); err != nil {
			return err
		}
	}
	before, _ := pagePositions(has.name, has.title, has.sections)
	if !exists {
		if has.id > 0 {
			b.usedIDs = nil
			b.postings.replacePage(has.id, before, nil)
			return b.setChunks(ctx, has.id, nil)
		}
		return nil
	}
	source, err := b.w.Blob(ctx, f.Blob)
	if errors.Is(err, wiki.ErrTakenDown) {
		source, err = nil, nil // still found by name
	}
	if err != nil {
		return err
	}
	source, _ = wiki.DecodeText(source)
	p, err := b.analyze(ctx, name, f.Blob, source, attached)
	if err != nil {
		return err
	}
	p.row.id, p.row.files = has.id, files
	if p.row.id == 0 {
		if p.row.id, err = b.allocateID(ctx); err != nil {
			return err
		}
	}
	b.postings.replacePage(p.row.id, before, p.positions)
	if b.model != nil {
		if err := b.setChunks(ctx, p.row.id, p.chunks); err != nil {
			return err
		}
	}
	if err := b.insertPage(ctx, key, p.row, p.size, stemText(name.Title()), p.tags); err != nil {
		return err
	}
	return b.insertProperties(ctx, p.row.id, p.front)
}

// An analyzed is everything that the index stores about a page.
type analyzed struct {
	row       row // without id and files
	tags      []string
	front     []property.Property
	positions positions
	size      int
	chunks    []chunk
}

// analyze reads a page. A page that makes it panic is set aside: it is indexed by
// its name only.
func (b *batch) analyze(ctx context.Context, name wiki.PageName, blob string, source []byte, attached []string) (p analyzed, err error) {
	release, err := acquireDocument(ctx, b.documents, b.w, len(source))
	if err != nil {
		return p, err
	}
	defer release()
	read := func() error {
		d := newDocument(name, source, attached)
		p.row = row{path: string(name), blob: blob, name: stemText(string(d.name)), title: stemText(d.title), sections: d.sections}
		p.tags, p.front = d.tags, d.properties
		p.positions, p.size = pagePositions(p.row.name, p.row.title, p.row.sections)
		if b.model != nil {
			p.chunks = chunkPage(b.model, d)
		}
		return nil
	}
	err = b.background.Try(background.Job{Work: "index", Wiki: b.w.Slug(), Item: "blob " + blob}, read)
	if isAside(err) {
		source, p = nil, analyzed{}
		err = read() // if this panics too, so does the batch
	}
	return p, err
}

// A row is a page's entry in the index.
type row struct {
	id                int64 // 0 if there is none
	path, blob, files string
	name, title       string // stems; see stemText
	sections          []section
}

// loadRow returns a page's row, or the zero row.
func (b *batch) loadRow(ctx context.Context, key string) (has row, err error) {
	var packed string
	err = b.tx.Row(ctx, `SELECT p.id, p.path, p.blob, p.files, p.name, p.title, t.sections
		FROM pages p JOIN texts t ON t.page = p.id WHERE p.key = $1`, key).
		Scan(&has.id, &has.path, &has.blob, &has.files, &has.name, &has.title, &packed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return row{}, err
	}
	has.sections = unpackSections(packed)
	return has, nil
}

// allocateID returns the smallest unused page id.
func (b *batch) allocateID(ctx context.Context) (int64, error) {
	if b.usedIDs == nil {
		b.usedIDs = []bool{true} // 0 means no page
		ids, err := queryColumn[int](ctx, b.tx, "SELECT id FROM pages ORDER BY id")
		if err != nil {
			return 0, err
		}
		for _, id := range ids {
			b.usedIDs = append(b.usedIDs, make([]bool, max(0, id+1-len(b.usedIDs)))...)
			b.usedIDs[id] = true
		}
	}
	id := slices.Index(b.usedIDs, false)
	if id < 0 {
		id, b.usedIDs = len(b.usedIDs), append(b.usedIDs, false)
	}
	b.usedIDs[id] = true
	return int64(id), nil
}

// setChunks replaces a page's chunks. Unchanged chunks keep their vectors, so
// only changed ones are embedded again.
func (b *batch) setChunks(ctx context.Context, page int64, chunks []chunk) error {
	rows, err := b.tx.Rows(ctx, "SELECT id, hash FROM chunks WHERE page = $1", page)
	if err != nil {
		return err
	}
	defer rows.Close()
	has := map[string][]int64{}
	for rows.Next() {
		var id int64
		var hash []byte
		if err := rows.Scan(&id, &hash); err != nil {
			return err
		}
		has[string(hash)] = append(has[string(hash)], id)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(has)+len(chunks) > 0 {
		b.rechunked[page] = true
	}
	for n, c := range chunks {
		hash := c.hash()
		if ids := has[hash]; len(ids) > 0 {
			has[hash] = ids[1:]
			err = b.tx.Exec(ctx, "UPDATE chunks SET n = $1, first = $2, last = $3, start = $4 WHERE id = $5", n, c.first, c.last, c.start, ids[0])
		} else {
			err = b.tx.Exec(ctx, `INSERT INTO chunks (page, n, hash, first, last, start, text)
				VALUES ($1, $2, $3, $4, $5, $6, $7)`, page, n, []byte(hash), c.first, c.last, c.start, c.text)
		}
		if err != nil {
			return err
		}
	}
	for _, ids := range has {
		for _, id := range ids {
			if err := b.tx.Exec(ctx, "DELETE FROM chunks WHERE id = $1", id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *batch) deletePage(ctx context.Context, id int64) error {
	for _, query := range []string{
		"DELETE FROM tags WHERE page = $1",
		"DELETE FROM properties WHERE page = $1",
		"DELETE FROM texts WHERE page = $1",
		"DELETE FROM pages WHERE id = $1",
	} {
		if err := b.tx.Exec(ctx, query, id); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) insertPage(ctx context.Context, key string, r row, size int, last string, tags []string) error {
	err := b.tx.Exec(ctx, `INSERT INTO pages (id, key, path, blob, files, size, name, last, title)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, r.id, key, r.path, r.blob, r.files, size, r.name, last, r.title)
	if err != nil {
		return err
	}
	if err := b.tx.Exec(ctx, "INSERT INTO texts (page, sections) VALUES ($1, $2)", r.id, packSections(r.sections)); err != nil {
		return err
	}
	for _, tag := range tags {
		if err := b.tx.Exec(ctx, "INSERT INTO tags (tag, page) VALUES ($1, $2) ON CONFLICT DO NOTHING", foldText(tag), r.id); err != nil {
			return err
		}
	}
	return nil
}

// queryColumn returns the single column of a query's rows.
func queryColumn[T any](ctx context.Context, tx *sqlite.Statements, query string, args ...any) ([]T, error) {
	rows, err := tx.Rows(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		var s T
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}
