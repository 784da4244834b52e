package pages

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"robot.wtf/internal/wiki"
)

// What an editor sends is what it was given, in the line ends of a form or of
// JSON. Without a change there must be no commit, whatever the stored style.
func TestSavingWithoutAChangeMakesNoCommit(t *testing.T) {
	w := newWorld(t)
	stored := map[string]string{
		"lf":               "one\ntwo\n\nthree\n",
		"crlf":             "one\r\ntwo\r\n\r\nthree\r\n",
		"cr":               "one\rtwo\r",
		"mixed":            "one\r\ntwo\nthree\r\n\nfour\r",
		"bom":              "\uFEFFone\ntwo\n",
		"bom and crlf":     "\uFEFFone\r\ntwo",
		"no final newline": "one\ntwo",
		"many at the end":  "one\n\n\n",
		"blanks":           "  one  \n\t\n",
		"one line":         "one",
		"newline alone":    "\n",
		"empty":            "",
		"bom alone":        "\uFEFF",
		"leading newline":  "\n\none\n",
	}
	for name, text := range stored {
		w.put("P/"+name, text)
	}
	before := w.head()
	for name, text := range stored {
		form, err := w.Edit(w.ctx, w.editor, "P/"+name, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, end := range []string{"\n", "\r\n"} {
			done, err := w.Save(w.ctx, w.editor, SaveRequest{
				Precondition: Precondition{Base: form.Base}, Name: "P/" + name,
				Text: []byte(strings.ReplaceAll(string(form.Text), "\n", end)),
			})
			if err != nil || !done.Unchanged || w.head() != before {
				t.Errorf("%s, line ends %q: %+v, %v", name, end, done, err)
			}
			if got := w.text("P/" + name); got != text {
				t.Errorf("%s: stored %q, now %q", name, text, got)
			}
		}
	}
}

func TestAnEditKeepsTheStyle(t *testing.T) {
	for _, test := range []struct{ name, stored, text, want string }{
		{"lf", "a\nb\n", "a\r\nx\r\n", "a\nx\n"},
		{"crlf", "a\r\nb\r\n", "a\nx\ny\n", "a\r\nx\r\ny\r\n"},
		{"no final newline stays", "a\nb", "a\nb\nc\n", "a\nb\nc"},
		{"final newline stays", "a\nb\n", "a\nc", "a\nc\n"},
		{"bom stays", "\uFEFFa\n", "b\n", "\uFEFFb\n"},
		{"no second bom", "\uFEFFa\n", "\uFEFFb\n", "\uFEFFb\n"},
		{"no new bom", "a\n", "\uFEFFb\n", "b\n"},
		{"mixed: kept lines keep theirs", "a\r\nb\nc\r\nd\n", "a\nb\nnew\nc\nd\n", "a\r\nb\nnew\nc\r\nd\n"},
		{"mixed: a changed line keeps its own", "a\r\nb b b b\nc\r\nd\n", "a\nb b b x\nc\nd\n", "a\r\nb b b x\nc\r\nd\n"},
		{"mixed: a line that became another keeps its own", "a\r\nb\nc\r\nd\n", "x\nb\nyy\nd\n", "x\r\nb\nyy\r\nd\n"},
		{"mixed: first line removed", "a\r\nb\nc\r\n", "b\nc\n", "b\nc\r\n"},
		{"mixed: put before the first", "a\r\nb\n", "new\na\nb\n", "new\r\na\r\nb\n"},
		{"emptied", "a\n", "", ""},
		{"emptied, mixed", "a\nb\r\n", "", ""},
		{"from empty", "", "a", "a\n"},
	} {
		if got := string(inStyle([]byte(test.stored), []byte(test.text))); got != test.want {
			t.Errorf("%s: %q with %q gives %q, want %q", test.name, test.stored, test.text, got, test.want)
		}
	}
}

func TestAPatchKeepsLineEnds(t *testing.T) {
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
		{"a\rb\nc\n", "b", "", "a\r\rc\n"}, // "\r" and "\n" would be one end
		{"a\r\nb\r\n", "b", "x\ny", "a\r\nx\r\ny\r\n"},
		{"a\nb", "b", "x", "a\nx"},
	} {
		got := string(patchedInStyle([]byte(test.stored), strings.Index(plainLines([]byte(test.stored)), test.old), test.old, test.with))
		if got != test.want {
			t.Errorf("%q with %q in the place of %q is %q, want %q", test.stored, test.with, test.old, got, test.want)
		}
	}
}

