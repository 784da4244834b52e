package pages

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// A GrepRequest looks for a pattern in the lines of all pages.
type GrepRequest struct {
	Pattern string // text, ignoring case, or with Regex an RE2 expression
	Regex   bool
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
	Cut     bool   // the time limit was reached: continue with More
}

// maxGrepTime bounds one request: RE2 takes time linear in the text, but a wiki
// can contain 50 MB of it.
const maxGrepTime = 2 * time.Second

// Grep finds lines that match. ErrInvalid for an invalid pattern.
func (s *Service) Grep(ctx context.Context, a wiki.Access, r GrepRequest) (GrepResult, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return GrepResult{}, err
	}
	defer release()
	pattern, err := grepPattern(r)
	if err != nil {
		return GrepResult{}, err
	}
	prefix := wiki.Key(strings.TrimPrefix(r.Prefix, "/"))
	fromPage, fromLine := "", 0
	if i := strings.LastIndexByte(r.After, ':'); i > 0 {
		fromPage, fromLine = r.After[:i], parseLineNumber(r.After[i+1:])
	}
	var out GrepResult
	begun := time.Now()
	for _, file := range d.paths {
		name, ok := wiki.PageOf(file)
		if !ok || !strings.HasPrefix(wiki.Key(string(name)), prefix) || string(name) < fromPage {
			continue
		}
		if time.Since(begun) > maxGrepTime {
			out.Cut = true
			return out, nil
		}
		f, source, err := w.Read(ctx, file)
		if err != nil {
			return GrepResult{}, err
		}
		text := edit.Normalize(source)
		after := 0
		if string(name) == fromPage {
			after = fromLine
		}
		if more := grepText(&out, pattern, name, f.Blob, text, after, r); more {
			return out, nil
		}
		out.More = string(name) + ":1000000000"
	}
	out.More = ""
	return out, nil
}

func parseLineNumber(text string) (n int) {
	for _, c := range text {
		if c < '0' || c > '9' || n > 1e9 {
			return 0
		}
		n = 10*n + int(c-'0')
	}
	return n
}

func grepPattern(r GrepRequest) (*regexp.Regexp, error) {
	text := r.Pattern
	if !r.Regex {
		text = "(?i)" + regexp.QuoteMeta(text)
	}
	if r.Pattern == "" || len(text) > 1000 {
		return nil, wiki.Problemf(wiki.ErrInvalid, "pattern", "A pattern has 1 to 1,000 characters.")
	}
	pattern, err := regexp.Compile(text)
	if err != nil {
		return nil, wiki.Problemf(wiki.ErrInvalid, "pattern", "Invalid regular expression (RE2 syntax): %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return pattern, nil
}

// grepText adds the matches of one page. It reports whether there are more than
// the limit.
func grepText(out *GrepResult, pattern *regexp.Regexp, name wiki.PageName, blob, text string, after int, r GrepRequest) bool {
	if !pattern.MatchString(text) && !strings.ContainsAny(r.Pattern, `^$\`) {
		return false
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		if i+1 <= after || !pattern.MatchString(line) {
			continue
		}
		if len(out.Matches) == r.Limit {
			last := out.Matches[len(out.Matches)-1]
			out.More = string(last.Page) + ":" + strconv.Itoa(last.Line)
			return true
		}
		first, last := max(0, i-r.Context), min(len(lines), i+r.Context+1)
		out.Matches = append(out.Matches, Match{Page: name, Revision: blob, Line: i + 1, First: first + 1, Lines: lines[first:last]})
	}
	return false
}
