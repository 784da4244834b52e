package githttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/await"
	"robot.wtf/internal/wiki"
)

// answerFrom starts an answer for a person, or for an anonymous client if did is "".
func answerFrom(h *Handler, w http.ResponseWriter, address, slug, did string) (*answer, func(), error) {
	r := httptest.NewRequest("POST", Prefix+"/git-upload-pack", nil)
	r.RemoteAddr = address
	caller := wiki.Caller{User: wiki.User{DID: did}}
	_, a, done, err := h.answers.start(&call{Request: r, w: w, access: wiki.NewAccess(wiki.Site{Slug: slug}, caller, wiki.Reader)})
	return a, done, err
}

// Attack: slow clients of one address hold all answers, or those of one wiki do.
// Another caller and another wiki still get theirs.
func TestAnswersAreShared(t *testing.T) {
	h := new(Handler)
	from := func(address, slug, did string) (func(), error) {
		_, done, err := answerFrom(h, httptest.NewRecorder(), address, slug, did)
		return done, err
	}
	hold := func(what string, want int, next func(i int) (func(), error)) {
		t.Helper()
		for i := range maxAnswers {
			if _, err := next(i); err != nil {
				if !errors.Is(err, errBusy) || i != want {
					t.Errorf("%s: %d answers, then %v; want %d", what, i, err, want)
				}
				return
			}
		}
		t.Errorf("%s: no bound", what)
	}
	hold("one network in many wikis", maxCallerAnswers, func(i int) (func(), error) {
		return from(fmt.Sprintf("[2001:db8:1:%x::1]:1", i), fmt.Sprint("wiki", i), "")
	})
	hold("one person from many addresses", maxCallerAnswers, func(i int) (func(), error) {
		return from(fmt.Sprintf("198.51.100.%d:1", i), fmt.Sprint("wiki", i), "did:plc:eve")
	})
	hold("one wiki", maxWikiAnswers, func(i int) (func(), error) {
		return from(fmt.Sprintf("203.0.113.%d:1", i), "popular", "")
	})
	done, err := from("192.0.2.1:1", "ada", "")
	if err != nil {
		t.Errorf("another caller of another wiki: %v", err)
	} else {
		done()
	}
	if _, err := from("203.0.113.250:1", "ada", ""); err != nil {
		t.Errorf("a refused caller is still counted: %v", err)
	}
}

// Attack: slow clients of a few networks hold all answers, or all of one wiki. Callers
// with fewer still get theirs, and only the greedy ones lose some: their oldest.
func TestGreedyCallersLoseAnswers(t *testing.T) {
	for what, test := range map[string]struct {
		networks int
		slug     func(network int) string
	}{
		"all wikis": {maxAnswers / maxCallerAnswers, func(network int) string { return fmt.Sprint("wiki", network) }},
		"one wiki":  {maxWikiAnswers / maxCallerAnswers, func(int) string { return "ada" }},
	} {
		h := new(Handler)
		start := func(address, slug string) (*answer, error) {
			a, _, err := answerFrom(h, httptest.NewRecorder(), address, slug, "")
			return a, err
		}
		modest, err := start("192.0.2.1:1", "ada")
		if err != nil {
			t.Fatal(err)
		}
		var greedy []*answer
		for network := range test.networks + 4 {
			for range maxCallerAnswers {
				if a, err := start(fmt.Sprintf("203.0.113.%d:1", network), test.slug(network)); err == nil {
					greedy = append(greedy, a)
				}
			}
		}
		before := countEvicted(greedy)
		if _, err := start("192.0.2.2:1", "ada"); err != nil {
			t.Errorf("%s: a new caller: %v", what, err)
		}
		if n := countEvicted(greedy); modest.isEvicted() || n != before+1 || !greedy[0].isEvicted() {
			t.Errorf("%s: of the greedy, %d, then %d; of the modest: %v; the oldest: %v", what, before, n, modest.isEvicted(), greedy[0].isEvicted())
		}
	}
}

func countEvicted(list []*answer) (n int) {
	for _, a := range list {
		n += boolToInt(a.isEvicted())
	}
	return n
}

// An evicted answer ends although its client reads nothing.
func TestEvictionEndsAWrite(t *testing.T) {
	h, ended := new(Handler), make(chan error, 1)
	var slow *answer
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, done, err := answerFrom(h, w, "203.0.113.1:1", "ada", "")
		if err != nil {
			t.Error(err)
			return
		}
		defer done()
		slow = a
		client := &pacedWriter{w: a, bounds: defaultBounds, began: time.Now()}
		for err == nil {
			_, err = client.Write(make([]byte, bufferBytes))
		}
		ended <- err
	}))
	defer s.Close()
	answered, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answered.Body.Close()
	await.Until(t, "a client that reads nothing keeps its answer waiting", await.Long, func() bool { return h.stall() > 0 })
	h.answers.mu.Lock()
	h.answers.evict(&answer{caller: "ada"}, func(*answer) bool { return true })
	h.answers.mu.Unlock()
	if slow.isEvicted() {
		t.Fatal("a caller's only answer is evicted")
	}
	_, done, err := answerFrom(h, httptest.NewRecorder(), "203.0.113.1:1", "ada", "")
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	h.answers.mu.Lock()
	h.answers.evict(&answer{caller: "ada"}, func(*answer) bool { return true })
	h.answers.mu.Unlock()
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, errEvicted) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it goes on")
	}
}

