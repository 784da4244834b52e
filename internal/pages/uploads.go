package pages

import (
	"context"
	"errors"
	"time"

	"robot.wtf/internal/wiki"
)

const (
	// maxFiles bounds the bytes of all attachments being received, in memory or in
	// temporary files. maxWikiFiles is the share of one wiki: two large ones.
	maxFiles     = 256 << 20
	maxWikiFiles = 32 << 20
	// maxFileWait is how long an upload waits for others.
	maxFileWait = 10 * time.Second
)

// ScratchRoom returns how many bytes of temporary files the wikis' disk has room
// for, besides the margin that is kept free for saves.
func (s *Service) ScratchRoom() (int64, error) { return s.content.ScratchRoom() }

// AcquireUpload waits until an attachment of that many bytes, -1 if unknown, can
// be received. It must be called before the body is read. The caller must call
// release once the attachment is stored. ErrTooMany if others take too long.
func (s *Service) AcquireUpload(ctx context.Context, a wiki.Access, bytes int64) (release func(), err error) {
	if err := a.Allow(wiki.Edit); err != nil {
		return nil, err
	}
	if bytes < 0 || bytes > maxWikiFiles/2 {
		bytes = maxWikiFiles / 2
	}
	wait, cancel := context.WithTimeout(ctx, maxFileWait)
	defer cancel()
	release, err = s.files.AcquireUnits(wait, a.Site().Slug, bytes)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = wiki.Problemf(wiki.ErrTooMany, "file", "Too many files are being uploaded at the same time. Wait until they are done, then send this one again.")
	}
	if err != nil {
		return nil, err
	}
	if room, err := s.content.ScratchRoom(); err != nil || room < bytes {
		release()
		return nil, errNoRoomForFile(err)
	}
	return release, nil
}

// AcquireLarge waits until a wiki's text of that many bytes can be worked on; see
// content.Pool.AcquireLarge. It is for work outside of this package, such as decoding
// a request or encoding an answer. The caller must call release before it saves,
// compares, searches or renders a text. It fails only with ctx's error.
func (s *Service) AcquireLarge(ctx context.Context, a wiki.Access, bytes int) (release func(), err error) {
	return s.content.AcquireLarge(ctx, a.Site().Slug, bytes)
}

func errNoRoomForFile(err error) error {
	if err != nil {
		return err
	}
	return wiki.Problemf(wiki.ErrStorage, "file", "There isn't enough free disk space for this file. Nothing was changed. Try again later, or tell the operator.")
}
