package githttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"golang.org/x/sync/semaphore"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// answer has git upload-pack answer, into a spool that the client is sent from.
// in is nil for what there is to fetch.
func (h *Handler) answer(c *call, kind, first string, in io.Reader) error {
	done, err := h.enter()
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	release, err := h.slots.take(ctx, c.access.Site().Slug)
	if err != nil {
		return err
	}
	repo, leave, err := h.o.Pages.Repository(ctx, c.access)
	if err != nil {
		release()
		return err
	}
	out, process, err := h.spools.open(first)
	if err != nil {
		release()
		leave(false)
		return err
	}
	defer out.close()
	ended := make(chan error, 1)
	go func() {
		err := repo.UploadPack(ctx, gitrepo.UploadPack{Version2: c.version2(), Advertise: in == nil, In: in, Out: process})
		leave(err != nil && ctx.Err() == nil)
		release() // the client may take its time
		process.Close()
		ended <- err
	}()
	contentType := "application/x-git-upload-pack-" + kind
	sent := out.sendTo(c.w, contentType)
	cancel()
	err = <-ended
	if err != nil && c.Context().Err() == nil {
		// Clients send what they like, so this is hardly ever ours; where it is,
		// the repository is read as a whole before the next answer.
		h.o.Log.Debug("git upload-pack", "wiki", c.access.Site().Slug, "err", err)
	}
	switch {
	case errors.Is(sent, errNothing) && err != nil && in != nil:
		return errRequest
	case errors.Is(sent, errNothing) && err != nil:
		return err
	case errors.Is(sent, errNothing):
		c.w.Header().Set("Content-Type", contentType)
	case sent != nil:
		panic(http.ErrAbortHandler) // let the client see that it is cut off
	}
	return nil
}

var errRequest = wiki.Problemf(wiki.ErrInvalid, "", "This is not a request that git could answer.")

// enter counts an answer until it is done; errBusy when there are too many.
func (h *Handler) enter() (done func(), err error) {
	if h.answers.Add(1) > maxAnswers {
		h.answers.Add(-1)
		return nil, errBusy
	}
	return func() { h.answers.Add(-1) }, nil
}

// Processes at one time: of the service, and of one wiki.
const (
	allSlots   = 8
	wikiSlots  = 4
	maxAnswers = 512 // that wait for a process or for their clients
)

// slots bound the processes.
type slots struct {
	all *semaphore.Weighted

	mu    sync.Mutex
	wikis map[string]*wikiSlot
}

type wikiSlot struct {
	*semaphore.Weighted
	users int
}

func newSlots() *slots {
	return &slots{all: semaphore.NewWeighted(allSlots), wikis: map[string]*wikiSlot{}}
}

// take waits for a process of the wiki's, then for one of the service's; so one
// wiki's readers do not keep another's waiting. errBusy when that lasts.
func (s *slots) take(ctx context.Context, slug string) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	own := s.enter(slug)
	if own.Acquire(ctx, 1) != nil {
		s.leave(slug, own)
		return nil, errBusy
	}
	if s.all.Acquire(ctx, 1) != nil {
		own.Release(1)
		s.leave(slug, own)
		return nil, errBusy
	}
	return func() {
		s.all.Release(1)
		own.Release(1)
		s.leave(slug, own)
	}, nil
}

func (s *slots) enter(slug string) *wikiSlot {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.wikis[slug]
	if own == nil {
		own = &wikiSlot{Weighted: semaphore.NewWeighted(wikiSlots)}
		s.wikis[slug] = own
	}
	own.users++
	return own
}

func (s *slots) leave(slug string, own *wikiSlot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(s.wikis, slug)
	}
}
