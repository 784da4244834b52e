package pages

import (
	"context"
	"slices"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

const (
	// firstReview is how far back a person's first review of a wiki goes.
	firstReview = 30 * 24 * time.Hour
	// maxWaiting bounds the changes that wait for a person's review at a time; older
	// ones follow when newer ones are reviewed.
	maxWaiting = 5000
	// MaxCounted bounds the count of pages to review.
	MaxCounted = 100
)

// A Review lists the changes of others in a wiki that a person hasn't kept or undone.
type Review struct {
	Since    time.Time // when the person last kept everything; zero for never
	UpTo     int64     // the newest commit (seq) that this covers
	Sessions []Session // with files that wait; agents first, then the newest first
	More     bool      // there are more sessions
	Files    int       // that wait, in all sessions
}

// reviewer returns the caller's DID if they can review the wiki's changes.
func reviewer(a wiki.Access) (string, error) {
	if a.Role() < wiki.Viewer || a.Caller().ReadOnly || a.Caller().User.DID == "" {
		return "", wiki.Problemf(wiki.ErrDenied, "", "Only members of this wiki can review its changes.")
	}
	return a.Caller().User.DID, nil
}

// openForReviewer opens a wiki to review its changes. The caller must release it.
func (s *Service) openForReviewer(ctx context.Context, a wiki.Access) (w *content.Wiki, did string, release func(), err error) {
	w, release, err = s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, "", nil, err
	}
	if did, err = reviewer(a); err != nil {
		release()
		return nil, "", nil, err
	}
	return w, did, release, nil
}

// Review lists the sessions with changes that the caller has yet to review, at most
// limit: those of agents or of people, or all if agents is nil.
func (s *Service) Review(ctx context.Context, a wiki.Access, agents *bool, limit int) (Review, error) {
	w, did, release, err := s.openForReviewer(ctx, a)
	if err != nil {
		return Review{}, err
	}
	defer release()
	var r Review
	r.UpTo, _ = w.Head()
	after, at, err := w.Looked(ctx, did, s.now().Add(-firstReview))
	if err != nil {
		return r, err
	}
	r.Since = at
	changes, err := w.Waiting(ctx, did, after, maxWaiting)
	if err != nil {
		return r, err
	}
	changes = slices.DeleteFunc(changes, func(c content.WaitingChange) bool {
		return wiki.Hidden(c.Path) || agents != nil && *agents != c.Agent
	})
	firsts := sessionsToReview(changes)
	r.Files, r.More = countWaiting(changes), len(firsts) > limit
	all, err := w.SessionsByFirst(ctx, firsts[:min(limit, len(firsts))], maxSessionCommits)
	if err != nil {
		return r, err
	}
	for _, session := range all {
		r.Sessions = append(r.Sessions, newSession(session))
	}
	markFiles(r.Sessions, changes)
	return r, nil
}

// sessionsToReview lists the sessions of changes: agents' first, then in the order of the
// changes.
func sessionsToReview(changes []content.WaitingChange) []int64 {
	var byAgents, byPeople []int64
	for _, c := range changes {
		list := &byPeople
		if c.Agent {
			list = &byAgents
		}
		if !slices.Contains(*list, c.Session) {
			*list = append(*list, c.Session)
		}
	}
	return append(byAgents, byPeople...)
}

// countWaiting counts files, once for each session.
func countWaiting(changes []content.WaitingChange) int {
	type file struct {
		session int64
		key     string
	}
	seen := map[file]bool{}
	for _, c := range changes {
		if !wiki.Hidden(c.Path) {
			seen[file{c.Session, wiki.Key(c.Path)}] = true
		}
	}
	return len(seen)
}

// markFiles marks the files of sessions that wait.
func markFiles(sessions []Session, changes []content.WaitingChange) {
	type file struct {
		session int64
		key     string
	}
	waiting := map[file]bool{}
	for _, c := range changes {
		waiting[file{c.Session, wiki.Key(c.Path)}] = true
	}
	for _, session := range sessions {
		for i := range session.Files {
			f := &session.Files[i]
			f.Waiting = slices.ContainsFunc(f.Keys, func(key string) bool { return waiting[file{session.First, key}] })
		}
	}
}

// markWaiting marks the files of sessions that a person has yet to review.
func (s *Service) markWaiting(ctx context.Context, w *content.Wiki, did string, sessions []Session) error {
	after, _, err := w.Looked(ctx, did, s.now().Add(-firstReview))
	if err != nil {
		return err
	}
	changes, err := w.Waiting(ctx, did, after, maxWaiting)
	if err != nil {
		return err
	}
	markFiles(sessions, changes)
	return nil
}

// A waitingCount is the number of files that wait for a person, for a head.
type waitingCount struct {
	head int64
	n    int
}

func (waitingCount) weight() uint32 { return 24 }

