package githttp

import "time"

const (
	// maxAbandoned is the total time that a caller's abandoned answers can take,
	// over the last minutes, before others may take the place of its next one.
	maxAbandoned = 30 * time.Second
	// abandonedPeriod is the length of a period. The current one and the one before
	// count.
	abandonedPeriod = 5 * time.Minute
	// abandonedCallers bounds the callers of a period. Beyond it, new ones aren't
	// counted.
	abandonedCallers = 16_384
)

// abandoned adds up, by caller, the time of answers whose clients went away before the
// end. This catches clients that hold an answer for a few seconds, too briefly to count
// as slow, and then connect again. The zero value is empty.
type abandoned struct {
	began         time.Time // start of the current period
	times, before map[string]time.Duration
}

// add counts an abandoned answer.
func (t *abandoned) add(caller string, took time.Duration, now time.Time) {
	t.advance(now)
	if t.times == nil {
		t.times = map[string]time.Duration{}
	}
	if _, known := t.times[caller]; known || len(t.times) < abandonedCallers {
		t.times[caller] += took
	}
}

// of returns the total time of a caller's abandoned answers.
func (t *abandoned) of(caller string, now time.Time) time.Duration {
	t.advance(now)
	return t.times[caller] + t.before[caller]
}

// advance begins a new period if the current one is over.
func (t *abandoned) advance(now time.Time) {
	switch age := now.Sub(t.began); {
	case age >= 2*abandonedPeriod || age < 0:
		t.began, t.times, t.before = now, nil, nil
	case age >= abandonedPeriod:
		t.began, t.times, t.before = now, nil, t.times
	}
}