// Whatever is patched, lines outside stay as they are to the byte, and inside
// nothing but what was asked for is said.
func TestAPatchLeavesOtherLinesAlone(t *testing.T) {
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
		if strings.Trim(plainLines([]byte(written(0, len(lines)))), "\n") == "" {
			return // no style to keep
		}
		got := string(patchedInStyle([]byte(written(0, len(lines))), len(plainLines([]byte(written(0, from)))), old, with))
		inside, ok := strings.CutPrefix(got, written(0, from))
		inside, ok2 := strings.CutSuffix(inside, written(to, len(lines)))
		if !ok || !ok2 || plainLines([]byte(inside)) != with+"\n" {
			t.Fatalf("%q, lines %d to %d become %q: %q", written(0, len(lines)), from, to, with, got)
		}
		if have := lineEnds([]byte(inside)); strings.Count(old, "\n") == strings.Count(with, "\n") && !slices.Equal(have, ends[from:to]) {
			t.Fatalf("%q, lines %d to %d become %q with ends %q: %q", written(0, len(lines)), from, to, with, have, got)
		}
	})
}

// Any passage can be patched, also one that begins and ends inside lines.
func TestAPatchSaysWhatWasAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stored := rapid.StringMatching("(\uFEFF)?([ab]{0,2}(\n|\r\n|\r)){0,6}[ab]{0,2}").Draw(t, "stored")
		plain := plainLines([]byte(stored))
		if strings.Trim(plain, "\n") == "" {
			return // no style to keep
		}
		from := rapid.IntRange(0, len(plain)-1).Draw(t, "from")
		to := rapid.IntRange(from+1, len(plain)).Draw(t, "to")
		with := rapid.StringMatching("([abc]{0,2}\n){0,3}[abc]{0,2}").Draw(t, "with")
		got := string(patchedInStyle([]byte(stored), from, plain[from:to], with))
		want := strings.TrimRight(plain[:from]+with+plain[to:], "\n")
		if have := strings.TrimRight(plainLines([]byte(got)), "\n"); have != want {
			t.Fatalf("%q with %q in the place of %q says %q", stored, with, plain[from:to], got)
		}
		if again := string(inStyle([]byte(got), []byte(plainLines([]byte(got))))); again != got {
			t.Fatalf("%q saved again gives %q", got, again)
		}
	})
}

func TestStyleNeverChangesWhatIsSaid(t *testing.T) {
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
		got := inStyle([]byte(stored), []byte(typed))
		want := strings.TrimRight(plainLines([]byte(typed)), "\n")
		if have := strings.TrimRight(plainLines(got), "\n"); have != want {
			t.Fatalf("%q typed over %q says %q", typed, stored, got)
		}
		if again := inStyle([]byte(stored), []byte(plainLines([]byte(stored)))); string(again) != stored {
			t.Fatalf("%q unchanged gives %q", stored, again)
		}
		if twice := inStyle(got, []byte(plainLines(got))); string(twice) != string(got) {
			t.Fatalf("%q saved again gives %q", got, twice)
		}
	})
}

func TestWhatCannotBeAPage(t *testing.T) {
	w := newWorld(t)
	for name, text := range map[string]string{"invalid UTF-8": "a\xffb", "NUL": "a\x00b"} {
		_, err := w.Save(w.ctx, w.editor, SaveRequest{Name: "Page", Text: []byte(text), Exact: true})
		if wantKind(t, err, wiki.ErrInvalid); w.head() != 0 {
			t.Errorf("%s was stored", name)
		}
	}
	big := strings.Repeat("x", int(w.site.Limits.PageBytes))
	w.put("Big", big)
	_, err := w.Save(w.ctx, w.editor, SaveRequest{Name: "Bigger", Text: []byte(big + "x"), Exact: true})
	wantKind(t, err, wiki.ErrTooLarge)
	_, err = w.Save(w.ctx, w.editor, SaveRequest{Name: "Bigger", Text: []byte(big)}) // with its final newline
	wantKind(t, err, wiki.ErrTooLarge)
}
