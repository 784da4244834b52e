package content

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// Older revisions are stored as deltas against the revision that followed them.
// Current files stay whole, so that views don't need a delta.

const (
	maxHeight     = 20      // deltas on the longest chain
	maxCompressed = 4 << 20 // size of a blob from which on it stays whole
	sliceChanges  = 200     // changes that are looked at in one transaction
	sliceBytes    = 8 << 20 // contents that are read for one transaction
)

// compressAfter is the number of commits that make it worthwhile to compress.
const compressAfter = 100

// Compress stores the older revisions of files as deltas where that takes at most
// half the space. It works in short transactions and takes the wiki's turn for each
// (Pool.AcquireLarge). If it is interrupted, the next call continues.
func (w *Wiki) Compress(ctx context.Context) error {
	for more := true; more; {
		release, err := w.AcquireLarge(ctx, largeText)
		if err != nil {
			return err
		}
		more, err = w.compressSlice(ctx)
		release()
		if err != nil {
			return wrapError(err, "compress %s", w.slug)
		}
	}
	return nil
}

func (w *Wiki) compressSlice(ctx context.Context) (more bool, err error) {
	c := compressor{q: w, slug: w.slug}
	if err := c.plan(ctx); err != nil {
		return false, err
	}
	if c.next == c.from {
		return false, nil
	}
	return true, w.inWriteTx(ctx, c.write, nil)
}

// compress is Compress within a transaction.
func (t *tx) compress(ctx context.Context) error {
	for {
		c := compressor{q: t, slug: t.w.slug}
		if err := c.plan(ctx); err != nil || c.next == c.from {
			return err
		}
		if err := c.write(t); err != nil {
			return err
		}
	}
}

// CompressIfDue calls Compress if the wiki has enough new commits.
func (w *Wiki) CompressIfDue(ctx context.Context) error {
	var waiting int64
	err := w.queryRow(ctx, "SELECT seq - compressed FROM meta WHERE wiki = $1", w.slug).Scan(&waiting)
	if err != nil || waiting < compressAfter {
		return wrapError(err, "compress %s", w.slug)
	}
	return w.Compress(ctx)
}

// Sweep compresses the histories of wikis that are open.
func (p *Pool) Sweep(ctx context.Context) error {
	p.mu.Lock()
	slugs := slices.Sorted(maps.Keys(p.open))
	p.mu.Unlock()
	var failed error
	for _, slug := range slugs {
		w, release, err := p.Open(ctx, slug)
		if err == nil {
			err = w.CompressIfDue(ctx)
			release()
		}
		if !errors.Is(err, wiki.ErrNotFound) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// A compressor plans and writes the deltas of one slice of the history.
type compressor struct {
	q    querier
	slug string

	from, next position
	current    map[string]bool // blobs of current files
	deltas     []plannedDelta
	planned    map[string]bool // blobs that become deltas
	heights    map[string]int
	texts      map[string][]byte
	bytes      int
}

// A position is that of a change in the history.
type position struct{ seq, n int64 }

type plannedDelta struct {
	id, base string
	data     []byte
	height   int
	saved    int
}

// plan looks at the changes after the last compressed one.
func (c *compressor) plan(ctx context.Context) error {
	c.planned, c.heights, c.texts = map[string]bool{}, map[string]int{}, map[string][]byte{}
	var head int64
	err := c.q.queryRow(ctx, "SELECT seq, compressed, compressed_n FROM meta WHERE wiki = $1", c.slug).Scan(&head, &c.from.seq, &c.from.n)
	if err != nil {
		return err
	}
	c.next = c.from
	end := position{min(c.from.seq+sliceChanges, head), endOfCommit}
	if head == 0 || c.from == end {
		return nil
	}
	list, err := c.replacements(ctx, end.seq)
	if err == nil && len(list) > 0 {
		err = c.readCurrent(ctx)
	}
	if err != nil {
		return err
	}
	for _, r := range list {
		if c.bytes > sliceBytes {
			return nil
		}
		if err := errors.Join(ctx.Err(), c.consider(ctx, r.old, r.new)); err != nil {
			return err
		}
		c.next = r.position
	}
	if len(list) < sliceChanges {
		c.next = end
	}
	return nil
}

// endOfCommit is the place after all changes of a commit.
const endOfCommit = 1 << 40

// A replacement is a change of one blob to another.
type replacement struct {
	position
	old, new string
}

// replacements returns at most sliceChanges of the replacements in the next commits.
func (c *compressor) replacements(ctx context.Context, upTo int64) ([]replacement, error) {
	var list []replacement
	err := forEachRow(ctx, c.q, func(rows *sql.Rows) error {
		var r replacement
		err := rows.Scan(&r.seq, &r.n, &r.old, &r.new)
		list = append(list, r)
		return err
	}, `SELECT seq, n, old, new FROM commit_changes
		WHERE wiki = $1 AND seq >= $2 AND seq <= $4 AND (seq > $2 OR n > $3) AND old <> '' AND new <> '' AND old <> new
		ORDER BY seq, n LIMIT $5`, c.slug, c.from.seq, c.from.n, upTo, sliceChanges)
	return list, err
}

func (c *compressor) readCurrent(ctx context.Context) error {
	c.current = map[string]bool{}
	return forEachRow(ctx, c.q, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		c.current[id] = true
		return err
	}, "SELECT blob FROM files WHERE wiki = $1", c.slug)
}

// consider plans a delta for a blob that another one replaced in a file.
func (c *compressor) consider(ctx context.Context, old, next string) error {
	if c.current[old] || c.planned[old] || c.planned[next] {
		return nil
	}
	was, ok, err := c.whole(ctx, old)
	if err != nil || !ok {
		return err
	}
	is, ok, err := c.whole(ctx, next)
	if err != nil || !ok {
		return err
	}
	height, err := c.height(ctx, old)
	if err != nil || height+1 > maxHeight {
		return err
	}
	text, err := c.text(old, was)
	if err != nil {
		return err
	}
	base, err := c.text(next, is)
	if err != nil {
		return err
	}
	delta := gitrepo.Delta(base, text)
	if again, err := gitrepo.ApplyDelta(base, delta, int64(len(text))); err != nil || !bytes.Equal(again, text) {
		return fmt.Errorf("blob %s: %w", old, errors.Join(err, ErrMismatch))
	}
	data, err := storedDelta(next, delta)
	if err != nil || len(data) > len(was.data)/2 {
		return err
	}
	below, err := c.height(ctx, next)
	c.planned[old], c.heights[next] = true, max(below, height+1)
	c.deltas = append(c.deltas, plannedDelta{id: old, base: next, data: data, height: height + 1, saved: len(was.data) - len(data)})
	return err
}

// whole returns the row of a blob; ok is false if it is a delta, too large, or not
// stored, as a submodule's.
func (c *compressor) whole(ctx context.Context, id string) (b storedBlob, ok bool, err error) {
	b, err = blobReader{q: c.q, slug: c.slug}.row(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return b, false, nil
	}
	return b, err == nil && !b.isDelta() && b.size <= maxCompressed, err
}

// height returns the length of the longest chain of deltas that depend on a blob.
func (c *compressor) height(ctx context.Context, id string) (int, error) {
	if h, ok := c.heights[id]; ok {
		return h, nil
	}
	var h int
	err := c.q.queryRow(ctx, "SELECT COALESCE(MAX(height), 0) FROM deltas WHERE wiki = $1 AND base = $2", c.slug, id).Scan(&h)
	c.heights[id] = h
	return h, err
}

func (c *compressor) text(id string, b storedBlob) ([]byte, error) {
	if text, ok := c.texts[id]; ok {
		return text, nil
	}
	text, err := inflate(b.data, b.size)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", id, err)
	}
	c.texts[id] = text
	c.bytes += len(text)
	return text, nil
}

