package pages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
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
	Old, New wiki.File     // zero if the file doesn't exist
	Binary   bool
	TooLarge bool // to show line by line; Unified may still be set
	Added    int  // lines
	Removed  int
	Hunks    []DiffHunk
	Unified  string
}

// A DiffHunk is a run of changed lines with their section.
type DiffHunk struct {
	Section            string // heading above its first line, or ""
	OldStart, OldLines int
	NewStart, NewLines int
	Rows               []DiffRow
}

// A DiffRow is one row of a side-by-side diff. Kind is same, removed, inserted
// or changed; a line number is 0 if that side has no line.
type DiffRow struct {
	Kind             string
	OldLine, NewLine int
	Old, New         []DiffSpan
}

// A DiffSpan is part of a line. Spans with Mark differ between the sides.
type DiffSpan struct {
	Text string
	Mark bool
}

const (
	diffContext  = 3
	maxDiffBytes = 2 << 20 // both sides together
	maxDiffs     = 100     // files compared per commit
	// maxDiffSpans bounds the diff of one file: two texts of a megabyte of short
	// lines would make a page of 140 MB.
	maxDiffSpans = 60_000

	maxCommitBytes = 16 << 20 // read per commit
)

// Diff compares two revisions of a page or attachment. to defaults to the newest
// revision, and from to an empty file. At a commit without the file, the file
// counts as empty.
func (s *Service) Diff(ctx context.Context, a wiki.Access, path, from, to string) (*FileDiff, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	file, newest, err := s.history(ctx, w, a, path, 0, 1)
	if err != nil {
		return nil, err
	}
	if to == "" {
		to = newest[0].Commit
	}
	old, oldText, err := readSide(ctx, w, file, from)
	if err != nil {
		return nil, err
	}
	now, newText, err := readSide(ctx, w, file, to)
	if err != nil {
		return nil, err
	}
	if old.Path == "" && now.Path == "" {
		return nil, wiki.Problemf(wiki.ErrNotFound, "revision", "%q isn't in either of these revisions.", strings.TrimSuffix(file, ".md"))
	}
	d := &FileDiff{Path: now.Path, Kind: kindOf(old, now), Old: old, New: now}
	if d.Kind == wiki.Moved {
		d.From = old.Path
	}
	if d.Path == "" {
		d.Path = old.Path
	}
	return d, compareWithin(ctx, w, d, oldText, newText)
}

// compareWithin computes a diff within the budget for comparisons.
func compareWithin(ctx context.Context, w *content.Wiki, d *FileDiff, old, now []byte) error {
	release, err := w.AcquireCompare(ctx, len(old)+len(now))
	if err != nil {
		return err
	}
	defer release()
	d.compare(old, now)
	return nil
}

// readSide reads a file for one side of a diff. It returns a zero File if there
// is no revision, or if the commit doesn't have the file.
func readSide(ctx context.Context, w *content.Wiki, file, revision string) (wiki.File, []byte, error) {
	if revision == "" {
		return wiki.File{}, nil, nil
	}
	f, data, err := readRevision(ctx, w, file, revision)
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

// Commit reads a commit with the diffs of its first 100 files. After 16 MB or
// 60,000 spans, diffs are only marked TooLarge, without their sides.
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
	c.Changes = visibleChanges(c.Changes)
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
		d, err := changeDiff(ctx, w, c, ch)
		if err != nil {
			return wiki.Commit{}, nil, err
		}
		diffs = append(diffs, d)
		read += d.Old.Size + d.New.Size
		if spans += Spans(d.Hunks); d.TooLarge { // it cost as much
			spans = maxDiffSpans + 1
		}
	}
	return c, diffs, nil
}

// changeDiff returns the diff of one change of a commit.
func changeDiff(ctx context.Context, w *content.Wiki, c wiki.Commit, ch wiki.Change) (*FileDiff, error) {
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
	return d, compareWithin(ctx, w, d, old, now)
}

// compare sets the hunks and counts of a diff.
func (d *FileDiff) compare(old, now []byte) {
	d.Page, _ = wiki.PageOf(d.Path)
	if d.Page != "" {
		old, now = pageText(old), pageText(now)
	}
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
			d.Added += boolToInt(r.Kind != merge.Same && r.NewLine > 0)
			d.Removed += boolToInt(r.Kind != merge.Same && r.OldLine > 0)
		}
	}
	if Spans(d.Hunks) > maxDiffSpans {
		d.Hunks, d.TooLarge = nil, true
	}
}

// Spans counts the elements needed to show hunks.
func Spans(hunks []DiffHunk) int {
	n := 0
	for _, h := range hunks {
		for _, r := range h.Rows {
			n += 1 + len(r.Old) + len(r.New)
		}
	}
	return n
}

