package pages

import (
	"context"
	"time"

	"robot.wtf/internal/wiki"
)

// PendingReview lists commits by the caller's agents since a time that the caller
// hasn't reviewed or reverted yet, newest first, at most limit.
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
	const maxScanned = 50
	commits, err := w.Log(ctx, LogFilter{Author: me.Username, Agents: &agents, Limit: maxScanned})
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
			c.Changes = visibleChanges(c.Changes)
			list = append(list, c)
		}
	}
	return list, nil
}

// MarkReviewed removes a commit from the caller's review queue.
func (s *Service) MarkReviewed(ctx context.Context, a wiki.Access, id string) error {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return err
	}
	defer release()
	if a.Role() < wiki.Viewer || a.Caller().ReadOnly {
		return wiki.Problemf(wiki.ErrDenied, "", "Only members of this wiki can review its changes.")
	}
	c, err := commitByID(ctx, w, id)
	if err != nil {
		return err
	}
	return w.MarkReviewed(ctx, a.Caller().User.DID, c.Seq)
}
