package githttp

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"robot.wtf/internal/background"
)

const (
	// bufferBytes is the size of one read from a process, pipeBytes the capacity
	// of its pipe. The rest of an answer waits in the process.
	bufferBytes = 256 << 10
	pipeBytes   = 1 << 20
	// gatherDelay lets a pipe fill up during a large answer. git writes 64 KB at a
	// time, and waking up for each write costs more than sending it.
	gatherDelay = 4 * time.Millisecond
	// smallBytes is less than a buffer of net/http, so a write of that size must
	// be flushed: the next one may take a while.
	smallBytes = 8 << 10
)

// bounds limit how long we wait for clients, and how much is spooled for them.
type bounds struct {
	body time.Duration // to receive the request
	// process is how long a process waits for its client in total. After that its
	// output goes to a file, and the process ends soon.
	process time.Duration
	// A client is disconnected if it reads nothing for the duration write, or less
	// than slowest bytes per second after the duration start.
	write, start time.Duration
	slowest      int64
	// files bounds the bytes of all files together, wikiFiles those of one wiki.
	// Beyond them, or if the disk is nearly full, processes wait for their clients.
	files, wikiFiles int64
}

var defaultBounds = bounds{body: time.Minute, process: 2 * time.Second, write: time.Minute, start: 2 * time.Minute, slowest: 4 << 10, files: 4 << 30, wikiFiles: 1 << 30}

// spools holds the files of all answers.
type spools struct {
	dir   string
	room  func() (int64, error) // left for files on the disk
	bytes atomic.Int64
	wikis sync.Map // from slug to *atomic.Int64, the bytes of that wiki
	bounds
	background *background.Workers
}

var buffers = sync.Pool{New: func() any { return new([bufferBytes]byte) }}

// A spool passes a process's output to a client. As long as the client keeps up,
// the output is read from the process's pipe and not stored. For a slow client,
// the rest is read into an unnamed file and sent from there.
type spool struct {
	all   *spools
	own   *atomic.Int64 // bytes of this wiki's files
	first string
	pipe  *os.File
	slow  *time.Timer // calls spillIfSlow

	mu       sync.Mutex
	changed  *sync.Cond    // the file has grown, or spilling has ended
	since    time.Time     // when the pending write to the client began; zero if none is pending
	waited   time.Duration // for the client, in earlier writes
	file     *os.File      // nil if the client was never slow
	end      int64         // size of the file
	sent     int64         // bytes of the file that were sent
	spilling bool          // the pipe is being read into the file, not by sendTo
	err      error         // of the file or the pipe
	closed   bool          // nothing more will be sent
}

// errNothing reports a process that ended without output.
var errNothing = errors.New("githttp: no answer")

// open returns a spool of a wiki that sends first, then everything written to process.
func (all *spools) open(slug, first string) (s *spool, process *os.File, err error) {
	own, _ := all.wikis.LoadOrStore(slug, new(atomic.Int64))
	s = &spool{all: all, own: own.(*atomic.Int64), first: first}
	s.changed = sync.NewCond(&s.mu)
	if s.pipe, process, err = os.Pipe(); err != nil {
		return nil, nil, err
	}
	enlarge(s.pipe, pipeBytes)
	s.slow = all.background.AfterFunc(background.Job{Work: "spool"}, all.process, s.spillIfSlow)
	return s, process, nil
}

// spillIfSlow reads the rest of the output into a file if the client has kept the
// process waiting for too long.
func (s *spool) spillIfSlow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.err != nil {
		return
	}
	defer s.slow.Reset(s.all.process / 4)
	if s.since.IsZero() || s.waited+time.Since(s.since) < s.all.process || s.full() {
		return
	}
	if s.file == nil {
		if s.file, s.err = os.CreateTemp(s.all.dir, ".clone-"); s.err == nil {
			s.err = os.Remove(s.file.Name())
		}
	}
	if s.err == nil {
		s.spilling = true
		p := background.Catch(s.spill)
		s.spilling = false
		if p != nil {
			s.err = p
			s.changed.Broadcast()
			panic(p) // is reported
		}
	}
	s.changed.Broadcast()
}

// full reports whether the files have reached a bound, or the disk its margin.
func (s *spool) full() bool {
	if s.all.bytes.Load() >= s.all.files || s.own.Load() >= s.all.wikiFiles {
		return true
	}
	room, err := s.all.room()
	return err != nil || room < bufferBytes
}

// spill reads the pipe into the file until its end or until the files are full.
// The caller holds the lock, which spill releases while it reads.
func (s *spool) spill() {
	buf := buffers.Get().(*[bufferBytes]byte)
	defer buffers.Put(buf)
	for !s.closed && s.err == nil && !s.full() {
		s.mu.Unlock()
		n, err := s.pipe.Read(buf[:])
		s.mu.Lock()
		if s.closed {
			return
		}
		if n > 0 {
			n, werr := s.file.WriteAt(buf[:n], s.end)
			s.end += int64(n)
			s.all.bytes.Add(int64(n))
			s.own.Add(int64(n))
			s.err = werr
		}
		if s.err == nil {
			s.err = err
		}
		s.changed.Broadcast()
	}
}

// close releases the pipe and the file.
func (s *spool) close() {
	s.slow.Stop()
	s.pipe.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.file != nil {
		s.all.bytes.Add(-s.end)
		s.own.Add(-s.end)
		s.file.Close()
	}
}

// next reads the next part to send. It returns io.EOF at the end.
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
	for s.spilling && s.sent == s.end {
		s.changed.Wait()
	}
	switch {
	case s.sent < s.end:
		n, err := s.file.ReadAt(buf[:min(int64(len(buf)), s.end-s.sent)], s.sent)
		s.sent += int64(n)
		return n, err
	case s.err != nil:
		return 0, s.err
	}
	s.mu.Unlock()
	defer s.mu.Lock()
	return s.pipe.Read(buf)
}

// sendTo sends everything to a client. It fails with errNothing, having sent
// nothing, if the process ends without output.
func (s *spool) sendTo(w http.ResponseWriter, contentType string) error {
	client := &pacedWriter{w: w, bounds: s.all.bounds, began: time.Now()}
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
			time.Sleep(gatherDelay)
		}
	}
}
