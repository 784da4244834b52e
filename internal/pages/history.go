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

// History lists a page's (or attachment's) revisions, newest first, those
// before a seq (0 for all). path is a page name or a file path; former and
// deleted names are found.
func (s *Service) History(ctx context.Context, a wiki.Access, path string, before int64, limit int) ([]wiki.Revision, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	_, revisions, err := s.history(ctx, w, path, before, limit)
	return revisions, err
}

// HistoryBy is History of the revisions that the filter's Author and Agents
// choose; it reads Before and Limit besides. There may be none.
func (s *Service) HistoryBy(ctx context.Context, a wiki.Access, path string, f LogFilter) ([]wiki.Revision, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	candidates, err := s.locate(ctx, w, path)
	if err != nil {
		return nil, err
	}
	var file string
	if len(candidates) == 1 {
		file = candidates[0]
	} else if file, _, err = s.history(ctx, w, path, 0, 1); err != nil { // none is there now
		return nil, err
	}
	revisions, err := w.HistoryBy(ctx, file, f)
	if errors.Is(err, wiki.ErrNotFound) {
		return nil, noPage(wiki.PageName(path))
	}
	return revisions, err
}

// Authors lists the people and agents whose changes can be asked for by name.
func (s *Service) Authors(ctx context.Context, a wiki.Access) (Authors, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return Authors{}, err
	}
	defer release()
	return w.Authors(ctx)
}

// history finds a file of any spelling, present or past, with its revisions.
func (s *Service) history(ctx context.Context, w *content.Wiki, path string, before int64, limit int) (string, []wiki.Revision, error) {
	candidates, err := s.locate(ctx, w, path)
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

// locate gives the files that a path may mean: the one that is there now, or
// else the page and the attachment that may have been.
func (s *Service) locate(ctx context.Context, w *content.Wiki, path string) ([]string, error) {
	d, err := s.directory(ctx, w)
	if err != nil {
		return nil, err
	}
	trimmed := strings.Trim(path, "/")
	if f, ok := d.find(trimmed); ok && sound(trimmed) && f.Kind != KindFolder {
		if f.Kind == KindPage {
			return []string{wiki.PageName(f.Path).File()}, nil
		}
		return []string{f.Path}, nil
	}
	name, invalid := wiki.ParsePageName(path)
	if invalid != nil && !sound(trimmed) {
		return nil, invalid
	}
	var files []string
	if invalid == nil {
		files = append(files, name.File())
	}
	if raw := strings.TrimSuffix(trimmed, ".md") + ".md"; sound(raw) && raw != name.File() {
		files = append(files, raw)
	}
	if !strings.HasSuffix(trimmed, ".md") && sound(trimmed) && trimmed != "" {
		files = append(files, trimmed)
	}
	return files, nil
}

// Changelog lists commits, without what they did to hidden files.
func (s *Service) Changelog(ctx context.Context, a wiki.Access, f LogFilter) ([]wiki.Commit, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	commits, err := w.Log(ctx, f)
	for i := range commits {
		commits[i].Changes = shown(commits[i].Changes)
	}
	return commits, err
}

// shown drops the changes of hidden files.
func shown(changes []wiki.Change) []wiki.Change {
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

// commitByID finds a commit by what somebody typed or linked.
func commitByID(ctx context.Context, w *content.Wiki, id string) (wiki.Commit, error) {
	id = strings.ToLower(strings.TrimSpace(id))
	if len(id) < 7 || len(id) > 40 || strings.Trim(id, "0123456789abcdef") != "" {
		return wiki.Commit{}, wiki.Problemf(wiki.ErrInvalid, "revision", "The id of a commit is 7 to 40 hexadecimal digits.")
	}
	c, err := w.CommitByID(ctx, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return c, wiki.Problemf(wiki.ErrNotFound, "revision", "There is no commit %s.", id)
	}
	return c, err
}

// BlameLine is one line of a page with the revision that last changed it.
type BlameLine struct {
	Line     int
	Text     string
	Revision wiki.Revision
	// Before says that the line is at least as old as Revision, the last one
	// that was looked at: blame goes back at most 500 revisions, 64 MB and 2 s.
	Before bool
}

const (
	maxBlamed     = 500
	maxBlameBytes = 64 << 20
	// blamePatience is for texts that are slow to compare: anyone may ask.
	blamePatience = 2 * time.Second
	maxBlameLines = 30_000
)

// Blame says who last changed each line; ErrTooLarge over 30,000 lines.
func (s *Service) Blame(ctx context.Context, a wiki.Access, name, revision string) ([]BlameLine, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	file, revisions, err := s.history(ctx, w, name, 0, maxBlamed+1)
	if err != nil {
		return nil, err
	}
	if revision != "" {
		asked, _, err := at(ctx, w, file, revision)
		if err != nil {
			return nil, err
		}
		// The history may be longer than what was read of it: read from there.
		if revisions, err = w.History(ctx, file, asked.Seq+1, maxBlamed+1); err != nil {
			return nil, err
		}
	}
	for len(revisions) > 0 && revisions[0].New == "" {
		revisions = revisions[1:] // deleted: blame what was there last
	}
	if len(revisions) == 0 {
		return nil, noPage(wiki.PageName(name))
	}
	return blame(ctx, w, revisions)
}

// blame walks back from the first revision. Lines that are not the same in the
// revision before were made by the one at hand.
func blame(ctx context.Context, w *content.Wiki, revisions []wiki.Revision) ([]BlameLine, error) {
	text, err := w.Blob(ctx, revisions[0].New)
	if err != nil {
		return nil, err
	}
	if isBinary(text) {
		return nil, wiki.Problemf(wiki.ErrInvalid, "", "This file has no lines.")
	}
	if n := bytes.Count(text, []byte("\n")); n > maxBlameLines {
		return nil, wiki.Problemf(wiki.ErrTooLarge, "", "This page has %d lines; who wrote which is shown of up to %d. Its history shows each change.", n, maxBlameLines)
	}
	begun := time.Now()
	var lines []BlameLine
	open := map[int]int{} // line of the text at hand, from 1 -> index in lines
	for line := range strings.Lines(edit.Normalize(text)) {
		lines = append(lines, BlameLine{Line: len(lines) + 1, Text: strings.TrimSuffix(line, "\n")})
		open[len(lines)] = len(lines) - 1
	}
	bytesRead := 0
	for i, r := range revisions {
		last := i+1 == len(revisions) || revisions[i+1].New == ""
		bounded := i+1 == maxBlamed || bytesRead > maxBlameBytes || time.Since(begun) > blamePatience
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
		kept := origins(before, text)
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

// ended gives a text's last line its end: whoever writes after it has not
// written it anew.
func ended(text string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// origins says of each line of a text which line of the one before it was, from
// 1; 0 for those that are new.
func origins(before, text []byte) []int {
	return merge.Origins([]byte(ended(edit.Normalize(before))), []byte(ended(edit.Normalize(text))))
}

// CommitCounts counts what each grant and token of the wiki has committed, by its id.
func (s *Service) CommitCounts(ctx context.Context, a wiki.Access) (map[string]int, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	return w.EditsByGrant(ctx)
}
