package gitrepo

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
)

// A Pack collects objects in git's pack format, version 2 (gitformat-pack(5)),
// in memory. The zero value is empty.
type Pack struct {
	entries bytes.Buffer
	have    map[string]bool
	deflate *zlib.Writer
}

// packHeader is the length of "PACK", the version and the number of objects.
const packHeader = 12

// refDelta is the type of entries that are deltas and name their base.
const refDelta = "ref-delta"

var objectTypes = map[string]byte{"commit": 1, "tree": 2, "blob": 3, "tag": 4, refDelta: 7}

// Has reports whether an object is in the pack.
func (p *Pack) Has(id string) bool { return p.have[id] }

// Len returns the number of objects.
func (p *Pack) Len() int { return len(p.have) }

// Size returns the size of the encoded pack in bytes.
func (p *Pack) Size() int { return packHeader + p.entries.Len() + sha1.Size }

// Add adds an object, unless the pack already has it.
func (p *Pack) Add(kind, id string, content []byte) {
	if p.beginEntry(kind, id, int64(len(content))) {
		p.write(content)
	}
}

// AddDeflated adds an object whose content, of size bytes, is already a zlib
// stream. It trusts the caller about the stream and the id; readers of the pack
// verify both.
func (p *Pack) AddDeflated(kind, id string, size int64, stream []byte) {
	if p.beginEntry(kind, id, size) {
		p.entries.Write(stream)
	}
}

// AddDelta adds an object as a delta (see Delta) against another one of the pack,
// unless the pack already has it.
func (p *Pack) AddDelta(id, base string, delta []byte) error {
	raw, err := hex.DecodeString(base)
	if err != nil || !p.have[base] {
		return fmt.Errorf("gitrepo: delta of %s: its base %q isn't in the pack", id, base)
	}
	if !p.beginEntry(refDelta, id, int64(len(delta))) {
		return nil
	}
	p.entries.Write(raw)
	p.write(delta)
	return nil
}

// write writes a zlib stream.
func (p *Pack) write(content []byte) {
	if p.deflate == nil {
		p.deflate, _ = zlib.NewWriterLevel(nil, zlib.BestSpeed) // fails only for other levels
	}
	p.deflate.Reset(&p.entries)
	p.deflate.Write(content) // can't fail: it writes to memory
	p.deflate.Close()
}

// beginEntry writes an entry's header: three bits of type, and the size in groups
// of seven bits, with four in the first byte. It returns false if the pack
// already has the object.
func (p *Pack) beginEntry(kind, id string, size int64) bool {
	if p.have[id] {
		return false
	}
	if p.have == nil {
		p.have = map[string]bool{}
	}
	p.have[id] = true
	head := objectTypes[kind]<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		p.entries.WriteByte(head | 0x80)
		head = byte(size & 0x7f)
	}
	p.entries.WriteByte(head)
	return true
}

// WriteTo writes the whole pack with its checksum. It doesn't change the Pack.
func (p *Pack) WriteTo(w io.Writer) (int64, error) {
	sum := sha1.New()
	head := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(p.Len()))
	both := io.MultiWriter(w, sum)
	var written int64
	for _, part := range [][]byte{head, p.entries.Bytes()} {
		n, err := both.Write(part)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	n, err := w.Write(sum.Sum(nil))
	return written + int64(n), err
}
