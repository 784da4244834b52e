package search

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"robot.wtf/internal/minilm"
)

// A stored vector is a float32 scale (little-endian) followed by an int8 for
// each dimension. Measured with the real weights, int8 costs nothing in ranking.
const vectorBytes = 4 + minilm.Dim

func packVector(v []float32) []byte {
	largest := float32(0)
	for _, f := range v {
		largest = max(largest, f, -f)
	}
	step := max(largest, 1e-9) / 127
	packed := make([]byte, 4, vectorBytes)
	binary.LittleEndian.PutUint32(packed, math.Float32bits(step))
	for _, f := range v {
		packed = append(packed, byte(int8(math.RoundToEven(float64(f/step)))))
	}
	return packed
}

// vectors holds all vectors of a wiki, ordered by page and chunk. Queries scan
// all of them: at a wiki's size no approximate index is needed. A vectors value
// is immutable and is replaced when the index changes.
type vectors struct {
	outdated map[int64]bool // pages whose vectors must be read again
	chunks   []chunkLocation
	scales   []float32
	data     []int8 // minilm.Dim per chunk
}

// A chunkLocation is the location of a chunk.
type chunkLocation struct {
	page        int64
	first, last int
	start       int
}

func (v *vectors) bytes() int64 {
	return int64(len(v.data)) + int64(len(v.scales))*4 + int64(len(v.chunks))*40
}

// maxOutdated is the number of changed pages up to which vectors are kept.
const maxOutdated = 64

// outdateVectors notes that the chunks of pages have changed. The caller holds
// snapshotMu.
func (x *index) outdateVectors(pages map[int64]bool) {
	if len(pages) > 0 {
		x.vectorChanges.add(x, pages)
	}
	for len(pages) > 0 {
		v := x.vectors.Load()
		if v == nil {
			return
		}
		next := *v
		next.outdated = maps.Clone(pages)
		maps.Copy(next.outdated, v.outdated)
		kept := &next
		if len(next.outdated) > maxOutdated {
			kept = nil
		}
		if x.vectors.CompareAndSwap(v, kept) {
			return
		}
	}
}

// loadVectors returns the vectors of the index. They are cached, and after a change only
// those of the changed pages are read. The caller has read-locked snapshotMu.
func (x *index) loadVectors(ctx context.Context) (*vectors, error) {
	x.vectorsUsedAt.Store(time.Now().UnixNano())
	old := x.vectors.Load()
	if old != nil && len(old.outdated) == 0 {
		return old, nil
	}
	v, err := x.readVectors(ctx, old)
	if err == nil {
		x.vectors.CompareAndSwap(old, v) // otherwise another query has read or dropped them
	}
	return v, err
}

// readVectors reads all vectors, or those that are outdated in an older value.
func (x *index) readVectors(ctx context.Context, old *vectors) (*vectors, error) {
	v := &vectors{}
	const columns = "SELECT page, first, last, start, vector FROM chunks WHERE vector IS NOT NULL "
	if old == nil {
		return v, x.appendVectors(ctx, v, columns+"ORDER BY page, n")
	}
	v.chunks, v.scales, v.data = make([]chunkLocation, 0, len(old.chunks)+16), make([]float32, 0, len(old.scales)+16), make([]int8, 0, len(old.data)+16*minilm.Dim)
	from := 0
	for _, page := range slices.Sorted(maps.Keys(old.outdated)) {
		to := old.firstOf(page)
		v.appendFrom(old, from, to)
		if err := x.appendVectors(ctx, v, columns+"AND page = $1 ORDER BY n", page); err != nil {
			return nil, err
		}
		from = old.firstOf(page + 1)
	}
	v.appendFrom(old, from, len(old.chunks))
	return v, nil
}

// firstOf returns the index of the first chunk of a page or of those after it.
func (v *vectors) firstOf(page int64) int {
	at, _ := slices.BinarySearchFunc(v.chunks, page, func(c chunkLocation, page int64) int { return cmp.Compare(c.page, page) })
	return at
}

func (v *vectors) appendFrom(old *vectors, from, to int) {
	v.chunks = append(v.chunks, old.chunks[from:to]...)
	v.scales = append(v.scales, old.scales[from:to]...)
	v.data = append(v.data, old.data[from*minilm.Dim:to*minilm.Dim]...)
}

// appendVectors appends the vectors that a query selects.
func (x *index) appendVectors(ctx context.Context, v *vectors, query string, args ...any) error {
	rows, err := x.reads.Rows(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c chunkLocation
		var packed sql.RawBytes
		if err := rows.Scan(&c.page, &c.first, &c.last, &c.start, &packed); err != nil {
			return err
		}
		if len(packed) != vectorBytes {
			return fmt.Errorf("%w: vector has %d bytes", errStale, len(packed))
		}
		v.chunks = append(v.chunks, c)
		v.scales = append(v.scales, math.Float32frombits(binary.LittleEndian.Uint32(packed)))
		for _, b := range packed[4:] {
			v.data = append(v.data, int8(b))
		}
	}
	return rows.Err()
}

// A queryVector is a vector to compare with those of the index.
type queryVector struct {
	scale float32
	data  []int8
}

func newQueryVector(v []float32) queryVector {
	packed := packVector(v)
	a := queryVector{scale: math.Float32frombits(binary.LittleEndian.Uint32(packed)), data: make([]int8, minilm.Dim)}
	for i, b := range packed[4:] {
		a.data[i] = int8(b)
	}
	return a
}

// cosines returns the cosine of a vector with each vector of the index.
func (v *vectors) cosines(with queryVector) []float32 {
	out := make([]float32, len(v.chunks))
	for i := range out {
		out[i] = v.cosine(i, with)
	}
	return out
}

func (v *vectors) cosine(i int, with queryVector) float32 {
	return float32(dotProduct(v.data[i*minilm.Dim:(i+1)*minilm.Dim], with.data)) * v.scales[i] * with.scale
}

func sqrt32(f float32) float32 { return float32(math.Sqrt(float64(f))) }

// dotProduct returns the dot product of two vectors of minilm.Dim.
func dotProduct(a, b []int8) int32 {
	a, b = a[:minilm.Dim], b[:minilm.Dim]
	var s0, s1, s2, s3 int32
	for i := 0; i < minilm.Dim; i += 4 {
		s0 += int32(a[i]) * int32(b[i])
		s1 += int32(a[i+1]) * int32(b[i+1])
		s2 += int32(a[i+2]) * int32(b[i+2])
		s3 += int32(a[i+3]) * int32(b[i+3])
	}
	return s0 + s1 + s2 + s3
}
