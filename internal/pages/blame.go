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
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// BlameLine is one line of a page with the revision that last changed it.
type BlameLine struct {
	Line int
	Text string
	// Revision is another page's if the line moved here from there.
	Revision wiki.Revision
	// Before reports that the line is at least as old as Revision: blame goes
	// back at most 500 revisions, 64 MB and 2 s.
	Before bool
}

// walkBounds bound an authorWalk.
type walkBounds struct {
	steps, bytes int
	time         time.Duration // for texts that are slow to compare
}

var (
	blameBounds = walkBounds{500, 64 << 20, 2 * time.Second}
	// viewBounds bound the work for the authors beside a page. Older lines stay
	// unknown; Blame goes further.
	viewBounds = walkBounds{300, 16 << 20, 300 * time.Millisecond}
)

const (
	maxBlameLines  = 30_000
	maxAuthorLines = 10_000 // beside a page
)

// Blame returns the revision that last changed each line. ErrTooLarge over 30,000
// lines.
func (s *Service) Blame(ctx context.Context, a wiki.Access, name, revision string) ([]BlameLine, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	file, _, err := s.history(ctx, w, a, name, 0, 1)
	if err != nil {
		return nil, err
	}
	past := &revisionList{w: w, path: file}
	if revision != "" {
		asked, _, err := readRevision(ctx, w, file, revision)
		if err != nil {
			return nil, err
		}
		past.before = asked.Seq + 1
	}
	for i := 0; ; i++ {
		r, err := past.get(ctx, i)
		switch {
		case err != nil:
			return nil, err
		case r == nil:
			return nil, noPage(wiki.PageName(name))
		case r.New != "": // otherwise deleted: blame the last content
			return s.blame(ctx, past, i)
		}
	}
}

// blame finds the authors of the lines of the i-th revision.
func (s *Service) blame(ctx context.Context, past *revisionList, i int) ([]BlameLine, error) {
	text, err := past.text(ctx, i)
	if err != nil {
		return nil, err
	}
	if isBinary(text) {
		return nil, wiki.Problemf(wiki.ErrInvalid, "", "Line authors are only available for text files.")
	}
	if n := bytes.Count(text, []byte("\n")); n > maxBlameLines {
		return nil, wiki.Problemf(wiki.ErrTooLarge, "", "This page has %d lines. Line authors are only available up to %d lines; the history shows each change.", n, maxBlameLines)
	}
	by := &authorship{}
	walk := &authorWalk{s: s, bounds: blameBounds, begun: s.timer(), each: true}
	if err := walk.find(ctx, past, i, by, by.open(text), text); err != nil {
		return nil, err
	}
	lines := make([]BlameLine, 0, len(by.lines))
	for line := range strings.Lines(edit.Normalize(text)) {
		n, before := by.author(len(lines))
		lines = append(lines, BlameLine{Line: len(lines) + 1, Text: strings.TrimSuffix(line, "\n"), Revision: by.by[n], Before: before})
	}
	return lines, nil
}

// authorship holds the author of each line of a revision: an index into by. ^n says
// that the line is at least as old as by[n], and its author unknown.
type authorship struct {
	commit string // of the revision
	lines  []int32
	by     []wiki.Revision
}

func (a *authorship) weight() uint32 {
	n := 100 + 4*len(a.lines)
	for _, r := range a.by {
		n += 400 + len(r.Message) + len(r.Path)
	}
	return uint32(n)
}

// author returns the index of a line's author, or of a revision that is as old or newer.
func (a *authorship) author(line int) (n int32, unknown bool) {
	if n = a.lines[line]; n < 0 {
		return ^n, true
	}
	return n, false
}

func (a *authorship) addRevision(r wiki.Revision) int32 {
	a.by = append(a.by, r)
	return int32(len(a.by) - 1)
}

// cachedAuthors returns the authorship of a file at a commit, or nil if it isn't cached.
// For each file, only the one that was computed last is.
func (s *Service) cachedAuthors(w *content.Wiki, path, commit string) *authorship {
	if c, ok := s.views.GetIfPresent(authorKey("by", w, path)); ok && c.(*authorship).commit == commit {
		return c.(*authorship)
	}
	return nil
}