// write writes the deltas, except those whose blobs have changed since they were
// planned.
func (c *compressor) write(t *tx) error {
	saved := 0
	for _, d := range c.deltas {
		var whole int
		if err := t.queryRow(t.context(), "SELECT COUNT(*) FROM blobs WHERE wiki = $1 AND oid IN ($2, $3) AND SUBSTR(data, 1, 1) <> $4",
			c.slug, d.id, d.base, []byte{deltaMark}).Scan(&whole); err != nil {
			return err
		}
		if whole < 2 {
			continue
		}
		if err := t.setBlobData(d.id, d.data); err != nil {
			return err
		}
		if err := t.exec("INSERT INTO deltas VALUES ($1, $2, $3, $4)", c.slug, d.base, d.id, d.height); err != nil {
			return err
		}
		saved += d.saved
	}
	if err := t.exec("UPDATE state SET saved_bytes = saved_bytes + $2 WHERE wiki = $1", c.slug, saved); err != nil {
		return err
	}
	// An erasure in between starts again from the first commit.
	return t.exec("UPDATE state SET compressed = $4, compressed_n = $5 WHERE wiki = $1 AND compressed = $2 AND compressed_n = $3",
		c.slug, c.from.seq, c.from.n, c.next.seq, c.next.n)
}

// detach prepares blobs for their deletion: deltas that apply to them are stored as
// whole contents.
func (t *tx) detach(ctx context.Context, doomed func(id string) bool) error {
	type delta struct{ base, id string }
	var affected []delta
	err := forEachRow(ctx, t, func(rows *sql.Rows) error {
		var d delta
		err := rows.Scan(&d.base, &d.id)
		if doomed(d.base) || doomed(d.id) {
			affected = append(affected, d)
		}
		return err
	}, "SELECT base, oid FROM deltas WHERE wiki = $1", t.w.slug)
	if err != nil {
		return err
	}
	for _, d := range affected {
		if !doomed(d.id) {
			text, err := readBlob(ctx, t, t.w.slug, d.id)
			if err != nil {
				return err
			}
			if err := t.setBlobData(d.id, deflate(text)); err != nil {
				return err
			}
		}
		if err := t.exec("DELETE FROM deltas WHERE wiki = $1 AND base = $2 AND oid = $3", t.w.slug, d.base, d.id); err != nil {
			return err
		}
	}
	return nil
}
