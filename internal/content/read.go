package content

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"strings"
	"time"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// Blob reads a blob by its whole id; ErrTakenDown if it is taken down.
func (w *Wiki) Blob(ctx context.Context, id string) ([]byte, error) {
	if err := w.MayRead(id); err != nil {
		return nil, err
	}
	data, err := w.blobs().read(ctx, id)
	if errors.Is(err, wiki.ErrDamaged) {
		w.pool.note(Damage{Slug: w.slug, Err: err})
	}
	return data, err
}

// CurrentBlob reads the blob of a current file. One that isn't stored is damage.
func (w *Wiki) CurrentBlob(ctx context.Context, f wiki.File) ([]byte, error) {
	data, err := w.Blob(ctx, f.Blob)
	if errors.Is(err, wiki.ErrNotFound) && !w.gone.Load() {
		err = damageError{errPart, err}
		w.pool.note(Damage{Slug: w.slug, Err: err})
	}
	return data, err
}

const fileColumns = `f.path, f.blob, f.mode, f.size, f.seq, c.oid, c.time, c.username, c.did, c.agent, c.client, c.grant_id, c.imported, c.message, ` + originColumn

func scanFile(row sqlite.Scanner, f *wiki.File) error {
	var at int64
	var origin string
	a := &f.Author
	err := row.Scan(&f.Path, &f.Blob, &f.Mode, &f.Size, &f.Seq, &f.Commit, &at, &a.Username, &a.DID, &a.Agent, &a.Client, &a.Grant, &a.Imported, &f.Message, &origin)
	setOrigin(a, origin)
	f.Modified = time.UnixMilli(at).UTC()
	return err
}

// Lookup finds a current file by its key. The Path of the result has the file's own
// spelling. If the data about its last commit is damaged, those fields are empty.
func (w *Wiki) Lookup(ctx context.Context, path string) (wiki.File, error) {
	var f wiki.File
	err := scanFile(w.queryRow(ctx, "SELECT "+fileColumns+" FROM files f JOIN commits c ON c.wiki = f.wiki AND c.seq = f.seq WHERE f.wiki = $1 AND f.key = $2 AND "+regularFiles, w.slug, wiki.Key(path)), &f)
	if errors.Is(err, wiki.ErrDamaged) { // the file without its author is better than nothing
		return w.Find(ctx, path)
	}
	return f, wrapError(err, "look up %s/%s", w.slug, path)
}

// Find is like Lookup but doesn't fill in the fields that come from the file's last
// commit. It can answer from memory.
func (w *Wiki) Find(ctx context.Context, path string) (wiki.File, error) {
	key := wiki.Key(path)
	if f, ok := w.recent.get(key); ok && !w.gone.Load() {
		return f, nil
	}
	var f wiki.File
	err := w.queryRow(ctx, "SELECT path, blob, mode, size, seq FROM files WHERE wiki = $1 AND key = $2 AND "+regularFiles, w.slug, key).
		Scan(&f.Path, &f.Blob, &f.Mode, &f.Size, &f.Seq)
	if errors.Is(err, wiki.ErrDamaged) {
		f, err = w.findInHistory(ctx, key)
	}
	return f, wrapError(err, "find %s/%s", w.slug, path)
}

// Read combines Lookup and Blob. Blobs never change, so the two are consistent.
func (w *Wiki) Read(ctx context.Context, path string) (wiki.File, []byte, error) {
	f, err := w.Lookup(ctx, path)
	if err != nil {
		return f, nil, err
	}
	data, err := w.CurrentBlob(ctx, f)
	return f, data, err
}

// List returns the current files below a folder ("" for all), without hidden ones,
// sorted by path.
func (w *Wiki) List(ctx context.Context, folder string) ([]wiki.File, error) {
	from, to := "", "\U0010FFFF"
	if folder != "" {
		from, to = folder+"/", folder+"0"
	}
	var list []wiki.File
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var f wiki.File
		err := scanFile(rows, &f)
		if !wiki.Hidden(f.Path) {
			list = append(list, f)
		}
		return err
	}, "SELECT "+fileColumns+" FROM files f JOIN commits c ON c.wiki = f.wiki AND c.seq = f.seq WHERE f.wiki = $1 AND f.path >= $2 AND f.path < $3 AND "+regularFiles+" ORDER BY f.path", w.slug, from, to)
	if err != nil {
		return nil, wrapError(err, "list %s/%s", w.slug, folder)
	}
	return list, nil
}

// maxNames limits the paths that an open wiki caches, in bytes.
const maxNames = 128 << 10

