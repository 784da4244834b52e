package edit

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

func TestTakeSection(t *testing.T) {
	text := "---\na: b\n---\n\n# Page\n\nLead.\n\n## One\n\n1\n\n### Below\n\n2\n\n## Two\n\n3\n"
	doc := NewDocument(text)
	for _, test := range []struct{ section, left, rest, taken string }{
		{"One", "", "---\na: b\n---\n\n# Page\n\nLead.\n\n## Two\n\n3\n", "## One\n\n1\n\n### Below\n\n2\n"},
		{"One", "See [[X]].", "---\na: b\n---\n\n# Page\n\nLead.\n\nSee [[X]].\n\n## Two\n\n3\n", "## One\n\n1\n\n### Below\n\n2\n"},
		{"Two", "", "---\na: b\n---\n\n# Page\n\nLead.\n\n## One\n\n1\n\n### Below\n\n2\n", "## Two\n\n3\n"},
		{"One > Below", "", "---\na: b\n---\n\n# Page\n\nLead.\n\n## One\n\n1\n\n## Two\n\n3\n", "### Below\n\n2\n"},
	} {
		rest, taken, err := TakeSection(doc, doc, nil, test.section, test.left)
		if err != nil || rest.Text != test.rest || taken != test.taken {
			t.Errorf("%s: %v\nleft  %q\ntaken %q", test.section, err, rest.Text, taken)
		}
	}
	changed := NewDocument(strings.Replace(text, "2", "two", 1))
	for name, f := range map[string]func() error{
		"nothing read":  func() error { _, _, err := TakeSection(doc, nil, nil, "One", ""); return err },
		"half read":     func() error { _, _, err := TakeSection(doc, doc, &Lines{9, 12}, "One", ""); return err },
		"changed since": func() error { _, _, err := TakeSection(changed, doc, nil, "One", ""); return err },
		"not there":     func() error { _, _, err := TakeSection(doc, doc, nil, "Three", ""); return err },
	} {
		want := map[string]error{"changed since": wiki.ErrConflict, "not there": wiki.ErrNotFound}[name]
		if want == nil {
			want = wiki.ErrPreconditionRequired
		}
		if err := f(); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAddSection(t *testing.T) {
	page := "# Page\n\nLead.\n\n## One\n\n1\n\n## Two\n\n2\n"
	section := "Title\n---\n\nText\n\n### Below ###\n\n    # code\n\nEnd\n"
	for _, test := range []struct{ page, under, want string }{
		{"", "", "# Title\n\nText\n\n## Below ###\n\n    # code\n\nEnd\n"},
		{page, "", page + "\nTitle\n---\n\nText\n\n### Below ###\n\n    # code\n\nEnd\n"},
		{page, "One", "# Page\n\nLead.\n\n## One\n\n1\n\n### Title\n\nText\n\n#### Below ###\n\n    # code\n\nEnd\n\n## Two\n\n2\n"},
		{"###### Deep", "Deep", "###### Deep\n\n###### Title\n\nText\n\n###### Below ###\n\n    # code\n\nEnd\n"},
	} {
		got, err := AddSection(NewDocument(test.page), test.under, section)
		if err != nil || got.Text != test.want {
			t.Errorf("%q under %q: %v\n%s", test.page, test.under, err, got.Text)
		}
	}
	if _, err := AddSection(NewDocument(page), "Three", section); !errors.Is(err, wiki.ErrNotFound) {
		t.Error(err)
	}
}

func TestMergePage(t *testing.T) {
	for _, test := range []struct{ page, other, want, lost string }{
		{"# A\n\na\n", "# B\n\nb\n\n## Below\n\nc\n", "# A\n\na\n\n## B\n\nb\n\n### Below\n\nc\n", ""},
		{"# A\n\na\n", "Only text\n", "# A\n\na\n\n## Other\n\nOnly text\n", ""},
		{"# A\n\na\n", "# B\n\n# C\n", "# A\n\na\n\n## Other\n\n### B\n\n### C\n", ""},
		{"# A\n\na\n", "\n", "# A\n\na\n", ""},
		{"# A\n\na\n", "---\ntags: [x]\n---\n# B\n\nb\n", "---\ntags: [x]\n---\n# A\n\na\n\n## B\n\nb\n", ""},
		{"---\nstatus: new # soon\n---\n\n# A\n", "---\nstatus: old\ntags:\n  - x\n  - y\n# note\ndue: 2026-12-01\n---\nb\n",
			"---\nstatus: new # soon\ntags:\n  - x\n  - y\n# note\ndue: 2026-12-01\n---\n\n# A\n\n## Other\n\nb\n", "status"},
		{"", "b\n", "# Other\n\nb\n", ""},
	} {
		got, lost, err := MergePage(NewDocument(test.page), "Other", test.other)
		if err != nil || got.Text != test.want || strings.Join(lost, " ") != test.lost {
			t.Errorf("%q and %q: lost %v, %v\n%s", test.page, test.other, lost, err, got.Text)
		}
	}
	for _, test := range [][2]string{
		{"# A\n", "---\na: [\n---\nb\n"}, {"---\na: [\n---\n# A\n", "---\nb: 1\n---\nb\n"}, {"---\n{a: 1}\n---\n# A\n", "---\nb: 1\n---\nb\n"},
	} {
		if got, _, err := MergePage(NewDocument(test[0]), "Other", test[1]); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("%q and %q: %v, %+v", test[0], test[1], err, got)
		}
	}
}

// Merged pages have the items of both lists, the target's first, and the rest of the
// front matter stays as it is. Of other keys, the target keeps its own values.
func TestMergeUnitesLists(t *testing.T) {
	for _, test := range []struct{ page, other, want, lost string }{
		{"tags: [a, b] # mine\n", "tags: [b, c]\n", "tags: [a, b, c] # mine\n", ""},
		{"tags: [a, b]\n", "tags:\n  - c, d\n  - 'it''s'\n  - b\n", "tags: [a, b, \"c, d\", 'it''s']\n", ""},
		{"tags:\n- a # first\n# below\nx: 1\n", "tags: [\"b\", a,c]\n", "tags:\n- a # first\n- \"b\"\n- c\n# below\nx: 1\n", ""},
		{"tags:\n    - a\n    - 1\n", "tags:\n- 1\n- '1'\n- 2026-12-01\n", "tags:\n    - a\n    - 1\n    - '1'\n    - 2026-12-01\n", ""},
		{"tags: []\nx: 1\n", "tags:\n- a\nx: 2\ny: 3\n", "tags: [a]\nx: 1\ny: 3\n", "x"},
		{"tags: [\n  a,\n  b,\n]\n", "tags: [c]\n", "tags: [\n  a,\n  b, c\n]\n", ""},
		{"tags: [a]\naliases: [A]\n", "aliases:\n- B\ntags:\n- b\n", "tags: [a, b]\naliases: [A, B]\n", ""},
		{"tags: [a, b]\n", "tags: [b]\n", "tags: [a, b]\n", ""},
		{"tags: [お茶]\n", "tags: [\"茶: 緑\", 水]\n", "tags: [お茶, \"茶: 緑\", 水]\n", ""},
		{"tags: a\n", "tags: [b]\n", "tags: a\n", "tags"},
		{"tags: [a]\n", "tags: b\n", "tags: [a]\n", "tags"},
		{"tags: [a]\n", "tags: [{b: 1}]\n", "tags: [a]\n", "tags"},
		{"tags: [[a]]\n", "tags: [b]\n", "tags: [[a]]\n", "tags"},
		{"tags: [a]\n", "tags:\n- |\n  b\n  c\n", "tags: [a]\n", "tags"},
		{"tags: [a, # note\n]\n", "tags: [b]\n", "tags: [a, # note\n]\n", "tags"},
	} {
		page, other := "---\n"+test.page+"---\n\n# A\n", "---\n"+test.other+"---\n"
		got, lost, err := MergePage(NewDocument(page), "Other", other)
		if err != nil || got.Text != "---\n"+test.want+"---\n\n# A\n" || strings.Join(lost, " ") != test.lost {
			t.Errorf("%q and %q: lost %v, %v\n%s", test.page, test.other, lost, err, got.Text)
		}
	}
}

// FuzzMergeFrontMatter: a merged page has all values of the target, with more items in
// lists, all keys of both, and no item twice.
func FuzzMergeFrontMatter(f *testing.F) {
	f.Add("tags: [a, b]\nx: 1\n", "tags:\n- b\n- 'c'\ny: 2\n")
	f.Add("tags:\n- a\n", "tags: [b, \"c d\", 1, true]\n")
	f.Add("tags: [a, # x\n]\n", "tags: [b]\n")
	f.Add("{tags: [a]}\n", "tags:\n  - b\n  # y\n")
	f.Fuzz(func(t *testing.T, mine, theirs string) {
		if len(mine)+len(theirs) > 2000 {
			t.Skip()
		}
		page, other := Normalize([]byte("---\n"+mine+"\n---\n\nBody.\n")), Normalize([]byte("---\n"+theirs+"\n---\n"))
		before, err := markdown.FrontMatter([]byte(page))
		added, err2 := markdown.FrontMatter([]byte(other))
		if err != nil || err2 != nil || frontMatterEnd(page) == 0 || !strings.HasSuffix(page[frontMatterEnd(page):], "Body.\n") {
			t.Skip()
		}
		got, lost, err := MergePage(NewDocument(page), "Other", other)
		if err != nil {
			return
		}
		now, err := markdown.FrontMatter([]byte(got.Text))
		if err != nil {
			t.Fatalf("%q: %v", got.Text, err)
		}
		for key, was := range before {
			list, isList := was.([]any)
			united, _ := now[key].([]any)
			if isList && len(united) > len(list) {
				was = append(slices.Clone(list), united[len(list):]...)
			}
			if !reflect.DeepEqual(was, now[key]) || slices.Contains(lost, key) && isList && len(united) > len(list) {
				t.Errorf("%q: %s was %v", got.Text, key, was)
			}
		}
		for key, value := range added {
			if _, ok := before[key]; !ok && !reflect.DeepEqual(now[key], value) {
				t.Errorf("%q: %s isn't %v", got.Text, key, value)
			}
		}
	})
}

// Shifted headings keep their titles and their order, and everything else its bytes.
func FuzzShiftHeadings(f *testing.F) {
	for _, text := range []string{"# A\n\n## B\n", "A\n=\n\nB\n-\n", "A\nB\n===\n```\n# x\n```\n", "> # A\n\n- # B\n", "#\n\n##### X #\n", "   ## A   ##  \n"} {
		f.Add(text, 2)
	}
	f.Fuzz(func(t *testing.T, text string, top int) {
		if top < 1 || top > maxHeadingLevel || len(text) > 2000 {
			t.Skip()
		}
		text = Normalize([]byte(text))
		titles := func(text string) (list []string) {
			for _, s := range markdown.Sections([]byte(text)) {
				if s.Level > 0 {
					list = append(list, strings.Join(strings.Fields(s.Path[len(s.Path)-1]), " "))
				}
			}
			return list
		}
		if got := shiftHeadings(text, top); !slices.Equal(titles(got), titles(text)) {
			t.Errorf("%q becomes %q: titles %q, then %q", text, got, titles(text), titles(got))
		}
	})
}
