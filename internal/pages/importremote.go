package pages

import (
	"context"
	"fmt"
	"io"

	"robot.wtf/internal/gitremote"
	"robot.wtf/internal/wiki"
)

// CheckRemote returns the short form of the address of a public repository, for people,
// or a Problem with the field "address". It connects to nothing.
func (s *Service) CheckRemote(address string) (string, error) {
	from, err := s.parseRemote(address)
	if err != nil {
		return "", err
	}
	return from.String(), nil
}

func (s *Service) parseRemote(address string) (gitremote.Address, error) {
	if s.mirror == nil || s.remotes == nil {
		return gitremote.Address{}, errNoGit
	}
	return gitremote.ParseAddress(address)
}

// ReceiveRemote is Receive for a public repository on another server. It fetches the
// repository's main branch, or the one in the address, as a git bundle: with its
// history if that becomes the wiki's, otherwise only the newest commit. progress can be
// nil. It ends with the service.
func (s *Service) ReceiveRemote(ctx context.Context, a wiki.Access, address string, r ImportRequest, progress func(ImportStep)) (*Upload, error) {
	from, err := s.parseRemote(address)
	if err != nil {
		return nil, err
	}
	fresh, err := s.IsFresh(ctx, a)
	if err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(ImportStep) {}
	}
	ctx, cancel := s.mirror.Context(ctx)
	defer cancel()
	step := ImportStep{What: "Downloading from " + wiki.VisibleName(from.Host)}
	shallow := false
	u, err := s.receiveWritten(ctx, a, func(out io.Writer) (err error) {
		progress(step)
		fetched := func(bytes int64) {
			step.Note = fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
			progress(step)
		}
		if max := a.Site().Limits.HistoryBytes; fresh && r.keepsHistory() {
			err = s.remotes.Bundle(ctx, from, max, out, fetched)
		} else {
			shallow, err = s.remotes.Newest(ctx, from, max, out, fetched)
		}
		return err
	}, cancel)
	if err != nil {
		return nil, err
	}
	u.Name, u.shallow = from.String(), shallow
	return u, nil
}
