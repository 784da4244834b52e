package githttp

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"robot.wtf/internal/limit"
)

// Limits on answers that wait for a process or are being sent.
const (
	maxAnswers       = 512
	maxWikiAnswers   = 128 // of one wiki, so that a popular or attacked one leaves room for others
	maxCallerAnswers = 32  // for one caller, in all wikis
)

// answers are the answers being prepared or sent. Slow clients hold theirs for long.
// So when they are too many, of the service or of a wiki, the caller with the most
// loses its oldest to a caller with fewer.
type answers struct {
	mu      sync.Mutex
	running []*answer // oldest first
}

// An answer is one of them. Everything sent to its client is written to it.
type answer struct {
	http.ResponseWriter
	wiki, caller string
	cancel       context.CancelFunc

	mu      sync.Mutex
	writing bool // its client was sent something
	evicted bool
}

var errEvicted = errors.New("githttp: answer was evicted")

// start counts an answer until done is called; its context ends then, or when it is
// evicted. It fails with errBusy if its caller has too many, or if there are too many
// and nobody has more than this caller.
func (all *answers) start(c *call) (ctx context.Context, a *answer, done func(), err error) {
	a = &answer{ResponseWriter: c.w, wiki: c.access.Site().Slug, caller: c.answerKey()}
	ctx, a.cancel = context.WithCancel(c.Context())
	all.mu.Lock()
	defer all.mu.Unlock()
	if !all.makeRoom(a) {
		a.cancel()
		return nil, nil, nil, errBusy
	}
	all.running = append(all.running, a)
	return ctx, a, func() { all.end(a) }, nil
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

// evict ends the oldest answer of the caller that has the most of some, unless the
// caller of a would then have more. It requires all.mu, so the answer's handler can't
// return meanwhile.
func (all *answers) evict(a *answer, of func(*answer) bool) bool {
	counts, heaviest := map[string]int{}, a.caller
	for _, other := range all.running {
		if of(other) {
			counts[other.caller]++
		}
	}
	for _, other := range all.running { // of equals, the one with the oldest answer
		if counts[other.caller] > counts[heaviest] {
			heaviest = other.caller
		}
	}
	if counts[heaviest] <= counts[a.caller]+1 {
		return false
	}
	i := slices.IndexFunc(all.running, func(other *answer) bool { return of(other) && other.caller == heaviest })
	all.running[i].stop()
	all.running = slices.Delete(all.running, i, i+1)
	return true
}

func (all *answers) end(a *answer) {
	a.cancel()
	all.mu.Lock()
	defer all.mu.Unlock()
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
