package pages

import (
	"errors"
	"io"
	"os"
	"sync"

	"robot.wtf/internal/background"
	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// A spool is an unnamed file that is read while it is being written, so that a slow
// reader doesn't hold up the writer. One goroutine writes, another one reads.
type spool struct {
	file *os.File
	room *roomWriter
	read int64 // bytes; of the reader

	mu      sync.Mutex
	grown   *sync.Cond // there are more bytes, or it has ended
	written int64
	ended   bool
	err     error // why it ended, nil for the end of the file
}

// newSpool returns an empty spool on the wikis' disk.
func newSpool(p *content.Pool) (*spool, error) {
	dir, err := p.MkdirTemp("export-")
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(dir, "")
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		return nil, err
	}
	s := &spool{file: file, room: &roomWriter{room: p.ScratchRoom, file: file}}
	s.grown = sync.NewCond(&s.mu)
	return s, nil
}

// fill calls write on a goroutine of its own, and ends the spool with its error. The
// channel is closed then.
func (s *spool) fill(write func() error) (done <-chan struct{}) {
	writing := background.Start(func() error {
		var err error
		if p := background.Catch(func() { err = write() }); p != nil {
			err = p
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended, s.err = true, err
		s.grown.Broadcast()
		return nil
	})
	return writing.Done()
}

// Write implements io.Writer.
func (s *spool) Write(data []byte) (int, error) {
	if s.written+int64(len(data)) > maxExportBytes {
		return 0, wiki.Problemf(wiki.ErrTooLarge, "", "This export would be larger than %s. Clone the wiki instead.", formatBytes(maxExportBytes))
	}
	n, err := s.room.Write(data)
	if errors.Is(err, wiki.ErrStorage) {
		err = wiki.Problemf(wiki.ErrStorage, "", "There isn't enough free disk space for this export. Try again later, or tell the operator.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written += int64(n)
	s.grown.Broadcast()
	return n, err
}

// size returns how many bytes were written.
func (s *spool) size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written
}

// Read implements io.Reader. It waits for bytes.
func (s *spool) Read(buf []byte) (int, error) {
	s.mu.Lock()
	for s.read == s.written && !s.ended {
		s.grown.Wait()
	}
	left, err := s.written-s.read, s.err
	s.mu.Unlock()
	if left == 0 || err != nil && s.read == 0 {
		if err == nil {
			err = io.EOF
		}
		return 0, err
	}
	n, err := s.file.ReadAt(buf[:min(int64(len(buf)), left)], s.read)
	s.read += int64(n)
	return n, err
}

func (s *spool) close() { s.file.Close() }
