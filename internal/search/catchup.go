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

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// commitsAtOnce is how many commits are brought in by one transaction.
const commitsPerStep = 1000

// lookUpAtMost is how many files of a batch are looked up one by one; for more
// the whole list is read.
const maxLookups = 20

// catchUp brings the index to the wiki's head as it is now. It goes on when the
// caller goes away: whoever comes next needs it as well.
func (x *index) catchUp(ctx context.Context, w *content.Wiki) error {
	var head cursor
	head.seq, head.id = w.Head()
	if at := x.cursor.Load(); at != nil && *at == head {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	x.catchUpMu.Lock()
	defer x.catchUpMu.Unlock()
	for done := false; !done; {
		err := x.withDB(ctx, func(db *sql.DB) (err error) {
			done, err = x.indexNextCommits(ctx, db, w)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// step applies the next commits in one transaction, and reports whether there
// are no more.
func (x *index) indexNextCommits(ctx context.Context, db *sql.DB, w *content.Wiki) (done bool, err error) {
	at := *x.cursor.Load()
	var head cursor
	head.seq, head.id = w.Head()
	switch {
	case at == head:
		return true, nil
	case at.seq >= head.seq:
		return false, fmt.Errorf("%w: it is at commit %d, the wiki at %d", errStale, at.seq, head.seq)
	}
	commits, err := w.Log(ctx, content.LogFilter{After: at.seq, Ascending: true, Limit: commitsPerStep})
	if err != nil {
		return false, err
	}
	if len(commits) == 0 {
		return false, fmt.Errorf("no commits after %d, though the head is %d", at.seq, head.seq)
	}
	if first := commits[0]; at.seq > 0 && (len(first.Parents) == 0 || first.Parents[0] != at.id) {
		return false, fmt.Errorf("%w: commit %d does not follow the one it has", errStale, first.Seq)
	}
	last := commits[len(commits)-1]
	next := cursor{last.Seq, last.ID}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() // does nothing after a commit
	b := batch{tx: sqlite.NewStatements(tx, 0), w: w, authors: map[string]map[string]bool{}, dirty: map[string]bool{}, postings: newPostings(), model: x.model}
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
	if b.chunksChanged {
		x.vectors.Store(nil)
	}
	x.recordBacklog(left)
	return false, nil
}

// A batch applies commits. Pages are indexed as they are now, which may be
// later than the batch's last commit; the later commits then find nothing to do.
type batch struct {
	tx            *sqlite.Statements // the transaction's end closes them
	w             *content.Wiki
	authors       map[string]map[string]bool // of each page key that the batch touches
	dirty         map[string]bool            // keys of pages to be looked at
	postings      *postings
	model         Model
	chunksChanged bool   // chunks changed
	usedIDs       []bool // page ids; read when the first new page comes
}

// pageKey is the look-up key of a page's file without ".md", or false for
// other files and those that are never served.
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
	for key, who := range b.authors {
		if err := b.saveAuthors(ctx, key, who); err != nil {
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

// follow notes what one commit changed. Moves are read before any is made, for
// two pages may have changed places.
func (b *batch) recordCommit(ctx context.Context, c wiki.Commit) error {
	moved := map[string]map[string]bool{}
	for _, ch := range c.Changes {
		if ch.Kind == wiki.Moved {
			if key, ok := pageKey(ch.From); ok {
				who, err := b.authorsOf(ctx, key)
				if err != nil {
					return err
				}
				moved[key] = maps.Clone(who)
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
		who, err := b.authorsOf(ctx, key)
		if err != nil {
			return err
		}
		if c.Author.Username != "" && !c.Author.Imported { // an import's names prove nothing
			who[foldText(c.Author.Username)] = true
			if c.Author.Agent != "" {
				who[foldText(c.Author.Agent)] = true
			}
		}
	}
	return nil
}

// attach notes that a file lies below its page, or no longer does.
func (b *batch) recordAttachment(ctx context.Context, file string, there bool) error {
	dir := path.Dir(file)
	if _, page := pageKey(file); page || dir == "." || wiki.Hidden(file) {
		return nil
	}
	key := wiki.Key(dir)
	b.dirty[key] = true
	query := "DELETE FROM files WHERE page = $1 AND path = $2"
	if there {
		query = "INSERT INTO files (page, path) VALUES ($1, $2) ON CONFLICT DO NOTHING"
	}
	return b.tx.Exec(ctx, query, key, file)
}

func (b *batch) authorsOf(ctx context.Context, key string) (map[string]bool, error) {
	if who, ok := b.authors[key]; ok {
		return who, nil
	}
	names, err := queryColumn[string](ctx, b.tx, "SELECT author FROM authors WHERE key = $1", key)
	if err != nil {
		return nil, err
	}
	who := map[string]bool{}
	for _, name := range names {
		who[name] = true
	}
	b.authors[key] = who
	return who, nil
}

func (b *batch) saveAuthors(ctx context.Context, key string, who map[string]bool) error {
	if err := b.tx.Exec(ctx, "DELETE FROM authors WHERE key = $1", key); err != nil {
		return err
	}
	for name := range who {
		if err := b.tx.Exec(ctx, "INSERT INTO authors (key, author) VALUES ($1, $2)", key, name); err != nil {
			return err
		}
	}
	return nil
}

// current finds the files of the dirty pages that there are.
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

// index makes a page's row what its file says now; without a file it goes.
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
	there := f.Path != ""
	if has.id > 0 && there && has.path == string(name) && has.blob == f.Blob && has.files == files {
		return nil
	}
	if has.id > 0 {
		if err := b.deletePage(ctx, has.id); err != nil {
			return err
		}
	}
	before, _ := pagePositions(has.name, has.title, has.sections)
	if !there {
		if has.id > 0 {
			b.usedIDs = nil
			b.postings.replacePage(has.id, before, nil)
			return b.setChunks(ctx, has.id, nil)
		}
		return nil
	}
	source, err := b.w.Blob(ctx, f.Blob)
	if errors.Is(err, wiki.ErrTakenDown) {
		source, err = nil, nil // the page is found by its name alone
	}
	if err != nil {
		return err
	}
	d := newDocument(name, source, attached)
	now := row{id: has.id, path: string(name), blob: f.Blob, files: files,
		name: stemText(string(d.name)), title: stemText(d.title), sections: d.sections}
	if now.id == 0 {
		if now.id, err = b.allocateID(ctx); err != nil {
			return err
		}
	}
	after, size := pagePositions(now.name, now.title, now.sections)
	b.postings.replacePage(now.id, before, after)
	if b.model != nil {
		if err := b.setChunks(ctx, now.id, chunkPage(b.model, d)); err != nil {
			return err
		}
	}
	return b.insertPage(ctx, key, now, size, stemText(d.name.Title()), d.tags)
}

// A row is what the index has of a page.
type row struct {
	id                int64 // 0 for none
	path, blob, files string
	name, title       string // indexed words
	sections          []section
}

// stored is the row of a page, or the zero one.
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

// freeID takes the smallest id that no page has.
func (b *batch) allocateID(ctx context.Context) (int64, error) {
	if b.usedIDs == nil {
		b.usedIDs = []bool{true} // 0 is none
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

// cutInto makes the chunks of a page these. Those that it has already keep their
// vectors.
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
	b.chunksChanged = b.chunksChanged || len(has)+len(chunks) > 0
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

// column reads the one column of a query.
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

// A document is a page as the index sees it.
type document struct {
	name     wiki.PageName
	title    string // from the front matter, or ""
	tags     []string
	files    []string // names of attachments
	sections []section
}

// A section is what stands below one heading, as people read it.
type section struct {
	heading string // "" for the lead
	line    int    // of the heading, from 1; 0 for what is no part of the source
	text    string // clean: one line, without markup

	path []string // headings down to this one; of a document that is read anew only
}

func newDocument(name wiki.PageName, source []byte, files []string) document {
	facts := markdown.ExtractFacts(name, source)
	d := document{name: name, title: cleanText(facts.Title), tags: facts.Tags, files: files}
	lines := lineStarts(source)
	for _, s := range markdown.Sections(source) {
		from, to := min(max(s.StartLine-1, 0), len(lines)-1), min(max(s.EndLine, 0), len(lines)-1)
		if from >= to {
			continue
		}
		out := section{line: s.StartLine, text: cleanText(stripComments(markdown.PlainText(source[lines[from]:lines[to]])))}
		if len(s.Path) > 0 {
			out.path = cleanTexts(s.Path)
			out.heading = out.path[len(out.path)-1]
			out.text = strings.TrimSpace(strings.TrimPrefix(out.text, out.heading))
		}
		d.sections = append(d.sections, out)
	}
	// What is found by its tags and attachments should show them.
	if len(d.tags) > 0 {
		d.sections = append(d.sections, section{text: "Tags: " + cleanText(strings.Join(d.tags, ", "))})
	}
	if len(files) > 0 {
		d.sections = append(d.sections, section{text: "Attachments: " + cleanText(strings.Join(files, ", "))})
	}
	return d
}

func cleanTexts(list []string) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = cleanText(list[i])
	}
	return out
}

// uncommented drops HTML comments: readers do not see them, so a snippet must
// not show them to an agent. It does so in code as well, which is little loss.
func stripComments(text string) string {
	var b strings.Builder
	for {
		before, after, opened := strings.Cut(text, "<!--")
		_, rest, closed := strings.Cut(after, "-->")
		if !opened || !closed {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(before + " ")
		text = rest
	}
}

// lineStarts are the offsets of all lines, and the end of the source.
func lineStarts(source []byte) []int {
	starts := []int{0}
	for i, c := range source {
		if c == '\n' && i+1 < len(source) {
			starts = append(starts, i+1)
		}
	}
	return append(starts, len(source))
}

// Separators that clean leaves in no text.
const (
	fieldEnd   = "\x1f"
	sectionEnd = "\x1e"
)

// pack makes one string of sections, and unpack them of it again.
func packSections(list []section) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%d%s%s%s%s%s", s.line, fieldEnd, s.heading, fieldEnd, s.text, sectionEnd)
	}
	return b.String()
}

func unpackSections(packed string) []section {
	var list []section
	for packed != "" {
		var s section
		var one, line string
		one, packed, _ = strings.Cut(packed, sectionEnd)
		line, one, _ = strings.Cut(one, fieldEnd)
		s.heading, s.text, _ = strings.Cut(one, fieldEnd)
		for _, c := range []byte(line) {
			s.line = s.line*10 + int(c-'0')
		}
		list = append(list, s)
	}
	return list
}
