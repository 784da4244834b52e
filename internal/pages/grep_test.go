package pages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"regexp/syntax"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

func TestGrep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("A/One", "first Line\r\nsecond line\nthird\n")
	w.put("B", "line four\nfive\n\nline six")
	for _, test := range []struct {
		r    GrepRequest
		want string
	}{
		{GrepRequest{Pattern: "LINE"}, "A/One:1 A/One:2 B:1 B:4"},
		{GrepRequest{Pattern: "line", Prefix: "a/"}, "A/One:1 A/One:2"},
		{GrepRequest{Pattern: "^line", Regex: true}, "B:1 B:4"},
		{GrepRequest{Pattern: "e$", Regex: true}, "A/One:1 A/One:2 B:2"},
		{GrepRequest{Pattern: "l.ne"}, ""},
		{GrepRequest{Pattern: "L.NE|FI(v)e", Regex: true}, "A/One:1 A/One:2 B:1 B:2 B:4"},
		{GrepRequest{Pattern: "Line", Case: true}, "A/One:1"},
		{GrepRequest{Pattern: "LINE", Case: true}, ""},
		{GrepRequest{Pattern: "L.ne", Regex: true, Case: true}, "A/One:1"},
		{GrepRequest{Pattern: "(?i)L.NE", Regex: true, Case: true, Prefix: "B"}, "B:1 B:4"},
		{GrepRequest{Pattern: "(?-i)Line", Regex: true}, "A/One:1"},
	} {
		test.r.Limit = 1
		var got []string
		for {
			found, err := w.Grep(w.t.Context(), w.reader, test.r)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range found.Matches {
				got = append(got, fmt.Sprintf("%s:%d", m.Page, m.Line))
			}
			if test.r.After = found.More; found.More == "" {
				break
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%+v: %v, want %s", test.r, got, test.want)
		}
	}
	found, err := w.Grep(w.t.Context(), w.reader, GrepRequest{Pattern: "five", Limit: 5, Context: 1})
	if err != nil || len(found.Matches) != 1 || strings.Join(found.Matches[0].Lines, "|") != "line four|five|" || found.Matches[0].First != 1 {
		t.Errorf("%+v %v", found, err)
	}
	if _, err := w.Grep(w.t.Context(), w.reader, GrepRequest{Pattern: "(", Regex: true}); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

// grepAll greps until the end, and returns the matches as "page:line". It fails if
// a request doesn't advance.
func (w *world) grepAll(t *testing.T, r GrepRequest) (matches []string, requests int) {
	t.Helper()
	for range 100 {
		requests++
		found, err := w.Grep(w.t.Context(), w.reader, r)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range found.Matches {
			matches = append(matches, fmt.Sprintf("%s:%d", m.Page, m.Line))
		}
		if found.More == "" {
			return matches, requests
		}
		r.After = found.More
	}
	t.Fatalf("%+v doesn't end", r)
	return nil, 0
}

// hostilePatterns are expensive for the text of their page.
var hostilePatterns = []struct {
	name  string
	r     GrepRequest
	text  func(n int) string // n times the input
	again bool               // takes more than one request
}{
	{"counted options, one line", GrepRequest{Pattern: `(?:a?){500}z`, Regex: true}, func(n int) string { return strings.Repeat("a", 400_000*n) }, true},
	{"counted options, lines", GrepRequest{Pattern: `(?:a?){500}z`, Regex: true}, func(n int) string { return strings.Repeat("aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 13_000*n) }, true},
	{"large classes", GrepRequest{Pattern: `[\pL\d]{900}!`, Regex: true}, func(n int) string { return strings.Repeat("ä", 200_000*n) }, true},
	{"many counted options", GrepRequest{Pattern: strings.Repeat(`(?:a?){300}`, 10) + "z", Regex: true}, func(n int) string { return strings.Repeat("a", 60_000*n) }, true},
	{"anchors", GrepRequest{Pattern: `^.{900}z$`, Regex: true}, func(n int) string { return strings.Repeat(strings.Repeat("x", 899)+"\n", 40*n) }, false},
	{"text", GrepRequest{Pattern: strings.Repeat("a", 999) + "b"}, func(n int) string { return strings.Repeat("a", 400_000*n) }, false},
	{"counted options that fold", GrepRequest{Pattern: `(?:ǆ?){500}z`, Regex: true}, func(n int) string { return strings.Repeat("ǅ", 200_000*n) }, true},
	{"text that folds", GrepRequest{Pattern: strings.Repeat("ſ", 400)}, func(n int) string { return strings.Repeat("ßs", 100_000*n) }, false},
	{"empty lines", GrepRequest{Pattern: `\pN`, Regex: true}, func(n int) string { return strings.Repeat("\n", 400_000*n) }, false},
	{"ordinary", GrepRequest{Pattern: `(foo|bar)[0-9]+`, Regex: true}, func(n int) string { return strings.Repeat("lorem ipsum dolor sit amet\n", 15_000*n) }, false},
}

// Attack: a reader sends an expression that takes minutes on a large page. The
// request ends in time, says that it is incomplete, and another wiki's search
// doesn't wait for it.
func TestHostilePatterns(t *testing.T) {
	w := newWorld(t)
	w.put("Before", "Nothing here.\n")
	for _, test := range hostilePatterns {
		if test.again && os.Getenv("ROBOT_LONG") == "" && (test.name != hostilePatterns[0].name || !slow.Enabled()) {
			continue // each takes maxGrepTime
		}
		w.put("Page", test.text(1))
		test.r.Limit = 10
		before := grepCPU(t)
		begun := time.Now()
		found, err := w.Grep(w.t.Context(), w.reader, test.r)
		used, took := grepCPU(t)-before, time.Since(begun)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: CPU %s, %s, %+v", test.name, used, took, found)
		if used > maxGrepTime+time.Second/2 || took > maxGrepTime+time.Second { // the machine may be busy
			t.Errorf("%s: CPU %s, %s", test.name, used, took)
		}
		if found.Cut != (found.More != "") {
			t.Errorf("%s: %+v", test.name, found)
		}
		if test.again {
			continue
		}
		if _, requests := w.grepAll(t, test.r); requests > 3 {
			t.Errorf("%s: %d requests", test.name, requests)
		}
	}
}

// The work on a text grows with its length, and no faster.
func TestGrepIsLinear(t *testing.T) {
	slow.Test(t)
	for _, test := range hostilePatterns {
		p, err := newPattern(test.r)
		if err != nil {
			t.Fatal(err)
		}
		cost := func(text string) time.Duration {
			before := grepCPU(t)
			m := newGrepMeter(func() error { return nil })
			m.begun = time.Now().Add(time.Hour)
			p.findLines(m, text, 0, func(int) bool { return true })
			return grepCPU(t) - before
		}
		full := test.text(1)
		short := full[:len(full)/64&^1] // "ä" has two bytes
		once, twice := time.Hour, time.Hour
		for range 5 { // the machine may be busy
			once, twice = min(once, cost(short)), min(twice, cost(short+"\n"+short))
			if twice < once*5/2+5*time.Millisecond {
				break
			}
		}
		if twice > once*5/2+5*time.Millisecond {
			t.Errorf("%s: %s, doubled %s", test.name, once, twice)
		}
	}
}

// grepCPU is the process's CPU time.
func grepCPU(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A line that takes more than a request's time is skipped, so that cursors
// advance; the lines around it are found.
func TestGrepSkipsLinesThatTakeTooLong(t *testing.T) {
	t.Parallel()
	p, err := newPattern(GrepRequest{Pattern: `(?:a?){500}z`, Regex: true})
	if err != nil {
		t.Fatal(err)
	}
	g := &grepRun{GrepRequest: GrepRequest{Limit: 10}, pattern: p, meter: newGrepMeter(func() error { return nil })}
	text := "aaz\n" + strings.Repeat("a", 200_000) + "\naaz\n"
	g.meter.begun = time.Now().Add(150*time.Millisecond - maxGrepTime)
	if done := g.searchPage("Page", "", text, 0); !done || !g.out.Cut || g.out.Skipped || g.out.More != "Page:1" || len(g.out.Matches) != 1 {
		t.Errorf("first request: %v %+v", done, g.out)
	}
	g.out, g.meter = GrepResult{}, newGrepMeter(func() error { return nil })
	g.meter.begun = time.Now().Add(150*time.Millisecond - maxGrepTime)
	if done := g.searchPage("Page", "", text, 1); !done || !g.out.Cut || !g.out.Skipped || g.out.More != "Page:2" {
		t.Errorf("second request: %v %+v", done, g.out)
	}
	g.out, g.meter = GrepResult{}, newGrepMeter(func() error { return nil })
	if done := g.searchPage("Page", "", text, 2); done || len(g.out.Matches) != 1 || g.out.Matches[0].Line != 3 {
		t.Errorf("third request: %v %+v", done, g.out)
	}
}

// Every line is a place to stop: when the time or the work is used up, and when the
// caller leaves.
func TestGrepStopsAtEveryLine(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*grepMeter){
		"time":    func(m *grepMeter) { m.begun = time.Now().Add(-maxGrepTime) },
		"work":    func(m *grepMeter) { m.work = maxGrepWork + 1 },
		"context": func(m *grepMeter) { m.done = func() error { return context.Canceled } },
	} {
		for _, expression := range []string{"a", "^a"} {
			p, err := newPattern(GrepRequest{Pattern: expression, Regex: true})
			if err != nil {
				t.Fatal(err)
			}
			g := &grepRun{GrepRequest: GrepRequest{Limit: 10}, pattern: p, meter: newGrepMeter(func() error { return nil })}
			text := strings.Repeat("a\n", 100)
			g.pattern.findLines(g.meter, text, 0, func(line int) bool {
				if line == 3 {
					stop(g.meter)
				}
				return true
			})
			if g.meter.stoppedIn != 4 {
				t.Errorf("%s, %s: stopped in line %d", name, expression, g.meter.stoppedIn)
			}
		}
	}
}

// Expressions whose program would be huge are refused before they are compiled.
func TestGrepRefusesLargeExpressions(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{strings.Repeat(`(a?){999}`, 100), strings.Repeat(`\pL{999}`, 100), strings.Repeat(`a{999}`, 100), `((a{10}b?){10}c{1,1000}){9}`} {
		before := grepCPU(t)
		_, err := newPattern(GrepRequest{Pattern: pattern, Regex: true})
		wantKind(t, err, wiki.ErrInvalid)
		if used := grepCPU(t) - before; used > time.Second {
			t.Errorf("%.20s: %s", pattern, used)
		}
	}
	for _, pattern := range []string{`a`, `[a-z]+x{3,9}`, `(foo|bar|(?i)baz)*$`, `\bword\b.{0,80}\bother\b`, `x{1000}`, `(?:a?){500}z`, `(a|b)+(c{2,}){3}`, `\pL{50}`, `[^x]*?y??`, `[kK]ſ|k(?i:s)+`} {
		for _, flags := range []syntax.Flags{syntax.Perl, syntax.Perl | syntax.FoldCase} {
			parsed, err := syntax.Parse(pattern, flags)
			if err != nil {
				t.Fatal(err)
			}
			size := programSize(parsed)
			program, err := syntax.Compile(parsed.Simplify())
			if err != nil {
				t.Fatal(err)
			}
			if real := int64(len(program.Inst)); size+2 < real || size > 2*real+4 {
				t.Errorf("%s: %d instructions, estimated %d", pattern, real, size)
			}
		}
		if _, err := newPattern(GrepRequest{Pattern: pattern, Regex: true}); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

// Attack: one wiki searches without end, in many requests. Another wiki's searches
// proceed, and so do searches for text in the same wiki.
func TestOneWikiHoldsOneGrep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	leave, err := w.enterGrep(w.t.Context(), "eve", true)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	waits, cancel := context.WithTimeout(w.t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := w.enterGrep(waits, "eve", true); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second expression: %v", err)
	}
	for _, other := range []struct {
		slug  string
		regex bool
	}{{"eve", false}, {"ada", true}, {"bob", true}} {
		leave, err := w.enterGrep(w.t.Context(), other.slug, other.regex)
		if err != nil {
			t.Fatalf("%v: %v", other, err)
		}
		defer leave()
	}
}

// Text matches as an expression does, and each line and its context is what
// splitting the page into lines gives.
func TestGrepFindsWhatARegexpFinds(t *testing.T) {
	t.Parallel()
	texts := []string{
		"", "\n", "a", "a\n\nb\n", "Kelvin K k\nſtrasse SS\nß ẞ\n\nΣίσυφος ς\nend", strings.Repeat("lorem ipsum\n", 300) + "NEEDLE\n" + strings.Repeat("dolor\n", 300),
		"bad \xff byte\n\ufffd sign\n", "\n\n\nx\n\n\n", "last\nline",
	}
	patterns := []string{"k", "K", "ss", "ſ", "σ", "needle", "\ufffd", "x", "a\nb", "e", "o", "İ", "ẞ", " "}
	for _, text := range texts {
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		for _, pattern := range patterns {
			for _, r := range []GrepRequest{
				{Pattern: pattern}, {Pattern: pattern, Case: true}, {Pattern: regexp.QuoteMeta(pattern), Regex: true},
				{Pattern: "^.*" + regexp.QuoteMeta(pattern), Regex: true}, {Pattern: regexp.QuoteMeta(pattern) + `\b.?$`, Regex: true, Case: true},
			} {
				source := r.Pattern
				if !r.Regex {
					source = regexp.QuoteMeta(pattern)
				}
				if !r.Case {
					source = "(?i)" + source
				}
				expression := regexp.MustCompile(source)
				p, err := newPattern(r)
				if err != nil {
					t.Fatal(err)
				}
				for _, length := range []int{1, 8, p.pieceLength} {
					p.pieceLength = length
					for _, after := range []int{0, 1, 3} {
						g := &grepRun{GrepRequest: GrepRequest{Limit: 10_000, Context: 2}, pattern: p, meter: newGrepMeter(func() error { return nil })}
						g.searchPage("Page", "", text, after)
						var want []Match
						for i, line := range lines {
							if i >= after && expression.MatchString(line) {
								first := max(0, i-2)
								want = append(want, Match{Page: "Page", Line: i + 1, First: first + 1, Lines: lines[first:min(len(lines), i+3)]})
							}
						}
						if diff := cmp.Diff(want, g.out.Matches); diff != "" {
							t.Fatalf("%q in %.60q after %d, pieces of %d: %s", r.Pattern, text, after, length, diff)
						}
					}
				}
			}
		}
	}
}
