package githttp

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// Limits on answers that wait for a process or are being sent.
const (
	maxAnswers       = 512
	maxWikiAnswers   = 128 // of one wiki, so that a popular or attacked one leaves room for others
	maxCallerAnswers = 32  // for one caller, in all wikis
	maxPreferred     = 8   // of a member; one with more is treated as a stranger
)

// answers are the answers being prepared or sent. Slow clients hold theirs for long. So
// when the service or a wiki has too many, a newcomer takes the place of another answer:
// the oldest one of the caller that has the most, one of a caller that has abandoned
// many, or else the slowest. Members come before strangers. See evict.
type answers struct {
	mu        sync.Mutex
	running   []*answer // oldest first
	abandoned abandoned
}

// An answer is one of them. Everything sent to its client is written to it.
type answer struct {
	http.ResponseWriter
	wiki, caller string
	member       bool // the caller is a member of the wiki
	began        time.Time
	cancel       context.CancelFunc

	mu      sync.Mutex
	writing bool // its client was sent something
	failed  bool // a write to its client failed
	whole   bool // its client was sent everything
	evicted bool
	pace    pace
}

var errEvicted = errors.New("githttp: answer was evicted")

// start counts an answer until done is called; its context ends then, or when it is
// evicted. It fails with errBusy if its caller has too many, or if there are too many
// and none has to make room.
func (all *answers) start(c *call) (ctx context.Context, a *answer, done func(), err error) {
	a = &answer{ResponseWriter: c.w, wiki: c.access.Site().Slug, caller: c.answerKey(), member: c.access.Role() >= wiki.Viewer, began: time.Now()}
	ctx, a.cancel = context.WithCancel(c.Context())
	all.mu.Lock()
	defer all.mu.Unlock()
	if !all.makeRoom(a) {
		a.cancel()
		return nil, nil, nil, errBusy
	}
	all.running = append(all.running, a)
	return ctx, a, func() { all.end(a, c.Context().Err() != nil) }, nil
}

// makeRoom reports whether there is room for an answer. It evicts one if necessary.
// It requires all.mu.
func (all *answers) makeRoom(a *answer) bool {
	ofWiki, ofCaller := 0, 0
	for _, other := range all.running {
		ofWiki += boolToInt(other.wiki == a.wiki)
		ofCaller += boolToInt(other.caller == a.caller)
	}
	switch {
	case ofCaller >= maxCallerAnswers:
		return false
	case ofWiki >= maxWikiAnswers:
		return all.evict(a, func(other *answer) bool { return other.wiki == a.wiki })
	case len(all.running) >= maxAnswers:
		return all.evict(a, func(*answer) bool { return true })
	}
	return true
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// evict ends one of some answers so that a can take its place, and reports whether one
// had to make room. A preferred caller, a member with few answers, takes any stranger's
// place. A stranger takes the place of a caller with more answers, of one that has
// abandoned many, of an answer that waits for a process in a wiki with more of them, or
// of a slow client.
// So to keep strangers out, clients must read at least maxAnswers*pressedSpeed bytes a
// second together, and members are served even then. It requires all.mu, so the answers'
// handlers can't return meanwhile.
func (all *answers) evict(a *answer, of func(*answer) bool) bool {
	now := time.Now()
	counts := map[string]int{a.caller: 1}
	for _, other := range all.running {
		counts[other.caller] += boolToInt(of(other))
	}
	preferred := func(other *answer) bool {
		return other.member && counts[other.caller] <= maxPreferred && all.abandoned.of(other.caller, now) <= maxAbandoned
	}
	var members, strangers []*answer
	for _, other := range all.running {
		switch {
		case !of(other):
		case preferred(other):
			members = append(members, other)
		default:
			strangers = append(strangers, other)
		}
	}
	victim := cmp.Or(heaviest(strangers, counts, a.caller), all.mostAbandoned(strangers, a.caller, now), lastInLine(strangers, a.wiki), slowest(strangers, pressedSpeed))
	if preferred(a) {
		victim = cmp.Or(victim, slowest(strangers, math.Inf(1)), heaviest(members, counts, a.caller))
	}
	victim = cmp.Or(victim, slowest(members, pressedSpeed))
	if victim == nil {
		return false
	}
	victim.stop()
	all.running = slices.DeleteFunc(all.running, func(other *answer) bool { return other == victim })
	return true
}

// heaviest returns the oldest answer of the caller that has the most, nil if nobody has
// more than a caller. Of equals it chooses the one with the oldest answer.
func heaviest(list []*answer, counts map[string]int, than string) (found *answer) {
	for _, a := range list {
		if counts[a.caller] > counts[than] && (found == nil || counts[a.caller] > counts[found.caller]) {
			found = a
		}
	}
	return found
}

// mostAbandoned returns the oldest answer of the caller that has abandoned the most, or
// nil if nobody exceeds the caller than by more than maxAbandoned.
func (all *answers) mostAbandoned(list []*answer, than string, now time.Time) (found *answer) {
	most := maxAbandoned + all.abandoned.of(than, now)
	for _, a := range list {
		if took := all.abandoned.of(a.caller, now); took > most {
			found, most = a, took
		}
	}
	return found
}

// lastInLine returns the newest waiting answer in the wiki where the most wait for a
// process, or nil if no wiki has more of them than the wiki than.
func lastInLine(list []*answer, than string) (found *answer) {
	counts := map[string]int{than: 1}
	for _, a := range list {
		counts[a.wiki] += boolToInt(a.isWaiting())
	}
	for _, a := range list {
		if a.isWaiting() && counts[a.wiki] > counts[than] && (found == nil || counts[a.wiki] >= counts[found.wiki]) {
			found = a
		}
	}
	return found
}

// slowest returns the answer with the lowest speed, nil if none is below a limit or at
// it. Of equals it chooses the oldest.
func slowest(list []*answer, limit float64) (found *answer) {
	now := time.Now()
	lowest := math.Inf(1)
	for _, a := range list {
		if speed := a.speed(now); speed <= limit && (found == nil || speed < lowest) {
			found, lowest = a, speed
		}
	}
	return found
}

// end removes an answer. gone says that its client has closed the connection.
func (all *answers) end(a *answer, gone bool) {
	a.cancel()
	now := time.Now()
	all.mu.Lock()
	defer all.mu.Unlock()
	if a.isAbandoned(gone) {
		all.abandoned.add(a.caller, now.Sub(a.began), now)
	}
	all.running = slices.DeleteFunc(all.running, func(other *answer) bool { return other == a })
}

// stop ends an answer's preparation, or the write that waits for its client.
func (a *answer) stop() {
	a.cancel()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.evicted = true
	if a.writing { // otherwise its client can be told
		_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now()) // without deadlines, the next write fails
	}
}

