package githttp

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/await"
)

// A slowClient reads nothing until it is released, and fails on request.
type slowClient struct {
	*httptest.ResponseRecorder
	pace func()
	err  error
}

func (c *slowClient) Write(data []byte) (int, error) {
	c.pace()
	if c.err != nil {
		return 0, c.err
	}
	return c.ResponseRecorder.Write(data)
}

func said(bytes int) []byte {
	text := make([]byte, bytes)
	rand.NewChaCha8([32]byte{}).Read(text)
	return text
}

// speak simulates a process that writes something and ends.
func speak(t *testing.T, all *spools, text []byte) (s *spool, ended chan bool) {
	t.Helper()
	s, process, err := all.open("ada", "first ")
	if err != nil {
		t.Fatal(err)
	}
	ended = make(chan bool)
	go func() {
		process.Write(text)
		process.Close()
		close(ended)
	}()
	return s, ended
}

func testSpools(t *testing.T) *spools {
	b := defaultBounds
	b.process = 20 * time.Millisecond
	return &spools{dir: t.TempDir(), room: func() (int64, error) { return 1 << 40, nil }, bounds: b}
}

// A process doesn't wait for a client that reads nothing. Its output is complete
// once the client continues, in the middle or at the end. The pauses are real, because
// synctest doesn't know the kernel's pipe; each pause gives the same output.
func TestSlowClientFreesTheProcess(t *testing.T) {
	t.Parallel()
	for name, pace := range map[string]func(ended chan bool){
		"until the end":  func(ended chan bool) { <-ended },
		"a little":       func(chan bool) { time.Sleep(8 * time.Millisecond) },
		"not at all":     func(chan bool) {},
		"now and then":   func(chan bool) { time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) },
		"for the moment": func(chan bool) { time.Sleep(25 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := testSpools(t)
			text := said(8 << 20)
			s, ended := speak(t, all, text)
			client := &slowClient{ResponseRecorder: httptest.NewRecorder(), pace: func() { pace(ended) }}
			if err := s.sendTo(client, "x/y"); err != nil {
				t.Error(err)
			}
			s.close()
			if got := client.Body.Bytes(); !bytes.Equal(got, append([]byte("first "), text...)) {
				t.Errorf("got %d bytes of %d, or wrong ones", len(got), len(text))
			}
			if n := all.bytes.Load(); n != 0 {
				t.Errorf("%d bytes of files were left behind", n)
			}
			if left, _ := filepath.Glob(filepath.Join(all.dir, ".clone-*")); len(left) != 0 {
				t.Errorf("%q were left behind", left)
			}
		})
	}
}

// When the files are full, processes wait for their clients again, and their
// output is complete.
func TestFullFilesHoldTheProcess(t *testing.T) {
	all := testSpools(t)
	all.files = 2 << 20
	text := said(8 << 20)
	s, ended := speak(t, all, text)
	most := int64(0)
	client := &slowClient{ResponseRecorder: httptest.NewRecorder()}
	waited := false
	client.pace = func() {
		if !waited {
			waited = true
			await.Within(await.Long, func() bool { return all.bytes.Load() >= all.files })
			select {
			case <-ended:
				t.Error("the process did not wait")
			case <-time.After(10 * all.process): // on a busy machine, it may do less in this time, and none fails for that
			}
		}
		most = max(most, all.bytes.Load())
	}
	if err := s.sendTo(client, "x/y"); err != nil {
		t.Error(err)
	}
	s.close()
	if got := client.Body.Bytes(); !bytes.Equal(got, append([]byte("first "), text...)) {
		t.Errorf("got %d bytes of %d, or wrong ones", len(got), len(text))
	}
	if most < all.files || most > all.files+bufferBytes {
		t.Errorf("files of %d bytes", most)
	}
}

// On a nearly full disk, nothing is written to files, and the process waits for its
// client.
func TestSpoolsLeaveAMarginOnDisk(t *testing.T) {
	t.Parallel()
	all := testSpools(t)
	all.room = func() (int64, error) { return bufferBytes - 1, nil }
	text := said(4 << 20)
	s, ended := speak(t, all, text)
	client := &slowClient{ResponseRecorder: httptest.NewRecorder()}
	waited := false
	client.pace = func() {
		if waited {
			return
		}
		waited = true
		select {
		case <-ended:
			t.Error("the process did not wait")
		case <-time.After(10 * all.process):
		}
		if n := all.bytes.Load(); n > 0 {
			t.Errorf("%d bytes in files", n)
		}
	}
	if err := s.sendTo(client, "x/y"); err != nil {
		t.Error(err)
	}
	s.close()
	if got := client.Body.Bytes(); !bytes.Equal(got, append([]byte("first "), text...)) {
		t.Errorf("got %d bytes of %d, or wrong ones", len(got), len(text))
	}
}

