package content

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"robot.wtf/internal/wiki"
)

// Several files can have the same key one after another: one is moved away or
// deleted, then another is created or moved there. The table `changes` records each
// of these events, and the functions below follow files through them.

// A departure is a file's move away from a key, or its deletion. Its seq is 0 if no
// file has left the key.
type departure struct {
	seq int64
	to  string // the key it was moved to or merged into, "" when it was deleted

	merged bool // into another file: it can come back
}

const maxSeq = int64(1) << 62

// findDeparture finds the first or the newest departure from a key in the seqs
// (after, upTo].
func findDeparture(ctx context.Context, q querier, slug, key string, after, upTo int64, newest bool) (departure, error) {
	order := "ASC"
	if newest {
		order = "DESC"
	}
	var moved, deleted departure
	err := q.queryRow(ctx, "SELECT seq, key FROM changes WHERE wiki = $1 AND from_key = $2 AND from_key <> '' AND key <> from_key AND seq > $3 AND seq <= $4 ORDER BY seq "+order+" LIMIT 1",
		slug, key, after, upTo).Scan(&moved.seq, &moved.to)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return departure{}, err
	}
	// The redundant condition lets SQLite use the index changes_turns.
	err = q.queryRow(ctx, "SELECT seq FROM changes WHERE wiki = $1 AND key = $2 AND kind = 'deleted' AND kind <> 'modified' AND seq > $3 AND seq <= $4 ORDER BY seq "+order+" LIMIT 1",
		slug, key, after, upTo).Scan(&deleted.seq)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return departure{}, err
	}
	if moved.seq == 0 || deleted.seq > 0 && (deleted.seq > moved.seq) == newest {
		if deleted.seq == 0 {
			return departure{}, nil
		}
		deleted.to, err = mergedInto(ctx, q, slug, key, deleted.seq)
		deleted.merged = deleted.to != ""
		return deleted, err
	}
	return moved, nil
}

// currentPath returns the path of the file that has a key now, "" if none has.
func currentPath(ctx context.Context, q querier, slug, key string) (string, error) {
	var path string
	err := q.queryRow(ctx, "SELECT path FROM files WHERE wiki = $1 AND key = $2", slug, key).Scan(&path)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return path, err
}

// followMoves follows the file that last left a key to its current path. If it was
// deleted, path is "", and last and until are the key and the end of its last stay.
func followMoves(ctx context.Context, q querier, slug, key string) (path, last string, until int64, err error) {
	for since := int64(0); ; {
		t, err := findDeparture(ctx, q, slug, key, since, maxSeq, since == 0)
		switch {
		case err != nil:
			return "", "", 0, err
		case t.seq == 0 && since == 0: // no file ever left
			return "", key, maxSeq, nil
		case t.seq == 0:
			path, err := currentPath(ctx, q, slug, key)
			return path, key, maxSeq, err
		case t.to == "":
			return "", key, t.seq + 1, nil
		}
		key, since = t.to, t.seq
	}
}

// resolveMove returns the current path of the file that last had a key; ErrNotFound
// if it was deleted or another file has the key now.
func resolveMove(ctx context.Context, q querier, slug, key string) (string, error) {
	path, err := currentPath(ctx, q, slug, key)
	if err == nil && path == "" {
		path, _, _, err = followMoves(ctx, q, slug, key)
		if err == nil && path != "" {
			return path, nil
		}
	}
	if err == nil {
		err = wiki.ErrNotFound
	}
	return "", wrapError(err, "moves of %s/%s", slug, key)
}

// MovedTo returns the current path of a file that was moved away from path, through
// any number of moves. It fails with ErrNotFound if no file was, if the file is
// deleted, or if another file has the path now. Redirects are made from this.
func (w *Wiki) MovedTo(ctx context.Context, path string) (string, error) {
	return resolveMove(ctx, w, w.slug, wiki.Key(path))
}

// A stay is a period in which a file has one key, the seqs [from, to).
type stay struct {
	key      string
	from, to int64
}

// maxStays limits the stays that are followed back.
const maxStays = 1000

// listStays lists a file's stays, newest first. A file that was deleted and created
// again under the same name is the same file, also if it was merged into another in
// between; one that took the name of a moved file is a different one. Former and
// deleted paths lead to the file that last had them.
func listStays(ctx context.Context, q querier, slug, path string) ([]stay, error) {
	key, until := wiki.Key(path), maxSeq
	born, err := findSoleCreation(ctx, q, slug, key)
	switch {
	case err != nil:
		return nil, wrapError(err, "history of %s/%s", slug, path)
	case born > 0:
		return []stay{{key, born, maxSeq}}, nil
	}
	now, err := currentPath(ctx, q, slug, key)
	if err == nil && now == "" {
		_, key, until, err = followMoves(ctx, q, slug, key)
	}
	if err != nil {
		return nil, wrapError(err, "history of %s/%s", slug, path)
	}
	stays, err := followBack(ctx, q, slug, key, until)
	return stays, wrapError(err, "history of %s/%s", slug, path)
}

