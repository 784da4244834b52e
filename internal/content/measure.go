package content

import (
	"errors"
	"time"

	"robot.wtf/internal/wiki"
)

// A stopwatch measures one commit.
type stopwatch struct {
	Measure
	last time.Time
	tell func(Measure)
}

func newStopwatch(tell func(Measure)) *stopwatch {
	return &stopwatch{last: time.Now(), tell: tell}
}

// lap gives a stage the time since the last one ended.
func (c *stopwatch) lap(stage *time.Duration) {
	now := time.Now()
	*stage, c.last = now.Sub(c.last), now
}

func (c *stopwatch) stop(res Result, err error) {
	if c.tell == nil {
		return
	}
	c.Outcome = outcomeOf(res, err)
	c.tell(c.Measure)
}

func outcomeOf(res Result, err error) string {
	switch {
	case errors.Is(err, wiki.ErrConflict):
		return "conflict"
	case err != nil && isCallerError(err):
		return "refused"
	case err != nil:
		return "failed"
	case res.Replayed:
		return "replayed"
	case res.Unchanged:
		return "unchanged"
	}
	for _, f := range res.Files {
		if f.Merged {
			return "merged"
		}
	}
	return "written"
}

// isCallerError reports errors of who asked; the others are ours.
func isCallerError(err error) bool {
	for _, kind := range []error{wiki.ErrNotFound, wiki.ErrInvalid, wiki.ErrTooLarge, wiki.ErrQuota, wiki.ErrExists, wiki.ErrPrecondition, wiki.ErrPreconditionRequired} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
