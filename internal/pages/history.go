package pages

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/merge"
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

// Changelog lists commits without their changes to hidden files.
func (s *Service) Changelog(ctx context.Context, a wiki.Access, f LogFilter) ([]wiki.Commit, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
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

// BlameLine is one line of a page with the revision that last changed it.
type BlameLine struct {
	Line     int
	Text     string
	Revision wiki.Revision
	// Before reports that the line is at least as old as Revision: blame goes
	// back at most 500 revisions, 64 MB and 2 s.
	Before bool
}

const (
	maxBlamed     = 500
	maxBlameBytes = 64 << 20
	// maxBlameTime bounds the work for texts that are slow to compare.
	maxBlameTime  = 2 * time.Second
	maxBlameLines = 30_000
)

// Blame returns the revision that last changed each line. ErrTooLarge over 30,000
// lines.
func (s *Service) Blame(ctx context.Context, a wiki.Access, name, revision string) ([]BlameLine, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	file, revisions, err := s.history(ctx, w, a, name, 0, maxBlamed+1)
	if err != nil {
		return nil, err
	}
	if revision != "" {
		asked, _, err := readRevision(ctx, w, file, revision)
		if err != nil {
			return nil, err
		}
		// The revision may be older than the part that was read.
		if revisions, err = w.History(ctx, file, asked.Seq+1, maxBlamed+1); err != nil {
			return nil, err
		}
	}
	for len(revisions) > 0 && revisions[0].New == "" {
		revisions = revisions[1:] // deleted: blame the last content
	}
	if len(revisions) == 0 {
		return nil, noPage(wiki.PageName(name))
	}
	return blame(ctx, w, revisions)
}

// blame walks back from the newest revision. A line that isn't in the previous
// revision was written by the current one.
func blame(ctx context.Context, w *content.Wiki, revisions []wiki.Revision) ([]BlameLine, error) {
	text, err := w.Blob(ctx, revisions[0].New)
	if err != nil {
		return nil, err
	}
	text = pageText(text)
	if isBinary(text) {
		return nil, wiki.Problemf(wiki.ErrInvalid, "", "Line authors are only available for text files.")
	}
	if n := bytes.Count(text, []byte("\n")); n > maxBlameLines {
		return nil, wiki.Problemf(wiki.ErrTooLarge, "", "This page has %d lines. Line authors are only available up to %d lines; the history shows each change.", n, maxBlameLines)
	}
	begun := time.Now()
	var lines []BlameLine
	open := map[int]int{} // line number in the current text -> index in lines
	for line := range strings.Lines(edit.Normalize(text)) {
		lines = append(lines, BlameLine{Line: len(lines) + 1, Text: strings.TrimSuffix(line, "\n")})
		open[len(lines)] = len(lines) - 1
	}
	bytesRead := 0
	for i, r := range revisions {
		last := i+1 == len(revisions) || revisions[i+1].New == ""
		bounded := i+1 == maxBlamed || bytesRead > maxBlameBytes || time.Since(begun) > maxBlameTime
		if last || bounded {
			for _, n := range open {
				lines[n].Revision, lines[n].Before = r, !last
			}
			return lines, nil
		}
		if revisions[i+1].New == r.New {
			continue
		}
		before, err := w.Blob(ctx, revisions[i+1].New)
		if err != nil {
			return nil, err
		}
		bytesRead += len(before)
		kept, err := revisionOrigins(ctx, w, r, before, text)
		if err != nil {
			return nil, err
		}
		still := make(map[int]int, len(open))
		for line, n := range open {
			if old := kept[line-1]; old > 0 {
				still[old] = n
			} else {
				lines[n].Revision = r
			}
		}
		if open, text = still, before; len(open) == 0 {
			return lines, nil
		}
	}
	return lines, nil
}

// withFinalNewline ends the last line, so that appending to a text doesn't change
// its last line.
func withFinalNewline(text string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// revisionOrigins is lineOrigins for a revision and the text before it. Lines that
// a rename rewrote, whose links follow, keep their authors.
func revisionOrigins(ctx context.Context, w *content.Wiki, r wiki.Revision, before, text []byte) ([]int, error) {
	rename, err := rewritesLinks(ctx, w, r)
	if err != nil {
		return nil, err
	}
	n := len(slices.Collect(strings.Lines(edit.Normalize(text))))
	if !rename || n != len(slices.Collect(strings.Lines(edit.Normalize(before)))) {
		return lineOrigins(ctx, w, before, text)
	}
	same := make([]int, n)
	for i := range same {
		same[i] = i + 1
	}
	return same, nil
}

// rewritesLinks reports whether all that a revision changes in the text is links
// to files that its commit moves. An import can change anything in such a commit.
func rewritesLinks(ctx context.Context, w *content.Wiki, r wiki.Revision) (bool, error) {
	if r.Author.Imported || r.Old == "" || r.New == "" || r.Old == r.New {
		return false, nil
	}
	return w.MovesFiles(ctx, r.Seq)
}

// lineOrigins returns for each line of a text its line number in the previous
// text, 0 for new lines.
func lineOrigins(ctx context.Context, w *content.Wiki, before, text []byte) ([]int, error) {
	release, err := w.AcquireCompare(ctx, len(before)+len(text))
	if err != nil {
		return nil, err
	}
	defer release()
	return merge.Origins([]byte(withFinalNewline(edit.Normalize(before))), []byte(withFinalNewline(edit.Normalize(text)))), nil
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
