package pages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// A FileDiff compares two states of one file.
type FileDiff struct {
	Path     string
	From     string // former path
	Kind     wiki.ChangeKind
	Page     wiki.PageName // "" for attachments
	Old, New wiki.File     // zero where the file is missing
	Binary   bool
	TooLarge bool // to be shown line by line; Unified may be there
	Added    int  // lines
	Removed  int
	Hunks    []DiffHunk
	Unified  string
}

// A DiffHunk is a stretch of changed lines with the section they stand in.
type DiffHunk struct {
	Section            string // heading above its first line, or ""
	OldStart, OldLines int
	NewStart, NewLines int
	Rows               []DiffRow
}

// A DiffRow is one line set side by side: Kind is same, removed, inserted or
// changed; a line number is 0 where that side has no line.
type DiffRow struct {
	Kind             string
	OldLine, NewLine int
	Old, New         []DiffSpan
}

// A DiffSpan is a piece of a line; Mark spans differ between the sides.
type DiffSpan struct {
	Text string
	Mark bool
}

const (
	diffContext  = 3
	maxDiffBytes = 2 << 20 // of both sides together
	maxDiffs     = 100     // files of a commit that are compared
	// maxDiffSpans bounds what is shown of a file: two texts of a megabyte, all
	// short lines, would be a page of 140 MB.
	maxDiffSpans = 60_000

	maxCommitBytes = 16 << 20 // of a commit's files that are read
)

// Diff compares two revisions of a page or attachment. Without a second one,
// the first is compared with the newest; without a first one, the second with
// nothing. A commit that had no such file compares as nothing.
func (s *Service) Diff(ctx context.Context, a wiki.Access, path, from, to string) (*FileDiff, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	file, newest, err := s.history(ctx, w, path, 0, 1)
	if err != nil {
		return nil, err
	}
	if to == "" {
		to = newest[0].Commit
	}
	old, oldText, err := side(ctx, w, file, from)
	if err != nil {
		return nil, err
	}
	now, newText, err := side(ctx, w, file, to)
	if err != nil {
		return nil, err
	}
	if old.Path == "" && now.Path == "" {
		return nil, wiki.Problemf(wiki.ErrNotFound, "revision", "%q is in neither of these revisions.", strings.TrimSuffix(file, ".md"))
	}
	d := &FileDiff{Path: now.Path, Kind: kindOf(old, now), Old: old, New: now}
	if d.Kind == wiki.Moved {
		d.From = old.Path
	}
	if d.Path == "" {
		d.Path = old.Path
	}
	return d, s.compare(ctx, d, oldText, newText)
}

// compare fills in what differs. Two texts of a megabyte keep a processor busy
// for long, so those under way at one time have maxDiffBytes together: whoever
// asks for many of them waits for themselves, and the other processors go on.
func (s *Service) compare(ctx context.Context, d *FileDiff, old, now []byte) error {
	weight := min(int64(len(old)+len(now)), maxDiffBytes)
	if err := s.compared.Acquire(ctx, weight); err != nil {
		return err
	}
	defer s.compared.Release(weight)
	d.compare(old, now)
	return nil
}

// side reads a file for one side of a diff: a zero File for no revision, and as
// of a commit that had no such file.
func side(ctx context.Context, w *content.Wiki, file, revision string) (wiki.File, []byte, error) {
	if revision == "" {
		return wiki.File{}, nil, nil
	}
	f, data, err := at(ctx, w, file, revision)
	if errors.Is(err, wiki.ErrNotFound) {
		if _, none := commitByID(ctx, w, revision); none == nil {
			return wiki.File{}, nil, nil
		}
	}
	return f, data, err
}

func kindOf(old, now wiki.File) wiki.ChangeKind {
	switch {
	case old.Path == "":
		return wiki.Added
	case now.Path == "":
		return wiki.Deleted
	case old.Path != now.Path:
		return wiki.Moved
	}
	return wiki.Modified
}

