package githttp

import (
	"math"
	"time"
)

const (
	// A client that reads less than pressedSpeed bytes a second loses its answer when
	// others need the room. Otherwise the bounds of spools apply.
	pressedSpeed = 64 << 10
	// paceWindow is the time over which a speed is measured: at least one window and the
	// current one. Only time spent waiting for the client counts.
	paceWindow = 5 * time.Second
)

// A pace measures how fast a client reads. Buffers of the network take megabytes at
// once, so what counts are the latest two windows, not the average.
type pace struct {
	since        time.Time     // when the pending write began; zero if none is pending
	waited       time.Duration // in earlier writes
	sent         int64         // bytes
	before, last mark          // where the windows begin
}

type mark struct {
	waited time.Duration
	sent   int64
}

// end counts a write that has ended.
func (p *pace) end(now time.Time, sent int) {
	p.waited += now.Sub(p.since)
	p.since = time.Time{}
	p.sent += int64(sent)
	if p.waited-p.last.waited >= paceWindow {
		p.before, p.last = p.last, mark{p.waited, p.sent}
	}
}

// speed returns bytes a second, infinite before the client has kept us waiting for a
// whole window.
func (p *pace) speed(now time.Time) float64 {
	waited := p.waited
	if !p.since.IsZero() {
		waited += now.Sub(p.since)
	}
	if waited < paceWindow {
		return math.Inf(1)
	}
	from := p.before
	if waited-p.last.waited >= paceWindow { // the client has stalled for a whole window
		from = p.last
	}
	return float64(p.sent-from.sent) / (waited - from.waited).Seconds()
}
