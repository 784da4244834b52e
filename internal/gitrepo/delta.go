package gitrepo

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Deltas, as in git's packs (gitformat-pack(5), "Deltified representation"): the
// sizes of the base and the result, then instructions that copy a part of the base
// or insert bytes.

const (
	deltaBlock  = 16       // bytes of the base that are found again together
	deltaInsert = 127      // most bytes of an insert instruction
	deltaCopy   = 0xffffff // most bytes of a copy instruction
)

// Delta returns the instructions that make target from base. The time it takes is
// proportional to the sizes of both.
func Delta(base, target []byte) []byte {
	e := deltaEncoder{base: base, target: target, out: make([]byte, 0, 64+len(target)/16)}
	e.out = binary.AppendUvarint(e.out, uint64(len(base)))
	e.out = binary.AppendUvarint(e.out, uint64(len(target)))
	e.encode(indexBlocks(base))
	return e.out
}

type deltaEncoder struct {
	base, target []byte
	out          []byte
	copied       int // the bytes of target before this offset have instructions
}

// blockFactor and its power make a rolling hash of deltaBlock bytes.
const blockFactor = 0x01000193

var blockPower = func() uint32 {
	power := uint32(1)
	for range deltaBlock - 1 {
		power *= blockFactor
	}
	return power
}()

func hashBlock(block []byte) uint32 {
	var h uint32
	for _, c := range block[:deltaBlock] {
		h = h*blockFactor + uint32(c)
	}
	return h
}

// indexBlocks returns the offset of each block of base by its hash, the first one of
// equal blocks.
func indexBlocks(base []byte) map[uint32]int {
	index := make(map[uint32]int, len(base)/deltaBlock)
	for at := len(base)/deltaBlock*deltaBlock - deltaBlock; at >= 0; at -= deltaBlock {
		index[hashBlock(base[at:])] = at
	}
	return index
}

func (e *deltaEncoder) encode(index map[uint32]int) {
	t := e.target
	rolling := false
	var h uint32
	for at := 0; at+deltaBlock <= len(t); {
		if rolling {
			h = (h-uint32(t[at-1])*blockPower)*blockFactor + uint32(t[at+deltaBlock-1])
		} else {
			h, rolling = hashBlock(t[at:]), true
		}
		from, ok := index[h]
		if !ok || !bytes.Equal(e.base[from:from+deltaBlock], t[at:at+deltaBlock]) {
			at++
			continue
		}
		at, rolling = e.copy(from, at), false
	}
	e.insert(len(t))
}

// copy adds the longest common part of base and target around the two offsets. It
// returns the end of that part in target.
func (e *deltaEncoder) copy(from, at int) int {
	for from > 0 && at > e.copied && e.base[from-1] == e.target[at-1] {
		from, at = from-1, at-1
	}
	e.insert(at)
	length := deltaBlock
	for from+length < len(e.base) && at+length < len(e.target) && e.base[from+length] == e.target[at+length] {
		length++
	}
	for done := 0; done < length; {
		n := min(length-done, deltaCopy)
		e.addCopy(uint32(from+done), uint32(n))
		done += n
	}
	e.copied = at + length
	return e.copied
}

// addCopy adds an instruction: which bytes of offset and size follow, then those
// that aren't zero.
func (e *deltaEncoder) addCopy(offset, size uint32) {
	op := len(e.out)
	e.out = append(e.out, 0x80)
	for i := range 4 {
		if b := byte(offset >> (8 * i)); b != 0 {
			e.out[op] |= 1 << i
			e.out = append(e.out, b)
		}
	}
	for i := range 3 {
		if b := byte(size >> (8 * i)); b != 0 {
			e.out[op] |= 0x10 << i
			e.out = append(e.out, b)
		}
	}
}

// insert adds the bytes of target up to an offset.
func (e *deltaEncoder) insert(to int) {
	for e.copied < to {
		n := min(to-e.copied, deltaInsert)
		e.out = append(e.out, byte(n))
		e.out = append(e.out, e.target[e.copied:e.copied+n]...)
		e.copied += n
	}
}

var errDelta = errors.New("gitrepo: invalid delta")

// ApplyDelta returns what a delta makes from base, which must have size bytes.
func ApplyDelta(base, delta []byte, size int64) ([]byte, error) {
	from, n := binary.Uvarint(delta)
	if n <= 0 || from != uint64(len(base)) {
		return nil, errDelta
	}
	delta = delta[n:]
	to, n := binary.Uvarint(delta)
	if n <= 0 || size < 0 || to != uint64(size) {
		return nil, errDelta
	}
	delta = delta[n:]
	out := make([]byte, 0, size)
	for len(delta) > 0 {
		op := delta[0]
		delta = delta[1:]
		part, used, ok := delta, int(op), op != 0 && int(op) <= len(delta) // an insert
		if op&0x80 != 0 {
			part, used, ok = copiedPart(base, op, delta)
		} else if ok {
			part = delta[:used]
		}
		if !ok || int64(len(part)) > size-int64(len(out)) {
			return nil, errDelta
		}
		out, delta = append(out, part...), delta[used:]
	}
	if int64(len(out)) != size {
		return nil, errDelta
	}
	return out, nil
}

// copiedPart returns the part of base that a copy instruction names, and how many
// bytes of arguments it has.
func copiedPart(base []byte, op byte, args []byte) (part []byte, used int, ok bool) {
	var offset, size uint64
	for i := range 7 {
		if op&(1<<i) == 0 {
			continue
		}
		if used == len(args) {
			return nil, 0, false
		}
		if i < 4 {
			offset |= uint64(args[used]) << (8 * i)
		} else {
			size |= uint64(args[used]) << (8 * (i - 4))
		}
		used++
	}
	if size == 0 {
		size = 0x10000
	}
	if offset > uint64(len(base)) || size > uint64(len(base))-offset {
		return nil, 0, false
	}
	return base[offset : offset+size], used, true
}
