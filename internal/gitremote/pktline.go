package gitremote

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
)

// errMalformed is the error for an answer that isn't git's protocol.
var errMalformed = errors.New("gitremote: malformed answer")

// A packetKind tells a packet with data from the special ones of gitprotocol-v2(5).
type packetKind int

const (
	dataPacket packetKind = iota
	flushPacket
	delimiterPacket
)

const maxPacket = 65520 // bytes with the length, gitprotocol-common(5)

// A packetReader reads pkt-lines.
type packetReader struct {
	in   *bufio.Reader
	buf  [maxPacket]byte
	left int64 // bytes that may still be read; unbounded if it starts below 0
}

func newPacketReader(in io.Reader, max int64) *packetReader {
	return &packetReader{in: bufio.NewReaderSize(in, 64<<10), left: max}
}

// next returns the next packet. Its data is valid until the next call. An answer that
// ends within a packet or between two, or that is too long, is an error.
func (r *packetReader) next() (packetKind, []byte, error) {
	if _, err := io.ReadFull(r.in, r.buf[:4]); err != nil {
		return 0, nil, truncated(err)
	}
	size, err := strconv.ParseUint(string(r.buf[:4]), 16, 16)
	switch {
	case err != nil:
		return 0, nil, errMalformed
	case size == 0:
		return flushPacket, nil, nil
	case size == 1:
		return delimiterPacket, nil, nil
	case size < 4 || size > maxPacket:
		return 0, nil, errMalformed
	}
	if r.left >= 0 {
		if r.left -= int64(size); r.left < 0 {
			return 0, nil, errTooLong
		}
	}
	data := r.buf[:size-4]
	_, err = io.ReadFull(r.in, data)
	return dataPacket, data, truncated(err)
}

// errTooLong is the error for lists that are longer than the bounds.
var errTooLong = errors.New("gitremote: answer is too long")

func truncated(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// line returns the next packet as a text without its newline. An error of the server
// is a *serverError.
func (r *packetReader) line() (packetKind, string, error) {
	kind, data, err := r.next()
	if err != nil || kind != dataPacket {
		return kind, "", err
	}
	line := strings.TrimSuffix(string(data), "\n")
	if message, ok := strings.CutPrefix(line, "ERR "); ok {
		return kind, "", &serverError{message}
	}
	return kind, line, nil
}

// A serverError is a message by which a server refuses.
type serverError struct{ message string }

func (e *serverError) Error() string { return "gitremote: server error: " + quoted(e.message) }

// quoted makes a stranger's text safe to show: one line without control characters,
// at most 200 bytes.
func quoted(text string) string {
	return strconv.Quote(strings.ToValidUTF8(text[:min(len(text), 200)], "?"))
}

// packets formats lines as pkt-lines. A line that is a packet of its own, delimiter
// or flush, stays as it is.
func packets(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		if line != delimiter && line != flush {
			line += "\n"
			size := strconv.FormatInt(int64(len(line)+4), 16)
			b.WriteString("0000"[len(size):] + size)
		}
		b.WriteString(line)
	}
	return b.String()
}

const (
	flush     = "0000"
	delimiter = "0001"
)