// followBack lists the stays of the file that had a key before a seq.
func followBack(ctx context.Context, q querier, slug, key string, until int64) (stays []stay, err error) {
	for err == nil && len(stays) < maxStays {
		var kind wiki.ChangeKind
		var fromKey string
		var born int64
		err = q.queryRow(ctx, `SELECT kind, from_key, seq FROM changes WHERE wiki = $1 AND key = $2 AND seq < $3 AND kind <> 'modified' AND kind <> 'deleted' AND from_key <> key
			ORDER BY seq DESC LIMIT 1`, slug, key, until).Scan(&kind, &fromKey, &born)
		if errors.Is(err, sql.ErrNoRows) {
			return stays, nil
		}
		if err != nil {
			break
		}
		stays = append(stays, stay{key, born, until})
		until = born
		if kind == wiki.Moved {
			key = fromKey
			continue
		}
		var before departure
		before, err = findDeparture(ctx, q, slug, key, 0, born, true)
		if err == nil && (before.seq == 0 || before.to != "" && !before.merged) {
			return stays, nil
		}
	}
	return stays, err
}

// findSoleCreation is a shortcut for most files, which are the only ones that ever
// had their key and still have it: it returns the seq of the file's creation. It
// returns 0 for all other keys.
func findSoleCreation(ctx context.Context, q querier, slug, key string) (born int64, err error) {
	turns := 0
	err = forEachRow(ctx, q, func(rows *sql.Rows) error {
		var seq int64
		var kind wiki.ChangeKind
		err := rows.Scan(&seq, &kind)
		if turns++; kind == wiki.Added {
			born = seq
		}
		return err
	}, `SELECT seq, kind FROM changes WHERE wiki = $1 AND key = $2 AND kind <> 'modified'
		UNION ALL SELECT seq, kind FROM changes WHERE wiki = $1 AND from_key = $2 AND from_key <> '' LIMIT 2`, slug, key)
	if turns != 1 {
		born = 0
	}
	return born, err
}

// everHadBlob reports whether a file, or another file with its name, ever had a
// blob.
func everHadBlob(ctx context.Context, q querier, slug, path, blob string) (bool, error) {
	stays, err := listStays(ctx, q, slug, path)
	if err != nil {
		return false, err
	}
	for _, s := range append(stays, stay{wiki.Key(path), 0, maxSeq}) {
		var seq int64
		err := q.queryRow(ctx, "SELECT seq FROM changes WHERE wiki = $1 AND key = $2 AND seq >= $3 AND seq < $4 AND new = $5 ORDER BY seq DESC LIMIT 1", slug, s.key, s.from, s.to, blob).Scan(&seq)
		if !errors.Is(err, sql.ErrNoRows) {
			return err == nil, err
		}
	}
	return false, nil
}

// FileSince returns the file that had a path at a time, when seq was the newest commit,
// wherever it is now. It fails with ErrNotFound if there is none, if the file is deleted
// or was merged into another, if another file has its path now, and if an import has
// replaced the commits of that time.
func (w *Wiki) FileSince(ctx context.Context, path string, seq int64, at time.Time) (wiki.File, error) {
	f, err := w.fileSince(ctx, wiki.Key(path), seq)
	if err == nil {
		err = w.checkNotReplaced(ctx, seq, at)
	}
	return f, wrapError(err, "file %s/%s since %d", w.slug, path, seq)
}

func (w *Wiki) checkNotReplaced(ctx context.Context, seq int64, at time.Time) error {
	var replaced bool
	err := w.queryRow(ctx, "SELECT count(*) > 0 FROM imports WHERE wiki = $1 AND first <= $2 AND time > $3", w.slug, seq, at.UnixMilli()).Scan(&replaced)
	if err == nil && replaced {
		err = wiki.ErrNotFound
	}
	return err
}

func (w *Wiki) fileSince(ctx context.Context, first string, seq int64) (wiki.File, error) {
	key, since := first, seq
	for range maxStays {
		t, err := findDeparture(ctx, w, w.slug, key, since, maxSeq, false)
		if err != nil {
			return wiki.File{}, err
		}
		if t.seq == 0 {
			break
		}
		if since = t.seq; t.to != "" && !t.merged {
			key = t.to // a deleted file can come back
		}
	}
	path, err := currentPath(ctx, w, w.slug, key)
	if err != nil || path == "" {
		return wiki.File{}, errors.Join(err, wiki.ErrNotFound)
	}
	stays, err := listStays(ctx, w, w.slug, path)
	if err != nil {
		return wiki.File{}, err
	}
	for _, s := range stays {
		if s.key == first && s.from <= seq && seq < s.to {
			return w.Lookup(ctx, path)
		}
	}
	return wiki.File{}, wiki.ErrNotFound
}
