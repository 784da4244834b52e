package content

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"robot.wtf/internal/background"
	"robot.wtf/internal/wiki"
)

// relinkPages is the number of pages whose links are written in one transaction.
const relinkPages = 200

// relink writes the rows of all pages' links again if they are of an older version of
// the program. It reads and parses each page once, in bounded transactions. On a disk
// that can't be written to, the wiki is opened without them.
func (w *Wiki) relink(ctx context.Context) error {
	var version int
	err := w.queryRow(ctx, "SELECT links FROM meta WHERE wiki = $1", w.slug).Scan(&version)
	if err != nil || version >= linksVersion || w.o.Links == nil {
		if errors.Is(err, wiki.ErrDamaged) || errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return err
	}
	for after, more := "", true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := w.inWriteTx(ctx, func(t *tx) error {
			if after == "" {
				if err := errors.Join(t.exec("DELETE FROM backlinks WHERE wiki = $1", w.slug), t.exec("DELETE FROM aliases WHERE wiki = $1", w.slug)); err != nil {
					return err
				}
			}
			files, err := t.filesAfter(after, relinkPages)
			if err != nil {
				return err
			}
			for _, f := range files {
				if err := t.relinkFile(f.Path, f.Blob); err != nil {
					return err
				}
				after = f.Path
			}
			if more = len(files) == relinkPages; more {
				return nil
			}
			return t.exec("UPDATE state SET links = $2 WHERE wiki = $1", w.slug, linksVersion)
		}, nil)
		if errors.Is(err, wiki.ErrStorage) || errors.Is(err, wiki.ErrDamaged) {
			return nil // the next start tries again
		}
		if err != nil {
			return fmt.Errorf("write the links of %s again: %w", w.slug, err)
		}
	}
	return nil
}

// filesAfter lists the regular files after a path.
func (t *tx) filesAfter(path string, limit int) ([]wiki.File, error) {
	var list []wiki.File
	err := forEachRow(t.context(), t, func(rows *sql.Rows) error {
		var f wiki.File
		err := rows.Scan(&f.Path, &f.Blob)
		list = append(list, f)
		return err
	}, "SELECT path, blob FROM files WHERE wiki = $1 AND path > $2 AND "+regularFiles+" ORDER BY path LIMIT $3", t.w.slug, path, limit)
	return list, err
}

// relinkFile writes a page's links again. A page that can't be read, is taken down, or
// makes the parser panic, has none.
func (t *tx) relinkFile(path, blob string) error {
	if _, page := wiki.PageOf(path); !page {
		return nil
	}
	var links []wiki.Link
	text, err := readBlob(t.context(), t, t.w.slug, blob)
	if err == nil && t.w.MayRead(blob) == nil {
		_ = t.w.o.Background.Try(background.Job{Work: "links", Wiki: t.w.slug, Item: "blob " + blob}, func() error {
			links = t.w.findLinks(path, text)
			return nil
		}) // reported
	}
	if err := t.exec("DELETE FROM outlinks WHERE wiki = $1 AND path = $2", t.w.slug, path); err != nil {
		return err
	}
	return t.setLinks(path, links)
}
