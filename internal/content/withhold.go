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

// A Withheld file may not be shown, in none of its revisions.
type Withheld struct {
	Path  string // as it was called when it was withheld
	Why   string
	Time  time.Time
	Blobs int
}

// Withhold keeps every revision of a file from being read, by anybody: Blob and
// all that reads by it answer ErrWithheld. Its links and drafts are dropped; its
// history, its name and what follows stay. The content itself is kept, so that
// Release can take it back. An empty file is never withheld: others have the
// same blob.
func (w *Wiki) Withhold(ctx context.Context, path, why string) error {
	revisions, err := w.History(ctx, path, 0, math.MaxInt32)
	if err != nil {
		return err
	}
	if len(revisions) == 0 {
		return failure(wiki.ErrNotFound, "withhold %s/%s", w.slug, path)
	}
	blobs := map[string]bool{}
	for _, r := range revisions {
		blobs[r.Old], blobs[r.New] = true, true
	}
	delete(blobs, "")
	delete(blobs, gitrepo.ObjectID("blob", nil))
	err = w.write(ctx, func(t *tx) error {
		for blob := range blobs {
			if err := t.exec(`INSERT INTO withheld VALUES ($1, $2, $3, $4, $5) ON CONFLICT (wiki, blob) DO NOTHING`,
				w.slug, blob, path, why, w.o.Now().UnixMilli()); err != nil {
				return err
			}
		}
		file, err := pathOf(t.ctx, t, w.slug, wiki.Key(path))
		if err != nil {
			return err
		}
		if err := t.keepLinks(file, nil); err != nil {
			return err
		}
		return t.exec(`DELETE FROM drafts WHERE wiki = $1 AND key = $2`, w.slug, wiki.Key(path))
	}, nil)
	if err == nil {
		err = w.readWithheld(ctx)
	}
	return failure(err, "withhold %s/%s", w.slug, path)
}

// Release takes Withhold back; ErrNotFound if the file was not withheld. Links
// come back with the next save.
func (w *Wiki) Release(ctx context.Context, path string) error {
	err := w.write(ctx, func(t *tx) error {
		n, err := t.count(`DELETE FROM withheld WHERE wiki = $1 AND path = $2`, w.slug, path)
		if err == nil && n == 0 {
			err = wiki.ErrNotFound
		}
		return err
	}, nil)
	if err == nil {
		err = w.readWithheld(ctx)
	}
	return failure(err, "release %s/%s", w.slug, path)
}

// Withholding lists what is withheld.
func (w *Wiki) Withholding(ctx context.Context) ([]Withheld, error) {
	var list []Withheld
	err := each(ctx, w, func(rows *sql.Rows) error {
		var h Withheld
		var at int64
		err := rows.Scan(&h.Path, &h.Why, &at, &h.Blobs)
		h.Time = time.UnixMilli(at).UTC()
		list = append(list, h)
		return err
	}, `SELECT path, MIN(why), MIN(time), COUNT(*) FROM withheld WHERE wiki = $1 GROUP BY path ORDER BY path`, w.slug)
	if err != nil {
		return nil, failure(err, "what is withheld of %s", w.slug)
	}
	return list, nil
}

// AnyWithheld reports whether the wiki's objects may not all be given away. It
// reads memory.
func (w *Wiki) AnyWithheld() bool { return len(*w.withheld.Load()) > 0 }

// readWithheld keeps in memory what is withheld, for each read to look at.
func (w *Wiki) readWithheld(ctx context.Context) error {
	blobs := map[string]string{}
	err := each(ctx, w, func(rows *sql.Rows) error {
		var blob, why string
		err := rows.Scan(&blob, &why)
		blobs[blob] = why
		return err
	}, `SELECT blob, why FROM withheld WHERE wiki = $1`, w.slug)
	if err == nil {
		w.withheld.Store(&blobs)
	}
	return err
}

// MayRead is ErrWithheld for a blob that is withheld. It reads memory.
func (w *Wiki) MayRead(blob string) error {
	why, ok := (*w.withheld.Load())[blob]
	if !ok {
		return nil
	}
	message := "This may not be shown, for legal reasons."
	if why != "" {
		message += " Who runs this service says: " + why
	}
	return fmt.Errorf("content: blob %s/%s: %w", w.slug, blob, wiki.Problemf(wiki.ErrWithheld, "", "%s", message))
}
