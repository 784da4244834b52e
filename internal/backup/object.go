package backup

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"robot.wtf/internal/durable"
)

// pieceSize is how much of a file one object holds. A save touches some 15 pages
// of a database, here and there: the smaller the pieces, the less it costs the
// next backup, and the more files there are.
const pieceSize = 128 << 10

func (r *Repository) object(id string) string { return r.path("objects", id[:2], id) }

// An intake collects new objects beside the others until they are all there.
type intake struct {
	r      *Repository
	packer *gzip.Writer
	// Bytes and pieces that were new.
	bytes  int64
	pieces int
}

func (r *Repository) newIntake() (*intake, error) {
	if err := os.RemoveAll(r.path("incoming")); err != nil { // of one that was killed
		return nil, err
	}
	if err := os.MkdirAll(r.path("incoming"), 0o700); err != nil {
		return nil, err
	}
	packer, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return &intake{r: r, packer: packer}, err
}

// put adds an object, if it is a new one, and gives its id.
func (in *intake) put(data []byte) (string, error) {
	sum := sha256.Sum256(data)
	id := hex.EncodeToString(sum[:])
	file := in.r.path("incoming", id)
	if exists(in.r.object(id)) || exists(file) {
		return id, nil
	}
	var packed bytes.Buffer
	in.packer.Reset(&packed)
	if _, err := in.packer.Write(data); err != nil {
		return "", err
	}
	if err := in.packer.Close(); err != nil {
		return "", err
	}
	in.bytes += int64(packed.Len())
	in.pieces++
	return id, os.WriteFile(file, packed.Bytes(), 0o600)
}

// putFile adds a file piece by piece.
func (in *intake) putFile(file string) (stored, error) {
	f, err := os.Open(file)
	if err != nil {
		return stored{}, err
	}
	defer f.Close()
	var s stored
	for buffer := make([]byte, pieceSize); ; {
		n, err := io.ReadFull(f, buffer)
		if n > 0 {
			id, err := in.put(buffer[:n])
			if err != nil {
				return stored{}, err
			}
			s.Size += int64(n)
			s.Pieces = append(s.Pieces, id)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return s, nil
		case err != nil:
			return stored{}, err
		}
	}
}

// finish moves what came in to the other objects. Their content is on the disk
// before their names are, so an object that is there is whole.
func (in *intake) finish() error {
	if err := in.r.sync(); err != nil {
		return err
	}
	list, err := os.ReadDir(in.r.path("incoming"))
	if err != nil {
		return err
	}
	for _, e := range list {
		to := in.r.object(e.Name())
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.Rename(in.r.path("incoming", e.Name()), to); err != nil {
			return err
		}
	}
	if err := os.Remove(in.r.path("incoming")); err != nil {
		return err
	}
	return in.r.sync()
}

// sync brings the directory's whole file system to the disk: one call for what
// would be thousands.
func (r *Repository) sync() error {
	d, err := os.Open(r.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

// get reads an object; a *damage when it is not what its name says.
func (r *Repository) get(id string) ([]byte, error) {
	if len(id) != 2*sha256.Size {
		return nil, fmt.Errorf("%q names no object", id)
	}
	f, err := os.Open(r.object(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &damage{id: id}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unpacker, err := gzip.NewReader(f)
	if err != nil {
		return nil, &damage{id, err}
	}
	data, err := io.ReadAll(io.LimitReader(unpacker, maxObject))
	if err != nil {
		return nil, &damage{id, err}
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != id {
		return nil, &damage{id: id}
	}
	return data, nil
}

// setAside takes a broken object out of the way.
func (r *Repository) setAside(id string) error {
	if err := os.MkdirAll(r.path("damaged"), 0o700); err != nil {
		return err
	}
	err := durable.Rename(r.object(id), r.path("damaged", id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// A damage is an object that is not there or not what its name says.
type damage struct {
	id  string
	why error // nil when it is not there, or holds something else
}

func (d *damage) Error() string {
	if d.why != nil {
		return fmt.Sprintf("object %s is damaged: %v", d.id, d.why)
	}
	return fmt.Sprintf("object %s is missing or holds something else", d.id)
}

// maxObject bounds what is read for one object; records of wikis of some GB are
// as large.
const maxObject = 16 << 20

// write makes a file of its pieces.
func (r *Repository) write(s stored, file string) error {
	return durable.Create(file, func(out io.Writer) error {
		var size int64
		for _, id := range s.Pieces {
			data, err := r.get(id)
			if err != nil {
				return err
			}
			if _, err := out.Write(data); err != nil {
				return err
			}
			size += int64(len(data))
		}
		if size != s.Size {
			return fmt.Errorf("%d bytes, want %d", size, s.Size)
		}
		return nil
	})
}

// whole reports whether all pieces of a file are there.
func (r *Repository) whole(s stored) bool {
	for _, id := range s.Pieces {
		if !exists(r.object(id)) {
			return false
		}
	}
	return true
}