// authorship finds the author of each line of a file. It is cached and starts from the
// cached older revision, so a save usually costs one comparison.
// Consecutive revisions by one author on one day are compared as one.
func (s *Service) authorship(ctx context.Context, w *content.Wiki, f wiki.File, text []byte) (*authorship, error) {
	if a := s.cachedAuthors(w, f.Path, f.Commit); a != nil {
		return a, nil
	}
	a := &authorship{commit: f.Commit}
	if isBinary(text) || bytes.Count(text, []byte("\n")) > maxAuthorLines {
		return a, nil
	}
	walk := &authorWalk{s: s, bounds: viewBounds, begun: s.timer()}
	if err := walk.find(ctx, &revisionList{w: w, path: f.Path, before: f.Seq + 1}, 0, a, a.open(text), text); err != nil {
		return nil, err
	}
	s.views.Set(authorKey("by", w, f.Path), a)
	return a, nil
}

// An authorWalk finds the authors of the lines of a page, and of the pages that lines
// moved here from.
type authorWalk struct {
	s      *Service
	bounds walkBounds
	begun  time.Time
	steps  int
	read   int  // bytes
	each   bool // compare each revision, not only the ends of runs; the cache has runs
}

func (k *authorWalk) isSpent() bool {
	return k.steps >= k.bounds.steps || k.read > k.bounds.bytes || k.s.timer().Sub(k.begun) > k.bounds.time
}

// find walks back from the i-th revision, which has the text, until each open line has an
// author. A line that isn't in the revision before was written by the current one, unless
// that only brought back a text that the page had shortly before: undoing a change
// doesn't make anyone the author.
func (k *authorWalk) find(ctx context.Context, past *revisionList, i int, a *authorship, open openLines, text []byte) error {
	for open.left > 0 {
		r, err := past.get(ctx, i)
		if r == nil || err != nil {
			return err
		}
		same, err := past.sameText(ctx, i)
		if err != nil {
			return err
		}
		if same > 0 {
			if known := k.knownAuthors(past.w, past.read[same]); known != nil {
				a.inherit(open, known)
				return nil
			}
			if k.steps++; k.isSpent() {
				a.leave(open, past.read[same])
				return nil
			}
			i = same
			continue
		}
		next, known, err := k.endOfRun(ctx, past, i)
		if err != nil {
			return err
		}
		before, err := past.get(ctx, next)
		if err != nil {
			return err
		}
		created := before == nil || before.New == ""
		if k.steps++; !created && k.isSpent() {
			a.leave(open, *r)
			return nil
		}
		if open, text, err = k.step(ctx, past, i, next, a, open, text); err != nil {
			return err
		}
		if known != nil {
			a.inherit(open, known)
			return nil
		}
		i = next
	}
	return nil
}

// step compares the i-th revision, which has the text, with the next to look at. It
// settles the lines that are new and returns the others, as lines of the older text.
func (k *authorWalk) step(ctx context.Context, past *revisionList, i, next int, a *authorship, open openLines, text []byte) (openLines, []byte, error) {
	r := past.read[i]
	older, origins := []byte(nil), make([]int, len(open.index))
	if next < len(past.read) && past.read[next].New != "" {
		var err error
		if older, err = past.text(ctx, next); err != nil {
			return open, nil, err
		}
		k.read += len(older)
		if origins, err = revisionOrigins(ctx, past.w, r, older, text); err != nil {
			return open, nil, err
		}
	}
	mine := a.addRevision(r)
	if err := k.creditTaken(ctx, past, mine, a, open, origins, text); err != nil {
		return open, nil, err
	}
	return a.settle(open, origins, mine), older, nil
}

