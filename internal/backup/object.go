package backup

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"robot.wtf/internal/durable"
)

// chunkSize is the amount of file data in one object. A save touches about 15
// scattered pages of a database. Smaller chunks make the next backup cheaper but
// the number of files larger.
const chunkSize = 128 << 10

func (r *Repository) objectPath(id string) string { return r.path("objects", id[:2], id) }

// A stagingArea collects the new objects of a backup until all are complete.
type stagingArea struct {
	repo       *Repository
	compressor *gzip.Writer
	// New objects only.
	bytes  int64
	chunks int
}

// newStagingArea creates an empty incoming/.
func (r *Repository) newStagingArea() (*stagingArea, error) {
	if err := os.RemoveAll(r.path("incoming")); err != nil { // left by a killed backup
		return nil, err
	}
	if err := os.MkdirAll(r.path("incoming"), 0o700); err != nil {
		return nil, err
	}
	compressor, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return &stagingArea{repo: r, compressor: compressor}, err
}

// putObject adds data as an object unless the repository has it, and returns its id.
func (a *stagingArea) putObject(data []byte) (string, error) {
	id := sha256Hex(data)
	file := a.repo.path("incoming", id)
	if fileExists(a.repo.objectPath(id)) || fileExists(file) {
		return id, nil
	}
	var compressed bytes.Buffer
	a.compressor.Reset(&compressed)
	if _, err := a.compressor.Write(data); err != nil {
		return "", err
	}
	if err := a.compressor.Close(); err != nil {
		return "", err
	}
	a.bytes += int64(compressed.Len())
	a.chunks++
	return id, os.WriteFile(file, compressed.Bytes(), 0o600)
}

// putFile adds a file in chunks.
func (a *stagingArea) putFile(file string) (storedFile, error) {
	f, err := os.Open(file)
	if err != nil {
		return storedFile{}, err
	}
	defer f.Close()
	var s storedFile
	for buffer := make([]byte, chunkSize); ; {
		n, err := io.ReadFull(f, buffer)
		if n > 0 {
			id, err := a.putObject(buffer[:n])
			if err != nil {
				return storedFile{}, err
			}
			s.Size += int64(n)
			s.Chunks = append(s.Chunks, id)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return s, nil
		case err != nil:
			return storedFile{}, err
		}
	}
}

// commit moves the staged objects into objects/. Their content is synced first,
// so every object found there is complete.
func (a *stagingArea) commit() error {
	if err := a.repo.syncFileSystem(); err != nil {
		return err
	}
	list, err := os.ReadDir(a.repo.path("incoming"))
	if err != nil {
		return err
	}
	for _, e := range list {
		to := a.repo.objectPath(e.Name())
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.Rename(a.repo.path("incoming", e.Name()), to); err != nil {
			return err
		}
	}
	if err := os.Remove(a.repo.path("incoming")); err != nil {
		return err
	}
	return a.repo.syncFileSystem()
}

// syncFileSystem syncs the file system of the repository: one call instead of
// thousands of fsyncs.
func (r *Repository) syncFileSystem() error {
	d, err := os.Open(r.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return syncFileSystemOf(d)
}

// readObject returns an object's data. It fails with a *corruptError if the object
// is missing or doesn't match its id.
func (r *Repository) readObject(id string) ([]byte, error) {
	if len(id) != 2*sha256.Size {
		return nil, fmt.Errorf("invalid object id %q", id)
	}
	f, err := os.Open(r.objectPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &corruptError{id: id}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	decompressor, err := gzip.NewReader(f)
	if err != nil {
		return nil, &corruptError{id, err}
	}
	data, err := io.ReadAll(io.LimitReader(decompressor, maxObjectSize))
	if err != nil {
		return nil, &corruptError{id, err}
	}
	if sha256Hex(data) != id {
		return nil, &corruptError{id: id}
	}
	return data, nil
}

// quarantine moves a corrupt object to damaged/.
func (r *Repository) quarantine(id string) error {
	if err := os.MkdirAll(r.path("damaged"), 0o700); err != nil {
		return err
	}
	err := durable.Rename(r.objectPath(id), r.path("damaged", id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// A corruptError reports an object that is missing or doesn't match its id.
type corruptError struct {
	id    string
	cause error // nil if the object is missing or its hash differs
}

func (e *corruptError) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("object %s is corrupt: %v", e.id, e.cause)
	}
	return fmt.Sprintf("object %s is missing or doesn't match its hash", e.id)
}

// maxObjectSize bounds the memory used to read one object. Chunks are far smaller,
// but the record of a wiki of several GB approaches it.
const maxObjectSize = 16 << 20

// writeFile assembles a stored file from its chunks and writes it to file.
func (r *Repository) writeFile(s storedFile, file string) error {
	return durable.Create(file, func(out io.Writer) error {
		var size int64
		for _, id := range s.Chunks {
			data, err := r.readObject(id)
			if err != nil {
				return err
			}
			if _, err := out.Write(data); err != nil {
				return err
			}
			size += int64(len(data))
		}
		if size != s.Size {
			return fmt.Errorf("file has %d bytes, want %d", size, s.Size)
		}
		return nil
	})
}

// hasAllChunks reports whether every chunk of a file exists.
func (r *Repository) hasAllChunks(s storedFile) bool {
	for _, id := range s.Chunks {
		if !fileExists(r.objectPath(id)) {
			return false
		}
	}
	return true
}
