package githttp

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/wiki"
)

// Attack: slow clients of one address hold all answers, or those of one wiki do.
// Another caller and another wiki still get theirs.
func TestAnswersAreShared(t *testing.T) {
	h := &Handler{answers: budget.NewSlots(maxAnswers, maxWikiAnswers), callers: budget.NewSlots(maxAnswers, maxCallerAnswers)}
	from := func(address, slug, did string) (func(), error) {
		r := httptest.NewRequest("POST", Prefix+"/git-upload-pack", nil)
		r.RemoteAddr = address
		caller := wiki.Caller{User: wiki.User{DID: did}}
		return h.countAnswer(&call{Request: r, access: wiki.NewAccess(wiki.Site{Slug: slug}, caller, wiki.Reader)})
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
