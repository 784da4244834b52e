package shipping

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"
	"github.com/superfly/ltx"
)

// An object is an encrypted or plain file with the changes of several databases:
//
//	robot-log 1 {SHA-256 of the next line, in hex}\n
//	{header, as JSON}\n
//	the records of the header, one after the other, each a file in the format LTX
//
// (https://github.com/superfly/ltx). A record that is a base is an LTX snapshot.
type header struct {
	Number  uint64    `json:"number"`
	Time    time.Time `json:"time"` // every record contains all earlier commits
	Records []record  `json:"records"`
}

// A record is the change of one database.
type record struct {
	Name       string       `json:"name"`
	Generation string       `json:"generation"`
	Base       bool         `json:"base,omitempty"`
	Size       int64        `json:"size"`   // of the LTX file
	SHA256     string       `json:"sha256"` // of the LTX file
	Sum        ltx.Checksum `json:"sum"`    // of the database afterwards
}

const objectMagic = "robot-log 1 "

// An object that is being made. Its records are in a temporary file.
type object struct {
	header header
	spool  *os.File
	size   int64
}

func newObject(data string, number uint64, now time.Time) (*object, error) {
	dir := filepath.Join(data, spoolDir)
	err := os.RemoveAll(dir) // of a killed process
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	spool, err := os.CreateTemp(dir, "object-")
	return &object{header: header{Number: number, Time: now.UTC()}, spool: spool}, err
}

// spoolDir is a directory of temporary files in the data directory.
const spoolDir = ".shipping"

func (o *object) discard() {
	_ = o.spool.Close()
	_ = os.RemoveAll(filepath.Dir(o.spool.Name()))
}

// add adds the record of a database.
func (o *object) add(name string, after *state, c change) error {
	sum := sha256.New()
	counted := &countingWriter{w: io.MultiWriter(o.spool, sum)}
	out := bufio.NewWriterSize(counted, 1<<16)
	if err := c.encode(out, o.header); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	o.size += counted.n
	o.header.Records = append(o.header.Records, record{
		Name: name, Generation: after.Generation, Base: c.base, Size: counted.n, SHA256: hex.EncodeToString(sum.Sum(nil)), Sum: after.Sum,
	})
	return nil
}

// encode writes a change as an LTX file. The checksum of the database is in the
// object's header, because LTX's includes what sumPage leaves out.
func (c change) encode(out io.Writer, h header) error {
	encoder, err := ltx.NewEncoder(out)
	if err != nil {
		return err
	}
	first := ltx.TXID(h.Number + 1) // the format reserves 1 for snapshots
	if c.base {
		first = 1
	}
	err = encoder.EncodeHeader(ltx.Header{
		Version: ltx.Version, Flags: ltx.HeaderFlagNoChecksum, PageSize: uint32(c.size), Commit: c.count, MinTXID: first, MaxTXID: ltx.TXID(h.Number + 1),
		Timestamp: h.Time.UnixMilli(),
	})
	if err != nil {
		return err
	}
	for _, number := range c.numbers {
		page, err := c.page(number)
		if err == nil {
			err = encoder.EncodePage(ltx.PageHeader{Pgno: number}, page)
		}
		if err != nil {
			return err
		}
	}
	return encoder.Close()
}

type countingWriter struct {
	w io.Writer
	n int64
}

// Write implements io.Writer.
func (c *countingWriter) Write(data []byte) (int, error) {
	n, err := c.w.Write(data)
	c.n += int64(n)
	return n, err
}

// writeTo writes the whole object, encrypted for the recipients if there are any.
func (o *object) writeTo(out io.Writer, recipients []age.Recipient) error {
	text, err := json.Marshal(o.header)
	if err != nil {
		return err
	}
	if _, err := o.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	plain := io.MultiReader(bytes.NewReader(fmt.Appendf(nil, "%s%x\n%s\n", objectMagic, sum, text)), o.spool)
	if len(recipients) == 0 {
		_, err := io.Copy(out, plain)
		return err
	}
	encrypted, err := age.Encrypt(out, recipients...)
	if err != nil {
		return err
	}
	_, err = io.Copy(encrypted, plain)
	return errors.Join(err, encrypted.Close())
}

// maxHeader bounds the header of an object, in bytes. A record takes about 250.
const maxHeader = 64 << 20

// readHeader reads the header of a plain object.
func readHeader(in *bufio.Reader) (header, error) {
	var h header
	magic := make([]byte, len(objectMagic)+2*sha256.Size+1)
	if _, err := io.ReadFull(in, magic); err != nil || !bytes.HasPrefix(magic, []byte(objectMagic)) {
		return h, errors.New("not a shipped object")
	}
	text, err := bufio.NewReaderSize(io.LimitReader(in, maxHeader), 1<<16).ReadBytes('\n')
	if err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	text = text[:len(text)-1]
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != string(magic[len(objectMagic):len(magic)-1]) {
		return h, errors.New("the header doesn't match its checksum")
	}
	return h, json.Unmarshal(text, &h)
}

// headerSize returns how many bytes precede the records of a plain object.
func headerSize(file *os.File) (header, int64, error) {
	h, err := readHeader(bufio.NewReader(file))
	if err != nil {
		return h, 0, err
	}
	size, err := file.Seek(0, io.SeekEnd)
	for _, r := range h.Records {
		size -= r.Size
	}
	if err == nil && size < 0 {
		err = errors.New("the object is cut off")
	}
	return h, size, err
}
