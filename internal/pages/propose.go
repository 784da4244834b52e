package pages

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// A ProposeRequest changes what the caller's grant proposes, all or none. Nothing of it
// is in the wiki until a person accepts it.
type ProposeRequest struct {
	Message string
	Changes []ProposedChange
	DryRun  bool // report the result without keeping it
}

// A ProposedChange changes one page: it creates it with Text, replaces its text with Text,
// or makes Edits.
type ProposedChange struct {
	Name   string
	Create bool
	Base   string      // the revision that the caller read, or ""
	Seen   *edit.Lines // the lines they read; nil for all
	Text   []byte      // nil for Edits
	Edits  []edit.Edit
}

// A ProposedPage is the result of a ProposedChange.
type ProposedPage struct {
	EditResult
	Request   ProposedChange
	Withdrawn bool // the page's text is proposed again as it is, so nothing waits
}

// ownPage is a page as its proposer sees it: the main line with their own proposal.
type ownPage struct {
	name     wiki.PageName
	main     wiki.File         // as others see it; Path is "" if there is no such page
	proposal *content.Proposed // nil for none
	path     string
	text     []byte // as stored
	blob     string // of text; "" if there is no page
	base     string // the blob of the main line that text contains
	conflict bool   // the main line changed what the proposal changes
}

// ownPage finds a page as the caller's grant sees it. Where the main line has moved on,
// the text is the merge, or the proposal alone if both changed the same lines.
func (s *Service) ownPage(ctx context.Context, w *content.Wiki, grant, asked string) (ownPage, error) {
	name, file, err := lookup(ctx, w, asked)
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return ownPage{}, err
	}
	own := ownPage{name: name, main: file, path: name.File(), blob: file.Blob, base: file.Blob}
	if file.Path != "" {
		own.path = file.Path
		if own.text, err = w.CurrentBlob(ctx, file); err != nil {
			return own, err
		}
	}
	proposal, err := w.Proposed(ctx, grant, own.path)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return own, nil
	case err != nil:
		return own, err
	}
	own.proposal = &proposal
	if file.Path == "" {
		own.name, own.path = foundName(name, proposal.Path), proposal.Path
	}
	return own, own.settle(ctx, w)
}

func foundName(asked wiki.PageName, path string) wiki.PageName {
	if name, ok := wiki.PageOf(path); ok {
		return name
	}
	return asked
}

// settle merges the proposal with the main line.
func (own *ownPage) settle(ctx context.Context, w *content.Wiki) error {
	p, current := own.proposal, own.text
	own.text, own.blob, own.base = p.Data, p.Blob, p.Base
	switch {
	case p.Base == own.main.Blob:
		return nil
	case own.main.Blob == p.Blob: // others made the same change
		own.base = own.main.Blob
		return nil
	case p.Base == content.BaseNone || own.main.Path == "":
		own.conflict = true
		return nil
	}
	before, err := w.Blob(ctx, p.Base)
	if errors.Is(err, wiki.ErrNotFound) {
		own.conflict = true
		return nil
	}
	if err != nil {
		return err
	}
	release, err := w.AcquireCompare(ctx, len(before)+len(current)+len(p.Data))
	if err != nil {
		return err
	}
	defer release()
	if isBinary(before) || isBinary(current) {
		own.conflict = true
		return nil
	}
	m := merge.Three(before, p.Data, current)
	if own.conflict = !m.Clean(); !own.conflict {
		own.text, own.base = m.Text, own.main.Blob
		own.blob = gitrepo.ObjectID("blob", m.Text)
	}
	return nil
}

// source returns the page as its proposer reads it.
func (own *ownPage) source() *Source {
	text, stored := wiki.DecodeText(own.text)
	file := own.main
	file.Path, file.Blob, file.Size = own.path, own.blob, int64(len(own.text))
	if p := own.proposal; p != nil {
		file.Modified, file.Message = p.Updated, p.Message
		file.Author = proposalAuthor(p.Author)
	}
	src := newSource(own.name, file, text)
	src.Current, src.Stored = own.blob, stored
	src.Proposed, src.Outdated = own.proposal != nil, own.conflict
	return src
}

// proposalAuthor is a proposer as the author of a commit.
func proposalAuthor(c wiki.Caller) wiki.Author {
	return wiki.Author{Username: c.User.Username, DID: c.User.DID, Agent: c.Agent, Client: c.Client, Grant: c.Grant}
}

// ownSource is Source for what the caller's grant proposes. It returns nil if the grant
// proposes nothing for the page, or not the revision asked for.
func (s *Service) ownSource(ctx context.Context, a wiki.Access, name, revision string) (*Source, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	own, err := s.ownPage(ctx, w, a.Caller().Grant, name)
	if err != nil || own.proposal == nil || revision != "" && !own.isRevision(revision) {
		return nil, err
	}
	return own.source(), nil
}

// isRevision reports whether a revision, at least 7 digits, is that of the proposed text.
func (own *ownPage) isRevision(revision string) bool {
	id := strings.ToLower(strings.TrimSpace(revision))
	return len(id) >= 7 && (strings.HasPrefix(own.blob, id) || own.proposal != nil && strings.HasPrefix(own.proposal.Blob, id))
}

