package content

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"robot.wtf/internal/wiki"
)

// maxDraftFileBytes and maxDraftFiles limit the files that a person keeps with drafts in
// one wiki.
const (
	maxDraftFileBytes = 50 << 20
	maxDraftFiles     = 300
)

// ErrDraftFiles means that the draft of Request.DropDraft has files that aren't in
// Request.DropFiles. Nothing was committed.
var ErrDraftFiles = errors.New("the draft has more files")

// A DraftFile is a file kept with a draft until its page is saved.
type DraftFile struct {
	Name     string // last segment of the file's path
	Size     int64
	Modified time.Time
	Data     []byte // not in lists
}

// AddDraftFile keeps a file with a person's draft of a page, which is created if
// there is none. A file of the same name is replaced. ErrQuota if the person has
// more than 300 files in this wiki, or they take more than 50 MB.
func (w *Wiki) AddDraftFile(ctx context.Context, did, path string, f DraftFile) error {
	now := w.o.Now().UnixMilli()
	err := w.inWriteTx(ctx, func(t *tx) error {
		if err := t.exec("INSERT INTO drafts VALUES ($1, $2, $3, $4, $5, '', '', $6) ON CONFLICT DO NOTHING",
			w.slug, did, wiki.Key(path), path, []byte{}, now); err != nil {
			return err
		}
		if err := t.exec("INSERT INTO draft_files VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (wiki, did, key, name) DO UPDATE SET data = excluded.data, time = excluded.time",
			w.slug, did, wiki.Key(path), f.Name, nonNil(f.Data), now); err != nil {
			return err
		}
		if err := t.dropOldDrafts(did); err != nil {
			return err
		}
		var size, count int64
		if err := t.queryRow(ctx, "SELECT COALESCE(SUM(LENGTH(data)), 0), COUNT(*) FROM draft_files WHERE wiki = $1 AND did = $2", w.slug, did).Scan(&size, &count); err != nil {
			return err
		}
		switch {
		case count > maxDraftFiles:
			return wiki.Problemf(wiki.ErrQuota, "file", "Your drafts have %d files, which is the limit. Save or discard a draft with files, then send this one again.", maxDraftFiles)
		case size > maxDraftFileBytes:
			return wiki.Problemf(wiki.ErrQuota, "file", "The files of your drafts take more than 50 MB. Save or discard a draft with files, then send this one again.")
		}
		return nil
	}, func() { kept := true; w.draftFiles.Store(&kept) })
	return wrapError(err, "keep a file with the draft of %s/%s", w.slug, path)
}

// hasDraftFiles reports whether anybody keeps files with drafts here, or did since the
// wiki was opened. Most wikis have none, and a save needn't look for them each time.
func (w *Wiki) hasDraftFiles(ctx context.Context) (bool, error) {
	if known := w.draftFiles.Load(); known != nil {
		return *known, nil
	}
	var kept bool
	err := w.queryRow(ctx, "SELECT EXISTS (SELECT 1 FROM draft_files WHERE wiki = $1)", w.slug).Scan(&kept)
	if err == nil {
		w.draftFiles.CompareAndSwap(nil, &kept) // unless a file was added meanwhile
	}
	return kept, wrapError(err, "look for files of drafts in %s", w.slug)
}

// DraftFiles lists the files kept with a person's draft of a page, by name.
func (w *Wiki) DraftFiles(ctx context.Context, did, path string) ([]DraftFile, error) {
	if kept, err := w.hasDraftFiles(ctx); err != nil || !kept {
		return nil, err
	}
	var list []DraftFile
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var f DraftFile
		var at int64
		err := rows.Scan(&f.Name, &f.Size, &at)
		f.Modified = time.UnixMilli(at).UTC()
		list = append(list, f)
		return err
	}, "SELECT name, LENGTH(data), time FROM draft_files WHERE wiki = $1 AND did = $2 AND key = $3 ORDER BY name", w.slug, did, wiki.Key(path))
	if err != nil {
		return nil, wrapError(err, "files of the draft of %s/%s", w.slug, path)
	}
	return list, nil
}

// DraftFile reads a file kept with a person's draft of a page; ErrNotFound if there
// is none.
func (w *Wiki) DraftFile(ctx context.Context, did, path, name string) (DraftFile, error) {
	f := DraftFile{Name: name}
	var at int64
	err := w.queryRow(ctx, "SELECT data, time FROM draft_files WHERE wiki = $1 AND did = $2 AND key = $3 AND name = $4", w.slug, did, wiki.Key(path), name).
		Scan(&f.Data, &at)
	f.Size, f.Modified = int64(len(f.Data)), time.UnixMilli(at).UTC()
	return f, wrapError(err, "file %q of the draft of %s/%s", name, w.slug, path)
}