// Names returns all current paths, sorted. They are cached until the next commit. If
// the list is damaged, it returns the paths that can be read.
func (w *Wiki) Names(ctx context.Context) ([]string, error) {
	seq, _ := w.Head()
	if n := w.names.Load(); n != nil && n.seq == seq {
		return n.paths, nil
	}
	n := &names{seq: seq}
	size := 0
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var p string
		err := rows.Scan(&p)
		if !wiki.Hidden(p) {
			n.paths = append(n.paths, p)
			size += len(p) + 16
		}
		return err
	}, "SELECT path FROM files WHERE wiki = $1 AND "+regularFiles+" ORDER BY path", w.slug)
	if errors.Is(err, wiki.ErrDamaged) {
		return w.readableNames(ctx), nil
	}
	if err != nil {
		return nil, wrapError(err, "names of %s", w.slug)
	}
	if now, _ := w.Head(); now == seq && size <= maxNames { // otherwise there was a commit meanwhile
		w.names.Store(n)
	}
	return n.paths, nil
}

const revisionColumns = `h.path, h.from_path, h.kind, h.old, h.new, h.size, h.seq, c.oid, c.time, c.username, c.did, c.agent, c.client, c.grant_id, c.imported, c.message, ` + originColumn

// scanRevision reads revisionColumns, and the columns before them into first.
func scanRevision(row sqlite.Scanner, r *wiki.Revision, first ...any) error {
	var at int64
	var origin string
	a := &r.Author
	kind := (*string)(&r.Kind) // saves database/sql the reflection
	err := row.Scan(append(first, &r.Path, &r.From, kind, &r.Old, &r.New, &r.Size, &r.Seq, &r.Commit, &at, &a.Username, &a.DID, &a.Agent, &a.Client, &a.Grant, &a.Imported, &r.Message, &origin)...)
	setOrigin(a, origin)
	r.Time = time.UnixMilli(at).UTC()
	return err
}

// History lists a file's revisions before a seq (0 for all), newest first, through
// its moves, at most limit (50 if 0). ErrNotFound if there never was such a file.
func (w *Wiki) History(ctx context.Context, path string, before int64, limit int) ([]wiki.Revision, error) {
	return w.HistoryBy(ctx, path, LogFilter{Before: before, Limit: limit})
}

// HistoryBy is like History, for the revisions that match the filter's Author and
// Agents. Of the filter's other fields it uses only Before and Limit.
func (w *Wiki) HistoryBy(ctx context.Context, path string, f LogFilter) ([]wiki.Revision, error) {
	stays, err := staysBefore(ctx, w, w.slug, path, 0)
	if err != nil {
		return nil, err
	}
	return w.historyOf(ctx, path, stays, f)
}

// PastHistory is History of the file that had a path before a seq. Other files can
// have the path now.
func (w *Wiki) PastHistory(ctx context.Context, path string, asOf, before int64, limit int) ([]wiki.Revision, error) {
	stays, err := staysBefore(ctx, w, w.slug, path, asOf)
	if err != nil {
		return nil, err
	}
	if before == 0 || before > asOf {
		before = asOf
	}
	return w.historyOf(ctx, path, stays, LogFilter{Before: before, Limit: limit})
}

// historyOf is HistoryBy for a file's stays.
func (w *Wiki) historyOf(ctx context.Context, path string, stays []stay, f LogFilter) ([]wiki.Revision, error) {
	limit, before := f.Limit, f.Before
	if limit <= 0 {
		limit = 50
	}
	if before <= 0 {
		before = maxSeq
	}
	if len(stays) == 0 {
		return nil, wrapError(sql.ErrNoRows, "history of %s/%s", w.slug, path)
	}
	by, err := w.authorFilters(ctx, f)
	if errors.Is(err, errUnknownAuthor) {
		return nil, nil
	}
	if err != nil {
		return nil, wrapError(err, "history of %s/%s", w.slug, path)
	}
	list := make([]wiki.Revision, 0, min(limit, 50))
	for _, s := range stays {
		if len(list) == limit {
			break
		}
		query, args := "SELECT "+revisionColumns+" FROM changes h JOIN commits c ON c.wiki = h.wiki AND c.seq = h.seq WHERE h.wiki = $1 AND h.key = $2 AND h.seq >= $3 AND h.seq < $4 AND (h.seq > $3 OR h.kind <> 'deleted')",
			[]any{w.slug, s.key, s.from, min(s.to, before), limit - len(list)}
		for _, who := range by {
			query, args = appendCondition(query, args, who.sql, who.args...)
		}
		// If a file moved onto one that was deleted in the same commit, the
		// deletion belongs to the other file's history.
		err := forEachRow(ctx, w, func(rows *sql.Rows) error {
			list = append(list, wiki.Revision{})
			return scanRevision(rows, &list[len(list)-1])
		}, query+" ORDER BY h.seq DESC LIMIT $5 + 0", args...) // SQLite would plan again for each value of a bare $5
		if err != nil {
			return nil, wrapError(err, "history of %s/%s", w.slug, path)
		}
	}
	return list, nil
}

var hexID = regexp.MustCompile(`^[0-9a-f]{7,40}$`)

// hexRange returns the bounds of all ids that begin with the digits.
func hexRange(digits string) (from, to string) { return digits, digits + "g" }

