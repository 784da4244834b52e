package pages

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robot.wtf/internal/wiki"
)

// A testUpload receives bytes at a rate until it ends.
type testUpload struct {
	pipe *io.PipeWriter
	done chan error
}

// upload starts an upload that sends once a second, or stalls at once if that is 0.
func (s *receipts) upload(t *testing.T, slug string, bytesPerSecond int) *testUpload {
	t.Helper()
	in, out := io.Pipe()
	u := &testUpload{out, make(chan error, 1)}
	r, err := s.acquire(t.Context(), slug, func() { _ = in.CloseWithError(io.ErrUnexpectedEOF) })
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := io.Copy(io.Discard, receiptReader{in, r})
		if err == nil {
			err = r.finish()
		}
		r.close()
		u.done <- err
	}()
	go func() {
		data := make([]byte, bytesPerSecond)
		for len(data) > 0 {
			if _, err := out.Write(data); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}()
	return u
}

// Attack: two accounts upload as slowly as allowed, or stall, and held both slots for
// hours. Another wiki gets a slot after a few minutes.
func TestSlowUploadsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReceipts()
		slow := s.upload(t, "eve", 100<<10)
		slower := s.upload(t, "mallory", 0) // its read stays blocked
		time.Sleep(yieldAfter - time.Second)
		if _, err := s.acquire(t.Context(), "ada", nil); !errors.Is(err, wiki.ErrUnavailable) {
			t.Errorf("an upload made room too early: %v", err)
		}
		time.Sleep(2 * time.Second)
		if _, err := s.acquire(t.Context(), "eve", nil); !errors.Is(err, wiki.ErrUnavailable) {
			t.Errorf("a second upload of one wiki: %v", err)
		}
		ada, err := s.acquire(t.Context(), "ada", nil)
		if err != nil {
			t.Fatalf("nobody made room: %v", err)
		}
		if err := <-slower.done; !errors.Is(err, wiki.ErrUnavailable) || !strings.Contains(err.Error(), "another wiki was waiting") {
			t.Errorf("the slowest upload ended with %v", err)
		}
		bob, err := s.acquire(t.Context(), "bob", nil)
		if err != nil {
			t.Fatalf("the other one didn't make room: %v", err)
		}
		if err := <-slow.done; !errors.Is(err, wiki.ErrUnavailable) {
			t.Errorf("the slow upload ended with %v", err)
		}
		ada.close()
		bob.close()
		time.Sleep(time.Minute) // for the senders to end
	})
}

// Slow uploads continue while nobody waits. Fast ones, and those that were received,
// make room for nobody.
func TestUploadsThatStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReceipts()
		fast := s.upload(t, "ada", 2*yieldRate)
		received, err := s.acquire(t.Context(), "bob", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := received.finish(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * yieldAfter)
		start := time.Now()
		if _, err := s.acquire(t.Context(), "cleo", nil); !errors.Is(err, wiki.ErrUnavailable) || time.Since(start) > 0 {
			t.Errorf("somebody made room: %v after %s", err, time.Since(start))
		}
		received.close()
		alone := s.upload(t, "dan", 1)
		time.Sleep(2 * yieldAfter)
		_ = alone.pipe.Close()
		_ = fast.pipe.Close()
		if err := errors.Join(<-alone.done, <-fast.done); err != nil {
			t.Errorf("an upload nobody waited for: %v", err)
		}
		time.Sleep(time.Minute) // for the senders to end
	})
}

// Attack: two accounts upload a file and leave the preview open, which held both
// slots. A preview makes room after two minutes, but only if another wiki waits.
func TestPreviewsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReceipts()
		expired := map[string]int{}
		waiting := func(slug string) *receipt {
			t.Helper()
			r, err := s.acquire(t.Context(), slug, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.finish(); err != nil {
				t.Fatal(err)
			}
			r.pause(func() {
				expired[slug]++
				go r.close()
			})
			return r
		}
		eve := waiting("eve")
		waiting("mallory")
		time.Sleep(idleAfter - time.Second)
		if _, err := s.acquire(t.Context(), "ada", nil); !errors.Is(err, wiki.ErrUnavailable) {
			t.Errorf("a preview made room too early: %v", err)
		}
		if !eve.resume() { // the owner decides: it is at work now
			t.Error("an upload with a slot can't go on")
		}
		time.Sleep(time.Hour)
		if len(expired) != 0 {
			t.Errorf("expired though nobody waited: %v", expired)
		}
		ada, err := s.acquire(t.Context(), "ada", nil)
		if err != nil {
			t.Fatalf("no preview made room: %v", err)
		}
		if expired["mallory"] != 1 || expired["eve"] != 0 {
			t.Errorf("expired: %v", expired)
		}
		if _, err := s.acquire(t.Context(), "bob", nil); !errors.Is(err, wiki.ErrUnavailable) {
			t.Errorf("an upload at work made room: %v", err)
		}
		ada.close()
		eve.close()
	})
}
