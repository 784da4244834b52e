package background

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// A Job identifies work that no request waits for.
type Job struct {
	Work string // "index" or "export": one of a few, for metrics
	Wiki string // slug of the wiki, or ""
	Item string // the input: a revision of a page, or a commit; "" is never set aside
}

func (j Job) String() string {
	text := j.Work
	for _, part := range []string{j.Wiki, j.Item} {
		if part != "" {
			text += " " + part
		}
	}
	return text
}

// ErrSetAside is the kind of error for input that was set aside.
var ErrSetAside = errors.New("set aside after a panic")

// Options configure Workers.
type Options struct {
	Log *slog.Logger
	// Panicked is called after each panic, on the panicking goroutine; it may be
	// nil. If the job has an Item, the input was set aside, and a caller that
	// keeps it for the next process passes it to SetAside there.
	Panicked func(*Panic)
	// Before is called before each job, as part of it; it may be nil. Tests use it
	// to make a job panic.
	Before func(Job)
}

// Workers run jobs and remember the input that was set aside. A nil *Workers only
// recovers and logs. It is safe for concurrent use.
type Workers struct {
	o Options

	mu    sync.Mutex
	aside map[Job][]string // items by job without an item, oldest first
}

// maxAside bounds the items set aside for one kind of work on one wiki, so that a
// wiki full of such pages costs no more memory. The oldest are tried again.
const maxAside = 100

// New returns Workers without running any.
func New(o Options) *Workers {
	return &Workers{o: o, aside: map[Job][]string{}}
}

// Go calls f on a goroutine of its own. The returned function waits until it has
// ended.
func (w *Workers) Go(j Job, f func()) (wait func()) {
	var running sync.WaitGroup
	running.Go(func() {
		Attribute(j.Wiki, j.Work, func() {
			_ = w.Try(j, func() error { f(); return nil }) // reported
		})
	})
	return running.Wait
}

// restartAfter is the pause before a loop that panicked is restarted.
var restartAfter = 5 * time.Second

// Loop calls f on a goroutine of its own, and again whenever it panics, until ctx
// ends. f should guard each of its items with Try; this covers the rest. The
// returned function waits until it has ended.
func (w *Workers) Loop(ctx context.Context, work string, f func(context.Context)) (wait func()) {
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			if w.Try(Job{Work: work}, func() error { f(ctx); return nil }) == nil {
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(restartAfter):
			}
		}
	})
	return running.Wait
}

// AfterFunc calls f on a goroutine of its own after a delay.
func (w *Workers) AfterFunc(j Job, delay time.Duration, f func()) *time.Timer {
	return time.AfterFunc(delay, func() {
		_ = w.Try(j, func() error { f(); return nil }) // reported
	})
}

// Try calls f and returns its error. If f panics, Try logs and reports the panic,
// sets the job's item aside, and returns a *Panic. If the item was set aside
// before, Try doesn't call f and returns ErrSetAside.
func (w *Workers) Try(j Job, f func() error) (err error) {
	if w.IsAside(j) {
		return fmt.Errorf("background: %s: %w", j, ErrSetAside)
	}
	p := Catch(func() {
		if w != nil && w.o.Before != nil {
			w.o.Before(j)
		}
		err = f()
	})
	if p != nil {
		p.Job = j
		w.report(p)
		return p
	}
	return err
}

func (w *Workers) report(p *Panic) {
	log := slog.Default()
	if w != nil && w.o.Log != nil {
		log = w.o.Log
	}
	log.Error("background work panicked", "work", p.Work, "wiki", p.Wiki, "item", p.Item, "cause", fmt.Sprint(p.Value), "stack", string(p.Stack))
	if w == nil {
		return
	}
	w.SetAside(p.Job)
	if w.o.Panicked == nil {
		return
	}
	if again := Catch(func() { w.o.Panicked(p) }); again != nil {
		log.Error("reporting a panic panicked", "cause", fmt.Sprint(again.Value), "stack", string(again.Stack))
	}
}

// SetAside makes Try skip a job's item. It does nothing for a job without one.
func (w *Workers) SetAside(j Job) {
	if w == nil || j.Item == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	item, key := j.Item, Job{Work: j.Work, Wiki: j.Wiki}
	items := w.aside[key]
	if slices.Contains(items, item) {
		return
	}
	if len(items) == maxAside {
		items = slices.Delete(items, 0, 1)
	}
	w.aside[key] = append(items, item)
}

// IsAside reports whether Try skips a job.
func (w *Workers) IsAside(j Job) bool {
	if w == nil || j.Item == "" {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.aside[Job{Work: j.Work, Wiki: j.Wiki}], j.Item)
}

// Clear makes Try call all jobs on a wiki again.
func (w *Workers) Clear(slug string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range w.aside {
		if key.Wiki == slug {
			delete(w.aside, key)
		}
	}
}
