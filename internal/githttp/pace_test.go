package githttp

import (
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robot.wtf/internal/wiki"
)

// A pacedClient reads a number of bytes a second.
type pacedClient struct {
	*httptest.ResponseRecorder
	speed int
}

func (c pacedClient) Write(data []byte) (int, error) {
	time.Sleep(time.Duration(len(data)) * time.Second / time.Duration(c.speed))
	return len(data), nil
}

var zeros [bufferBytes]byte

// slowAnswers tests which answers make room for others.
type slowAnswers struct {
	*testing.T
	h       *Handler
	clients int
}

// start starts an answer for another network, or another person.
func (s *slowAnswers) start(speed int, role wiki.Role) (*answer, error) {
	s.clients++
	r := httptest.NewRequest("POST", Prefix+"/git-upload-pack", nil)
	r.RemoteAddr = fmt.Sprintf("198.51.%d.%d:1", s.clients/256, s.clients%256)
	caller := wiki.Caller{}
	if role >= wiki.Viewer {
		caller.User.DID = fmt.Sprint("did:plc:", s.clients)
	}
	_, a, done, err := s.h.answers.start(&call{Request: r, w: pacedClient{httptest.NewRecorder(), speed}, access: wiki.NewAccess(wiki.Site{Slug: fmt.Sprint("wiki", s.clients%100)}, caller, role)})
	if err != nil {
		return nil, err
	}
	go func() {
		defer done()
		for !a.isEvicted() {
			_, _ = a.Write(zeros[:])
		}
	}()
	return a, nil
}

// fill starts answers until all slots are taken.
func (s *slowAnswers) fill(n, speed int, role wiki.Role) (list []*answer) {
	s.Helper()
	for range n {
		a, err := s.start(speed, role)
		if err != nil {
			s.Fatal(err)
		}
		list = append(list, a)
	}
	return list
}

// end ends all answers and waits for their clients.
func (s *slowAnswers) end() {
	s.h.answers.mu.Lock()
	for _, a := range s.h.answers.running {
		a.stop()
	}
	s.h.answers.mu.Unlock()
	time.Sleep(time.Minute)
}

func testSlowAnswers(t *testing.T, test func(s *slowAnswers)) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowAnswers{T: t, h: new(Handler)}
		defer s.end()
		test(s)
	})
}

// Attack: as many networks as there are answers hold one each and read just enough not
// to be disconnected. They lose them to clients that are faster, which keep theirs.
func TestSlowNetworksMakeRoom(t *testing.T) {
	testSlowAnswers(t, func(s *slowAnswers) {
		fast := s.fill(2, 1<<20, wiki.Reader)
		slow := s.fill(maxAnswers-2, 5<<10, wiki.Reader)
		if _, err := s.start(1<<20, wiki.Reader); !errors.Is(err, errBusy) {
			t.Errorf("before anyone was slow: %v", err)
		}
		time.Sleep(time.Minute)
		for range 10 {
			fast = append(fast, s.fill(1, 1<<20, wiki.Reader)...)
			time.Sleep(2 * paceWindow)
		}
		if n := countEvicted(fast); n > 0 || countEvicted(slow) != 10 {
			t.Errorf("%d fast and %d slow ones were evicted", n, countEvicted(slow))
		}
	})
}

// Members aren't kept out by strangers, however fast those read. Strangers don't take
// the place of members who read fast enough, nor do other members.
func TestMembersComeFirst(t *testing.T) {
	testSlowAnswers(t, func(s *slowAnswers) {
		strangers := s.fill(maxAnswers, 10<<20, wiki.Reader)
		members := s.fill(maxAnswers, 1<<20, wiki.Viewer)
		if n := countEvicted(strangers); n != maxAnswers {
			t.Errorf("%d strangers made room", n)
		}
		time.Sleep(time.Minute)
		for _, role := range []wiki.Role{wiki.Reader, wiki.Viewer} {
			if _, err := s.start(10<<20, role); !errors.Is(err, errBusy) {
				t.Errorf("%v beside members: %v", role, err)
			}
		}
		if n := countEvicted(members); n > 0 {
			t.Errorf("%d members made room", n)
		}
	})
}

