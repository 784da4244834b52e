package markdown

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// hostileShapes are pages that make parsers slow or their output large, as
// functions of their size in bytes. Many are from the tests of cmark and
// GitHub.
var hostileShapes = map[string]func(n int) string{
	"nested emphasis":              surround("*a **a ", "b", " a** a*"),
	"emphasis closers":             repeat("a_ "),
	"emphasis openers":             repeat("_a "),
	"mixed emphasis":               repeat("*a_ "),
	"strong and emphasis":          repeat("a**b c* "),
	"stars":                        repeat("*"),
	"stars and letters":            repeat("*a"),
	"underscores and letters":      repeat("a_b"),
	"tildes":                       repeat("~~a "),
	"marks":                        repeat("==a "),
	"marks closed":                 surround("==a ", "b", " a=="),
	"all delimiters":               repeat("*_~~==a "),
	"link closers":                 repeat("a]"),
	"link openers":                 repeat("[a"),
	"link openers and emphasis":    repeat("[ a_"),
	"unclosed destinations":        repeat("[a](b"),
	"unclosed angled destinations": repeat("[a](<b"),
	"empty destinations":           repeat("[a]("),
	"unclosed titles":              repeat(`[a](b "c `),
	"links":                        repeat("[a](b) "),
	"one long destination, often": func(n int) string {
		return "[a]: javascript:" + strings.Repeat("é", min(n/4, 30_000)) + "\n\n" + strings.Repeat("[a]\n\n", n/10)
	},
	"one path, often": func(n int) string {
		return "[a]: /" + strings.Repeat("x/../", min(n/8, 780)) + "\n\n" + strings.Repeat("[a]\n\n", n/10)
	},
	"one long path, often": func(n int) string {
		return "[a]: /" + strings.Repeat("x/../", min(n/8, 12_000)) + "\n\n" + strings.Repeat("![a]\n\n", n/10)
	},
	"images":                       repeat("![a](b.png) "),
	"nested images":                surround("![", "a", "](b)"),
	"nested brackets":              surround("[", "a", "]"),
	"opening brackets":             repeat("["),
	"brackets and bangs":           repeat("!["),
	"references":                   repeat("[a][b] "),
	"reference openers":            repeat("[a]["),
	"definitions":                  number("[a%d]: /b\n"),
	"definitions and uses":         number("[a%d]: /b\n\n[a%[1]d]\n\n"),
	"unfinished definitions":       repeat("[a]: <b\n"),
	"definitions with long titles": repeat("[a]: b 'c\n"),
	"long labels":                  repeat("[" + strings.Repeat("a", 997) + "]"),
	"notes":                        number("[^%d]: a\n\n[^%[1]d]\n\n"),
	"notes at one place":           func(n int) string { return strings.Repeat("[^1] ", n/5) + "\n\n[^1]: a\n" },
	"notes in notes":               number("[^%d]: [^%[1]d]\n"),
	"note openers":                 repeat("[^"),
	"wikilinks":                    number("[[Page %d]] "),
	"wikilink openers":             repeat("[["),
	"one wikilink often":           repeat("[[a|b]]\n\n"),
	"embeds":                       number("![[Page %d]]\n\n"),
	"quotes on a line":             repeat(">"),
	"quotes with blanks":           repeat("> "),
	"quotes, deep, many lines":     func(n int) string { return strings.Repeat(strings.Repeat(">", 99)+"a\n", n/101) },
	"quotes, shrinking":            func(n int) string { return shrinkingRuns(n, "> ") },
	"lists, deep":                  func(n int) string { return growingLines(n, "  ", "- a\n") },
	"lists on a line":              repeat("- "),
	"numbers on a line":            repeat("1. "),
	"list items":                   repeat("- a\n"),
	"list items apart":             repeat("- a\n\n"),
	"lists and quotes":             repeat("- > "),
	"tasks":                        repeat("- [x] a\n"),
	"folds":                        repeat(">! "),
	"boxes":                        repeat("::: info\n"),
	"boxes, each deeper": func(n int) string {
		var b strings.Builder
		for i := 3; b.Len() < n; i++ {
			b.WriteString(strings.Repeat(":", i) + "\n")
		}
		return b.String()
	},
	"alerts":                   repeat("> [!NOTE]\n> a\n\n"),
	"definition lists":         repeat("a\n: b\n"),
	"definition, deep":         func(n int) string { return growingLines(n, "  ", "a\n: b\n") },
	"wide table":               func(n int) string { return table(n/6, 3) },
	"large table":              func(n int) string { return table(100, n/200) },
	"padded table":             func(n int) string { return table(128, 2) + strings.Repeat("a\n", n/2) },
	"many tables":              repeat("|a|b|\n|-|-|\n|c|\n\n"),
	"pipes":                    repeat("|"),
	"rules of tables":          repeat("a\n-|-\n"),
	"escaped pipes in code":    func(n int) string { return "|a|\n|-|\n" + strings.Repeat("|`\\|`|\n", n/7) },
	"headings":                 repeat("# a\n"),
	"headings, empty":          repeat("#\n"),
	"setext headings":          repeat("a\n=\n"),
	"headings of numbers":      number("# a-%d\n"),
	"backticks":                func(n int) string { return runs(n, "`", "e") },
	"backticks apart":          repeat("` `` "),
	"backslashes":              repeat(`\\`),
	"ampersands":               repeat("&"),
	"references of characters": repeat("&amp;&#42;&#x41;&nosuch;"),
	"tags of HTML":             repeat("<a>"),
	"unclosed tags":            repeat("<a "),
	"attributes":               func(n int) string { return "<a " + strings.Repeat("b='c' ", n/6) + ">" },
	"ends of tags":             repeat("</b>"),
	"blocks of HTML":           repeat("<div>\n\n"),
	"blocks in blocks":         repeat("<div>"),
	"comments":                 repeat("<!-- a -->"),
	"unclosed comments":        repeat("a <!-- "),
	"instructions":             repeat("a <?"),
	"declarations":             repeat("a <!A "),
	"CDATA":                    repeat("a <![CDATA["),
	"entities in HTML":         repeat("<b>&amp;</b>"),
	"auto links":               repeat("https://a.b/ "),
	"mail":                     repeat("a.b@c.d "),
	"at signs":                 repeat("a@"),
	"dots and ats":             repeat("a.a@a.a."),
	"angled addresses":         repeat("<https://a.b>"),
	"formulas":                 repeat("$a$ "),
	"formula openers":          repeat("$$\n\na\n"),
	"dollars":                  repeat("$"),
	"embedding openers":        repeat("{{Ab\n\n"),
	"tags":                     number("#tag%d "),
	"hashes":                   repeat("a #"),
	"fences":                   repeat("```\n"),
	"fences, growing":          func(n int) string { return runs(n, "```", "\n") },
	"code, colored":            func(n int) string { return "```go\n" + strings.Repeat("x := \"a\" + 1 // b\n", n/18) + "```\n" },
	"code, much of it":         repeat("```js\nlet a = /b/g;\n```\n"),
	"code, unclosed text":      func(n int) string { return "```python\n" + strings.Repeat("'''\"\\", n/5) + "\n```\n" },
	"code, brackets":           func(n int) string { return "```markdown\n" + strings.Repeat("[a](*b_", n/7) + "\n```\n" },
	"one line":                 repeat("a"),
	"blanks":                   repeat(" "),
	"tabs":                     repeat("\t"),
	"line ends":                repeat("\n"),
	"carriage returns":         repeat("\r"),
	"zero bytes":               repeat("\x00"),
	"no UTF-8":                 repeat("\xff"),
	"accents":                  repeat("a\u0301"),
	"words":                    repeat("Some plain words in a line of text.\n"),
	"angles":                   repeat("<"),
	"quotes to escape":         repeat(`"'`),
	"front matter, flow":       func(n int) string { return "---\na: " + strings.Repeat("[", n) + "\n---\n" },
	"front matter, list":       func(n int) string { return "---\n" + strings.Repeat("- ", n/2) + "\n---\n" },
	"front matter, bomb":       func(n int) string { return "---\n" + deepNesting(n) + "---\n" },
	"front matter, keys":       func(n int) string { return "---\n" + number("k%d: v\n")(min(n, 16<<10)) + "---\n" },
	"front matter, quotes":     func(n int) string { return "---\na: " + strings.Repeat("'\"", n/2) + "\n---\n" },
	"front matter, deep":       func(n int) string { return "---\n" + growingLines(n, " ", "a:\n") + "---\n" },
	"front matter, open":       func(n int) string { return "---\n" + strings.Repeat("a: b\n", n/5) },
	"front matter, markers":    func(n int) string { return "---\n" + strings.Repeat("? ", n/2) + "\n---\n" },
	"front matter, tags":       func(n int) string { return "---\n" + strings.Repeat("!!a ", n/4) + "b\n---\n" },
	"front matter, block":      func(n int) string { return "---\na: |\n" + strings.Repeat("  b\n", n/4) + "---\n" },
}