// ReadAt returns a file as of a revision: a commit id (at least 7 digits) means the
// file after that commit, with the name it had then; a blob id (at least 8) means
// the blob's newest occurrence in the file's history. It fails with ErrNotFound, or
// with ErrInvalid if the digits match several. Path can be a current, former or
// deleted name. If the file that has it now is younger than the commit, it means
// the file that had it then.
func (w *Wiki) ReadAt(ctx context.Context, path, revision string) (wiki.File, []byte, error) {
	revision = strings.ToLower(revision)
	if !hexID.MatchString(revision) {
		return wiki.File{}, nil, wiki.Problemf(wiki.ErrInvalid, "revision", "%.50q isn't a revision. Use at least 7 digits of a commit id, or 8 of a revision.", revision)
	}
	stays, err := listStays(ctx, w, w.slug, path)
	if err != nil {
		return wiki.File{}, nil, err
	}
	c, err := w.CommitByID(ctx, revision)
	switch {
	case err == nil:
		return w.readAsOf(ctx, path, stays, c.Seq)
	case !errors.Is(err, wiki.ErrNotFound) || len(revision) < 8:
		return wiki.File{}, nil, err
	}
	return w.readByBlobPrefix(ctx, path, stays, revision)
}

func (w *Wiki) readAsOf(ctx context.Context, path string, stays []stay, seq int64) (wiki.File, []byte, error) {
	for _, s := range stays {
		if s.from <= seq && seq < s.to {
			return w.readNewestInStay(ctx, path, stay{s.key, s.from, seq + 1}, "")
		}
	}
	key := wiki.Key(path)
	f, data, err := w.readNewestInStay(ctx, path, stay{key, 0, seq + 1}, "")
	if err != nil {
		return f, nil, err
	}
	left, err := findDeparture(ctx, w, w.slug, key, f.Seq, seq, true)
	if err == nil && left.seq > 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return wiki.File{}, nil, wrapError(err, "%s/%s as of commit %d", w.slug, path, seq)
	}
	return f, data, nil
}

// readByBlobPrefix finds the blobs that match the digits, hardly ever more than one,
// and returns the one that the file had.
func (w *Wiki) readByBlobPrefix(ctx context.Context, path string, stays []stay, digits string) (wiki.File, []byte, error) {
	from, to := hexRange(digits)
	var ids []string
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, "SELECT oid FROM blobs WHERE wiki = $1 AND oid >= $2 AND oid < $3 LIMIT 100", w.slug, from, to)
	if err != nil {
		return wiki.File{}, nil, wrapError(err, "%s/%s at %s", w.slug, path, digits)
	}
	var found wiki.File
	var text []byte
	for _, id := range ids {
		f, data, err := w.readNewestWithBlob(ctx, path, stays, id)
		switch {
		case errors.Is(err, wiki.ErrNotFound):
		case err != nil:
			return wiki.File{}, nil, err
		case found.Blob != "":
			return wiki.File{}, nil, wiki.Problemf(wiki.ErrInvalid, "revision", "%q matches several revisions. Use more digits.", digits)
		default:
			found, text = f, data
		}
	}
	if found.Blob == "" {
		return found, nil, wrapError(sql.ErrNoRows, "%s/%s at %s", w.slug, path, digits)
	}
	return found, text, nil
}

// readNewestWithBlob finds the newest occurrence of a blob in a file's history, or
// in that of other files that had its name.
func (w *Wiki) readNewestWithBlob(ctx context.Context, path string, stays []stay, blob string) (wiki.File, []byte, error) {
	for _, s := range stays {
		f, data, err := w.readNewestInStay(ctx, path, s, blob)
		if !errors.Is(err, wiki.ErrNotFound) {
			return f, data, err
		}
	}
	return w.readNewestInStay(ctx, path, stay{wiki.Key(path), 0, maxSeq}, blob)
}

// readNewestInStay reads the newest revision in a stay, with the given blob unless
// that is "".
func (w *Wiki) readNewestInStay(ctx context.Context, path string, s stay, blob string) (wiki.File, []byte, error) {
	var r wiki.Revision
	var mode uint32
	err := scanRevision(w.queryRow(ctx, "SELECT h.mode, "+revisionColumns+" FROM changes h JOIN commits c ON c.wiki = h.wiki AND c.seq = h.seq WHERE h.wiki = $1 AND h.key = $2 AND h.seq >= $3 AND h.seq < $4 AND ($5 = '' OR h.new = $5) AND "+regularFiles+" ORDER BY h.seq DESC, h.n DESC LIMIT 1",
		w.slug, s.key, s.from, s.to, blob), &r, &mode)
	if err == nil && r.Kind == wiki.Deleted {
		err = sql.ErrNoRows
	}
	if err != nil {
		return wiki.File{}, nil, wrapError(err, "%s/%s in commits %d to %d", w.slug, path, s.from, s.to)
	}
	data, err := w.Blob(ctx, r.New)
	if err != nil {
		return wiki.File{}, nil, err
	}
	return wiki.File{Path: r.Path, Blob: r.New, Mode: mode, Size: r.Size, Seq: r.Seq, Commit: r.Commit, Modified: r.Time, Author: r.Author, Message: r.Message}, data, nil
}
