package session

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"

	"robot.wtf/internal/wiki"
)

// A Cause is why a request was refused, for whoever is connecting an agent.
type Cause string

// The causes.
const (
	NoToken      Cause = "no token"
	BadToken     Cause = "not a token of this service"
	UnknownToken Cause = "unknown or revoked token"
	OtherWiki    Cause = "token of another wiki"
	Expired      Cause = "expired"
	Revoked      Cause = "revoked"
	NoMember     Cause = "not a member"
	ReadOnly     Cause = "may only read"
	TooFast      Cause = "too many requests"
	Suspended    Cause = "suspended"
)

// Refuse adds the cause to an error, which stays of its kind.
func Refuse(cause Cause, err error) error { return &refusal{cause, err} }

type refusal struct {
	cause Cause
	error
}

func (r *refusal) Unwrap() error { return r.error }

// CauseOf is the cause that Refuse added, "" if none did.
func CauseOf(err error) Cause {
	var r *refusal
	if errors.As(err, &r) {
		return r.cause
	}
	return ""
}

// A Request is what came for a wiki by another way than a browser: to /mcp, the
// API, or to the endpoints that tokens come from. It holds no secret.
type Request struct {
	Time   time.Time // of the last one; set by Note
	Times  int       // how often the same came; set by Note
	Method string
	Path   string // without query; Note shortens it to what may be told apart
	Status int
	Cause  Cause  // of a refusal
	Agent  string // as the grant or token calls it
	Claims string // what a client says of itself before it has a grant
	Tool   string // that was called, "edit_page"
}

const (
	requestsKept  = 10   // of one wiki
	strangersKept = 7    // of them, by whoever showed no token of this service
	requestsWikis = 2000 // whose requests are kept
	maxWatchers   = 1000
	wikiWatchers  = 32
	ownWatchers   = 4 // of one person in one wiki
)

// requestLogs are the last requests of each wiki, in memory alone, with those
// who are watching them.
type requestLogs struct {
	mu       sync.Mutex
	wikis    map[string]*requestLog
	watchers int
}

type requestLog struct {
	recent   []Request // newest first, each of another kind
	watchers map[*watcher]bool
}

type watcher struct {
	did  string
	wake chan struct{}
}

// Note keeps a request for the connect page of a wiki. What came before in the
// same way is counted, so that nobody floods the list. It never fails; requests
// for a wiki that does not exist are not kept.
func (s *Service) Note(ctx context.Context, slug string, r Request) {
	if r.Cause != "" {
		s.refused(r.Cause)
	}
	if _, err := s.store.Site(ctx, slug); err != nil {
		return
	}
	r.Time, r.Times = s.now(), 1
	if r.Status == 0 { // as net/http has it when nothing was said
		r.Status = http.StatusOK
	}
	r.Method, r.Path = shownMethod(r.Method), shownPath(r.Path)
	r.Agent, r.Claims, r.Tool = shown(r.Agent), shown(r.Claims), shown(r.Tool)
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	l := s.requests.of(slug)
	l.add(r)
	l.wake()
}

// add puts a request first. Strangers, who may send what they like, do not push
// out what agents did.
func (l *requestLog) add(r Request) {
	kept := make([]Request, 1, requestsKept)
	strangers := 0
	if r.stranger() {
		strangers++
	}
	for _, old := range l.recent {
		switch {
		case old.same(r):
			r.Times += old.Times
			continue
		case old.stranger() && strangers == strangersKept, len(kept) == requestsKept:
			continue
		case old.stranger():
			strangers++
		}
		kept = append(kept, old)
	}
	kept[0] = r
	l.recent = kept
}

// stranger reports whether nothing of the request is known to be true: it came
// without a token that was made here, good or not any more.
func (r Request) stranger() bool {
	switch r.Cause {
	case OtherWiki, Expired, Revoked, NoMember, Suspended:
		return false
	}
	return r.Agent == ""
}