func repeat(s string) func(int) string {
	return func(n int) string { return strings.Repeat(s, n/len(s)) }
}

func surround(before, middle, after string) func(int) string {
	return func(n int) string {
		k := n / (len(before) + len(after))
		return strings.Repeat(before, k) + middle + strings.Repeat(after, k)
	}
}

func number(form string) func(int) string {
	return func(n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			fmt.Fprintf(&b, form, i)
		}
		return b.String()
	}
}

func growingLines(n int, indent, line string) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		for l := range strings.Lines(line) {
			b.WriteString(strings.Repeat(indent, i) + l)
		}
	}
	return b.String()
}

func shrinkingRuns(n int, mark string) string {
	var b strings.Builder
	for i := 99; b.Len() < n; i = (i + 98) % 99 {
		b.WriteString(strings.Repeat(mark, i) + "a\n\n")
	}
	return b.String()
}

func runs(n int, mark, between string) string {
	var b strings.Builder
	for i := 1; b.Len() < n; i++ {
		b.WriteString(between + strings.Repeat(mark, i))
	}
	return b.String()
}

func table(columns, rows int) string {
	row := strings.Repeat("|a", columns) + "|\n"
	return row + strings.Repeat("|-", columns) + "|\n" + strings.Repeat(row, rows)
}

