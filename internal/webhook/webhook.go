// Package webhook notifies other services of a wiki's changes, at addresses that its owner
// chose. A message has the names of pages and people and the commit messages, or only how
// much has changed, as the owner chose. It never has the text of a page.
//
// Each webhook remembers the last commit that it was notified of, so a lost nudge or a
// restart loses no change. Many changes become one message, which is sent when the wiki
// has been quiet for half a minute, or after five minutes. Requests leave through
// package outbound, without redirects. A delivery that fails is repeated later and later;
// after three days of failures, or if the other service answers 410, the webhook is given
// up until the owner resumes it.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/budget"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

const (
	quietFor      = 30 * time.Second // after the last commit
	longestWait   = 5 * time.Minute  // after the first one
	interval      = 30 * time.Second // between messages about one wiki
	timeout       = 10 * time.Second // of a delivery
	firstRetry    = time.Minute      // doubles with each failure
	longestRetry  = 6 * time.Hour
	giveUpAfter   = 3 * 24 * time.Hour
	maxCommits    = 100 // in a message
	maxDeliveries = 8   // at a time; each wiki has at most one
)

// Options of a Service.
type Options struct {
	Tenant *tenant.Service
	Pages  *pages.Service
	// Client sends the messages. Redirects aren't followed, whatever it says.
	Client     *http.Client
	WikiOrigin func(slug string) string // of the host where people read a wiki
	Name       string                   // of the service, for the User-Agent
	Background *background.Workers
	Delivered  func(ok bool) // called after each attempt; may be nil
	Now        func() time.Time
	Log        *slog.Logger
}

// A Service delivers messages.
type Service struct {
	o      Options
	client *http.Client
	slots  *budget.Slots
	wake   chan struct{}

	mu      sync.Mutex
	hooked  map[string]bool    // wikis with webhooks
	waiting map[string]waiting // wikis that have something to deliver
}

// waiting says since when a wiki has something to deliver.
type waiting struct {
	first, last time.Time // commits
	notBefore   time.Time // of a retry, or because another message was sent just before
	running     bool
}

// due returns when to deliver.
func (w waiting) due() time.Time {
	at := w.last.Add(quietFor)
	if latest := w.first.Add(longestWait); at.After(latest) {
		at = latest
	}
	if at.Before(w.notBefore) {
		at = w.notBefore
	}
	return at
}

// New returns a Service. Nothing is sent before Run.
func New(o Options) *Service {
	client := *o.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if o.Delivered == nil {
		o.Delivered = func(bool) {}
	}
	return &Service{o: o, client: &client, slots: budget.NewSlots(maxDeliveries, 1), wake: make(chan struct{}, 1), hooked: map[string]bool{}, waiting: map[string]waiting{}}
}

// Committed notes that a wiki has changed. It never blocks.
func (s *Service) Committed(slug string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.hooked[slug] {
		return
	}
	w, ok := s.waiting[slug]
	if w.last = s.o.Now(); !ok || w.first.IsZero() {
		w.first = w.last
	}
	s.waiting[slug] = w
	s.nudge()
}

func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Changed notes that a wiki's webhooks were changed.
func (s *Service) Changed(ctx context.Context, slug string) error {
	list, err := s.o.Tenant.AllWebhooks(ctx, slug)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hooked[slug] = len(list) > 0; !s.hooked[slug] {
		delete(s.hooked, slug)
		delete(s.waiting, slug)
	}
	return nil
}

// Run delivers messages until ctx ends. It begins with what a former process left.
func (s *Service) Run(ctx context.Context) {
	s.resume(ctx)
	var deliveries background.Group
	defer deliveries.Wait()
	for {
		next := s.startDue(ctx, &deliveries)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// resume finds the wikis with webhooks, which may have missed changes.
func (s *Service) resume(ctx context.Context) {
	list, err := s.o.Tenant.AllWebhooks(ctx, "")
	if err != nil {
		s.o.Log.ErrorContext(ctx, "reading webhooks failed", "err", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	for _, h := range list {
		s.hooked[h.Slug] = true
		if h.Stopped.IsZero() {
			s.waiting[h.Slug] = waiting{first: now, last: now}
		}
	}
}

// idle is how long Run sleeps if there is nothing to deliver.
const idle = 24 * time.Hour

// startDue starts the deliveries that are due, and returns how long to wait for the next.
func (s *Service) startDue(ctx context.Context, deliveries *background.Group) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, next := s.o.Now(), idle
	for slug, w := range s.waiting {
		if w.running {
			continue
		}
		if wait := w.due().Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		release, ok := s.slots.TryAcquire(slug)
		if !ok {
			next = min(next, time.Second)
			continue
		}
		s.waiting[slug] = waiting{running: true}
		deliveries.Go(func() {
			defer release()
			s.notify(ctx, slug)
		})
	}
	return next
}

// notify delivers what a wiki's webhooks haven't had.
func (s *Service) notify(ctx context.Context, slug string) {
	var again time.Time
	err := s.o.Background.Try(background.Job{Work: "webhook", Wiki: slug}, func() error {
		list, err := s.o.Tenant.AllWebhooks(ctx, slug)
		for _, h := range list {
			if next := s.notifyOne(ctx, h); !next.IsZero() && (again.IsZero() || next.Before(again)) {
				again = next
			}
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		s.o.Log.ErrorContext(ctx, "webhooks failed", "wiki", slug, "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.waiting[slug]
	if w.running = false; w.first.IsZero() && again.IsZero() { // no commit meanwhile
		delete(s.waiting, slug)
		return
	}
	w.notBefore = again
	if w.notBefore.IsZero() {
		w.notBefore = s.o.Now().Add(interval)
	}
	s.waiting[slug] = w
	s.nudge()
}

// notifyOne delivers a message to one webhook, and returns when to try again; the zero time
// if there is no need.
func (s *Service) notifyOne(ctx context.Context, h tenant.Webhook) time.Time {
	if !h.Stopped.IsZero() {
		return time.Time{}
	}
	if h.Retry.After(s.o.Now()) {
		return h.Retry
	}
	a, err := s.o.Tenant.OpenWebhook(ctx, h)
	if errors.Is(err, wiki.ErrNotFound) || errors.Is(err, wiki.ErrSuspended) {
		return time.Time{} // it rests
	}
	var commits []wiki.Commit
	if err == nil {
		commits, err = s.o.Pages.Changelog(ctx, a, pages.LogFilter{After: h.Seq, Ascending: true, Limit: maxCommits})
	}
	if err != nil {
		s.o.Log.WarnContext(ctx, "reading changes for a webhook failed", "wiki", h.Slug, "err", err)
		return s.o.Now().Add(firstRetry)
	}
	if len(commits) == 0 {
		return time.Time{}
	}
	m := s.message(ctx, a, h.Bare, commits)
	last := commits[len(commits)-1].Seq
	if len(m.sessions) > 0 {
		err = s.post(ctx, h, m, fmt.Sprintf("%s-%d", h.ID, last))
		s.o.Delivered(err == nil)
	}
	if ctx.Err() != nil {
		return time.Time{} // the service stops; the next one repeats it
	}
	h = noted(h, last, err, s.o.Now())
	if err := s.o.Tenant.RecordDelivery(context.WithoutCancel(ctx), h); err != nil {
		s.o.Log.ErrorContext(ctx, "recording a delivery failed", "wiki", h.Slug, "err", err)
	}
	switch {
	case !h.Retry.IsZero():
		return h.Retry
	case len(commits) == maxCommits:
		return s.o.Now().Add(interval)
	}
	return time.Time{}
}
