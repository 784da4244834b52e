package pages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// A ProposalSet is everything that one grant proposes.
type ProposalSet struct {
	Grant      string
	Author     wiki.Author
	Start, End time.Time
	Files      []ProposedFile // by path
}

// A ProposedFile is what a grant proposes for a page.
type ProposedFile struct {
	Path    string
	Page    wiki.PageName
	Blob    string // of the proposal
	State   string // identifies the texts that Diff is between
	New     bool
	Message string
	Updated time.Time
	// Outdated says that the page changed in the same places meanwhile, so that the
	// proposal can't be accepted.
	Outdated bool
	Diff     *FileDiff // from the present page to the page once it is accepted; nil if not asked for
}

// Version identifies the set's present state: a person decides on the texts that they saw.
func (p *ProposalSet) Version() string {
	sum := sha256.New()
	for _, f := range p.Files {
		fmt.Fprintf(sum, "%s %s\n", f.Blob, f.Path)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// versions lists the files with some paths, or all for none.
func (p *ProposalSet) versions(path string) (list []content.ProposedVersion) {
	for _, f := range p.Files {
		if path == "" || f.Path == path {
			list = append(list, content.ProposedVersion{Path: f.Path, Blob: f.Blob})
		}
	}
	return list
}

// Proposals lists what agents propose, by grant, the newest first. Only editors see it.
func (s *Service) Proposals(ctx context.Context, a wiki.Access) ([]ProposalSet, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return nil, err
	}
	defer release()
	return proposalSets(ctx, w, "")
}

// WaitingProposals lists what agents propose, without texts, for the notifications of
// editors. The caller can be read-only.
func (s *Service) WaitingProposals(ctx context.Context, a wiki.Access) ([]ProposalSet, error) {
	if a.Role() < wiki.Editor {
		return nil, nil
	}
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	return proposalSets(ctx, w, "")
}

// CountProposals counts the pages with proposals, 0 for callers without the right to decide on them.
func (s *Service) CountProposals(ctx context.Context, a wiki.Access) (int, error) {
	if !a.Can(wiki.Edit) {
		return 0, nil
	}
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return 0, err
	}
	defer release()
	return w.CountProposals(ctx)
}

func proposalSets(ctx context.Context, w *content.Wiki, grant string) ([]ProposalSet, error) {
	list, err := w.Proposals(ctx, grant)
	if err != nil {
		return nil, err
	}
	var sets []ProposalSet
	for _, p := range list {
		if len(sets) == 0 || sets[len(sets)-1].Grant != p.Author.Grant {
			sets = append(sets, ProposalSet{Grant: p.Author.Grant, Author: proposalAuthor(p.Author), Start: p.Created, End: p.Updated})
		}
		set := &sets[len(sets)-1]
		page, _ := wiki.PageOf(p.Path)
		set.Files = append(set.Files, ProposedFile{Path: p.Path, Page: page, Blob: p.Blob, New: p.Base == content.BaseNone, Message: p.Message, Updated: p.Updated})
		if p.Created.Before(set.Start) {
			set.Start = p.Created
		}
		if p.Updated.After(set.End) {
			set.End = p.Updated
		}
	}
	slices.SortStableFunc(sets, func(a, b ProposalSet) int { return b.End.Compare(a.End) })
	return sets, nil
}

// maxProposalDiffs bounds the pages that are compared for one list of proposals.
const maxProposalDiffs = 30

// Proposal returns what a grant proposes, with the differences of its first pages.
func (s *Service) Proposal(ctx context.Context, a wiki.Access, grant string) (ProposalSet, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return ProposalSet{}, err
	}
	defer release()
	set, err := findProposals(ctx, w, grant)
	if err != nil {
		return set, err
	}
	for i := range set.Files[:min(len(set.Files), maxProposalDiffs)] {
		if err := s.compareProposal(ctx, w, grant, &set.Files[i]); err != nil {
			return set, err
		}
	}
	return set, nil
}

func findProposals(ctx context.Context, w *content.Wiki, grant string) (ProposalSet, error) {
	if grant == "" {
		return ProposalSet{}, errNoProposal
	}
	sets, err := proposalSets(ctx, w, grant)
	if err == nil && len(sets) == 0 {
		err = errNoProposal
	}
	if err != nil {
		return ProposalSet{}, err
	}
	return sets[0], nil
}

var errNoProposal = wiki.Problemf(wiki.ErrNotFound, "", "There's no such proposal. Perhaps somebody has already decided on it, or it expired.")

// compareProposal sets a proposal's difference from the present page.
func (s *Service) compareProposal(ctx context.Context, w *content.Wiki, grant string, f *ProposedFile) error {
	p, err := s.partialProposal(ctx, w, grant, f.Path)
	switch {
	case errors.Is(err, wiki.ErrTakenDown):
		return nil
	case err != nil:
		return err
	}
	f.Outdated, f.State = p.conflict, p.state()
	now := wiki.File{Path: p.path, Blob: p.blob, Size: int64(len(p.text))}
	f.Diff = &FileDiff{Path: p.path, Kind: kindOf(p.main, now), Old: p.main, New: now}
	return compareWithin(ctx, w, f.Diff, p.current, p.text)
}

// A ProposalChoice names proposals of one grant, as a person saw them.
type ProposalChoice struct {
	Grant   string
	Path    string // of one page, "" for all
	Version string // of the page (its Blob), or of the whole ProposalSet
}