// Commit reads a commit with the diffs of its files (the first 100; those after
// the first 16 MB or 60,000 pieces of lines are TooLarge, with nothing known of
// their two sides).
func (s *Service) Commit(ctx context.Context, a wiki.Access, id string) (wiki.Commit, []*FileDiff, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return wiki.Commit{}, nil, err
	}
	defer release()
	c, err := commitByID(ctx, w, id)
	if err != nil {
		return wiki.Commit{}, nil, err
	}
	c.Changes = shown(c.Changes)
	var diffs []*FileDiff
	var read int64
	spans := 0
	for _, ch := range c.Changes[:min(maxDiffs, len(c.Changes))] {
		if read > maxCommitBytes || spans > maxDiffSpans {
			d := &FileDiff{Path: ch.Path, From: ch.From, Kind: ch.Kind, TooLarge: true}
			d.Page, _ = wiki.PageOf(d.Path)
			diffs = append(diffs, d)
			continue
		}
		d, err := s.changeDiff(ctx, w, c, ch)
		if err != nil {
			return wiki.Commit{}, nil, err
		}
		diffs = append(diffs, d)
		read += d.Old.Size + d.New.Size
		if spans += d.spans(); d.TooLarge { // it cost no less for not being shown
			spans = maxDiffSpans + 1
		}
	}
	return c, diffs, nil
}

// changeDiff shows what a commit did to one file.
func (s *Service) changeDiff(ctx context.Context, w *content.Wiki, c wiki.Commit, ch wiki.Change) (*FileDiff, error) {
	d := &FileDiff{Path: ch.Path, From: ch.From, Kind: ch.Kind}
	var old, now []byte
	var err error
	if ch.Old != "" {
		if old, err = w.Blob(ctx, ch.Old); err != nil {
			return nil, err
		}
		d.Old = wiki.File{Path: ch.Path, Blob: ch.Old, Size: int64(len(old))}
		if ch.From != "" {
			d.Old.Path = ch.From
		}
	}
	if ch.New != "" {
		if now, err = w.Blob(ctx, ch.New); err != nil {
			return nil, err
		}
		d.New = wiki.File{
			Path: ch.Path, Blob: ch.New, Size: int64(len(now)), Seq: c.Seq, Commit: c.ID,
			Modified: c.Time, Author: c.Author, Message: c.Message,
		}
	}
	return d, s.compare(ctx, d, old, now)
}

// compare fills in what differs between two texts.
func (d *FileDiff) compare(old, now []byte) {
	d.Page, _ = wiki.PageOf(d.Path)
	switch {
	case bytes.Equal(old, now):
		return
	case isBinary(old) || isBinary(now):
		d.Binary = true
		return
	case len(old)+len(now) > maxDiffBytes:
		d.TooLarge = true
		return
	}
	d.Unified = merge.Unified(sideName("a/", d.Old.Path), sideName("b/", d.New.Path), old, now, diffContext)
	var sections []markdown.Section
	if d.Page != "" {
		sections = markdown.Sections(now)
	}
	for _, h := range merge.Diff(old, now, diffContext) {
		d.Hunks = append(d.Hunks, diffHunk(h, sections))
		for _, r := range h.Rows {
			d.Added += count(r.Kind != merge.Same && r.NewLine > 0)
			d.Removed += count(r.Kind != merge.Same && r.OldLine > 0)
		}
	}
	if d.spans() > maxDiffSpans {
		d.Hunks, d.TooLarge = nil, true
	}
}

