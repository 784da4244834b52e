package markdown

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

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

// hostilePages are all shapes in one size, or in two in a slow run; the long list also
// goes up to the page limit, and to paragraphs just below the paragraph limits.
func hostilePages() []hostilePage {
	sizes := []int{500, 4 << 10}
	if !slow.Enabled() {
		sizes = []int{3 << 10}
	} else if os.Getenv("ROBOT_LONG") != "" {
		sizes = append(sizes, 9<<10, maxSource-10<<10)
	}
	var list []hostilePage
	for _, name := range slices.Sorted(maps.Keys(hostile.Pages)) {
		for _, n := range sizes {
			source := hostile.Pages[name](n)
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

// TestHostilePages: every operation on any page ends within 2 s and 8 MiB,
// with safe HTML or a Problem that names the limit.
func TestHostilePages(t *testing.T) {
	if len(hostile.Pages) < 60 {
		t.Fatalf("only %d shapes", len(hostile.Pages))
	}
	r := rendererWithTimeout(renderTimeout)
	for _, p := range hostilePages() {
		source := []byte(p.source)
		used := hostile.CPU()
		page, err := r.Render(t.Context(), "ada", "Page", source, &world{all: true})
		used = hostile.CPU() - used
		var problem *wiki.Problem
		switch {
		case err != nil && (!errors.As(err, &problem) || problem.Kind != wiki.ErrTooLarge || !strings.HasPrefix(problem.Message, "T") && !strings.HasPrefix(problem.Message, "Line ")):
			t.Errorf("%s: %v", p.name, err)
		case used > renderTimeout+time.Second:
			t.Errorf("%s: took %v of the processor", p.name, used)
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
			"rewrite":  func() { RewriteLinks("Page", source, renamer("Page", "Dir/Page", "a", "b")) },
		} {
			before := hostile.CPU()
			f()
			if used := hostile.CPU() - before; used > renderTimeout+time.Second {
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
		{"definition lists", nestedDefinitions(maxDepth), nestedDefinitions(maxDepth + 1), "100 deep"},
		{"columns", hostile.Table(128, 1), hostile.Table(129, 1), "128 columns"},
		{"escaped bars", "|a|\n|-|\n" + strings.Repeat("|`\\|`|\n", 1000), "|a|\n|-|\n" + strings.Repeat("|`\\|`|\n", 1001), "1,000 escaped bars"},
		{"cells", hostile.Table(100, 199), hostile.Table(100, 200), "20,000 cells"},
		{"padded cells", hostile.Table(100, 1) + strings.Repeat("a\n", 198), hostile.Table(100, 1) + strings.Repeat("a\n", 199), "20,000 cells"},
		{"cells of two tables", hostile.Table(100, 99) + "\n" + hostile.Table(100, 99), hostile.Table(100, 99) + "\n" + hostile.Table(100, 100), "20,000 cells"},
		{"brackets", strings.Repeat("[", 1000), strings.Repeat("[", 1001), "1,000 brackets"},
		{"brackets of two paragraphs", strings.Repeat("[", 1000) + "\n\n" + strings.Repeat("![", 1000), strings.Repeat("![", 1001), "1,000 brackets"},
		{"brackets of a heading", "# " + strings.Repeat("[", 1000), "# " + strings.Repeat("[", 1001), "1,000 brackets"},
		{"brackets in code", "```\n" + strings.Repeat("[", 5000) + "\n```\n", strings.Repeat("[", 1001), "1,000 brackets"},
		{"emphasis", strings.Repeat("*a ", 5000), strings.Repeat("*a ", 5001), "5,000 marks of emphasis"},
		{"definitions", hostile.Number("[a%d]: /b\n")(55_000), strings.Repeat("[a]: /b\n\n", 5001), "5,000 references and notes"},
		{"notes", "[^1]: a\n\n" + strings.Repeat("[^1] "+"a\n\n", 4990), strings.Repeat("[^1] a\n\n", 10001), "5,000 notes"},
		{"nesting of HTML", strings.Repeat("<div>\n\n", 90), "", ""},
		{"output", strings.Repeat("# a\n", 10_000), strings.Repeat("# a\n", 100_000), "8 MiB when rendered"},
	} {
		if _, err := shared.Render(t.Context(), "ada", "Page", []byte(test.below), &world{all: true}); err != nil {
			t.Errorf("%s, below the limit: %v", test.name, err)
		}
		_, err := shared.Render(t.Context(), "ada", "Page", []byte(test.above), &world{all: true})
		if test.says == "" {
			continue
		}
		if !errors.Is(err, wiki.ErrTooLarge) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s, above the limit: %v, want %q", test.name, err, test.says)
		}
	}
}

func nestedDefinitions(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat("  ", i) + "a\n" + strings.Repeat("  ", i) + ": b\n")
	}
	return b.String()
}

// slowResolver is a resolver that blocks until released.
type slowResolver struct {
	answer chan bool
	asked  chan bool
	called atomic.Int32
}

func (s *slowResolver) Resolve(ctx context.Context, _ wiki.Link, _ string) Target {
	s.called.Add(1)
	s.asked <- true
	<-s.answer
	return Target{}
}

// A canceled render waits for nothing and doesn't use the resolver
// afterwards, because its storage may be closed by then.
func TestRenderCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := New(Options{})
	s := &slowResolver{answer: make(chan bool), asked: make(chan bool, 10)}
	done := make(chan error)
	go func() {
		_, err := r.Render(ctx, "ada", "Page", []byte("[[A]]\n\n[[B]]\n\n[[C]]\n"), s)
		done <- err
	}()
	<-s.asked
	cancel()
	select {
	case err := <-done:
		t.Fatalf("returned (%v) while the resolver was still being asked", err)
	case <-time.After(20 * time.Millisecond): // it waits for a lock, which no bubble of synctest sees
	}
	close(s.answer)
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	before := s.called.Load()
	release, err := r.slots.AcquireUnits(t.Context(), "ada", int64(runtime.GOMAXPROCS(0))) // the render has ended
	if err != nil {
		t.Fatal(err)
	}
	release()
	if after := s.called.Load(); after != before || after > 2 {
		t.Errorf("asked %d times before it returned, %d after", before, after)
	}
}

// Attack: a wiki's pages render slowly, with little text that embeds a lot, and go on
// after their time is up. They hold that wiki's share of the slots until they end.
// Other wikis' pages render meanwhile.
func TestSlowRendersHoldTheirWikisShare(t *testing.T) {
	r := rendererWithTimeout(20 * time.Millisecond)
	r.wait = 20 * time.Millisecond
	share := runtime.GOMAXPROCS(0)
	s := &slowResolver{answer: make(chan bool), asked: make(chan bool, 10*share)}
	var renders sync.WaitGroup
	gaveUp := make(chan bool, 3*share)
	for range 3 * share {
		renders.Go(func() {
			if _, err := r.Render(t.Context(), "eve", "Page", []byte("![[A]]"), s); !errors.Is(err, wiki.ErrUnavailable) {
				t.Errorf("a slow render: %v", err)
			}
			gaveUp <- true
		})
	}
	for range share {
		<-s.asked
	}
	for range 2 * share { // the others got no slot
		<-gaveUp
	}
	if _, err := r.Render(t.Context(), "eve", "Page", []byte("a"), &world{}); !errors.Is(err, wiki.ErrUnavailable) {
		t.Errorf("the same wiki: %v", err)
	}
	r.wait = 10 * time.Second
	if _, err := r.Render(t.Context(), "ada", "Page", []byte("a"), &world{}); err != nil {
		t.Errorf("another wiki: %v", err)
	}
	close(s.answer)
	renders.Wait()
	if n := int(s.called.Load()); n != share {
		t.Errorf("%d slow renders ran, want the share of %d", n, share)
	}
	if _, err := r.Render(t.Context(), "eve", "Page", []byte("a"), &world{}); err != nil {
		t.Errorf("after the slow renders have ended: %v", err)
	}
}

// Attack: many renders that go on after their time is up. None of them gives its slot
// back before it ends.
func TestLateRendersKeepTheirSlots(t *testing.T) {
	r := New(Options{})
	r.wait = time.Millisecond
	slow := []byte(hostile.Pages["code, colored"](60 << 10)) // goes on for 0.4 s
	for range runtime.GOMAXPROCS(0) {
		if _, err := r.Render(t.Context(), "eve", "Page", slow, &world{}); !errors.Is(err, wiki.ErrUnavailable) {
			t.Errorf("a slow render: %v", err)
		}
	}
	if _, ok := r.slots.TryAcquire("eve"); ok {
		t.Error("a render gave its slot back before it ended")
	}
	release, ok := r.slots.TryAcquire("ada")
	if !ok {
		t.Fatal("another wiki has no slot")
	}
	release()
}

// sleepyResolver answers late, as on a busy machine.
type sleepyResolver struct{}

func (sleepyResolver) Resolve(context.Context, wiki.Link, string) Target {
	time.Sleep(time.Second)
	return Target{URL: "/A", Exists: true, Name: "A", Source: "text"}
}

// Waiting doesn't count as work: only a render's own processor time ends it, also in
// pages that it embeds.
func TestPatienceIsProcessorTime(t *testing.T) {
	r := New(Options{Patience: 30 * time.Millisecond})
	synctest.Test(t, func(t *testing.T) {
		if _, err := r.Render(t.Context(), "ada", "Page", []byte("[[A]] [[B]]"), sleepyResolver{}); err != nil {
			t.Errorf("a render that waited for 2 s: %v", err)
		}
	})
	slow := strings.Repeat("*a*\n\n", 60_000)
	for _, source := range []string{slow, "![[A]]"} {
		_, err := r.Render(t.Context(), "ada", "Page", []byte(source), &world{pages: map[string]string{"A": slow}})
		if !OutOfTime(err) || !errors.Is(err, wiki.ErrTooLarge) {
			t.Errorf("a render of %.10q, which takes more than 30 ms: %v", source, err)
		}
	}
}

// Attack: a large page embeds many of its own sections, and finding each one parses
// the page.
func TestOwnEmbedsAreBounded(t *testing.T) {
	text := strings.Repeat(strings.Repeat("word ", 100)+"\n", 1500) + "\n\n"
	for i := range 2000 {
		text += fmt.Sprintf("![[#Section %d]]\n\n", i)
	}
	begun := hostile.CPU()
	if _, err := shared.Render(t.Context(), "ada", "Design/VPS", []byte(text), &world{self: "Design/VPS"}); err != nil {
		t.Log(err)
	}
	if took := hostile.CPU() - begun; took > 3*time.Second {
		t.Errorf("%v of CPU", took)
	}
}
