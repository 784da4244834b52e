package content

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"robot.wtf/internal/wiki"
)

// A NameChange is a file's change in a commit, without its content.
type NameChange struct {
	Seq     int64
	Path    string
	From    string // of a move
	Kind    wiki.ChangeKind
	Regular bool // not a symbolic link or submodule; unknown for deletions
}

// maxNameChanges is the number of commits after which reading all names is cheaper.
const maxNameChanges = 500

// NameChanges lists the changes of the commits after one, in order. It reports false
// if that commit isn't in the history any more, or too long ago.
func (w *Wiki) NameChanges(ctx context.Context, seq int64, id string) ([]NameChange, bool, error) {
	var now string
	err := w.queryRow(ctx, "SELECT oid FROM commits WHERE wiki = $1 AND seq = $2", w.slug, seq).Scan(&now)
	if head, _ := w.Head(); errors.Is(err, sql.ErrNoRows) || err == nil && now != id || head-seq > maxNameChanges {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, wrapError(err, "changes of %s", w.slug)
	}
	var list []NameChange
	err = forEachRow(ctx, w, func(rows *sql.Rows) error {
		var c NameChange
		var mode uint32
		err := rows.Scan(&c.Seq, &c.Path, &c.From, (*string)(&c.Kind), &mode)
		c.Regular = mode == 0 || isRegular(mode)
		list = append(list, c)
		return err
	}, "SELECT seq, path, from_path, kind, mode FROM commit_changes WHERE wiki = $1 AND seq > $2 ORDER BY seq, n", w.slug, seq)
	return list, err == nil, wrapError(err, "changes of %s", w.slug)
}

// A Departure is a file's move away from a name.
type Departure struct {
	Key string // of the name
	Seq int64
	To  string // key of the file it became or was merged into; "" if it was deleted
}

// Departures lists the moves and merges of all files, and the deletions of names that
// files moved from or to. MovedTo answers from the same events.
func (w *Wiki) Departures(ctx context.Context) ([]Departure, error) {
	var list []Departure
	ends := map[string]bool{}
	read := func(query string, args ...any) error {
		return forEachRow(ctx, w, func(rows *sql.Rows) error {
			var d Departure
			err := rows.Scan(&d.Key, &d.Seq, &d.To)
			list = append(list, d)
			ends[d.Key], ends[d.To] = true, true
			return err
		}, query, append([]any{w.slug}, args...)...)
	}
	err := read("SELECT from_key, seq, key FROM changes WHERE wiki = $1 AND from_key > '' AND from_key <> '' AND key <> from_key")
	if err == nil {
		err = read("SELECT key, seq, into_key FROM merges WHERE wiki = $1 AND key > ''")
	}
	if err == nil && len(list) > 0 {
		keys := slices.Collect(maps.Keys(ends))
		var packed string
		if packed, err = packStrings(keys); err == nil {
			// The redundant condition lets SQLite use the index changes_turns.
			err = read(`SELECT key, seq, '' FROM changes WHERE wiki = $1 AND kind = 'deleted' AND kind <> 'modified' AND key IN (SELECT value FROM json_each($2))
				AND NOT EXISTS (SELECT 1 FROM merges m WHERE m.wiki = $1 AND m.key = changes.key AND m.seq = changes.seq)`, packed)
		}
	}
	if err = wrapError(err, "moves of %s", w.slug); errors.Is(err, wiki.ErrDamaged) {
		err = nil // links to former names are red
	}
	return list, err
}
