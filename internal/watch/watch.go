// Package watch alerts the operator to conditions that need attention: a disk
// that fills up, a late backup, a repository that doesn't match its wiki.
//
// It reports a condition when it begins, once a day while it lasts, and when it
// ends, in the log and through all Notifiers. Failed notifications are retried
// at the next round of checks. A file keeps the alarms, so that a restart neither
// repeats one nor forgets to say that it is over. Apart from disk
// usage, checks come from the caller.
package watch

import (
	"context"
	"log/slog"
	"time"

	"robot.wtf/internal/background"
)

// A Condition is a problem that needs a person's attention.
type Condition struct {
	Key  string // stable identifier: "disk"
	Text string // sentences for the operator
}

// A Check finds conditions of one kind. It must be quick.
type Check func(ctx context.Context) []Condition

// A Notice is a message to the operator. It can name wikis, never their content.
type Notice struct {
	Key   string    `json:"alarm"`
	State string    `json:"state"` // "raised", "lasting", "over", or "news"
	Text  string    `json:"text"`
	Time  time.Time `json:"time"`
}

// A Notifier delivers a notice to a person. It must give up within 30 seconds.
// An error means that the notice wasn't delivered.
type Notifier interface {
	Notify(ctx context.Context, n Notice) error
	// Name tells the notifiers of a Watcher apart, even after a restart.
	Name() string
}

// Options of a Watcher.
type Options struct {
	Checks    []Check
	Notifiers []Notifier
	Every     time.Duration // between rounds of checks; 0 means a minute
	File      string        // keeps the alarms; "" keeps them in memory only

	Background *background.Workers // runs the checks; nil only recovers from panics
	Now        func() time.Time
	Log        *slog.Logger
}

// remindAfter is how long a condition lasts before it is reported again.
const remindAfter = 24 * time.Hour

// A Watcher runs checks periodically.
type Watcher struct {
	o      Options
	alarms map[string]*alarm // owned by runChecks
	kept   []byte            // the alarms as they are in the file
	news   chan Notice
	wait   func()
	cancel context.CancelFunc
}

// An alarm is a condition and its delivery to the notifiers.
type alarm struct {
	Text     string          `json:"text"`
	Reported time.Time       `json:"reported"`          // when it was last reported
	Pending  map[string]bool `json:"pending,omitempty"` // notifiers that haven't delivered it yet
	State    string          `json:"state"`
}

// Start runs the checks at once and then periodically, until Stop.
func Start(o Options) *Watcher {
	if o.Every == 0 {
		o.Every = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watcher{o: o, alarms: map[string]*alarm{}, news: make(chan Notice, 100), cancel: cancel}
	w.restore()
	w.wait = o.Background.Loop(ctx, "watch", func(ctx context.Context) {
		for tick := time.Tick(o.Every); ; {
			w.runChecks(ctx)
			select {
			case <-ctx.Done():
				return
			case n := <-w.news:
				w.deliver(ctx, n)
			case <-tick:
			}
		}
	})
	return w
}

// Stop ends the checks and waits for them. A nil Watcher is already stopped.
func (w *Watcher) Stop() {
	if w != nil {
		w.cancel()
		w.wait()
	}
}

// Announce reports an event that isn't a lasting condition, such as a reader's
// report. It doesn't wait. If too many events queue up, some are only logged.
func (w *Watcher) Announce(key, text string) {
	if w == nil {
		return
	}
	n := Notice{Key: key, State: "news", Text: text, Time: w.o.Now().UTC()}
	w.o.Log.Warn("event reported to the operator", "alarm", key, "text", text)
	select {
	case w.news <- n:
	default:
	}
}

// notify sends a notice through one notifier. If that panics, the others still get
// the notice.
func (w *Watcher) notify(ctx context.Context, to Notifier, n Notice) error {
	return w.o.Background.Try(background.Job{Work: "watch"}, func() error { return to.Notify(ctx, n) })
}

// deliver sends an event to all notifiers, once.
func (w *Watcher) deliver(ctx context.Context, n Notice) {
	for _, notifier := range w.o.Notifiers {
		if err := w.notify(ctx, notifier, n); err != nil && ctx.Err() == nil {
			w.o.Log.Error("notifying the operator failed", "alarm", n.Key, "err", err)
		}
	}
}

// runChecks runs all checks, reports changes, and retries failed notifications.
func (w *Watcher) runChecks(ctx context.Context) {
	now := w.o.Now().UTC()
	found := map[string]bool{}
	for _, check := range w.o.Checks {
		_ = w.o.Background.Try(background.Job{Work: "watch"}, func() error { // a panic is reported
			for _, c := range check(ctx) {
				found[c.Key] = true
				w.raiseAlarm(c, now)
			}
			return nil
		})
	}
	for key, a := range w.alarms {
		if !found[key] && a.State != "over" {
			w.o.Log.Info("alarm ended", "alarm", key)
			w.enter(a, "over", a.Text, now)
		}
		w.deliverPending(ctx, key, a, now)
		if a.State == "over" && len(a.Pending) == 0 {
			delete(w.alarms, key)
		}
	}
	w.keep()
}

func (w *Watcher) raiseAlarm(c Condition, now time.Time) {
	a := w.alarms[c.Key]
	switch {
	case a == nil || a.State == "over":
		a = &alarm{}
		w.alarms[c.Key] = a
		w.enter(a, "raised", c.Text, now)
	case now.Sub(a.Reported) >= remindAfter || now.Before(a.Reported): // the clock may have been set back
		w.enter(a, "lasting", c.Text, now)
	default:
		a.Text = c.Text
		return
	}
	w.o.Log.Warn("alarm", "alarm", c.Key, "state", a.State, "text", c.Text)
}

// enter puts an alarm into a state that all notifiers have yet to deliver.
func (w *Watcher) enter(a *alarm, state, text string, now time.Time) {
	a.State, a.Text, a.Reported, a.Pending = state, text, now, map[string]bool{}
	for _, notifier := range w.o.Notifiers {
		a.Pending[notifier.Name()] = true
	}
}

// deliverPending sends an alarm to the notifiers that haven't delivered it yet.
func (w *Watcher) deliverPending(ctx context.Context, key string, a *alarm, now time.Time) {
	for _, notifier := range w.o.Notifiers {
		if !a.Pending[notifier.Name()] {
			continue
		}
		if err := w.notify(ctx, notifier, Notice{Key: key, State: a.State, Text: a.Text, Time: now}); err != nil {
			if ctx.Err() == nil {
				w.o.Log.Error("notifying the operator failed", "alarm", key, "err", err)
			}
			continue
		}
		delete(a.Pending, notifier.Name())
	}
}
