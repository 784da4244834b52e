package content

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zlib"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// The column data of blobs is a blob's content as a zlib stream (RFC 1950), whose
// checksum detects a damaged disk, or a delta against another blob of the wiki:
//
//	"d"          no zlib stream begins with it
//	20 bytes     the other blob's id
//	uvarint      the delta's size
//	zlib stream  the delta, in git's format (gitrepo.Delta)
const deltaMark = 'd'

const rawID = 20 // bytes of an id

// A storedBlob is a row of blobs.
type storedBlob struct {
	size int64 // of the content
	data []byte
}

// isDelta reports whether another blob is needed to read this one.
func (b storedBlob) isDelta() bool { return len(b.data) > 0 && b.data[0] == deltaMark }

// base returns the id of the blob that a delta applies to.
func (b storedBlob) base() string {
	if len(b.data) < 1+rawID {
		return ""
	}
	return hex.EncodeToString(b.data[1 : 1+rawID])
}

// apply returns the content that a delta makes from its base's.
func (b storedBlob) apply(base []byte) ([]byte, error) {
	rest := b.data[min(1+rawID, len(b.data)):]
	size, n := binary.Uvarint(rest)
	if n <= 0 || size > uint64(2*b.size+1000) {
		return nil, fmt.Errorf("a delta of %d bytes for a blob of %d", size, b.size)
	}
	delta, err := inflate(rest[n:], int64(size))
	if err != nil {
		return nil, err
	}
	return gitrepo.ApplyDelta(base, delta, b.size)
}

// storedDelta returns the column data of a blob as a delta.
func storedDelta(base string, delta []byte) ([]byte, error) {
	id, err := hex.DecodeString(base)
	if err != nil || len(id) != rawID {
		return nil, fmt.Errorf("content: a delta against %q", base)
	}
	data := append([]byte{deltaMark}, id...)
	data = binary.AppendUvarint(data, uint64(len(delta)))
	return append(data, deflate(delta)...), nil
}

// A small blob is stored in the row of the commit that brought it, so that a save
// writes one page for both; other blobs are rows of other_blobs. commit_blobs maps the
// ids of small blobs to their commits, except for commits after the last span, which are
// searched themselves. The view blobs has both kinds.

// maxCommitData is the largest size of data that fits in a page with the rest of a
// commit's row.
const maxCommitData = 3300 // bytes

// separateBlobs are the queries of the view blobs, one for each table. If one table is
// damaged, the other can still have the blob.
var separateBlobs = []string{
	"SELECT size, data FROM other_blobs WHERE wiki = $1 AND oid = $2",
	"SELECT blob_size, data FROM commits WHERE wiki = $1 AND blob = $2",
}

// insertBlob stores a blob unless the wiki has it, and reports whether it did.
func (t *tx) insertBlob(id string, size int64, data []byte) (bool, error) {
	n, err := t.execCount("INSERT INTO other_blobs (wiki, oid, size, data) SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE wiki = $1 AND oid = $2)",
		t.w.slug, id, size, data)
	return n > 0, err
}

// commitOfBlob is the SQL for the seq of the commit whose row has blob $2.
const commitOfBlob = "(SELECT seq FROM commit_blobs WHERE wiki = $1 AND oid = $2 UNION ALL SELECT seq FROM commits WHERE wiki = $1 AND seq > " + afterSpans + " AND blob = $2 LIMIT 1)"

// setBlobData replaces the data of a blob.
func (t *tx) setBlobData(id string, data []byte) error {
	return errors.Join(
		t.exec("UPDATE other_blobs SET data = $3 WHERE wiki = $1 AND oid = $2", t.w.slug, id, data),
		t.exec("UPDATE commits SET data = $3 WHERE seq = "+commitOfBlob, t.w.slug, id, data))
}

