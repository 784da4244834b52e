package githttp

import (
	"context"
	"errors"
	"io"
	"net/http"

	"robot.wtf/internal/background"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// runUploadPack lets git upload-pack answer into a spool, and sends the client
// the spool. in is the client's request, nil to advertise the refs. note is text
// for the person, if the answer has room for it.
func (h *Handler) runUploadPack(c *call, kind, first string, in io.Reader, note string) error {
	ctx, client, done, err := h.answers.start(c)
	if err != nil {
		return err
	}
	defer done()
	release, err := h.acquireProcess(ctx, c.access.Site().Slug)
	if err != nil {
		return err
	}
	repo, leave, err := h.o.Pages.Repository(ctx, c.access)
	if err != nil {
		release()
		return client.busyOr(err)
	}
	out, process, err := h.spools.open(c.access.Site().Slug, first)
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
	sent := out.sendTo(client, contentType)
	if sent == nil {
		client.finish()
	}
	client.cancel()
	err = running.Wait()
	if err != nil && c.Context().Err() == nil {
		// Usually the client's fault. If it's ours, the repository is verified in
		// full before the next answer.
		h.o.Log.Debug("git upload-pack failed", "wiki", c.access.Site().Slug, "err", err)
	}
	switch {
	case errors.Is(sent, errNothing) && client.isEvicted():
		return errBusy
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

// Limits on processes.
const (
	allSlots  = 8
	wikiSlots = 4 // of one wiki
)

// acquireProcess waits for one of the wiki's git processes, which leaves some to
// other wikis. It fails with errBusy after maxSlotWait.
func (h *Handler) acquireProcess(ctx context.Context, slug string) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, maxSlotWait)
	defer cancel()
	if release, err = h.slots.Acquire(ctx, slug); err != nil {
		return nil, errBusy
	}
	return release, nil
}
