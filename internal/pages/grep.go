package pages

import (
	"context"
	"io"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// A GrepRequest looks for a pattern in the lines of all pages.
type GrepRequest struct {
	Pattern string // text, or with Regex an RE2 expression
	Regex   bool
	Case    bool   // upper and lower case differ
	Prefix  string // of page names
	Context int    // lines around each match
	Limit   int    // matches
	// After is the match to continue after, as "page:line"; "" to start.
	After string
}

// A Match is a matching line with its context.
type Match struct {
	Page     wiki.PageName
	Revision string // blob id
	Line     int
	Lines    []string // without line ends
	First    int      // number of the first of Lines
}

// GrepResult holds the matches of a GrepRequest.
type GrepResult struct {
	Matches []Match
	More    string // After for the next request, "" at the end
	Cut     bool   // a limit on time or work was reached: continue with More
	Skipped bool   // the line of More takes longer than a whole request, so it was skipped
}

// Limits of one request. The work of an expression is its number of instructions
// times the bytes it reads: that bounds the time RE2 takes, at up to 30 ns each.
const (
	maxGrepTime    = 2 * time.Second
	maxGrepWork    = 500_000_000
	maxGrepProgram = 10_000    // instructions
	maxGrepPiece   = 1_000_000 // work between two looks at the clock
	maxGreps       = 4         // at a time; a wiki has one for expressions, and one for text
	maxGrepWait    = 10 * time.Second
)

// Grep finds lines that match. ErrInvalid for an invalid pattern, ErrUnavailable if
// too many other searches of the wiki are waiting.
func (s *Service) Grep(ctx context.Context, a wiki.Access, r GrepRequest) (GrepResult, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return GrepResult{}, err
	}
	defer release()
	pattern, err := newPattern(r)
	if err != nil {
		return GrepResult{}, err
	}
	leave, err := s.enterGrep(ctx, w.Slug(), r.Regex)
	if err != nil {
		return GrepResult{}, err
	}
	defer leave()
	prefix := wiki.Key(strings.TrimPrefix(r.Prefix, "/"))
	fromPage, fromLine := "", 0
	if i := strings.LastIndexByte(r.After, ':'); i > 0 {
		fromPage, fromLine = r.After[:i], parseLineNumber(r.After[i+1:])
	}
	turn, err := s.content.Turns().TakeTurn(ctx, w.Slug())
	if err != nil {
		return GrepResult{}, err
	}
	defer turn.End()
	g := &grepRun{GrepRequest: r, pattern: pattern, meter: newGrepMeter(func() error { return turn.Check(ctx) })}
	for _, file := range d.paths {
		name, ok := wiki.PageOf(file)
		if !ok || !strings.HasPrefix(wiki.Key(string(name)), prefix) || string(name) < fromPage {
			continue
		}
		if g.out.More != "" && g.meter.exhausted() {
			g.out.Cut = true
			return g.out, ctx.Err()
		}
		f, source, err := w.Read(ctx, file)
		if err != nil {
			return GrepResult{}, err
		}
		after := 0
		if string(name) == fromPage {
			after = fromLine
		}
		if done := g.searchPage(name, f.Blob, edit.Normalize(source), after); done {
			return g.out, ctx.Err()
		}
		g.out.More = moreAfter(name, 1_000_000_000)
	}
	g.out.More = ""
	return g.out, nil
}

// enterGrep waits for one of maxGreps slots.
func (s *Service) enterGrep(ctx context.Context, slug string, regex bool) (leave func(), err error) {
	wait, cancel := context.WithTimeout(ctx, maxGrepWait)
	defer cancel()
	leave, err = s.greps.Acquire(wait, slug+":"+strconv.FormatBool(regex))
	if err != nil && ctx.Err() == nil {
		return nil, wiki.Problemf(wiki.ErrUnavailable, "", "Too many searches of this wiki are running. Try again in a few seconds.")
	}
	return leave, err
}

func moreAfter(page wiki.PageName, line int) string { return string(page) + ":" + strconv.Itoa(line) }

