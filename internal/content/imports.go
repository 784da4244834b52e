package content

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"robot.wtf/internal/wiki"
)

// Imported text counts as a stranger's, since anybody can write any name into a
// repository. Somebody who knows it can vouch for it. That is recorded here, beside the
// commits: nothing in a repository can vouch for itself.

// An ImportRecord is one import of a wiki.
type ImportRecord struct {
	Commit  string // id of its last commit
	Commits int
	Source  string // name of the file or repository, "" if unknown
	Time    time.Time
	// VouchedBy is the DID of the person who vouches for the text,
	// wiki.OperatorName, wiki.FormerOwner, or "" if nobody does.
	VouchedBy string
	Vouched   time.Time

	last int64
}

// originColumn says for a commit c that an import brought whether somebody vouches for
// its text, and where it is from. setOrigin reads it.
const originColumn = `COALESCE(CASE WHEN c.imported OR c.client = '` + wiki.ImportClient + `' THEN (SELECT iif(i.vouched_by = '', '-', '+') || i.source FROM imports i WHERE i.wiki = c.wiki AND i.first <= c.seq AND i.last >= c.seq ORDER BY i.first DESC LIMIT 1) END, '')`

func setOrigin(a *wiki.Author, origin string) {
	if origin != "" {
		a.Vouched, a.Source = origin[0] == '+', origin[1:]
	}
}

// insertImport records an import of the commits from first to last.
func (t *tx) insertImport(first, last int64, from Origin) error {
	now, vouched := t.w.o.Now().UnixMilli(), int64(0)
	if from.VouchedBy != "" {
		vouched = now
	}
	return t.exec("INSERT INTO imports (wiki, first, last, source, time, vouched_by, vouched_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		t.w.slug, first, last, from.Source, now, from.VouchedBy, vouched)
}

// Imports lists the newest imports, at most limit, and returns the number of all.
func (w *Wiki) Imports(ctx context.Context, limit int) (list []ImportRecord, all int, err error) {
	err = forEachRow(ctx, w, func(rows *sql.Rows) error {
		var r ImportRecord
		var at, vouched int64
		err := rows.Scan(&r.Commit, &r.Commits, &r.last, &r.Source, &at, &r.VouchedBy, &vouched, &all)
		if r.Time = time.UnixMilli(at).UTC(); r.VouchedBy != "" {
			r.Vouched = time.UnixMilli(vouched).UTC()
		}
		list = append(list, r)
		return err
	}, `SELECT c.oid, i.last - i.first + 1, i.last, i.source, i.time, i.vouched_by, i.vouched_at, count(*) OVER ()
		FROM imports i JOIN commits c ON c.wiki = i.wiki AND c.seq = i.last WHERE i.wiki = $1 ORDER BY i.first DESC LIMIT $2`, w.slug, limit)
	return list, all, wrapError(err, "imports of %s", w.slug)
}

// A Vouching says for which imports somebody vouches, or takes that back.
type Vouching struct {
	By      string // DID, or wiki.OperatorName; "" takes it back
	Commit  string // the last one of the import
	Earlier bool   // also for all imports before it
}

// Vouch records that somebody vouches for the text of imports, so that it counts as a
// member's, or takes that back. It returns the number of imports for which that is
// new. ErrNotFound if no import ends with the commit.
func (w *Wiki) Vouch(ctx context.Context, v Vouching) (changed int, err error) {
	err = w.inWriteTx(ctx, func(t *tx) error {
		var first, last int64
		if err := t.queryRow(t.context(), "SELECT i.first, i.last FROM imports i JOIN commits c ON c.wiki = i.wiki AND c.seq = i.last WHERE i.wiki = $1 AND c.oid = $2", w.slug, v.Commit).Scan(&first, &last); err != nil {
			return err
		}
		if v.Earlier {
			first = 0
		}
		at := int64(0)
		if v.By != "" {
			at = w.o.Now().UnixMilli()
		}
		if err := t.queryRow(t.context(), "SELECT count(*) FROM imports WHERE wiki = $1 AND first BETWEEN $2 AND $3 AND (vouched_by = '') <> ($4 = '')", w.slug, first, last, v.By).Scan(&changed); err != nil || changed == 0 {
			return err
		}
		if err := t.exec("UPDATE imports SET vouched_by = $4, vouched_at = $5 WHERE wiki = $1 AND first BETWEEN $2 AND $3 AND (vouched_by = '') <> ($4 = '')", w.slug, first, last, v.By, at); err != nil {
			return err
		}
		return t.exec("UPDATE state SET vouches = vouches + 1 WHERE wiki = $1", w.slug)
	}, func() {
		if changed > 0 {
			w.vouches.Add(1)
		}
	})
	return changed, wrapError(err, "vouch for imports of %s", w.slug)
}

// Vouches returns how often somebody has vouched for text, or taken that back. Whatever
// is known about authors depends on it. It reads memory, not the database.
func (w *Wiki) Vouches() int64 { return w.vouches.Load() }

func (w *Wiki) loadVouches(ctx context.Context) error {
	var n int64
	err := w.queryRow(ctx, "SELECT vouches FROM meta WHERE wiki = $1", w.slug).Scan(&n)
	if errors.Is(err, wiki.ErrDamaged) { // then nobody can vouch, either
		err = nil
	}
	w.vouches.Store(n)
	return err
}

// eraseImports erases a text from the names of sources.
func (x *eraser) eraseImports(ctx context.Context) error {
	type row struct {
		first  int64
		source string
	}
	var rows []row
	err := forEachRow(ctx, x.tx, func(r *sql.Rows) error {
		var i row
		err := r.Scan(&i.first, &i.source)
		rows = append(rows, i)
		return err
	}, "SELECT first, source FROM imports WHERE wiki = $1 AND source <> ''", x.slug)
	if err != nil {
		return err
	}
	for _, i := range rows {
		if source := string(x.eraseIn([]byte(i.source))); source != i.source {
			if err := x.tx.exec("UPDATE imports SET source = $3 WHERE wiki = $1 AND first = $2", x.slug, i.first, source); err != nil {
				return err
			}
		}
	}
	return nil
}
