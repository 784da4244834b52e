package githttp

import (
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"robot.wtf/internal/await"
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

// leaveAfter is a write to a client that disconnects after a while.
func (a *answer) leaveAfter(d time.Duration) {
	a.wait(func() (int, error) { time.Sleep(d); return 0, net.ErrClosed })
}

// visit holds an answer of a wiki for five seconds, again and again for a while, like a
// client that reconnects before it counts as slow.
func (s *slowAnswers) visit(address, slug string, during time.Duration) {
	for end := time.Now().Add(during); time.Now().Before(end); {
		a, done, err := answerFrom(s.h, httptest.NewRecorder(), address, slug, "")
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		a.leaveAfter(paceWindow - time.Millisecond)
		done()
	}
}

// Attack: clients from as many networks as a wiki has answers reconnect every five
// seconds, and read nothing. After half a minute of this, others take their places, and
// keep them although the clients come back.
func TestReturningNetworksMakeRoom(t *testing.T) {
	testSlowAnswers(t, func(s *slowAnswers) {
		const slug = "wiki0"
		var visits sync.WaitGroup
		defer visits.Wait()
		for network := range maxWikiAnswers {
			visits.Go(func() { s.visit(fmt.Sprintf("203.0.113.%d:1", network), slug, 2*time.Minute) })
		}
		time.Sleep(time.Minute)
		var others []*answer
		for _, role := range []wiki.Role{wiki.Reader, wiki.Viewer} {
			s.clients = s.clients - s.clients%100 + 99 // the next is for wiki0
			others = append(others, s.fill(1, 1<<20, role)...)
		}
		time.Sleep(30 * time.Second)
		if n := countEvicted(others); n > 0 {
			t.Errorf("%d others made room", n)
		}
		s.h.answers.mu.Lock()
		n := len(s.h.answers.running)
		s.h.answers.mu.Unlock()
		if n != maxWikiAnswers {
			t.Errorf("the attack holds %d answers", n-len(others))
		}
	})
}

// A member whose clients keep disconnecting is treated as a stranger.
func TestReturningMembersAreNotPreferred(t *testing.T) {
	testSlowAnswers(t, func(s *slowAnswers) {
		for _, a := range s.fill(maxAnswers, 1<<20, wiki.Viewer) {
			s.h.answers.abandoned.add(a.caller, 2*maxAbandoned, time.Now())
		}
		s.fill(1, 1<<20, wiki.Reader)
	})
}

// Answers that a client reads completely, or that had to make room, aren't held against
// its network. After some minutes, nothing is.
func TestOnlyAbandonedAnswersCount(t *testing.T) {
	testSlowAnswers(t, func(s *slowAnswers) {
		const network = "203.0.113.1:1"
		for name, end := range map[string]func(a *answer){"whole": (*answer).finish, "evicted": (*answer).stop, "refused": func(*answer) {}} {
			a, done, err := answerFrom(s.h, httptest.NewRecorder(), network, "ada", "")
			if err != nil {
				t.Fatal(err)
			}
			end(a)
			if name != "refused" {
				a.leaveAfter(time.Minute)
			}
			done()
			if took := s.h.answers.abandoned.of(a.caller, time.Now()); took != 0 {
				t.Errorf("%s: counts %s", name, took)
			}
		}
		a, done, err := answerFrom(s.h, httptest.NewRecorder(), network, "ada", "")
		if err != nil {
			t.Fatal(err)
		}
		a.leaveAfter(time.Minute)
		done()
		for after, want := range map[time.Duration]time.Duration{0: time.Minute, abandonedPeriod: time.Minute, 2 * abandonedPeriod: 0} {
			times := s.h.answers.abandoned
			if took := times.of(a.caller, time.Now().Add(after)); took != want {
				t.Errorf("after %s: counts %s", after, took)
			}
		}
	})
}

// Attack: requests that wait for the processes of four wikis fill all answers. Somebody
// who clones another wiki takes the place of the last in line.
func TestWaitingRequestsMakeRoom(t *testing.T) {
	h := new(Handler)
	var waiting []*answer
	start := func(i int, slug string) (*answer, error) {
		a, _, err := answerFrom(h, httptest.NewRecorder(), fmt.Sprintf("198.51.%d.%d:1", i/256, i%256), slug, "")
		return a, err
	}
	for i := range maxAnswers {
		a, err := start(i, fmt.Sprint("heavy", i%4))
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, a)
	}
	if _, err := start(maxAnswers, "heavy1"); !errors.Is(err, errBusy) {
		t.Errorf("one more for a wiki with many: %v", err)
	}
	if _, err := start(maxAnswers, "quiet"); err != nil || countEvicted(waiting) != 1 || !waiting[maxAnswers-1].isEvicted() {
		t.Errorf("%v; %d made room, the last in line: %v", err, countEvicted(waiting), waiting[maxAnswers-1].isEvicted())
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
	var conns []net.Conn
	for i := range maxWikiAnswers {
		conn, err := net.Dial("tcp", "127.0.0.1:"+w.port)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		fmt.Fprintf(conn, "POST /repo.git/git-upload-pack HTTP/1.1\r\nHost: ada.robot.localhost:%s\r\nX-Forwarded-For: 198.51.100.%d\r\nContent-Type: %s\r\nGit-Protocol: version=2\r\nContent-Length: %d\r\n\r\n%s", w.port, i, wantType, len(request), request)
	}
	await.Until(t, "the clients keep their answers waiting", await.Long, func() bool { return w.door.stall() == maxWikiAnswers })
	w.must(t.TempDir(), "clone", "-q", w.url("ada", ""), "stranger")
	w.must(t.TempDir(), "clone", "-q", w.url("ada", "x:"+w.Tokens["ada/owner"]+"@"), "member")
	for _, conn := range conns {
		conn.Close()
	}
	await.Until(t, "clients that went away are counted", await.Long, func() bool { return w.door.abandoned() >= maxWikiAnswers/2 })
}

// abandoned returns how many callers have abandoned answers.
func (h *Handler) abandoned() int {
	h.answers.mu.Lock()
	defer h.answers.mu.Unlock()
	return len(h.answers.abandoned.times)
}

// stall pretends that clients which keep their answers waiting have done so for a
// while, and returns how many there are.
func (h *Handler) stall() (stalled int) {
	h.answers.mu.Lock()
	defer h.answers.mu.Unlock()
	for _, a := range h.answers.running {
		a.mu.Lock()
		if since := a.pace.since; !since.IsZero() && time.Since(since) > 50*time.Millisecond {
			a.pace.since = time.Now().Add(-2 * paceWindow)
			stalled++
		}
		a.mu.Unlock()
	}
	return stalled
}
