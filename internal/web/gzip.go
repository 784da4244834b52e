package web

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// compressWell compresses data that is sent often.
func compressWell(data []byte) []byte {
	var buf bytes.Buffer
	z, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	_, _ = z.Write(data)
	_ = z.Close()
	return buf.Bytes()
}

var fastWriters = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return z
}}

// compressFast compresses data that is sent once.
func compressFast(data []byte) []byte {
	var buf bytes.Buffer
	z := fastWriters.Get().(*gzip.Writer)
	defer fastWriters.Put(z)
	z.Reset(&buf)
	_, _ = z.Write(data)
	_ = z.Close()
	return buf.Bytes()
}

// gzipHeader begins a gzip member without a name or time (RFC 1952, section 2.3).
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// gzipTrailer is the number of bytes after the blocks of a gzip member.
const gzipTrailer = 8

// deflateWriters are free *flate.Writers of the two levels that pages are compressed at.
var deflateWriters = map[int]*sync.Pool{flate.BestSpeed: newDeflateWriters(flate.BestSpeed), flate.BestCompression: newDeflateWriters(flate.BestCompression)}

func newDeflateWriters(level int) *sync.Pool {
	return &sync.Pool{New: func() any {
		z, _ := flate.NewWriter(nil, level)
		return z
	}}
}

// deflateBlocks compresses a part of a text to blocks of DEFLATE (RFC 1951) that end at
// a byte and refer to no other part, so they can be joined with those of others.
// Members of gzip could be joined as well, but browsers show only the first. last marks
// the end of the stream.
func deflateBlocks(level int, part []byte, last bool) []byte {
	var buf bytes.Buffer
	z := deflateWriters[level].Get().(*flate.Writer)
	defer deflateWriters[level].Put(z)
	z.Reset(&buf)
	_, _ = z.Write(part)
	if last {
		_ = z.Close()
	} else {
		_ = z.Flush()
	}
	return buf.Bytes()
}

// appendTrailer ends a gzip member: the checksum and the size of the text.
func appendTrailer(member []byte, sum uint32, size int) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(member, sum), uint32(size))
}

// A splicedGzip is a page for anonymous readers as one gzip member, in which the blocks
// of their account can be replaced.
type splicedGzip struct {
	member    []byte
	length    []string
	slot, end int    // position of the account's blocks
	head      uint32 // checksum of the text before the account
	tail      uint32 // and after it
	shift     uint32 // see crcShift, of the text after the account
	small     bool   // compressed at the best level, or too large for it
}

// maxWell is the size up to which pages are compressed at the best level.
const maxWell = 256 << 10

// newSplicedGzip compresses a page whose account is from slot to end.
func newSplicedGzip(level int, plain []byte, slot, end int) *splicedGzip {
	head, account, tail := plain[:slot], plain[slot:end], plain[end:]
	z := &splicedGzip{
		head: crc32.ChecksumIEEE(head), tail: crc32.ChecksumIEEE(tail), shift: crcShift(len(tail)),
		small: level == flate.BestCompression || len(plain) > maxWell,
	}
	var member bytes.Buffer
	member.WriteString(gzipHeader)
	member.Write(deflateBlocks(level, head, false))
	z.slot = member.Len()
	member.Write(deflateBlocks(level, account, false))
	z.end = member.Len()
	member.Write(deflateBlocks(level, tail, true))
	z.member = appendTrailer(bytes.Clone(member.Bytes()), crc32.ChecksumIEEE(plain), len(plain))
	z.length = []string{strconv.Itoa(len(z.member))}
	return z
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

// plain returns the text of the page, which has size bytes.
func (z *splicedGzip) plain(size int) ([]byte, error) {
	unpacked := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(unpacked)
	if err := unpacked.(flate.Resetter).Reset(bytes.NewReader(z.member[len(gzipHeader):]), nil); err != nil {
		return nil, fmt.Errorf("web: unpack a page: %w", err)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(unpacked, text); err != nil {
		return nil, fmt.Errorf("web: unpack a page: %w", err)
	}
	return text, nil
}

// appendWith appends the member with another account to a buffer. size is that of the
// text.
func (z *splicedGzip) appendWith(buf []byte, account *accountPart, size int) []byte {
	buf = append(append(buf, z.member[:z.slot]...), account.blocks...)
	buf = append(buf, z.member[z.end:len(z.member)-gzipTrailer]...)
	sum := crc32.Update(z.head, crc32.IEEETable, account.html)
	return appendTrailer(buf, crcTimes(z.shift, sum)^z.tail, size)
}

// The checksum of two texts one after another is that of the first, multiplied by x to the
// power of eight times the length of the second, plus that of the second: polynomials
// over GF(2) modulo the one of CRC-32, as in zlib's crc32_combine.

// crcShift returns x to the power of 8n.
func crcShift(n int) uint32 {
	power := uint32(1 << 31)  // 1: the highest bit has the lowest exponent
	square := uint32(1 << 23) // x to the power of 8
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			power = crcTimes(square, power)
		}
		square = crcTimes(square, square)
	}
	return power
}

// crcTimes multiplies two polynomials.
func crcTimes(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		if a>>31 == 1 {
			product ^= b
		}
		b = b>>1 ^ crc32.IEEE&-(b&1)
	}
	return product
}
