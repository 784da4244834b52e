package search

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"
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
	chunks []chunkLocation
	scales []float32
	data   []int8 // minilm.Dim per chunk
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

// loadVectors returns the vectors of the index, cached until it changes.
func (x *index) loadVectors(ctx context.Context, db *sql.DB) (*vectors, error) {
	x.vectorsUsedAt.Store(time.Now().UnixNano())
	if v := x.vectors.Load(); v != nil {
		return v, nil
	}
	rows, err := x.reads.Rows(ctx, "SELECT page, first, last, start, vector FROM chunks WHERE vector IS NOT NULL ORDER BY page, n")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	v := &vectors{}
	for rows.Next() {
		var c chunkLocation
		var packed sql.RawBytes
		if err := rows.Scan(&c.page, &c.first, &c.last, &c.start, &packed); err != nil {
			return nil, err
		}
		if len(packed) != vectorBytes {
			return nil, fmt.Errorf("%w: vector has %d bytes", errStale, len(packed))
		}
		v.chunks = append(v.chunks, c)
		v.scales = append(v.scales, math.Float32frombits(binary.LittleEndian.Uint32(packed)))
		for _, b := range packed[4:] {
			v.data = append(v.data, int8(b))
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	x.vectors.Store(v)
	return v, nil
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
