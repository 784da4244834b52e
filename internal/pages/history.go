package pages

import (
	"context"
	"errors"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// History lists the revisions of a page or attachment before a commit number (0
// for all), newest first. path is a page name or a file path, which may be a
// former or deleted one.
func (s *Service) History(ctx context.Context, a wiki.Access, path string, before int64, limit int) ([]wiki.Revision, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	_, revisions, err := s.history(ctx, w, a, path, before, limit)
	return revisions, err
}

// HistoryBy is History filtered by Author and Agents. Of the filter's other
// fields it uses Before and Limit. The result can be empty.
func (s *Service) HistoryBy(ctx context.Context, a wiki.Access, path string, f LogFilter) ([]wiki.Revision, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	candidates, err := s.locate(ctx, w, a, path)
	if err != nil {
		return nil, err
	}
	var file string
	if len(candidates) == 1 {
		file = candidates[0]
	} else if file, _, err = s.history(ctx, w, a, path, 0, 1); err != nil { // no current file has the path
		return nil, err
	}
	revisions, err := w.HistoryBy(ctx, file, f)
	if errors.Is(err, wiki.ErrNotFound) {
		return nil, noPage(wiki.PageName(path))
	}
	return revisions, err
}

// Authors lists the people and agents whose changes can be filtered by name.
func (s *Service) Authors(ctx context.Context, a wiki.Access) (Authors, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return Authors{}, err
	}
	defer release()
	return w.Authors(ctx)
}

// history finds a current or former file by its path in any spelling, with its
// revisions.
func (s *Service) history(ctx context.Context, w *content.Wiki, a wiki.Access, path string, before int64, limit int) (string, []wiki.Revision, error) {
	candidates, err := s.locate(ctx, w, a, path)
	if err != nil {
		return "", nil, err
	}
	for _, file := range candidates {
		revisions, err := w.History(ctx, file, before, limit)
		if errors.Is(err, wiki.ErrNotFound) || err == nil && len(revisions) == 0 && before == 0 {
			continue
		}
		return file, revisions, err
	}
	return "", nil, noPage(wiki.PageName(path))
}

// locate returns the files that a path can mean: the current one, or else the
// former page and the former attachment.
func (s *Service) locate(ctx context.Context, w *content.Wiki, a wiki.Access, path string) ([]string, error) {
	d, err := s.directory(ctx, w, a)
	if err != nil {
		return nil, err
	}
	trimmed := strings.Trim(path, "/")
	if f, ok := d.find(trimmed); ok && isServable(trimmed) && f.Kind != KindFolder {
		if f.Kind == KindPage {
			return []string{wiki.PageName(f.Path).File()}, nil
		}
		return []string{f.Path}, nil
	}
	name, invalid := wiki.ParsePageName(path)
	if invalid != nil && !isServable(trimmed) {
		return nil, invalid
	}
	var files []string
	if invalid == nil {
		files = append(files, name.File())
	}
	if raw := strings.TrimSuffix(trimmed, ".md") + ".md"; isServable(raw) && raw != name.File() {
		files = append(files, raw)
	}
	if !strings.HasSuffix(trimmed, ".md") && isServable(trimmed) && trimmed != "" {
		files = append(files, trimmed)
	}
	return files, nil
}

// maxListedChanges bounds the changes of all commits in a list together.
const maxListedChanges = 5000

// Changelog lists commits without their changes to hidden files, at most about 5,000
// changes together.
func (s *Service) Changelog(ctx context.Context, a wiki.Access, f LogFilter) ([]wiki.Commit, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	f.Changes = maxListedChanges
	commits, err := w.Log(ctx, f)
	for i := range commits {
		commits[i].Changes = visibleChanges(commits[i].Changes)
	}
	return commits, err
}

// visibleChanges drops the changes of hidden files.
func visibleChanges(changes []wiki.Change) []wiki.Change {
	if !slices.ContainsFunc(changes, func(c wiki.Change) bool { return wiki.Hidden(c.Path) }) {
		return changes
	}
	var list []wiki.Change
	for _, c := range changes {
		if !wiki.Hidden(c.Path) {
			list = append(list, c)
		}
	}
	return list
}

// commitByID finds a commit by an id that someone typed or linked.
func commitByID(ctx context.Context, w *content.Wiki, id string) (wiki.Commit, error) {
	id = strings.ToLower(strings.TrimSpace(id))
	if len(id) < 7 || len(id) > 40 || strings.Trim(id, "0123456789abcdef") != "" {
		return wiki.Commit{}, wiki.Problemf(wiki.ErrInvalid, "revision", "A commit id has 7 to 40 hexadecimal digits.")
	}
	c, err := w.CommitByID(ctx, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return c, wiki.Problemf(wiki.ErrNotFound, "revision", "There is no commit %s.", id)
	}
	return c, err
}

// InOrder returns two revisions, the older one first. Revisions that aren't commits stay
// as they are.
func (s *Service) InOrder(ctx context.Context, a wiki.Access, from, to string) (older, newer string, err error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return "", "", err
	}
	defer release()
	first, err := commitByID(ctx, w, from)
	if err != nil {
		return from, to, nil
	}
	second, err := commitByID(ctx, w, to)
	if err != nil || first.Seq <= second.Seq {
		return from, to, nil
	}
	return to, from, nil
}

// CommitCounts returns the number of commits of each grant and token, by its id.
func (s *Service) CommitCounts(ctx context.Context, a wiki.Access) (map[string]int, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	return w.EditsByGrant(ctx)
}
