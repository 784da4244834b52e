package pages

import (
	"context"
	"errors"
	"regexp"
	"slices"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// News lists the commits of others in a wiki, and how they changed a grant's own work.
type News struct {
	Commits []wiki.Commit   // of others, oldest first
	More    bool            // there are more than these
	UpTo    int64           // the newest commit (seq) that this covers
	Undone  []wiki.Commit   // of the grant, which these commits undid
	Edited  []wiki.PageName // pages whose last text was the grant's, changed or deleted by these commits
	looked  int             // histories read for Edited
}

// Bounds of the work for one News: commits, and histories of the pages they changed.
const (
	maxNewsCommits   = 200
	maxNewsHistories = 200
)

// News returns the commits after a given one (seq) that the caller's grant didn't
// make, at most limit. A seq beyond the head, as in a wiki that was deleted and created
// again, counts as 0. For 0 it returns the newest commits.
func (s *Service) News(ctx context.Context, a wiki.Access, after int64, limit int) (News, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return News{}, err
	}
	defer release()
	head, _ := w.Head()
	if after <= 0 || after > head {
		after = max(0, head-int64(limit))
	}
	log, err := w.Log(ctx, content.LogFilter{After: after, Limit: maxNewsCommits, Ascending: true, Changes: maxListedChanges})
	if err != nil {
		return News{}, err
	}
	news := News{UpTo: after}
	grant := a.Caller().Grant
	for _, c := range log {
		if madeBy(c.Author, grant) {
			news.UpTo = c.Seq
			continue
		}
		if len(news.Commits) == limit {
			news.More = true
			return news, nil
		}
		c.Changes = visibleChanges(c.Changes)
		news.Commits, news.UpTo = append(news.Commits, c), c.Seq
		if err := news.addOwn(ctx, w, grant, c); err != nil {
			return News{}, err
		}
	}
	news.More = news.UpTo < head && len(log) == maxNewsCommits
	return news, nil
}

// madeBy reports whether a grant made a commit. The grants that imported commits name
// are unverified.
func madeBy(a wiki.Author, grant string) bool { return grant != "" && a.Grant == grant && !a.Imported }

var revertedCommit = regexp.MustCompile(`(?m)^This reverts (the session of )?commit ([0-9a-f]{40})\.$`)

// maxUndoneListed bounds the commits of an undone session in News.
const maxUndoneListed = 20

// addUndone adds an undone commit, or those of its session, if they are the grant's.
func (n *News) addUndone(ctx context.Context, w *content.Wiki, grant, id string, session bool) error {
	undone, err := w.CommitByID(ctx, id)
	if err != nil || !madeBy(undone.Author, grant) {
		return err
	}
	list := []wiki.Commit{undone}
	if session {
		s, err := w.SessionOf(ctx, undone.Seq, maxUndoneListed)
		if err != nil {
			return err
		}
		list = s.Commits
	}
	for _, c := range list {
		c.Changes = visibleChanges(c.Changes)
		n.Undone = append(n.Undone, c)
	}
	return nil
}

// addOwn adds what another's commit did to the grant's own work.
func (n *News) addOwn(ctx context.Context, w *content.Wiki, grant string, c wiki.Commit) error {
	if m := revertedCommit.FindStringSubmatch(c.Message); m != nil {
		if err := n.addUndone(ctx, w, grant, m[2], m[1] != ""); err != nil && wiki.KindOf(err) == nil {
			return err
		}
	}
	for _, ch := range c.Changes {
		name, ok := wiki.PageOf(ch.Path)
		if !ok || ch.Old == "" || ch.Old == ch.New || slices.Contains(n.Edited, name) {
			continue
		}
		if n.looked++; n.looked > maxNewsHistories {
			return nil
		}
		before, err := w.History(ctx, ch.Path, c.Seq, 1)
		if err != nil && !errors.Is(err, wiki.ErrNotFound) {
			return err
		}
		if len(before) > 0 && madeBy(before[0].Author, grant) {
			n.Edited = append(n.Edited, name)
		}
	}
	return nil
}
