package content

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"robot.wtf/internal/wiki"
)

// A querier is a wiki, or a transaction on it.
type querier interface {
	row(ctx context.Context, query string, args ...any) scanner
	rows(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

var deflaters = sync.Pool{New: func() any { w, _ := flate.NewWriter(nil, flate.BestSpeed); return w }}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(data)/2 + 64)
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&b)
	w.Write(data) // to memory: cannot fail
	w.Close()
	return b.Bytes()
}

func inflate(data []byte, size int64) ([]byte, error) {
	out := make([]byte, size)
	r := flate.NewReader(bytes.NewReader(data))
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, err
	}
	return out, nil
}

func notFound(err error, what string, args ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("content: %s: %w", fmt.Sprintf(what, args...), wiki.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("content: %s: %w", fmt.Sprintf(what, args...), storageError(err))
	}
	return nil
}

func readBlob(ctx context.Context, q querier, slug, id string) ([]byte, error) {
	var size int64
	var data []byte
	if err := q.row(ctx, "SELECT size, data FROM blobs WHERE wiki = $1 AND oid = $2", slug, id).Scan(&size, &data); err != nil {
		return nil, notFound(err, "blob %s/%s", slug, id)
	}
	out, err := inflate(data, size)
	if err != nil {
		return nil, fmt.Errorf("content: blob %s/%s: %w", slug, id, err)
	}
	return out, nil
}

// Blob reads a blob by its whole id.
func (w *Wiki) Blob(ctx context.Context, id string) ([]byte, error) {
	return readBlob(ctx, w, w.slug, id)
}

const fileColumns = `f.path, f.blob, f.mode, f.size, f.seq, c.oid, c.time, c.username, c.did, c.agent, c.client, c.grant_id, c.imported, c.message`

func scanFile(row scanner, f *wiki.File) error {
	var at int64
	a := &f.Author
	err := row.Scan(&f.Path, &f.Blob, &f.Mode, &f.Size, &f.Seq, &f.Commit, &at, &a.Username, &a.DID, &a.Agent, &a.Client, &a.Grant, &a.Imported, &f.Message)
	f.Modified = time.UnixMilli(at).UTC()
	return err
}

// Lookup finds a current file by its key; its Path is how it is spelled.
func (w *Wiki) Lookup(ctx context.Context, path string) (wiki.File, error) {
	var f wiki.File
	err := scanFile(w.row(ctx, "SELECT "+fileColumns+" FROM files f JOIN commits c ON c.wiki = f.wiki AND c.seq = f.seq WHERE f.wiki = $1 AND f.key = $2", w.slug, wiki.Key(path)), &f)
	return f, notFound(err, "look up %s/%s", w.slug, path)
}

// Read is Lookup and Blob. Blobs never change, so the two agree.
func (w *Wiki) Read(ctx context.Context, path string) (wiki.File, []byte, error) {
	f, err := w.Lookup(ctx, path)
	if err != nil {
		return f, nil, err
	}
	data, err := w.Blob(ctx, f.Blob)
	return f, data, err
}

// List gives the current files below a folder ("" for all), hidden ones
// excepted, sorted by path.
func (w *Wiki) List(ctx context.Context, folder string) ([]wiki.File, error) {
	from, to := "", "\U0010FFFF"
	if folder != "" {
		from, to = folder+"/", folder+"0"
	}
	rows, err := w.rows(ctx, "SELECT "+fileColumns+" FROM files f JOIN commits c ON c.wiki = f.wiki AND c.seq = f.seq WHERE f.wiki = $1 AND f.path >= $2 AND f.path < $3 ORDER BY f.path", w.slug, from, to)
	if err != nil {
		return nil, notFound(err, "list %s/%s", w.slug, folder)
	}
	defer rows.Close()
	var list []wiki.File
	for rows.Next() {
		var f wiki.File
		if err := scanFile(rows, &f); err != nil {
			return nil, notFound(err, "list %s/%s", w.slug, folder)
		}
		if !wiki.Hidden(f.Path) {
			list = append(list, f)
		}
	}
	return list, notFound(rows.Err(), "list %s/%s", w.slug, folder)
}