// MoveDraft moves a person's draft with its files to another path. It replaces a
// draft there, and joins its files.
func (w *Wiki) MoveDraft(ctx context.Context, did, from, to string) error {
	err := w.inWriteTx(ctx, func(t *tx) error {
		if err := t.exec("UPDATE OR REPLACE drafts SET key = $4, path = $5 WHERE wiki = $1 AND did = $2 AND key = $3",
			w.slug, did, wiki.Key(from), wiki.Key(to), to); err != nil {
			return err
		}
		return t.exec("UPDATE OR REPLACE draft_files SET key = $4 WHERE wiki = $1 AND did = $2 AND key = $3",
			w.slug, did, wiki.Key(from), wiki.Key(to))
	}, nil)
	return wrapError(err, "move the draft of %s/%s", w.slug, from)
}

// dropSavedDraft removes the draft that a commit saves, with the files in the commit.
// ErrDraftFiles if the draft has others.
func (t *tx) dropSavedDraft(did, path string, files []string) error {
	for _, name := range files {
		if err := t.exec("DELETE FROM draft_files WHERE wiki = $1 AND did = $2 AND key = $3 AND name = $4", t.w.slug, did, wiki.Key(path), name); err != nil {
			return err
		}
	}
	dropped, err := t.execCount("DELETE FROM drafts WHERE wiki = $1 AND did = $2 AND key = $3", t.w.slug, did, wiki.Key(path))
	if err != nil || dropped == 0 { // files have a draft
		return err
	}
	var others bool
	err = t.queryRow(t.context(), "SELECT EXISTS (SELECT 1 FROM draft_files WHERE wiki = $1 AND did = $2 AND key = $3)", t.w.slug, did, wiki.Key(path)).Scan(&others)
	if err == nil && others {
		err = ErrDraftFiles
	}
	return err
}

// dropOldDrafts removes a person's drafts beyond maxDrafts, with their files.
func (t *tx) dropOldDrafts(did string) error {
	if err := t.exec("DELETE FROM drafts WHERE wiki = $1 AND did = $2 AND key NOT IN (SELECT key FROM drafts WHERE wiki = $1 AND did = $2 ORDER BY time DESC LIMIT $3)", t.w.slug, did, maxDrafts); err != nil {
		return err
	}
	return t.exec("DELETE FROM draft_files WHERE wiki = $1 AND did = $2 AND key NOT IN (SELECT key FROM drafts WHERE wiki = $1 AND did = $2)", t.w.slug, did)
}

// rewriteDraftFiles erases the text from files kept with drafts, and from their names.
func (x *eraser) rewriteDraftFiles(ctx context.Context) error {
	list, err := x.affectedDraftFiles(ctx)
	if err != nil {
		return err
	}
	for _, f := range list {
		kept := DraftFile{}
		err := x.tx.queryRow(ctx, "SELECT data FROM draft_files WHERE wiki = $1 AND did = $2 AND key = $3 AND name = $4", x.slug, f.did, f.key, f.name).Scan(&kept.Data)
		if err == nil {
			err = x.tx.exec("UPDATE OR REPLACE draft_files SET name = $5, data = $6 WHERE wiki = $1 AND did = $2 AND key = $3 AND name = $4",
				x.slug, f.did, f.key, f.name, x.erasePath(f.name), nonNil(x.eraseIn(kept.Data)))
		}
		if err != nil {
			return fmt.Errorf("erase from the draft's file %q: %w", f.name, err)
		}
	}
	return nil
}

// A draftFileKey identifies a row of draft_files.
type draftFileKey struct{ did, key, name string }

// affectedDraftFiles returns the files kept with drafts that contain the text.
func (x *eraser) affectedDraftFiles(ctx context.Context) (list []draftFileKey, err error) {
	if len(x.texts) == 0 {
		return nil, nil
	}
	err = forEachRow(ctx, x.q, func(rows *sql.Rows) error {
		var f draftFileKey
		var data []byte
		if err := rows.Scan(&f.did, &f.key, &f.name, &data); err != nil {
			return err
		}
		if x.has(data) || x.has([]byte(f.name)) {
			list = append(list, f)
		}
		return nil
	}, "SELECT did, key, name, data FROM draft_files WHERE wiki = $1", x.slug)
	return list, err
}