func boolToInt(b bool) int {
	if b {
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

// isBinary applies git's heuristic: a NUL in the first 8,000 bytes.
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
	out.Section = headingAbove(sections, h.NewStart)
	return out
}

// headingAbove returns the last heading at or above a line. sections are in the
// order of their lines.
func headingAbove(sections []markdown.Section, line int) string {
	n := sort.Search(len(sections), func(i int) bool { return sections[i].StartLine > line })
	for ; n > 0; n-- {
		if path := sections[n-1].Path; len(path) > 0 {
			return path[len(path)-1]
		}
	}
	return ""
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

// CompactDiff returns a diff of two texts of a wiki for readers who pay by the
// token. Each hunk begins with the number of its first line in the new text, whose
// first line has the number first. Lines begin with "-", "+" or a space; long
// lines are cut to the part that differs.
func (s *Service) CompactDiff(ctx context.Context, a wiki.Access, old, new string, around, first int) (string, error) {
	if err := a.Allow(wiki.Read); err != nil {
		return "", err
	}
	release, err := s.content.AcquireCompare(ctx, a.Site().Slug, len(old)+len(new))
	if err != nil {
		return "", err
	}
	defer release()
	return compactDiff(old, new, around, first, hideNone), nil
}

// ChangeDiff is CompactDiff for the writer who made the new text of a page from old,
// which others had changed to now: of lines that the writer removed, it only has
// the number.
func (s *Service) ChangeDiff(ctx context.Context, a wiki.Access, old, now, new string, around int) (string, error) {
	if err := a.Allow(wiki.Read); err != nil {
		return "", err
	}
	release, err := s.content.AcquireCompare(ctx, a.Site().Slug, len(old)+len(now)+len(new))
	if err != nil {
		return "", err
	}
	defer release()
	if now == old {
		return compactDiff(old, new, around, 1, func(int) bool { return true }), nil
	}
	kept := map[int]bool{} // by the others
	for _, line := range merge.Origins([]byte(old), []byte(now)) {
		kept[line] = true
	}
	return compactDiff(old, new, around, 1, func(line int) bool { return kept[line] }), nil
}

func hideNone(int) bool { return false }

// compactDiff is CompactDiff without the lines of the old text that hide names.
func compactDiff(old, new string, context, first int, hide func(line int) bool) string {
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
			writeChanged(&b, h.Rows[from:i], hide)
		}
	}
	return b.String()
}

// KnownLines returns the longest run of lines of the new text that a reader
// knows from lines of the old text that they have seen and from the CompactDiff
// of both. It prefers runs that include some of the old lines. A long line that
// the diff cuts is known if its old version was.
func (s *Service) KnownLines(ctx context.Context, a wiki.Access, old, new string, seen edit.Lines) (edit.Lines, error) {
	if err := a.Allow(wiki.Read); err != nil {
		return edit.Lines{}, err
	}
	release, err := s.content.AcquireCompare(ctx, a.Site().Slug, len(old)+len(new))
	if err != nil {
		return edit.Lines{}, err
	}
	defer release()
	return knownLines(old, new, seen), nil
}

func knownLines(old, new string, seen edit.Lines) edit.Lines {
	origins := merge.Origins([]byte(old), []byte(new))
	lines := slices.Collect(strings.Lines(new))
	var longest, run knownRun
	add := func(n int, known, read bool) {
		switch {
		case !known:
			run = knownRun{}
			return
		case run.From == 0:
			run.From = n
		}
		run.To, run.read = n, run.read || read
		if longest.From == 0 || run.read && !longest.read || run.read == longest.read && run.To-run.From > longest.To-longest.From {
			longest = run
		}
	}
	before := 0 // the old line before this one
	for i := 0; i < len(origins); {
		if origins[i] > 0 {
			before = origins[i]
			had := seen.From <= before && before <= seen.To
			add(i+1, had, had)
			i++
			continue
		}
		end, after := i, strings.Count(old, "\n")+2
		for end < len(origins) && origins[end] == 0 {
			end++
		}
		if end < len(origins) {
			after = origins[end]
		}
		hadSeen := before+1 < after && seen.From <= before+1 && after-1 <= seen.To // the lines these replace
		for ; i < end; i++ {
			add(i+1, hadSeen || len(lines[i]) <= maxShownLine, hadSeen)
		}
	}
	return longest.Lines
}

// A knownRun is a run of lines that a reader knows.
type knownRun struct {
	edit.Lines
	read bool // some of them from the old text
}

// writeChanged writes a run of changed rows, old lines before new ones. It counts
// the old lines to hide.
func writeChanged(b *strings.Builder, rows []merge.Row, hide func(line int) bool) {
	hidden := 0
	count := func() {
		switch {
		case hidden == 1:
			b.WriteString("- 1 line removed\n")
		case hidden > 1:
			fmt.Fprintf(b, "- %d lines removed\n", hidden)
		}
		hidden = 0
	}
	for _, r := range rows {
		switch {
		case r.OldLine == 0:
		case hide(r.OldLine):
			hidden++
		default:
			count()
			old, _ := shownParts(spansText(r.Old), spansText(r.New), r.Kind)
			b.WriteString("-" + old + "\n")
		}
	}
	count()
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

// shownParts returns the parts of two lines to show: short lines in full, long
// ones from shortly before the first difference.
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

// Compare returns the diff of two texts of a page, such as the saved text and a
// draft, or a conflict's base and one of its sides.
func (s *Service) Compare(ctx context.Context, a wiki.Access, old, now []byte) ([]DiffHunk, error) {
	if err := a.Allow(wiki.Read); err != nil {
		return nil, err
	}
	release, err := s.content.AcquireCompare(ctx, a.Site().Slug, len(old)+len(now))
	if err != nil {
		return nil, err
	}
	defer release()
	d := FileDiff{Path: ".md"}
	d.Old.Path, d.New.Path = d.Path, d.Path
	d.compare([]byte(edit.Normalize(old)), []byte(edit.Normalize(now)))
	return d.Hunks, nil
}

// keepStyle is edit.KeepStyle, within the budget for comparisons.
func keepStyle(ctx context.Context, w *content.Wiki, stored, text []byte) ([]byte, error) {
	release, err := w.AcquireCompare(ctx, len(stored)+len(text))
	if err != nil {
		return nil, err
	}
	defer release()
	return edit.KeepStyle(stored, text), nil
}