// Slow members make room for strangers, so that a hundred accounts can't keep them out.
func TestSlowMembersMakeRoom(t *testing.T) {
	testSlowAnswers(t, func(s *slowAnswers) {
		s.fill(maxAnswers, 5<<10, wiki.Viewer)
		time.Sleep(time.Minute)
		s.fill(1, 1<<20, wiki.Reader)
	})
}

// A member with many answers is treated as a stranger.
func TestGreedyMembersAreNotPreferred(t *testing.T) {
	h := new(Handler)
	for i := range maxAnswers {
		if _, _, err := answerFrom(h, httptest.NewRecorder(), fmt.Sprintf("198.51.%d.%d:1", i/256, i%256), fmt.Sprint("wiki", i%100), ""); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxPreferred + 1 {
		caller := wiki.Caller{User: wiki.User{DID: "did:plc:ada"}}
		_, _, _, err := h.answers.start(&call{Request: httptest.NewRequest("GET", "/", nil), w: httptest.NewRecorder(), access: wiki.NewAccess(wiki.Site{Slug: "ada"}, caller, wiki.Owner)})
		if (err == nil) != (i < maxPreferred) {
			t.Errorf("answer %d of a member beside strangers: %v", i+1, err)
		}
	}
}

// What counts is the speed at present: neither megabytes in buffers at the beginning nor
// a slow beginning.
func TestPace(t *testing.T) {
	now := time.Now()
	var p pace
	write := func(bytes int, took time.Duration) {
		p.since = now
		now = now.Add(took)
		p.end(now, bytes)
	}
	write(8<<20, time.Second)
	if got := p.speed(now); got < 1<<40 {
		t.Errorf("at the beginning: %v", got)
	}
	p.since = now
	if got := p.speed(now.Add(3 * paceWindow)); got > 1<<20 {
		t.Errorf("during the first stall: %v", got)
	}
	write(0, 2*paceWindow)
	p.since = now
	if got := p.speed(now.Add(paceWindow)); got > 0 {
		t.Errorf("stalled: %v", got)
	}
	for range 20 {
		write(1<<20, time.Second)
	}
	if got := p.speed(now); got < 0.9*(1<<20) || got > 1.1*(1<<20) {
		t.Errorf("at 1 MB a second: %v", got)
	}
}

// Attack: the answers of a wiki are full of clients from as many networks that read
// nothing. git clones beside them, for a stranger and for a member.
func TestCloneBesideSlowNetworks(t *testing.T) {
	w := newWorld(t, nil)
	w.fill("ada", 4)
	head, _, _ := strings.Cut(w.must(t.TempDir(), "ls-remote", w.url("ada", "")), "\t")
	request := "0011command=fetch0001000dofs-delta0032want " + head + "\n0009done\n0000"
	for i := range maxWikiAnswers {
		conn, err := net.Dial("tcp", "127.0.0.1:"+w.port)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		fmt.Fprintf(conn, "POST /repo.git/git-upload-pack HTTP/1.1\r\nHost: ada.robot.localhost:%s\r\nX-Forwarded-For: 198.51.100.%d\r\nContent-Type: %s\r\nGit-Protocol: version=2\r\nContent-Length: %d\r\n\r\n%s", w.port, i, wantType, len(request), request)
	}
	full := w.door.waitUntilStalled(maxWikiAnswers, time.Now().Add(20*time.Second))
	if full < maxWikiAnswers {
		t.Fatalf("only %d clients keep their answers waiting", full)
	}
	w.must(t.TempDir(), "clone", "-q", w.url("ada", ""), "stranger")
	w.must(t.TempDir(), "clone", "-q", w.url("ada", "x:"+w.Tokens["ada/owner"]+"@"), "member")
}

// waitUntilStalled waits until a number of clients keep their answers waiting, pretends
// that they have for a while, and returns how many there are.
func (h *Handler) waitUntilStalled(n int, deadline time.Time) (stalled int) {
	for ; stalled < n && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		stalled = 0
		h.answers.mu.Lock()
		for _, a := range h.answers.running {
			a.mu.Lock()
			if since := a.pace.since; !since.IsZero() && time.Since(since) > 50*time.Millisecond {
				a.pace.since = time.Now().Add(-2 * paceWindow)
				stalled++
			}
			a.mu.Unlock()
		}
		h.answers.mu.Unlock()
	}
	return stalled
}
