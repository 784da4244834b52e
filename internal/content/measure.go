package content

import (
	"errors"
	"time"

	"robot.wtf/internal/wiki"
)

// A stopwatch measures one commit.
type stopwatch struct {
	Measure
	last   time.Time
	report func(Measure)
}

func newStopwatch(report func(Measure)) *stopwatch {
	return &stopwatch{last: time.Now(), report: report}
}

// lap sets a stage's duration to the time since the previous stage ended.
func (c *stopwatch) lap(stage *time.Duration) {
	now := time.Now()
	*stage, c.last = now.Sub(c.last), now
}

func (c *stopwatch) stop(res Result, err error) {
	if c.report == nil {
		return
	}
	c.Outcome = outcomeOf(res, err)
	c.report(c.Measure)
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

// isCallerError reports whether the caller, not the service, caused an error.
func isCallerError(err error) bool {
	for _, kind := range []error{wiki.ErrNotFound, wiki.ErrInvalid, wiki.ErrTooLarge, wiki.ErrQuota, wiki.ErrExists, wiki.ErrPrecondition, wiki.ErrPreconditionRequired} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
