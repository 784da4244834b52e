package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"

	"robot.wtf/internal/wiki"
)

// A Cause is why a request was refused, as shown to a person who connects an
// agent.
type Cause string

// Causes.
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

// Refuse wraps err with a cause; errors.Is and errors.As still see err.
func Refuse(cause Cause, err error) error { return &refusal{cause, err} }

type refusal struct {
	cause Cause
	error
}

func (r *refusal) Unwrap() error { return r.error }

// CauseOf returns the cause that Refuse added, or "".
func CauseOf(err error) Cause {
	var r *refusal
	if errors.As(err, &r) {
		return r.cause
	}
	return ""
}

// A Request is a request for a wiki that didn't come from a browser: to
// /mcp, the API or the token endpoints. It contains no secret.
type Request struct {
	Time   time.Time // of the latest one; set by Note
	Times  int       // how many of this kind; set by Note
	Method string
	Path   string // without query; Note shortens it
	Status int
	Cause  Cause  // if refused
	Agent  string // name of the grant or token
	Claims string // the client's own description, before it has a grant
	Tool   string // tool called, "edit_page"
}

const (
	maxRequests         = 10   // per wiki
	maxStrangerRequests = 7    // of them, without a token of this service
	maxLoggedWikis      = 2000 // wikis with a log
	maxWatchers         = 1000
	maxWikiWatchers     = 32
	maxPersonWatchers   = 16 // per person, in all wikis
	maxOwnWatchers      = 4  // per person and wiki
)

// requestLogs holds the last requests of each wiki, in memory only, and
// their watchers.
type requestLogs struct {
	mu       sync.Mutex
	wikis    map[string]*requestLog
	watchers int
	people   map[string]int // watchers of each person
	born     int64
	max      int // of watchers; maxWatchers if 0
}

type requestLog struct {
	recent   []Request // newest first, one per kind
	watchers map[*watcher]bool
}

type watcher struct {
	did  string
	wake chan struct{} // closed when it must end
	log  *requestLog
	born int64 // watchers are numbered
}

// Note records a request for a wiki's connect page. Repetitions are counted,
// so that nobody can flood the list. It never fails; requests for missing
// wikis are ignored.
func (s *Service) Note(ctx context.Context, slug string, r Request) {
	if r.Cause != "" {
		s.refused(r.Cause)
	}
	if _, err := s.store.Site(ctx, slug); err != nil {
		return
	}
	r.Time, r.Times = s.now(), 1
	if r.Status == 0 { // net/http sends 200 if no status was set
		r.Status = http.StatusOK
	}
	r.Method, r.Path = sanitizeMethod(r.Method), sanitizePath(r.Path)
	r.Agent, r.Claims, r.Tool = sanitize(r.Agent), sanitize(r.Claims), sanitize(r.Tool)
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	l := s.requests.logFor(slug)
	l.addRequest(r)
	l.wakeAll()
}

// addRequest puts a request first. Strangers can send anything, but can't
// push out the agents' requests.
func (l *requestLog) addRequest(r Request) {
	kept := make([]Request, 1, maxRequests)
	strangers := 0
	if r.isStranger() {
		strangers++
	}
	for _, old := range l.recent {
		switch {
		case old.sameKind(r):
			r.Times += old.Times
			continue
		case old.isStranger() && strangers == maxStrangerRequests, len(kept) == maxRequests:
			continue
		case old.isStranger():
			strangers++
		}
		kept = append(kept, old)
	}
	kept[0] = r
	l.recent = kept
}

// isStranger reports whether the request came without a token of this
// service, valid or not, so that nothing about it is verified.
func (r Request) isStranger() bool {
	switch r.Cause {
	case OtherWiki, Expired, Revoked, NoMember, Suspended:
		return false
	}
	return r.Agent == ""
}

// sameKind reports whether two requests are counted together. Requests of
// strangers match by path, status and cause only, because method and names
// are free to vary.
func (r Request) sameKind(other Request) bool {
	if r.isStranger() && other.isStranger() {
		return r.Path == other.Path && r.Status == other.Status && r.Cause == other.Cause
	}
	r.Time, r.Times, other.Time, other.Times = time.Time{}, 0, time.Time{}, 0
	return r == other
}