// same reports whether two requests are of one kind, and so are counted together.
// Of strangers', all are that came to the same, by whatever method and under
// whatever name: there are as many of those as anybody likes.
func (r Request) same(other Request) bool {
	if r.stranger() && other.stranger() {
		return r.Path == other.Path && r.Status == other.Status && r.Cause == other.Cause
	}
	r.Time, r.Times, other.Time, other.Times = time.Time{}, 0, time.Time{}, 0
	return r == other
}

// of is a wiki's log. A wiki that is new here takes the place of the one that
// was heard of longest ago, if nobody watches that.
func (logs *requestLogs) of(slug string) *requestLog {
	if l := logs.wikis[slug]; l != nil {
		return l
	}
	if logs.wikis == nil {
		logs.wikis = map[string]*requestLog{}
	}
	if len(logs.wikis) >= requestsWikis {
		logs.evict()
	}
	l := &requestLog{watchers: map[*watcher]bool{}}
	logs.wikis[slug] = l
	return l
}

func (logs *requestLogs) evict() {
	var oldest string
	var at time.Time
	for slug, l := range logs.wikis {
		if len(l.watchers) > 0 {
			continue
		}
		if len(l.recent) == 0 {
			oldest = slug
			break
		}
		if oldest == "" || l.recent[0].Time.Before(at) {
			oldest, at = slug, l.recent[0].Time
		}
	}
	delete(logs.wikis, oldest)
}

func (l *requestLog) wake() {
	for w := range l.watchers {
		select {
		case w.wake <- struct{}{}:
		default: // it has been woken, and will see this as well
		}
	}
}

// Wake wakes those who watch a wiki: something there has changed.
func (s *Service) Wake(slug string) {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	if l := s.requests.wikis[slug]; l != nil {
		l.wake()
	}
}

var errNotShown = wiki.Problemf(wiki.ErrDenied, "", "Only members of this wiki can connect agents to it.")

// Requests are the last ten requests of a wiki, newest first, for its members.
func (s *Service) Requests(a wiki.Access) ([]Request, error) {
	if a.Role() < wiki.Viewer {
		return nil, errNotShown
	}
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	if l := s.requests.wikis[a.Site().Slug]; l != nil {
		return l.recent, nil // replaced as a whole, never changed
	}
	return nil, nil
}

// ErrWatched says that as many are watching as may.
var ErrWatched = errors.New("session: too many are watching")

// Watch wakes a member whenever a request of the wiki is noted, or Wake says so.
// stop must be called. It fails with ErrWatched when the person, the wiki or the
// service has as many watchers as it may.
func (s *Service) Watch(a wiki.Access) (wake <-chan struct{}, stop func(), err error) {
	if a.Role() < wiki.Viewer {
		return nil, nil, errNotShown
	}
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	l := s.requests.of(a.Site().Slug)
	w := &watcher{a.Caller().User.DID, make(chan struct{}, 1)}
	own := 0
	for other := range l.watchers {
		if other.did == w.did {
			own++
		}
	}
	if own >= ownWatchers || len(l.watchers) >= wikiWatchers || s.requests.watchers >= maxWatchers {
		return nil, nil, ErrWatched
	}
	l.watchers[w] = true
	s.requests.watchers++
	return w.wake, sync.OnceFunc(func() {
		s.requests.mu.Lock()
		defer s.requests.mu.Unlock()
		delete(l.watchers, w)
		s.requests.watchers--
	}), nil
}

// shownPath is a path as it is kept: the API's below its version is one, for it
// names pages, and there are too many.
func shownPath(path string) string {
	if strings.HasPrefix(path, "/api/v1/") {
		return "/api/v1/…"
	}
	return shown(path)
}

func shownMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return method
	}
	return "?"
}

// shown is a word that strangers chose, short and printable.
func shown(s string) string {
	const most = 60
	clean := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, ""))
	if letters := []rune(clean); len(letters) > most {
		clean = string(letters[:most]) + "…"
	}
	return clean
}