// Propose changes what the caller's grant proposes. ErrPreconditionRequired, ErrConflict and
// ErrInvalid are as for edits; ErrExists for a page to create that exists.
func (s *Service) Propose(ctx context.Context, a wiki.Access, r ProposeRequest) ([]ProposedPage, error) {
	w, release, err := s.open(ctx, a, wiki.Propose)
	if err != nil {
		return nil, err
	}
	defer release()
	edits := 0
	for _, c := range r.Changes {
		edits += max(1, len(c.Edits))
	}
	if err := checkEditCount(edits); err != nil {
		return nil, err
	}
	var done []ProposedPage
	var list []content.Proposal
	for _, c := range r.Changes {
		page, proposal, err := s.proposeChange(ctx, w, a, c)
		if err != nil {
			return nil, err
		}
		if r.Message != "" || proposal.Message == "" {
			proposal.Message = commitMessage(r.Message, "%s %s", saveVerb(!c.Create), wiki.Title(string(page.Name)))
		}
		done = append(done, page)
		if !page.Unchanged {
			list = append(list, proposal)
		}
	}
	if r.DryRun || len(list) == 0 {
		return done, nil
	}
	return done, w.Propose(ctx, a.Caller(), list)
}

// proposeChange makes one change to the page as its proposer sees it.
func (s *Service) proposeChange(ctx context.Context, w *content.Wiki, a wiki.Access, c ProposedChange) (ProposedPage, content.Proposal, error) {
	own, err := s.ownPage(ctx, w, a.Caller().Grant, c.Name)
	if err != nil {
		return ProposedPage{}, content.Proposal{}, err
	}
	base, err := own.check(ctx, w, c)
	if err != nil {
		return ProposedPage{}, content.Proposal{}, err
	}
	page, text, err := own.apply(ctx, w, c, base)
	if err != nil {
		return ProposedPage{}, content.Proposal{}, err
	}
	limits := a.Site().Limits
	limits.PageBytes = max(limits.PageBytes, own.main.Size)
	if err := checkText(text, limits); err != nil {
		return ProposedPage{}, content.Proposal{}, err
	}
	next := own
	next.text, next.blob = text, gitrepo.ObjectID("blob", text)
	if own.conflict { // settled by a text that is based on the main line
		next.base = own.main.Blob
	}
	page.Request, page.After = c, next.source()
	page.Withdrawn = own.proposal != nil && next.blob == next.base
	page.Saved = Saved{Name: own.name, Path: own.path, Revision: next.blob, Replaced: own.blob, Created: c.Create, Unchanged: bytes.Equal(text, own.text) && !own.conflict}
	proposal := content.Proposal{Path: own.path, Base: next.base, Data: text}
	if own.proposal != nil {
		proposal.Was, proposal.Message = own.proposal.Blob, own.proposal.Message
	}
	return page, proposal, nil
}

// check rejects a change whose precondition isn't met. It returns the revision that the
// caller read, nil if they named none.
func (own *ownPage) check(ctx context.Context, w *content.Wiki, c ProposedChange) (*Source, error) {
	title := string(own.name)
	current := own.main.Path != "" && len(c.Base) >= 7 && strings.HasPrefix(own.main.Blob, strings.ToLower(strings.TrimSpace(c.Base)))
	switch {
	case c.Create && own.blob != "":
		return nil, wiki.Problemf(wiki.ErrPrecondition, "", "A page called %q already exists.", title)
	case c.Create:
		return nil, nil
	case own.blob == "":
		return nil, noPage(own.name)
	case own.conflict && !(c.Text != nil && current):
		return nil, wiki.Problemf(wiki.ErrConflict, "revision", "Others changed %q in the same places as your proposal. Read it at revision %s, then send the whole text that you propose now with replace_page and that revision.", title, wiki.Own(shortBlob(own.main.Blob)))
	case own.conflict:
		return own.source(), nil
	case c.Base == "" && c.Text != nil:
		return nil, wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "To change %q, send the revision of it that you read.", title)
	case c.Base == "":
		return nil, nil
	case own.isRevision(c.Base):
		return own.source(), nil
	case own.proposal != nil || c.Text != nil:
		return nil, wiki.Problemf(wiki.ErrConflict, "revision", "%q has changed since that revision, or your proposal has. Read it again.", title)
	}
	base, _, err := readSeen(ctx, w, own.name, own.main, c.Base, c.Seen)
	return base, err
}

func shortBlob(id string) string { return id[:min(len(id), 10)] }

// apply returns the text after a change.
func (own *ownPage) apply(ctx context.Context, w *content.Wiki, c ProposedChange, base *Source) (ProposedPage, []byte, error) {
	if c.Create {
		return ProposedPage{}, edit.FormatNew(c.Text), nil
	}
	now := own.source()
	page := ProposedPage{EditResult: EditResult{Before: now, Now: now, Edits: make([]edit.Result, len(c.Edits))}}
	next := string(c.Text)
	if c.Text == nil {
		doc, err := applyAll(ctx, w, now, base, EditRequest{Seen: c.Seen, Edits: c.Edits}, page.Edits)
		if err != nil {
			return page, nil, err
		}
		if doc.Text == now.Text {
			return page, own.text, nil
		}
		next = doc.Text
	}
	styled, err := keepStyle(ctx, w, own.text, []byte(next))
	return page, nonNil(styled), err
}
