package markdown

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestBlankTargets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		line, blank string
		targets     []string
	}{
		{"no link [x] (y) [[]]", "no link [x] (y) [[]]", nil},
		{"see [[Old Page|the page]] and ![[Pic.png#a]]", "see [[|the page]] and ![[]]", []string{"Old Page", "Pic.png#a"}},
		{`| [[Old\|t]] |`, `| [[\|t]] |`, []string{"Old"}},
		{"[x](/Old_Page?a=b#Next) [y](</Old Page> 'title')", "[x](?a=b#Next) [y](<> 'title')", []string{"/Old_Page", "/Old Page"}},
		{`[x](/a\)b(c)) rest`, `[x]() rest`, []string{`/a\)b(c)`}},
		{"[x]({{< ref \"old.md\" >}}) [y]({{% relref path=`old page` %}})", "[x]({{< ref \"\" >}}) [y]({{% relref path=`` %}})", []string{"old.md", "old page"}},
		{"[x](/Old#Next) [y](#a-1) [z](<#b> 'title') [r]: /Old#c", "[x]() [y]() [z](<> 'title') [r]: ", []string{"/Old", "/Old"}},
		{`<a href="/Old#a">x</a> <a href='#b'>y</a> <a href=#c>z</a> a # b`, `<a href="">x</a> <a href=''>y</a> <a href=>z</a> a # b`, []string{"/Old"}},
		{"[^1]: [[Old]] and [x](/Old)", "[^1]: [[]] and [x]()", []string{"Old", "/Old"}},
		{"[r]: /Old 'title'", "[r]:  'title'", []string{"/Old"}},
		{`<a HREF = "/Old?x">y</a> <img src='/o.png'> <a href=/p>`, `<a HREF = "?x">y</a> <img src=''> <a href=>`, []string{"/Old", "/o.png", "/p"}},
		{"{{Figure|caption=a b|src=old pic.png |width=3}}", "{{Figure|caption=a b|src= |width=3}}", []string{"old pic.png"}},
		{"|SRC = old\\|\"pic'.png}}\n", "|SRC = }}\n", []string{"old\\|\"pic'.png"}},
	} {
		blank, targets := BlankTargets(test.line)
		if blank != test.blank || !slices.Equal(targets, test.targets) {
			t.Errorf("%q: %q %q\nwant %q %q", test.line, blank, targets, test.blank, test.targets)
		}
	}
}

func TestBlankLabels(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"see [[the text|Old Page#a]] and [[B]] | ![[p.png|x|200]]": "see [[the text|]] and [[B]] | ![[p.png|]]",
		`| [[t\|Old]] | a |`: `| [[t\|]] | a |`,
		"a | b [[c|":         "a | b [[c|",
		"[c|d]":              "[c|d]",
	} {
		if got := BlankLabels(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// Every rewrite that the service makes within a line leaves the line without
// its targets as it was.
func TestRewritesChangeOnlyTargets(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		"x [[Old Page]] y", "[[ Old_Page#A b | t_t ]]", "| [[Old Page\\|t]] |", "![[old page#S]]", "[x](/Old_Page)", "[x](/Old%20Page?a=b#Next)",
		`[x](/Old_Page\#a) [y](/Old_Page&#35;a)`, "[x](</Old Page> 'title')", `[x](/Old\_Page "a") [y](/Old&#95;Page)`, "[x](/a(b))", "[![alt](/old.png)](/Old_Page)",
		"[r]: /Old_Page 'title'", "[s]: </Old_Page>", "see: \"[[Old Page]]\"", "a <a title='href=x' HREF = \"/Old_Page?a#b\" href=/Old_Page>x</a>", "<img src='/old.png'>",
		"[^1]: [[Old Page]]", "{{Figure|caption=x|src=Old Page}}", "{{DataTable|header=1|src=\"}}",
	} {
		got, _ := RewriteLinks("P", []byte(source), renamer("P", "P", "Old Page", "New/Page", "old.png", "New/new pic.png", "a(b)", "c(d) [e]", "\"", "New/x"))
		before, _ := BlankTargets(source)
		if after, _ := BlankTargets(string(got)); after != before {
			t.Errorf("%q became %q: %q, want %q", source, got, after, before)
		}
	}
}

// Attack: openers without ends make each search go further.
// Twice the text costs at most 2.5 times the CPU, and 100 KB at most 0.2 s.
func TestBlankTargetsIsLinear(t *testing.T) {
	cpu := func(line string) time.Duration {
		var begin, end syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &begin)
		BlankTargets(line)
		BlankLabels(line)
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &end)
		return time.Duration(end.Utime.Nano() - begin.Utime.Nano())
	}
	for _, piece := range []string{"[[", "](", "](?", "](<", "](&", "href=", "href=?", "href=#", "](#", "](#)", "href=\"", "href=\"?", "[^]:", "|src=", "|src=a ", "[[a", "[[a|", "||", "[[||", "]:\\"} {
		line := strings.Repeat(piece, 100_000/len(piece))
		once, twice := cpu(line), cpu(line+line)
		tooSlow := func() bool { return once > 200*time.Millisecond || twice > once*5/2+20*time.Millisecond }
		for range 4 { // the machine may be busy
			if tooSlow() {
				once, twice = min(once, cpu(line)), min(twice, cpu(line+line))
			}
		}
		if tooSlow() {
			t.Errorf("%q: %v, %v for twice the text", piece, once, twice)
		}
	}
}