func (t *tx) deleteBlob(id string) error {
	return errors.Join(
		t.exec("UPDATE commits SET blob = '', data = NULL WHERE seq = "+commitOfBlob, t.w.slug, id),
		t.exec("DELETE FROM commit_blobs WHERE wiki = $1 AND oid = $2", t.w.slug, id),
		t.exec("DELETE FROM other_blobs WHERE wiki = $1 AND oid = $2", t.w.slug, id))
}

var deflaters = sync.Pool{New: func() any { w, _ := zlib.NewWriterLevel(nil, zlib.BestSpeed); return w }}

func deflate(data []byte) []byte {
	b := bytes.NewBuffer(make([]byte, 0, len(data)/2+64))
	w := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(w)
	w.Reset(b)
	w.Write(data) // to memory: can't fail
	w.Close()
	return b.Bytes()
}

var inflaters sync.Pool // of io.ReadCloser from zlib.NewReader

func inflate(data []byte, size int64) ([]byte, error) {
	source := bytes.NewReader(data)
	r, ok := inflaters.Get().(io.ReadCloser)
	var err error
	if ok {
		err = r.(zlib.Resetter).Reset(source, nil)
	} else {
		r, err = zlib.NewReader(source)
	}
	if err != nil {
		return nil, err
	}
	defer inflaters.Put(r)
	out := make([]byte, size)
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, err
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF { // where the checksum is compared
		return nil, fmt.Errorf("more than %d bytes, or %w", size, err)
	}
	return out, nil
}

// A blobReader reads the blobs of one wiki.
type blobReader struct {
	q     querier
	slug  string
	cache *textCache // of contents that deltas apply to; can be nil
}

// A textCache holds contents of blobs that are deltas, or that deltas apply to.
// Neighbouring revisions are often read together. Its slices aren't changed.
type textCache = budget.Cache[textKey, []byte]

type textKey struct{ slug, id string }

func newTextCache() *textCache {
	return budget.NewCache(16<<20, 2<<20, func(k textKey, _ []byte) string { return k.slug }, func(_ textKey, text []byte) int64 { return int64(len(text)) + 200 })
}

func (w *Wiki) blobs() blobReader { return blobReader{w, w.slug, w.pool.texts} }

func readBlob(ctx context.Context, q querier, slug, id string) ([]byte, error) {
	return blobReader{q: q, slug: slug}.read(ctx, id)
}

// maxChain limits how many deltas are applied to read a blob. Compress makes shorter
// chains (maxHeight), so only damaged ones are longer.
const maxChain = 2 * maxHeight

// read returns a blob's content. It is the caller's to change.
func (r blobReader) read(ctx context.Context, id string) ([]byte, error) {
	for try := 1; ; try++ {
		b, err := r.row(ctx, id)
		if err != nil {
			return nil, wrapError(err, "blob %s/%s", r.slug, id)
		}
		text, err := r.content(ctx, id, b, maxChain)
		switch {
		case err == nil && r.cache != nil && b.isDelta():
			return bytes.Clone(text), nil
		case err == nil:
			return text, nil
		case !errors.Is(err, sql.ErrNoRows) || try == 3:
			return nil, fmt.Errorf("content: blob %s/%s: %w: %w", r.slug, id, errPart, err)
		}
		// An erasure can have removed a base after its row was read. The blob doesn't
		// depend on it any longer.
	}
}

func (r blobReader) row(ctx context.Context, id string) (b storedBlob, err error) {
	err = r.q.queryRow(ctx, "SELECT size, data FROM blobs WHERE wiki = $1 AND oid = $2", r.slug, id).Scan(&b.size, &b.data)
	if !errors.Is(err, wiki.ErrDamaged) {
		return b, err
	}
	for _, query := range separateBlobs {
		if r.q.queryRow(ctx, query, r.slug, id).Scan(&b.size, &b.data) == nil {
			return b, nil
		}
	}
	return b, err
}