// Attack: fetches of one wiki, which git takes long to answer, hold all processes.
// Another wiki's doesn't wait.
func TestProcessesAreShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for range wikiSlots {
		if _, err := w.door.acquireProcess(t.Context(), "eve"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := w.door.acquireProcess(ctx, "eve"); !errors.Is(err, errBusy) {
		t.Errorf("more than a wiki's share: %v", err)
	}
	if _, err := w.door.acquireProcess(t.Context(), "bob"); err != nil {
		t.Errorf("another wiki: %v", err)
	}
}

// Attack: slow clients of one wiki fill all files, so that the processes of all others
// wait for their clients.
func TestFilesAreShared(t *testing.T) {
	all := testSpools(t)
	all.files, all.wikiFiles = 4<<20, 1<<20
	stalled := func(slug string) (spooled func() bool) {
		s, process, err := all.open(slug, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.close)
		ended := make(chan bool)
		go func() {
			_, _ = process.Write(make([]byte, 3*pipeBytes/2))
			process.Close()
			close(ended)
		}()
		s.mu.Lock()
		s.since = time.Now() // a write to the client that doesn't end
		s.mu.Unlock()
		return func() bool {
			select {
			case <-ended:
				return true
			case <-time.After(10 * all.process):
				return false
			}
		}
	}
	for range 4 {
		stalled("eve")()
	}
	if n := all.bytes.Load(); n > all.wikiFiles+4*bufferBytes {
		t.Errorf("one wiki's files have %d bytes", n)
	}
	if !stalled("ada")() {
		t.Error("another wiki's process waits for its client")
	}
}

// An evicted answer sends nothing more. Its client learns that the service is busy
// if it got nothing.
func TestEvictedAnswers(t *testing.T) {
	h := new(Handler)
	rec := &deadlineRecorder{ResponseRecorder: httptest.NewRecorder()}
	a, done, err := answerFrom(h, rec, "203.0.113.1:1", "ada", "")
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if err := a.busyOr(os.ErrClosed); !errors.Is(err, os.ErrClosed) {
		t.Errorf("an answer that wasn't evicted: %v", err)
	}
	a.mu.Lock()
	a.evicted = true
	a.mu.Unlock()
	if err := a.busyOr(os.ErrClosed); !errors.Is(err, errBusy) {
		t.Errorf("the client is told %v", err)
	}
	if err := a.SetWriteDeadline(time.Now().Add(time.Hour)); !errors.Is(err, errEvicted) || !rec.deadline.IsZero() {
		t.Errorf("it can go on until %v: %v", rec.deadline, err)
	}
}

// A lastWriter calls end when the last packet of an answer is written.
type lastWriter struct {
	*httptest.ResponseRecorder
	end func()
}

func (w lastWriter) Write(data []byte) (int, error) {
	if bytes.HasSuffix(data, []byte("0000")) {
		w.end()
	}
	return w.ResponseRecorder.Write(data)
}

// A client that goes away with the last packet has got everything, and so hasn't
// abandoned its answer.
func TestWholeAnswersAreNotAbandoned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx, leave := context.WithCancel(t.Context())
	rec := lastWriter{httptest.NewRecorder(), leave}
	r := httptest.NewRequestWithContext(ctx, "GET", Prefix+"/info/refs?service=git-upload-pack", nil)
	w.door.ServeWiki(rec, r, "ada")
	if rec.Code != http.StatusOK || ctx.Err() == nil {
		t.Fatalf("%d %q", rec.Code, rec.Body)
	}
	w.door.answers.mu.Lock()
	defer w.door.answers.mu.Unlock()
	if len(w.door.answers.abandoned.times) > 0 {
		t.Errorf("abandoned: %v", w.door.answers.abandoned.times)
	}
}

// git in a browser asks first whether it may send its headers. The answer says nothing
// about the wiki.
func TestPreflight(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, slug := range []string{"ada", "bob", "nobody"} {
		got := w.send("OPTIONS", slug, Prefix+"/info/refs", nil, "Origin", "https://example.com")
		if got.status != http.StatusNoContent || got.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(got.header.Get("Access-Control-Allow-Headers"), "Git-Protocol") {
			t.Errorf("%s: %d %v", slug, got.status, got.header)
		}
	}
}
