package pages

import (
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
