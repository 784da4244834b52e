package githttp

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
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
	client.pace = func() {
		for all.bytes.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	if err := s.sendTo(client, "x/y"); err == nil {
		t.Error("everything was sent")
	}
	s.close()
	<-ended // because its pipe is closed
	for spilling := true; spilling; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		spilling = s.spilling
		s.mu.Unlock()
	}
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
