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
	"robot.wtf/internal/wiki"
)

// commitsAtOnce is how many commits are brought in by one transaction.
const commitsAtOnce = 1000

// lookUpAtMost is how many files of a batch are looked up one by one; for more
// the whole list is read.
const lookUpAtMost = 20

// catchUp brings the index to the wiki's head as it is now. It goes on when the
// caller goes away: whoever comes next needs it as well.
func (x *index) catchUp(ctx context.Context, w *content.Wiki) error {
	var head position
	head.seq, head.id = w.Head()
	if at := x.at.Load(); at != nil && *at == head {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	x.following.Lock()
	defer x.following.Unlock()
	for done := false; !done; {
		err := x.use(ctx, func(db *sql.DB) (err error) {
			done, err = x.step(ctx, db, w)
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
func (x *index) step(ctx context.Context, db *sql.DB, w *content.Wiki) (done bool, err error) {
	at := *x.at.Load()
	var head position
	head.seq, head.id = w.Head()
	switch {
	case at == head:
		return true, nil
	case at.seq >= head.seq:
		return false, fmt.Errorf("%w: it is at commit %d, the wiki at %d", errStale, at.seq, head.seq)
	}
	commits, err := w.Log(ctx, content.LogFilter{After: at.seq, Ascending: true, Limit: commitsAtOnce})
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
	next := position{last.Seq, last.ID}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() // does nothing after a commit
	b := batch{tx: tx, w: w, authors: map[string]map[string]bool{}, dirty: map[string]bool{}}
	if err := b.apply(ctx, commits); err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE meta SET seq = $1, head = $2", next.seq, next.id); err != nil {
		return false, err
	}
	if err := tx.Commit(); err != nil {
		return false, err
	}
	x.at.Store(&next)
	return false, nil
}

// A batch applies commits. Pages are indexed as they are now, which may be
// later than the batch's last commit; the later commits then find nothing to do.
type batch struct {
	tx      *sql.Tx
	w       *content.Wiki
	authors map[string]map[string]bool // of each page key that the batch touches
	dirty   map[string]bool            // keys of pages to be looked at
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

func (b *batch) apply(ctx context.Context, commits []wiki.Commit) error {
	for _, c := range commits {
		if err := b.follow(ctx, c); err != nil {
			return err
		}
	}
	for key, who := range b.authors {
		if err := b.saveAuthors(ctx, key, who); err != nil {
			return err
		}
	}
	files, err := b.current(ctx)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(b.dirty)) {
		if err := b.index(ctx, key, files[key]); err != nil {
			return fmt.Errorf("index %s: %w", key, err)
		}
	}
	return nil
}

// follow notes what one commit changed. Moves are read before any is made, for
// two pages may have changed places.
func (b *batch) follow(ctx context.Context, c wiki.Commit) error {
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
			if err := b.attach(ctx, ch.From, false); err != nil {
				return err
			}
		}
	}
	for _, ch := range c.Changes {
		key, ok := pageKey(ch.Path)
		if !ok {
			if err := b.attach(ctx, ch.Path, ch.Kind != wiki.Deleted); err != nil {
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
			who[bare(c.Author.Username)] = true
			if c.Author.Agent != "" {
				who[bare(c.Author.Agent)] = true
			}
		}
	}
	return nil
}

// attach notes that a file lies below its page, or no longer does.
func (b *batch) attach(ctx context.Context, file string, there bool) error {
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
	_, err := b.tx.ExecContext(ctx, query, key, file)
	return err
}

func (b *batch) authorsOf(ctx context.Context, key string) (map[string]bool, error) {
	if who, ok := b.authors[key]; ok {
		return who, nil
	}
	names, err := column(ctx, b.tx, "SELECT author FROM authors WHERE key = $1", key)
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
	if _, err := b.tx.ExecContext(ctx, "DELETE FROM authors WHERE key = $1", key); err != nil {
		return err
	}
	for name := range who {
		if _, err := b.tx.ExecContext(ctx, "INSERT INTO authors (key, author) VALUES ($1, $2)", key, name); err != nil {
			return err
		}
	}
	return nil
}

// current finds the files of the dirty pages that there are.
func (b *batch) current(ctx context.Context) (map[string]wiki.File, error) {
	files := map[string]wiki.File{}
	if len(b.dirty) > lookUpAtMost {
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
func (b *batch) index(ctx context.Context, key string, f wiki.File) error {
	attached, err := column(ctx, b.tx, "SELECT path FROM files WHERE page = $1 ORDER BY path", key)
	if err != nil {
		return err
	}
	for i := range attached {
		attached[i] = path.Base(attached[i])
	}
	files := strings.Join(attached, "\n")
	var id int64
	var has struct{ path, blob, files string }
	err = b.tx.QueryRowContext(ctx, "SELECT id, path, blob, files FROM pages WHERE key = $1", key).Scan(&id, &has.path, &has.blob, &has.files)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	name, _ := wiki.PageOf(f.Path)
	switch {
	case err == nil && f.Path != "" && has.path == string(name) && has.blob == f.Blob && has.files == files:
		return nil
	case err == nil:
		if err := b.drop(ctx, id); err != nil {
			return err
		}
	}
	if f.Path == "" {
		return nil
	}
	source, err := b.w.Blob(ctx, f.Blob)
	if err != nil {
		return err
	}
	return b.add(ctx, key, f.Blob, newDocument(name, source, attached))
}

func (b *batch) drop(ctx context.Context, id int64) error {
	for _, query := range []string{
		"DELETE FROM words WHERE rowid = $1",
		"DELETE FROM tags WHERE page = $1",
		"DELETE FROM texts WHERE page = $1",
		"DELETE FROM pages WHERE id = $1",
	} {
		if _, err := b.tx.ExecContext(ctx, query, id); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) add(ctx context.Context, key, blob string, d document) error {
	var id int64
	err := b.tx.QueryRowContext(ctx, `INSERT INTO pages (key, path, blob, files, name, last, title)
		VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`,
		key, string(d.name), blob, strings.Join(d.files, "\n"),
		indexed(string(d.name)), indexed(d.name.Title()), indexed(d.title)).Scan(&id)
	if err != nil {
		return err
	}
	if _, err := b.tx.ExecContext(ctx, "INSERT INTO texts (page, sections) VALUES ($1, $2)", id, pack(d.sections)); err != nil {
		return err
	}
	heads, body := d.words()
	_, err = b.tx.ExecContext(ctx, "INSERT INTO words (rowid, name, heads, body) VALUES ($1, $2, $3, $4)",
		id, indexed(string(d.name)+" "+d.title), heads, body)
	if err != nil {
		return err
	}
	for _, tag := range d.tags {
		if _, err := b.tx.ExecContext(ctx, "INSERT INTO tags (tag, page) VALUES ($1, $2) ON CONFLICT DO NOTHING", bare(tag), id); err != nil {
			return err
		}
	}
	return nil
}

// column reads the one column of a query.
func column(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var s string
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
}

func newDocument(name wiki.PageName, source []byte, files []string) document {
	facts := markdown.ExtractFacts(name, source)
	d := document{name: name, title: clean(facts.Title), tags: facts.Tags, files: files}
	lines := lineStarts(source)
	for _, s := range markdown.Sections(source) {
		from, to := min(max(s.StartLine-1, 0), len(lines)-1), min(max(s.EndLine, 0), len(lines)-1)
		if from >= to {
			continue
		}
		out := section{line: s.StartLine, text: clean(uncommented(markdown.PlainText(source[lines[from]:lines[to]])))}
		if len(s.Path) > 0 {
			out.heading = clean(s.Path[len(s.Path)-1])
			out.text = strings.TrimSpace(strings.TrimPrefix(out.text, out.heading))
		}
		d.sections = append(d.sections, out)
	}
	// What is found by its tags and attachments should show them.
	if len(d.tags) > 0 {
		d.sections = append(d.sections, section{text: "Tags: " + clean(strings.Join(d.tags, ", "))})
	}
	if len(files) > 0 {
		d.sections = append(d.sections, section{text: "Attachments: " + clean(strings.Join(files, ", "))})
	}
	return d
}

// uncommented drops HTML comments: readers do not see them, so a snippet must
// not show them to an agent. It does so in code as well, which is little loss.
func uncommented(text string) string {
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

// words are the indexed words of headings (with tags and attachments, which
// tell as much of what a page is about) and of the text.
func (d document) words() (heads, body string) {
	var h, b strings.Builder
	for _, s := range d.sections {
		if s.line == 0 {
			h.WriteString(indexed(s.text))
			continue
		}
		h.WriteString(indexed(s.heading))
		b.WriteString(indexed(s.text))
	}
	return h.String(), b.String()
}

// Separators that clean leaves in no text.
const (
	fieldEnd   = "\x1f"
	sectionEnd = "\x1e"
)

// pack makes one string of sections, and unpack them of it again.
func pack(list []section) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%d%s%s%s%s%s", s.line, fieldEnd, s.heading, fieldEnd, s.text, sectionEnd)
	}
	return b.String()
}

func unpack(packed string) []section {
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