func deepNesting(n int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x]\n")
	for i := 1; b.Len() < n; i++ {
		fmt.Fprintf(&b, "a%d: &a%[1]d [*a%d, *a%[2]d]\n", i, i-1)
	}
	return b.String()
}

// breakLines splits a page that is one long line, which the line limit would
// refuse, into lines or paragraphs.
func breakLines(s, between string, width int) string {
	var b strings.Builder
	for len(s) > width {
		b.WriteString(s[:width] + between)
		s = s[width:]
	}
	return b.String() + s
}

// A hostilePage is one shape in one size.
type hostilePage struct {
	name, source string
	part         bool // of another page: rendering it is enough
}

// hostilePages are all shapes in two sizes; the long list also goes up to
// the page limit, and to paragraphs just below the paragraph limits.
func hostilePages() []hostilePage {
	sizes := []int{500, 4 << 10}
	if os.Getenv("ROBOT_LONG") != "" {
		sizes = append(sizes, 9<<10, maxSource-10<<10)
	}
	var list []hostilePage
	for _, name := range slices.Sorted(maps.Keys(hostileShapes)) {
		for _, n := range sizes {
			source := hostileShapes[name](n)
			list = append(list, hostilePage{fmt.Sprintf("%s, %d", name, n), source, false})
			if n > 1<<20/2 {
				list = append(list,
					hostilePage{name + ", lines", breakLines(source, "\n", 60_000), true},
					hostilePage{name + ", paragraphs", breakLines(source, "\n\n", 3900), true},
					hostilePage{name + ", short paragraphs", breakLines(source, "\n\n", 998), true})
			}
		}
	}
	return list
}

// processorTime is this process's CPU time. The limits assume an idle
// machine; this one may be busy.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// TestHostilePages: every operation on any page ends within 2 s and 8 MiB,
// with safe HTML or a Problem that names the limit.
func TestHostilePages(t *testing.T) {
	if len(hostileShapes) < 60 {
		t.Fatalf("only %d shapes", len(hostileShapes))
	}
	r := rendererWithTimeout(renderTimeout)
	for _, p := range hostilePages() {
		source := []byte(p.source)
		began, used := time.Now(), processorTime(t)
		page, err := r.Render(t.Context(), "Page", source, &world{all: true})
		took := time.Since(began)
		used = processorTime(t) - used
		var problem *wiki.Problem
		switch {
		case err != nil && (!errors.As(err, &problem) || problem.Kind != wiki.ErrTooLarge || !strings.HasPrefix(problem.Message, "T") && !strings.HasPrefix(problem.Message, "Line ")):
			t.Errorf("%s: %v", p.name, err)
		case took > renderTimeout+3*time.Second || used > renderTimeout+time.Second:
			t.Errorf("%s: rendered in %v, of the processor %v", p.name, took, used)
		case err == nil && len(page.HTML) > maxOutput:
			t.Errorf("%s: %d bytes of output", p.name, len(page.HTML))
		case err == nil && len(page.HTML) < 1<<20:
			checkSafe(t, string(page.HTML))
		}
		if p.part || len(source) < 3<<10 {
			continue
		}
		for what, f := range map[string]func(){
			"facts":    func() { ExtractFacts("Page", source) },
			"text":     func() { PlainText(source) },
			"sections": func() { Sections(source) },
			"rewrite":  func() { RewriteLinks("Page", "Dir/Page", source, renamer("a", "b")) },
		} {
			before := processorTime(t)
			f()
			if used := processorTime(t) - before; used > renderTimeout+time.Second {
				t.Errorf("%s: %s in %v", p.name, what, used)
			}
		}
	}
}

