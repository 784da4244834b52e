package edit

import (
	"strings"
	"testing"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

// FuzzApply checks that an edit keeps everything outside the range it names, and
// that no input makes it panic.
func FuzzApply(f *testing.F) {
	for _, e := range []Edit{
		{Op: Append, Section: "Tasks", Text: "- new"}, {Op: Append, Text: "\nMore.\n\n"},
		{Op: Prepend, Text: "Look:"}, {Op: Prepend, Section: "Notes", Text: "# x\n\n"},
		{Op: InsertAfter, Old: "- one", Text: "- 1.5"}, {Op: InsertAfter, Section: "Tasks", Text: "## Risks"},
		{Op: Replace, Old: "note", Text: "remark"}, {Op: Replace, Section: "Tasks", Old: "- t", Text: "* t", All: true},
		{Op: ReplaceSection, Section: "Notes", Text: "None."}, {Op: ReplaceSection, Section: "Tasks", Text: "## T\n", All: true},
		{Op: SetMeta, Text: "status: done"}, {Op: SetMeta, Text: "owner: ada\ntags:"},
	} {
		f.Add(plan, string(e.Op), e.Section, e.Old, e.Text, e.All)
		f.Add("\uFEFFTitle\r\n===\r\n\r\na\rb", string(e.Op), "title", "a", e.Text, e.All)
	}
	f.Add("", "append", "", "", "x", false)
	f.Add("---\nba: 1\na: 1\n---\n", "set_meta", "", "", "a: 2", false)
	f.Fuzz(func(t *testing.T, text, op, section, old, with string, all bool) {
		if len(text)+len(with) > 4000 {
			return
		}
		doc := NewDocument(Normalize([]byte(text)))
		e := Edit{Op: Op(op), Section: section, Old: old, Text: with, All: all}
		got, err := Apply(doc, Basis{Base: doc}, e)
		if err != nil {
			if got.Document != nil {
				t.Error("a document and an error")
			}
			return
		}
		from, to := editableRange(t, doc, e)
		before, rest := doc.Text[:from], doc.Text[to:]
		if e.Op == SetMeta && from == 0 && to == 0 { // new front matter
			rest = strings.TrimLeft(rest, "\n")
		}
		if len(got.Text) < len(before)+len(rest) || !strings.HasPrefix(got.Text, before) || !strings.HasSuffix(got.Text, rest) {
			t.Errorf("%+v changed text outside bytes %d to %d of %q: %q", e, from, to, doc.Text, got.Text)
		}
		if kept := commonPrefix(doc.Text, got.Text) + commonSuffix(doc.Text, got.Text); kept < len(doc.Text) && !mayRemove(doc, e) {
			t.Errorf("%+v removed text from %q: %q", e, doc.Text, got.Text)
		}
	})
}

// editableRange returns the offsets of the text that an edit may change.
func editableRange(t *testing.T, doc *Document, e Edit) (from, to int) {
	if e.Op == SetMeta {
		return 0, frontMatterEnd(doc.Text)
	}
	if e.Section == "" || strings.TrimSpace(doc.Text) == "" {
		return 0, len(doc.Text)
	}
	s, err := doc.Section(e.Section)
	if err != nil {
		t.Skip("the section was renamed by the edit")
	}
	return doc.lineStart(s.StartLine), doc.lineStart(s.DeepEnd + 1)
}

// mayRemove reports whether an edit may remove text. The others only insert.
func mayRemove(doc *Document, e Edit) bool {
	switch e.Op {
	case Append, Prepend, InsertAfter:
		return strings.TrimSpace(doc.Text) == ""
	}
	return true
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// FuzzKeepStyle checks that a save keeps the text, and the stored file's
// byte-order mark, final newline and line ends.
func FuzzKeepStyle(f *testing.F) {
	for _, stored := range []string{"", "a", "a\r\nb\r\n", "\uFEFFa\nb", "a\rb\r", "a\r\nb\nc\r"} {
		for _, text := range []string{"", "a\nb", "\uFEFFx\r\ny\r\n", "b\n\n", "c\ra"} {
			f.Add(stored, text)
		}
	}
	f.Fuzz(func(t *testing.T, stored, text string) {
		checkStyle(t, stored, string(KeepStyle([]byte(stored), []byte(text))), Normalize([]byte(text)))
	})
}

// FuzzReplaceKeepingStyle checks the same for a replacement of any range.
func FuzzReplaceKeepingStyle(f *testing.F) {
	for _, stored := range []string{"a", "a\r\nb\r\n", "\uFEFFa\nb", "a\rb\r", "a\r\nb\nc\r\nd\ne\rf"} {
		f.Add(stored, uint(0), uint(1), "x")
		f.Add(stored, uint(1), uint(3), "x\ny\n")
		f.Add(stored, uint(0), uint(9), "")
	}
	f.Fuzz(func(t *testing.T, stored string, from, to uint, replacement string) {
		plain := Normalize([]byte(stored))
		if from > to || to > uint(len(plain)) || !utf8.ValidString(plain[:from]) || !utf8.ValidString(plain[:to]) {
			return // not at the boundaries of characters
		}
		replacement = Normalize([]byte(replacement))
		got := string(ReplaceKeepingStyle([]byte(stored), int(from), plain[from:to], replacement))
		checkStyle(t, stored, got, plain[:from]+replacement+plain[to:])
	})
}

// checkStyle checks that got is the text `want` in the style of a stored file.
func checkStyle(t *testing.T, stored, got, want string) {
	t.Helper()
	if decoded, _ := wiki.DecodeText([]byte(stored)); string(decoded) != stored {
		stored = string(decoded) // files in other encodings become UTF-8, without a byte-order mark of theirs
	}
	plain := Normalize([]byte(got))
	if strings.TrimRight(plain, "\n") != strings.TrimRight(want, "\n") {
		t.Errorf("stored %q, saved %q, got %q", stored, want, got)
	}
	if again := string(KeepStyle([]byte(got), []byte(plain))); again != got {
		t.Errorf("%q saved unchanged gives %q", got, again)
	}
	if got == stored || strings.Trim(Normalize([]byte(stored)), "\n") == "" {
		return
	}
	if strings.HasPrefix(stored, byteOrderMark) != strings.HasPrefix(got, byteOrderMark) {
		t.Errorf("stored %q, got %q: the byte-order mark differs", stored, got)
	}
	if strings.HasSuffix(Normalize([]byte(stored)), "\n") != strings.HasSuffix(plain, "\n") && plain != "" {
		t.Errorf("stored %q, got %q: the final newline differs", stored, got)
	}
	if end, same := commonEnd(lineEnds([]byte(stored))); same {
		if have, same := commonEnd(lineEnds([]byte(got))); !same || have != end && strings.Contains(plain, "\n") {
			t.Errorf("stored %q, got %q: the line ends differ", stored, got)
		}
	}
}