func parseLineNumber(text string) (n int) {
	for _, c := range text {
		if c < '0' || c > '9' || n > 1e9 {
			return 0
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// A grepRun is a GrepRequest in progress.
type grepRun struct {
	GrepRequest
	pattern pattern
	meter   *grepMeter
	out     GrepResult
}

// searchPage adds the matches of one page after a line. It reports whether the
// request ends here, at the limit of matches or of work.
func (g *grepRun) searchPage(name wiki.PageName, blob, text string, after int) bool {
	text = strings.TrimSuffix(text, "\n")
	line, start := 1, 0 // of the last match
	done := g.pattern.findLines(g.meter, text, after, func(n int) bool {
		if len(g.out.Matches) == g.Limit {
			last := g.out.Matches[len(g.out.Matches)-1]
			g.out.More = moreAfter(last.Page, last.Line)
			return false
		}
		for ; line < n; line++ {
			start = lineEnd(text, start) + 1
		}
		first, lines := linesAround(text, start, n, g.Context)
		g.out.Matches = append(g.out.Matches, Match{Page: name, Revision: blob, Line: n, First: first, Lines: lines})
		return true
	})
	if g.meter.stoppedIn > 0 {
		g.out.Cut = true
		g.out.Skipped = g.meter.tooLong
		g.out.More = moreAfter(name, g.meter.stoppedIn-1)
		if g.out.Skipped {
			g.out.More = moreAfter(name, g.meter.stoppedIn)
		}
	}
	return !done
}

// linesAround returns line n, which starts at an offset, with up to context lines
// before and after it, and the number of the first.
func linesAround(text string, start, n, context int) (first int, lines []string) {
	first, from, to := n, start, lineEnd(text, start)
	for range context {
		if from > 0 {
			from = strings.LastIndexByte(text[:from-1], '\n') + 1
			first--
		}
		if to < len(text) {
			to = lineEnd(text, to+1)
		}
	}
	return first, strings.Split(text[from:to], "\n")
}

// lineEnd returns the offset of the end of the line with an offset.
func lineEnd(text string, at int) int {
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(text)
}

// A grepMeter stops a request that takes too much time or work, or whose caller
// has left.
type grepMeter struct {
	begun     time.Time
	done      func() error // of the context
	work      int64
	matched   bool // a match was completed
	tooLong   bool // none was: the first line took all the time
	stoppedIn int  // the line in which the request stopped, or 0
}

func newGrepMeter(done func() error) *grepMeter { return &grepMeter{begun: time.Now(), done: done} }

func (m *grepMeter) exhausted() bool {
	return m.work > maxGrepWork || time.Since(m.begun) > maxGrepTime || m.done() != nil
}

// A pattern finds lines: by text or by an expression.
type pattern struct {
	text        string         // as normalize returns it
	matchCase   bool           // for a text
	expression  *regexp.Regexp // or nil
	size        int64          // instructions of the expression
	hasAnchors  bool           // a line can match though the text around it doesn't
	pieceLength int            // bytes to match at a time
}

func newPattern(r GrepRequest) (pattern, error) {
	if r.Pattern == "" || len(r.Pattern) > 1000 {
		return pattern{}, wiki.Problemf(wiki.ErrInvalid, "pattern", "A pattern has 1 to 1,000 characters.")
	}
	if !utf8.ValidString(r.Pattern) {
		return pattern{}, wiki.Problemf(wiki.ErrInvalid, "pattern", "A pattern has to be valid UTF-8.")
	}
	if !r.Regex {
		p := pattern{matchCase: r.Case}
		p.text = p.normalize(r.Pattern)
		return p, nil
	}
	return newExpression(r.Pattern, r.Case)
}

// newExpression compiles an RE2 expression. If it ignores case, (?-i) in it is
// still obeyed.
func newExpression(source string, matchCase bool) (pattern, error) {
	flags, prefix := syntax.Perl, ""
	if !matchCase {
		flags, prefix = flags|syntax.FoldCase, "(?i)"
	}
	parsed, err := syntax.Parse(source, flags)
	if err != nil {
		return pattern{}, wiki.Problemf(wiki.ErrInvalid, "pattern", "Invalid regular expression (RE2 syntax): %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	size := programSize(parsed)
	if size > maxGrepProgram {
		return pattern{}, wiki.Problemf(wiki.ErrInvalid, "pattern", "This expression is too large. Use smaller repeat counts: {1000} repeats what precedes it 1,000 times.")
	}
	expression, err := regexp.Compile(prefix + source)
	if err != nil {
		return pattern{}, wiki.Problemf(wiki.ErrInvalid, "pattern", "Invalid regular expression (RE2 syntax): %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return pattern{
		expression: expression, size: size, hasAnchors: strings.ContainsAny(source, `^$\`),
		pieceLength: int(maxGrepPiece / size),
	}, nil
}

// programSize returns at least the number of instructions that an expression
// compiles to, without compiling it: repeats multiply.
func programSize(re *syntax.Regexp) int64 {
	size := int64(1)
	for _, sub := range re.Sub {
		size += programSize(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return int64(max(1, len(re.Rune)))
	case syntax.OpCapture, syntax.OpStar, syntax.OpAlternate:
		return size + int64(len(re.Sub))
	case syntax.OpRepeat:
		return size * int64(max(re.Max, re.Min+1))
	}
	return size
}

// findLines calls found with the number of each line after a line that matches,
// until it returns false. It reports whether it reached the end.
func (p pattern) findLines(m *grepMeter, text string, after int, found func(line int) bool) bool {
	if p.expression == nil {
		return p.findText(text, after, found)
	}
	line, matchedTo := 0, -1
	for pos := 0; pos <= len(text); {
		line++
		end := lineEnd(text, pos)
		if line <= after {
			pos = end + 1
			continue
		}
		if !p.hasAnchors && matchedTo < pos { // most pieces have no match
			matchedTo = pieceEnd(text, end, pos+p.pieceLength)
			matches, ok := p.match(m, text[pos:matchedTo])
			switch {
			case !ok:
				m.stoppedIn = line
				return false
			case !matches:
				line += strings.Count(text[pos:matchedTo], "\n")
				pos = matchedTo + 1
				continue
			}
		}
		matches, ok := p.match(m, text[pos:end])
		if !ok {
			m.stoppedIn = line
			return false
		}
		if matches && !found(line) {
			return false
		}
		pos = end + 1
	}
	return true
}

// pieceEnd returns the end of the last line that ends before a limit, or of the
// line that ends at end.
func pieceEnd(text string, end, limit int) int {
	if limit >= len(text) {
		return len(text)
	}
	if limit > end {
		return max(end, strings.LastIndexByte(text[:limit], '\n'))
	}
	return end
}

// match reports whether the expression matches a text, and whether it was allowed
// to finish.
func (p pattern) match(m *grepMeter, text string) (matches, ok bool) {
	if m.exhausted() {
		return false, false
	}
	work := p.size * int64(len(text)+1)
	m.work += work
	if work <= 2*maxGrepPiece {
		m.matched = true
		return p.expression.MatchString(text), true
	}
	r := &meteredRunes{from: strings.NewReader(text), meter: m, piece: p.pieceLength}
	matches = p.expression.MatchReader(r)
	m.tooLong = r.stopped && !m.matched
	m.matched = m.matched || !r.stopped
	return matches, !r.stopped
}

// meteredRunes are the runes of a long text. They end when the time is used up.
type meteredRunes struct {
	from    *strings.Reader
	meter   *grepMeter
	piece   int // bytes between two looks at the clock
	read    int // bytes since the last one
	stopped bool
}

func (r *meteredRunes) ReadRune() (rune, int, error) {
	if r.read > r.piece {
		r.read = 0
		r.stopped = time.Since(r.meter.begun) > maxGrepTime || r.meter.done() != nil
	}
	if r.stopped {
		return 0, 0, io.EOF
	}
	c, n, err := r.from.ReadRune()
	r.read += n
	return c, n, err
}

// normalize returns a text in which equal texts have equal bytes. It keeps the lines.
func (p pattern) normalize(text string) string {
	if p.matchCase {
		return strings.ToValidUTF8(text, "\ufffd")
	}
	return foldText(text)
}

// findText is findLines for text, in time linear in it.
func (p pattern) findText(text string, after int, found func(line int) bool) bool {
	if strings.Contains(p.text, "\n") {
		return true
	}
	text = p.normalize(text)
	line := 1
	for pos := 0; ; {
		i := strings.Index(text[pos:], p.text)
		if i < 0 {
			return true
		}
		line += strings.Count(text[pos:pos+i], "\n")
		if line > after && !found(line) {
			return false
		}
		if pos = lineEnd(text, pos+i) + 1; pos > len(text) {
			return true
		}
		line++
	}
}

// foldText returns a text in which letters that differ only in case are the same,
// as (?i) treats them (unicode.SimpleFold). It keeps the lines.
func foldText(text string) string {
	folded := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			if 'a' <= c && c <= 'z' {
				c -= 'a' - 'A'
			}
			folded = append(folded, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		folded = utf8.AppendRune(folded, foldRune(r))
		i += n
	}
	return string(folded)
}

// foldRune returns the smallest of the runes that differ only in case.
func foldRune(r rune) rune {
	smallest := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		smallest = min(smallest, other)
	}
	return smallest
}
