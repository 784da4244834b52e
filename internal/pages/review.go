package pages

import (
	"context"
	"time"

	"robot.wtf/internal/wiki"
)

// PendingReview lists what the caller's own agents did since a time and the caller has
// not kept or undone yet, newest first, at most limit commits.
func (s *Service) PendingReview(ctx context.Context, a wiki.Access, since time.Time, limit int) ([]wiki.Commit, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	me, agents := a.Caller().User, true
	if me.DID == "" {
		return nil, nil
	}
	const looked = 50
	commits, err := w.Log(ctx, LogFilter{Author: me.Username, Agents: &agents, Limit: looked})
	if err != nil || len(commits) == 0 {
		return nil, err
	}
	seen, err := w.Reviewed(ctx, me.DID, commits[len(commits)-1].Seq-1)
	if err != nil {
		return nil, err
	}
	var list []wiki.Commit
	for _, c := range commits {
		if c.Time.Before(since) || len(list) == limit {
			break
		}
		if c.Author.DID == me.DID && !seen[c.Seq] {
			c.Changes = shown(c.Changes)
			list = append(list, c)
		}
	}
	return list, nil
}

// MarkReviewed notes that the caller has looked at a commit and is content with it.
func (s *Service) MarkReviewed(ctx context.Context, a wiki.Access, id string) error {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return err
	}
	defer release()
	if a.Role() < wiki.Viewer || a.Caller().ReadOnly {
		return wiki.Problemf(wiki.ErrDenied, "", "Only members of this wiki can keep a change.")
	}
	c, err := commitByID(ctx, w, id)
	if err != nil {
		return err
	}
	return w.MarkReviewed(ctx, a.Caller().User.DID, c.Seq)
}
