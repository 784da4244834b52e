package githttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"golang.org/x/sync/semaphore"

	"robot.wtf/internal/background"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// runUploadPack lets git upload-pack answer into a spool, and sends the client
// the spool. in is the client's request, nil to advertise the refs. note is text
// for the person, if the answer has room for it.
func (h *Handler) runUploadPack(c *call, kind, first string, in io.Reader, note string) error {
	done, err := h.countAnswer()
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	release, err := h.slots.acquire(ctx, c.access.Site().Slug)
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
	running := background.Start(func() (err error) {
		defer process.Close()
		defer release() // a slow client doesn't hold the slot
		defer func() { leave(err != nil && ctx.Err() == nil) }()
		request := gitrepo.UploadPack{Version2: c.version2(), Advertise: in == nil, In: in, Out: process}
		if note == "" {
			return repo.UploadPack(ctx, request)
		}
		noted := &noteWriter{Writer: process, note: note, told: func() { h.erased.Invalidate(c.erasedClient()) }}
		request.Out = noted
		return errors.Join(repo.UploadPack(ctx, request), noted.flush())
	})
	contentType := "application/x-git-upload-pack-" + kind
	sent := out.sendTo(c.w, contentType)
	cancel()
	err = running.Wait()
	if err != nil && c.Context().Err() == nil {
		// Usually the client's fault. If it's ours, the repository is verified in
		// full before the next answer.
		h.o.Log.Debug("git upload-pack failed", "wiki", c.access.Site().Slug, "err", err)
	}
	switch {
	case errors.Is(sent, errNothing) && err != nil && in != nil:
		return errRequest
	case errors.Is(sent, errNothing) && err != nil:
		return err
	case errors.Is(sent, errNothing):
		c.w.Header().Set("Content-Type", contentType)
	case sent != nil:
		panic(http.ErrAbortHandler) // so that the client notices
	}
	return nil
}

var errRequest = wiki.Problemf(wiki.ErrMalformed, "", "Git can't parse this request.")

// countAnswer counts an answer until done is called. It fails with errBusy when
// there are too many.
func (h *Handler) countAnswer() (done func(), err error) {
	if h.answers.Add(1) > maxAnswers {
		h.answers.Add(-1)
		return nil, errBusy
	}
	return func() { h.answers.Add(-1) }, nil
}

// Limits on concurrency.
const (
	allSlots   = 8   // processes of the service
	wikiSlots  = 4   // processes of one wiki
	maxAnswers = 512 // answers that wait for a process or are being sent
)

// processSlots bounds the number of git processes.
type processSlots struct {
	all *semaphore.Weighted

	mu    sync.Mutex
	wikis map[string]*wikiSlot
}

type wikiSlot struct {
	*semaphore.Weighted
	users int
}

func newProcessSlots() *processSlots {
	return &processSlots{all: semaphore.NewWeighted(allSlots), wikis: map[string]*wikiSlot{}}
}

// acquire waits for one of the wiki's slots and then for one of the service's, so
// one wiki's readers don't block another's. It fails with errBusy after
// maxSlotWait.
func (s *processSlots) acquire(ctx context.Context, slug string) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, maxSlotWait)
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

func (s *processSlots) enter(slug string) *wikiSlot {
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

func (s *processSlots) leave(slug string, own *wikiSlot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(s.wikis, slug)
	}
}