// spans counts the pieces that a page about the diff is made of.
func (d *FileDiff) spans() int {
	n := 0
	for _, h := range d.Hunks {
		for _, r := range h.Rows {
			n += 1 + len(r.Old) + len(r.New)
		}
	}
	return n
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

func sideName(prefix, path string) string {
	if path == "" {
		return "/dev/null"
	}
	return prefix + path
}

// isBinary is git's own test: a NUL among the first 8,000 bytes.
func isBinary(text []byte) bool {
	return bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0
}

var rowKinds = map[merge.Kind]string{
	merge.Same: "same", merge.Removed: "removed", merge.Inserted: "inserted", merge.Changed: "changed",
}

func diffHunk(h merge.Hunk, sections []markdown.Section) DiffHunk {
	out := DiffHunk{
		OldStart: h.OldStart, OldLines: h.OldLines, NewStart: h.NewStart, NewLines: h.NewLines,
		Rows: make([]DiffRow, 0, len(h.Rows)),
	}
	for _, r := range h.Rows {
		out.Rows = append(out.Rows, DiffRow{
			Kind: rowKinds[r.Kind], OldLine: r.OldLine, NewLine: r.NewLine,
			Old: diffSpans(r.Old), New: diffSpans(r.New),
		})
	}
	for _, s := range sections {
		if s.StartLine <= h.NewStart && len(s.Path) > 0 {
			out.Section = s.Path[len(s.Path)-1]
		}
	}
	return out
}

func diffSpans(spans []merge.Span) []DiffSpan {
	out := make([]DiffSpan, 0, len(spans))
	for _, s := range spans {
		out = append(out, DiffSpan{Text: strings.TrimSuffix(s.Text, "\r"), Mark: s.Kind != merge.Same})
	}
	return out
}

// maxShownLine bounds the lines of a CompactDiff, in bytes.
const maxShownLine = 240

// CompactDiff shows what differs between two texts, for readers who pay by the
// word: hunks under the number of their first line in the new text, which begins
// with line first; lines with "-", "+" or a blank before them, of long lines the
// part that differs.
func CompactDiff(old, new string, context, first int) string {
	var b strings.Builder
	for _, h := range merge.Diff([]byte(old), []byte(new), context) {
		fmt.Fprintf(&b, "@@ line %d\n", max(h.NewStart, 1)+first-1)
		for i := 0; i < len(h.Rows); {
			if h.Rows[i].Kind == merge.Same {
				b.WriteString(" " + truncate(spansText(h.Rows[i].New), maxShownLine) + "\n")
				i++
				continue
			}
			from := i
			for i < len(h.Rows) && h.Rows[i].Kind != merge.Same {
				i++
			}
			writeChanged(&b, h.Rows[from:i])
		}
	}
	return b.String()
}

// writeChanged writes a run of changed rows, the old lines before the new.
func writeChanged(b *strings.Builder, rows []merge.Row) {
	for _, r := range rows {
		if r.OldLine > 0 {
			old, _ := shownParts(spansText(r.Old), spansText(r.New), r.Kind)
			b.WriteString("-" + old + "\n")
		}
	}
	for _, r := range rows {
		if r.NewLine > 0 {
			_, now := shownParts(spansText(r.Old), spansText(r.New), r.Kind)
			b.WriteString("+" + now + "\n")
		}
	}
}

func spansText(spans []merge.Span) string {
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.Text)
	}
	return b.String()
}

// shownParts are the parts of two lines to be shown: all of short ones, of long
// ones what differs with some text before it.
func shownParts(old, now string, kind merge.Kind) (string, string) {
	if kind != merge.Changed || len(old) <= maxShownLine && len(now) <= maxShownLine {
		return truncate(old, 2*maxShownLine), truncate(now, 2*maxShownLine)
	}
	same := 0
	for same < len(old) && same < len(now) && old[same] == now[same] {
		same++
	}
	const before = 60
	part := func(line string) string {
		from := max(0, same-before)
		text := strings.ToValidUTF8(line[from:], "")
		if from > 0 {
			text = "…" + text
		}
		return truncate(text, maxShownLine)
	}
	return part(old), part(now)
}

// truncate cuts a text to at most n bytes and marks the cut.
func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// Compare sets two texts of a page side by side, such as what is saved and a
// draft, or the base of a conflict and one of its sides.
func Compare(old, now []byte) []DiffHunk {
	d := FileDiff{Path: ".md"}
	d.Old.Path, d.New.Path = d.Path, d.Path
	d.compare([]byte(edit.Normalize(old)), []byte(edit.Normalize(now)))
	return d.Hunks
}
