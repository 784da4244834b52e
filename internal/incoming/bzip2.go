package incoming

import (
	"bufio"
	"io"
)

// Marks of bzip2's format, which begin at any bit: of a block, and of the end of a
// stream, after which another can follow.
const (
	blockMark  = 0x314159265359
	streamMark = 0x177245385090
	markBits   = 48
)

// A blockCounter finds the blocks of a bzip2 file. A block but the last of a stream
// holds level × 100,000 bytes, in which runs of four bytes take five. Packers that work
// in parallel cut blocks in two, so that a small one follows each whole one.
type blockCounter struct {
	level   int64
	begun   int64 // bit where the present block begins, 0 for none
	longest int64 // bits of the last whole block
	bytes   int64 // lower bound of what the whole blocks hold
}

// bzip2Bytes returns how many bytes a bzip2 file holds at least, without unpacking it.
func bzip2Bytes(file io.Reader) (int64, error) {
	in := bufio.NewReaderSize(file, 256<<10)
	head, err := in.Peek(4)
	if err != nil || head[3] < '1' || head[3] > '9' {
		return 0, err
	}
	counter := blockCounter{level: int64(head[3] - '0')}
	at := markShifts()
	var window uint64
	for bit := int64(8); ; bit += 8 {
		b, err := in.ReadByte()
		if err == io.EOF {
			return counter.bytes, nil
		}
		if err != nil {
			return 0, err
		}
		window = window<<8 | uint64(b)
		shifts := at[byte(window>>24)]
		for shift := 0; shifts != 0; shift, shifts = shift+1, shifts>>1 {
			if shifts&1 != 0 {
				counter.add(window>>shift&(1<<markBits-1), bit-int64(shift)-markBits)
			}
		}
	}
}

// markShifts returns, for each value of a window's fourth last byte, the set of shifts
// at which a mark can end: bit n is set if it can end n bits before the window's end.
func markShifts() (shifts [256]byte) {
	for shift := range 8 {
		for _, mark := range []uint64{blockMark, streamMark} {
			shifts[byte(mark<<shift>>24)] |= 1 << shift
		}
	}
	return shifts
}

// add counts what precedes a mark that begins at a bit.
func (c *blockCounter) add(mark uint64, bit int64) {
	switch mark {
	case streamMark:
		c.begun = 0
	case blockMark:
		if bits := bit - c.begun; c.begun > 0 && bits >= c.longest/4 {
			c.longest = bits
			c.bytes += c.level * 100_000 * 4 / 5
		}
		c.begun = bit
	}
}
