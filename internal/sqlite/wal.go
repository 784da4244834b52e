package sqlite

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
)

// A LogPosition is the end of a transaction in a write-ahead log. The zero position is
// the beginning of whatever log there is.
type LogPosition struct {
	salts  [2]uint32 // of the log
	sums   [2]uint32 // checksum of everything before
	offset int64
	moved  bool // everything before it is in the database's file: the log can begin again
}

// Moved returns the position after a checkpoint that moved everything before it into
// the database's file. The next writer then begins the log again.
func (p LogPosition) Moved() LogPosition {
	p.moved = true
	return p
}

// A LogTail is what the transactions after a position changed.
type LogTail struct {
	PageSize int
	Pages    map[uint32][]byte // last content of each page, by its number
	Size     uint32            // of the database, in pages; 0 if there was no transaction
	End      LogPosition
}

// ErrLogLost is the error of ReadLog if the log doesn't continue at the position,
// because it was moved into the database's file and began again.
var ErrLogLost = errors.New("sqlite: the write-ahead log doesn't continue where it was read last")

// Sizes in a write-ahead log (https://sqlite.org/fileformat2.html#walformat).
const (
	logHeaderSize   = 32
	frameHeaderSize = 24
	logMagic        = 0x377f0682 // the last bit says that checksums are big-endian
)

// ReadLog reads the transactions in a write-ahead log after a position, without locks:
// checksums tell whether a transaction is whole. A log that doesn't exist is empty.
func ReadLog(file string, from LogPosition) (LogTail, error) {
	tail := LogTail{Pages: map[uint32][]byte{}, End: from}
	err := WalkLog(file, from, func(t LogTail) bool {
		maps.Copy(tail.Pages, t.Pages)
		tail.PageSize, tail.Size, tail.End = t.PageSize, t.Size, t.End
		return true
	})
	return tail, err
}

// WalkLog is like ReadLog and calls visit with each transaction, until it returns false.
func WalkLog(file string, from LogPosition, visit func(LogTail) bool) error {
	f, err := os.Open(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	header := make([]byte, logHeaderSize)
	if err == nil {
		defer f.Close()
		_, err = io.ReadFull(f, header)
	}
	if err != nil { // none, or emptied
		if from != (LogPosition{}) {
			return ErrLogLost
		}
		return nil
	}
	r := logReader{order: binary.LittleEndian}
	if err := r.begin(header, from); err != nil {
		return err
	}
	if _, err := f.Seek(r.at.offset, io.SeekStart); err != nil {
		return err
	}
	return r.readFrames(bufio.NewReaderSize(f, 1<<17), visit)
}

// A logReader reads frames and checks them.
type logReader struct {
	order    binary.ByteOrder // of the words that are summed
	pageSize int
	at       LogPosition
}

// begin checks a log's header and moves to a position.
func (r *logReader) begin(header []byte, from LogPosition) error {
	word := func(i int) uint32 { return binary.BigEndian.Uint32(header[4*i:]) }
	if word(0)&^1 != logMagic {
		return fmt.Errorf("sqlite: not a write-ahead log: it begins with %x", word(0))
	}
	if word(0)&1 == 1 {
		r.order = binary.BigEndian
	}
	r.pageSize = int(word(2))
	salts := [2]uint32{word(4), word(5)}
	start := LogPosition{salts: salts, offset: logHeaderSize}
	r.sum(&start.sums, header[:24])
	switch {
	case start.sums != [2]uint32{word(6), word(7)} || r.pageSize < 512 || r.pageSize > 1<<16:
		return fmt.Errorf("sqlite: the header of the write-ahead log is damaged: %w", ErrLogLost)
	case from == LogPosition{}:
		r.at = start
	case from.salts == salts:
		r.at = from
	case from.moved && salts[0] == from.salts[0]+1: // it began again once
		r.at = start
	default:
		return ErrLogLost
	}
	return nil
}

// sum adds data to a checksum.
func (r *logReader) sum(sums *[2]uint32, data []byte) {
	a, b := sums[0], sums[1]
	for i := 0; i+8 <= len(data); i += 8 {
		a += r.order.Uint32(data[i:]) + b
		b += r.order.Uint32(data[i+4:]) + a
	}
	sums[0], sums[1] = a, b
}

// readFrames visits all whole transactions. Frames of an earlier log can follow them.
func (r *logReader) readFrames(in io.Reader, visit func(LogTail) bool) error {
	pages := map[uint32][]byte{} // of the transaction that is being read
	for {
		frame := make([]byte, frameHeaderSize+r.pageSize)
		if _, err := io.ReadFull(in, frame); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			return err
		}
		word := func(i int) uint32 { return binary.BigEndian.Uint32(frame[4*i:]) }
		next := r.at
		next.moved = false
		next.offset += int64(len(frame))
		r.sum(&next.sums, frame[:8])
		r.sum(&next.sums, frame[frameHeaderSize:])
		if [2]uint32{word(2), word(3)} != r.at.salts || [2]uint32{word(4), word(5)} != next.sums {
			return nil
		}
		r.at = next
		pages[word(0)] = frame[frameHeaderSize:]
		if size := word(1); size != 0 { // the end of a transaction
			if !visit(LogTail{PageSize: r.pageSize, Pages: pages, Size: size, End: next}) {
				return nil
			}
			pages = map[uint32][]byte{}
		}
	}
}

// MoveLog moves the write-ahead log into the database's file, as far as that is possible
// without waiting for others. It reports whether that was everything, if nobody writes meanwhile.
func MoveLog(ctx context.Context, db *sql.DB) (whole bool, err error) {
	var busy, frames, moved int
	err = db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &moved)
	return err == nil && busy == 0 && frames == moved, err
}