// chosen returns the proposals of a choice. ErrConflict if they aren't as the person saw
// them.
func chosen(ctx context.Context, w *content.Wiki, c ProposalChoice) (ProposalSet, []content.ProposedVersion, error) {
	set, err := findProposals(ctx, w, c.Grant)
	if err != nil {
		return set, nil, err
	}
	list := set.versions(c.Path)
	switch {
	case len(list) == 0:
		return set, nil, errNoProposal
	case c.Path != "" && list[0].Blob != c.Version, c.Path == "" && set.Version() != c.Version:
		return set, nil, wiki.Problemf(wiki.ErrConflict, "", "The agent has changed its proposal since you opened it, or somebody has decided on a part. Look at it again.")
	}
	return set, list, nil
}

// AcceptProposals commits proposals as their author, all or none. Changes that others made
// meanwhile are merged. The commit names the caller as the person who accepted.
func (s *Service) AcceptProposals(ctx context.Context, a wiki.Access, c ProposalChoice) (Saved, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return Saved{}, err
	}
	defer release()
	_, list, err := chosen(ctx, w, c)
	if err != nil {
		return Saved{}, err
	}
	r := content.Request{Accepts: &content.Acceptance{By: a.Caller(), Files: list}}
	var messages []string
	for _, f := range list {
		p, err := w.Proposed(ctx, c.Grant, f.Path)
		if err != nil {
			return Saved{}, err
		}
		r.Author = p.Author
		r.Edits = append(r.Edits, content.Edit{Op: content.Put, Path: p.Path, Data: p.Data, Base: p.Base})
		if !slices.Contains(messages, p.Message) {
			messages = append(messages, p.Message)
		}
	}
	r.Message = commitMessage(strings.Join(messages, "; "), "")
	done, err := s.commit(ctx, w, a, Write{}, r)
	if err != nil {
		return done, describeOutdatedProposal(err)
	}
	return done, s.reviewAccepted(ctx, w, a, done)
}

// describeOutdatedProposal says why a proposal can't be accepted.
func describeOutdatedProposal(err error) error {
	var conflict *wiki.ConflictError
	if !errors.As(err, &conflict) {
		return err
	}
	why := "has changed in the same places since this was proposed"
	switch {
	case conflict.Deleted:
		why = "was deleted since this was proposed"
	case conflict.BaseBlob == "":
		why = "was created by somebody else since this was proposed"
	}
	return wiki.Problemf(wiki.ErrConflict, "", "%s %s, so the proposal can't be accepted, and nothing was changed. Decline it and say so; the agent can then propose it again.", titleOf(conflict.Path), why)
}

// reviewAccepted marks a commit as reviewed by the caller, because they accepted it.
func (s *Service) reviewAccepted(ctx context.Context, w *content.Wiki, a wiki.Access, done Saved) error {
	if done.Unchanged {
		return nil
	}
	commit, err := w.CommitByID(ctx, done.Commit)
	if err != nil {
		return err
	}
	defer s.forgetWaiting(w, a.Caller().User.DID)
	return w.MarkReviewed(ctx, a.Caller().User.DID, commit.Seq)
}

// maxDeclineReason bounds the words to an agent, in bytes.
const maxDeclineReason = 500

func cleanReason(reason string) (string, error) {
	reason = gitrepo.CleanMessage(reason)
	if len(reason) > maxDeclineReason {
		return "", wiki.Problemf(wiki.ErrTooLarge, "reason", "The reason is too long: the limit is %d bytes.", maxDeclineReason)
	}
	return reason, nil
}

// DeclineProposals drops proposals and keeps the reason for the agent.
func (s *Service) DeclineProposals(ctx context.Context, a wiki.Access, c ProposalChoice, reason string) error {
	reason, err := cleanReason(reason)
	if err != nil {
		return err
	}
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return err
	}
	defer release()
	_, list, err := chosen(ctx, w, c)
	if err != nil {
		return err
	}
	return w.Decline(ctx, c.Grant, a.Caller(), list, reason)
}

// maxDecisionsTold bounds the decisions in an answer to an agent.
const maxDecisionsTold = 10

// OwnProposals says what the caller's grant proposes, and what became of its proposals.
type OwnProposals struct {
	Waiting   []wiki.PageName
	Decisions []ProposalDecision // newest first
}

// A ProposalDecision tells an agent what became of its proposal for a page.
type ProposalDecision = content.ProposalDecision

// The outcomes of proposals.
const (
	Accepted = content.Accepted
	Declined = content.Declined
	Expired  = content.Expired

	AcceptedPart = content.AcceptedPart
	DeclinedPart = content.DeclinedPart
)

// OwnProposals returns the state of the caller's proposals, the zero value for callers who
// don't propose.
func (s *Service) OwnProposals(ctx context.Context, a wiki.Access) (OwnProposals, error) {
	var own OwnProposals
	if !a.Caller().Proposes {
		return own, nil
	}
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return own, err
	}
	defer release()
	list, err := w.Proposals(ctx, a.Caller().Grant)
	if err != nil {
		return own, err
	}
	for _, p := range list {
		page, _ := wiki.PageOf(p.Path)
		own.Waiting = append(own.Waiting, page)
	}
	own.Decisions, err = w.ProposalDecisions(ctx, a.Caller().Grant, maxDecisionsTold)
	return own, err
}