// content returns the content of a row, after that of the blobs it depends on.
func (r blobReader) content(ctx context.Context, id string, b storedBlob, chain int) ([]byte, error) {
	if !b.isDelta() {
		return inflate(b.data, b.size)
	}
	if chain == 0 {
		return nil, errors.New("too many deltas")
	}
	base := b.base()
	text, cached := r.cached(base)
	if !cached {
		next, err := r.row(ctx, base)
		if err != nil {
			return nil, fmt.Errorf("base %s: %w", base, err)
		}
		if text, err = r.content(ctx, base, next, chain-1); err != nil {
			return nil, err
		}
		r.keep(base, text)
	}
	text, err := b.apply(text)
	if err == nil {
		r.keep(id, text)
	}
	return text, err
}

func (r blobReader) cached(id string) ([]byte, bool) {
	if r.cache == nil {
		return nil, false
	}
	return r.cache.GetIfPresent(textKey{r.slug, id})
}

func (r blobReader) keep(id string, text []byte) {
	if r.cache != nil {
		r.cache.Set(textKey{r.slug, id}, text)
	}
}

// forEachBlob calls do with every blob's content, in no order. It fails if one can't
// be read.
func forEachBlob(ctx context.Context, q querier, slug string, do func(id string, text []byte) error) error {
	deltas := 0
	err := forEachRow(ctx, q, func(rows *sql.Rows) error {
		var id string
		var b storedBlob
		var data sql.RawBytes
		if err := errors.Join(ctx.Err(), rows.Scan(&id, &b.size, &data)); err != nil {
			return err
		}
		if b.data = data; b.isDelta() {
			deltas++
			return nil
		}
		text, err := inflate(b.data, b.size)
		if err != nil {
			return fmt.Errorf("blob %s: %w", id, err)
		}
		return do(id, text)
	}, "SELECT oid, size, data FROM blobs WHERE wiki = $1", slug)
	if err != nil || deltas == 0 {
		return err
	}
	t := deltaTree{r: blobReader{q: q, slug: slug}, do: do}
	if err := t.walk(ctx); err != nil {
		return err
	}
	if t.seen != deltas {
		return fmt.Errorf("%d of %d deltas depend on no blob: %w", deltas-t.seen, deltas, errPart)
	}
	return nil
}

// A deltaTree reads deltas after the blobs that they depend on, each once.
type deltaTree struct {
	r     blobReader
	do    func(id string, text []byte) error
	below map[string][]string // ids of deltas by that of their base
	seen  int
}

func (t *deltaTree) walk(ctx context.Context) error {
	t.below = map[string][]string{}
	inner := map[string]bool{}
	err := forEachRow(ctx, t.r.q, func(rows *sql.Rows) error {
		var base, id string
		err := rows.Scan(&base, &id)
		t.below[base] = append(t.below[base], id)
		inner[id] = true
		return err
	}, "SELECT base, oid FROM deltas WHERE wiki = $1", t.r.slug)
	if err != nil {
		return err
	}
	for base := range t.below {
		if inner[base] {
			continue
		}
		text, err := t.r.read(ctx, base)
		if err != nil {
			return err
		}
		if err := t.visit(ctx, base, text, maxChain); err != nil {
			return err
		}
	}
	return nil
}

// visit reads the deltas that apply to a blob.
func (t *deltaTree) visit(ctx context.Context, base string, text []byte, chain int) error {
	if chain == 0 {
		return fmt.Errorf("blob %s: too many deltas: %w", base, errPart)
	}
	for _, id := range t.below[base] {
		b, err := t.r.row(ctx, id)
		if err != nil {
			return fmt.Errorf("blob %s: %w", id, err)
		}
		if b.base() != base {
			return fmt.Errorf("blob %s isn't a delta of %s: %w", id, base, errPart)
		}
		next, err := b.apply(text)
		if err != nil {
			return fmt.Errorf("blob %s: %w", id, err)
		}
		t.seen++
		if err := errors.Join(ctx.Err(), t.do(id, next)); err != nil {
			return err
		}
		if err := t.visit(ctx, id, next, chain-1); err != nil {
			return err
		}
	}
	return nil
}
