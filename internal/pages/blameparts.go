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

// A Part is a run of a page's blocks that the same hand wrote last.
type BlamePart struct {
	HTML        template.HTML
	By          *wiki.Revision // its newest change; nil where that is not known
	First, Last int            // lines of the source
}

// What looking for the authors of a page may cost. What it does not reach is
// left unknown; blame goes further.
const (
	railSteps    = 300
	railBytes    = 16 << 20
	railPatience = 300 * time.Millisecond
	railLines    = 10_000
	maxParts     = 300
)

// authorship says who wrote each line of a revision: an index into by, -1 where
// it is not known.
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
	return cacheKey{"by", w.Slug(), path + "\x00" + commit}
}

// authorship finds who wrote the lines of a file as of the commit that made it
// so. It is remembered, and begins from what is remembered of older revisions:
// as a rule a save costs one comparison. Neighbouring revisions of one hand on
// one day are compared as one.
func (s *Service) authorship(ctx context.Context, w *content.Wiki, f wiki.File, text []byte) (*authorship, error) {
	key := authorshipKey(w, f.Path, f.Commit)
	if c, ok := s.cache.GetIfPresent(key); ok {
		return c.(*authorship), nil
	}
	a := &authorship{}
	if isBinary(text) || bytes.Count(text, []byte("\n")) > railLines {
		return a, nil
	}
	past := &past{w: w, path: f.Path, before: f.Seq + 1}
	if err := s.walk(ctx, past, a, text); err != nil {
		return nil, err
	}
	s.cache.Set(key, a)
	return a, nil
}

// walk goes back through the past until each line has its author.
func (s *Service) walk(ctx context.Context, past *past, a *authorship, text []byte) error {
	begun, read := time.Now(), 0
	open := openLines{} // of the text at hand
	for range strings.Lines(edit.Normalize(text)) {
		open.at = append(open.at, int32(len(a.lines)))
		a.lines = append(a.lines, -1)
	}
	open.left = len(a.lines)
	for i, steps := 0, 0; open.left > 0 && steps < railSteps && read < railBytes && time.Since(begun) < railPatience; steps++ {
		r, err := past.at(ctx, i)
		if r == nil || err != nil {
			return err
		}
		next, known, err := s.stretch(ctx, past, i)
		if err != nil {
			return err
		}
		mine := a.author(*r)
		before, err := past.at(ctx, next)
		if err != nil {
			return err
		}
		if before == nil || before.New == "" { // it began here
			a.settle(open, make([]int, len(open.at)), mine)
			return nil
		}
		older, err := past.w.Blob(ctx, before.New)
		if err != nil {
			return err
		}
		read += len(older)
		open = a.settle(open, origins(older, text), mine)
		if known != nil {
			a.inherit(open, known)
			return nil
		}
		i, text = next, older
	}
	return nil
}

// stretch is where the revisions end that count as one with the i-th, and what
// is remembered of the one where they end. They end early at one whose authors
// are remembered.
func (s *Service) stretch(ctx context.Context, past *past, i int) (next int, known *authorship, err error) {
	first, err := past.at(ctx, i)
	if err != nil {
		return 0, nil, err
	}
	for next = i + 1; ; next++ {
		r, err := past.at(ctx, next)
		if r == nil || err != nil {
			return next, nil, err
		}
		if c, ok := s.cache.GetIfPresent(authorshipKey(past.w, r.Path, r.Commit)); ok && len(c.(*authorship).lines) > 0 {
			return next, c.(*authorship), nil
		}
		if r.New == "" || !sameHand(*r, *first) {
			return next, nil, nil
		}
	}
}

// sameHand reports whether two revisions are by the same author on the same day.
func sameHand(a, b wiki.Revision) bool {
	return hand(a.Author) == hand(b.Author) && a.Time.UTC().Truncate(24*time.Hour).Equal(b.Time.UTC().Truncate(24*time.Hour))
}

// hand is an author as readers tell them apart.
func hand(a wiki.Author) wiki.Author {
	a.Client, a.Grant = "", ""
	return a
}

func (a *authorship) author(r wiki.Revision) int32 {
	a.by = append(a.by, r)
	return int32(len(a.by) - 1)
}

// openLines are the lines of a text whose authors are still looked for: indexes
// into the lines of the page, -1 for the others.
type openLines struct {
	at   []int32
	left int
}

// settle gives the lines that an older text did not have to their author, and
// keeps the others open where they were there.
func (a *authorship) settle(open openLines, origins []int, by int32) openLines {
	older := openLines{at: make([]int32, slices.Max(append(origins, 0)))}
	for i := range older.at {
		older.at[i] = -1
	}
	for line, n := range open.at {
		switch {
		case n < 0:
		case origins[line] > 0:
			older.at[origins[line]-1] = n
			older.left++
		default:
			a.lines[n] = by
		}
	}
	return older
}

// inherit takes over what is known of an older text.
func (a *authorship) inherit(open openLines, known *authorship) {
	moved := make(map[int32]int32)
	for line, n := range open.at {
		if n < 0 || line >= len(known.lines) || known.lines[line] < 0 {
			continue
		}
		was := known.lines[line]
		if _, ok := moved[was]; !ok {
			moved[was] = a.author(known.by[was])
		}
		a.lines[n] = moved[was]
	}
}

// A past is a file's revisions, newest first, read as they are needed.
type past struct {
	w      *content.Wiki
	path   string
	before int64
	read   []wiki.Revision
	whole  bool
}

// at is the i-th revision, nil when there are no more.
func (p *past) at(ctx context.Context, i int) (*wiki.Revision, error) {
	for i >= len(p.read) && !p.whole {
		const few, many = 16, 500
		n := few
		if len(p.read) > 0 {
			n = many
		}
		more, err := p.w.History(ctx, p.path, p.before, n)
		if err != nil {
			return nil, err
		}
		p.whole = len(more) < n
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

// parts puts a page's blocks together by who wrote them last: of a block's
// lines the newest counts.
func (a *authorship) parts(html template.HTML, blocks []markdown.Block, source []byte) []BlamePart {
	blank := blankLines(source)
	var list []BlamePart
	at := 0
	for _, b := range blocks {
		p := BlamePart{HTML: html[at:b.End], By: a.newest(b, blank), First: b.First, Last: b.Last}
		at = b.End
		if n := len(list); n > 0 && joins(list[n-1], p) {
			last := &list[n-1]
			last.HTML, last.Last = last.HTML+p.HTML, max(last.Last, p.Last)
			if p.By != nil && p.By.Seq > last.By.Seq {
				last.By = p.By
			}
			continue
		}
		list = append(list, p)
	}
	if len(list) > maxParts || len(blocks) == 0 && html != "" {
		return []BlamePart{{HTML: html}}
	}
	return list
}

func joins(a, b BlamePart) bool {
	if a.By == nil || b.By == nil {
		return a.By == nil && b.By == nil
	}
	return hand(a.By.Author) == hand(b.By.Author)
}

// newest is the newest revision that wrote a line of a block. Lines whose author
// is unknown are older than all that are known; nil if all are.
func (a *authorship) newest(b markdown.Block, blank []bool) *wiki.Revision {
	var found *wiki.Revision
	for line := b.First; line > 0 && line <= b.Last && line <= len(a.lines); line++ {
		if line <= len(blank) && blank[line-1] {
			continue
		}
		n := a.lines[line-1]
		if n < 0 {
			continue // older than all that is known
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
