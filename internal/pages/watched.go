package pages

import (
	"context"
	"errors"
	"slices"
	"time"

	"robot.wtf/internal/wiki"
)

// maxWatchedCommits bounds the commits read to find changes of watched pages.
const maxWatchedCommits = 1000

// WatchedChanges lists the commits since a time that changed one of the pages, except
// those that the caller made without an agent, newest first, with only these changes. It
// follows the pages when they move. It reads a bounded number of the newest commits.
func (s *Service) WatchedChanges(ctx context.Context, a wiki.Access, watched []SharedPage, since time.Time) ([]wiki.Commit, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	commits, err := w.Log(ctx, LogFilter{Limit: maxWatchedCommits, Changes: maxListedChanges})
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(commits, func(c wiki.Commit) bool { return c.Time.Before(since) }); i >= 0 {
		commits = commits[:i]
	}
	kept := make([][]wiki.Change, len(commits))
	for _, p := range watched {
		key := p.Name.Key()
		switch _, f, err := sharedFile(ctx, w, p); {
		case err == nil:
			key = keyBefore(commits, wiki.Key(f.Path))
		case !errors.Is(err, wiki.ErrNotFound):
			return nil, err
		}
		keepChanges(commits, kept, key, p.Seq)
	}
	var list []wiki.Commit
	for i, c := range commits {
		if len(kept[i]) == 0 || c.Author.DID == a.Caller().User.DID && !c.Author.IsAgent() && !c.Author.Imported {
			continue
		}
		c.Changes, c.Cut = kept[i], false
		list = append(list, c)
	}
	return list, nil
}

// keyBefore returns the key that a file had before commits, which are newest first.
func keyBefore(commits []wiki.Commit, key string) string {
	for _, c := range commits {
		for _, ch := range c.Changes {
			if ch.From != "" && wiki.Key(ch.Path) == key {
				key = wiki.Key(ch.From)
				break
			}
		}
	}
	return key
}

// keepChanges adds to kept, for each of the commits after seq, the change of the file
// that had a key before all of them.
func keepChanges(commits []wiki.Commit, kept [][]wiki.Change, key string, seq int64) {
	for i := len(commits) - 1; i >= 0; i-- {
		for _, ch := range commits[i].Changes {
			moved := ch.From != "" && wiki.Key(ch.From) == key
			if !moved && wiki.Key(ch.Path) != key {
				continue
			}
			if moved {
				key = wiki.Key(ch.Path)
			}
			if commits[i].Seq > seq && !slices.Contains(kept[i], ch) {
				kept[i] = append(kept[i], ch)
			}
			break
		}
	}
}