// endOfRun returns the first revision after the i-th by another author or on
// another day. One that isAlone, or brings back a text, is a run of its own. It stops
// early at a revision whose authorship is cached, and returns that too.
func (k *authorWalk) endOfRun(ctx context.Context, past *revisionList, i int) (next int, known *authorship, err error) {
	if k.each {
		return i + 1, nil, nil
	}
	first, err := past.get(ctx, i)
	if err != nil {
		return 0, nil, err
	}
	alone, err := isAlone(ctx, past.w, *first)
	if err != nil {
		return 0, nil, err
	}
	for next = i + 1; ; next++ {
		r, err := past.get(ctx, next)
		if r == nil || err != nil {
			return next, nil, err
		}
		if known := k.knownAuthors(past.w, *r); known != nil {
			return next, known, nil
		}
		if r.New == "" || alone || !isSameRun(*r, *first) {
			return next, nil, nil
		}
		if same, err := past.sameText(ctx, next); same > 0 || err != nil {
			return next, nil, err
		}
		if other, err := isAlone(ctx, past.w, *r); other || err != nil {
			return next, nil, err
		}
	}
}

// knownAuthors returns the cached authorship of a revision, or nil.
func (k *authorWalk) knownAuthors(w *content.Wiki, r wiki.Revision) *authorship {
	if k.each {
		return nil
	}
	if a := k.s.cachedAuthors(w, r.Path, r.Commit); a != nil && len(a.by) > 0 {
		return a
	}
	return nil
}

// isAlone reports whether a revision has to be compared alone, because lines that it
// changed can keep their authors: links follow a move, or text is from other pages.
func isAlone(ctx context.Context, w *content.Wiki, r wiki.Revision) (bool, error) {
	switch {
	case r.New == "" || r.Old == r.New:
		return false, nil
	case r.Author.Imported:
		return w.MovesText(ctx, r.Seq)
	}
	return w.MovesLinks(ctx, r.Seq)
}

// isSameRun reports whether two revisions are by one author on one day.
func isSameRun(a, b wiki.Revision) bool {
	return shownAuthor(a.Author) == shownAuthor(b.Author) && a.Time.UTC().Truncate(24*time.Hour).Equal(b.Time.UTC().Truncate(24*time.Hour))
}

// shownAuthor returns an author without the fields that readers don't see.
func shownAuthor(a wiki.Author) wiki.Author {
	a.Client, a.Grant = "", ""
	return a
}

// creditTaken gives lines that the revision mine took from other pages to their authors
// there. origins are the numbers of the lines that the page itself had before.
func (k *authorWalk) creditTaken(ctx context.Context, past *revisionList, mine int32, a *authorship, open openLines, origins []int, text []byte) error {
	seq := a.by[mine].Seq
	moves, err := past.w.MovesText(ctx, seq)
	if err != nil || !moves {
		return err
	}
	taken, err := past.w.Takings(ctx, past.path, past.asOf)
	if err != nil {
		return err
	}
	lines := strings.Split(edit.Normalize(text), "\n")
	var added []int // lines without an author yet that the page hadn't
	var forms []string
	for line, n := range open.index {
		if n >= 0 && origins[line] == 0 {
			added, forms = append(added, line), append(forms, movedForm(lines[line]))
		}
	}
	for _, t := range taken {
		if t.Seq != seq {
			continue
		}
		if k.isSpent() {
			for _, line := range added {
				if n := open.index[line]; n >= 0 {
					a.lines[n], open.index[line] = ^mine, -1
				}
			}
			return nil
		}
		known, from, err := k.authorsThere(ctx, past.w, t, forms)
		if err != nil {
			return err
		}
		there := noLines(len(known.lines))
		for i, line := range added {
			if n := from[i]; n > 0 && open.index[line] >= 0 {
				there.index[n-1], open.index[line] = open.index[line], -1
			}
		}
		a.inherit(there, known)
	}
	return nil
}

