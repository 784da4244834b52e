// Package watch tells the operator what needs a person: a disk that fills up, a
// backup that is late, a repository that does not match its wiki.
//
// A condition is told when it begins, once a day while it lasts, and when it is
// over: in the log, and by whatever Tellers there are. What could not be told is
// tried again with the next look. It finds nothing out itself but the room on
// the disk: checks are handed in.
package watch

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A Condition is something that needs a person while it lasts.
type Condition struct {
	Key  string // what it is about, stable: "disk"
	Text string // sentences for whoever is told
}

// A Check finds the conditions of one kind. It must be quick.
type Check func(ctx context.Context) []Condition

// A Notice is what an operator is told. It names wikis, never what is in them.
type Notice struct {
	Key   string    `json:"alarm"`
	State string    `json:"state"` // "raised", "lasting", "over", or "news"
	Text  string    `json:"text"`
	Time  time.Time `json:"time"`
}

// A Teller brings a notice to a person. It must give up within half a minute;
// an error means that the notice did not arrive.
type Teller interface {
	Tell(ctx context.Context, n Notice) error
}

// Options of a Watcher.
type Options struct {
	Checks  []Check
	Tellers []Teller
	Every   time.Duration // between looks, a minute when 0
	Now     func() time.Time
	Log     *slog.Logger
}

// remindAfter is how long a condition lasts until it is told again.
const remindAfter = 24 * time.Hour

// A Watcher looks again and again.
type Watcher struct {
	o      Options
	raised map[string]*told // owned by look
	news   chan Notice
	ended  sync.WaitGroup
	cancel context.CancelFunc
}

// told is how far the tellers are with a condition.
type told struct {
	text    string
	at      time.Time // when it was last told to all
	pending map[int]bool
	state   string
}

// Start looks at once and then again and again, until Stop.
func Start(o Options) *Watcher {
	if o.Every == 0 {
		o.Every = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watcher{o: o, raised: map[string]*told{}, news: make(chan Notice, 100), cancel: cancel}
	w.ended.Go(func() {
		for tick := time.Tick(o.Every); ; {
			w.look(ctx)
			select {
			case <-ctx.Done():
				return
			case n := <-w.news:
				w.tell(ctx, n)
			case <-tick:
			}
		}
	})
	return w
}

// Stop ends it. A nil Watcher is stopped.
func (w *Watcher) Stop() {
	if w != nil {
		w.cancel()
		w.ended.Wait()
	}
}

// News tells something that is no lasting condition, such as a report of a
// reader's. It does not wait; what is too much at once is in the log alone.
func (w *Watcher) News(key, text string) {
	if w == nil {
		return
	}
	n := Notice{Key: key, State: "news", Text: text, Time: w.o.Now().UTC()}
	w.o.Log.Warn("news for the operator", "alarm", key, "text", text)
	select {
	case w.news <- n:
	default:
	}
}

func (w *Watcher) tell(ctx context.Context, n Notice) {
	for _, t := range w.o.Tellers {
		if err := t.Tell(ctx, n); err != nil && ctx.Err() == nil {
			w.o.Log.Error("the operator could not be told", "alarm", n.Key, "err", err)
		}
	}
}

// look runs all checks and tells what is new.
func (w *Watcher) look(ctx context.Context) {
	now := w.o.Now().UTC()
	there := map[string]bool{}
	for _, check := range w.o.Checks {
		for _, c := range check(ctx) {
			there[c.Key] = true
			w.raise(c, now)
		}
	}
	for key, t := range w.raised {
		if !there[key] && t.state != "over" {
			w.o.Log.Info("alarm is over", "alarm", key)
			t.begin("over", t.text, now, len(w.o.Tellers))
		}
		w.pass(ctx, key, t, now)
		if t.state == "over" && len(t.pending) == 0 {
			delete(w.raised, key)
		}
	}
}

func (w *Watcher) raise(c Condition, now time.Time) {
	t := w.raised[c.Key]
	switch {
	case t == nil || t.state == "over":
		t = &told{}
		w.raised[c.Key] = t
		t.begin("raised", c.Text, now, len(w.o.Tellers))
	case now.Sub(t.at) >= remindAfter || now.Before(t.at): // the clock may have gone back
		t.begin("lasting", c.Text, now, len(w.o.Tellers))
	default:
		t.text = c.Text
		return
	}
	w.o.Log.Warn("alarm", "alarm", c.Key, "state", t.state, "text", c.Text)
}

func (t *told) begin(state, text string, now time.Time, tellers int) {
	t.state, t.text, t.at, t.pending = state, text, now, map[int]bool{}
	for i := range tellers {
		t.pending[i] = true
	}
}

// pass gives a condition to the tellers who do not have it yet.
func (w *Watcher) pass(ctx context.Context, key string, t *told, now time.Time) {
	for i, teller := range w.o.Tellers {
		if !t.pending[i] {
			continue
		}
		if err := teller.Tell(ctx, Notice{Key: key, State: t.state, Text: t.text, Time: now}); err != nil {
			if ctx.Err() == nil {
				w.o.Log.Error("the operator could not be told", "alarm", key, "err", err)
			}
			continue
		}
		delete(t.pending, i)
	}
}