// A client that disconnects frees everything, even while a file is being filled.
func TestDisconnectedClientFreesTheSpool(t *testing.T) {
	all := testSpools(t)
	s, ended := speak(t, all, said(64<<20))
	client := &slowClient{ResponseRecorder: httptest.NewRecorder(), err: errors.New("gone")}
	client.pace = func() { await.Within(await.Long, func() bool { return all.bytes.Load() > 0 }) }
	if err := s.sendTo(client, "x/y"); err == nil {
		t.Error("everything was sent")
	}
	s.close()
	<-ended // because its pipe is closed
	await.Until(t, "the file is no longer filled", await.Long, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.spilling
	})
	if n := all.bytes.Load(); n != 0 {
		t.Errorf("%d bytes of files were left behind", n)
	}
}

func TestSilentProcess(t *testing.T) {
	all := testSpools(t)
	s, _ := speak(t, all, nil)
	defer s.close()
	client := httptest.NewRecorder()
	if err := s.sendTo(client, "x/y"); !errors.Is(err, errNothing) || client.Body.Len() != 0 || client.Header().Get("Content-Type") != "" {
		t.Errorf("%v, %q", err, client.Body)
	}
}

// Only a client that keeps the process waiting costs a file. Waiting adds up over its
// writes.
func TestOnlySlowClientsAreSpooled(t *testing.T) {
	all := testSpools(t)
	all.process = time.Hour
	s, process, err := all.open("ada", "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	defer process.Close()
	s.spillIfSlow() // the process is silent, and the client waits for it
	if s.file != nil {
		t.Error("a client that waits for the process is spooled")
	}
	for range 2 {
		if _, err := process.Write([]byte("text")); err != nil {
			t.Fatal(err)
		}
		s.since = time.Now().Add(-25 * time.Minute) // a write to the client began
		s.spillIfSlow()
		if s.file != nil {
			t.Fatalf("spooled after %v", s.waited)
		}
		if _, err := s.next(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
	}
	process.Close()
	s.since = time.Now().Add(-25 * time.Minute)
	s.spillIfSlow()
	if s.file == nil {
		t.Errorf("not spooled, although the process waited for %v", s.waited)
	}
}

// A deadlineRecorder notes the deadline of writes, or fails to set it.
type deadlineRecorder struct {
	*httptest.ResponseRecorder
	deadline time.Time
	err      error
}

func (r *deadlineRecorder) SetWriteDeadline(at time.Time) error {
	r.deadline = at
	return r.err
}

// Attack: a client that reads a little from time to time, to hold its answer. It has to
// keep up a low speed on average.
func TestDrippingClients(t *testing.T) {
	r := &deadlineRecorder{ResponseRecorder: httptest.NewRecorder()}
	p := &pacedWriter{w: r, bounds: bounds{write: time.Minute, start: 2 * time.Minute, slowest: 1000}, began: time.Now()}
	write := func(after time.Duration, sent int64) (left time.Duration) {
		p.began, p.sent = time.Now().Add(-after), sent
		if _, err := p.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		return time.Until(r.deadline).Round(time.Second)
	}
	for _, tt := range []struct{ after, want time.Duration }{
		{0, time.Minute}, {100 * time.Second, 50 * time.Second}, {3 * time.Minute, -30 * time.Second},
	} {
		if left := write(tt.after, 30_000); left != tt.want { // worth 30 s
			t.Errorf("30,000 bytes after %v: %v left, want %v", tt.after, left, tt.want)
		}
	}
	r.err = errEvicted
	before := r.Body.Len()
	if n, err := p.Write([]byte("x")); n > 0 || err == nil || r.Body.Len() != before {
		t.Errorf("without a deadline: wrote %d bytes, %v", n, err)
	}
}

func (r *deadlineRecorder) SetReadDeadline(time.Time) error { return r.err }

// A request too large for memory is read from a file, which is closed afterwards.
func TestLargeRequest(t *testing.T) {
	want := string(said(3 * smallBody))
	w := newWorld(t, nil)
	r := &deadlineRecorder{ResponseRecorder: httptest.NewRecorder()}
	b, err := w.door.readBody(&call{Request: httptest.NewRequest("POST", Prefix+"/git-upload-pack", strings.NewReader(want)), w: r})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b.reader()); err != nil || string(got) != want {
		t.Errorf("read %d bytes of %d, %v", len(got), len(want), err)
	}
	b.close()
	if err := b.file.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file is still open: %v", err)
	}
}