// logFor returns a wiki's log. If there are too many logs, a new one
// replaces the least recently used one without watchers. Each wiki has one log of
// the same size, whatever is sent to it.
func (logs *requestLogs) logFor(slug string) *requestLog {
	if l := logs.wikis[slug]; l != nil {
		return l
	}
	if logs.wikis == nil {
		logs.wikis = map[string]*requestLog{}
	}
	if len(logs.wikis) >= maxLoggedWikis {
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

func (l *requestLog) wakeAll() {
	for w := range l.watchers {
		select {
		case w.wake <- struct{}{}:
		default: // already woken, it will see this change too
		}
	}
}

// Wake wakes the watchers of a wiki after a change.
func (s *Service) Wake(slug string) {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	if l := s.requests.wikis[slug]; l != nil {
		l.wakeAll()
	}
}

var errNotMember = wiki.Problemf(wiki.ErrDenied, "", "Only members of this wiki can connect agents to it.")

// Requests returns the last requests of a wiki, newest first. Only members
// can see them.
func (s *Service) Requests(a wiki.Access) ([]Request, error) {
	if a.Role() < wiki.Viewer {
		return nil, errNotMember
	}
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	if l := s.requests.wikis[a.Site().Slug]; l != nil {
		return l.recent, nil // never changed in place
	}
	return nil, nil
}

// ErrWatched means that the limit of watchers is reached. It is a wiki.ErrTooMany.
var ErrWatched = fmt.Errorf("session: watch: %w", wiki.ErrTooMany)

// Watch signals wake for each request that Note records for the wiki and
// each call of Wake, and closes it if the watcher must make room. The caller must
// call stop. It fails with ErrWatched if the person or the wiki has too many
// watchers. If the service has too many, the oldest watcher of the wiki with the
// most ends, so nobody can use up the watchers of others.
func (s *Service) Watch(a wiki.Access) (wake <-chan struct{}, stop func(), err error) {
	if a.Role() < wiki.Viewer {
		return nil, nil, errNotMember
	}
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	w, err := s.requests.watch(a.Site().Slug, a.Caller().User.DID)
	if err != nil {
		return nil, nil, err
	}
	return w.wake, func() {
		s.requests.mu.Lock()
		defer s.requests.mu.Unlock()
		s.requests.drop(w)
	}, nil
}

func (logs *requestLogs) watch(slug, did string) (*watcher, error) {
	l := logs.logFor(slug)
	logs.born++
	w := &watcher{did, make(chan struct{}, 1), l, logs.born}
	own := 0
	for other := range l.watchers {
		if other.did == did {
			own++
		}
	}
	if own >= maxOwnWatchers || len(l.watchers) >= maxWikiWatchers || logs.people[did] >= maxPersonWatchers {
		return nil, ErrWatched
	}
	limit := logs.max
	if limit == 0 {
		limit = maxWatchers
	}
	if logs.watchers >= limit && !logs.makeRoom(l) {
		return nil, ErrWatched
	}
	if logs.people == nil {
		logs.people = map[string]int{}
	}
	l.watchers[w] = true
	logs.people[did]++
	logs.watchers++
	return w, nil
}

// makeRoom ends the oldest watcher of the wiki with the most watchers, if these are
// more than the wiki of l would have.
func (logs *requestLogs) makeRoom(l *requestLog) bool {
	fullest := l
	for _, other := range logs.wikis {
		if len(other.watchers) > len(fullest.watchers) {
			fullest = other
		}
	}
	if len(fullest.watchers) <= len(l.watchers)+1 {
		return false
	}
	var oldest *watcher
	for w := range fullest.watchers {
		if oldest == nil || w.born < oldest.born {
			oldest = w
		}
	}
	logs.drop(oldest)
	close(oldest.wake)
	return true
}

// drop removes a watcher. It is idempotent.
func (logs *requestLogs) drop(w *watcher) {
	if !w.log.watchers[w] {
		return
	}
	delete(w.log.watchers, w)
	logs.watchers--
	if logs.people[w.did]--; logs.people[w.did] == 0 {
		delete(logs.people, w.did)
	}
}

// sanitizePath shortens a path for the log. All API paths below the version
// count as one, because they contain page names.
func sanitizePath(path string) string {
	if strings.HasPrefix(path, "/api/v1/") {
		return "/api/v1/…"
	}
	return sanitize(path)
}

func sanitizeMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return method
	}
	return "?"
}

// sanitize makes text chosen by strangers short and printable.
func sanitize(s string) string {
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
