package edit

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestKeepStyle(t *testing.T) {
	for _, test := range []struct{ name, stored, text, want string }{
		{"lf", "a\nb\n", "a\r\nx\r\n", "a\nx\n"},
		{"crlf", "a\r\nb\r\n", "a\nx\ny\n", "a\r\nx\r\ny\r\n"},
		{"no final newline stays", "a\nb", "a\nb\nc\n", "a\nb\nc"},
		{"final newline stays", "a\nb\n", "a\nc", "a\nc\n"},
		{"bom stays", "\uFEFFa\n", "b\n", "\uFEFFb\n"},
		{"no second bom", "\uFEFFa\n", "\uFEFFb\n", "\uFEFFb\n"},
		{"no new bom", "a\n", "\uFEFFb\n", "b\n"},
		{"mixed: unchanged lines keep theirs", "a\r\nb\nc\r\nd\n", "a\nb\nnew\nc\nd\n", "a\r\nb\nnew\nc\r\nd\n"},
		{"mixed: a changed line keeps its own", "a\r\nb b b b\nc\r\nd\n", "a\nb b b x\nc\nd\n", "a\r\nb b b x\nc\r\nd\n"},
		{"mixed: a replaced line keeps its own", "a\r\nb\nc\r\nd\n", "x\nb\nyy\nd\n", "x\r\nb\nyy\r\nd\n"},
		{"mixed: first line removed", "a\r\nb\nc\r\n", "b\nc\n", "b\nc\r\n"},
		{"mixed: inserted before the first", "a\r\nb\n", "new\na\nb\n", "new\r\na\r\nb\n"},
		{"emptied", "a\n", "", ""},
		{"emptied, mixed", "a\nb\r\n", "", ""},
		{"from empty", "", "a", "a\n"},
	} {
		if got := string(KeepStyle([]byte(test.stored), []byte(test.text))); got != test.want {
			t.Errorf("%s: %q saved as %q gives %q, want %q", test.name, test.stored, test.text, got, test.want)
		}
	}
}

func TestReplaceKeepsLineEnds(t *testing.T) {
	mixed := "a\r\nb\nc\r\nd\ne\rf"
	for _, test := range []struct{ stored, old, with, want string }{
		{mixed, "c", "new", "a\r\nb\nnew\r\nd\ne\rf"},
		{mixed, "b", "new", "a\r\nnew\nc\r\nd\ne\rf"},
		{mixed, "b\nc\nd", "x\ny\nz", "a\r\nx\ny\r\nz\ne\rf"},
		{mixed, "a\nb\n", "b\na\n", "b\r\na\nc\r\nd\ne\rf"},
		{mixed, "b\nc", "b\nbc\nc", "a\r\nb\nbc\nc\r\nd\ne\rf"},
		{mixed, "b\nc\nd", "d", "a\r\nd\ne\rf"},
		{mixed, "b\nc", "bc", "a\r\nbc\r\nd\ne\rf"},
		{mixed, "f", "last", "a\r\nb\nc\r\nd\ne\rlast"},
		{mixed, "a", "first\na", "first\r\na\r\nb\nc\r\nd\ne\rf"},
		{"\uFEFFa\r\nb\n", "a", "x", "\uFEFFx\r\nb\n"},
		{"a\rb\nc\n", "b", "", "a\r\rc\n"}, // not "\r\n"
		{"a\r\nb\r\n", "b", "x\ny", "a\r\nx\r\ny\r\n"},
		{"a\nb", "b", "x", "a\nx"},
	} {
		got := string(ReplaceKeepingStyle([]byte(test.stored), strings.Index(Normalize([]byte(test.stored)), test.old), test.old, test.with))
		if got != test.want {
			t.Errorf("%q with %q replaced by %q: got %q, want %q", test.stored, test.old, test.with, got, test.want)
		}
	}
}

