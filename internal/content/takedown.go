package content

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// A Takedown hides a file, with all its revisions.
type Takedown struct {
	Path  string // as it was called at the time
	Why   string
	Time  time.Time
	Blobs int
}

// TakeDown makes all revisions of a file unreadable: Blob, and everything that reads
// through it, returns ErrTakenDown. The file's links, drafts and
// proposals are dropped; its name, its history and later revisions stay. The content itself is
// kept for LiftTakedown. The empty blob is never taken down, because other files
// share it.
func (w *Wiki) TakeDown(ctx context.Context, path, why string) error {
	revisions, err := w.History(ctx, path, 0, math.MaxInt32)
	if err != nil {
		return err
	}
	if len(revisions) == 0 {
		return wrapError(wiki.ErrNotFound, "take down %s/%s", w.slug, path)
	}
	blobs := map[string]bool{}
	for _, r := range revisions {
		blobs[r.Old], blobs[r.New] = true, true
	}
	delete(blobs, "")
	delete(blobs, gitrepo.ObjectID("blob", nil))
	err = w.inWriteTx(ctx, func(t *tx) error {
		for blob := range blobs {
			if err := t.exec(`INSERT INTO withheld VALUES ($1, $2, $3, $4, $5) ON CONFLICT (wiki, blob) DO NOTHING`,
				w.slug, blob, path, why, w.o.Now().UnixMilli()); err != nil {
				return err
			}
		}
		file, err := currentPath(t.context(), t, w.slug, wiki.Key(path))
		if err != nil {
			return err
		}
		if err := t.setLinks(file, nil); err != nil {
			return err
		}
		if err := t.exec(`DELETE FROM draft_files WHERE wiki = $1 AND key = $2`, w.slug, wiki.Key(path)); err != nil {
			return err
		}
		if err := t.exec(`DELETE FROM proposed WHERE wiki = $1 AND key = $2`, w.slug, wiki.Key(path)); err != nil {
			return err
		}
		return t.exec(`DELETE FROM drafts WHERE wiki = $1 AND key = $2`, w.slug, wiki.Key(path))
	}, nil)
	if err == nil {
		err = w.loadTakedowns(ctx)
	}
	return wrapError(err, "take down %s/%s", w.slug, path)
}

// LiftTakedown makes a file readable again; ErrNotFound if it wasn't taken down.
// Its links come back with the next save.
func (w *Wiki) LiftTakedown(ctx context.Context, path string) error {
	err := w.inWriteTx(ctx, func(t *tx) error {
		n, err := t.execCount(`DELETE FROM withheld WHERE wiki = $1 AND path = $2`, w.slug, path)
		if err == nil && n == 0 {
			err = wiki.ErrNotFound
		}
		return err
	}, nil)
	if err == nil {
		err = w.loadTakedowns(ctx)
	}
	return wrapError(err, "lift takedown of %s/%s", w.slug, path)
}

// Takedowns lists a wiki's takedowns.
func (w *Wiki) Takedowns(ctx context.Context) ([]Takedown, error) {
	var list []Takedown
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var t Takedown
		var at int64
		err := rows.Scan(&t.Path, &t.Why, &at, &t.Blobs)
		t.Time = time.UnixMilli(at).UTC()
		list = append(list, t)
		return err
	}, `SELECT path, MIN(why), MIN(time), COUNT(*) FROM withheld WHERE wiki = $1 GROUP BY path ORDER BY path`, w.slug)
	if err != nil {
		return nil, wrapError(err, "list takedowns of %s", w.slug)
	}
	return list, nil
}

// HasTakedowns reports whether some objects must not be served. It reads memory
// only.
func (w *Wiki) HasTakedowns() bool { return len(*w.takedowns.Load()) > 0 }

// loadTakedowns caches the blobs that are taken down, for MayRead.
func (w *Wiki) loadTakedowns(ctx context.Context) error {
	blobs := map[string]string{}
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var blob, why string
		err := rows.Scan(&blob, &why)
		blobs[blob] = why
		return err
	}, `SELECT blob, why FROM withheld WHERE wiki = $1`, w.slug)
	if err == nil {
		w.takedowns.Store(&blobs)
	}
	return err
}

// MayRead returns ErrTakenDown for a blob that is taken down. It reads memory
// only.
func (w *Wiki) MayRead(blob string) error {
	why, ok := (*w.takedowns.Load())[blob]
	if !ok {
		return nil
	}
	message := "This can't be shown, for legal reasons."
	if why != "" {
		message += " The operator says: " + why
	}
	return fmt.Errorf("content: blob %s/%s: %w", w.slug, blob, wiki.Problemf(wiki.ErrTakenDown, "", "%s", message))
}
