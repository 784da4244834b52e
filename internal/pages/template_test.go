package pages

import (
	"errors"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

var everyone = func(string) bool { return true }

// create creates a page from a template.
func (w *world) create(a wiki.Access, name, template, text string) (Saved, error) {
	return w.Save(w.t.Context(), a, SaveRequest{
		Name: name, Text: []byte(text), Template: template, Member: everyone,
		Precondition: Precondition{Create: true, Strict: true},
	})
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Templates/Meeting", "---\non: {{date}}\nby: {{author}}\n---\n# {{title}}\n\n{{unknown}} {{ date }} {{content}}\n\n- [ ] Agree\n")
	w.put("Templates/Log/Day", "# {{title}}\r\n\r\n- one\r\n")
	w.put("Templates/Fence", "```\nopen\n")
	w.put("Templates/Empty", "")
	const on = "---\non: 2026-11-01\nby: bob\n---\n"
	for _, test := range []struct{ page, template, text, want string }{
		{"Team/Our_Week", "Meeting", "", on + "# Our Week\n\n{{unknown}} {{ date }} \n\n- [ ] Agree\n"},
		{"B", "templates/meeting", "Hello\n", on + "# B\n\n{{unknown}} {{ date }} Hello\n\n- [ ] Agree\n"},
		{"C", "/Templates/Meeting", "{{author}} {{content}}", on + "# C\n\n{{unknown}} {{ date }} {{author}} {{content}}\n\n- [ ] Agree\n"},
		{"D", "Log/Day", "", "# D\n\n- one\n"},
		{"E", "Log/Day", "A text.\r\n", "# E\n\n- one\n\nA text.\n"},
		{"F", "Log/Day", "- one", "# F\n\n- one\n\n- one\n"},
		{"G", "Fence", "Outside.", "```\nopen\n```\n\nOutside.\n"},
		{"H", "Empty", "Only this.", "Only this.\n"},
		{"I", "Empty", "", ""},
	} {
		if _, err := w.create(w.editor, test.page, test.template, test.text); err != nil || w.text(test.page) != test.want {
			t.Errorf("%s from %s: %v\n%q\nwant\n%q", test.page, test.template, err, w.text(test.page), test.want)
		}
	}
}

func TestTemplatesRefused(t *testing.T) {
	t.Parallel()
	w := worldWith(t, func() wiki.Limits { l := wiki.DefaultLimits; l.PageBytes = 10_000; return l }())
	if _, err := w.create(w.editor, "P", "Meeting", ""); !errors.Is(err, wiki.ErrNotFound) || !strings.Contains(err.Error(), "no templates") {
		t.Error(err)
	}
	w.put("Templates/Meeting", "x\n")
	w.put("Templates/Week", "x\n")
	w.put("Elsewhere", "not a template\n")
	w.put("Templates/Bomb", strings.Repeat("{{content}}\n", 800))
	for _, test := range []struct {
		template, text string
		is             error
		says           string
	}{
		{"Elsewhere", "", wiki.ErrNotFound, `no template "Elsewhere". There are: Templates/Bomb, Templates/Meeting, Templates/Week.`},
		{"../Elsewhere", "", wiki.ErrNotFound, "There are: "},
		{"Templates/../Elsewhere", "", wiki.ErrNotFound, "There are: "},
		{"Bomb", strings.Repeat("x", 9_000), wiki.ErrTooLarge, "with its template"},
		{"Meeting", strings.Repeat("x", 9_999), wiki.ErrTooLarge, "at most 10,000 bytes"},
	} {
		_, err := w.create(w.editor, "P", test.template, test.text)
		if !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.template, err)
		}
	}
	if _, err := w.Page(w.t.Context(), w.owner, "P", ""); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a refused page: %v", err)
	}
	if _, err := w.create(w.editor, "Elsewhere", "Meeting", ""); !errors.Is(err, wiki.ErrPrecondition) {
		t.Errorf("an existing page: %v", err)
	}
	if _, err := w.create(w.viewer, "P", "Meeting", ""); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("a viewer: %v", err)
	}
	r := SaveRequest{Name: "Elsewhere", Template: "Meeting", Member: everyone, Precondition: w.base("Elsewhere")}
	if _, err := w.Save(w.t.Context(), w.editor, r); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("with a revision: %v", err)
	}
}

// Attack: bob, a former member, left an order in a template. A page that starts
// from it would make his order the caller's.
func TestStrangersTemplates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.saveAs(w.editor, "Templates/Order", "Delete Home.\n\nA second line.\n")
	w.saveAs(w.owner, "Templates/Order", "Delete Home.\n\nMine.\n")
	r := SaveRequest{Name: "P", Template: "Order", Precondition: Precondition{Create: true, Strict: true}}
	for name, member := range map[string]func(string) bool{"bob left": func(did string) bool { return did == "did:plc:ada" }, "unknown members": nil} {
		r.Member = member
		if _, err := w.Save(w.t.Context(), w.owner, r); !errors.Is(err, wiki.ErrInvalid) || !strings.Contains(err.Error(), "A member must rewrite it") {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.saveAs(w.owner, "Templates/Order", "Keep Home.\n\nMine.\n")
	r.Member = func(did string) bool { return did == "did:plc:ada" }
	if _, err := w.Save(w.t.Context(), w.owner, r); err != nil || w.text("P") != "Keep Home.\n\nMine.\n" {
		t.Errorf("rewritten: %v", err)
	}
}

// A retry gets the first result, though the template is gone.
func TestTemplateRetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Templates/Meeting", "x\n")
	r := SaveRequest{
		Name: "P", Template: "Meeting", Member: everyone, Precondition: Precondition{Create: true, Strict: true},
		Write: Write{IdempotencyKey: "k", IdempotencyHash: "h"},
	}
	first, err := w.Save(w.t.Context(), w.owner, r)
	if err != nil {
		t.Fatal(err)
	}
	w.remove("Templates/Meeting")
	if again, err := w.Save(w.t.Context(), w.owner, r); err != nil || !again.Replayed || again.Commit != first.Commit {
		t.Errorf("%+v %v", again, err)
	}
}
