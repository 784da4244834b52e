package githttp

import (
	"errors"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	memoryBytes = 256 << 10 // of an answer, before its process has to wait
	chunkBytes  = 64 << 10
	// slowAfter is how long a process waits for its client, all in all; from
	// then on what it says goes to a file, and the process is soon free.
	slowAfter = 2 * time.Second
	// fileBytes bounds the files of all answers together. Beyond it processes
	// wait for their clients.
	fileBytes = 4 << 30
	// A client that takes nothing for writeWait, or after startWait less than
	// slowest bytes a second, is cut off.
	writeWait = time.Minute
	startWait = 2 * time.Minute
	slowest   = 4 << 10
)

// spools are the files of all answers.
type spools struct {
	dir   string
	bytes atomic.Int64
}

// A spool holds what a process has said and its client has not taken: in memory,
// or, where the client is slow, in a file without a name. One writes, one sends.
type spool struct {
	all *spools

	mu     sync.Mutex
	turned *sync.Cond // something was written, taken or ended
	chunks [][]byte
	bytes  int           // of chunks
	waited time.Duration // by the process
	file   *os.File      // what came after chunks, if not nil
	end    int64         // of the file
	at     int64         // how much of the file was taken
	ended  bool          // nothing more is written
	gone   bool          // nobody takes anything more
}

var errGone = errors.New("githttp: the client is gone")

// errNothing says that there was nothing to send.
var errNothing = errors.New("githttp: no answer")

func (all *spools) open(first string) *spool {
	s := &spool{all: all}
	s.turned = sync.NewCond(&s.mu)
	if first != "" {
		s.chunks, s.bytes = [][]byte{[]byte(first)}, len(first)
	}
	return s
}

// Write takes what a process says.
func (s *spool) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.file == nil && s.bytes >= memoryBytes && !s.gone {
		if s.waited >= slowAfter && s.all.bytes.Load() < fileBytes {
			if err := s.spill(); err != nil {
				return 0, err
			}
			break
		}
		s.wait()
	}
	if s.gone {
		return 0, errGone
	}
	defer s.turned.Broadcast()
	if s.file == nil {
		s.chunks = append(s.chunks, append([]byte(nil), data...))
		s.bytes += len(data)
		return len(data), nil
	}
	n, err := s.file.WriteAt(data, s.end)
	s.end += int64(n)
	s.all.bytes.Add(int64(n))
	return n, err
}

// wait lets go of the lock until something changes, or some time has passed.
func (s *spool) wait() {
	began := time.Now()
	wake := time.AfterFunc(slowAfter/4, s.turned.Broadcast)
	s.turned.Wait()
	wake.Stop()
	s.waited += time.Since(began)
}

// spill begins a file, which is gone from its directory at once.
func (s *spool) spill() (err error) {
	if s.file, err = os.CreateTemp(s.all.dir, ".clone-"); err != nil {
		return err
	}
	return os.Remove(s.file.Name())
}

// finish says that nothing more comes.
func (s *spool) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.turned.Broadcast()
}

// close frees what is left.
func (s *spool) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	s.turned.Broadcast()
	if s.file != nil {
		s.all.bytes.Add(-s.end)
		s.file.Close()
	}
}

// abandoned reports that the client went away.
func (s *spool) abandoned() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// next gives what is to be sent next; more says that there is already something
// after it. nil is the end.
func (s *spool) next(buf []byte) (data []byte, more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.chunks) == 0 && s.at == s.end && !s.ended {
		s.turned.Wait()
	}
	if len(s.chunks) > 0 {
		data, s.chunks = s.chunks[0], s.chunks[1:]
		s.bytes -= len(data)
		s.turned.Broadcast()
		return data, len(s.chunks) > 0 || s.at < s.end, nil
	}
	if s.at == s.end {
		return nil, false, nil
	}
	n, err := s.file.ReadAt(buf[:min(int64(len(buf)), s.end-s.at)], s.at)
	s.at += int64(n)
	return buf[:n], s.at < s.end, err
}

// sendTo sends all to a client. errNothing, and nothing was sent, when it ends
// before anything came.
func (s *spool) sendTo(w http.ResponseWriter, contentType string) (err error) {
	defer func() {
		if err != nil {
			s.mu.Lock()
			s.gone = true
			s.turned.Broadcast()
			s.mu.Unlock()
		}
	}()
	control := http.NewResponseController(w)
	buf := make([]byte, chunkBytes)
	began, sent := time.Now(), int64(0)
	for {
		data, more, err := s.next(buf)
		if err != nil {
			return err
		}
		if data == nil && sent == 0 {
			return errNothing
		}
		if data == nil {
			return nil
		}
		if sent == 0 {
			w.Header().Set("Content-Type", contentType)
		}
		deadline := time.Now().Add(writeWait)
		if slow := began.Add(startWait + time.Duration(sent/slowest)*time.Second); slow.Before(deadline) {
			deadline = slow
		}
		if err := control.SetWriteDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		n, err := w.Write(data)
		sent += int64(n)
		if err == nil && !more {
			err = control.Flush()
		}
		if err != nil {
			return err
		}
	}
}
