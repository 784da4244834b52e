package githttp

import "time"

const (
	// maxAbandoned is how long a caller's abandoned answers can have taken in
	// the last minutes before others take the place of its next one.
	maxAbandoned = 30 * time.Second
	// abandonedPeriod is how long the times are counted: this period and the one before.
	abandonedPeriod = 5 * time.Minute
	// abandonedCallers bounds the callers of a period. Beyond it, new ones aren't
	// counted.
	abandonedCallers = 16_384
)

// abandoned counts, by caller, how long answers took whose clients went away before the
// end. A client that holds an answer for a few seconds, too few to be found slow, and
// then connects again is recognized by that. The zero value is empty.
type abandoned struct {
	began         time.Time // of this period
	times, before map[string]time.Duration
}

// add counts an answer that was abandoned.
func (t *abandoned) add(caller string, took time.Duration, now time.Time) {
	t.advance(now)
	if t.times == nil {
		t.times = map[string]time.Duration{}
	}
	if _, known := t.times[caller]; known || len(t.times) < abandonedCallers {
		t.times[caller] += took
	}
}

// of returns the time of a caller's abandoned answers.
func (t *abandoned) of(caller string, now time.Time) time.Duration {
	t.advance(now)
	return t.times[caller] + t.before[caller]
}

// advance begins another period if this one is over.
func (t *abandoned) advance(now time.Time) {
	switch age := now.Sub(t.began); {
	case age >= 2*abandonedPeriod || age < 0:
		t.began, t.times, t.before = now, nil, nil
	case age >= abandonedPeriod:
		t.began, t.times, t.before = now, nil, t.times
	}
}
