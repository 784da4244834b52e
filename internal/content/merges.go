package content

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// insertChange writes a change, the n-th of a commit.
func (t *tx) insertChange(seq int64, n int, ch wiki.Change, mode uint32, size int64) error {
	var fromKey string
	if ch.From != "" {
		fromKey = wiki.Key(ch.From)
	}
	if err := t.exec("INSERT INTO changes (wiki, key, seq, n, kind, path, from_path, from_key, old, new, size, mode) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
		t.w.slug, wiki.Key(ch.Path), seq, n, string(ch.Kind), ch.Path, ch.From, fromKey, ch.Old, ch.New, size, mode); err != nil || ch.Into == "" {
		return err
	}
	return t.exec("INSERT INTO merges VALUES ($1, $2, $3, $4, $5, $6)", t.w.slug, wiki.Key(ch.Path), seq, ch.Path, ch.Into, wiki.Key(ch.Into))
}

// mergedInto returns the key of the file that took over the content of the one that
// was deleted at seq; "" if none did.
func mergedInto(ctx context.Context, q querier, slug, key string, seq int64) (into string, err error) {
	err = q.queryRow(ctx, "SELECT into_key FROM merges WHERE wiki = $1 AND key = $2 AND seq = $3", slug, key, seq).Scan(&into)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return into, err
}

// moveTrailers are the trailers that record moves, merges and takings as "a -> b", so
// that an import of the history restores them.
var moveTrailers = []string{"Moved", "Merged", "Taken"}

// moveTrailer returns the trailer for a change, if it needs one.
func moveTrailer(ch wiki.Change) (gitrepo.Trailer, bool) {
	switch {
	case ch.Kind == wiki.Moved:
		return gitrepo.Trailer{Key: "Moved", Value: ch.From + " -> " + ch.Path}, true
	case ch.Into != "":
		return gitrepo.Trailer{Key: "Merged", Value: ch.Path + " -> " + ch.Into}, true
	}
	return gitrepo.Trailer{}, false
}

// recordedPaths returns the pairs in the trailers with a key of a commit made here,
// a -> b.
func recordedPaths(c gitrepo.Commit, key string) map[string]string {
	paths := map[string]string{}
	for _, pair := range recordedPairs(c, key) {
		paths[pair[0]] = pair[1]
	}
	return paths
}

// recordedPairs is recordedPaths in order.
func recordedPairs(c gitrepo.Commit, key string) (pairs [][2]string) {
	if !madeHere(c) {
		return nil
	}
	_, trailers := gitrepo.CutTrailers(c.Message)
	for _, t := range trailers {
		if from, to, ok := strings.Cut(t.Value, " -> "); ok && t.Key == key {
			pairs = append(pairs, [2]string{from, to})
		}
	}
	return pairs
}

// eraseMerges erases a text from the names of merged files.
func (x *eraser) eraseMerges(ctx context.Context) error {
	type row struct {
		seq             int64
		key, path, into string
	}
	var rows []row
	err := forEachRow(ctx, x.tx, func(r *sql.Rows) error {
		var m row
		err := r.Scan(&m.key, &m.seq, &m.path, &m.into)
		rows = append(rows, m)
		return err
	}, "SELECT key, seq, path, into_path FROM merges WHERE wiki = $1", x.slug)
	if err != nil {
		return err
	}
	for _, m := range rows {
		path, into := x.erasePath(m.path), x.erasePath(m.into)
		if path == m.path && into == m.into {
			continue
		}
		if err := x.tx.exec("UPDATE merges SET key = $4, path = $5, into_path = $6, into_key = $7 WHERE wiki = $1 AND key = $2 AND seq = $3",
			x.slug, m.key, m.seq, wiki.Key(path), path, into, wiki.Key(into)); err != nil {
			return err
		}
	}
	return nil
}
