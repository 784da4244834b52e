package pages

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"robot.wtf/internal/wiki"
)

const sectioned = "---\ntitle: T\n---\nlead\n\n## One\n\nfirst\n\n### Deep\n\ndeep\n\n\n## Two\n\nsecond\n\n> ## Quoted\n\n## One\n\nagain"

// section edits the section of an id as one of ada's edit forms does.
func (w *world) section(id string) (*EditForm, *EditSection, error) {
	w.t.Helper()
	form, err := w.Edit(w.t.Context(), w.owner, "Page", "")
	if err != nil {
		w.t.Fatal(err)
	}
	section, err := w.EditSection(w.t.Context(), w.owner, form, id)
	return form, section, err
}

func TestEditSection(t *testing.T) {
	w := newWorld(t)
	w.put("Page", sectioned)
	for id, want := range map[string]string{
		"one":   "## One\n\nfirst\n\n### Deep\n\ndeep\n",
		"deep":  "### Deep\n\ndeep\n",
		"two":   "## Two\n\nsecond\n\n> ## Quoted\n",
		"one-1": "## One\n\nagain\n",
	} {
		_, section, err := w.section(id)
		if err != nil || section.Text != want {
			t.Fatalf("section %s: %+v, %v; want %q", id, section, err, want)
		}
	}
	for _, id := range []string{"quoted", "three", ""} {
		if _, _, err := w.section(id); !errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("section %q: %v, want ErrNotFound", id, err)
		}
	}
	form, section, err := w.section("deep")
	if err != nil {
		t.Fatal(err)
	}
	w.put("Page", "new lead\n\n"+sectioned[len("---\ntitle: T\n---\nlead\n\n"):]) // somebody edits another part
	text, err := w.WithSection(w.t.Context(), w.owner, "Page", form.Base, section.Lines, []byte("### Deeper\r\n\r\nchanged\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	saved, err := w.Save(w.t.Context(), w.owner, SaveRequest{Name: "Page", Text: text, Precondition: Precondition{Base: form.Base}})
	if err != nil || !saved.Merged {
		t.Fatalf("saved %+v, %v; want a merge", saved, err)
	}
	if got, want := w.text("Page"), "new lead\n\n## One\n\nfirst\n\n### Deeper\n\nchanged\n\n\n## Two\n\nsecond\n\n> ## Quoted\n\n## One\n\nagain"; got != want {
		t.Errorf("the page is %q, want %q", got, want)
	}
	for _, lines := range []string{"", "0-3", "3-2", "1-1000", "-1-2", "a-b", "1"} {
		if _, err := w.WithSection(w.t.Context(), w.owner, "Page", form.Base, lines, nil); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("lines %q: %v, want ErrInvalid", lines, err)
		}
	}
}

// A draft of the section is loaded. A draft of other parts makes the section
// unavailable, because saving it would lose them.
func TestEditSectionWithDraft(t *testing.T) {
	w := newWorld(t)
	w.put("Page", sectioned)
	form, section, err := w.section("two")
	if err != nil {
		t.Fatal(err)
	}
	text, err := w.WithSection(w.t.Context(), w.owner, "Page", form.Base, section.Lines, []byte("## Two\n\nhalf a thought\n"))
	if err == nil {
		err = w.SaveDraft(w.t.Context(), w.owner, "Page", text, "", form.Base)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, section, err = w.section("two"); err != nil || section.Text != "## Two\n\nhalf a thought\n" {
		t.Errorf("the section with a draft: %+v, %v", section, err)
	}
	if _, _, err = w.section("one"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a section beside the draft: %v, want ErrNotFound", err)
	}
}

// Putting back a section that wasn't changed changes nothing.
func TestSpliceKeepsTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([ab#]{0,3}\n){0,8}[ab]{0,2}`).Draw(t, "text")
		first := rapid.IntRange(1, 9).Draw(t, "first")
		cut, ok := cutLines(text, first, rapid.IntRange(first, 9).Draw(t, "last"))
		if !ok {
			return
		}
		if cut.before+cut.part+cut.after != text {
			t.Fatalf("%q cut into %+v", text, cut)
		}
		if got := cut.splice(cut.part); strings.Trim(cut.part, "\n") != "" && got != text {
			t.Fatalf("%q with the same part is %q", text, got)
		}
	})
}