// Lines outside a replacement keep their bytes, and lines inside get the text
// asked for.
func TestReplaceKeepsOtherLines(t *testing.T) {
	end := rapid.SampledFrom([]string{"\n", "\r\n"})
	rapid.Check(t, func(t *rapid.T) {
		var lines, ends []string
		for range rapid.IntRange(1, 8).Draw(t, "lines") {
			lines, ends = append(lines, rapid.StringMatching("[abc]{0,3}").Draw(t, "line")), append(ends, end.Draw(t, "end"))
		}
		written := func(from, to int) string {
			var s strings.Builder
			for i := from; i < to; i++ {
				s.WriteString(lines[i] + ends[i])
			}
			return s.String()
		}
		from := rapid.IntRange(0, len(lines)-1).Draw(t, "from")
		to := rapid.IntRange(from+1, len(lines)).Draw(t, "to")
		old := strings.Join(lines[from:to], "\n") // without the last one's end
		with := strings.Join(rapid.SliceOfN(rapid.StringMatching("[abc]{1,3}"), 1, 5).Draw(t, "with"), "\n")
		if strings.Trim(Normalize([]byte(written(0, len(lines)))), "\n") == "" {
			return // no style to keep
		}
		got := string(ReplaceKeepingStyle([]byte(written(0, len(lines))), len(Normalize([]byte(written(0, from)))), old, with))
		inside, ok := strings.CutPrefix(got, written(0, from))
		inside, ok2 := strings.CutSuffix(inside, written(to, len(lines)))
		if !ok || !ok2 || Normalize([]byte(inside)) != with+"\n" {
			t.Fatalf("%q, lines %d to %d become %q: %q", written(0, len(lines)), from, to, with, got)
		}
		if have := lineEnds([]byte(inside)); strings.Count(old, "\n") == strings.Count(with, "\n") && !slices.Equal(have, ends[from:to]) {
			t.Fatalf("%q, lines %d to %d become %q with ends %q: %q", written(0, len(lines)), from, to, with, have, got)
		}
	})
}

// Any range can be replaced, also one that begins and ends within lines.
func TestReplaceAnyRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stored := rapid.StringMatching("(\uFEFF)?([ab]{0,2}(\n|\r\n|\r)){0,6}[ab]{0,2}").Draw(t, "stored")
		plain := Normalize([]byte(stored))
		if strings.Trim(plain, "\n") == "" {
			return // no style to keep
		}
		from := rapid.IntRange(0, len(plain)-1).Draw(t, "from")
		to := rapid.IntRange(from+1, len(plain)).Draw(t, "to")
		with := rapid.StringMatching("([abc]{0,2}\n){0,3}[abc]{0,2}").Draw(t, "with")
		got := string(ReplaceKeepingStyle([]byte(stored), from, plain[from:to], with))
		want := strings.TrimRight(plain[:from]+with+plain[to:], "\n")
		if have := strings.TrimRight(Normalize([]byte(got)), "\n"); have != want {
			t.Fatalf("%q with %q replaced by %q: got %q", stored, plain[from:to], with, got)
		}
		if again := string(KeepStyle([]byte(got), []byte(Normalize([]byte(got))))); again != got {
			t.Fatalf("%q saved again gives %q", got, again)
		}
	})
}

func TestKeepStyleKeepsText(t *testing.T) {
	line := rapid.StringMatching("[ab]{0,2}")
	end := rapid.SampledFrom([]string{"\n", "\r\n", "\r"})
	text := rapid.Custom(func(t *rapid.T) string {
		var s strings.Builder
		if rapid.Bool().Draw(t, "bom") {
			s.WriteString(byteOrderMark)
		}
		for range rapid.IntRange(0, 6).Draw(t, "lines") {
			s.WriteString(line.Draw(t, "line"))
			s.WriteString(end.Draw(t, "end"))
		}
		return s.String() + line.Draw(t, "last")
	})
	rapid.Check(t, func(t *rapid.T) {
		stored, typed := text.Draw(t, "stored"), text.Draw(t, "typed")
		got := KeepStyle([]byte(stored), []byte(typed))
		want := strings.TrimRight(Normalize([]byte(typed)), "\n")
		if have := strings.TrimRight(Normalize(got), "\n"); have != want {
			t.Fatalf("%q saved over %q gives %q", typed, stored, got)
		}
		if again := KeepStyle([]byte(stored), []byte(Normalize([]byte(stored)))); string(again) != stored {
			t.Fatalf("%q unchanged gives %q", stored, again)
		}
		if twice := KeepStyle(got, []byte(Normalize(got))); string(twice) != string(got) {
			t.Fatalf("%q saved again gives %q", got, twice)
		}
	})
}