// CountWaiting counts the pages and files that wait for the caller's review, once for each
// session, and for editors the proposals, up to MaxCounted. It is 0 for callers who aren't
// members. Until somebody saves or proposes something, it reads only memory.
func (s *Service) CountWaiting(ctx context.Context, a wiki.Access) (int, error) {
	changes, err := s.countChanges(ctx, a)
	if err != nil {
		return 0, err
	}
	proposals, err := s.CountProposals(ctx, a)
	return min(changes+proposals, MaxCounted), err
}

// countChanges is CountWaiting without the proposals.
func (s *Service) countChanges(ctx context.Context, a wiki.Access) (int, error) {
	did, err := reviewer(a)
	if err != nil {
		return 0, nil
	}
	head, err := s.Head(ctx, a)
	if err != nil {
		return 0, err
	}
	key := cacheKey{"waiting", a.Site().Slug, did}
	if c, ok := s.cache.GetIfPresent(key); ok && c.(waitingCount).head == head {
		return c.(waitingCount).n, nil
	}
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return 0, err
	}
	defer release()
	after, _, err := w.Looked(ctx, did, s.now().Add(-firstReview))
	if err != nil {
		return 0, err
	}
	n := 0
	if after < head {
		changes, err := w.Waiting(ctx, did, after, 2*MaxCounted)
		if err != nil {
			return 0, err
		}
		n = min(countWaiting(changes), MaxCounted)
	}
	s.cache.Set(key, waitingCount{head, n})
	return n, nil
}

// Keep records that the caller has reviewed a session, or one of its files, up to a
// commit (seq), and keeps its changes. With again, it offers them for review again.
func (s *Service) Keep(ctx context.Context, a wiki.Access, session, path string, upTo int64, again bool) error {
	w, did, release, err := s.openForReviewer(ctx, a)
	if err != nil {
		return err
	}
	defer release()
	found, err := sessionOf(ctx, w, session)
	if err != nil {
		return err
	}
	var keys []string
	if path != "" {
		if keys, err = keysInSession(found, path); err != nil {
			return err
		}
	}
	defer s.forgetWaiting(w, did)
	if err := w.MarkSessionReviewed(ctx, did, found.First, min(upTo, found.Last), keys, again); err != nil || again {
		return err
	}
	return s.settleReview(ctx, w, did)
}

// keysInSession returns the keys of a file, or a page by its name, that a session changed.
func keysInSession(s content.Session, path string) ([]string, error) {
	for _, f := range newSession(s).Files {
		if f.Path == path || f.Page != "" && string(f.Page) == path {
			return f.Keys, nil
		}
	}
	return nil, wiki.Problemf(wiki.ErrNotFound, "page", "This session didn't change %q. Reload the page to see what it changed.", path)
}

// settleReview moves a person's mark to the head once nothing waits for them.
func (s *Service) settleReview(ctx context.Context, w *content.Wiki, did string) error {
	head, _ := w.Head()
	after, _, err := w.Looked(ctx, did, s.now().Add(-firstReview))
	if err != nil {
		return err
	}
	left, err := w.Waiting(ctx, did, after, 1)
	if err != nil || len(left) > 0 {
		return err
	}
	return w.MarkLooked(ctx, did, head)
}

// KeepAll records that the caller has reviewed everything up to a commit (seq).
func (s *Service) KeepAll(ctx context.Context, a wiki.Access, upTo int64) error {
	w, did, release, err := s.openForReviewer(ctx, a)
	if err != nil {
		return err
	}
	defer release()
	defer s.forgetWaiting(w, did)
	head, _ := w.Head()
	return w.MarkLooked(ctx, did, min(max(upTo, 0), head))
}

// forgetWaiting makes CountWaiting count again.
func (s *Service) forgetWaiting(w *content.Wiki, did string) {
	s.cache.Set(cacheKey{"waiting", w.Slug(), did}, waitingCount{head: -1})
}

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
	commits, err := w.Log(ctx, LogFilter{Author: me.Username, Agents: &agents, Limit: maxScanned, Changes: maxListedChanges})
	if err != nil || len(commits) == 0 {
		return nil, err
	}
	after, _, err := w.Looked(ctx, me.DID, since)
	if err != nil {
		return nil, err
	}
	waiting, err := w.WaitingCommits(ctx, me.DID, max(after, commits[len(commits)-1].Seq-1))
	if err != nil {
		return nil, err
	}
	var list []wiki.Commit
	for _, c := range commits {
		if c.Time.Before(since) || len(list) == limit {
			break
		}
		if c.Author.DID == me.DID && waiting[c.Seq] {
			c.Changes = visibleChanges(c.Changes)
			list = append(list, c)
		}
	}
	return list, nil
}

// MarkReviewed removes a commit from the caller's review queue.
func (s *Service) MarkReviewed(ctx context.Context, a wiki.Access, id string) error {
	w, did, release, err := s.openForReviewer(ctx, a)
	if err != nil {
		return err
	}
	defer release()
	c, err := commitByID(ctx, w, id)
	if err != nil {
		return err
	}
	defer s.forgetWaiting(w, did)
	return w.MarkReviewed(ctx, did, c.Seq)
}
