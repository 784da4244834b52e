package pages

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// A ProposalPart names one change in a proposal for a page.
type ProposalPart struct {
	Grant, Path string
	State       string // ProposedFile.State as the person saw it
	Hunk        int    // index in its Diff
}

// A partialProposal is a proposal with the texts that its differences are between.
type partialProposal struct {
	ownPage
	current []byte // the page as others see it
}

// state identifies the texts that a proposal's differences are between.
func (p *partialProposal) state() string { return p.blob + "." + p.main.Blob }

func (s *Service) partialProposal(ctx context.Context, w *content.Wiki, grant, path string) (*partialProposal, error) {
	own, err := s.ownPage(ctx, w, grant, path)
	if err != nil {
		return nil, err
	}
	if own.proposal == nil {
		return nil, errNoProposal
	}
	p := &partialProposal{ownPage: own}
	if own.main.Path != "" {
		p.current, err = w.CurrentBlob(ctx, own.main)
	}
	return p, err
}

// unchangedProposal is partialProposal for a person who saw its state.
func (s *Service) unchangedProposal(ctx context.Context, w *content.Wiki, grant, path, state string) (*partialProposal, error) {
	p, err := s.partialProposal(ctx, w, grant, path)
	if err == nil && p.state() != state {
		err = wiki.Problemf(wiki.ErrConflict, "", "The page or the proposal has changed since you opened it. Look at it again.")
	}
	return p, err
}

func (p *partialProposal) version() content.ProposedVersion {
	return content.ProposedVersion{Path: p.proposal.Path, Blob: p.proposal.Blob}
}

// choose returns the present page with the changes of the proposal that take selects.
func (p *partialProposal) choose(ctx context.Context, w *content.Wiki, hunk int, take func(i int) bool) ([]byte, error) {
	if !bytes.Equal(pageText(p.current), p.current) || !bytes.Equal(pageText(p.text), p.text) {
		return nil, wiki.Problemf(wiki.ErrInvalid, "", "This page isn't stored in UTF-8, so its changes can't be accepted one by one. Accept or decline them all.")
	}
	release, err := w.AcquireCompare(ctx, len(p.current)+len(p.text))
	if err != nil {
		return nil, err
	}
	defer release()
	hunks := merge.Diff(p.current, p.text, diffContext)
	if hunk < 0 || hunk >= len(hunks) {
		return nil, errNoProposal
	}
	return chooseHunks(p.current, p.text, hunks, take), nil
}

// chooseHunks applies some of the hunks between two texts to the old one.
func chooseHunks(old, now []byte, hunks []merge.Hunk, take func(i int) bool) []byte {
	oldLines, newLines := bytes.SplitAfter(old, []byte("\n")), bytes.SplitAfter(now, []byte("\n"))
	text := []byte{}
	at := 0 // in oldLines
	for i, h := range hunks {
		from := h.OldStart - 1
		if h.OldLines == 0 {
			from = h.OldStart
		}
		text = append(text, bytes.Join(oldLines[at:from], nil)...)
		at = from + h.OldLines
		if !take(i) {
			text = append(text, bytes.Join(oldLines[from:at], nil)...)
			continue
		}
		first := h.NewStart - 1
		if h.NewLines == 0 {
			first = h.NewStart
		}
		text = append(text, bytes.Join(newLines[first:first+h.NewLines], nil)...)
	}
	return append(text, bytes.Join(oldLines[at:], nil)...)
}

// AcceptPart commits one change of a proposal, as AcceptProposals does. The others wait on.
func (s *Service) AcceptPart(ctx context.Context, a wiki.Access, c ProposalPart) (Saved, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return Saved{}, err
	}
	defer release()
	p, err := s.unchangedProposal(ctx, w, c.Grant, c.Path, c.State)
	if err != nil {
		return Saved{}, err
	}
	text, err := p.choose(ctx, w, c.Hunk, func(i int) bool { return i == c.Hunk })
	if err != nil {
		return Saved{}, err
	}
	version := p.version()
	if base := gitrepo.ObjectID("blob", text); base != p.blob {
		version.Rest = &content.Proposal{Base: base, Data: p.text}
	}
	return s.commitAccepted(ctx, w, a, p, text, p.proposal.Message, version)
}

// DeclinePart drops one change of a proposal and keeps the reason for the agent.
func (s *Service) DeclinePart(ctx context.Context, a wiki.Access, c ProposalPart, reason string) error {
	reason, err := cleanReason(reason)
	if err != nil {
		return err
	}
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return err
	}
	defer release()
	p, err := s.unchangedProposal(ctx, w, c.Grant, c.Path, c.State)
	if err != nil {
		return err
	}
	text, err := p.choose(ctx, w, c.Hunk, func(i int) bool { return i != c.Hunk })
	if err != nil {
		return err
	}
	version := p.version()
	if !bytes.Equal(text, p.current) {
		version.Rest = &content.Proposal{Base: p.main.Blob, Data: text}
	}
	return w.Decline(ctx, c.Grant, a.Caller(), []content.ProposedVersion{version}, reason)
}

// An EditedProposal is a proposal with the text that a person accepts instead.
type EditedProposal struct {
	Grant, Path, State string
	Text               []byte
}

// AcceptEdited commits a person's text of a proposal in the agent's name. The message says
// who edited it.
func (s *Service) AcceptEdited(ctx context.Context, a wiki.Access, c EditedProposal) (Saved, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return Saved{}, err
	}
	defer release()
	p, err := s.unchangedProposal(ctx, w, c.Grant, c.Path, c.State)
	if err != nil {
		return Saved{}, err
	}
	if err := checkText(c.Text, a.Site().Limits); err != nil {
		return Saved{}, err
	}
	text, err := keepStyle(ctx, w, p.text, c.Text)
	if err != nil {
		return Saved{}, err
	}
	message := p.proposal.Message
	if !bytes.Equal(text, p.text) {
		message = fmt.Sprintf("%s\n\nEdited by %s before accepting it.", message, a.Caller().User.AuthorName())
	}
	return s.commitAccepted(ctx, w, a, p, nonNil(text), message, p.version())
}

// commitAccepted commits a text of a proposal on the page that the person saw.
func (s *Service) commitAccepted(ctx context.Context, w *content.Wiki, a wiki.Access, p *partialProposal, text []byte, message string, version content.ProposedVersion) (Saved, error) {
	done, err := s.commit(ctx, w, a, Write{}, content.Request{
		Author:  p.proposal.Author,
		Message: message,
		Edits:   []content.Edit{{Op: content.Put, Path: p.path, Data: text, Base: p.main.Blob, Strict: true}},
		Accepts: &content.Acceptance{By: a.Caller(), Files: []content.ProposedVersion{version}},
	})
	if errors.Is(err, wiki.ErrPrecondition) {
		err = wiki.Problemf(wiki.ErrConflict, "", "The page has changed since you opened the proposal. Look at it again.")
	}
	if err != nil {
		return done, err
	}
	return done, s.reviewAccepted(ctx, w, a, done)
}

// ProposedText returns what a grant proposes for a page, to edit it before accepting.
func (s *Service) ProposedText(ctx context.Context, a wiki.Access, grant, path string) (ProposedFile, []byte, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return ProposedFile{}, nil, err
	}
	defer release()
	p, err := s.partialProposal(ctx, w, grant, path)
	if err != nil {
		return ProposedFile{}, nil, err
	}
	return ProposedFile{Path: p.path, Page: p.name, Blob: p.proposal.Blob, State: p.state(), New: p.main.Path == "", Message: p.proposal.Message, Updated: p.proposal.Updated, Outdated: p.conflict}, pageText(p.text), nil
}