// Names gives all current paths, sorted; from memory when nothing changed.
func (w *Wiki) Names(ctx context.Context) ([]string, error) {
	seq, _ := w.Head()
	if n := w.names.Load(); n != nil && n.seq == seq {
		return n.paths, nil
	}
	rows, err := w.rows(ctx, "SELECT path FROM files WHERE wiki = $1 ORDER BY path", w.slug)
	if err != nil {
		return nil, notFound(err, "names of %s", w.slug)
	}
	defer rows.Close()
	n := &names{seq: seq}
	for rows.Next() {
		var p string
		if err := rows.Scan(&p); err != nil {
			return nil, notFound(err, "names of %s", w.slug)
		}
		if !wiki.Hidden(p) {
			n.paths = append(n.paths, p)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, notFound(err, "names of %s", w.slug)
	}
	if now, _ := w.Head(); now == seq { // else a commit came in between
		w.names.Store(n)
	}
	return n.paths, nil
}

// movedTo follows the moves of a path.
func movedTo(ctx context.Context, q querier, slug, key string) (string, error) {
	var after int64
	seen := map[string]bool{}
	for !seen[key] {
		seen[key] = true
		var path, next string
		var seq int64
		err := q.row(ctx, "SELECT path, key, seq FROM changes WHERE wiki = $1 AND from_key = $2 AND from_key <> '' AND seq > $3 ORDER BY seq DESC LIMIT 1", slug, key, after).Scan(&path, &next, &seq)
		if err != nil {
			return "", notFound(err, "moves of %s/%s", slug, key)
		}
		err = q.row(ctx, "SELECT path FROM files WHERE wiki = $1 AND key = $2", slug, next).Scan(&path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return "", notFound(err, "moves of %s/%s", slug, key)
		}
		key, after = next, seq
	}
	return "", fmt.Errorf("content: moves of %s/%s: %w", slug, key, wiki.ErrNotFound)
}

// MovedTo is where a former path leads now, through any number of moves;
// ErrNotFound if it was never moved or its last name is deleted.
func (w *Wiki) MovedTo(ctx context.Context, path string) (string, error) {
	return movedTo(ctx, w, w.slug, wiki.Key(path))
}

// A step is one stretch of a file's life under one key, seqs [from, to).
type step struct {
	key      string
	from, to int64
}

const forever = int64(1) << 62

// life lists the keys that a file had, newest first. It ends where a file of
// that name was moved away, for what came before is the other file's life. A
// deleted path is found as it last was.
func (w *Wiki) life(ctx context.Context, path string) ([]step, error) {
	key, err := w.lastKey(ctx, wiki.Key(path))
	if err != nil {
		return nil, notFound(err, "history of %s/%s", w.slug, path)
	}
	until := forever
	var steps []step
	for {
		var to, from string
		var seq int64
		err := w.row(ctx, `SELECT key, from_key, seq FROM (
			SELECT key, from_key, seq FROM changes WHERE wiki = $1 AND key = $2 AND seq < $3 AND from_key <> '' AND from_key <> key
			UNION ALL SELECT key, from_key, seq FROM changes WHERE wiki = $1 AND from_key = $2 AND seq < $3 AND from_key <> '' AND from_key <> key)
			ORDER BY seq DESC LIMIT 1`, w.slug, key, until).Scan(&to, &from, &seq)
		if errors.Is(err, sql.ErrNoRows) {
			return append(steps, step{key, 0, until}), nil
		}
		if err != nil {
			return nil, notFound(err, "history of %s/%s", w.slug, path)
		}
		if from == key {
			return append(steps, step{key, seq + 1, until}), nil
		}
		steps = append(steps, step{key, seq, until})
		key, until = from, seq
	}
}

// lastKey is the key that a file has now, or had last before it was deleted.
func (w *Wiki) lastKey(ctx context.Context, key string) (string, error) {
	var after int64
	for {
		var exists bool
		if err := w.row(ctx, "SELECT EXISTS (SELECT 1 FROM files WHERE wiki = $1 AND key = $2)", w.slug, key).Scan(&exists); err != nil || exists {
			return key, err
		}
		var to string
		var seq int64
		err := w.row(ctx, `SELECT key, seq FROM changes WHERE wiki = $1 AND from_key = $2 AND from_key <> '' AND from_key <> key AND seq > $3
			AND NOT EXISTS (SELECT 1 FROM changes later WHERE later.wiki = $1 AND later.key = $2 AND later.seq > changes.seq)
			ORDER BY seq DESC LIMIT 1`, w.slug, key, after).Scan(&to, &seq)
		if errors.Is(err, sql.ErrNoRows) {
			return key, nil
		}
		if err != nil {
			return "", err
		}
		key, after = to, seq
	}
}

const revisionColumns = `h.path, h.from_path, h.kind, h.old, h.new, h.size, h.mode, h.seq, c.oid, c.time, c.username, c.did, c.agent, c.client, c.grant_id, c.imported, c.message`

func scanRevision(row scanner, r *wiki.Revision, mode *uint32) error {
	var at int64
	a := &r.Author
	err := row.Scan(&r.Path, &r.From, &r.Kind, &r.Old, &r.New, &r.Size, mode, &r.Seq, &r.Commit, &at, &a.Username, &a.DID, &a.Agent, &a.Client, &a.Grant, &a.Imported, &r.Message)
	r.Time = time.UnixMilli(at).UTC()
	return err
}

// History lists a file's revisions, newest first, through its moves, those
// before a seq (0 for all), at most limit (0: 50).
func (w *Wiki) History(ctx context.Context, path string, before int64, limit int) ([]wiki.Revision, error) {
	if limit <= 0 {
		limit = 50
	}
	if before <= 0 {
		before = forever
	}
	steps, err := w.life(ctx, path)
	if err != nil {
		return nil, err
	}
	var list []wiki.Revision
	for _, s := range steps {
		if len(list) == limit {
			break
		}
		rows, err := w.rows(ctx, "SELECT "+revisionColumns+" FROM changes h JOIN commits c ON c.wiki = h.wiki AND c.seq = h.seq WHERE h.wiki = $1 AND h.key = $2 AND h.seq >= $3 AND h.seq < $4 ORDER BY h.seq DESC LIMIT $5",
			w.slug, s.key, s.from, min(s.to, before), limit-len(list))
		if err != nil {
			return nil, notFound(err, "history of %s/%s", w.slug, path)
		}
		for rows.Next() {
			var r wiki.Revision
			var mode uint32
			if err := scanRevision(rows, &r, &mode); err != nil {
				rows.Close()
				return nil, notFound(err, "history of %s/%s", w.slug, path)
			}
			list = append(list, r)
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return nil, notFound(err, "history of %s/%s", w.slug, path)
		}
	}
	if len(list) == 0 && before == forever {
		return nil, fmt.Errorf("content: history of %s/%s: %w", w.slug, path, wiki.ErrNotFound)
	}
	return list, nil
}

var hexID = regexp.MustCompile(`^[0-9a-f]{7,40}$`)

// between bounds all ids that begin with the digits.
func between(digits string) (from, to string) { return digits, digits + "g" }

// At finds the file as of a revision: a commit id (7 digits or more: the file
// as of it, under the name it had then) or a blob id (8 or more: its newest
// occurrence in the file's history). ErrNotFound, or ErrInvalid when the digits
// fit several. Path may be a current name, or a former or deleted one.
func (w *Wiki) At(ctx context.Context, path, revision string) (wiki.File, []byte, error) {
	revision = strings.ToLower(revision)
	if !hexID.MatchString(revision) {
		return wiki.File{}, nil, wiki.Problemf(wiki.ErrInvalid, "revision", "%.50q is not a revision: use 7 or more digits of a commit id, or 8 or more of a revision.", revision)
	}
	steps, err := w.life(ctx, path)
	if err != nil {
		return wiki.File{}, nil, err
	}
	c, err := w.CommitByID(ctx, revision)
	switch {
	case err == nil:
		return w.asOf(ctx, path, steps, c.Seq)
	case !errors.Is(err, wiki.ErrNotFound) || len(revision) < 8:
		return wiki.File{}, nil, err
	}
	return w.withBlob(ctx, path, steps, revision)
}

func (w *Wiki) asOf(ctx context.Context, path string, steps []step, seq int64) (wiki.File, []byte, error) {
	for _, s := range steps {
		if s.from > seq {
			continue
		}
		return w.oneRevision(ctx, path, "h.seq <= $3", s.key, seq)
	}
	return wiki.File{}, nil, notFound(sql.ErrNoRows, "%s/%s as of commit %d", w.slug, path, seq)
}

func (w *Wiki) withBlob(ctx context.Context, path string, steps []step, digits string) (wiki.File, []byte, error) {
	from, to := between(digits)
	for _, s := range steps {
		rows, err := w.rows(ctx, "SELECT DISTINCT new FROM changes WHERE wiki = $1 AND key = $2 AND seq >= $3 AND seq < $4 AND new >= $5 AND new < $6 LIMIT 2", w.slug, s.key, s.from, s.to, from, to)
		if err != nil {
			return wiki.File{}, nil, notFound(err, "%s/%s at %s", w.slug, path, digits)
		}
		var found []string
		for rows.Next() {
			var id string
			rows.Scan(&id)
			found = append(found, id)
		}
		rows.Close()
		switch len(found) {
		case 1:
			return w.oneRevision(ctx, path, "h.new = $3", s.key, found[0])
		case 2:
			return wiki.File{}, nil, wiki.Problemf(wiki.ErrInvalid, "revision", "%q fits several revisions: use more digits.", digits)
		}
	}
	return wiki.File{}, nil, notFound(sql.ErrNoRows, "%s/%s at %s", w.slug, path, digits)
}

// oneRevision reads the newest revision of a key that a condition on $3 admits.
func (w *Wiki) oneRevision(ctx context.Context, path, condition, key string, arg any) (wiki.File, []byte, error) {
	var r wiki.Revision
	var mode uint32
	err := scanRevision(w.row(ctx, "SELECT "+revisionColumns+" FROM changes h JOIN commits c ON c.wiki = h.wiki AND c.seq = h.seq WHERE h.wiki = $1 AND h.key = $2 AND "+condition+" ORDER BY h.seq DESC LIMIT 1", w.slug, key, arg), &r, &mode)
	if err == nil && r.Kind == wiki.Deleted {
		err = sql.ErrNoRows
	}
	if err != nil {
		return wiki.File{}, nil, notFound(err, "%s/%s at %v", w.slug, path, arg)
	}
	data, err := w.Blob(ctx, r.New)
	return wiki.File{Path: r.Path, Blob: r.New, Mode: mode, Size: r.Size, Seq: r.Seq, Commit: r.Commit, Modified: r.Time, Author: r.Author, Message: r.Message}, data, err
}