// authorsThere returns the authors of the page that text was taken from, as it was before,
// and the number that each of the lines, given in movedForm, had there, or 0.
func (k *authorWalk) authorsThere(ctx context.Context, w *content.Wiki, t content.Taking, lines []string) (*authorship, []int, error) {
	nobody, nowhere := &authorship{}, make([]int, len(lines))
	past := &revisionList{w: w, path: t.From, asOf: t.Seq, before: t.Seq}
	last, err := past.get(ctx, 0)
	if err != nil || last == nil || last.New == "" {
		return nobody, nowhere, err
	}
	text, err := past.text(ctx, 0)
	if errors.Is(err, wiki.ErrTakenDown) {
		return nobody, nowhere, nil
	}
	if err != nil || isBinary(text) || bytes.Count(text, []byte("\n")) > maxBlameLines {
		return nobody, nowhere, err
	}
	k.read += len(text)
	there := textLines(text)
	for i, line := range there {
		there[i] = movedForm(line)
	}
	from, err := originsInAnyOrder(ctx, w, there, lines)
	if err != nil || !slices.ContainsFunc(from, func(n int) bool { return n > 0 }) {
		return nobody, nowhere, err
	}
	if known := k.knownAuthors(w, *last); known != nil {
		return known, from, nil
	}
	a := &authorship{}
	open := a.open(text).only(from) // the others could lead to as many pages again
	if err := k.find(ctx, past, 0, a, open, text); err != nil {
		return nil, nil, err
	}
	return a, from, nil
}

// originsInAnyOrder is lineOrigins, but also finds lines that have changed places.
func originsInAnyOrder(ctx context.Context, w *content.Wiki, before, now []string) ([]int, error) {
	origins, err := lineOrigins(ctx, w, []byte(strings.Join(before, "\n")), []byte(strings.Join(now, "\n")))
	if err != nil {
		return nil, err
	}
	origins = append(origins, make([]int, max(0, len(now)-len(origins)))...)[:len(now)] // without blank lines at the end
	found := make([]bool, len(before)+1)
	for _, n := range origins {
		found[n] = true
	}
	others := map[string]int{}
	for i, line := range slices.Backward(before) {
		if !found[i+1] && hasWords(line) {
			others[line] = i + 1
		}
	}
	for i, line := range now {
		if n := others[line]; n > 0 && origins[i] == 0 {
			origins[i] = n
			delete(others, line)
		}
	}
	return origins, nil
}

// openLines holds the lines of a text without a known author yet: indexes into
// the page's lines, -1 for other lines.
type openLines struct {
	index []int32
	left  int
}

// open adds the lines of a text, without authors.
func (a *authorship) open(text []byte) openLines {
	var open openLines
	for range strings.Lines(edit.Normalize(text)) {
		open.index = append(open.index, int32(len(a.lines)))
		a.lines = append(a.lines, -1)
	}
	open.left = len(a.lines)
	return open
}

// only returns the lines with these numbers; 0 is no line.
func (open openLines) only(numbers []int) openLines {
	few := noLines(len(open.index))
	for _, n := range numbers {
		if n > 0 {
			few.index[n-1] = open.index[n-1]
			few.left++
		}
	}
	return few
}

// noLines returns n lines, none of them open.
func noLines(n int) openLines {
	open := openLines{index: make([]int32, n)}
	for i := range open.index {
		open.index[i] = -1
	}
	return open
}

// leave records that lines are at least as old as a revision.
func (a *authorship) leave(open openLines, r wiki.Revision) {
	last := a.addRevision(r)
	for _, n := range open.index {
		if n >= 0 {
			a.lines[n] = ^last
		}
	}
}

// settle sets the author of lines that the older text doesn't have, and returns
// the other lines' positions in the older text.
func (a *authorship) settle(open openLines, origins []int, by int32) openLines {
	older := noLines(slices.Max(append(origins, 0)))
	for line, n := range open.index {
		switch {
		case n < 0:
		case origins[line] > 0:
			older.index[origins[line]-1] = n
			older.left++
		default:
			a.lines[n] = by
		}
	}
	return older
}

