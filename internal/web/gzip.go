package web

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strconv"
	"sync"
	"sync/atomic"

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
	small     bool   // compressed at the best level, or too large for it
}

// maxWell is the size up to which pages are compressed at the best level.
const maxWell = 256 << 10

func newSplicedGzip(level int, p *finishedPage) *splicedGzip {
	head, account, tail := p.plain[:p.slot], p.plain[p.slot:p.end], p.plain[p.end:]
	z := &splicedGzip{head: crc32.ChecksumIEEE(head), small: level == flate.BestCompression || len(p.plain) > maxWell}
	z.member = append([]byte(gzipHeader), deflateBlocks(level, head, false)...)
	z.slot = len(z.member)
	z.member = append(z.member, deflateBlocks(level, account, false)...)
	z.end = len(z.member)
	z.member = append(z.member, deflateBlocks(level, tail, true)...)
	z.member = appendTrailer(z.member, crc32.ChecksumIEEE(p.plain), len(p.plain))
	z.length = []string{strconv.Itoa(len(z.member))}
	return z
}

// appendWith appends the member with another account to a buffer.
func (z *splicedGzip) appendWith(buf []byte, account *accountPart, tail []byte, size int) []byte {
	buf = append(append(buf, z.member[:z.slot]...), account.blocks...)
	buf = append(buf, z.member[z.end:len(z.member)-gzipTrailer]...)
	sum := crc32.Update(z.head, crc32.IEEETable, account.html)
	return appendTrailer(buf, crc32.Update(sum, crc32.IEEETable, tail), size)
}

// A lazyGzip compresses a page when it is first asked for: fast for the first reader,
// well for the second.
type lazyGzip struct {
	now       atomic.Pointer[splicedGzip]
	improving atomic.Bool
}

func (l *lazyGzip) get(p *finishedPage) *splicedGzip {
	z := l.now.Load()
	switch {
	case z == nil:
		z = newSplicedGzip(flate.BestSpeed, p)
		l.now.CompareAndSwap(nil, z)
	case !z.small && l.improving.CompareAndSwap(false, true):
		z = newSplicedGzip(flate.BestCompression, p)
		l.now.Store(z)
	}
	return z
}
