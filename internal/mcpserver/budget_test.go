package mcpserver

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"robot.wtf/internal/tokens"
)

// scripts returns texts in several scripts: Japanese and so on.
func scripts(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../tokens/testdata/*.md")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	texts := map[string]string{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[strings.TrimSuffix(filepath.Base(file), ".md")] = string(raw)
	}
	return texts
}

// within fails the test if an answer costs more than a number of tokens.
func (w *world) within(most int, token, tool string, arguments ...any) string {
	w.T.Helper()
	text := w.ok(token, tool, arguments...)
	if n := tokens.Estimate(text); n > most {
		w.T.Errorf("%s %v: %d tokens, more than %d", tool, arguments, n, most)
	}
	return text
}

var restLines = regexp.MustCompile(`The rest: read_page with lines "(\d+-\d+)"`)

// TestReadsStayWithinTokens reads pages of every script, as a member wrote them
// and as a stranger did, which adds the fence.
func TestReadsStayWithinTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, text := range scripts(t) {
		long := strings.Repeat(text+"\n", 40_000/len(text)+1)
		w.save("ada", "ada", "Long/"+name, long)
		w.save("ada", "ada", "Line/"+name, strings.ReplaceAll(long, "\n", " "))
		for _, page := range []string{"Long/" + name, "Line/" + name} {
			w.within(2500, "ada/editor", "read_page", "path", page)
			w.within(2500, "ada/editor", "read_page", "path", page, "view", "full")
			w.within(20_000, "ada/editor", "read_page", "path", page, "view", "full", "max_tokens", 99_999)
			w.within(6000, "ada/editor", "read_pages", "items", []string{page, "Long/" + name + "#none", page, page})
		}
		head, shown, _ := strings.Cut(w.within(2500, "ada/editor", "read_page", "path", "Long/"+name, "view", "full"), "\n")
		if n := tokens.Estimate(shown); n < 1000 {
			t.Errorf("%s: only %d tokens after %s", name, n, head)
		}
	}
}

func TestReadsGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := strings.Repeat(scripts(t)["japanese"]+"\n", 20)
	w.save("ada", "ada", "Garden", want)
	got, lines := "", "1-"
	for range 50 {
		text := w.within(2500, "ada/editor", "read_page", "path", "Garden", "lines", lines)
		_, text, _ = strings.Cut(text, "\n")
		next := restLines.FindStringSubmatch(text)
		if next == nil {
			got += text
			break
		}
		shown, _, _ := strings.Cut(text, "\nCut. The rest:")
		got += shown + "\n"
		lines = next[1]
	}
	// A cut at a blank line leaves that line to neither answer's text.
	fold := func(s string) string { return strings.Join(strings.Fields(s), "\n") }
	if fold(got) != fold(want) {
		t.Errorf("%d bytes of %d", len(got), len(want))
	}
}

// TestCutLineGivesNoCredit shows a part of a line: the revision must not say
// that the line was read.
func TestCutLineGivesNoCredit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Line", strings.Repeat("word ", 4000)+"\nend\n")
	w.save("ada", "ada", "One", strings.Repeat("word ", 4000))
	for _, page := range []string{"Line", "One"} {
		text := w.within(2500, "ada/editor", "read_page", "path", page)
		if !strings.Contains(text, "~0 20,0") || !strings.Contains(text, "Line 1 is cut after ") {
			t.Errorf("%.200s … %s", text, text[len(text)-200:])
		}
		rev := aRevision.FindStringSubmatch(text)[1]
		w.fails("haven't read the whole page", "ada/editor", "replace_page", "path", page, "revision", rev, "content", "x")
	}
	if text := w.ok("ada/editor", "read_page", "path", "Line"); !strings.Contains(text, `The rest: read_page with lines "2-2"`) {
		t.Error(text[len(text)-200:])
	}
	if text := w.ok("ada/editor", "read_pages", "items", []string{"One"}, "max_tokens", 200); !strings.Contains(text, `Cut: One. The rest: read_page with lines "1-1"`) {
		t.Error(text)
	}
}

func TestMaxCharsIsConverted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Long", strings.Repeat("Some words of a long page.\n", 500))
	a := w.within(500, "ada/editor", "read_page", "path", "Long", "max_chars", 2000)
	if b := w.ok("ada/editor", "read_page", "path", "Long", "max_tokens", 500); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}

// TestListsStayWithinTokens fills a wiki with long Japanese names and lines,
// and follows each list to its end.
func TestListsStayWithinTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	line := strings.ReplaceAll(scripts(t)["japanese"], "\n", "")
	for i := range 60 {
		name := fmt.Sprintf("庭/冬の庭の手入れと来年の計画についての覚え書き、道具と種と堆肥_%02d", i)
		w.save("ada", "ada", name, fmt.Sprintf("# 庭 %d\n\n%s [[Home]] #冬の庭の計画\n", i, line))
	}
	for _, list := range []struct {
		tool string
		args []any
		want int
	}{
		{"list_pages", []any{"path_prefix", "庭/"}, 60},
		{"grep", []any{"pattern", "霜"}, 60},
		{"links", []any{"path", "Home", "kind", "in"}, 60},
		{"links", []any{"kind", "stale"}, 60},
		{"changes", []any{"path", "庭/"}, 60},
		{"search", []any{"query", "冬の庭", "mode", "keyword"}, 60},
	} {
		seen := map[string]bool{}
		args := list.args
		for range 60 {
			text := w.within(2500, "ada/editor", list.tool, args...)
			for _, m := range regexp.MustCompile(`堆肥_(\d\d)`).FindAllStringSubmatch(text, -1) {
				seen[m[1]] = true
			}
			cursor := regexp.MustCompile(`cursor "([^"]+)"`).FindStringSubmatch(text)
			if cursor == nil {
				break
			}
			args = append(list.args[:len(list.args):len(list.args)], "cursor", cursor[1])
		}
		if len(seen) != list.want {
			t.Errorf("%s %v: %d of %d pages", list.tool, list.args, len(seen), list.want)
		}
	}
	w.within(2500, "ada/editor", "list_pages", "depth", 5)
	w.within(2500, "ada/editor", "wiki_overview", `{}`)
	w.within(10_500, "ada/editor", "grep", "pattern", "霜", "limit", 200)
}

func TestAgentsPageIsCutInPrompts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "AGENTS", strings.Repeat(scripts(t)["japanese"], 60))
	a := w.post(posted{token: "ada/editor", slug: "ada", body: `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"orient"}}`})
	if n := tokens.Estimate(a.text); a.StatusCode != 200 || n > 8000 || !strings.Contains(a.text, "The rest is on the page AGENTS") {
		t.Errorf("%d tokens: %.200s", n, a.text)
	}
}