// isEvicted reports whether the answer made room for another.
func (a *answer) isEvicted() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.evicted
}

// busyOr returns errBusy if the answer made room for another, else err.
func (a *answer) busyOr(err error) error {
	if a.isEvicted() {
		return errBusy
	}
	return err
}

// finish notes that the client was sent everything.
func (a *answer) finish() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.whole = true
}

// isAbandoned reports whether the client went away before the end. gone says that it has
// closed the connection.
func (a *answer) isAbandoned(gone bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return (gone || a.failed) && !a.whole && !a.evicted
}

// isWaiting reports whether its client was sent nothing yet.
func (a *answer) isWaiting() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pace.sent == 0 && a.pace.since.IsZero()
}

// SetWriteDeadline is called before each write. It fails when the answer was evicted.
func (a *answer) SetWriteDeadline(t time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.evicted {
		return errEvicted
	}
	a.writing = true
	return http.NewResponseController(a.ResponseWriter).SetWriteDeadline(t)
}

// Write is for http.ResponseWriter.
func (a *answer) Write(data []byte) (n int, err error) {
	a.wait(func() (int, error) { n, err = a.ResponseWriter.Write(data); return n, err })
	return n, err
}

// FlushError is for http.ResponseController.
func (a *answer) FlushError() (err error) {
	a.wait(func() (int, error) { err = http.NewResponseController(a.ResponseWriter).Flush(); return 0, err })
	return err
}

// wait measures how long the client keeps us waiting, and how much it is sent.
func (a *answer) wait(send func() (bytes int, err error)) {
	a.mu.Lock()
	a.pace.since = time.Now()
	a.mu.Unlock()
	n, err := send()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed = a.failed || err != nil
	a.pace.end(time.Now(), n)
}

// speed returns the client's speed in bytes a second.
func (a *answer) speed(now time.Time) float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pace.speed(now)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// answerKey identifies the caller whose answers are counted: a person, or the network
// of an anonymous client.
func (c *call) answerKey() string {
	if caller := c.access.Caller(); !caller.Anonymous() {
		return caller.User.DID
	}
	return limit.Network(c.RemoteAddr)
}