// inherit copies the authors of another text's lines.
func (a *authorship) inherit(open openLines, known *authorship) {
	moved := make(map[int32]int32)
	for line, n := range open.index {
		if n < 0 || line >= len(known.lines) {
			continue
		}
		was, unknown := known.author(line)
		if _, ok := moved[was]; !ok {
			moved[was] = a.addRevision(known.by[was])
		}
		if a.lines[n] = moved[was]; unknown {
			a.lines[n] = ^moved[was]
		}
	}
}

// A revisionList reads a file's revisions on demand, newest first.
type revisionList struct {
	w        *content.Wiki
	path     string
	asOf     int64 // if not 0, path is a file's name before that seq
	before   int64
	read     []wiki.Revision
	complete bool
}

// get returns the i-th revision, nil after the last.
func (p *revisionList) get(ctx context.Context, i int) (*wiki.Revision, error) {
	for i >= len(p.read) && !p.complete {
		const few, many = 16, 500
		n := few
		if len(p.read) > 0 {
			n = many
		}
		more, err := p.history(ctx, n)
		if err != nil {
			return nil, err
		}
		p.complete = len(more) < n
		p.read = append(p.read, more...)
		if len(more) > 0 {
			p.before = more[len(more)-1].Seq
		}
	}
	if i >= len(p.read) {
		return nil, nil
	}
	return &p.read[i], nil
}

// maxBack is how many revisions back sameText looks.
const maxBack = 10

// sameText returns the next older revision with the text of the i-th; 0 if none of the
// next ones has it.
func (p *revisionList) sameText(ctx context.Context, i int) (int, error) {
	for j := i + 1; j <= i+maxBack; j++ {
		r, err := p.get(ctx, j)
		if r == nil || err != nil {
			return 0, err
		}
		if r.New == p.read[i].New {
			return j, nil
		}
	}
	return 0, nil
}

// text returns the text of a revision that get has returned.
func (p *revisionList) text(ctx context.Context, i int) ([]byte, error) {
	data, err := p.w.Blob(ctx, p.read[i].New)
	return pageText(data), err
}

func (p *revisionList) history(ctx context.Context, limit int) ([]wiki.Revision, error) {
	if p.asOf > 0 {
		return p.w.PastHistory(ctx, p.path, p.asOf, p.before, limit)
	}
	return p.w.History(ctx, p.path, p.before, limit)
}

// withFinalNewline ends the last line, so that appending to a text doesn't change
// its last line.
func withFinalNewline(text string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// revisionOrigins is lineOrigins for a revision and the text before it. Lines in which
// links follow a move keep their authors.
func revisionOrigins(ctx context.Context, w *content.Wiki, r wiki.Revision, before, text []byte) ([]int, error) {
	rewrites, err := rewritesLinks(ctx, w, r)
	if err != nil {
		return nil, err
	}
	if rewrites {
		old, now := linesWithoutTargets(before, text)
		return originsInAnyOrder(ctx, w, old, now)
	}
	return lineOrigins(ctx, w, before, text)
}

// linesWithoutTargets returns the lines of two texts without the targets of links.
// Where only the labels of wikilinks differ, as in "[[text|Page]]", these are left out.
func linesWithoutTargets(before, text []byte) (old, now []string) {
	old, now = strings.Split(edit.Normalize(before), "\n"), strings.Split(edit.Normalize(text), "\n")
	sameNumber := len(old) == len(now)
	blank := func(lines []string) {
		for i, line := range lines {
			lines[i], _ = markdown.BlankTargets(line)
		}
	}
	blank(old)
	blank(now)
	for i := range old {
		if sameNumber && old[i] != now[i] && markdown.BlankLabels(old[i]) == markdown.BlankLabels(now[i]) {
			old[i] = now[i]
		}
	}
	return old, now
}

// rewritesLinks reports whether links can have followed a move in a revision. An import
// can change anything in such a commit.
func rewritesLinks(ctx context.Context, w *content.Wiki, r wiki.Revision) (bool, error) {
	if r.Author.Imported || r.Old == "" || r.New == "" || r.Old == r.New {
		return false, nil
	}
	return w.MovesLinks(ctx, r.Seq)
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