// TestLimits: a page just below each limit renders; above it, the Problem
// names the limit.
func TestLimits(t *testing.T) {
	lines := func(n int) string { return strings.Repeat(strings.Repeat("a", 1023)+"\n", n) }
	for _, test := range []struct {
		name, below, above, says string
	}{
		{"bytes", lines(1024), lines(1024) + "a", "1,048,576 bytes"},
		{"line", strings.Repeat("a", maxLine), strings.Repeat("a", maxLine+1), "Line 1 of this page is longer than 65,536 bytes"},
		{"later line", "a\n\n" + strings.Repeat("a", maxLine), "a\n\n" + strings.Repeat("a", maxLine+1), "Line 3"},
		{"quotes", strings.Repeat("> ", maxDepth) + "a", strings.Repeat("> ", maxDepth+1) + "a", "100 deep"},
		{"lists", strings.Repeat("- ", maxDepth) + "a", strings.Repeat("- ", maxDepth+1) + "a", "100 deep"},
		{"columns", table(128, 1), table(129, 1), "128 columns"},
		{"escaped bars", "|a|\n|-|\n" + strings.Repeat("|`\\|`|\n", 1000), "|a|\n|-|\n" + strings.Repeat("|`\\|`|\n", 1001), "1,000 escaped bars"},
		{"cells", table(100, 199), table(100, 200), "20,000 cells"},
		{"padded cells", table(100, 1) + strings.Repeat("a\n", 198), table(100, 1) + strings.Repeat("a\n", 199), "20,000 cells"},
		{"cells of two tables", table(100, 99) + "\n" + table(100, 99), table(100, 99) + "\n" + table(100, 100), "20,000 cells"},
		{"brackets", strings.Repeat("[", 1000), strings.Repeat("[", 1001), "1,000 brackets"},
		{"brackets of two paragraphs", strings.Repeat("[", 1000) + "\n\n" + strings.Repeat("![", 1000), strings.Repeat("![", 1001), "1,000 brackets"},
		{"brackets of a heading", "# " + strings.Repeat("[", 1000), "# " + strings.Repeat("[", 1001), "1,000 brackets"},
		{"brackets in code", "```\n" + strings.Repeat("[", 5000) + "\n```\n", strings.Repeat("[", 1001), "1,000 brackets"},
		{"emphasis", strings.Repeat("*a ", 5000), strings.Repeat("*a ", 5001), "5,000 marks of emphasis"},
		{"definitions", number("[a%d]: /b\n")(55_000), strings.Repeat("[a]: /b\n\n", 5001), "5,000 references and notes"},
		{"notes", "[^1]: a\n\n" + strings.Repeat("[^1] "+"a\n\n", 4990), strings.Repeat("[^1] a\n\n", 10001), "5,000 notes"},
		{"nesting of HTML", strings.Repeat("<div>\n\n", 90), "", ""},
		{"output", strings.Repeat("# a\n", 10_000), strings.Repeat("# a\n", 100_000), "8 MiB when rendered"},
	} {
		if _, err := shared.Render(t.Context(), "Page", []byte(test.below), &world{all: true}); err != nil {
			t.Errorf("%s, below the limit: %v", test.name, err)
		}
		_, err := shared.Render(t.Context(), "Page", []byte(test.above), &world{all: true})
		if test.says == "" {
			continue
		}
		if !errors.Is(err, wiki.ErrTooLarge) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s, above the limit: %v, want %q", test.name, err, test.says)
		}
	}
}

// slowResolver is a resolver that blocks until released.
type slowResolver struct {
	answer chan bool
	asked  chan bool
	called atomic.Int32
}

func (s *slowResolver) Resolve(ctx context.Context, _ wiki.LinkKind, _, _ string) Target {
	s.called.Add(1)
	s.asked <- true
	<-s.answer
	return Target{}
}

// A canceled render waits for nothing and doesn't use the resolver
// afterwards, because its storage may be closed by then.
func TestRenderCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &slowResolver{answer: make(chan bool), asked: make(chan bool, 10)}
	done := make(chan error)
	go func() {
		_, err := shared.Render(ctx, "Page", []byte("[[A]]\n\n[[B]]\n\n[[C]]\n"), s)
		done <- err
	}()
	<-s.asked
	cancel()
	select {
	case err := <-done:
		t.Fatalf("returned (%v) while the resolver was still being asked", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(s.answer)
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	before := s.called.Load()
	time.Sleep(50 * time.Millisecond)
	if after := s.called.Load(); after != before || after > 2 {
		t.Errorf("asked %d times before it returned, %d after", before, after)
	}
}

// A render without a free slot times out like a slow one.
func TestConcurrentRendersAreLimited(t *testing.T) {
	r := rendererWithTimeout(20 * time.Millisecond)
	for range cap(r.slots) {
		r.slots <- struct{}{}
	}
	began := time.Now()
	_, err := r.Render(t.Context(), "Page", []byte("a"), &world{})
	if !errors.Is(err, wiki.ErrTooLarge) || time.Since(began) > 5*time.Second {
		t.Errorf("got %v after %v", err, time.Since(began))
	}
}
