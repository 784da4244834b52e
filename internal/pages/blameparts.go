package pages

import (
	"bytes"
	"context"
	"html/template"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A BlamePart is a run of a page's blocks last changed by the same author.
type BlamePart struct {
	HTML        template.HTML
	By          *wiki.Revision // the newest change; nil if unknown
	First, Last int            // source lines
}

// Bounds on the work for one page. Older lines stay unknown; Blame goes further.
const (
	maxAuthorSteps = 300
	maxAuthorBytes = 16 << 20
	maxAuthorTime  = 300 * time.Millisecond
	maxAuthorLines = 10_000
	maxParts       = 300
)

// authorship holds the author of each line of a revision: an index into by, or -1
// if unknown.
type authorship struct {
	lines []int32
	by    []wiki.Revision
}

func (a *authorship) weight() uint32 {
	n := 100 + 4*len(a.lines)
	for _, r := range a.by {
		n += 400 + len(r.Message) + len(r.Path)
	}
	return uint32(n)
}

func authorshipKey(w *content.Wiki, path, commit string) cacheKey {
	return authorKey("by", w, path+"\x00"+commit)
}

// authorship finds the author of each line of a file. It is cached by commit and
// starts from cached older revisions, so a save usually costs one comparison.
// Consecutive revisions by one author on one day are compared as one.
func (s *Service) authorship(ctx context.Context, w *content.Wiki, f wiki.File, text []byte) (*authorship, error) {
	key := authorshipKey(w, f.Path, f.Commit)
	if c, ok := s.cache.GetIfPresent(key); ok {
		return c.(*authorship), nil
	}
	a := &authorship{}
	if isBinary(text) || bytes.Count(text, []byte("\n")) > maxAuthorLines {
		return a, nil
	}
	past := &revisionList{w: w, path: f.Path, before: f.Seq + 1}
	if err := s.findAuthors(ctx, past, a, text); err != nil {
		return nil, err
	}
	s.cache.Set(key, a)
	return a, nil
}

// findAuthors walks back through the revisions until each line has an author.
func (s *Service) findAuthors(ctx context.Context, past *revisionList, a *authorship, text []byte) error {
	begun, read := time.Now(), 0
	open := openLines{} // of the current text
	for range strings.Lines(edit.Normalize(text)) {
		open.index = append(open.index, int32(len(a.lines)))
		a.lines = append(a.lines, -1)
	}
	open.left = len(a.lines)
	for i, steps := 0, 0; open.left > 0 && steps < maxAuthorSteps && read < maxAuthorBytes && time.Since(begun) < maxAuthorTime; steps++ {
		r, err := past.get(ctx, i)
		if r == nil || err != nil {
			return err
		}
		next, known, err := s.endOfRun(ctx, past, i)
		if err != nil {
			return err
		}
		mine := a.addRevision(*r)
		before, err := past.get(ctx, next)
		if err != nil {
			return err
		}
		if before == nil || before.New == "" { // created here
			a.settle(open, make([]int, len(open.index)), mine)
			return nil
		}
		older, err := past.w.Blob(ctx, before.New)
		if err != nil {
			return err
		}
		read += len(older)
		origins, err := revisionOrigins(ctx, past.w, *r, older, text)
		if err != nil {
			return err
		}
		open = a.settle(open, origins, mine)
		if known != nil {
			a.inherit(open, known)
			return nil
		}
		i, text = next, older
	}
	return nil
}

// endOfRun returns the first revision after the i-th by another author or on
// another day. A rename that rewrites links is a run of its own. It stops early
// at a revision whose authorship is cached, and returns that too.
func (s *Service) endOfRun(ctx context.Context, past *revisionList, i int) (next int, known *authorship, err error) {
	first, err := past.get(ctx, i)
	if err != nil {
		return 0, nil, err
	}
	rename, err := rewritesLinks(ctx, past.w, *first)
	if err != nil {
		return 0, nil, err
	}
	for next = i + 1; ; next++ {
		r, err := past.get(ctx, next)
		if r == nil || err != nil {
			return next, nil, err
		}
		if c, ok := s.cache.GetIfPresent(authorshipKey(past.w, r.Path, r.Commit)); ok && len(c.(*authorship).lines) > 0 {
			return next, c.(*authorship), nil
		}
		if r.New == "" || rename || !isSameRun(*r, *first) {
			return next, nil, nil
		}
		if other, err := rewritesLinks(ctx, past.w, *r); other || err != nil {
			return next, nil, err
		}
	}
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

func (a *authorship) addRevision(r wiki.Revision) int32 {
	a.by = append(a.by, r)
	return int32(len(a.by) - 1)
}

// openLines holds the lines of a text without a known author yet: indexes into
// the page's lines, -1 for other lines.
type openLines struct {
	index []int32
	left  int
}

// settle sets the author of lines that the older text doesn't have, and returns
// the other lines' positions in the older text.
func (a *authorship) settle(open openLines, origins []int, by int32) openLines {
	older := openLines{index: make([]int32, slices.Max(append(origins, 0)))}
	for i := range older.index {
		older.index[i] = -1
	}
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

// inherit copies the known authors of an older text.
func (a *authorship) inherit(open openLines, known *authorship) {
	moved := make(map[int32]int32)
	for line, n := range open.index {
		if n < 0 || line >= len(known.lines) || known.lines[line] < 0 {
			continue
		}
		was := known.lines[line]
		if _, ok := moved[was]; !ok {
			moved[was] = a.addRevision(known.by[was])
		}
		a.lines[n] = moved[was]
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

func (p *revisionList) history(ctx context.Context, limit int) ([]wiki.Revision, error) {
	if p.asOf > 0 {
		return p.w.PastHistory(ctx, p.path, p.asOf, p.before, limit)
	}
	return p.w.History(ctx, p.path, p.before, limit)
}

// parts groups a page's blocks by the author of their newest line. Each part is a
// piece of html, not a copy, so pages of many blocks cost no more than long ones.
func (a *authorship) parts(html template.HTML, blocks []markdown.Block, source []byte) []BlamePart {
	blank := blankLines(source)
	var list []BlamePart
	begin := 0 // of the last part
	for i, b := range blocks {
		p := BlamePart{By: a.newest(b, blank), First: b.First, Last: b.Last}
		if n := len(list); n > 0 && sameAuthor(list[n-1], p) {
			last := &list[n-1]
			last.HTML, last.Last = html[begin:b.End], max(last.Last, p.Last)
			if p.By != nil && p.By.Seq > last.By.Seq {
				last.By = p.By
			}
			continue
		}
		if i > 0 {
			begin = blocks[i-1].End
		}
		p.HTML = html[begin:b.End]
		list = append(list, p)
	}
	if len(list) > maxParts || len(blocks) == 0 && html != "" {
		return []BlamePart{{HTML: html}}
	}
	return list
}

func sameAuthor(a, b BlamePart) bool {
	if a.By == nil || b.By == nil {
		return a.By == nil && b.By == nil
	}
	return shownAuthor(a.By.Author) == shownAuthor(b.By.Author)
}

// newest returns the newest revision of a block's lines. Lines without a known
// author are older than all others; nil if there are only such lines.
func (a *authorship) newest(b markdown.Block, blank []bool) *wiki.Revision {
	var found *wiki.Revision
	for line := b.First; line > 0 && line <= b.Last && line <= len(a.lines); line++ {
		if line <= len(blank) && blank[line-1] {
			continue
		}
		n := a.lines[line-1]
		if n < 0 {
			continue
		}
		if found == nil || a.by[n].Seq > found.Seq {
			found = &a.by[n]
		}
	}
	return found
}

func blankLines(source []byte) []bool {
	var blank []bool
	for line := range bytes.Lines(source) {
		blank = append(blank, len(bytes.TrimSpace(line)) == 0)
	}
	return blank
}
