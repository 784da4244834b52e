package content

import (
	"context"
	"database/sql"
	"errors"

	"robot.wtf/internal/wiki"
)

// This file follows files through their moves. A key is a name that files may
// have one after another: one is moved away or deleted, another is made or moved
// there. The table `changes` tells each such turn.

// A departure is how a file left a key; seq 0 means that none did.
type departure struct {
	seq int64
	to  string // the key it was moved to, "" when it was deleted
}

const maxSeq = int64(1) << 62

// findDeparture finds how a file left a key, in the seqs (after, upTo]: the first
// turn, or the newest one.
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
	// The needless condition lets SQLite use the index of turns.
	err = q.queryRow(ctx, "SELECT seq FROM changes WHERE wiki = $1 AND key = $2 AND kind = 'deleted' AND kind <> 'modified' AND seq > $3 AND seq <= $4 ORDER BY seq "+order+" LIMIT 1",
		slug, key, after, upTo).Scan(&deleted.seq)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return departure{}, err
	}
	if moved.seq == 0 || deleted.seq > 0 && (deleted.seq > moved.seq) == newest {
		return deleted, nil
	}
	return moved, nil
}

// currentPath is the path of the file that has a key now, "" if none has.
func currentPath(ctx context.Context, q querier, slug, key string) (string, error) {
	var path string
	err := q.queryRow(ctx, "SELECT path FROM files WHERE wiki = $1 AND key = $2", slug, key).Scan(&path)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return path, err
}

// followMoves follows the file that last left a key to where it is now (path), or to
// where it was deleted: then path is "" and key and until bound its last stay.
func followMoves(ctx context.Context, q querier, slug, key string) (path, last string, until int64, err error) {
	for since := int64(0); ; {
		t, err := findDeparture(ctx, q, slug, key, since, maxSeq, since == 0)
		switch {
		case err != nil:
			return "", "", 0, err
		case t.seq == 0 && since == 0: // nobody ever left
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

// resolveMove is where the file that last had a key is now; ErrNotFound when it was
// deleted, or a new one has the key.
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

// MovedTo is where a former path leads now, through any number of moves;
// ErrNotFound if it was never moved, its last name is deleted, or another file
// has the path now.
func (w *Wiki) MovedTo(ctx context.Context, path string) (string, error) {
	return resolveMove(ctx, w, w.slug, wiki.Key(path))
}

// A stay is one stretch of a file's life under one key, seqs [from, to).
type stay struct {
	key      string
	from, to int64
}

// maxStays bounds a life: nobody reads further back.
const maxStays = 1000

// listStays lists a file's stays, newest first. A file that was deleted and made
// again at the same name is one; one that took the name of a file that moved
// away is another. Former and deleted paths lead to the file that last had them.
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
	var stays []stay
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
		if err == nil && (before.seq == 0 || before.to != "") {
			return stays, nil
		}
	}
	return stays, wrapError(err, "history of %s/%s", slug, path)
}

// findSoleCreation is when a file was made that is the only one that ever had its key, and
// has it still, as most do; 0 where there is more to be told.
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

// everHadBlob reports whether a file, or one of its name, ever had a content.
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
