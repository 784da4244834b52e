package pages

import (
	"context"
	"errors"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// A ChangedText is what a commit changed in a page, for feeds.
type ChangedText struct {
	Page  wiki.PageName
	Lines string // those removed and added, after "- " and "+ "; "" if there are none or they can't be shown
	Cut   bool   // there are more lines
}

// Bounds on the texts of a feed.
const (
	maxTextsInFeed   = 60
	maxTextsInCommit = 3
	maxChangedLines  = 40        // of a text
	maxChangedLine   = 300       // bytes of a line
	maxChangedText   = 4 << 10   // bytes of a text
	maxComparedBytes = 512 << 10 // both sides of a text; of larger ones, feeds only have the name
)

// ChangedTexts returns what each of the commits, which are those of Changelog, changed in
// the pages whose paths begin with prefix. It stops after maxTextsInFeed texts.
func (s *Service) ChangedTexts(ctx context.Context, a wiki.Access, commits []wiki.Commit, prefix string) ([][]ChangedText, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	texts := make([][]ChangedText, len(commits))
	left := maxTextsInFeed
	for i, c := range commits {
		for _, ch := range c.Changes {
			page, ok := wiki.PageOf(ch.Path)
			if !ok || left == 0 || len(texts[i]) == maxTextsInCommit || !strings.HasPrefix(wiki.Key(ch.Path), wiki.Key(prefix)) {
				continue
			}
			t, err := s.changedText(ctx, w, c, ch)
			if err != nil {
				return nil, err
			}
			t.Page = page
			texts[i] = append(texts[i], t)
			left--
		}
	}
	return texts, nil
}

func (t ChangedText) weight() uint32 { return uint32(100 + len(t.Lines)) }

// changedText returns the changed lines of a page. They never change, so they are cached
// until something is taken down or erased.
func (s *Service) changedText(ctx context.Context, w *content.Wiki, c wiki.Commit, ch wiki.Change) (ChangedText, error) {
	key := cacheKey{"changed text", w.Slug(), c.ID + "\x00" + ch.Path}
	if t, ok := s.views.GetIfPresent(key); ok {
		return t.(ChangedText), nil
	}
	forgotten := s.forgotten.Load()
	var sides [2][]byte
	for i, blob := range []string{ch.Old, ch.New} {
		if blob == "" {
			continue
		}
		data, err := w.Blob(ctx, blob)
		switch {
		case errors.Is(err, wiki.ErrTakenDown), errors.Is(err, wiki.ErrDamaged), errors.Is(err, wiki.ErrGone):
			return ChangedText{}, nil
		case err != nil:
			return ChangedText{}, err
		}
		sides[i] = pageText(data)
	}
	var t ChangedText
	if len(sides[0])+len(sides[1]) <= maxComparedBytes && !isBinary(sides[0]) && !isBinary(sides[1]) {
		release, err := w.AcquireCompare(ctx, len(sides[0])+len(sides[1]))
		if err != nil {
			return ChangedText{}, err
		}
		t = changedLines(merge.Unified("", "", sides[0], sides[1], 0))
		release()
	}
	s.cacheUnlessForgotten(forgotten, key, t)
	return t, nil
}

// changedLines returns the first removed and added lines of a unified diff.
func changedLines(unified string) (t ChangedText) {
	var b strings.Builder
	_, hunks, _ := strings.Cut(unified, "\n+++ ")
	_, hunks, _ = strings.Cut(hunks, "\n")
	shown := 0
	for line := range strings.Lines(hunks) {
		if line[0] != '+' && line[0] != '-' { // where the lines are
			continue
		}
		if shown++; shown > maxChangedLines || b.Len() > maxChangedText {
			t.Cut = true
			break
		}
		b.WriteString(line[:1] + " " + truncate(strings.TrimRight(line[1:], "\r\n"), maxChangedLine) + "\n")
	}
	t.Lines = b.String()
	return t
}
