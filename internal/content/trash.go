package content

import (
	"context"
	"database/sql"

	"robot.wtf/internal/wiki"
)

// A TrashPlace is a place in the list of deleted files; the zero value is its start.
type TrashPlace struct {
	Seq  int64
	Path string
}

// Trash lists the deletions of files that nothing has replaced, newest first, after a
// place in the list. Files whose content was merged into another aren't listed.
func (w *Wiki) Trash(ctx context.Context, after TrashPlace, limit int) ([]wiki.Revision, error) {
	var list []wiki.Revision
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var r wiki.Revision
		err := scanRevision(rows, &r)
		list = append(list, r)
		return err
	}, "SELECT "+revisionColumns+` FROM changes h JOIN commits c ON c.wiki = h.wiki AND c.seq = h.seq
		WHERE h.wiki = $1 AND h.key > '' AND h.kind = 'deleted' AND h.kind <> 'modified' AND ($2 = 0 OR h.seq < $2 OR h.seq = $2 AND h.path > $3)
		AND NOT EXISTS (SELECT 1 FROM files f WHERE f.wiki = h.wiki AND f.key = h.key)
		AND NOT EXISTS (SELECT 1 FROM changes l WHERE l.wiki = h.wiki AND l.key = h.key AND l.seq > h.seq AND l.kind <> 'modified')
		AND NOT EXISTS (SELECT 1 FROM merges m WHERE m.wiki = h.wiki AND m.key = h.key AND m.seq >= h.seq)
		ORDER BY h.seq DESC, h.path LIMIT $4`, w.slug, after.Seq, after.Path, limit)
	if err != nil {
		return nil, wrapError(err, "trash of %s", w.slug)
	}
	return list, nil
}
