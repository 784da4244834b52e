package githttp

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// bufferBytes is what is read of a process at once, pipeBytes what waits in
	// its pipe: the rest of an answer waits with the process.
	bufferBytes = 256 << 10
	pipeBytes   = 1 << 20
	// gather is how long a pipe is left to fill when much is coming: git writes
	// 64 KB at a time, and to wake for each costs more than to send it.
	gather = 4 * time.Millisecond
	// smallBytes does not fill a buffer of net/http's, which then has to be told
	// to send it: what follows may take its time.
	smallBytes = 8 << 10
)

// bounds are how long clients are waited for, and what is kept for them.
type bounds struct {
	body time.Duration // for what they ask
	// process is how long a process waits for its client, all in all; from then
	// on what it says goes to a file, and the process is soon free.
	process time.Duration
	// A client that takes nothing for write, or after start less than slowest
	// bytes a second, is cut off.
	write, start time.Duration
	slowest      int64
	// files are the bytes of all files together. Beyond it processes wait for
	// their clients.
	files int64
}

var usual = bounds{body: time.Minute, process: 2 * time.Second, write: time.Minute, start: 2 * time.Minute, slowest: 4 << 10, files: 4 << 30}

// spools are the files of all answers.
type spools struct {
	dir   string
	bytes atomic.Int64
	bounds
}

var buffers = sync.Pool{New: func() any { return new([bufferBytes]byte) }}

// A spool is between a process and its client. As long as the client takes what
// it is given, that is read from the process's pipe and nothing is kept; for a
// slow one a second reader puts the rest into a file without a name, of which
// it then is given.
type spool struct {
	all   *spools
	first string
	pipe  *os.File
	slow  *time.Timer // looks whether the client is

	mu     sync.Mutex
	turned *sync.Cond    // the file has grown, or is not filled any more
	since  time.Time     // when the client was given what it has not taken yet; zero while it waits for us
	waited time.Duration // for the client, before that
	file   *os.File      // nil for a client that was never slow
	end    int64         // of the file
	at     int64         // how much of the file was sent
	fills  bool          // the pipe is read into the file; otherwise by sendTo
	err    error         // of the file
	gone   bool          // nobody takes anything more
}

// errNothing says that there was nothing to send.
var errNothing = errors.New("githttp: no answer")

// open makes a spool that sends first and what comes out of the process's end.
func (all *spools) open(first string) (s *spool, process *os.File, err error) {
	s = &spool{all: all, first: first}
	s.turned = sync.NewCond(&s.mu)
	if s.pipe, process, err = os.Pipe(); err != nil {
		return nil, nil, err
	}
	enlarge(s.pipe, pipeBytes)
	s.slow = time.AfterFunc(all.process, s.look)
	return s, process, nil
}

// look has the rest put into a file when the client has kept the process waiting
// for too long.
func (s *spool) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone || s.err != nil {
		return
	}
	defer s.slow.Reset(s.all.process / 4)
	if s.since.IsZero() || s.waited+time.Since(s.since) < s.all.process || s.all.bytes.Load() >= s.all.files {
		return
	}
	if s.file == nil {
		if s.file, s.err = os.CreateTemp(s.all.dir, ".clone-"); s.err == nil {
			s.err = os.Remove(s.file.Name())
		}
	}
	if s.err == nil {
		s.fills = true
		s.fill()
		s.fills = false
	}
	s.turned.Broadcast()
}

// fill puts what the process says into the file, to its end or until the files
// are full. The caller holds the lock, which it lets go of while it reads.
func (s *spool) fill() {
	buf := buffers.Get().(*[bufferBytes]byte)
	defer buffers.Put(buf)
	for !s.gone && s.err == nil && s.all.bytes.Load() < s.all.files {
		s.mu.Unlock()
		n, err := s.pipe.Read(buf[:])
		s.mu.Lock()
		if s.gone {
			return
		}
		if n > 0 {
			n, werr := s.file.WriteAt(buf[:n], s.end)
			s.end += int64(n)
			s.all.bytes.Add(int64(n))
			s.err = werr
		}
		if s.err == nil {
			s.err = err
		}
		s.turned.Broadcast()
	}
}

// close frees what is left.
func (s *spool) close() {
	s.slow.Stop()
	s.pipe.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	if s.file != nil {
		s.all.bytes.Add(-s.end)
		s.file.Close()
	}
}

// next reads what is to be sent next; io.EOF is the end.
func (s *spool) next(buf []byte) (int, error) {
	s.mu.Lock()
	if !s.since.IsZero() {
		s.waited += time.Since(s.since)
		s.since = time.Time{}
	}
	defer func() {
		s.since = time.Now()
		s.mu.Unlock()
	}()
	for s.fills && s.at == s.end {
		s.turned.Wait()
	}
	switch {
	case s.at < s.end:
		n, err := s.file.ReadAt(buf[:min(int64(len(buf)), s.end-s.at)], s.at)
		s.at += int64(n)
		return n, err
	case s.err != nil:
		return 0, s.err
	}
	s.mu.Unlock()
	defer s.mu.Lock()
	return s.pipe.Read(buf)
}

// sendTo sends all to a client. errNothing, and nothing was sent, when the
// process ends before it has said anything.
func (s *spool) sendTo(w http.ResponseWriter, contentType string) error {
	client := &paced{w: w, bounds: s.all.bounds, began: time.Now()}
	buf := buffers.Get().(*[bufferBytes]byte)
	defer buffers.Put(buf)
	first := copy(buf[:], s.first)
	for {
		n, err := s.next(buf[first:])
		switch {
		case n == 0 && err == io.EOF && client.sent == 0:
			return errNothing
		case n == 0 && err == io.EOF:
			return nil
		case n == 0:
			return err
		case client.sent == 0:
			w.Header().Set("Content-Type", contentType)
		}
		n += first
		first = 0
		if _, err := client.Write(buf[:n]); err != nil {
			return err
		}
		switch {
		case n < smallBytes:
			if err := http.NewResponseController(w).Flush(); err != nil {
				return err
			}
		case n < bufferBytes:
			time.Sleep(gather)
		}
	}
}
