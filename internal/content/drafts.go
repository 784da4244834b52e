package content

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"robot.wtf/internal/wiki"
)

// maxDrafts limits a person's drafts in one wiki; the oldest are dropped.
const maxDrafts = 100

// SaveDraft stores a person's draft of a page. Beyond 100 drafts the oldest are
// dropped, with their files.
func (w *Wiki) SaveDraft(ctx context.Context, did string, d Draft) error {
	err := w.inWriteTx(ctx, func(t *tx) error {
		if err := t.exec(`INSERT INTO drafts VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (wiki, did, key) DO UPDATE SET path = excluded.path, text = excluded.text, message = excluded.message, base = excluded.base, time = excluded.time`,
			w.slug, did, wiki.Key(d.Path), d.Path, nonNil(d.Text), d.Message, d.Base, w.o.Now().UnixMilli()); err != nil {
			return err
		}
		return t.dropOldDrafts(did)
	}, nil)
	return wrapError(err, "save the draft of %s/%s", w.slug, d.Path)
}

func nonNil(text []byte) []byte {
	if text == nil {
		return []byte{}
	}
	return text
}

// Draft returns a person's draft of a page; ErrNotFound if there is none.
func (w *Wiki) Draft(ctx context.Context, did, path string) (Draft, error) {
	var d Draft
	var at int64
	err := w.queryRow(ctx, "SELECT path, text, message, base, time FROM drafts WHERE wiki = $1 AND did = $2 AND key = $3", w.slug, did, wiki.Key(path)).
		Scan(&d.Path, &d.Text, &d.Message, &d.Base, &at)
	d.Modified = time.UnixMilli(at).UTC()
	return d, wrapError(err, "draft of %s/%s", w.slug, path)
}

// draftAnswers caches answers of HasDraft until the next write: each view by an editor
// asks.
type draftAnswers struct {
	mu     sync.Mutex
	writes int64 // of the wiki, when the answers were read
	has    map[draftKey]bool
}

type draftKey struct{ did, path string }

// maxDraftAnswers bounds the answers of one wiki.
const maxDraftAnswers = 1000

func (a *draftAnswers) get(writes int64, key draftKey) (has, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.writes != writes {
		return false, false
	}
	has, known = a.has[key]
	return has, known
}

func (a *draftAnswers) set(writes int64, key draftKey, has bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.writes != writes || a.has == nil || len(a.has) >= maxDraftAnswers {
		a.writes, a.has = writes, map[draftKey]bool{}
	}
	a.has[key] = has
}

// HasDraft reports whether a person has a draft of a page. It usually reads only memory.
func (w *Wiki) HasDraft(ctx context.Context, did, path string) (bool, error) {
	writes, key := w.writes.Load(), draftKey{did, path}
	if has, known := w.drafted.get(writes, key); known && !w.gone.Load() {
		return has, nil
	}
	var has bool
	err := w.queryRow(ctx, "SELECT EXISTS (SELECT 1 FROM drafts WHERE wiki = $1 AND did = $2 AND key = $3)", w.slug, did, wiki.Key(path)).Scan(&has)
	if err == nil {
		w.drafted.set(writes, key, has)
	}
	return has, wrapError(err, "draft of %s/%s", w.slug, path)
}

// DropDraft removes a person's draft of a page with its files; no error if there is
// none.
func (w *Wiki) DropDraft(ctx context.Context, did, path string) error {
	err := w.inWriteTx(ctx, func(t *tx) error {
		for _, table := range []string{"drafts", "draft_files"} {
			if err := t.exec("DELETE FROM "+table+" WHERE wiki = $1 AND did = $2 AND key = $3", w.slug, did, wiki.Key(path)); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	return wrapError(err, "drop the draft of %s/%s", w.slug, path)
}

// ForgetUser removes what the wiki stores for a person besides its history: drafts,
// review marks, results of idempotent requests, and that they vouched for imports or
// decided on proposals. What their agents propose stays, with its author.
func (w *Wiki) ForgetUser(ctx context.Context, did string) error {
	err := w.inWriteTx(ctx, func(t *tx) error {
		for _, statement := range []string{
			"DELETE FROM drafts WHERE wiki = $1 AND did = $2",
			"DELETE FROM draft_files WHERE wiki = $1 AND did = $2",
			"DELETE FROM seen WHERE wiki = $1 AND did = $2",
			"DELETE FROM looked WHERE wiki = $1 AND did = $2",
			"UPDATE decided SET did = '', username = '' WHERE wiki = $1 AND did = $2",
			"UPDATE imports SET vouched_by = '" + wiki.FormerOwner + "' WHERE wiki = $1 AND vouched_by = $2",
			"DELETE FROM requests WHERE wiki = $1 AND substr(caller, 1, length($2) + 1) = $2 || ' '",
		} {
			if err := t.exec(statement, w.slug, did); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	return wrapError(err, "forget %s in %s", did, w.slug)
}

// Drafts lists a person's drafts, newest first, without their text.
func (w *Wiki) Drafts(ctx context.Context, did string) ([]Draft, error) {
	var list []Draft
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var d Draft
		var at int64
		err := rows.Scan(&d.Path, &d.Message, &d.Base, &at)
		d.Modified = time.UnixMilli(at).UTC()
		list = append(list, d)
		return err
	}, "SELECT path, message, base, time FROM drafts WHERE wiki = $1 AND did = $2 ORDER BY time DESC", w.slug, did)
	if err != nil {
		return nil, wrapError(err, "drafts of %s", w.slug)
	}
	return list, nil
}
